//! What a million documents cost: written in commits of 1,000 with three unique names each, as an import of affiliates writes them; then
//! opened again. Each part runs in a process of its own, so that its peak of memory is its own.
//! `documents [directory] [documents] [documents per commit]`; `-` as the directory makes one and removes it.

#![expect(clippy::print_stdout, reason = "a program for people")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use crm_store::model::*;
use crm_store::sled_store::{OpenOptions, SledStore};
use crm_store::{MasterKey, SpaceGate, Store, StoreError};

const ORGANIZATION: &str = "org_01JABCDEFGHJKMNPQRSTVWXYZ0";

/// Spreads numbers, so that e-mails come in no order, as those of people do.
fn spread(n: u64) -> u64 {
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

fn email(n: u64) -> String {
    format!("{:x}.person@company-{}.example", spread(n), n % 977)
}

fn id(n: u64) -> String {
    format!("aff_01JB{n:022}")
}

fn put(n: u64) -> Put {
    let (email, id) = (email(n), id(n));
    let slug = format!("{:x}", spread(n + 1));
    let json = format!(
        "{{\"email\":\"{email}\",\"first\":\"Ann\",\"last\":\"Example\",\"company\":\"Company {}\",\"slug\":\"{slug}\",\"coupon\":null,\
         \"former_emails\":[],\"consent\":{{\"at\":1700000000,\"source\":\"import\",\"text\":\"I agree to the terms of the program\"}},\
         \"campaigns\":[{{\"campaign\":\"cmp_01JABCDEFGHJKMNPQRSTVWXYZ0\",\"status\":\"approved\",\"joined\":1700000000000,\
         \"approved\":1700000000000,\"changed\":1700000000000,\"reason\":null}}],\"created\":1700000000000,\"changed\":1700000000000}}",
        n % 977
    );
    let place = format!("cmp_01JABCDEFGHJKMNPQRSTVWXYZ0/approved/{id}");
    let record = RecordKey { organization: ORGANIZATION.into(), kind: Kind::Affiliate, id };
    Put { record, expect: Some(0), json: Some(json), unique: vec![("email".into(), email), ("slug".into(), slug), ("in".into(), place)] }
}

/// A line of this process's status, such as its peak of memory.
fn status(name: &str) -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).map_or("?".into(), |kb| format!("{} MB", kb / 1024))
}

fn open(dir: &Path) -> Result<Arc<SledStore>, StoreError> {
    let mut options = OpenOptions::new(MasterKey::from_bytes([1; 32]));
    options.free_space_gate = SpaceGate::Bytes(1 << 30);
    SledStore::open(dir, options)
}

async fn fill(dir: &Path, documents: u64, puts: u64) -> Result<(), StoreError> {
    let store = open(dir)?;
    let (started, mut last) = (Instant::now(), Instant::now());
    for from in (0..documents).step_by(puts as usize) {
        store.commit((from..(from + puts).min(documents)).map(put).collect(), vec![]).await?;
        if (from + puts).is_multiple_of((documents / 10).max(puts)) {
            let rate = (documents / 10) as f64 / last.elapsed().as_secs_f64();
            println!("  {:>9} written, {rate:.0}/s, {} now, {} at most", from + puts, status("VmRSS"), status("VmHWM"));
            last = Instant::now();
        }
    }
    let rate = documents as f64 / started.elapsed().as_secs_f64();
    println!("filled: {rate:.0} documents/s, {} MB on disk, peak {}", store.size_on_disk() / 1_000_000, status("VmHWM"));
    let closing = Instant::now();
    store.close().await?;
    println!("closed in {:?}, peak {}", closing.elapsed(), status("VmHWM"));
    Ok(())
}

async fn look(dir: &Path, documents: u64) -> Result<(), StoreError> {
    let started = Instant::now();
    let store = open(dir)?;
    println!("opened in {:?}, {} now, peak {}", started.elapsed(), status("VmRSS"), status("VmHWM"));
    let (started, looked) = (Instant::now(), 2_000);
    for n in 0..looked {
        let n = spread(n) % documents;
        let found = store.find(ORGANIZATION, Kind::Affiliate, "email", &email(n)).await?;
        if found.is_none_or(|record| record.id != id(n)) {
            return Err(StoreError::Unusable(format!("document {n} is lost")));
        }
    }
    println!("find: {:?} each, peak {}", started.elapsed() / looked as u32, status("VmHWM"));
    let (started, mut after, mut pages, mut seen) = (Instant::now(), None::<String>, 0, 0);
    loop {
        let prefix = "cmp_01JABCDEFGHJKMNPQRSTVWXYZ0/approved/";
        let page = store.named(ORGANIZATION, Kind::Affiliate, "in", prefix, after.as_deref(), 100).await?;
        let Some((name, _)) = page.last() else { break };
        after = Some(name.clone());
        pages += 1;
        seen += page.len() as u64;
    }
    if seen != documents {
        return Err(StoreError::Unusable(format!("{seen} of {documents} are in the index")));
    }
    println!("named: {:?} for a page of 100, all {seen} seen, peak {}", started.elapsed() / pages.max(1), status("VmHWM"));
    store.close().await
}

fn run(dir: &Path, documents: u64, puts: u64) -> Result<(), StoreError> {
    let failed = |error: std::io::Error| StoreError::Unusable(error.to_string());
    let own = std::env::current_exe().map_err(failed)?;
    for part in ["fill", "look"] {
        let ended = Command::new(&own).arg(dir).arg(documents.to_string()).arg(puts.to_string()).arg(part).status().map_err(failed)?;
        if !ended.success() {
            return Err(StoreError::Unusable(format!("{part}: {ended}")));
        }
    }
    Ok(())
}

fn main() -> Result<(), StoreError> {
    let mut arguments = std::env::args().skip(1);
    let given = arguments.next().filter(|dir| dir != "-").map(PathBuf::from);
    let mut number = |otherwise| arguments.next().and_then(|n| n.parse().ok()).unwrap_or(otherwise);
    let (documents, puts): (u64, u64) = (number(1_000_000), number(1_000));
    let Some(part) = arguments.next() else {
        let dir = given.clone().unwrap_or_else(|| std::env::temp_dir().join(format!("crm-documents-{}", std::process::id())));
        let result = run(&dir, documents, puts);
        if given.is_none()
            && let Err(error) = std::fs::remove_dir_all(&dir)
        {
            println!("{} is left: {error}", dir.display());
        }
        return result;
    };
    let dir = given.unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| StoreError::Unusable(error.to_string()))?;
    match part.as_str() {
        "fill" => runtime.block_on(fill(&dir, documents, puts.max(1))),
        _ => runtime.block_on(look(&dir, documents)),
    }
}
