//! Webhooks in virtual time: the schedule to its end, endpoints that give up or are given up, restarts in between, and neighbours.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crm_simulation::courier::{Reply, Sent};
use crm_simulation::world::ORGANIZATION;
use crm_simulation::{Behaviour, World};
use crm_store::model::{Job, JobFilter, JobState, Kind};
use crm_sync::services::events::{Event, outbox};
use crm_sync::services::webhooks::{self, DisabledBy, EndpointChange, NewEndpoint, WebhookEndpoint};
use serde_json::Value;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("builds").block_on(future)
}

/// A host without jitter, so that times are exact.
fn world() -> World {
    World::with(1, Behaviour::default(), |config| config.jitter_percent = 0)
}

async fn endpoint(world: &World, url: &str, events: &[&str]) -> String {
    let new = NewEndpoint { url: url.into(), description: None, events: events.iter().map(|e| (*e).to_owned()).collect() };
    webhooks::create(&world.context, ORGANIZATION, new).await.expect("made").endpoint.value.id
}

async fn kept(world: &World, id: &str) -> WebhookEndpoint {
    webhooks::get(&world.context, ORGANIZATION, id).await.expect("there").value
}

/// Something happens; answers how many deliveries it makes.
async fn happen(world: &World, n: usize) -> usize {
    let event = Event::ImportFinished { import: format!("imp_{n}"), campaign: "cmp_1".into(), state: "succeeded".into(), counts: vec![] };
    let jobs = outbox(&world.context, ORGANIZATION, &[event]).await.expect("told");
    let count = jobs.len();
    world.enqueue(jobs).await;
    count
}

async fn deliveries(world: &World) -> Vec<Job> {
    let filter = JobFilter { lanes: webhooks::LANES.into(), ..JobFilter::default() };
    world.context.store.jobs(ORGANIZATION, &filter, None, 10_000).await.expect("listed")
}

fn kinds(sent: &[Sent]) -> Vec<String> {
    sent.iter().filter_map(|s| serde_json::from_str::<Value>(&s.body).ok()?["type"].as_str().map(str::to_owned)).collect()
}

#[test]
fn a_dead_endpoint_is_tried_by_the_standards_schedule_with_one_id_and_then_failed() {
    run(async {
        let mut world = world();
        world.courier.script(|_| Reply::status(503));
        endpoint(&world, "https://dead.example", &["*"]).await;
        assert_eq!(happen(&world, 1).await, 1);
        world.start();
        tokio::time::sleep(4 * DAY).await;
        let sent = world.courier.sent();
        let waits: Vec<u64> = sent.windows(2).map(|pair| (pair[1].at - pair[0].at) / 1_000).collect();
        let standard = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
        assert_eq!(waits.len(), standard.len());
        assert!(waits.iter().zip(standard).all(|(wait, due)| (due..=due + 1).contains(wait)), "{waits:?}");
        assert!(sent.iter().all(|s| s.id == sent[0].id && s.body == sent[0].body));
        let job = deliveries(&world).await.remove(0);
        assert_eq!((job.state, job.attempts), (JobState::Failed, 10));
        assert_eq!(world.context.store.attempts(ORGANIZATION, &job.new.id).await.expect("kept").len(), 10);
    });
}

#[test]
fn an_endpoint_that_asks_for_time_gets_it() {
    run(async {
        let mut world = world();
        world.courier.script(|_| Reply { retry_after_s: Some(90), ..Reply::status(429) });
        endpoint(&world, "https://busy.example", &["*"]).await;
        happen(&world, 1).await;
        world.start();
        tokio::time::sleep(HOUR / 2).await;
        let waits: Vec<u64> = world.courier.sent().windows(2).map(|pair| (pair[1].at - pair[0].at) / 1_000).collect();
        assert!(waits.len() == 2 && (90..=91).contains(&waits[0]) && (300..=301).contains(&waits[1]), "{waits:?}");
    });
}

#[test]
fn a_410_disables_the_endpoint_and_cancels_what_is_open() {
    run(async {
        let mut world = world();
        world.courier.script(|_| Reply::status(500));
        let id = endpoint(&world, "https://gone.example", &["*"]).await;
        for n in 0..10 {
            happen(&world, n).await;
        }
        world.start();
        tokio::time::sleep(MINUTE).await;
        world.courier.script(|_| Reply::status(410));
        tokio::time::sleep(HOUR).await;
        assert_eq!(kept(&world, &id).await.disabled.map(|d| d.by), Some(DisabledBy::Gone));
        let states: Vec<JobState> = deliveries(&world).await.iter().map(|job| job.state).collect();
        assert_eq!(states.iter().filter(|s| **s == JobState::Failed).count(), 1, "the one that was told so: {states:?}");
        assert_eq!(states.iter().filter(|s| **s == JobState::Cancelled).count(), 9, "{states:?}");
        assert_eq!(happen(&world, 11).await, 0, "nothing more is made for it");
        let change = EndpointChange { enabled: Some(true), ..EndpointChange::default() };
        webhooks::update(&world.context, ORGANIZATION, &id, None, change).await.expect("enabled");
        assert_eq!(happen(&world, 12).await, 1);
    });
}

