//! The worker's protocol: one frame in, one frame out. A length goes first, so that a cut-off frame is never mistaken
//! for a whole one. Must not know what is inside.

use std::io::{self, Read, Write};

pub(super) const COMPONENT: &[u8; 8] = b"CRMCOMP1";
pub(super) const CODE: &[u8; 8] = b"CRMCODE1";
/// Bytes before the payload.
pub(super) const HEAD: usize = 16;

pub(super) fn head(magic: &[u8; 8], len: usize) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(magic);
    head[8..].copy_from_slice(&(len as u64).to_le_bytes());
    head
}

/// The payload of a whole frame.
pub(super) fn open(magic: &[u8; 8], mut frame: Vec<u8>) -> Option<Vec<u8>> {
    let (head, payload) = frame.split_at_checked(HEAD)?;
    let len = u64::from_le_bytes(head[8..].try_into().ok()?);
    if head[..8] != *magic || payload.len() as u64 != len {
        return None;
    }
    frame.drain(..HEAD);
    Some(frame)
}

/// Reads one frame of at most `max` bytes of payload.
pub(super) fn read(mut from: impl Read, magic: &[u8; 8], max: u64) -> io::Result<Vec<u8>> {
    let mut frame = Vec::new();
    from.by_ref().take(max + HEAD as u64 + 1).read_to_end(&mut frame)?;
    open(magic, frame).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a whole frame"))
}

pub(super) fn write(mut to: impl Write, magic: &[u8; 8], payload: &[u8]) -> io::Result<()> {
    to.write_all(&head(magic, payload.len()))?;
    to.write_all(payload)?;
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_survives_the_pipe_and_a_part_of_it_does_not() {
        let mut pipe = Vec::new();
        write(&mut pipe, COMPONENT, b"abc").expect("a Vec takes everything");
        assert_eq!(read(pipe.as_slice(), COMPONENT, 100).ok().as_deref(), Some(b"abc".as_slice()));
        assert!(read(pipe.as_slice(), CODE, 100).is_err());
        for cut in 0..pipe.len() {
            assert!(read(&pipe[..cut], COMPONENT, 100).is_err(), "{cut}");
        }
        pipe.push(0);
        assert!(read(pipe.as_slice(), COMPONENT, 100).is_err());
    }
}
