//! Check 2a: path values. Each is encoded as one segment; nothing a guest writes can climb, add a segment or hide one.

use crm_catalog::model::Call;
use crm_catalog::template::Part;
use crm_contract::types::Pair;
use percent_encoding::{percent_decode_str, utf8_percent_encode};

use super::RESERVED;
use crate::error::{Refusal, quoted};
use crate::plan::CallPlan;
use crate::values::Values;

/// Longest single value, in bytes, before encoding.
const MAX_VALUE: usize = 512;

/// The call's path with every place filled, starting with `/`. Places with a prefix (`{setting:..}`, `{fact:..}`) are filled
/// by the host; all others by the guest, each exactly once.
pub(crate) fn filled(plan: &CallPlan, call: &Call, given: &[Pair], values: &Values<'_>) -> Result<String, Refusal> {
    let guests = |name: &str| plan.path.iter().any(|p| matches!(p, Part::Place(n) if n == name && !n.contains(':')));
    for (at, pair) in given.iter().enumerate() {
        if !guests(&pair.key) || given[..at].iter().any(|p| p.key == pair.key) {
            return Err(Refusal::PathUnknown(quoted(&pair.key)));
        }
    }
    let mut path = String::with_capacity(call.path.len() + 32);
    for part in &plan.path {
        match part {
            Part::Text(text) => path.push_str(text),
            Part::Place(name) if name.contains(':') => {
                // Never a secret: `fill` would show it, and a path is journalled.
                let Some(host) = values.fill(std::slice::from_ref(part)) else {
                    if values.secrets.is_none() && name.starts_with("derived:") {
                        // A preview of a connection that has no credentials yet.
                        path.extend(["{", name, "}"]);
                        continue;
                    }
                    return Err(Refusal::PathMissing(name.clone()));
                };
                if host.shown != *host.real {
                    return Err(Refusal::PathValue { name: name.clone(), why: "is a secret" });
                }
                push(&mut path, call, name, &host.real)?;
            }
            Part::Place(name) => {
                let pair = given.iter().find(|p| &p.key == name).ok_or_else(|| Refusal::PathMissing(name.clone()))?;
                push(&mut path, call, name, &pair.value)?;
            }
        }
    }
    if !path.starts_with('/') {
        path.insert(0, '/');
    }
    // A value that fills a whole segment is checked above; text and value together are checked here (`.{ext}`).
    if path.split('/').any(|s| s == "." || s == "..") || path.contains("//") {
        return Err(Refusal::PathValue { name: call.name.clone(), why: "makes a dot segment or an empty one" });
    }
    Ok(path)
}

fn push(path: &mut String, call: &Call, name: &str, value: &str) -> Result<(), Refusal> {
    let slash = call.slash_in.iter().any(|s| s == name);
    if let Some(why) = fault(value, slash) {
        return Err(Refusal::PathValue { name: name.to_owned(), why });
    }
    path.extend(utf8_percent_encode(value, RESERVED));
    Ok(())
}

/// Why a value may not stand in a path.
fn fault(value: &str, slash: bool) -> Option<&'static str> {
    if value.is_empty() {
        return Some("is empty");
    }
    if value.len() > MAX_VALUE {
        return Some("is longer than 512 bytes");
    }
    // A server that decodes more than once must not find anything new either.
    let mut seen = value.to_owned();
    for round in 0..4 {
        if seen.chars().any(char::is_control) {
            return Some("holds a control character");
        }
        if seen.contains('\\') {
            return Some("holds a backslash");
        }
        if seen.contains('/') && (!slash || round > 0) {
            return Some("holds a slash");
        }
        if seen.split('/').any(|s| s.is_empty() || s == "." || s == ".." || s.starts_with("..;")) {
            return Some("holds a dot segment or an empty one");
        }
        let decoded = percent_decode_str(&seen).decode_utf8_lossy().into_owned();
        if decoded == seen {
            break;
        }
        seen = decoded;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_that_climb_or_split_are_refused() {
        let bad = [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            "%2e%2e",
            "%2E%2e",
            "%252e%252e",
            "a%2fb",
            "a%252fb",
            "a\\b",
            "a%5cb",
            "x\n",
            "%0d%0a",
            "..%2f",
            "%2f",
            "..;",
            "%25252e%25252e",
        ];
        for value in bad {
            assert!(fault(value, false).is_some(), "{value:?}");
        }
        for value in ["/a", "a/", "a//b", "a/../b", "a/%2e%2e/b", "./a"] {
            assert!(fault(value, true).is_some(), "{value:?}");
        }
    }

    #[test]
    fn ordinary_values_are_accepted() {
        for value in ["5", "ann+x@example.com", "a..b", "...", "50%", "100% sure", "Zoë", "v1.2", "a:b", "~x", "名前"] {
            assert_eq!(fault(value, false), None, "{value:?}");
        }
        assert_eq!(fault("team/ann@example.com", true), None);
    }

    proptest! {
        #[test]
        fn an_accepted_value_stays_one_segment(value in "[ -~]{1,24}|.{1,12}|[./%25eEfF\\\\]{1,12}") {
            if fault(&value, false).is_none() {
                let encoded = utf8_percent_encode(&value, RESERVED).to_string();
                let url = url::Url::parse(&format!("https://api.acme.example/a/{encoded}/b")).unwrap();
                let expected = format!("/a/{encoded}/b");
                prop_assert_eq!(url.path(), expected.as_str());
                prop_assert!(url.query().is_none() && url.fragment().is_none());
            }
        }
    }
}
