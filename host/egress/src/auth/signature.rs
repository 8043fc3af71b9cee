//! Requests signed over their parameter values. Pure.

use md5::{Digest, Md5};

/// Lower-case hex MD5 of `secret` followed by all values in byte order.
pub(crate) fn md5_sorted_values<'a>(secret: &str, values: impl Iterator<Item = &'a str>) -> String {
    let mut values: Vec<&str> = values.collect();
    values.sort_unstable();
    let mut hasher = Md5::new();
    hasher.update(secret.as_bytes());
    for value in values {
        hasher.update(value.as_bytes());
    }
    hex::encode(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_sorted_by_bytes_behind_the_secret() {
        let wanted = hex::encode(Md5::digest(b"abcsecretJSONkey123{\"a\":1}"));
        assert_eq!(md5_sorted_values("abcsecret", [r#"{"a":1}"#, "key123", "JSON"].into_iter()), wanted);
    }
}
