"""Scores what the example `speech` wrote by PESQ-WB (ITU-T P.862.2); needs the packages numpy, scipy and pesq.

    python3 speech_pesq.py OUT [PREFIX...]

Prints one row for each scheme and one column for each kind of loss, the mean over voices (those whose names begin with a
PREFIX, else all) and seeds.
"""
import collections
import glob
import os
import sys
from multiprocessing import Pool

import numpy
from pesq import pesq
from scipy.io import wavfile
from scipy.signal import resample_poly

OUT = sys.argv[1]
PREFIXES = tuple(sys.argv[2:])


def load(path):
    rate, samples = wavfile.read(path)
    assert rate == 48000
    return resample_poly(samples / 32768.0, 1, 3).astype(numpy.float32)


def score(path):
    scheme, loss, voice, _ = os.path.basename(path)[:-4].split("~")
    clean = load(f"{OUT}/clean~r00~{voice}~0.wav")
    heard = load(path)
    length = min(len(clean), len(heard))
    return scheme, loss, pesq(16000, clean[:length], heard[:length], "wb")


if __name__ == "__main__":
    wanted = [
        path
        for path in sorted(glob.glob(f"{OUT}/*.wav"))
        if not os.path.basename(path).startswith("clean~")
        and os.path.basename(path).split("~")[2].startswith(PREFIXES or "")
    ]
    scores = collections.defaultdict(list)
    with Pool() as pool:
        for scheme, loss, value in pool.imap_unordered(score, wanted):
            scores[scheme, loss].append(value)
    losses = sorted({loss for _, loss in scores})
    print("%-10s" % "", *["%6s" % loss for loss in losses])
    for scheme in sorted({scheme for scheme, _ in scores}):
        print("%-10s" % scheme, *["%6.2f" % numpy.mean(scores[scheme, loss]) for loss in losses])
