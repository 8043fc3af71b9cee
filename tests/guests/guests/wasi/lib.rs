//! A guest that imports WASI by hand and reports all that it got to see. It needs no toolchain with WASI, so it runs
//! everywhere; `wasip2` does the same through a real standard library. Must not use std for any of it.

wit_bindgen::generate!({
    path: ["../../../../wit/since-v0.1.0", "wasi.wit"],
    world: "rekomi:wasi-guest/both",
    generate_all,
});

use rekomi::crm_connector::types::*;
use wasi::cli::environment;
use wasi::clocks::{monotonic_clock, wall_clock};
use wasi::filesystem::preopens;
use wasi::random::random;

struct Observer;
export!(Observer);

fn observe() -> String {
    let wall = wall_clock::now();
    let (first, second) = (monotonic_clock::now(), monotonic_clock::now());
    format!(
        "wall={}.{:09} ticks={} random={:?} env={} args={} cwd={} dirs={}",
        wall.seconds,
        wall.nanoseconds,
        second > first,
        random::get_random_bytes(16),
        environment::get_environment().len(),
        environment::get_arguments().len(),
        environment::initial_cwd().is_some(),
        preopens::get_directories().len(),
    )
}

fn refuse<T>() -> Result<T, Error> {
    Err(Error::Unsupported(Told { code: "no".into(), text: String::new() }))
}

fn report(job: Job) -> Report {
    if job.on.settings.iter().any(|p| p.key == "behave" && p.value == "much-random") {
        drop(random::get_random_bytes(1 << 30));
    }
    let known = Known { memo: Some(observe()), ..job.known };
    Report { known, ending: Ending::Done(Success { change: Change::Unchanged, standing: Standing::Normal, warnings: vec![] }) }
}

impl Guest for Observer {
    fn verify(_on: Connection) -> Result<Account, Error> {
        Ok(Account { id: Some(observe()), name: None, choice: None, lacking: vec![], facts: vec![] })
    }

    fn list_choices(_on: Connection, _picker: String, _search: Option<String>, _cursor: Option<String>) -> Result<Page, Error> {
        refuse()
    }

    fn prepare(_on: Connection, _tags: Vec<String>, _fields: Vec<String>, _apply: bool) -> Result<Prepared, Error> {
        refuse()
    }

    fn sync_contact(job: Job) -> Report {
        report(job)
    }

    fn untag_contact(job: Job) -> Report {
        report(job)
    }

    fn lookup_contact(_on: Connection, _who: Person, _known: Known) -> Result<Option<Seen>, Error> {
        Ok(None)
    }
}
