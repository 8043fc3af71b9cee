//! Recorded syncs of simulated days, run again: the same version asks for the same whatever the weather was, another one is told apart, and
//! a gate keeps its bounds.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crm_catalog::model::Manifest;
use crm_contract::ports::{Digest, GuestFault, GuestLog, Guests, Outbound};
use crm_contract::types::{Answer, Change, Ending, Invocation, Known, Pair, Report, Request, Standing, Success};
use crm_simulation::world::ORGANIZATION;
use crm_simulation::{Behaviour, Vendor, World};
use crm_store::Whose;
use crm_store::model::{Kind, Put, RecordKey};
use crm_sync::context::Context;
use crm_sync::domain::Connection;
use crm_sync::replay::{Gate, gate, recorded};
use crm_sync::services::{ServiceError, journal};

const HOUR: Duration = Duration::from_secs(3600);

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("builds").block_on(future)
}

/// The version that was recorded is `d`; `e` makes these calls, and takes this long for it.
struct Two {
    first: Arc<Vendor>,
    calls: &'static [&'static str],
    takes: Duration,
    busy: bool,
}

#[async_trait]
impl Guests for Two {
    async fn call(&self, digest: &Digest, asked: Invocation, out: Arc<dyn Outbound>, log: Arc<dyn GuestLog>) -> Result<Answer, GuestFault> {
        if digest.0 == "d" {
            return self.first.call(digest, asked, out, log).await;
        }
        if self.busy {
            return Err(GuestFault::Busy);
        }
        tokio::time::sleep(self.takes).await;
        let Invocation::SyncContact { job } = asked else { return Err(GuestFault::Trapped("only syncs here".into())) };
        for call in self.calls {
            let path = vec![Pair::new("email", job.who.email.clone())];
            drop(out.send(Request { call: (*call).to_owned(), path, ..Request::default() }).await);
        }
        let ending = Ending::Done(Success { change: Change::Created, standing: Standing::Normal, warnings: Vec::new() });
        Ok(Answer::Report(Report { known: Known::default(), ending }))
    }

    fn loaded(&self) -> Vec<(Digest, Arc<Manifest>)> {
        self.first.loaded()
    }

    fn active(&self, slug: &str) -> Option<(Digest, Arc<Manifest>)> {
        self.first.active(slug)
    }

    fn manifest(&self, digest: &Digest) -> Option<Arc<Manifest>> {
        self.first.manifest(digest)
    }
}

fn faulty() -> Behaviour {
    Behaviour { failing: 0.1, cutting: 0.05, garbling: 0.05, latency: Duration::from_millis(120), ..Behaviour::default() }
}

/// A day of 40 contacts on two connections of the organization that the operator knows of.
async fn day(seed: u64, behaviour: Behaviour) -> World {
    let mut world = World::new(seed, behaviour);
    let record = RecordKey { organization: String::new(), kind: Kind::Organization, id: ORGANIZATION.into() };
    let pointer = Put { record, expect: None, json: Some("{}".into()), unique: Vec::new() };
    world.context.store.commit(vec![pointer], Vec::new()).await.expect("committed");
    for lane in ["con_a", "con_b"] {
        world.connect(lane).await;
        world.enqueue((0..20).map(|n| world.job(lane, "cmp_1", &format!("a{n}@example.com"))).collect()).await;
    }
    world.start();
    tokio::time::sleep(Duration::from_millis(700)).await;
    world.crash().await;
    world.start();
    assert_eq!(world.settle(None, HOUR).await.succeeded, 40);
    world.drain(HOUR).await;
    world
}

fn with(world: &World, calls: &'static [&'static str], takes: Duration, busy: bool) -> Context {
    let guests = Arc::new(Two { first: world.vendor.clone(), calls, takes, busy });
    Context { guests, ..world.context.clone() }
}

async fn gated(context: &Context, digest: &str, most: usize) -> Gate {
    gate(context, "acme", &Digest(digest.into()), most).await.expect("it is gated")
}

#[test]
fn invariant_9_the_same_version_asks_for_the_same_after_faults_and_crashes_and_sends_nothing() {
    for seed in 0..20 {
        run(async {
            let world = day(seed, faulty()).await;
            let calls = world.vendor.calls();
            let gate = gated(&world.context, "d", 200).await;
            assert_eq!((gate.replayed, gate.same, gate.ended_otherwise, gate.cut_short), (40, 40, 0, false), "seed {seed}: {gate:#?}");
            assert_eq!(world.vendor.calls(), calls, "nothing is sent");
        });
    }
}

