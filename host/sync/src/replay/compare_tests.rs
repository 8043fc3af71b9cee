//! Which call stands for which.

use proptest::prelude::*;

use super::super::sample::{exchange, manifest};
use super::*;

/// A run that makes exactly these calls.
fn made(exchanges: &[Exchange]) -> Vec<Made> {
    let made =
        |exchange: &Exchange| Made { call: exchange.call.clone(), asked: Ok(exchange.request.clone().expect("it is shown")), from: None };
    exchanges.iter().map(made).collect()
}

/// `=` same, `~` changed, `+` new, `-` missing, `!` refused; `<>` behind what moved.
fn drawn(recorded: &[Exchange], made: &[Made]) -> String {
    let calls = calls(&manifest(), recorded, made);
    let sign = |compared: &Compared| match &compared.verdict {
        Verdict::Same => "=",
        Verdict::Changed { .. } => "~",
        Verdict::New { .. } => "+",
        Verdict::Missing { .. } => "-",
        Verdict::Refused { .. } => "!",
    };
    calls.iter().map(|one| format!("{}{}", sign(one), if one.moved { "<>" } else { "" })).collect()
}

fn save(n: usize) -> Exchange {
    exchange("save", "/contacts", &format!("{{\"n\":{n}}}"))
}

fn tag(n: usize) -> Exchange {
    exchange("tag", "/tags", &format!("{{\"n\":{n}}}"))
}

fn turned_away(call: &str, why: Unanswered) -> Exchange {
    Exchange { hash: None, request: None, outcome: StepOutcome::Unanswered(why), ..exchange(call, "/contacts", "{}") }
}

#[test]
fn a_call_in_between_does_not_make_those_after_it_differ() {
    let recorded = [tag(1), tag(2)];
    assert_eq!(drawn(&recorded, &made(&[tag(9), tag(1), tag(2)])), "+==");
    assert_eq!(drawn(&recorded, &made(&[tag(9), tag(2)])), "~=");
    assert_eq!(drawn(&recorded, &made(&[tag(2)])), "=-");
    assert_eq!(drawn(&recorded, &made(&[tag(2), tag(1)])), "==<>");
    assert_eq!(drawn(&[save(1), tag(1)], &made(&[tag(1), save(1)])), "==<>");
}

#[test]
fn a_call_that_was_turned_away_before_it_was_shown_fits_any_request_of_its_name() {
    let recorded = [save(1), turned_away("tag", Unanswered::UnknownOutcome)];
    assert_eq!(drawn(&recorded, &made(&[save(1), tag(5)])), "==");
    assert_eq!(drawn(&recorded, &made(&[save(1)])), "=-");
}

#[test]
fn a_refusal_of_egress_is_a_difference_unless_it_was_there_before() {
    let refused = |why: &str| Made { call: "tag".into(), asked: Err(why.to_owned()), from: None };
    let recorded = [save(1), turned_away("tag", Unanswered::Refused("no".into()))];
    let with = |last: Made| drawn(&recorded, &[made(&[save(1)]), vec![last]].concat());
    assert_eq!(with(refused("no")), "==");
    assert_eq!(with(refused("something else")), "=!-");
}

proptest! {
    #[test]
    fn the_same_calls_are_the_same(calls in prop::collection::vec((any::<bool>(), 0usize..4), 0..12)) {
        let recorded: Vec<Exchange> = calls.into_iter().map(|(save_it, n)| if save_it { save(n) } else { tag(n) }).collect();
        prop_assert_eq!(drawn(&recorded, &made(&recorded)), "=".repeat(recorded.len()));
    }

    #[test]
    fn one_call_left_out_is_one_missing(kinds in prop::collection::vec(any::<bool>(), 1..12), pick in any::<prop::sample::Index>()) {
        let recorded: Vec<Exchange> = kinds.iter().enumerate().map(|(n, save_it)| if *save_it { save(n) } else { tag(n) }).collect();
        let mut left = recorded.clone();
        left.remove(pick.index(recorded.len()));
        prop_assert_eq!(drawn(&recorded, &made(&left)), format!("{}-", "=".repeat(left.len())));
        prop_assert_eq!(drawn(&left, &made(&recorded)).matches('+').count(), 1);
    }

    #[test]
    fn one_call_changed_is_one_changed(kinds in prop::collection::vec(any::<bool>(), 1..12), pick in any::<prop::sample::Index>()) {
        let recorded: Vec<Exchange> = kinds.iter().enumerate().map(|(n, save_it)| if *save_it { save(n) } else { tag(n) }).collect();
        let at = pick.index(recorded.len());
        let mut changed = recorded.clone();
        changed[at] = if kinds[at] { save(99) } else { tag(99) };
        let mut wanted = "=".repeat(recorded.len());
        wanted.replace_range(at..=at, "~");
        prop_assert_eq!(drawn(&recorded, &made(&changed)), wanted);
    }

    #[test]
    fn another_order_is_told_and_is_nothing_else(order in Just((0..8usize).collect::<Vec<_>>()).prop_shuffle()) {
        let recorded: Vec<Exchange> = (0..8).map(save).collect();
        let shuffled: Vec<Exchange> = order.iter().map(|n| save(*n)).collect();
        let drawn = drawn(&recorded, &made(&shuffled));
        prop_assert_eq!(drawn.matches('=').count(), 8);
        prop_assert_eq!(drawn.contains("<>"), !order.is_sorted());
    }
}
