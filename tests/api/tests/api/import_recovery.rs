//! Imports over restarts: whatever point the host stops at, every row has one result and no affiliate is made twice. And what time clears up.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::task::{Context as TaskContext, Waker};

use async_trait::async_trait;
use axum::body::{Body, Bytes};
use crm_api_tests::World;
use crm_contract::spool::{Spool, SpoolError, SpoolName, Spooled};
use crm_store::model::Kind;
use crm_sync::context::Context;
use crm_sync::services::imports;
use futures_util::FutureExt;
use http::{Method, Request};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::Notify;

/// Files in memory, at whose operations the host can be made to stop: an append is then half done, anything else not at all, and what was
/// not synced is lost where the power went with it.
#[derive(Default)]
struct Memory {
    files: Mutex<BTreeMap<SpoolName, Vec<u8>>>,
    synced: Mutex<BTreeMap<SpoolName, usize>>,
    power_goes_too: bool,
    /// Operations until the host stops; `None` = it does not.
    fuse: Mutex<Option<usize>>,
    stopped: Notify,
}

impl Memory {
    fn with<T>(&self, name: &SpoolName, work: impl FnOnce(&mut Vec<u8>) -> T) -> Result<T, SpoolError> {
        self.files.lock().get_mut(name).map(work).ok_or(SpoolError::Missing)
    }

    /// Whether the host stops at this operation.
    fn stops(&self) -> bool {
        let mut fuse = self.fuse.lock();
        match fuse.as_mut() {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        }
    }

    /// What a stopped host does: nothing any more.
    async fn stop<T>(&self) -> T {
        if self.power_goes_too {
            let synced = self.synced.lock();
            for (name, file) in self.files.lock().iter_mut() {
                file.truncate(synced.get(name).copied().unwrap_or(0));
            }
        }
        self.stopped.notify_one();
        std::future::pending().await
    }
}

#[async_trait]
impl Spool for Memory {
    async fn create(&self, name: &SpoolName) -> Result<(), SpoolError> {
        if self.stops() {
            return self.stop().await;
        }
        let mut files = self.files.lock();
        if files.contains_key(name) {
            return Err(SpoolError::Exists);
        }
        files.insert(name.clone(), Vec::new());
        Ok(())
    }

    async fn append(&self, name: &SpoolName, bytes: Vec<u8>) -> Result<u64, SpoolError> {
        if self.stops() {
            self.with(name, |file| file.extend_from_slice(&bytes[..bytes.len() / 2]))?;
            return self.stop().await;
        }
        self.with(name, |file| {
            file.extend_from_slice(&bytes);
            file.len() as u64
        })
    }

    async fn sync(&self, name: &SpoolName) -> Result<(), SpoolError> {
        if self.stops() {
            return self.stop().await;
        }
        let length = self.with(name, |file| file.len())?;
        self.synced.lock().insert(name.clone(), length);
        Ok(())
    }

    async fn read(&self, name: &SpoolName, offset: u64, most: usize) -> Result<Vec<u8>, SpoolError> {
        if self.stops() {
            return self.stop().await;
        }
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        self.with(name, |file| file.iter().skip(start).take(most).copied().collect())
    }

    async fn length(&self, name: &SpoolName) -> Result<u64, SpoolError> {
        self.with(name, |file| file.len() as u64)
    }

    async fn truncate(&self, name: &SpoolName, length: u64) -> Result<(), SpoolError> {
        if self.stops() {
            return self.stop().await;
        }
        let wanted = usize::try_from(length).unwrap_or(usize::MAX);
        self.with(name, |file| match file.len() {
            have if have < wanted => Err(SpoolError::Short { have: have as u64, wanted: length }),
            _ => {
                file.truncate(wanted);
                Ok(())
            }
        })?
    }

    async fn delete(&self, name: &SpoolName) -> Result<(), SpoolError> {
        if self.stops() {
            return self.stop().await;
        }
        self.files.lock().remove(name);
        Ok(())
    }