#[test]
fn what_another_version_does_differently_is_told_call_by_call() {
    run(async {
        let world = day(1, Behaviour::default()).await;
        let told = async |calls| {
            let gate = gated(&with(&world, calls, Duration::ZERO, false), "e", 200).await;
            assert_eq!(gate.replayed, 40);
            gate.places.into_iter().map(|place| format!("{} {} {}", place.call, place.what, place.syncs)).collect::<Vec<_>>()
        };
        assert_eq!(told(&["save", "tag"]).await, [""; 0]);
        assert_eq!(told(&["save"]).await, ["tag no longer made 40"]);
        assert_eq!(told(&["save", "tag", "tag"]).await, ["tag new call 40"]);
        assert_eq!(told(&["tag", "save"]).await, ["save at another place in the order 40"]);
    });
}

#[test]
fn the_newest_runs_of_all_organizations_come_first() {
    run(async {
        let world = day(2, Behaviour::default()).await;
        let all = recorded(&world.context, "acme", 200).await.expect("recorded");
        assert_eq!(all.len(), 40);
        assert!(all.is_sorted_by(|newer, older| newer.sync > older.sync));
        assert_eq!(recorded(&world.context, "acme", 7).await.expect("recorded")[..], all[..7]);
        assert_eq!(recorded(&world.context, "another", 200).await.expect("recorded"), []);
        assert_eq!(gated(&world.context, "d", 5).await.replayed, 5);
    });
}

#[test]
fn a_gate_ends_when_its_time_is_over_or_the_host_has_no_place() {
    run(async {
        let world = day(3, Behaviour::default()).await;
        let slow = gated(&with(&world, &["save", "tag"], Duration::from_secs(7), false), "e", 200).await;
        assert_eq!((slow.replayed, slow.same, slow.cut_short), (8, 8, true));
        let busy = gated(&with(&world, &[], Duration::ZERO, true), "e", 200).await;
        assert_eq!((busy.replayed, busy.cut_short), (0, true));
    });
}

#[test]
fn a_journal_line_is_read_back_holds_no_secret_and_is_found_in_its_organization_only() {
    run(async {
        let world = day(4, Behaviour::default()).await;
        let connection: Connection = world.connection("con_a").await;
        let whose: Whose = connection.whose();
        let slots = [("key".to_owned(), "s3cret-canary".to_owned())];
        world.context.store.seal(&whose, slots.into()).await.expect("sealed");
        let run = recorded(&world.context, "acme", 1).await.expect("recorded").remove(0);
        let line = journal::of_sync(&world.context, ORGANIZATION, &run.sync).await.expect("read");
        assert!(line.ends_with('\n') && !line.contains("s3cret"));
        assert_eq!(crm_sync::replay::read_lines(&line).expect("read"), vec![run.clone()]);
        let elsewhere = journal::of_sync(&world.context, "org_other", &run.sync).await;
        assert_eq!(elsewhere, Err(ServiceError::NotFound("sync")));
        let audit = world.context.store.page(ORGANIZATION, Kind::Audit, None, 10).await.expect("read");
        assert!(audit.iter().any(|entry| entry.json.contains("journal.read")), "{audit:?}");
        world.enqueue(vec![world.job("con_a", "cmp_2", "new@example.com")]).await;
        let unrun = world.context.store.jobs(ORGANIZATION, &Default::default(), None, 1).await.expect("listed").remove(0);
        let early = journal::of_sync(&world.context, ORGANIZATION, &unrun.new.id).await;
        assert!(matches!(early, Err(ServiceError::Conflict { code: "not_recorded", .. })), "{early:?}");
    });
}

#[test]
fn the_record_of_a_person_goes_with_their_jobs() {
    run(async {
        let world = day(5, Behaviour::default()).await;
        let jobs: Vec<String> = recorded(&world.context, "acme", 200).await.expect("recorded").into_iter().map(|run| run.sync).collect();
        world.context.store.erase(ORGANIZATION, &jobs[1..], &[], Vec::new()).await.expect("erased");
        let left = recorded(&world.context, "acme", 200).await.expect("recorded");
        assert_eq!(left.iter().map(|run| &run.sync).collect::<Vec<_>>(), [&jobs[0]]);
    });
}
