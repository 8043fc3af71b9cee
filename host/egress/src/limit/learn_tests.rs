//! Limit headers as vendors write them.

use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

/// 2026-11-23T12:00:00Z.
const NOW: u64 = 1_795_435_200_000;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs.iter().map(|(n, v)| (HeaderName::from_bytes(n.as_bytes()).unwrap(), HeaderValue::from_str(v).unwrap())).collect()
}

fn reset(unit: ResetUnit, text: &str, more: &[(&str, &str)]) -> Option<u64> {
    let names = LimitHeaders { limit: None, remaining: None, reset: Some("x-reset".into()), unit };
    let mut all = headers(more);
    all.insert("x-reset", HeaderValue::from_str(text).unwrap());
    words(&names, &all, NOW).and_then(|w| w.reset_at).map(|at| at - NOW)
}

#[test]
fn every_unit_is_understood() {
    use ResetUnit::{Auto, Date, Epoch, Ms, S, Text};
    let cases: &[(ResetUnit, &str, Option<u64>)] = &[
        (S, "30", Some(30_000)),
        (S, "0.5", Some(500)),
        (S, "3, 60;w=60", Some(3_000)),
        (S, "nonsense", None),
        (S, "-5", None),
        (Ms, "1500", Some(1_500)),
        (Epoch, "1795435260", Some(60_000)),
        (Epoch, "1795435260000", Some(60_000)),
        (Epoch, "1795435100", Some(0)),
        (Auto, "45", Some(45_000)),
        (Auto, "1795435260", Some(60_000)),
        (Auto, "1795435260123", Some(60_123)),
        (Auto, "Mon, 23 Nov 2026 12:00:10 GMT", Some(10_000)),
        (Date, "Mon, 23 Nov 2026 12:01:00 GMT", Some(60_000)),
        (Date, "2026-11-23T12:00:30Z", Some(30_000)),
        (Date, "2026-11-23T13:00:30+01:00", Some(30_000)),
        (Text, "3 minutes, 20 seconds", Some(200_000)),
        (Text, "1h30m", Some(5_400_000)),
        (Text, "45 sec", Some(45_000)),
        (Text, "12", Some(12_000)),
        (Text, "soon", None),
    ];
    for (unit, text, wanted) in cases {
        assert_eq!(reset(*unit, text, &[]), *wanted, "{unit:?} {text}");
    }
}

#[test]
fn a_point_in_time_counts_from_the_vendors_own_clock() {
    // The vendor's clock is an hour behind ours.
    let date = [("date", "Mon, 23 Nov 2026 11:00:00 GMT")];
    assert_eq!(reset(ResetUnit::Epoch, "1795431620", &date), Some(20_000));
    assert_eq!(reset(ResetUnit::Date, "Mon, 23 Nov 2026 11:00:20 GMT", &date), Some(20_000));
}

#[test]
fn lists_pairs_and_fractions_are_understood() {
    let one = |unit, text: &str| {
        let names = LimitHeaders { limit: Some("rl".into()), remaining: Some("rl".into()), reset: Some("rl".into()), unit };
        words(&names, &headers(&[("rl", text)]), NOW).unwrap_or_default()
    };
    let s = one(ResetUnit::Structured, "limit=100, remaining=50, reset=5");
    assert_eq!((s.limit, s.remaining, s.reset_at), (Some(100), Some(50), Some(NOW + 5_000)));
    let s = one(ResetUnit::Structured, "\"default\";q=60;r=12;t=7");
    assert_eq!((s.limit, s.remaining, s.reset_at), (Some(60), Some(12), Some(NOW + 7_000)));
    let names = LimitHeaders { limit: None, remaining: Some("usage".into()), reset: None, unit: ResetUnit::NOfM };
    for text in ["18/5000", "api-usage=18/5000", "18 of 5000"] {
        let w = words(&names, &headers(&[("usage", text)]), NOW).unwrap();
        assert_eq!((w.limit, w.remaining), (Some(5_000), Some(4_982)), "{text}");
    }
    let names = LimitHeaders { limit: Some("l".into()), remaining: Some("r".into()), reset: None, unit: ResetUnit::S };
    let w = words(&names, &headers(&[("l", "75, 75;w=1, 700;w=60"), ("r", "-1")]), NOW).unwrap();
    assert_eq!((w.limit, w.remaining), (Some(75), Some(0)));
    assert_eq!(words(&names, &headers(&[("other", "1")]), NOW), None);
}

#[test]
fn retry_after_is_read_in_both_forms_and_never_undercut() {
    let wait = |text: &str, more: &[(&str, &str)]| {
        let mut all = headers(more);
        all.insert("retry-after", HeaderValue::from_str(text).unwrap());
        retry_after(&all, NOW)
    };
    assert_eq!(wait("120", &[]), Some(120_000));
    assert_eq!(wait("0.25", &[]), Some(250));
    assert_eq!(wait("Mon, 23 Nov 2026 12:00:07 GMT", &[]), Some(7_000));
    assert_eq!(wait("Mon, 23 Nov 2026 10:00:07 GMT", &[("date", "Mon, 23 Nov 2026 10:00:00 GMT")]), Some(7_000));
    assert_eq!(wait("Sunday, 06-Nov-94 08:49:37 GMT", &[]), None);
    assert_eq!(wait("99999999999", &[]), Some(MAX_MS));
    assert_eq!(wait("later", &[]), None);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_or_wait_for_years(text in "[ -~]{0,40}", unit in 0usize..8) {
        use ResetUnit::{Auto, Date, Epoch, Ms, NOfM, S, Structured, Text};
        let unit = [S, Ms, Epoch, Auto, Date, Text, Structured, NOfM][unit];
        let names = LimitHeaders { limit: Some("x".into()), remaining: Some("x".into()), reset: Some("x".into()), unit };
        let all = headers(&[("x", &text), ("retry-after", &text)]);
        if let Some(at) = words(&names, &all, NOW).and_then(|w| w.reset_at) {
            prop_assert!((NOW..=NOW + MAX_MS).contains(&at));
        }
        if let Some(wait) = retry_after(&all, NOW) {
            prop_assert!(wait <= MAX_MS);
        }
    }
}