    async fn list(&self) -> Result<Vec<Spooled>, SpoolError> {
        Ok(self.files.lock().iter().map(|(name, file)| Spooled { name: name.clone(), bytes: file.len() as u64 }).collect())
    }
}

/// The host as its next process would see things: the same store and files, and nothing in memory.
fn restarted(context: &Context) -> Context {
    Context { imports: Arc::default(), ..context.clone() }
}

/// Works on imports until nothing is left, or the host stops. `true` = nothing is left.
async fn work(context: &Context, files: &Memory) -> bool {
    let working = async {
        imports::adopt(context).await.expect("the store holds");
        crm_sync::worker::imports::settle(context).await.expect("the store holds");
    };
    tokio::select! {
        () = working => true,
        () = files.stopped.notified() => false,
    }
}

fn file(rows: usize) -> String {
    let mut file = String::from("Email,First Name,Token,State\n");
    for n in 0..rows {
        match n % 50 {
            7 => file.push_str(&format!("not an address {n},X,t-{n},active\n")),
            13 => file.push_str(&format!("P{}@example.com,again,,active\n", n - 13)),
            29 => file.push_str(&format!("p{n}@example.com,thief,t-{},active\n", n - 29)),
            _ => file.push_str(&format!("p{n}@example.com,P{n},t-{n},active\n")),
        }
    }
    file
}

#[tokio::test]
async fn whatever_point_the_host_stops_at_every_row_has_one_result() -> anyhow::Result<()> {
    let rows = 1_300;
    let mut unharmed = 0;
    for stops_at in 0.. {
        let connected = stops_at % 2 == 0;
        let files = Arc::new(Memory { power_goes_too: stops_at % 3 != 0, ..Memory::default() });
        let mut world = World::new().await?;
        world.ctx = world.ctx.clone().with_spool(files.clone());
        world.state.ctx = world.ctx.clone();
        world.router = crm_api::router(world.state.clone());
        if connected {
            world.connect().await?;
        }
        let campaign = world.campaign("friends", &[]).await?;
        let query = format!("campaign={campaign}&approve={connected}&start=true");
        let answer = world.upload(&query, "text/csv", Body::from(file(rows))).await?;
        let id = answer.json()["id"].as_str().expect("an id").to_owned();
        let mut whole = true;
        // Twice at the same distance from its start, and then a host that holds.
        for fuse in [Some(stops_at), Some(stops_at), None] {
            *files.fuse.lock() = fuse;
            whole &= work(&restarted(&world.ctx), &files).await;
        }
        let import = world.get(&format!("/v1/imports/{id}")).await?;
        let counts = json!({ "rows": 1300, "created": 1222, "joined": 0, "duplicates": 26, "errors": 52 });
        assert_eq!(
            (&import["state"], &import["counts"], &import["check"]),
            (&json!("finished"), &counts, &counts),
            "stopped at operation {stops_at}"
        );
        let results = world.rows(&id).await?;
        let numbers: Vec<u64> = results.iter().map(|row| row[0].parse().unwrap_or(0)).collect();
        assert_eq!(numbers, (2..=1_301).collect::<Vec<u64>>(), "stopped at operation {stops_at}: each row once, in order");
        same_people(&world, &results).await?;
        assert_eq!(files.list().await?.len(), 1, "stopped at operation {stops_at}: the uploaded file is gone");
        if whole {
            unharmed += 1;
            if unharmed == 2 {
                assert!(stops_at > 10, "the host was stopped at every operation there is");
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The results name each affiliate that exists as created once, and none besides.
async fn same_people(world: &World, results: &[[String; 5]]) -> anyhow::Result<()> {
    let mut created: HashMap<&str, usize> = HashMap::new();
    for row in results.iter().filter(|row| row[1] == "created") {
        *created.entry(row[2].as_str()).or_default() += 1;
    }
    let kept = world.ctx.store.page(&world.ann.organization, Kind::Affiliate, None, 10_000).await?;
    assert_eq!(kept.len(), created.len());
    assert!(kept.iter().all(|record| created.get(record.id.as_str()) == Some(&1)));
    let finished = world.ctx.store.page(&world.ann.organization, Kind::Audit, None, 10_000).await?;
    assert_eq!(finished.iter().filter(|r| r.json.contains("\"import.finished\"")).count(), 1);
    Ok(())
}

#[tokio::test]
async fn an_upload_that_a_crash_cut_off_and_files_of_nobody_are_cleared_at_the_start() -> anyhow::Result<()> {
    let world = World::new().await?;
    let campaign = world.campaign("friends", &[]).await?;
    let kept = world.checked(&format!("campaign={campaign}&format=custom"), "Email\na@example.com\n").await?;
    // Half a file, then nothing more; the process is gone before anything clears up.
    let pieces = futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from("Email\nb@example.com\n"))]).chain_pending();
    let request = Request::post(format!("/v1/imports?campaign={campaign}&format=custom"));
    let request = request.header("authorization", format!("Bearer {}", world.ann.key)).header("content-type", "text/csv");
    let sending = Box::pin(world.send(request.body(Body::from_stream(pieces))?));
    let mut sending = sending.map(|_| ()).boxed_local();
    while world.get("/v1/imports?state=receiving").await?["data"] == json!([]) || world.files().await?.len() < 3 {
        assert!(sending.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())).is_pending());
    }
    std::mem::forget(sending);
    world.spool.create(&SpoolName::new("imp_of_nobody")?).await?;
    imports::adopt(&restarted(&world.ctx)).await?;
    let listed = world.get("/v1/imports").await?;
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(world.files().await?, [kept.clone(), format!("{kept}_check")], "what waits for its start keeps its files");
    Ok(())
}

