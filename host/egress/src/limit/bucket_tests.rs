//! One limit at a time: windows of each kind, costs, failures, the vendor's words, and clocks that jump.

use super::*;

const NOW: u64 = 1_700_000_000_000;

fn bucket(requests: u64, per_ms: u64) -> Bucket {
    Bucket::new(Shape { requests: Some(requests), per_ms, reset: Reset::Rolling, concurrency: None, counts: Counts::Requests })
}

fn spend(bucket: &mut Bucket, n: u64, now: u64) {
    for _ in 0..n {
        assert_eq!(bucket.ready(1, false, now), Ok(()));
        bucket.admit(1);
        bucket.done(1, false, true, now);
    }
}

#[test]
fn a_rolling_window_frees_each_slot_one_window_after_its_answer() {
    let mut b = bucket(2, 1_000);
    spend(&mut b, 1, NOW);
    spend(&mut b, 1, NOW + 400);
    assert_eq!(b.ready(1, false, NOW + 500), Err(Some(NOW + 1_001)));
    assert_eq!(b.ready(1, false, NOW + 1_001), Ok(()));
    spend(&mut b, 1, NOW + 1_001);
    assert_eq!(b.ready(1, false, NOW + 1_002), Err(Some(NOW + 1_401)));
}

#[test]
fn a_utc_window_frees_everything_at_its_boundary() {
    let day = 86_400_000;
    let mut b = Bucket::new(Shape { requests: Some(3), per_ms: day, reset: Reset::Utc, concurrency: None, counts: Counts::Requests });
    spend(&mut b, 3, NOW);
    let midnight = NOW - NOW % day + day;
    assert_eq!(b.ready(1, false, NOW), Err(Some(midnight)));
    assert_eq!(b.ready(3, false, midnight), Ok(()));
}

#[test]
fn an_account_midnight_comes_when_the_vendor_says_so() {
    let mut b = Bucket::new(Shape {
        requests: Some(3),
        per_ms: 86_400_000,
        reset: Reset::AccountMidnight,
        concurrency: None,
        counts: Counts::Requests,
    });
    spend(&mut b, 3, NOW);
    assert!(b.ready(1, false, NOW + 3_600_000).is_err());
    b.hear(&Word { limit: Some(3), remaining: Some(0), reset_at: Some(NOW + 7_200_000) }, NOW);
    assert!(b.ready(1, false, NOW + 7_199_000).is_err());
    assert_eq!(b.ready(1, false, NOW + 7_200_001), Ok(()));
}

#[test]
fn costs_are_weighed_and_a_call_dearer_than_the_allowance_goes_alone() {
    let mut b = Bucket::new(Shape { requests: Some(10), per_ms: 1_000, reset: Reset::Rolling, concurrency: None, counts: Counts::Cost });
    b.admit(6);
    assert_eq!(b.ready(5, false, NOW), Err(None));
    assert_eq!(b.ready(4, false, NOW), Ok(()));
    b.done(6, false, true, NOW);
    assert_eq!(b.ready(40, false, NOW), Err(Some(NOW + 1_001)));
    assert_eq!(b.ready(40, false, NOW + 1_001), Ok(()));
}

#[test]
fn a_limit_on_failures_counts_only_failures_but_holds_room_for_calls_in_flight() {
    let mut b =
        Bucket::new(Shape { requests: Some(2), per_ms: 1_000, reset: Reset::Rolling, concurrency: None, counts: Counts::BadRequests });
    for _ in 0..50 {
        b.admit(1);
        b.done(1, false, true, NOW);
    }
    b.admit(1);
    b.admit(1);
    assert_eq!(b.ready(1, false, NOW), Err(None), "both in flight might fail");
    b.done(1, true, true, NOW);
    b.done(1, false, true, NOW);
    assert_eq!(b.ready(1, false, NOW), Ok(()));
}

#[test]
fn concurrency_is_a_limit_without_any_rate() {
    let mut b = Bucket::new(Shape { requests: None, per_ms: 1_000, reset: Reset::Rolling, concurrency: Some(2), counts: Counts::Requests });
    b.admit(1);
    b.admit(1);
    assert_eq!(b.ready(1, false, NOW), Err(None));
    b.done(1, false, true, NOW);
    assert_eq!(b.ready(1, false, NOW), Ok(()));
}

#[test]
fn the_vendors_word_wins_over_the_manifests_up_and_down() {
    let mut b = bucket(10, 60_000);
    b.hear(&Word { limit: Some(3), ..Word::default() }, NOW);
    spend(&mut b, 3, NOW);
    assert!(b.ready(1, false, NOW).is_err());
    b.hear(&Word { limit: Some(50), ..Word::default() }, NOW);
    spend(&mut b, 47, NOW);
    assert!(b.ready(1, false, NOW).is_err());
}

