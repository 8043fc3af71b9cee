//! What names, headers, patterns and addresses must look like, one predicate each. Pure text; knows no manifest.

use regex::RegexBuilder;
use regex_syntax::hir::{Hir, HirKind, Look};

/// Largest compiled size of a manifest's regex, in bytes.
const REGEX_BYTES: usize = 256 * 1024;
/// Longest text of a manifest's regex.
const REGEX_CHARS: usize = 500;

pub(crate) const NAME_RULE: &str = "a name: a lower-case letter, then lower-case letters, digits and `_`, at most 40 in all";

/// Names of slots, calls, endpoints, limits, pickers, settings, modes.
pub(crate) fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    text.len() <= 40
        && chars.next().is_some_and(|c| c.is_ascii_lowercase())
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

pub(crate) fn is_slug(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 40
        && text.split('-').all(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()))
}

/// `1.2.3` or `1.2.3-pre.1`, numbers without leading zeros.
pub(crate) fn is_version(text: &str) -> bool {
    let (core, pre) = text.split_once('-').map_or((text, None), |(core, pre)| (core, Some(pre)));
    let number = |part: &str| {
        !part.is_empty() && part.len() <= 9 && part.chars().all(|c| c.is_ascii_digit()) && (part == "0" || !part.starts_with('0'))
    };
    let word = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    core.split('.').count() == 3 && core.split('.').all(number) && pre.is_none_or(|p| p.len() <= 40 && p.split('.').all(word))
}

pub(crate) fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

/// A header name by RFC 9110's token grammar.
pub(crate) fn is_header_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Visible ASCII and inner spaces: nothing that could end a header early.
pub(crate) fn is_header_value(text: &str) -> bool {
    text.len() <= 1024 && text.trim() == text && text.bytes().all(|b| (0x20..0x7f).contains(&b))
}

/// Headers that frame a request or name its way: only the HTTP client sets them.
pub(crate) fn is_framing_header(name: &str) -> bool {
    const FRAMING: &[&str] = &[
        "host",
        "connection",
        "content-length",
        "content-encoding",
        "transfer-encoding",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "keep-alive",
        "accept-encoding",
        "cookie",
        "cookie2",
        "set-cookie",
        "forwarded",
        "via",
        "date",
        "origin",
        "referer",
    ];
    let name = name.to_ascii_lowercase();
    FRAMING.contains(&name.as_str()) || name.starts_with("proxy-") || name.starts_with("x-forwarded-") || name.starts_with("sec-")
}

/// A query key: printable ASCII without the characters that would end it.
pub(crate) fn is_query_key(text: &str) -> bool {
    !text.is_empty() && text.len() <= 128 && text.bytes().all(|b| b.is_ascii_graphic() && !b"&=#+%".contains(&b))
}

/// Compiles within our limits.
pub(crate) fn regex_error(pattern: &str) -> Option<String> {
    if pattern.len() > REGEX_CHARS {
        return Some(format!("is longer than {REGEX_CHARS} characters"));
    }
    match RegexBuilder::new(pattern).size_limit(REGEX_BYTES).build() {
        Ok(_) => None,
        Err(regex::Error::CompiledTooBig(_)) => Some("is too large a regex: use smaller repetitions".into()),
        Err(_) => {
            // The syntax error's own text spans lines with a picture; its last line says what is wrong.
            let words = regex_syntax::parse(pattern).err().map(|e| e.to_string()).unwrap_or_default();
            let last = words.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("not a regex").trim();
            Some(format!("is not a regex: {}", last.trim_start_matches("error: ")))
        }
    }
}

/// Whether every match begins at the text's start and ends at its end. `^a|b$` is not anchored, whatever it looks like.
pub(crate) fn is_anchored(pattern: &str) -> bool {
    let Ok(hir) = regex_syntax::parse(pattern) else { return false };
    let looks = hir.properties();
    looks.look_set_prefix().contains(Look::Start) && looks.look_set_suffix().contains(Look::End)
}

/// Why a capture cannot be trusted to cut a harmless part from a secret.
pub(crate) fn capture_error(pattern: &str) -> Option<&'static str> {
    let hir = regex_syntax::parse(pattern).ok()?;
    let looks = hir.properties();
    if looks.explicit_captures_len() != 1 {
        return Some("must have exactly one capture group");
    }
    if !looks.look_set_prefix().contains(Look::Start) && !looks.look_set_suffix().contains(Look::End) {
        return Some("must be anchored with `^` or `$`");
    }
    let inner = group(&hir).and_then(|g| g.properties().minimum_len());
    match (looks.minimum_len(), inner) {
        (Some(all), Some(inner)) if all > inner => None,
        _ => Some("must need at least one character outside its group, or the whole secret could leave"),
    }
}

/// The one capture group of a pattern.
fn group(hir: &Hir) -> Option<&Hir> {
    match hir.kind() {
        HirKind::Capture(capture) => Some(&capture.sub),
        HirKind::Repetition(repetition) => group(&repetition.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().find_map(group),
        _ => None,
    }
}

/// An `https://` address for people to open.
pub(crate) fn is_https_link(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|u| u.scheme() == "https" && u.host_str().is_some_and(|h| h.contains('.')) && u.username().is_empty())
}
