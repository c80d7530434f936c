"""Scores recordings by PESQ-WB (ITU-T P.862.2); needs the package pesq.

Reads one pair a line, CLEAN and HEARD separated by a tab, both raw 32-bit floats at 16 kHz, mono. Prints one score a line,
"nan" where PESQ finds no speech.
"""
import sys

import numpy
from pesq import PesqError, pesq

for line in sys.stdin:
    clean, heard = (numpy.fromfile(path, dtype="<f4") for path in line.rstrip("\n").split("\t"))
    length = min(len(clean), len(heard))
    try:
        score = pesq(16000, clean[:length], heard[:length], "wb")
    except PesqError:
        score = float("nan")
    print(score, flush=True)