/// Sends an event every six hours for `days`; answers the endpoint's state at the end of each day.
async fn failing(world: &mut World, id: &str, days: usize) -> Vec<Option<DisabledBy>> {
    world.start();
    let mut states = Vec::new();
    for n in 0..days * 4 {
        happen(world, n).await;
        tokio::time::sleep(6 * HOUR).await;
        if n % 4 == 3 {
            states.push(kept(world, id).await.disabled.map(|d| d.by));
        }
    }
    states
}

#[test]
fn five_days_without_a_success_disable_an_endpoint_and_say_so() {
    run(async {
        let mut world = world();
        world.courier.script(|_| Reply::silence());
        let id = endpoint(&world, "https://dead.example", &["*"]).await;
        let states = failing(&mut world, &id, 6).await;
        assert_eq!(states, [None, None, None, None, None, Some(DisabledBy::Failing)]);
        assert!(deliveries(&world).await.iter().all(|job| job.state.is_final()), "what was open is cancelled");
        let log = world.context.store.page(ORGANIZATION, Kind::Audit, None, 100).await.expect("kept");
        assert_eq!(log.iter().filter(|entry| entry.json.contains("webhook_endpoint.disabled")).count(), 1, "{log:?}");
    });
}

#[test]
fn one_success_in_between_begins_the_five_days_anew() {
    run(async {
        let mut world = world();
        let start = world.context.now();
        let good = start + 4 * 86_400_000..start + 4 * 86_400_000 + 6 * 3_600_000;
        world.courier.script(move |sent| Reply::status(if good.contains(&sent.at) { 200 } else { 500 }));
        let id = endpoint(&world, "https://ill.example", &["*"]).await;
        assert_eq!(failing(&mut world, &id, 6).await, [None; 6]);
    });
}

#[test]
fn invariant_5_restarts_in_between_lose_no_delivery_and_change_no_id() {
    for crash_after in [3, 40, 110, 700] {
        run(async move {
            let mut world = world();
            world.courier.script(|_| Reply { after: Duration::from_millis(100), ..Reply::status(200) });
            for url in ["https://one.example", "https://two.example"] {
                endpoint(&world, url, &["*"]).await;
            }
            for n in 0..50 {
                assert_eq!(happen(&world, n).await, 2);
            }
            for _ in 0..3 {
                world.start();
                tokio::time::sleep(Duration::from_millis(crash_after)).await;
                world.crash().await;
            }
            world.start();
            tokio::time::sleep(5 * MINUTE).await;
            let jobs = deliveries(&world).await;
            assert!(jobs.len() == 100 && jobs.iter().all(|job| job.state == JobState::Succeeded), "after {crash_after} ms");
            let sent = world.courier.sent();
            let mut bodies: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
            for s in &sent {
                bodies.entry(&s.id).or_default().insert(&s.body);
            }
            assert!(bodies.len() == 50 && bodies.values().all(|b| b.len() == 1), "one id, one body");
            let taken: BTreeSet<(&str, &str)> = sent.iter().map(|s| (s.url.as_str(), s.id.as_str())).collect();
            assert_eq!(taken.len(), 100, "every endpoint got every event");
            assert!(sent.len() <= 100 + 3 * 8, "{} tries: at most what was under way is sent twice", sent.len());
        });
    }
}

#[test]
fn invariant_7_endpoints_that_do_not_answer_delay_neither_syncs_nor_other_endpoints() {
    run(async {
        let mut world = World::with(1, Behaviour { latency: Duration::from_millis(20), ..Behaviour::default() }, |config| {
            config.jitter_percent = 0;
            config.webhook_workers = 40;
        });
        world.courier.script(|sent| if sent.url.contains("dead") { Reply::silence() } else { Reply::status(200) });
        for n in 0..19 {
            endpoint(&world, &format!("https://dead-{n}.example"), &["import.finished"]).await;
        }
        endpoint(&world, "https://good.example", &["import.finished"]).await;
        world.start();
        for n in 0..50 {
            happen(&world, n).await;
        }
        // Once the dead ones are known as such, they hold one place each.
        tokio::time::sleep(2 * MINUTE).await;
        let before = world.context.now();
        happen(&world, 99).await;
        world.connect("con_a").await;
        world.enqueue((0..100).map(|n| world.job("con_a", "cmp_1", &format!("a{n}@example.com"))).collect()).await;
        tokio::time::sleep(MINUTE).await;
        let good = world.courier.to("https://good.example");
        assert_eq!(good.len(), 51);
        let last = good.iter().map(|s| s.at).max().expect("sent");
        assert!(last >= before && last - before < 2_000, "{} ms", last.saturating_sub(before));
        assert_eq!(world.vendor.tagged("con_a"), 100);
        let tagged = world.vendor.last_tag("con_a").expect("tagged");
        assert!(tagged - before < 10_000, "{} ms", tagged - before);
    });
}

