//! Inputs made by hand that every target gets.

/// Deep nesting, huge announced lengths, nothing, and much of one byte.
pub fn nasty() -> Vec<Vec<u8>> {
    let mut all = vec![Vec::new(), vec![0], vec![0xff], b"{".repeat(5000), b"[".repeat(5000), vec![0; 5000]];
    // CBOR (RFC 8949): nested arrays, maps and tags, endless strings, and lengths up to 2^64 - 1.
    all.extend([0x81, 0x9f, 0xa1, 0xbf, 0xc1, 0x5f, 0x7f].map(|head| vec![head; 5000]));
    for head in [0x5a, 0x7a, 0x9a, 0xba] {
        all.push(vec![head, 0xff, 0xff, 0xff, 0xff, 0x00]);
        all.push([&[head + 1][..], &[0xff; 8], &[0x00]].concat());
        all.push([&[head + 1][..], &[0x00, 0x00, 0x00, 0x7f, 0xff, 0xff, 0xff, 0xff]].concat());
    }
    // DER (X.690): nested sequences, each as long as it says, and lengths of 2^32 and beyond.
    let mut nested = Vec::new();
    for _ in 0..1000 {
        let length = u16::try_from(nested.len()).unwrap_or(u16::MAX).to_be_bytes();
        nested.splice(0..0, [0x30, 0x82, length[0], length[1]]);
    }
    all.push(nested);
    all.push(vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff]);
    all.push(vec![0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    all.push([0x30, 0x80].repeat(2000));
    // Lengths of MLS (RFC 9420 section 2.1.2) and of SFrame headers (RFC 9605 section 4.3).
    all.push([&[0x00, 0x01, 0x00, 0x01][..], &[0xbf, 0xff, 0xff, 0xff], &[0x40; 64]].concat());
    all.push([&[0x77][..], &[0xff; 64]].concat());
    all
}
