//! Time-ordered ids: a prefix that names the kind and 26 characters of Crockford base32 (48 bits of milliseconds, 80 random bits).

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A new id such as `job_01jd...`. Two ids of one millisecond differ by chance (80 bits).
pub fn new_id(prefix: &str, now_ms: u64) -> String {
    let random: u128 = rand::random::<u128>() & ((1 << 80) - 1);
    let bits: u128 = (u128::from(now_ms) << 80) | random;
    let mut id = String::with_capacity(prefix.len() + 27);
    id.push_str(prefix);
    id.push('_');
    for place in (0..26).rev() {
        let index = usize::try_from((bits >> (5 * place)) & 31).unwrap_or(0);
        id.push(char::from(ALPHABET[index]));
    }
    id
}

/// The largest time that an id holds.
const LAST_MS: u64 = (1 << 48) - 1;

/// As [`new_id`], but newer ids sort before older ones: for logs that are read from their end.
pub fn newest_first_id(prefix: &str, now_ms: u64) -> String {
    new_id(prefix, LAST_MS - now_ms.min(LAST_MS))
}

/// What sorts before every [`newest_first_id`] of a time and after those of later ones.
pub fn newest_first_from(prefix: &str, at_ms: u64) -> String {
    let whole = new_id(prefix, LAST_MS - at_ms.min(LAST_MS));
    // Ten characters hold the time, sixteen the chance.
    whole[..whole.len() - 16].to_owned()
}

/// Whether `id` has the form of an id with this prefix.
pub fn is_id(prefix: &str, id: &str) -> bool {
    id.strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .is_some_and(|rest| rest.len() == 26 && rest.bytes().all(|b| ALPHABET.contains(&b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_are_recognised() {
        let (a, b) = (new_id("job", 1_000), new_id("job", 1_001));
        assert!(a < b);
        let (older, newer) = (newest_first_id("aud", 1_000), newest_first_id("aud", 1_001));
        assert!(newer < older);
        let from = newest_first_from("aud", 1_000);
        assert!(newer < from && from < older);
        assert!(is_id("job", &a) && !is_id("con", &a) && !is_id("job", "job_x"));
    }
}
