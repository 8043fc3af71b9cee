//! Han, Kana and Hangul names: family name first, often without a space.

use super::parts;
use super::words::{HAN_COMPOUND, HANGUL_COMPOUND, JAPANESE_THREE, JAPANESE_TWO};
use crate::text::is_letterlike;

type Split = (Option<String>, Option<String>);

/// The split, when the name is written in these scripts.
pub(super) fn split(name: &str) -> Option<Split> {
    let letters = || name.chars().filter(|c| is_letterlike(*c));
    if letters().all(|c| is_han(c) || is_kana(c)) {
        Some(han_or_kana(name))
    } else if letters().all(is_hangul) {
        Some(hangul(name))
    } else {
        None
    }
}

fn han_or_kana(name: &str) -> Split {
    // A foreign name in transcription keeps its own order: first name, dot, last name.
    if let Some((first, last)) = name.rsplit_once(['・', '·', '•', '‧']) {
        return parts(first, last);
    }
    // A space, or a change from Han to Kana, shows where the family name ends.
    if let Some((family, given)) = name.split_once(' ') {
        return if family.chars().all(is_katakana) && given.chars().all(is_katakana) { parts(family, given) } else { parts(given, family) };
    }
    let chars: Vec<char> = name.chars().collect();
    if let Some(kana) = chars.iter().position(|c| is_kana(*c)) {
        return if kana == 0 { parts(name, "") } else { cut(&chars, if kana > 3 { family_length(&chars) } else { kana }) };
    }
    cut(&chars, family_length(&chars))
}

/// How many characters of an undivided Han name are the family name.
fn family_length(chars: &[char]) -> usize {
    match chars.len() {
        0 | 1 => 0,
        _ if opens_with(chars, JAPANESE_THREE) => 3,
        2 => 1,
        _ if opens_with(chars, HAN_COMPOUND) || opens_with(chars, JAPANESE_TWO) => 2,
        3 => 1,
        // Chinese names of four characters without a compound surname are rare, Japanese two and two the rule.
        4 | 5 => 2,
        _ => 0,
    }
}

fn hangul(name: &str) -> Split {
    if let Some((family, given)) = name.split_once(' ') {
        return parts(given, family);
    }
    let chars: Vec<char> = name.chars().collect();
    let compound = opens_with(&chars, HANGUL_COMPOUND);
    match chars.len() {
        _ if compound => cut(&chars, 2),
        2..=4 => cut(&chars, 1),
        // One syllable says too little; five and more are transcriptions.
        _ => parts(name, ""),
    }
}

/// True when one of these family names comes first and something follows it.
fn opens_with(chars: &[char], families: &str) -> bool {
    families.split(' ').any(|family| {
        let length = family.chars().count();
        chars.len() > length && family.chars().eq(chars.iter().copied().take(length))
    })
}

/// The first `family` characters are the family name; with 0 the whole is kept as a first name.
fn cut(chars: &[char], family: usize) -> Split {
    let (family, given) = chars.split_at(family.min(chars.len()));
    parts(&given.iter().collect::<String>(), &family.iter().collect::<String>())
}

fn is_han(c: char) -> bool {
    matches!(c, '々' | '〆' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

fn is_kana(c: char) -> bool {
    matches!(c, '\u{3041}'..='\u{309f}' | '\u{30fc}') || is_katakana(c)
}

fn is_katakana(c: char) -> bool {
    matches!(c, '\u{30a1}'..='\u{30fa}' | '\u{30fc}' | '\u{ff66}'..='\u{ff9f}')
}

fn is_hangul(c: char) -> bool {
    matches!(c, '\u{ac00}'..='\u{d7a3}' | '\u{1100}'..='\u{11ff}' | '\u{3130}'..='\u{318f}')
}
