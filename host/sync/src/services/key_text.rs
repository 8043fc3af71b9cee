//! The text of keys: a prefix that says what it opens, 30 random letters and digits, and a checksum. What is kept is the SHA-256.

use sha2::{Digest as _, Sha256};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62^30 is about 178 bits.
const RANDOM_LEN: usize = 30;
const CHECK_LEN: usize = 6;

/// An organization's keys.
pub const LIVE: &str = "rk_live_";
/// A test organization's keys.
pub const TEST: &str = "rk_test_";
/// The operator's keys.
pub const OPERATOR: &str = "rk_op_";

/// A new key.
pub fn make(prefix: &str) -> String {
    let mut secret = String::with_capacity(prefix.len() + RANDOM_LEN + CHECK_LEN);
    secret.push_str(prefix);
    for _ in 0..RANDOM_LEN {
        secret.push(char::from(ALPHABET[rand::random_range(0..ALPHABET.len())]));
    }
    let check = checksum(&secret);
    secret + &check
}

/// CRC32 of all that stands before it, in base 62: tells a mistyped or cut key from an unknown one without a look-up,
/// and lets secret scanners be sure.
fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = [b'0'; CHECK_LEN];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[usize::try_from(rest % 62).unwrap_or(0)];
        rest /= 62;
    }
    digits.iter().copied().map(char::from).collect()
}

/// The prefix of a text that has the form of a key, checksum included.
pub fn prefix_of(secret: &str) -> Option<&'static str> {
    let prefix = [LIVE, TEST, OPERATOR].into_iter().find(|prefix| secret.starts_with(prefix))?;
    let body = &secret[prefix.len()..];
    if body.len() != RANDOM_LEN + CHECK_LEN || !body.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let (before, check) = secret.split_at(prefix.len() + RANDOM_LEN);
    (checksum(before) == check).then_some(prefix)
}

/// What is kept of a key: lower-case hex.
pub fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// The last characters, for recognition.
pub fn last4(secret: &str) -> String {
    secret.get(secret.len().saturating_sub(4)..).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_well_formed_and_a_changed_one_is_not() {
        for prefix in [LIVE, TEST, OPERATOR] {
            let key = make(prefix);
            assert_eq!(prefix_of(&key), Some(prefix), "{key}");
            assert_eq!(key.len(), prefix.len() + 36);
            for place in 0..key.len() {
                let mut bytes = key.clone().into_bytes();
                bytes[place] = if bytes[place] == b'x' { b'y' } else { b'x' };
                let changed = String::from_utf8(bytes).unwrap();
                assert_eq!(prefix_of(&changed), None, "{changed}");
            }
            assert_eq!(prefix_of(&key[..key.len() - 1]), None);
        }
        assert!(prefix_of("").is_none() && prefix_of("rk_live_").is_none());
    }
}
