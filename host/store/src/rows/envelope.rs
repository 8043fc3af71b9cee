//! What surrounds every value on disk: a version byte and a CRC32C over key and payload, so that a torn, stale or misplaced row is
//! noticed and never acted on. Values above [`CHUNK`] bytes are spread over chunk rows, because the engine keeps larger leaf
//! pages in separate files whose write order nobody has tested.

use super::{Damaged, keys};

/// Payload bytes per row.
pub(crate) const CHUNK: usize = 8 * 1024 - 64;
/// The largest value, chunked: one journal row with its response body.
pub(crate) const MAX_VALUE: usize = 2 * 1024 * 1024;

const WHOLE: u8 = 1;
const CHUNKED: u8 = 2;
/// Version byte and checksum.
const HEAD: usize = 5;

/// One write: key and sealed value, or a deletion.
pub(crate) type Write = (Vec<u8>, Option<Vec<u8>>);

/// The rows that hold `payload` under `key`: one, or a header and its chunks. The caller has checked [`MAX_VALUE`].
pub(crate) fn wrap(key: Vec<u8>, payload: &[u8]) -> Vec<Write> {
    if payload.len() <= CHUNK {
        let value = enclose(WHOLE, &key, payload);
        return vec![(key, Some(value))];
    }
    let mut rows = Vec::with_capacity(payload.len() / CHUNK + 2);
    let mut head = Vec::with_capacity(10);
    // Casts: bounded by MAX_VALUE.
    head.extend_from_slice(&(payload.len().div_ceil(CHUNK) as u16).to_be_bytes());
    head.extend_from_slice(&(payload.len() as u32).to_be_bytes());
    head.extend_from_slice(&crc32c::crc32c(payload).to_be_bytes());
    for (index, piece) in payload.chunks(CHUNK).enumerate() {
        let chunk_key = keys::chunk(&key, index as u16);
        let value = enclose(WHOLE, &chunk_key, piece);
        rows.push((chunk_key, Some(value)));
    }
    let value = enclose(CHUNKED, &key, &head);
    rows.push((key, Some(value)));
    rows
}

/// What a stored value holds.
pub(crate) enum Inside<'a> {
    Whole(&'a [u8]),
    /// The payload lies in this many chunk rows.
    Chunked {
        chunks: u16,
        bytes: usize,
        crc: u32,
    },
}

/// Checks version and checksum.
pub(crate) fn look<'a>(key: &[u8], value: &'a [u8]) -> Result<Inside<'a>, Damaged> {
    let Some((head, payload)) = value.split_at_checked(HEAD) else {
        return Err(Damaged::at(key, "too short"));
    };
    if checksum(head[0], key, payload).to_be_bytes() != head[1..HEAD] {
        return Err(Damaged::at(key, "checksum"));
    }
    match head[0] {
        WHOLE => Ok(Inside::Whole(payload)),
        CHUNKED if payload.len() == 10 => Ok(Inside::Chunked {
            chunks: u16::from_be_bytes([payload[0], payload[1]]),
            bytes: u32::from_be_bytes([payload[2], payload[3], payload[4], payload[5]]) as usize,
            crc: u32::from_be_bytes([payload[6], payload[7], payload[8], payload[9]]),
        }),
        _ => Err(Damaged::at(key, "unknown version")),
    }
}

/// How many chunk rows belong to a stored value. Used before it is replaced or deleted; a damaged one has none that we know of.
pub(crate) fn chunks_of(key: &[u8], value: &[u8]) -> u16 {
    if value.first() != Some(&CHUNKED) {
        return 0;
    }
    match look(key, value) {
        Ok(Inside::Chunked { chunks, .. }) => chunks,
        _ => 0,
    }
}

/// The payload under `key`; `get` reads chunk rows.
pub(crate) fn unwrap<E: From<Damaged>>(
    key: &[u8],
    value: &[u8],
    mut get: impl FnMut(&[u8]) -> Result<Option<Vec<u8>>, E>,
) -> Result<Vec<u8>, E> {
    match look(key, value)? {
        Inside::Whole(payload) => Ok(payload.to_vec()),
        Inside::Chunked { chunks, bytes, crc } => {
            let mut payload = Vec::with_capacity(bytes.min(MAX_VALUE));
            for index in 0..chunks {
                let chunk_key = keys::chunk(key, index);
                let Some(value) = get(&chunk_key)? else {
                    return Err(Damaged::at(key, "a chunk is missing").into());
                };
                let Inside::Whole(piece) = look(&chunk_key, &value)? else {
                    return Err(Damaged::at(key, "a chunk is chunked").into());
                };
                payload.extend_from_slice(piece);
            }
            if payload.len() != bytes || crc32c::crc32c(&payload) != crc {
                return Err(Damaged::at(key, "chunks of different values").into());
            }
            Ok(payload)
        }
    }
}

fn enclose(version: u8, key: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(HEAD + payload.len());
    value.push(version);
    value.extend_from_slice(&checksum(version, key, payload).to_be_bytes());
    value.extend_from_slice(payload);
    value
}

fn checksum(version: u8, key: &[u8], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(&[version]), key), payload)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn rows(key: &[u8], payload: &[u8]) -> BTreeMap<Vec<u8>, Vec<u8>> {
        wrap(key.to_vec(), payload).into_iter().map(|(k, v)| (k, v.unwrap())).collect()
    }

    fn read(rows: &BTreeMap<Vec<u8>, Vec<u8>>, key: &[u8]) -> Result<Vec<u8>, Damaged> {
        unwrap(key, &rows[key], |chunk| Ok(rows.get(chunk).cloned()))
    }

    #[test]
    fn values_of_every_size_around_the_chunk_come_back() {
        for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 7, MAX_VALUE] {
            let payload: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
            let rows = rows(b"sx", &payload);
            assert!(rows.values().all(|v| v.len() <= 8 * 1024));
            assert_eq!(read(&rows, b"sx").unwrap(), payload, "{size}");
        }
    }

    #[test]
    fn a_value_under_another_key_is_refused() {
        let rows = rows(b"sx", b"hello");
        assert!(look(b"sy", &rows[&b"sx"[..]]).is_err());
    }

    proptest! {
        #[test]
        fn any_flipped_bit_is_noticed(size in 0usize..20_000, place in any::<prop::sample::Index>(), which in any::<prop::sample::Index>(), bit in 0u8..8) {
            let payload: Vec<u8> = (0..size).map(|i| (i * 7 % 256) as u8).collect();
            let mut rows = rows(b"sx", &payload);
            let keys: Vec<Vec<u8>> = rows.keys().cloned().collect();
            let value = rows.get_mut(&keys[which.index(keys.len())]).unwrap();
            let at = place.index(value.len());
            value[at] ^= 1 << bit;
            prop_assert!(read(&rows, b"sx").is_err());
        }
    }
}
