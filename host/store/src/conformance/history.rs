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

/// A job to enqueue. Which person and campaign make its `dedupe` key; the e-mail is one that the person has now.
#[derive(Clone, Debug)]
pub struct Wish {
    pub lane: u8,
    pub campaign: u8,
    pub person: u8,
    /// Another e-mail than the person's first, and the one before.
    pub email: Option<u8>,
    pub previous: Option<u8>,
    pub purpose: u8,
    /// Takes a tag off.
    pub clear: bool,
    /// Of another destination.
    pub scoped: bool,
    pub after: u16,
    /// Two connections on one account share the `exclusive` key.
    pub shared: bool,
}

/// One act. Small numbers name things: lanes 0..5, e-mails and persons 0..3, owners 0..2.
#[derive(Clone, Debug)]
pub enum Act {
    Put { organization: u8, kind: u8, id: u8, expect: Expect, json: Option<u8>, names: Vec<u8> },
    TwoPuts { organization: u8, ids: (u8, u8), names: (u8, u8), expect: Expect },
    Enqueue { wish: Wish, with_put: bool, wrong_lane: bool },
    EnqueueTwo { lane: u8, emails: (u8, u8) },
    Pass(u16),
    Hold { lane: u8, time: u16 },
    Park { lane: u8, parked: bool },
    Claim { owner: u8, lanes: Vec<(u8, u8)>, lease: u16 },
    Renew { owner: u8, lease: u16 },
    Step { claim: Index, number: u8, durable: bool, size: u16 },
    Finish { claim: Index, end: End, attempt: bool, known: bool, late: bool, jobs: Vec<Wish>, wrong_lane: bool },
    Amend { job: Index, end: End, stale: bool },
    CancelLane { lane: u8 },
    Erase { organization: u8, jobs: Vec<Index>, contacts: Vec<(u8, u8, bool)>, id: u8, expect: Expect },
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

fn wish() -> impl Strategy<Value = Wish> {
    use proptest::bool::weighted;
    use proptest::option::weighted as sometimes;
    let who = (0u8..3, sometimes(0.4, 0u8..3), sometimes(0.5, 0u8..3));
    let what = (0u8..2, 0u8..3, weighted(0.2), weighted(0.3), 0u16..100, any::<bool>());
    (0u8..5, who, what).prop_map(|(lane, (person, email, previous), (campaign, purpose, clear, scoped, after, shared))| Wish {
        lane,
        campaign,
        person,
        email,
        previous,
        purpose,
        clear,
        scoped,
        after,
        shared,
    })
}

fn act() -> impl Strategy<Value = Act> {
    let lane = 0u8..5;
    prop_oneof![
        4 => (0u8..2, 0u8..2, 0u8..3, expect(), proptest::option::weighted(0.8, any::<u8>()), vec(0u8..3, 0..3))
            .prop_map(|(organization, kind, id, expect, json, names)| Act::Put { organization, kind, id, expect, json, names }),
        1 => (0u8..2, (0u8..3, 0u8..3), (0u8..3, 0u8..3), expect())
            .prop_map(|(organization, ids, names, expect)| Act::TwoPuts { organization, ids, names, expect }),
        12 => (wish(), proptest::bool::weighted(0.2), proptest::bool::weighted(0.03))
            .prop_map(|(wish, with_put, wrong_lane)| Act::Enqueue { wish, with_put, wrong_lane }),
        1 => (lane.clone(), (0u8..3, 0u8..3)).prop_map(|(lane, emails)| Act::EnqueueTwo { lane, emails }),
        5 => (0u16..150).prop_map(Act::Pass),
        1 => (lane.clone(), 0u16..200).prop_map(|(lane, time)| Act::Hold { lane, time }),
        2 => (lane.clone(), any::<bool>()).prop_map(|(lane, parked)| Act::Park { lane, parked }),
        10 => (0u8..2, vec((lane.clone(), 0u8..4), 1..4), 20u16..400)
            .prop_map(|(owner, lanes, lease)| Act::Claim { owner, lanes, lease }),
        1 => (0u8..2, 20u16..400).prop_map(|(owner, lease)| Act::Renew { owner, lease }),
        6 => (any::<Index>(), 0u8..4, any::<bool>(), prop_oneof![9 => 0u16..100, 1 => 9_000u16..30_000])
            .prop_map(|(claim, number, durable, size)| Act::Step { claim, number, durable, size }),
        10 => (any::<Index>(), end(), any::<bool>(), any::<bool>(), any::<bool>(), vec(wish(), 0..3), proptest::bool::weighted(0.03))
            .prop_map(|(claim, end, attempt, known, late, jobs, wrong_lane)| Act::Finish {
                claim, end, attempt, known, late, jobs, wrong_lane
            }),
        3 => (any::<Index>(), end(), proptest::bool::weighted(0.2)).prop_map(|(job, end, stale)| Act::Amend { job, end, stale }),
        1 => lane.prop_map(|lane| Act::CancelLane { lane }),
        2 => (0u8..2, vec(any::<Index>(), 0..4), vec((0u8..5, 0u8..3, any::<bool>()), 0..3), 0u8..3, expect())
            .prop_map(|(organization, jobs, contacts, id, expect)| Act::Erase { organization, jobs, contacts, id, expect }),
        1 => (0u16..300).prop_map(|age| Act::Expire { age }),
        1 => Just(Act::Reopen),
        2 => Just(Act::Look),
    ]
}
