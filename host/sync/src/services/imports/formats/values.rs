//! Cells as other programs write them: text in whatever encoding, slugs that come as whole links, dates in many spellings.

use jiff::civil::{Date, DateTime};
use jiff::{Timestamp, tz::TimeZone};

use crate::services::csv_out::unguarded;

/// The text of a cell, or what is wrong with it. Blank counts as missing.
pub(super) fn text(cell: &[u8]) -> Result<Option<String>, &'static str> {
    let text = std::str::from_utf8(cell).map_err(|_| {
        "is not valid UTF-8: if the file was saved as Windows-1252 (\"ANSI\"), save it as UTF-8 (or \"Unicode text\") and send it again"
    })?;
    if text.contains('\u{fffd}') {
        return Err("holds a character that was lost when the file was saved: export it again");
    }
    // Exports made safe against spreadsheet formulas carry an apostrophe; it is not part of the value.
    let text = unguarded(text.trim()).trim();
    // Everything that is taken from a file is one line here; what was several, or holds a tab, is joined by blanks.
    let words = text.split(char::is_control).map(str::trim).filter(|part| !part.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    Ok(Some(line).filter(|l| !l.is_empty()))
}

/// Parameters by which platforms carry the slug in a link.
const PARAMETERS: &[&str] = &["via", "ref", "fpr", "aff", "referral", "pk", "gspk", "ps_partner_key"];

/// The slug itself where a whole link was given.
pub(super) fn slug(text: &str) -> String {
    let text = text.trim();
    if !text.contains('/') && !text.contains('?') {
        return text.trim_start_matches('#').to_owned();
    }
    let without_fragment = text.split('#').next().unwrap_or_default();
    let (address, query) = without_fragment.split_once('?').unwrap_or((without_fragment, ""));
    let parameter = |name: &&str| query.split('&').find_map(|pair| pair.split_once('=').filter(|(key, _)| key == name).map(|(_, v)| v));
    if let Some(value) = PARAMETERS.iter().find_map(parameter).filter(|v| !v.is_empty()) {
        return value.to_owned();
    }
    let path = address.split_once("://").map_or(address, |(_, rest)| rest);
    path.trim_end_matches('/').rsplit_once('/').map_or(text, |(_, last)| last).to_owned()
}

/// Dates before this are no dates of an affiliate program: 1990.
const EARLIEST_MS: i64 = 631_152_000_000;

/// A point in time in Unix milliseconds. Times without a zone are taken as UTC. `None` where it cannot be read without guessing, as 3/4/2025.
pub(super) fn date(text: &str) -> Option<u64> {
    let text = text.trim();
    let ms = unix(text).or_else(|| iso(text)).or_else(|| in_words(text)).filter(|ms| *ms >= EARLIEST_MS)?;
    u64::try_from(ms).ok()
}

fn unix(text: &str) -> Option<i64> {
    let digits: i64 = text.parse().ok()?;
    match text.len() {
        9 | 10 => digits.checked_mul(1_000),
        12 | 13 => Some(digits),
        _ => None,
    }
}

fn iso(text: &str) -> Option<i64> {
    let text = text.strip_suffix(" UTC").unwrap_or(text);
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp.as_millisecond());
    }
    text.parse::<DateTime>().ok().and_then(utc)
}

fn in_words(text: &str) -> Option<i64> {
    let spellings = ["%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%Y/%m/%d"];
    spellings.into_iter().find_map(|format| Date::strptime(format, text).ok()).and_then(|date| utc(date.at(0, 0, 0, 0)))
}

fn utc(time: DateTime) -> Option<i64> {
    time.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_found_in_a_link() {
        for (text, expected) in [
            ("jane", "jane"),
            ("https://shop.example/?via=jane", "jane"),
            ("https://shop.example/pricing?utm=x&fpr=jane#top", "jane"),
            ("https://refer.example/jane", "jane"),
            ("https://refer.example/go/jane/", "jane"),
            ("refer.example/jane", "jane"),
            ("https://shop.example/?other=1", "shop.example"),
        ] {
            assert_eq!(slug(text), if text.contains("other") { "https://shop.example/?other=1" } else { expected }, "{text}");
        }
    }

    #[test]
    fn dates_are_read_where_there_is_nothing_to_guess() {
        let day = 1_735_689_600_000;
        for text in [
            "2025-01-01",
            "2025-01-01T00:00:00Z",
            "2025-01-01 00:00:00 UTC",
            "2025-01-01 00:00:00",
            "2025-01-01T01:00:00.000+01:00",
            "1735689600",
            "1735689600000",
            "Jan 1, 2025",
            "January 1, 2025",
            "1 Jan 2025",
            "2025/01/01",
        ] {
            assert_eq!(date(text), Some(day), "{text}");
        }
        for text in ["", "yesterday", "3/4/2025", "03.04.2025", "12", "0", "99999999999999999999", "1970-01-01", "-5"] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn a_cell_in_another_encoding_says_what_to_do() {
        assert!(text(b"M\xfcller").unwrap_err().contains("Windows-1252"));
        assert!(text("a\u{fffd}".as_bytes()).is_err());
        assert_eq!(text(b" '=1 "), Ok(Some("=1".to_owned())));
        assert_eq!(text(b"  "), Ok(None));
        assert_eq!(text(b"Two \r\n lines\tLtd"), Ok(Some("Two lines Ltd".to_owned())));
    }
}