#[test]
fn a_disabled_endpoint_keeps_what_is_open_until_it_is_enabled() {
    run(async {
        let mut world = world();
        world.courier.script(|_| Reply::status(500));
        let id = endpoint(&world, "https://maintenance.example", &["*"]).await;
        for n in 0..6 {
            happen(&world, n).await;
        }
        world.start();
        tokio::time::sleep(Duration::from_secs(3)).await;
        let off = EndpointChange { enabled: Some(false), ..EndpointChange::default() };
        webhooks::update(&world.context, ORGANIZATION, &id, None, off).await.expect("disabled");
        tokio::time::sleep(Duration::from_secs(2)).await;
        let tries = world.courier.sent().len();
        world.courier.script(|_| Reply::status(200));
        tokio::time::sleep(DAY).await;
        assert_eq!(world.courier.sent().len(), tries, "nothing leaves while it is disabled");
        assert_eq!(happen(&world, 7).await, 0);
        let on = EndpointChange { enabled: Some(true), ..EndpointChange::default() };
        webhooks::update(&world.context, ORGANIZATION, &id, None, on).await.expect("enabled");
        tokio::time::sleep(2 * MINUTE).await;
        let states: Vec<JobState> = deliveries(&world).await.iter().map(|job| job.state).collect();
        assert_eq!(states, [JobState::Succeeded; 6]);
    });
}

#[test]
fn a_sync_tells_its_first_failure_and_its_end_and_no_more() {
    run(async {
        let mut world = World::new(5, Behaviour { failing: 1.0, ..Behaviour::default() });
        endpoint(&world, "https://shop.example", &["*"]).await;
        world.connect("con_a").await;
        world.enqueue(vec![world.job("con_a", "cmp_1", "zoe@example.com")]).await;
        world.start();
        tokio::time::sleep(20 * Duration::from_secs(1)).await;
        assert_eq!(kinds(&world.courier.sent()), ["sync.retrying"], "ten failures for one reason are one message");
        world.vendor.behaviour.lock().failing = 0.0;
        tokio::time::sleep(MINUTE).await;
        let sent = world.courier.sent();
        assert_eq!(kinds(&sent), ["sync.retrying", "sync.succeeded"]);
        let told: Value = serde_json::from_str(&sent[0].body).expect("JSON");
        let sync = &told["data"]["sync"];
        assert_eq!(
            (&sync["state"], &sync["reason"]["code"], &sync["email"]),
            (&"retrying".into(), &"retryable".into(), &"zoe@example.com".into())
        );
        assert!(sync["next_at"].is_string() && sync["connection"] == "con_a");
        tokio::time::sleep(HOUR).await;
        assert_eq!(world.courier.sent().len(), 2, "what deliveries come to is told by none");
    });
}

#[test]
fn a_sync_that_fails_for_good_and_a_parked_connection_are_told_once() {
    run(async {
        let mut world = World::with(5, Behaviour::default(), |config| config.retry_schedule_s = vec![1, 1]);
        endpoint(&world, "https://shop.example", &["*"]).await;
        world.connect("con_a").await;
        world.vendor.behaviour.lock().failing = 1.0;
        world.enqueue(vec![world.job("con_a", "cmp_1", "zoe@example.com")]).await;
        world.start();
        tokio::time::sleep(MINUTE).await;
        assert_eq!(kinds(&world.courier.sent()), ["sync.retrying", "sync.failed"]);
        world.vendor.behaviour.lock().failing = 0.0;
        world.vendor.behaviour.lock().refused.insert("con_b".into());
        world.connect("con_b").await;
        world.enqueue((0..20).map(|n| world.job("con_b", "cmp_1", &format!("b{n}@example.com"))).collect()).await;
        tokio::time::sleep(MINUTE).await;
        assert_eq!(kinds(&world.courier.sent()), ["sync.retrying", "sync.failed", "connection.needs_credentials"]);
    });
}
