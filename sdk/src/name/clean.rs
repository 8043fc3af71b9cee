//! What a name field may not carry over: stray white space, invisible characters, notes in parentheses.

use crate::text::{is_blank, is_invisible, is_letterlike};

/// The name with single spaces, without invisible characters, notes in parentheses at its end, and bits that hold no letter
/// (dashes, emoji). `None` when nothing is left.
///
/// ```
/// use crm_connector_sdk::name::clean;
/// assert_eq!(clean("  Ann\u{a0}\u{200b} Lee 🌸 (she/her) ").as_deref(), Some("Ann Lee"));
/// assert_eq!(clean(" - "), None);
/// ```
pub fn clean(name: &str) -> Option<String> {
    let visible = drop_invisible(name);
    let mut kept = visible.as_str().trim();
    while let Some((before, _)) = kept.strip_suffix([')', '）']).and_then(|inner| inner.rsplit_once(['(', '（'])) {
        if is_blank(before) {
            break;
        }
        kept = before.trim();
    }
    let words: Vec<&str> = kept.split_whitespace().filter(|word| word.chars().any(is_letterlike)).collect();
    let joined = words.join(" ");
    let bare = joined.trim_matches(['"', '“', '”', ',', ';', ' ']);
    (!bare.is_empty()).then(|| bare.to_owned())
}

/// Joiners stay between letters (and vowel signs) of scripts that are written with them (Persian, Indic); elsewhere they are debris.
fn drop_invisible(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let joins = |index: usize| chars.get(index).is_some_and(|c| *c >= '\u{600}' && is_letterlike(*c));
    chars
        .iter()
        .enumerate()
        .filter_map(|(index, &c)| match c {
            '\u{200c}' | '\u{200d}' if index > 0 && joins(index - 1) && joins(index + 1) => Some(c),
            c if is_invisible(c) => None,
            c if c.is_control() => Some(' '),
            c => Some(c),
        })
        .collect()
}
