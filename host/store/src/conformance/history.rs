//! Random histories: what an act is, and how acts are drawn. The universe is small on purpose, so that acts meet.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Which version a write expects.
#[derive(Clone, Copy, Debug)]
pub enum Expect {
    Whatever,
    Current,
    Absent,
    Wrong,
}

/// How an attempt ends, or what a hand makes of a job.
#[derive(Clone, Copy, Debug)]
pub enum End {
    Succeeded,
    Failed,
    Cancelled,
    Retrying(u16),
    Waiting(u16),
    Parked,
    Pending,
}

/// One act. Small numbers name things: lanes 0..4 (two per organization), e-mails 0..3, owners 0..2.
#[derive(Clone, Debug)]
pub enum Act {
    Put { organization: u8, kind: u8, id: u8, expect: Expect, json: Option<u8>, names: Vec<u8> },
    TwoPuts { organization: u8, ids: (u8, u8), names: (u8, u8), expect: Expect },
    Enqueue { lane: u8, campaign: u8, email: u8, after: u16, shared: bool, with_put: bool, wrong_lane: bool },
    EnqueueTwo { lane: u8, emails: (u8, u8) },
    Pass(u16),
    Hold { lane: u8, time: u16 },
    Park { lane: u8, parked: bool },
    Claim { owner: u8, lanes: Vec<(u8, u8)>, lease: u16 },
    Renew { owner: u8, lease: u16 },
    Step { claim: Index, number: u8, durable: bool, size: u16 },
    Finish { claim: Index, end: End, attempt: bool, known: bool, late: bool },
    Amend { job: Index, end: End, stale: bool },
    CancelLane { lane: u8 },
    Expire { age: u16 },
    Reopen,
    Look,
}

/// Histories of up to `length` acts.
pub fn acts(length: usize) -> impl Strategy<Value = Vec<Act>> {
    vec(act(), 1..=length)
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        4 => Just(End::Succeeded),
        2 => Just(End::Failed),
        1 => Just(End::Cancelled),
        3 => (0u16..200).prop_map(End::Retrying),
        2 => (0u16..200).prop_map(End::Waiting),
        2 => Just(End::Parked),
        1 => Just(End::Pending),
    ]
}

fn expect() -> impl Strategy<Value = Expect> {
    prop_oneof![4 => Just(Expect::Whatever), 3 => Just(Expect::Current), 1 => Just(Expect::Absent), 1 => Just(Expect::Wrong)]
}

fn act() -> impl Strategy<Value = Act> {
    let lane = 0u8..4;
    prop_oneof![
        4 => (0u8..2, 0u8..2, 0u8..3, expect(), proptest::option::weighted(0.8, any::<u8>()), vec(0u8..3, 0..3))
            .prop_map(|(organization, kind, id, expect, json, names)| Act::Put { organization, kind, id, expect, json, names }),
        1 => (0u8..2, (0u8..3, 0u8..3), (0u8..3, 0u8..3), expect())
            .prop_map(|(organization, ids, names, expect)| Act::TwoPuts { organization, ids, names, expect }),
        10 => (lane.clone(), 0u8..2, 0u8..3, 0u16..100, any::<bool>(), proptest::bool::weighted(0.2), proptest::bool::weighted(0.03))
            .prop_map(|(lane, campaign, email, after, shared, with_put, wrong_lane)| Act::Enqueue {
                lane, campaign, email, after, shared, with_put, wrong_lane
            }),
        1 => (lane.clone(), (0u8..3, 0u8..3)).prop_map(|(lane, emails)| Act::EnqueueTwo { lane, emails }),
        5 => (0u16..150).prop_map(Act::Pass),
        1 => (lane.clone(), 0u16..200).prop_map(|(lane, time)| Act::Hold { lane, time }),
        2 => (lane.clone(), any::<bool>()).prop_map(|(lane, parked)| Act::Park { lane, parked }),
        10 => (0u8..2, vec((lane.clone(), 0u8..4), 1..4), 20u16..400)
            .prop_map(|(owner, lanes, lease)| Act::Claim { owner, lanes, lease }),
        1 => (0u8..2, 20u16..400).prop_map(|(owner, lease)| Act::Renew { owner, lease }),
        6 => (any::<Index>(), 0u8..4, any::<bool>(), prop_oneof![9 => 0u16..100, 1 => 9_000u16..30_000])
            .prop_map(|(claim, number, durable, size)| Act::Step { claim, number, durable, size }),
        10 => (any::<Index>(), end(), any::<bool>(), any::<bool>(), any::<bool>())
            .prop_map(|(claim, end, attempt, known, late)| Act::Finish { claim, end, attempt, known, late }),
        3 => (any::<Index>(), end(), proptest::bool::weighted(0.2)).prop_map(|(job, end, stale)| Act::Amend { job, end, stale }),
        1 => lane.prop_map(|lane| Act::CancelLane { lane }),
        1 => (0u16..300).prop_map(|age| Act::Expire { age }),
        1 => Just(Act::Reopen),
        2 => Just(Act::Look),
    ]
}
