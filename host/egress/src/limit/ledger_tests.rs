//! The limiter against a strict vendor: a simulated server with a rolling window that counts arrivals, random delays both
//! ways, many calls at once, and its own words about what is left.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::AtomicU64;

use crm_catalog::model::{Counts, Reset};
use proptest::prelude::*;

use super::*;
use crate::limit::learn::Word;

#[derive(Default)]
struct Virtual(AtomicU64);

impl Clock for Virtual {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

fn shape(requests: u64, per_ms: u64) -> Shape {
    Shape { requests: Some(requests), per_ms, reset: Reset::Rolling, concurrency: None, counts: Counts::Requests }
}

fn ledger() -> (Ledger, Arc<Virtual>) {
    let clock = Arc::new(Virtual(AtomicU64::new(1_700_000_000_000)));
    (Ledger::new(clock.clone()), clock)
}

fn key(limit: &str, sharer: &str) -> Key {
    Key { slug: "acme".into(), limit: limit.into(), sharer: sharer.into() }
}

fn admit(ledger: &Ledger, cell: &Arc<Cell>, clock: &Virtual) -> Option<Permit> {
    match ledger.admit(std::slice::from_ref(cell), 1, None, clock.now_ms()) {
        Admission::Go(permit) => Some(permit),
        Admission::Wait { .. } => None,
    }
}

#[derive(Clone, Copy, Debug)]
enum Talk {
    /// No headers at all.
    Silent,
    /// Remaining, and seconds until the oldest call leaves the window.
    NextSlot,
    /// Remaining, and always the whole window as reset: the word that makes naive clients idle.
    WholeWindow,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrive(usize),
    Answer(usize),
    Wake,
}

/// Runs a saturated client for six windows. Returns calls that the vendor counted in the last five, and its refusals.
fn simulate(allowance: u64, window: u64, delays: &[u64], lanes: usize, talk: Talk) -> (u64, u64) {
    let (ledger, clock) = ledger();
    // The manifest says half of what the vendor really gives, unless the vendor is silent: it must be believed upwards.
    let stated = if matches!(talk, Talk::Silent) { allowance } else { (allowance / 2).max(1) };
    let cell = ledger.cell(key("rate", "a"), Some("rate"), &shape(stated, window), clock.now_ms());
    let start = clock.now_ms();
    let mut events: BinaryHeap<Reverse<(u64, usize, Event)>> = BinaryHeap::new();
    let (mut permits, mut words): (Vec<Option<Permit>>, Vec<Word>) = (Vec::new(), Vec::new());
    let mut arrivals: VecDeque<u64> = VecDeque::new();
    let (mut flying, mut counted, mut refused, mut order) = (0usize, 0u64, 0u64, 0usize);
    let mut delay = delays.iter().cycle().copied();
    loop {
        let now = clock.now_ms();
        if now > start + 6 * window {
            return (counted, refused);
        }
        while flying < lanes {
            match ledger.admit(std::slice::from_ref(&cell), 1, None, now) {
                Admission::Go(permit) => {
                    permits.push(Some(permit));
                    words.push(Word::default());
                    flying += 1;
                    order += 1;
                    events.push(Reverse((now + delay.next().unwrap_or(0), order, Event::Arrive(permits.len() - 1))));
                }
                Admission::Wait { until, .. } => {
                    if let Some(until) = until {
                        order += 1;
                        events.push(Reverse((until, order, Event::Wake)));
                    }
                    break;
                }
            }
        }
        let Some(Reverse((at, _, event))) = events.pop() else { return (counted, refused) };
        clock.0.fetch_max(at, Ordering::Relaxed);
        match event {
            Event::Wake => {}
            Event::Arrive(id) => {
                while arrivals.front().is_some_and(|t| t + window <= at) {
                    arrivals.pop_front();
                }
                let full = arrivals.len() as u64 >= allowance;
                if full {
                    refused += 1;
                } else {
                    arrivals.push_back(at);
                    counted += u64::from(at > start + window);
                }
                let remaining = allowance - arrivals.len() as u64;
                let oldest = arrivals.front().map_or(at, |t| t + window);
                words[id] = match talk {
                    Talk::Silent => Word::default(),
                    Talk::NextSlot => Word { limit: Some(allowance), remaining: Some(remaining), reset_at: Some(oldest) },
                    Talk::WholeWindow => Word { limit: Some(allowance), remaining: Some(remaining), reset_at: Some(at + window) },
                };
                order += 1;
                events.push(Reverse((at + delay.next().unwrap_or(0), order, Event::Answer(id))));
            }
            Event::Answer(id) => {
                flying -= 1;
                if words[id] != Word::default() {
                    cell.with(|b| b.hear(&words[id], at));
                }
                if let Some(permit) = permits[id].take() {
                    permit.done(false, true);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_strict_vendor_never_refuses_and_nearly_all_of_its_allowance_is_used(
        allowance in 2u64..240,
        seconds in 4u64..90,
        delays in proptest::collection::vec(0u64..20, 3..17),
        lanes in 8usize..32,
        talk in prop_oneof![Just(Talk::Silent), Just(Talk::NextSlot), Just(Talk::WholeWindow)],
    ) {
        let (counted, refused) = simulate(allowance, seconds * 1_000, &delays, lanes, talk);
        prop_assert_eq!(refused, 0, "the vendor had to refuse");
        // One call of a window may fall just behind its end.
        prop_assert!((counted + 1) as f64 >= 0.98 * (5 * allowance) as f64, "only {} of {} used", counted, 5 * allowance);
    }

    #[test]
    fn no_window_of_any_position_ever_holds_more_than_the_allowance(
        allowance in 1u64..30,
        gaps in proptest::collection::vec((0u64..400, 0u64..900), 1..300),
    ) {
        let (ledger, clock) = ledger();
        let cell = ledger.cell(key("rate", "a"), Some("rate"), &shape(allowance, 5_000), clock.now_ms());
        let mut sent: Vec<u64> = Vec::new();
        let mut flying: VecDeque<(u64, Permit)> = VecDeque::new();
        for (gap, flight) in gaps {
            let now = clock.0.fetch_add(gap, Ordering::Relaxed) + gap;
            while flying.front().is_some_and(|(end, _)| *end <= now) {
                if let Some((_, permit)) = flying.pop_front() {
                    permit.done(false, true);
                }
            }
            if let Some(permit) = admit(&ledger, &cell, &clock) {
                sent.push(now);
                flying.push_back((now + flight, permit));
            }
            let in_window = sent.iter().filter(|t| **t + 5_000 > now).count() as u64;
            prop_assert!(in_window <= allowance, "{} of {}", in_window, allowance);
        }
    }
}

#[test]
fn runs_let_start_in_the_same_instant_share_what_is_left() {
    let (ledger, clock) = ledger();
    let now = clock.now_ms();
    let cell = ledger.cell(key("rate", "a"), Some("rate"), &shape(10, 60_000), now);
    let passed = (0..20).filter(|_| ledger.promise("lane", vec![(cell.clone(), 3)], now).is_none()).count();
    assert_eq!(passed, 3, "three runs of three calls fit into ten");
}

#[test]
fn what_a_run_does_not_use_goes_back_when_it_ends() {
    let (ledger, clock) = ledger();
    let now = clock.now_ms();
    let cell = ledger.cell(key("rate", "a"), Some("rate"), &shape(6, 60_000), now);
    assert_eq!(ledger.promise("lane", vec![(cell.clone(), 3)], now), None);
    assert_eq!(ledger.promise("lane", vec![(cell.clone(), 3)], now), None);
    let first = ledger.claim("lane", now).unwrap();
    let second = ledger.claim("lane", now).unwrap();
    assert!(ledger.claim("lane", now).is_none());
    assert!(admit(&ledger, &cell, &clock).is_none(), "a stranger finds it all promised");
    let Admission::Go(permit) = ledger.admit(std::slice::from_ref(&cell), 1, Some(&first), now) else { panic!("its own promise is kept") };
    permit.done(false, true);
    drop(first);
    drop(second);
    let free = std::iter::from_fn(|| admit(&ledger, &cell, &clock)).take(9).collect::<Vec<_>>();
    assert_eq!(free.len(), 5, "one was sent, five came back");
}

#[test]
fn runs_that_share_what_comes_free_soon_do_not_hold_each_other_up() {
    let (ledger, clock) = ledger();
    let cell = ledger.cell(key("rate", "a"), Some("rate"), &shape(5, 1_000), clock.now_ms());
    let spent: Vec<Permit> = (0..3).map(|_| admit(&ledger, &cell, &clock).unwrap()).collect();
    spent.into_iter().for_each(|permit| permit.done(false, true));
    clock.0.fetch_add(500, Ordering::Relaxed);
    let now = clock.now_ms();
    assert_eq!(ledger.promise("lane", vec![(cell.clone(), 2)], now), None);
    assert_eq!(ledger.promise("lane", vec![(cell.clone(), 3)], now), None, "three more come back in half a second");
    assert!(ledger.promise("lane", vec![(cell.clone(), 1)], now).is_some(), "the next calls of those two are before it");
    let first = ledger.claim("lane", now).unwrap();
    let second = ledger.claim("lane", now).unwrap();
    let Admission::Go(one) = ledger.admit(std::slice::from_ref(&cell), 1, Some(&first), now) else { panic!("it was promised") };
    let mine = || ledger.admit(std::slice::from_ref(&cell), 1, Some(&second), clock.now_ms());
    assert!(matches!(mine(), Admission::Go(_)));
    one.done(false, true);
    assert!(matches!(mine(), Admission::Wait { until: Some(until), .. } if until <= now + 502));
    clock.0.fetch_add(502, Ordering::Relaxed);
    assert!(matches!(mine(), Admission::Go(_)));
}

#[test]
fn a_promise_whose_run_never_opens_lapses() {
    let (ledger, clock) = ledger();
    let now = clock.now_ms();
    let cell = ledger.cell(key("rate", "a"), Some("rate"), &shape(3, 60_000), now);
    assert_eq!(ledger.promise("lane", vec![(cell.clone(), 3)], now), None);
    assert!(ledger.promise("other", vec![(cell.clone(), 3)], now).is_some());
    clock.0.fetch_add(PROMISE_MS + 1, Ordering::Relaxed);
    assert_eq!(ledger.promise("other", vec![(cell, 3)], clock.now_ms()), None);
}

#[test]
fn a_call_takes_a_slot_of_every_limit_or_of_none() {
    let (ledger, clock) = ledger();
    let now = clock.now_ms();
    let wide = ledger.cell(key("wide", "a"), Some("wide"), &shape(100, 60_000), now);
    let narrow = ledger.cell(key("narrow", "a"), Some("narrow"), &shape(1, 60_000), now);
    let both = [wide.clone(), narrow.clone()];
    let Admission::Go(first) = ledger.admit(&both, 1, None, now) else { panic!("both are free") };
    first.done(false, true);
    for _ in 0..50 {
        let Admission::Wait { cell, until } = ledger.admit(&both, 1, None, now) else { panic!("the narrow one is spent") };
        assert_eq!(cell.name.as_deref(), Some("narrow"));
        assert!(until.is_some_and(|u| u > now + 59_000));
    }
    assert_eq!(std::iter::from_fn(|| admit(&ledger, &wide, &clock)).take(200).collect::<Vec<_>>().len(), 99);
}

#[test]
fn a_dropped_call_counts_as_sent() {
    let (ledger, clock) = ledger();
    let cell = ledger.cell(key("rate", "a"), Some("rate"), &shape(1, 60_000), clock.now_ms());
    drop(admit(&ledger, &cell, &clock));
    assert!(admit(&ledger, &cell, &clock).is_none());
}

#[test]
fn invariant_10_limiter_buckets_are_bounded_and_busy_ones_outlive_idle_ones() {
    let (ledger, clock) = ledger();
    let busy = ledger.cell(key("rate", "busy"), Some("rate"), &shape(1, 3_600_000), clock.now_ms());
    admit(&ledger, &busy, &clock).unwrap().done(false, true);
    drop(busy);
    for n in 0..MAX_CELLS + 10 {
        ledger.cell(key("rate", &n.to_string()), Some("rate"), &shape(1, 1_000), clock.now_ms());
    }
    assert!(ledger.len() <= MAX_CELLS);
    let busy = ledger.cell(key("rate", "busy"), Some("rate"), &shape(1, 3_600_000), clock.now_ms());
    assert!(admit(&ledger, &busy, &clock).is_none(), "what it had counted was forgotten");
}
