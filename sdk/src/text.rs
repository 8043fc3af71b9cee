//! Small judgements about text that several helpers share.

/// True when nothing visible is in `text`: white space of any script, zero-width characters and controls only.
///
/// ```
/// use crm_connector_sdk::text::is_blank;
/// assert!(is_blank(" \u{3000}\u{200b}\t"));
/// assert!(!is_blank(" 0 "));
/// ```
pub fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || c.is_control() || is_invisible(c))
}

/// Characters that take no room and carry no meaning in a name: zero-width spaces and joiners, direction marks, soft hyphen.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// At most `max` characters of `text`, with every run of white space and controls as one space. Cut texts end with `…`.
///
/// ```
/// use crm_connector_sdk::text::squeeze;
/// assert_eq!(squeeze("  no\n\n such   key ", 500), "no such key");
/// assert_eq!(squeeze("abcdef", 4), "abc…");
/// ```
pub fn squeeze(text: &str, max: usize) -> String {
    let mut out = String::new();
    let mut length = 0;
    let mut gap = false;
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() {
            gap = length > 0;
            continue;
        }
        let needed = 1 + usize::from(gap);
        if length + needed > max {
            while length + 1 > max && out.pop().is_some() {
                length -= 1;
            }
            if max > 0 {
                out.push('…');
            }
            return out;
        }
        if gap {
            out.push(' ');
            gap = false;
        }
        out.push(c);
        length += needed;
    }
    out
}

/// Lower case for comparing: ASCII, Latin with accents, Vietnamese, Greek, Cyrillic and Armenian. Other scripts with case
/// stay as they are. Its own small table, because the complete one of the standard library weighs as much in a component as
/// a whole connector does.
///
/// ```
/// use crm_connector_sdk::text::lower;
/// assert_eq!(lower("ÉCOLE Ψ ЖУК Nguyễn"), "école ψ жук nguyễn");
/// ```
pub fn lower(text: &str) -> String {
    text.chars().map(lower_char).collect()
}

pub(crate) fn lower_char(c: char) -> char {
    let code = u32::from(c);
    let lower = match code {
        0x41..=0x5a | 0xc0..=0xd6 | 0xd8..=0xde | 0x391..=0x3a1 | 0x3a3..=0x3ab | 0x410..=0x42f => code + 32,
        0x400..=0x40f => code + 80,
        0x531..=0x556 => code + 48,
        0x130 => 0x69,
        0x178 => 0xff,
        // Pairs of upper and lower case, upper first on even or on odd numbers.
        0x100..=0x137
        | 0x14a..=0x177
        | 0x1de..=0x1ef
        | 0x200..=0x21f
        | 0x460..=0x481
        | 0x48a..=0x4bf
        | 0x4d0..=0x52f
        | 0x1e00..=0x1e95
        | 0x1ea0..=0x1eff => code | 1,
        0x139..=0x148 | 0x179..=0x17e | 0x1cd..=0x1dc | 0x4c1..=0x4ce => code + (code & 1),
        0x1a0 | 0x1a2 | 0x1a4 => code + 1,
        0x1af => 0x1b0,
        _ => code,
    };
    char::from_u32(lower).unwrap_or(c)
}

/// True for what a name is made of: letters, digits and marks of any script, as opposed to punctuation, symbols, emoji.
pub(crate) fn is_letterlike(c: char) -> bool {
    match u32::from(c) {
        0..=0x7f => c.is_ascii_alphanumeric(),
        0x80..=0xa9 | 0xab..=0xb4 | 0xb6..=0xb9 | 0xbb..=0xbf | 0xd7 | 0xf7 => false,
        // Punctuation, arrows, symbols, dingbats; CJK punctuation but for 々 and 〆; variation selectors; emoji.
        0x2000..=0x2bff | 0x2e00..=0x2e7f | 0x3000..=0x3004 | 0x3008..=0x303f | 0x30fb | 0xe000..=0xf8ff | 0xfe00..=0xfe6f => false,
        0xff00..=0xff0f | 0xff1a..=0xff20 | 0xff5b..=0xff65 | 0xfff0..=0xffff | 0x1f000..=0x1fbff | 0xe0000.. => false,
        _ => !c.is_whitespace(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_squeezed_text_never_exceeds_its_limit() {
        for max in 0..12 {
            for text in ["", "a", "ab cd ef gh", "          x", "ééééééééééééééé", "a\u{0}b\nc d e f g h"] {
                assert!(squeeze(text, max).chars().count() <= max, "{text:?} cut to {max}: {:?}", squeeze(text, max));
            }
        }
    }

    #[test]
    fn lower_case_agrees_with_the_standard_library_where_it_covers_a_script() {
        let covered = (0..0x590u32).chain(0x1e00..0x1f00).filter_map(char::from_u32);
        let differs: Vec<char> = covered
            .filter(|c| !matches!(u32::from(*c), 0x180..=0x1cc | 0x1f0..=0x1ff | 0x220..=0x390 | 0x3cf..=0x3ff | 0x4c0 | 0x1e9e))
            .filter(|c| *c != 'İ' && lower_char(*c) != c.to_lowercase().next().unwrap_or(*c))
            .collect();
        assert!(differs.is_empty(), "{differs:?}");
    }

    #[test]
    fn letters_of_many_scripts_are_letterlike_and_symbols_are_not() {
        assert!("aÉжψ李々さ김अשع๑ก0".chars().all(is_letterlike));
        assert!(!"-–·・🌸♥★(),\u{3000}“”|/€".chars().any(is_letterlike));
    }

    #[test]
    fn zero_and_punctuation_are_not_blank() {
        assert!(!is_blank("0") && !is_blank("-") && is_blank("") && is_blank("\u{feff}"));
    }
}
