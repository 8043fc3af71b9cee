//! Symmetric signatures of Standard Webhooks 1.0.0: `v1,` and the base64 of an HMAC-SHA256 over `id.timestamp.body`. Pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

const PREFIX: &str = "whsec_";
/// Bytes of a key, as the standard limits them.
const LENGTH: std::ops::RangeInclusive<usize> = 24..=64;

/// One signing key. No `Debug`, no `Clone`; wiped when dropped.
pub(crate) struct Key {
    text: Zeroizing<String>,
    bytes: Zeroizing<Vec<u8>>,
}

impl Key {
    /// `whsec_` and the base64 of 24 to 64 bytes.
    pub(crate) fn parse(secret: &str) -> Option<Self> {
        let text = secret.strip_prefix(PREFIX)?;
        let bytes = Zeroizing::new(STANDARD.decode(text).ok()?);
        LENGTH.contains(&bytes.len()).then(|| Self { text: Zeroizing::new(text.to_owned()), bytes })
    }

    pub(crate) fn sign(&self, id: &str, timestamp_s: u64, body: &str) -> String {
        // HMAC takes keys of every length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.bytes) else { return String::new() };
        for piece in [id, ".", &timestamp_s.to_string(), ".", body] {
            mac.update(piece.as_bytes());
        }
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }

    /// What an echo could give away, whatever stands before it.
    pub(crate) fn spellings(&self) -> [&[u8]; 2] {
        [self.text.as_bytes(), self.bytes.as_slice()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that the standard's libraries are tested with.
    #[test]
    fn the_standards_own_example_is_signed_as_it_says() {
        let key = Key::parse(concat!("whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_of_another_form_or_length_is_no_key() {
        let of = |n: usize| format!("{PREFIX}{}", STANDARD.encode(vec![7; n]));
        for n in [24, 32, 64] {
            assert!(Key::parse(&of(n)).is_some(), "{n}");
        }
        let text = of(32);
        let bare = text.strip_prefix(PREFIX).unwrap();
        for bad in [of(0), of(23), of(65), bare.to_owned(), format!("whsk_{bare}"), format!("{PREFIX}not base64 at all, is it?")] {
            assert!(Key::parse(&bad).is_none(), "{bad}");
        }
    }
}
