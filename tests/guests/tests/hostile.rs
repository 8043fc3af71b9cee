//! Invariant 3: a guest cannot exceed its time, memory, call count, bytes or log volume, and hitting a limit hurts only
//! that run.

mod common;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use common::{Shared, call, call_logged, config, engine, failure, load, memo, report};
use crm_contract::ports::{GuestFault, LogLevel, Outbound};
use crm_contract::types::{Answer, Ending, Error, Invocation, Request, Response, Unanswered};
use crm_engine::Limits;
use crm_guests::doubles::{Lines, Silence, World, connection, sync};
use tokio::sync::Notify;

static HOSTILE: Shared = Shared::new("hostile");

async fn fault(behave: &str) -> GuestFault {
    match HOSTILE.call(sync(behave), World::says("id=1")).await {
        Err(fault) => fault,
        Ok(answer) => panic!("{behave} was not stopped: {answer:?}"),
    }
}

fn trapped(fault: &GuestFault) -> &str {
    match fault {
        GuestFault::Trapped(why) => why,
        other => panic!("not a trap: {other:?}"),
    }
}

#[tokio::test]
async fn invariant_3_a_looping_guest_is_stopped() {
    assert_eq!(fault("loop").await, GuestFault::OutOfCpu { limit_ms: 250 });
}

#[tokio::test]
async fn invariant_3_cpu_time_between_calls_adds_up() {
    let limits = Limits { cpu_run: Duration::from_millis(150), ..Limits::default() };
    let engine = engine(crm_engine::EngineConfig { limits, ..config() });
    let digest = load(&engine, "hostile").await;
    let ended = call(&engine, &digest, sync("spin-between-calls"), World::says("")).await;
    assert_eq!(ended, Err(GuestFault::OutOfCpu { limit_ms: 150 }));
}

#[tokio::test]
async fn invariant_3_a_recursing_guest_is_stopped() {
    // A compiler keeps large frames in linear memory, whose end then stops it.
    assert!(trapped(&fault("recurse").await).contains("out of bounds"));
    assert_eq!(trapped(&fault("dive").await), "it called itself too deeply");
}

#[tokio::test]
async fn invariant_3_a_guest_that_hoards_memory_is_stopped() {
    assert_eq!(fault("allocate").await, GuestFault::OutOfMemory { limit_bytes: 64 << 20 });
}

#[tokio::test]
async fn a_guest_that_is_refused_memory_and_lives_with_it_is_left_alone() {
    assert_eq!(memo(HOSTILE.call(sync("allocate-politely"), World::refuses()).await), "true");
}

#[tokio::test]
async fn invariant_3_a_guest_that_calls_for_ever_is_stopped() {
    let world = World::says("");
    assert_eq!(HOSTILE.call(sync("many-calls"), world.clone()).await, Err(GuestFault::TooManyCalls { limit: 32 }));
    assert_eq!(world.asked().len(), 32);
}

#[tokio::test]
async fn invariant_3_a_guest_that_waits_for_ever_is_stopped() {
    let limits = Limits { wall_run: Duration::from_millis(50), ..Limits::default() };
    let engine = engine(crm_engine::EngineConfig { limits, ..config() });
    let digest = load(&engine, "hostile").await;
    assert_eq!(call(&engine, &digest, sync("wait"), Arc::new(Silence)).await, Err(GuestFault::OutOfTime { limit_ms: 50 }));
}

#[tokio::test]
async fn invariant_3_a_panic_or_a_trap_ends_the_run_only() {
    for behave in ["panic", "trap"] {
        assert_eq!(trapped(&fault(behave).await), "it panicked", "{behave}");
    }
    assert!(trapped(&fault("out-of-bounds").await).contains("out of bounds"));
    assert!(matches!(report(HOSTILE.call(sync("nothing"), World::refuses()).await).ending, Ending::Done(_)));
}

#[tokio::test]
async fn invariant_3_a_flood_of_log_lines_is_cut_off() {
    let (engine, digest) = HOSTILE.get().await;
    let lines = Lines::new();
    report(call_logged(&engine, &digest, sync("flood-log"), lines.clone()).await);
    let lines = lines.all();
    assert_eq!(lines.len(), 65);
    assert_eq!(lines[63].1, "line 63");
    assert_eq!(lines[64], (LogLevel::Warn, "99936 more lines suppressed".into()));
}

#[tokio::test]
async fn invariant_3_a_giant_log_line_is_cut() {
    let (engine, digest) = HOSTILE.get().await;
    let lines = Lines::new();
    report(call_logged(&engine, &digest, sync("giant-log"), lines.clone()).await);
    assert_eq!(lines.all().len(), 1);
    assert_eq!(lines.all()[0].1.len(), 4 << 10);
}