#[test]
fn what_others_use_of_the_allowance_is_kept_free_until_the_reset() {
    let mut b = bucket(100, 60_000);
    spend(&mut b, 1, NOW);
    b.hear(&Word { limit: Some(100), remaining: Some(10), reset_at: Some(NOW + 5_000) }, NOW);
    spend(&mut b, 10, NOW);
    assert_eq!(b.ready(1, false, NOW), Err(Some(NOW + 5_000)));
    // After the reset one call asks how things stand before others follow.
    assert_eq!(b.ready(1, false, NOW + 5_000), Ok(()));
    b.admit(1);
    assert_eq!(b.ready(1, false, NOW + 5_000), Err(None));
    b.hear(&Word { limit: Some(100), remaining: Some(80), reset_at: None }, NOW + 5_001);
    b.done(1, false, true, NOW + 5_001);
    assert_eq!(b.ready(1, false, NOW + 5_001), Ok(()));
}

#[test]
fn nothing_remaining_does_not_stop_a_client_that_used_it_all_itself_longer_than_needed() {
    let mut b = bucket(5, 60_000);
    spend(&mut b, 5, NOW);
    b.hear(&Word { limit: Some(5), remaining: Some(0), reset_at: Some(NOW + 3_600_000) }, NOW);
    assert_eq!(b.ready(1, false, NOW + 60_100), Ok(()));
}

#[test]
fn too_many_requests_waits_as_told_or_ever_longer() {
    let mut b = bucket(5, 60_000);
    b.struck(Some(7_000), NOW);
    assert_eq!(b.ready(1, false, NOW + 6_999), Err(Some(NOW + 7_000)));
    assert_eq!(b.ready(1, false, NOW + 7_000), Ok(()));
    b.calm();
    let mut now = NOW + 10_000;
    for wanted in [1_000, 2_000, 4_000, 8_000] {
        b.struck(None, now);
        assert_eq!(b.ready(1, false, now), Err(Some(now + wanted)));
        now += wanted;
    }
    b.struck(Some(u64::MAX), now);
    assert_eq!(b.ready(1, false, now), Err(Some(now + MAX_BLOCK_MS)), "no word stops a limit for longer than a day");
}

#[test]
fn a_clock_set_back_an_hour_neither_frees_nor_freezes_anything() {
    let mut b = bucket(2, 10_000);
    spend(&mut b, 2, NOW);
    let back = NOW - 3_600_000;
    assert!(matches!(b.ready(1, false, back), Err(Some(until)) if until <= back + 10_100));
    assert_eq!(b.ready(1, false, back + 10_100), Ok(()));
}

#[test]
fn threads_that_read_the_clock_in_another_order_change_nothing() {
    let mut b = bucket(1, 10_000);
    spend(&mut b, 1, NOW);
    for n in 0..500 {
        assert!(b.ready(1, false, NOW + 100 - n % 7).is_err());
    }
    assert!(b.ready(1, false, NOW + 9_900).is_err(), "small steps back must not add up");
}

#[test]
fn the_log_of_a_large_daily_limit_stays_small() {
    let mut b = bucket(1_000_000, 86_400_000);
    for n in 0..200_000u64 {
        b.admit(1);
        b.done(1, false, true, NOW + n * 400);
    }
    assert!(b.log.len() <= STEPS as usize + 2, "{}", b.log.len());
    assert_eq!(b.logged, 200_000);
}

#[test]
fn a_run_is_let_start_when_its_later_calls_will_find_room_in_time() {
    let mut b = bucket(5, 1_000);
    spend(&mut b, 4, NOW);
    assert_eq!(b.ready_to_start(4, 1_000, NOW + 100), Ok(4), "one may go now, three more in nine tenths of a second");
    assert_eq!(b.ready_to_start(4, 100, NOW + 100), Err(Some(NOW + 901)), "that is too long to hold a run for");
    spend(&mut b, 1, NOW + 100);
    assert_eq!(b.ready_to_start(4, 1_000, NOW + 200), Err(Some(NOW + 1_001)), "not even the first may go");
}

#[test]
fn what_is_only_promised_may_come_back_any_moment() {
    let mut b = bucket(5, 60_000);
    spend(&mut b, 2, NOW);
    b.promised = 3;
    assert_eq!(b.ready_to_start(3, 1_000, NOW), Err(None), "the window frees nothing for a minute, a run that ends may");
    assert_eq!(b.ready(1, true, NOW), Ok(()), "a run under way is not held up by it");
    b.promised = 0;
    spend(&mut b, 3, NOW);
    assert!(matches!(b.ready_to_start(1, 1_000, NOW), Err(Some(until)) if until > NOW + 60_000));
}

#[test]
fn a_run_is_promised_what_runs_use_as_a_rule() {
    let mut b = bucket(100, 60_000);
    assert_eq!(b.ready_to_start(8, 1_000, NOW), Ok(8), "nothing is known yet");
    (0..40).for_each(|_| b.learn_usual(3));
    assert_eq!(b.ready_to_start(8, 1_000, NOW), Ok(3));
    assert_eq!(b.ready_to_start(2, 1_000, NOW), Ok(2), "never more than it may make");
    b.learn_usual(8);
    assert_eq!(b.ready_to_start(8, 1_000, NOW), Ok(4), "one that used more is heeded, not believed");
    (0..80).for_each(|_| b.learn_usual(0));
    assert_eq!(b.ready_to_start(8, 1_000, NOW), Ok(1));
}
