//! Packets that make up for lost ones without being asked.
//!
//! Where the line loses packets, a picture that others need is followed by repair packets: each is the exclusive or of
//! every so many-th packet of the frame, so that any one of these can be made from the others (compare RFC 5109 and
//! RFC 8627, whose headers would have to be added to every packet). A retransmission takes a round trip, is lost as
//! often as its request and the packet itself, and everything that needs the picture waits for it; this takes nothing
//! but bits. What it cannot make up for is asked for as always.
//!
//! Sealing covers the frame as a whole, so what is made here is checked when the frame opens.

use std::collections::BTreeMap;

/// How many repair packets there are of the frame (2 bytes) and the exclusive or of the lengths (2), before the bytes.
pub(crate) const PREFIX: usize = 4;

/// From which share of lost packets on a frame gets how many repair packets, as a part of its own.
const SHARES: [(f32, u16); 3] = [(0.15, 1), (0.06, 2), (0.02, 4)];

/// How many repair packets follow a frame of so many packets on a line that loses this share.
pub(crate) fn repairs(packets: u16, loss: f32) -> u16 {
    SHARES.iter().find(|(from, _)| loss >= *from).map_or(0, |(_, part)| packets.div_ceil(*part))
}

/// What repair packets add to all the bits of pictures on a line that loses this share, in percent.
///
/// About three of five bits are in frames that others need.
pub(crate) fn overhead(loss: f32) -> u64 {
    SHARES.iter().find(|(from, _)| loss >= *from).map_or(0, |(_, part)| 60 / u64::from(*part))
}

/// The payload of repair packet `which` of `count`, from the frame's packets in their order.
pub(crate) fn make<'a>(chunks: impl Iterator<Item = &'a [u8]>, which: u16, count: u16) -> Vec<u8> {
    let mut length = 0;
    let mut payload = vec![0; PREFIX];
    for chunk in chunks.skip(usize::from(which)).step_by(usize::from(count.max(1))) {
        length ^= u16::try_from(chunk.len()).unwrap_or_default();
        mix(&mut payload, chunk);
    }
    payload[..2].copy_from_slice(&count.to_be_bytes());
    payload[2..PREFIX].copy_from_slice(&length.to_be_bytes());
    payload
}

/// The packet of the frame that is missing and can be made, with its index, from the packets that are there and repair
/// packet `which`.
///
/// `Ok(None)` where nothing of its group is missing, or more than it makes up for. What comes of made-up packets is a
/// frame that does not open.
///
/// # Errors
/// [`Absurd`] for a repair packet that cannot be one.
pub(crate) fn mend(
    chunks: &BTreeMap<u16, Vec<u8>>,
    packets: u16,
    which: u16,
    repair: &[u8],
) -> Result<Option<(u16, Vec<u8>)>, Absurd> {
    let ([c0, c1, l0, l1], bytes) = repair.split_first_chunk::<PREFIX>().ok_or(Absurd)?;
    let count = u16::from_be_bytes([*c0, *c1]);
    if count == 0 || count > packets || which >= count {
        return Err(Absurd);
    }
    let group = || (which..packets).step_by(usize::from(count));
    let mut missing = group().filter(|index| !chunks.contains_key(index));
    let (Some(lost), None) = (missing.next(), missing.next()) else { return Ok(None) };
    let mut length = u16::from_be_bytes([*l0, *l1]);
    let mut mended = repair[..PREFIX].to_vec();
    mended.extend_from_slice(bytes);
    for chunk in group().filter_map(|index| chunks.get(&index)) {
        length ^= u16::try_from(chunk.len()).unwrap_or_default();
        mix(&mut mended, chunk);
    }
    let end = PREFIX + usize::from(length);
    if length == 0 || end > PREFIX + bytes.len() {
        return Err(Absurd);
    }
    mended.truncate(end);
    mended.drain(..PREFIX);
    Ok(Some((lost, mended)))
}

/// A repair packet that cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Absurd;

/// Adds a chunk to a payload, which grows to hold it.
fn mix(payload: &mut Vec<u8>, chunk: &[u8]) {
    if payload.len() < PREFIX + chunk.len() {
        payload.resize(PREFIX + chunk.len(), 0);
    }
    payload[PREFIX..].iter_mut().zip(chunk).for_each(|(mixed, byte)| *mixed ^= byte);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn frame(packets: u16) -> Vec<Vec<u8>> {
        (0..packets).map(|at| (0..100 - at % 2).map(|byte| (byte * 7 + at * 31) as u8).collect()).collect()
    }

    fn without(frame: &[Vec<u8>], lost: &[u16]) -> BTreeMap<u16, Vec<u8>> {
        (0..).zip(frame.iter().cloned()).filter(|(index, _)| !lost.contains(index)).collect()
    }

    #[test]
    fn any_one_packet_of_a_group_is_made_up_for() {
        for packets in 1..12 {
            let all = frame(packets);
            for count in 1..=packets {
                for lost in 0..packets {
                    let which = lost % count;
                    let repair = make(all.iter().map(Vec::as_slice), which, count);
                    let mended = mend(&without(&all, &[lost]), packets, which, &repair).unwrap();
                    assert_eq!(mended, Some((lost, all[usize::from(lost)].clone())), "{lost} of {packets}, {count}");
                }
            }
        }
    }

    #[test]
    fn two_of_a_group_are_too_many_and_none_is_nothing_to_do() {
        let all = frame(6);
        let repair = make(all.iter().map(Vec::as_slice), 0, 2);
        assert_eq!(mend(&without(&all, &[0, 2]), 6, 0, &repair), Ok(None));
        assert_eq!(mend(&without(&all, &[1, 3]), 6, 0, &repair), Ok(None));
    }

    #[test]
    fn repair_packets_that_cannot_be_are_refused() {
        let all = frame(4);
        let repair = make(all.iter().map(Vec::as_slice), 1, 2);
        let there = without(&all, &[1]);
        assert_eq!(mend(&there, 4, 1, &repair[..3]), Err(Absurd));
        assert_eq!(mend(&there, 4, 2, &repair), Err(Absurd), "which of how many");
        assert_eq!(mend(&there, 1, 0, &repair), Err(Absurd), "more than the frame has");
        let with = |at: usize, byte: u8| {
            let mut changed = repair.clone();
            changed[at] = byte;
            mend(&there, 4, 1, &changed)
        };
        assert_eq!(with(1, 0), Err(Absurd), "none");
        assert_eq!(with(2, 0xff), Err(Absurd), "a length beyond its bytes");
        assert_eq!(mend(&there, 4, 1, &repair[..50]), Err(Absurd), "cut short");
    }

    #[test]
    fn repair_grows_with_loss_and_costs_nothing_without() {
        let of = |loss| (repairs(1, loss), repairs(5, loss), overhead(loss));
        assert_eq!([0.0, 0.01, 0.03, 0.1, 0.5].map(of), [(0, 0, 0), (0, 0, 0), (1, 2, 15), (1, 3, 30), (1, 5, 60)]);
    }
}
