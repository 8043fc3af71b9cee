//! A guest that does what a guest must not, one thing at a time, chosen by the setting `behave`. It exists to show that
//! the host survives each. Must not be installed anywhere.

wit_bindgen::generate!({ path: "../../../../wit/since-v0.1.0", world: "connector" });

use std::hint::black_box;

use rekomi::crm_connector::egress::{self, Body, Request};
use rekomi::crm_connector::log::{self, Level};
use rekomi::crm_connector::types::*;

struct Hostile;
export!(Hostile);

fn pair(key: &str, value: &str) -> Pair {
    Pair { key: key.into(), value: value.into() }
}

fn request(call: &str) -> Request {
    Request { call: call.into(), path: vec![], query: vec![], headers: vec![], body: Body::None }
}

/// Sends and reports what the host said, so that a test can read the refusal.
fn try_to_send(request: Request) -> Ending {
    let text = match egress::send(&request) {
        Ok(response) => format!("answered {}", response.status),
        Err(why) => format!("{why:?}"),
    };
    Ending::Failed(Error::Permanent(Told { code: "tried".into(), text }))
}

fn done() -> Ending {
    Ending::Done(Success { change: Change::Unchanged, standing: Standing::Normal, warnings: vec![] })
}

fn spin(rounds: u64) {
    let mut x = 1u64;
    for i in 0..rounds {
        x = black_box(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(i));
    }
    black_box(x);
}

#[expect(unconditional_recursion, reason = "that is the point")]
fn recurse(depth: u64) -> u64 {
    let room = black_box([depth; 16]);
    black_box(recurse(black_box(depth + 1))) + room[3]
}

/// Keeps nothing in linear memory, so that wasm's own stack ends first.
fn dive(depth: u64) -> u64 {
    if depth == 0 { 0 } else { dive(depth + 1).wrapping_mul(31).wrapping_add(depth) }
}

fn misbehave(job: &Job, known: &mut Known) -> Ending {
    match job.on.settings.iter().find(|p| p.key == "behave").map_or("", |p| p.value.as_str()) {
        "loop" => loop {
            spin(1_000_000);
        },
        "recurse" => {
            black_box(recurse(0));
            done()
        }
        "dive" => {
            black_box(dive(black_box(1)));
            done()
        }
        "allocate" => {
            let mut hoard: Vec<Vec<u8>> = Vec::new();
            loop {
                hoard.push(black_box(vec![1; 1 << 20]));
            }
        }
        // Asks, is refused, and lives with it: no fault.
        "allocate-politely" => {
            let mut hoard: Vec<u8> = Vec::new();
            let refused = hoard.try_reserve(1 << 30).is_err();
            known.memo = Some(refused.to_string());
            done()
        }
        "flood-log" => {
            for i in 0..100_000 {
                log::line(Level::Info, &format!("line {i}"));
            }
            done()
        }
        "giant-log" => {
            log::line(Level::Error, &"x".repeat(4 << 20));
            done()
        }
        "giant-log-over-fuel" => {
            log::line(Level::Error, &"x".repeat(16 << 20));
            done()
        }
        "undeclared-call" => try_to_send(request("delete-everything")),
        "undeclared-field" => {
            let body = Body::Json("{\"email\":\"a@example.com\",\"role\":\"admin\"}".into());
            try_to_send(Request { body, ..request("save") })
        }
        "foreign-host" => try_to_send(Request {
            path: vec![pair("id", "//evil.example/../..")],
            headers: vec![pair("Host", "evil.example")],
            ..request("tag")
        }),
        "foreign-url" => try_to_send(request("https://evil.example/steal")),
        "many-calls" => loop {
            drop(egress::send(&request("find")));
        },
        // Never long enough for one step, far too long in all.
        "spin-between-calls" => loop {
            spin(20_000_000);
            drop(egress::send(&request("find")));
        },
        "wait" => try_to_send(request("find")),
        "panic" => panic!("as asked"),
        "trap" => core::arch::wasm32::unreachable(),
        "out-of-bounds" => {
            let far = black_box(usize::MAX - 16) as *const u64;
            // SAFETY: none; the sandbox must catch it.
            known.memo = Some(unsafe { far.read_volatile() }.to_string());
            done()
        }
        "giant-answer" => Ending::Failed(Error::Permanent(Told { code: "x".repeat(1 << 20), text: "y".repeat(4 << 20) })),
        "giant-answer-over-fuel" => Ending::Failed(Error::Permanent(Told { code: String::new(), text: "y".repeat(16 << 20) })),
        "long-memo" => {
            known.memo = Some("m".repeat(1_025));
            done()
        }
        "remember" => {
            // A fresh store per call: what a run leaves in memory is gone in the next.
            static mut SEEN: u32 = 0;
            // SAFETY: one thread.
            let seen = unsafe {
                SEEN += 1;
                SEEN
            };
            known.memo = Some(seen.to_string());
            done()
        }
        _ => done(),
    }
}

fn refuse<T>() -> Result<T, Error> {
    Err(Error::Unsupported(Told { code: "no".into(), text: String::new() }))
}

impl Guest for Hostile {
    fn verify(_on: Connection) -> Result<Account, Error> {
        refuse()
    }

    fn list_choices(_on: Connection, _picker: String, _search: Option<String>, _cursor: Option<String>) -> Result<Page, Error> {
        let choice = Choice { id: "i".repeat(64), name: "n".repeat(64), detail: None, selectable: true, facts: vec![] };
        Ok(Page { items: vec![choice; 3_000], next: None })
    }

    fn prepare(_on: Connection, _tags: Vec<String>, _fields: Vec<String>, _apply: bool) -> Result<Prepared, Error> {
        refuse()
    }

    fn sync_contact(job: Job) -> Report {
        let mut known = job.known.clone();
        let ending = misbehave(&job, &mut known);
        Report { known, ending }
    }

    fn untag_contact(job: Job) -> Report {
        Report { known: job.known, ending: done() }
    }

    fn lookup_contact(_on: Connection, _who: Person, _known: Known) -> Result<Option<Seen>, Error> {
        Ok(None)
    }
}
