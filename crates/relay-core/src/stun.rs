//! Whose STUN message it is, before anybody parses it in earnest.

const HEADER: usize = 20;
const MAGIC: [u8; 4] = 0x2112_a442_u32.to_be_bytes();
const USERNAME: u16 = 0x0006;

/// Whether a datagram looks like STUN (RFC 7983: first byte 0 to 3; RFC 8489: magic cookie).
pub(crate) fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= HEADER && datagram[0] < 4 && datagram[4..8] == MAGIC
}

/// Our ICE user fragment in a binding request: what stands before the colon in its USERNAME (RFC 8445 section 7.2.2).
///
/// Proves nothing; the media path checks the message's integrity.
pub(crate) fn our_ufrag(datagram: &[u8]) -> Option<&str> {
    if !is_stun(datagram) {
        return None;
    }
    let mut rest = &datagram[HEADER..];
    while let Some((&[k0, k1, l0, l1], after)) = rest.split_first_chunk::<4>() {
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let value = after.get(..length)?;
        if u16::from_be_bytes([k0, k1]) == USERNAME {
            return str::from_utf8(value).ok()?.split_once(':').map(|(ours, _)| ours);
        }
        rest = after.get(length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut message = vec![0, 1, 0, 0];
        message.extend_from_slice(&MAGIC);
        message.extend_from_slice(&[7; 12]);
        for (kind, value) in attributes {
            message.extend_from_slice(&kind.to_be_bytes());
            message.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
            message.extend_from_slice(value);
            message.resize(message.len().next_multiple_of(4), 0);
        }
        message
    }

    #[test]
    fn the_fragment_is_found_behind_other_attributes() {
        let message = request(&[(0x0024, &[1, 2, 3]), (USERNAME, b"ours:theirs")]);
        assert_eq!(our_ufrag(&message), Some("ours"));
    }

    #[test]
    fn what_has_no_fragment_has_none() {
        assert_eq!(our_ufrag(&request(&[(0x0024, &[1, 2, 3, 4])])), None);
        assert_eq!(our_ufrag(&request(&[(USERNAME, b"no colon")])), None);
        assert_eq!(our_ufrag(&request(&[(USERNAME, &[0xff, b':'])])), None);
        let mut cut = request(&[(USERNAME, b"ours:theirs")]);
        cut.truncate(cut.len() - 4);
        assert_eq!(our_ufrag(&cut), None);
        assert_eq!(our_ufrag(&[0x80; 40]), None);
        assert_eq!(our_ufrag(&[]), None);
    }
}
