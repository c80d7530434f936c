use std::sync::Arc;

use super::*;

/// A file of that content; unlinked when the folder is dropped.
fn file(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("clip.y4m");
    std::fs::write(&path, content).expect("a file");
    (folder, path)
}

fn problem(content: &[u8]) -> Y4mProblem {
    let (_folder, path) = file(content);
    match Clip::open(&path) {
        Err(CaptureError::Y4m { problem, .. }) => problem,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("opened"),
    }
}

/// `count` pictures of 16×18, each of one luma.
fn clip(first_line: &str, frame_line: &str, count: u8) -> Vec<u8> {
    let mut content = format!("{first_line}\n").into_bytes();
    for number in 0..count {
        content.extend(format!("{frame_line}\n").bytes());
        content.extend(vec![number * 10; 16 * 18]);
        content.extend([100; 72]);
        content.extend([150; 72]);
    }
    content
}

#[test]
fn pictures_come_in_order_and_begin_again_after_the_last() {
    for (first, frame) in [
        ("YUV4MPEG2 W16 H18 F25:1", "FRAME"),
        ("YUV4MPEG2 W16 H18 F30000:1001 Ip A1:1 C420mpeg2 XYSCSS=420MPEG2", "FRAME Ip"),
    ] {
        let (_folder, path) = file(&clip(first, frame, 3));
        let mut clip = Clip::open(&path).expect("a clip");
        let lumas: Vec<u8> = (0..7).map(|_| clip.next(MediaTime(5)).expect("a picture").planes()[0][7]).collect();
        assert_eq!(lumas, [0, 10, 20, 0, 10, 20, 0]);
        let picture = clip.next(MediaTime(5)).expect("a picture");
        assert_eq!((picture.time, picture.planes()[1][3], picture.planes()[2][3]), (MediaTime(5), 100, 150));
    }
}

#[test]
fn what_was_missed_is_left_out_over_the_end() {
    let (_folder, path) = file(&clip("YUV4MPEG2 W16 H18 F25:1", "FRAME Ip", 3));
    let mut clip = Clip::open(&path).expect("a clip");
    let mut lumas = Vec::new();
    for missed in [0, 1, 0, 2, 3, 3_000_000_000_001] {
        clip.skip(missed).expect("a clip goes on");
        lumas.push(clip.next(MediaTime(5)).expect("a picture").planes()[0][7]);
    }
    assert_eq!(lumas, [0, 20, 0, 0, 10, 0]);
}

#[test]
fn full_range_is_made_limited() {
    let (_folder, path) = file(&clip("YUV4MPEG2 W16 H18 F25:1 C420jpeg XCOLORRANGE=FULL", "FRAME", 1));
    let picture = Clip::open(&path).expect("a clip").next(MediaTime(0)).expect("a picture");
    assert_eq!(picture.planes().map(|plane| plane[0]), [16, 103, 147]);
    assert_eq!([0, 255].map(|sample| narrow(sample, 219, 16, 0)), [16, 235]);
}

#[test]
fn each_fault_of_a_file_is_named() {
    assert_eq!(problem(b""), Y4mProblem::NotY4m);
    assert_eq!(problem(b"RIFF1234WAVEfmt "), Y4mProblem::NotY4m);
    assert_eq!(problem(&[0; 10_000]), Y4mProblem::NotY4m);
    assert_eq!(problem(b"YUV4MPEG2000 W1\n"), Y4mProblem::NotY4m);
    assert_eq!(problem(&[b"YUV4MPEG2 ".as_slice(), &[b'x'; 9000]].concat()), Y4mProblem::EndlessLine { at: 0 });
    assert_eq!(problem(b"YUV4MPEG2 W16 H18\nFRAME\n"), Y4mProblem::Missing("the pictures per second (F30:1)"));
    assert_eq!(problem(b"YUV4MPEG2 W16 F25:1\n"), Y4mProblem::Missing("the height (H720)"));
    assert_eq!(problem(b"YUV4MPEG2 W16 H18 F25:1\n"), Y4mProblem::Empty);
    assert_eq!(problem(b"YUV4MPEG2 W16 H18 F25:1 C422\n"), Y4mProblem::Layout("C422".into()));
    assert_eq!(problem(b"YUV4MPEG2 W16 H18 F25:1 C420p10\n"), Y4mProblem::Layout("C420p10".into()));
    assert_eq!(problem(b"YUV4MPEG2 W16 H18 F25:1 It\n"), Y4mProblem::Interlaced("It".into()));
    for wrong in ["W0", "W99999999999", "H-3", "F0:0", "F30", "F1000:1", "F1:9"] {
        let problem = problem(format!("YUV4MPEG2 W16 H18 F25:1 {wrong}\nFRAME\n").as_bytes());
        assert!(matches!(&problem, Y4mProblem::Parameter { found, .. } if found == wrong), "{wrong}: {problem}");
    }
}

#[test]
fn a_file_that_ends_within_a_picture_is_refused() {
    let whole = clip("YUV4MPEG2 W16 H18 F25:1", "FRAME", 4);
    assert_eq!(problem(&whole[..whole.len() - 32]), Y4mProblem::Truncated { number: 3, found: 400, wanted: 432 });
    let with_rest = [whole.as_slice(), b"garbage at the end of the file\n"].concat();
    assert!(matches!(problem(&with_rest), Y4mProblem::NoFrame { number: 4, .. }));
}

#[test]
fn an_absent_file_is_told_by_name() {
    let error = Clip::open(Path::new("no/such.y4m")).err().expect("no file").to_string();
    assert!(error.starts_with("no/such.y4m: cannot be read: "), "{error}");
}

#[test]
fn a_clip_is_played_at_its_own_rate() {
    let (_folder, path) = file(&clip("YUV4MPEG2 W16 H18 F100:1", "FRAME", 3));
    let (send, receive) = crossbeam_channel::bounded(100);
    let clock: Clock = Arc::new(|| MediaTime(9));
    let began = crate::worker::now();
    let (opened, worker) = play(&path, clock, Box::new(move |event| drop(send.try_send(event)))).expect("a clip");
    assert_eq!((opened.width, opened.height, opened.frames_per_second), (16, 18, 100));
    for _ in 0..30 {
        assert!(matches!(receive.recv(), Ok(CameraEvent::Picture(_))));
    }
    let took = began.elapsed().as_millis();
    assert!((299..900).contains(&took), "30 pictures in {took} ms");
    drop(worker);
}
