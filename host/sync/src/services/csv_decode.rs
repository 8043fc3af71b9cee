//! Text files as they arrive, made UTF-8 without a byte order mark: what a spreadsheet saved as "Unicode text" is UTF-16. Pieces in,
//! pieces out, in memory that is bounded by a piece. A file without a mark passes unchanged.

use encoding_rs::{CoderResult, Decoder, UTF_16BE, UTF_16LE};

/// In which encoding a file came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// With or without a mark; whether it really is UTF-8 shows row by row.
    Utf8,
    Utf16Le,
    Utf16Be,
}

/// A push decoder.
#[derive(Default)]
pub struct Decode {
    state: State,
}

#[derive(Default)]
enum State {
    /// The first bytes, as long as they may be the beginning of a mark.
    #[default]
    Start,
    Waiting(Vec<u8>),
    Unchanged,
    Utf16(Box<Decoder>, Encoding),
}

const MARKS: [(&[u8], Encoding); 3] =
    [(b"\xef\xbb\xbf", Encoding::Utf8), (b"\xff\xfe", Encoding::Utf16Le), (b"\xfe\xff", Encoding::Utf16Be)];

impl Decode {
    /// Decodes the next piece onto the end of `out`. What is no character becomes U+FFFD.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let head = match &mut self.state {
            State::Unchanged => return out.extend_from_slice(piece),
            State::Utf16(decoder, _) => return decode(decoder, piece, false, out),
            State::Start => piece.to_vec(),
            State::Waiting(head) => {
                head.extend_from_slice(piece);
                std::mem::take(head)
            }
        };
        if let Some((mark, encoding)) = MARKS.into_iter().find(|(mark, _)| head.starts_with(mark)) {
            self.state = match encoding {
                Encoding::Utf8 => State::Unchanged,
                Encoding::Utf16Le => State::Utf16(Box::new(UTF_16LE.new_decoder_without_bom_handling()), encoding),
                Encoding::Utf16Be => State::Utf16(Box::new(UTF_16BE.new_decoder_without_bom_handling()), encoding),
            };
            self.push(&head[mark.len()..], out);
        } else if MARKS.into_iter().any(|(mark, _)| mark.starts_with(&head)) {
            self.state = State::Waiting(head);
        } else {
            self.state = State::Unchanged;
            out.extend_from_slice(&head);
        }
    }

    /// Ends the file; answers in which encoding it was.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Encoding {
        match &mut self.state {
            State::Utf16(decoder, encoding) => {
                decode(decoder, &[], true, out);
                *encoding
            }
            State::Waiting(head) => {
                out.extend_from_slice(head);
                Encoding::Utf8
            }
            State::Start | State::Unchanged => Encoding::Utf8,
        }
    }
}

fn decode(decoder: &mut Decoder, mut piece: &[u8], last: bool, out: &mut Vec<u8>) {
    let mut room = [0u8; 4096];
    loop {
        let (result, read, written, _) = decoder.decode_to_utf8(piece, &mut room, last);
        out.extend_from_slice(&room[..written]);
        piece = &piece[read..];
        if result == CoderResult::InputEmpty {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoded(bytes: &[u8], size: usize) -> (String, Encoding) {
        let (mut decode, mut out) = (Decode::default(), Vec::new());
        for piece in bytes.chunks(size) {
            decode.push(piece, &mut out);
        }
        let encoding = decode.finish(&mut out);
        (String::from_utf8_lossy(&out).into_owned(), encoding)
    }

    fn utf16(text: &str, mark: bool, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
        units.flat_map(bytes).collect()
    }

    #[test]
    fn a_file_that_is_only_the_beginning_of_a_mark_is_kept() {
        for bytes in [&b""[..], b"\xef", b"\xef\xbb", b"\xff", b"\xfe"] {
            let (mut decode, mut out) = (Decode::default(), Vec::new());
            decode.push(bytes, &mut out);
            assert_eq!(decode.finish(&mut out), Encoding::Utf8);
            assert_eq!(out, bytes);
        }
    }

    #[test]
    fn half_a_character_becomes_the_replacement_character() {
        let mut bytes = utf16("a", true, u16::to_le_bytes);
        bytes.extend(0xd83d_u16.to_le_bytes());
        assert_eq!(decoded(&bytes, 1), ("a\u{fffd}".to_owned(), Encoding::Utf16Le));
        bytes.push(b'x');
        assert!(decoded(&bytes, 2).0.starts_with("a\u{fffd}"));
    }

    proptest! {
        #[test]
        fn every_encoding_gives_the_same_text(text in "[a-zé\u{1f600}\r\n;,\"]{0,60}", size in 1usize..9) {
            prop_assert_eq!(decoded(text.as_bytes(), size), (text.clone(), Encoding::Utf8));
            let marked = [b"\xef\xbb\xbf", text.as_bytes()].concat();
            prop_assert_eq!(decoded(&marked, size), (text.clone(), Encoding::Utf8));
            prop_assert_eq!(decoded(&utf16(&text, true, u16::to_le_bytes), size), (text.clone(), Encoding::Utf16Le));
            prop_assert_eq!(decoded(&utf16(&text, true, u16::to_be_bytes), size), (text.clone(), Encoding::Utf16Be));
        }
    }
}
