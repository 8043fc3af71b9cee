//! Honest bodies come through whole; bombs, lies and fragments do not.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use proptest::prelude::*;

use super::*;

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut w = GzEncoder::new(Vec::new(), Compression::best());
    w.write_all(data).unwrap();
    w.finish().unwrap()
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut w = ZlibEncoder::new(Vec::new(), Compression::best());
    w.write_all(data).unwrap();
    w.finish().unwrap()
}

fn deflate(data: &[u8]) -> Vec<u8> {
    let mut w = DeflateEncoder::new(Vec::new(), Compression::best());
    w.write_all(data).unwrap();
    w.finish().unwrap()
}

fn brotli(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    {
        let mut w = brotli::CompressorWriter::new(&mut out, 4_096, 5, 22);
        w.write_all(data).unwrap();
    }
    out
}

fn inflate(encoding: &str, data: &[u8], piece: usize, cap: usize) -> Result<Vec<u8>, Broken> {
    let mut inflater = Inflater::new(Some(encoding), cap)?;
    for chunk in data.chunks(piece) {
        inflater.push(chunk)?;
    }
    inflater.finish()
}

type Encoder = fn(&[u8]) -> Vec<u8>;
const ENCODINGS: &[(&str, Encoder)] =
    &[("gzip", gzip), ("deflate", zlib), ("deflate", deflate), ("br", brotli), ("identity", <[u8]>::to_vec)];

#[test]
fn invariant_10_bombs_end_at_the_cap_or_at_the_ratio() {
    let zeros = vec![0u8; 32 * 1_024 * 1_024];
    for (name, encode) in &ENCODINGS[..4] {
        let bomb = encode(&zeros);
        assert_eq!(inflate(name, &bomb, 1_400, 8 * 1_024 * 1_024), Err(Broken::TooLarge), "{name}");
        assert_eq!(inflate(name, &bomb, 1_400, 64 * 1_024 * 1_024), Err(Broken::TooLarge), "{name}: the ratio alone stops it");
        assert_eq!(inflate(name, &bomb, usize::MAX, 8 * 1_024 * 1_024), Err(Broken::TooLarge), "{name} in one piece");
    }
}

#[test]
fn fragments_and_lies_are_garbage() {
    let text = b"hello hello hello hello hello hello hello";
    for (name, encode) in &ENCODINGS[..4] {
        let whole = encode(text);
        assert_eq!(inflate(name, &whole[..whole.len() / 2], 8, 1_024), Err(Broken::Garbage), "{name} cut");
        assert!(inflate(name, b"this is no compressed body at all", 8, 1_024).is_err(), "{name} lie");
    }
    for encoding in ["zstd", "gzip, br", "compress", "gzip,gzip"] {
        assert_eq!(inflate(encoding, b"x", 1, 10), Err(Broken::Garbage), "{encoding}");
    }
}

#[test]
fn a_brotli_stream_with_a_giant_window_is_refused_unread() {
    assert_eq!(inflate("br", &[0x11, 0x1e, 0, 0], 4, 1_024), Err(Broken::Garbage));
    assert_eq!(inflate("br", &[0x91, 0x1e, 0, 0], 1, 1_024), Err(Broken::Garbage));
}

#[test]
fn an_empty_body_is_empty_in_every_encoding() {
    for (name, _) in ENCODINGS {
        assert_eq!(inflate(name, b"", 1, 10), Ok(vec![]), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn honest_bodies_come_through_whole(data in proptest::collection::vec(any::<u8>(), 0..20_000), piece in 1usize..5_000, which in 0usize..5) {
        let (name, encode) = ENCODINGS[which];
        prop_assert_eq!(inflate(name, &encode(&data), piece, 64 * 1_024), Ok(data));
    }

    #[test]
    fn arbitrary_bytes_never_panic_nor_outgrow_the_cap(data in proptest::collection::vec(any::<u8>(), 0..400), which in 0usize..5) {
        if let Ok(out) = inflate(ENCODINGS[which].0, &data, 7, 2_000) {
            prop_assert!(out.len() <= 2_000);
        }
    }
}
