//! Every spelling of a secret is blanked, wherever it stands.

use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::prelude::*;

use super::*;

fn blanked(secret: &str, text: &str) -> (usize, String) {
    let echo = Echo::new([secret.as_bytes()].into_iter());
    let mut bytes = text.as_bytes().to_vec();
    let hits = echo.blank(&mut bytes);
    (hits, String::from_utf8_lossy(&bytes).into_owned())
}

#[test]
fn each_spelling_is_blanked() {
    let secret = "k3y/with+odd \"chars\"&<ü>='x";
    let json = serde_json::to_string(secret).unwrap();
    let spellings = [
        secret.to_owned(),
        STANDARD.encode(secret),
        URL_SAFE.encode(secret),
        STANDARD.encode(format!("user:{secret}")),
        STANDARD.encode(format!("ab{secret}")),
        hex::encode(secret),
        hex::encode_upper(secret),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        lower_escapes(&utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string()),
        url::form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>(),
        json[1..json.len() - 1].to_owned(),
        json[1..json.len() - 1].replace('/', "\\/"),
        json_escaped(secret, true, Escape::Lower, true),
        json_escaped(secret, false, Escape::Upper, true),
        secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;"),
    ];
    for spelling in spellings {
        let (hits, clean) = blanked(secret, &format!("before {spelling} after"));
        assert!(hits > 0, "{spelling}");
        assert!(clean.starts_with("before "), "{clean}");
        assert!(clean.ends_with(" after"), "{clean}");
        assert!(clean.contains("[redacted]"), "{clean}");
    }
}

#[test]
fn short_secrets_and_clean_texts_are_left_alone() {
    assert_eq!(blanked("abcde", "abcde abcde"), (0, "abcde abcde".into()));
    assert_eq!(blanked("abcdef-secret", "nothing here"), (0, "nothing here".into()));
}

proptest! {
    #[test]
    fn base64_is_blanked_at_every_offset(before in "[ -~]{0,7}", secret in "[!-~]{12,40}", after in "[ -~]{0,7}") {
        let (hits, clean) = blanked(&secret, &STANDARD.encode(format!("{before}{secret}{after}")));
        prop_assert!(hits > 0);
        // What is left decodes to less than a group on either side of the secret.
        prop_assert!(!clean.replace("[redacted]", "").contains(&STANDARD.encode(&secret)[4..12]));
    }

    #[test]
    fn no_raw_secret_survives(parts in proptest::collection::vec("[a-z0-9]{0,6}", 1..5), secret in "[A-Z]{8,20}") {
        let text = parts.join(&secret);
        let (_, clean) = blanked(&secret, &text);
        prop_assert!(!clean.contains(&secret));
    }
}