trait ChainPending: futures_util::Stream + Sized {
    /// The stream, and then neither more nor an end.
    fn chain_pending(self) -> futures_util::stream::Chain<Self, futures_util::stream::Pending<Self::Item>>;
}

impl<S: futures_util::Stream> ChainPending for S {
    fn chain_pending(self) -> futures_util::stream::Chain<Self, futures_util::stream::Pending<Self::Item>> {
        futures_util::StreamExt::chain(self, futures_util::stream::pending())
    }
}

#[tokio::test]
async fn results_and_unstarted_checks_have_their_time() -> anyhow::Result<()> {
    const DAY: u64 = 86_400_000;
    let world = World::new().await?;
    let campaign = world.campaign("friends", &[]).await?;
    let done = world.import(&format!("campaign={campaign}&format=custom"), "Email\na@example.com\n").await?;
    let done = done["id"].as_str().expect("an id").to_owned();
    let waiting = world.checked(&format!("campaign={campaign}&format=custom"), "Email\nb@example.com\n").await?;
    let later = |days: u64| world.clock.0.fetch_add(days * DAY, std::sync::atomic::Ordering::SeqCst);
    later(6);
    imports::sweep(&world.ctx).await;
    assert_eq!(world.get(&format!("/v1/imports/{waiting}")).await?["state"], "checked");
    later(1);
    imports::sweep(&world.ctx).await;
    assert_eq!(world.get(&format!("/v1/imports/{waiting}")).await?["state"], "cancelled");
    assert_eq!(world.rows(&done).await?.len(), 1);
    later(23);
    imports::sweep(&world.ctx).await;
    let answer = world.ann(Method::GET, &format!("/v1/imports/{done}/results"), Value::Null).await?;
    assert_eq!(answer.problem("expired"), "results_expired");
    assert_eq!(world.files().await?, Vec::<String>::new());
    assert_eq!(world.get(&format!("/v1/imports/{done}")).await?["counts"]["created"], 1, "the import itself is kept");
    Ok(())
}