#[tokio::test]
async fn invariant_3_no_value_larger_than_the_limit_crosses_the_border() {
    for behave in ["giant-log-over-fuel", "giant-answer-over-fuel"] {
        assert_eq!(fault(behave).await, GuestFault::OutOfMemory { limit_bytes: 8 << 20 }, "{behave}");
    }
}

#[tokio::test]
async fn invariant_3_giant_words_in_an_answer_are_cut() {
    let Error::Permanent(told) = failure(HOSTILE.call(sync("giant-answer"), World::refuses()).await) else {
        panic!("another error");
    };
    assert_eq!((told.code.chars().count(), told.text.chars().count()), (100, 500));
}

#[tokio::test]
async fn a_memo_over_1_kib_is_a_permanent_failure() {
    let error = failure(HOSTILE.call(sync("long-memo"), World::refuses()).await);
    assert!(matches!(error, Error::Permanent(told) if told.code == "too-long"));
}

#[tokio::test]
async fn a_page_of_too_many_choices_is_refused() {
    let ask = Invocation::ListChoices { on: connection(""), picker: "lists".into(), search: None, cursor: None };
    let answer = HOSTILE.call(ask, World::refuses()).await;
    assert!(matches!(answer, Ok(Answer::Page(Err(Error::Permanent(told)))) if told.code == "too-long"));
}

#[tokio::test]
async fn what_a_guest_asks_for_reaches_egress_as_it_is_and_the_refusal_comes_back() {
    for behave in ["undeclared-call", "undeclared-field", "foreign-host", "foreign-url"] {
        let world = World::refuses();
        let Error::Permanent(told) = failure(HOSTILE.call(sync(behave), world.clone()).await) else {
            panic!("{behave}: another error");
        };
        assert!(told.text.contains("is not declared"), "{behave}: {}", told.text);
        assert_eq!(world.asked().len(), 1, "{behave}");
    }
}

#[tokio::test]
async fn nothing_of_a_run_survives_it() {
    for _ in 0..3 {
        assert_eq!(memo(HOSTILE.call(sync("remember"), World::refuses()).await), "1");
    }
}

/// One thread serves everyone: what the looping guest holds, nobody else gets.
#[tokio::test]
async fn invariant_3_a_looping_guest_does_not_hold_up_its_neighbours() {
    let (engine, digest) = HOSTILE.get().await;
    let looping = {
        let (engine, digest) = (engine.clone(), digest.clone());
        tokio::spawn(async move { call(&engine, &digest, sync("loop"), World::refuses()).await })
    };
    tokio::task::yield_now().await;
    for _ in 0..5 {
        report(call(&engine, &digest, sync("nothing"), World::refuses()).await);
    }
    assert!(!looping.is_finished());
    assert!(matches!(looping.await, Ok(Err(GuestFault::OutOfCpu { .. }))));
}

struct Held(Notify);

#[async_trait]
impl Outbound for Held {
    async fn send(&self, _request: Request) -> Result<Response, Unanswered> {
        self.0.notify_one();
        std::future::pending().await
    }
}

#[tokio::test]
async fn one_run_too_many_is_busy_and_a_dropped_run_gives_its_slot_back() {
    let limits = Limits { concurrent: 1, ..Limits::default() };
    let engine = engine(crm_engine::EngineConfig { limits, ..config() });
    let digest = load(&engine, "hostile").await;
    let held = Arc::new(Held(Notify::new()));
    let first = {
        let (engine, digest, held) = (engine.clone(), digest.clone(), held.clone());
        tokio::spawn(async move { call(&engine, &digest, sync("wait"), held).await })
    };
    held.0.notified().await;
    assert_eq!(call(&engine, &digest, sync("nothing"), World::refuses()).await, Err(GuestFault::Busy));
    first.abort();
    assert!(first.await.is_err());
    report(call(&engine, &digest, sync("nothing"), World::refuses()).await);
}

#[tokio::test]
async fn a_storm_of_traps_leaves_no_slot_behind() {
    let limits = Limits { concurrent: 4, ..Limits::default() };
    let engine = engine(crm_engine::EngineConfig { limits, ..config() });
    let digest = load(&engine, "hostile").await;
    for i in 0..200 {
        let behave = ["panic", "dive", "allocate", "out-of-bounds", "many-calls"][i % 5];
        let fault = call(&engine, &digest, sync(behave), World::says("")).await;
        assert!(!matches!(fault, Ok(_) | Err(GuestFault::Busy)), "{i} {behave}: {fault:?}");
    }
    report(call(&engine, &digest, sync("nothing"), World::refuses()).await);
}
