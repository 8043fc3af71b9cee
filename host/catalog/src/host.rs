//! Hosts and the patterns that allow them, compared label by label: `evil-acme.com` never passes for `acme.com`.

/// Whether `pattern` (an exact host, or `*.` and a fixed suffix of two labels or more) allows `host`.
///
/// One `*` stands for exactly one leftmost label of `[a-z0-9-]{1,63}`. Both sides must already be in lower case, as the URL
/// parser writes them; anything else matches nothing. A malformed pattern allows nothing.
pub fn host_allowed(pattern: &str, host: &str) -> bool {
    if pattern_error(pattern).is_some() || !is_host(host) {
        return false;
    }
    match pattern.strip_prefix("*.") {
        None => pattern == host,
        Some(suffix) => host.split_once('.').is_some_and(|(_, rest)| rest == suffix),
    }
}

/// Why a text is no allow-pattern, in words for the author. `None` = it is one.
pub fn pattern_error(pattern: &str) -> Option<&'static str> {
    let suffix = pattern.strip_prefix("*.");
    let fixed = suffix.unwrap_or(pattern);
    if fixed.contains('*') {
        Some("may hold one `*` only, as the whole leftmost label: `*.api.example`")
    } else if suffix.is_some_and(|s| !s.contains('.')) {
        Some("is too wide: its fixed suffix needs two labels or more")
    } else if !is_host(fixed) {
        Some("is no host name: lower-case labels of letters, digits and `-`, joined by `.`, and never an IP address")
    } else if suffix.is_some() && is_public_suffix_like(fixed) {
        Some("is too wide: anyone may register under its suffix")
    } else {
        None
    }
}

/// A DNS name of two labels or more, in lower case, that is no spelling of an IP address and no private name.
pub fn is_host(host: &str) -> bool {
    let labels: Vec<&str> = host.split('.').collect();
    host.len() <= 253
        && labels.len() >= 2
        && labels.iter().all(|l| is_label(l))
        // A last label that begins with a digit is read as part of an IPv4 address by URL parsers.
        && labels.last().is_some_and(|l| l.starts_with(|c: char| c.is_ascii_lowercase()) && !PRIVATE.contains(l))
        && !host.ends_with(".home.arpa")
}

/// Names that resolve inside somebody's network, if at all.
const PRIVATE: &[&str] = &["local", "localhost", "internal", "intranet", "lan", "home", "corp", "private", "onion", "arpa", "localdomain"];

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Suffixes of two labels under which strangers register: not a full list, a net for the common slip.
fn is_public_suffix_like(suffix: &str) -> bool {
    let mut labels = suffix.split('.').rev();
    let (last, second) = (labels.next().unwrap_or_default(), labels.next());
    match second {
        None => true,
        Some(second) => {
            labels.next().is_none() && last.len() == 2 && ["co", "com", "net", "org", "ac", "gov", "edu", "ne", "or"].contains(&second)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_pattern_matches_whole_labels_only() {
        let cases = [
            ("api.acme.example", "api.acme.example", true),
            ("api.acme.example", "xapi.acme.example", false),
            ("api.acme.example", "api.acme.example.evil.example", false),
            ("*.acme.example", "one.acme.example", true),
            ("*.acme.example", "acme.example", false),
            ("*.acme.example", "a.b.acme.example", false),
            ("*.acme.example", "evil-acme.example", false),
            ("*.acme.example", ".acme.example", false),
            ("*.acme.example", "ONE.acme.example", false),
            ("*.acme.example", "one.acme.example.", false),
            ("*.acme.example", "-x.acme.example", false),
            ("*.example", "acme.example", false),
            ("*.co.uk", "acme.co.uk", false),
            ("**.acme.example", "one.acme.example", false),
            ("a*.acme.example", "ab.acme.example", false),
            ("127.0.0.1", "127.0.0.1", false),
        ];
        for (pattern, host, expected) in cases {
            assert_eq!(host_allowed(pattern, host), expected, "{pattern} and {host}");
        }
    }

    #[test]
    fn ip_addresses_and_private_names_are_no_hosts() {
        for host in [
            "127.0.0.1",
            "0x7f.1",
            "2130706433",
            "[::1]",
            "localhost",
            "db.internal",
            "a.local",
            "1.2",
            "x.0x1",
            "nas.home.arpa",
            "a..b",
            "",
        ] {
            assert!(!is_host(host), "{host}");
        }
    }

    proptest! {
        #[test]
        fn an_allowed_host_is_one_label_and_the_suffix(label in "[a-z0-9.-]{0,12}", suffix in "[a-z]{1,6}(\\.[a-z]{1,6}){0,3}") {
            let host = format!("{label}{suffix}");
            if host_allowed(&format!("*.{suffix}"), &host) {
                prop_assert!(label.ends_with('.'));
                prop_assert_eq!(label.matches('.').count(), 1);
                prop_assert_eq!(host.split('.').count(), suffix.split('.').count() + 1);
            }
        }

        #[test]
        fn an_exact_pattern_allows_only_itself(pattern in "[a-z]{1,5}(\\.[a-z]{1,5}){1,2}", host in "[a-z]{1,5}(\\.[a-z]{1,5}){1,3}") {
            prop_assert_eq!(host_allowed(&pattern, &host), pattern == host && is_host(&host));
        }

        #[test]
        fn arbitrary_text_is_handled(pattern in ".{0,40}", host in ".{0,40}") {
            if host_allowed(&pattern, &host) {
                prop_assert!(is_host(&host));
            }
        }
    }
}
