//! What a vendor's headers say about its limits, in all the ways in which vendors say it. Pure.

use crm_catalog::model::{LimitHeaders, ResetUnit};
use http::HeaderMap;

/// One limit in the vendor's own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Word {
    pub limit: Option<u64>,
    pub remaining: Option<u64>,
    /// Unix milliseconds, on our clock.
    pub reset_at: Option<u64>,
}

/// Longest wait that is believed.
const MAX_MS: u64 = 32 * 86_400 * 1_000;

/// Reads the headers that the manifest names. `None` when none of them is there.
pub(crate) fn words(names: &LimitHeaders, headers: &HeaderMap, now: u64) -> Option<Word> {
    let get = |name: &Option<String>| name.as_deref().and_then(|n| headers.get(n)).and_then(|v| v.to_str().ok());
    let (limit, remaining, reset) = (get(&names.limit), get(&names.remaining), get(&names.reset));
    let word = match names.unit {
        ResetUnit::Structured => {
            let part = |text: Option<&str>, keys: &[&str]| text.and_then(|t| member(t, keys));
            Word {
                limit: part(limit, &["limit", "q"]).map(|n| n as u64),
                remaining: part(remaining, &["remaining", "r"]).map(|n| n as u64),
                reset_at: part(reset, &["reset", "t"]).and_then(|s| after(now, s * 1_000.0)),
            }
        }
        ResetUnit::NOfM => {
            let pair = remaining.or(limit).and_then(n_of_m);
            Word {
                limit: pair.map(|(_, most)| most),
                remaining: pair.map(|(used, most)| most.saturating_sub(used)),
                reset_at: reset.and_then(number).and_then(|s| after(now, s * 1_000.0)),
            }
        }
        unit => Word {
            limit: limit.and_then(number).map(|n| n as u64),
            remaining: remaining.and_then(number).map(|n| n.max(0.0) as u64),
            reset_at: reset.and_then(|t| moment(t, unit, headers, now)),
        },
    };
    (word != Word::default()).then_some(word)
}

/// Milliseconds to wait by `Retry-After`, as seconds or as a date.
pub(crate) fn retry_after(headers: &HeaderMap, now: u64) -> Option<u64> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
    let at = match text.parse::<f64>() {
        Ok(seconds) => after(now, seconds * 1_000.0),
        Err(_) => dated(text, headers, now),
    };
    at.map(|at| at.saturating_sub(now))
}

fn moment(text: &str, unit: ResetUnit, headers: &HeaderMap, now: u64) -> Option<u64> {
    match unit {
        ResetUnit::Ms => after(now, number(text)?),
        ResetUnit::Epoch => epoch(number(text)?, headers, now),
        // Seconds to wait are small, points in time are large.
        ResetUnit::Auto => match number(text) {
            Some(n) if n >= 1_000_000_000.0 => epoch(n, headers, now),
            Some(n) if !looks_dated(text) => after(now, n * 1_000.0),
            _ => dated(text, headers, now),
        },
        ResetUnit::Date => dated(text, headers, now),
        ResetUnit::Text => spoken(text).and_then(|s| after(now, s * 1_000.0)),
        ResetUnit::S | ResetUnit::Structured | ResetUnit::NOfM => after(now, number(text)? * 1_000.0),
    }
}

fn after(now: u64, ms: f64) -> Option<u64> {
    (ms.is_finite() && ms >= 0.0).then(|| now.saturating_add((ms.ceil() as u64).min(MAX_MS)))
}

/// The vendor's clock is not ours: a point in time counts from the answer's own `Date`.
fn on_our_clock(theirs_ms: u64, headers: &HeaderMap, now: u64) -> u64 {
    let date = headers.get(http::header::DATE).and_then(|v| v.to_str().ok()).and_then(http_date);
    match date {
        Some(date) if date.abs_diff(now) < 86_400_000 => now.saturating_add(theirs_ms.saturating_sub(date).min(MAX_MS)),
        _ => theirs_ms.clamp(now, now.saturating_add(MAX_MS)),
    }
}

fn epoch(n: f64, headers: &HeaderMap, now: u64) -> Option<u64> {
    let ms = if n >= 100_000_000_000.0 { n } else { n * 1_000.0 };
    (ms.is_finite() && ms >= 0.0).then(|| on_our_clock(ms as u64, headers, now))
}

fn dated(text: &str, headers: &HeaderMap, now: u64) -> Option<u64> {
    Some(on_our_clock(http_date(text)?, headers, now))
}

fn looks_dated(text: &str) -> bool {
    text.contains('T') || text.contains(',') || text.matches(':').count() == 2
}

/// RFC 9110 dates and RFC 3339 timestamps, as Unix milliseconds.
fn http_date(text: &str) -> Option<u64> {
    let text = text.trim();
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok().or_else(|| text.parse::<jiff::Timestamp>().ok())?;
    u64::try_from(at.as_millisecond()).ok()
}

/// The first number of a text: `100`, `3, 3;w=1, 60;w=60`, `0.5`, `-1`.
fn number(text: &str) -> Option<f64> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let negative = text[..start].ends_with('-');
    let rest = &text[start..];
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    let n: f64 = rest[..end].trim_end_matches('.').parse().ok()?;
    Some(if negative { -n } else { n })
}

/// `limit=100, remaining=50, reset=5`, or `"default";q=100;r=50;t=5`.
fn member(text: &str, keys: &[&str]) -> Option<f64> {
    let found = text.split([',', ';']).find_map(|piece| {
        let (key, value) = piece.trim().split_once('=')?;
        keys.iter().any(|k| key.trim().eq_ignore_ascii_case(k)).then(|| number(value))?
    });
    // A header of its own that holds just the number.
    found.or_else(|| text.trim().parse().ok())
}

/// `18/5000`, `api-usage=18/5000`, `18 of 5000`.
fn n_of_m(text: &str) -> Option<(u64, u64)> {
    let text = text.split(';').next()?;
    let text = text.rsplit_once('=').map_or(text, |(_, v)| v);
    let (used, most) = text.split_once('/').or_else(|| text.split_once(" of "))?;
    Some((number(used)? as u64, number(most)? as u64))
}

/// `3 minutes, 20 seconds`, `1h30m`, `45 sec`, `20`.
fn spoken(text: &str) -> Option<f64> {
    let mut total = None;
    let mut rest = text.trim();
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        rest = &rest[start..];
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let n: f64 = rest[..end].trim_end_matches('.').parse().ok()?;
        rest = rest[end..].trim_start();
        let word_end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = match rest[..word_end].to_ascii_lowercase().as_str() {
            "ms" | "msec" | "millisecond" | "milliseconds" => 0.001,
            "" | "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3_600.0,
            "d" | "day" | "days" => 86_400.0,
            _ => return total,
        };
        total = Some(total.unwrap_or(0.0) + n * unit);
        rest = &rest[word_end..];
    }
    total
}

#[cfg(test)]
#[path = "learn_tests.rs"]
mod tests;
