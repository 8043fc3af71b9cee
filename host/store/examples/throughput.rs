//! How fast the store is on this machine: acknowledged enqueues per second with 64 clients and their p50 and p99, complete job cycles
//! (claim, two steps, finish) per second, and how long a store with many queued jobs takes to open.
//! `throughput [directory] [jobs] [queued]`.

#![expect(clippy::print_stdout, reason = "a program for people")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crm_contract::ports::{ShownRequest, StepKey};
use crm_store::model::*;
use crm_store::sled_store::{OpenOptions, SledStore};
use crm_store::{MasterKey, Store, StoreError};

const CLIENTS: u64 = 64;
const LANES: u64 = 200;

fn job(n: u64) -> NewJob {
    let (lane, email) = (format!("con_{:022}", n % LANES), format!("person.{n}@company-{}.example", n % 977));
    NewJob {
        id: format!("job_{n:026}"),
        organization: format!("org_{:022}", n % LANES / 4),
        campaign: "cmp_01JABCDEFGHJKMNPQRSTVWXYZ0".into(),
        affiliate: format!("aff_{n:026}"),
        purpose: Purpose::Sync,
        dedupe: format!("{lane}/cmp_1/{email}"),
        exclusive: format!("{lane}/{email}"),
        lane,
        due: 0,
        created: 0,
        who: crm_contract::types::Person { email, first: Some("Ann".into()), last: Some("Example".into()), ..Default::default() },
        set: vec!["Rekomi affiliate".into(), "partner".into()],
        clear: Vec::new(),
        all: vec!["Rekomi affiliate".into(), "partner".into()],
        scope: String::new(),
        payload: None,
    }
}

async fn enqueue(store: &Arc<SledStore>, from: u64, jobs: u64) -> Result<(Duration, Vec<Duration>), StoreError> {
    let next = Arc::new(AtomicU64::new(from));
    let started = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (store, next) = (store.clone(), next.clone());
            tokio::spawn(async move {
                let mut took = Vec::new();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= from + jobs {
                        return Ok::<_, StoreError>(took);
                    }
                    let asked = Instant::now();
                    store.commit(Vec::new(), vec![job(n)]).await?;
                    took.push(asked.elapsed());
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for client in clients {
        all.extend(client.await.map_err(|error| StoreError::Unusable(error.to_string()))??);
    }
    let took = started.elapsed();
    all.sort();
    Ok((took, all))
}

fn step(attempt: u32, number: u32) -> Step {
    let key = StepKey { call: "save-contact".into(), hash: "5e884898da28047151d0e56f8dc62927".into(), occurrence: 0 };
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    let body = Some("{\"email\":\"ann@company.example\",\"first\":\"Ann\"}".to_owned());
    let request = ShownRequest { method: "POST".into(), url: "https://api.acme.example/1/contacts".into(), headers, body };
    Step { attempt, number, kept: KeptStep::Intent { key, request, at: 1 } }
}

async fn cycles(store: &Arc<SledStore>, jobs: u64) -> Result<Duration, StoreError> {
    let started = Instant::now();
    let done = Arc::new(AtomicU64::new(0));
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..16u64 {
        let (store, done) = (store.clone(), done.clone());
        workers.spawn(async move {
            let mine: Vec<(String, u32)> = (0..LANES).filter(|n| n % 16 == worker).map(|n| (format!("con_{n:022}"), 4)).collect();
            let owner = format!("owner {worker}");
            loop {
                let claims = store.claim(&owner, 1, 60_000, &mine).await?;
                if claims.is_empty() {
                    return Ok::<_, StoreError>(());
                }
                let runs = claims.into_iter().map(|claim| {
                    let (store, done) = (store.clone(), done.clone());
                    tokio::spawn(async move {
                        let id = claim.job.new.id.clone();
                        for number in 0..2 {
                            store.step(&claim.lane, claim.epoch, &id, step(1, number), false).await?;
                        }
                        let mut job = claim.job;
                        (job.state, job.attempts, job.updated, job.finished) = (JobState::Succeeded, 1, 2, Some(2));
                        let known = crm_contract::types::Known { contact_id: Some("1".into()), ..Default::default() };
                        store.finish(&claim.lane, claim.epoch, Finish { job, attempt: None, known: Some(known), jobs: Vec::new() }).await?;
                        done.fetch_add(1, Ordering::Relaxed);
                        Ok::<_, StoreError>(())
                    })
                });
                for run in runs.collect::<Vec<_>>() {
                    run.await.map_err(|error| StoreError::Unusable(error.to_string()))??;
                }
                if done.load(Ordering::Relaxed) >= jobs {
                    return Ok(());
                }
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker.map_err(|error| StoreError::Unusable(error.to_string()))??;
    }
    println!("  {} cycles", done.load(Ordering::Relaxed));
    Ok(started.elapsed())
}

fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default().to_owned()
}

fn main() -> Result<(), StoreError> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().map_or_else(|| std::env::temp_dir().join("crm-throughput"), PathBuf::from);
    let mut number = |otherwise| arguments.next().and_then(|n| n.parse().ok()).unwrap_or(otherwise);
    let (jobs, queued): (u64, u64) = (number(100_000), number(0));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| StoreError::Unusable(error.to_string()))?;
    let open = || SledStore::open(&dir, OpenOptions::new(MasterKey::from_bytes([1; 32])));
    let store = open()?;
    let (took, all) = runtime.block_on(enqueue(&store, 0, jobs))?;
    let at = |percent: usize| all.get(all.len() * percent / 100).copied().unwrap_or_default();
    println!("enqueue: {:.0} acknowledged jobs/s, p50 {:?}, p99 {:?}", jobs as f64 / took.as_secs_f64(), at(50), at(99));
    let took = runtime.block_on(cycles(&store, jobs))?;
    println!("cycles: {:.0} jobs/s (claim, two steps, finish)", jobs as f64 / took.as_secs_f64());
    println!("disk: {} MB, {}", store.size_on_disk() / 1_000_000, memory());
    if queued > 0 {
        let mut from = jobs;
        while from < jobs + queued {
            let slice = (jobs + queued - from).min(1000);
            runtime.block_on(store.commit(Vec::new(), (from..from + slice).map(job).collect()))?;
            from += slice;
        }
        println!("{queued} queued, {}", memory());
    }
    runtime.block_on(store.close())?;
    drop(store);
    let started = Instant::now();
    let store = open()?;
    let ready = store.ready(u64::MAX, 10).len();
    println!("open: {:?} with {queued} queued jobs, {ready} lanes ready, {}", started.elapsed(), memory());
    runtime.block_on(store.close())
}
