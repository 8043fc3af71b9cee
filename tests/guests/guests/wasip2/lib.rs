//! A guest with a real standard library for `wasm32-wasip2`: reads clocks, randomness, environment, arguments and files
//! the way ordinary Rust code does, and reports all that it got to see. Must not touch sockets; `wasip2-net` does.

wit_bindgen::generate!({ path: "../../../../wit/since-v0.1.0", world: "connector" });

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::{Instant, SystemTime};

use rekomi::crm_connector::types::*;

struct Observer;
export!(Observer);

fn observe() -> String {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_nanos());
    let start = Instant::now();
    println!("this goes nowhere");
    eprintln!("and so does this");
    format!(
        "wall={wall} ticks={} random={} env={} args={} read={} write={} dir={} cwd={}",
        start.elapsed().as_nanos() > 0,
        RandomState::new().hash_one(1),
        std::env::vars().count(),
        std::env::args().count(),
        std::fs::read("/etc/passwd").is_ok(),
        std::fs::write("/tmp/crm-guest-was-here", "x").is_ok(),
        std::fs::read_dir("/").is_ok(),
        std::env::current_dir().is_ok_and(|d| std::fs::metadata(d).is_ok()),
    )
}

fn refuse<T>() -> Result<T, Error> {
    Err(Error::Unsupported(Told { code: "no".into(), text: String::new() }))
}

fn report(job: Job) -> Report {
    match job.on.settings.iter().find(|p| p.key == "behave").map_or("", |p| p.value.as_str()) {
        "exit" => std::process::exit(0),
        "sleep" => std::thread::sleep(std::time::Duration::from_secs(3600)),
        _ => {}
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
