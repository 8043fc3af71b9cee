//! What every twin does with a request, whatever the vendor: check, count against the limit, let the fault script
//! speak, apply, and write it in the book.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use crate::book::{Book, Entry, Role, Verdict};
use crate::faults::{Fault, Faults, Script, When};
use crate::window::{Allowance, Standing, Window};

/// One endpoint of a vendor.
pub struct Route {
    pub method: Method,
    pub path: &'static str,
    /// `METHOD /path`: its name in the log, the counters and fault scripts.
    pub name: &'static str,
    pub role: Role,
}

/// An answer, before faults are applied to it.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub content_type: &'static str,
    pub body: Bytes,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) cut: Cut,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    No,
    Silent,
    Midway,
}

impl Reply {
    pub fn json(status: u16, body: Vec<u8>) -> Self {
        Self { status, content_type: "application/json", body: body.into(), headers: Vec::new(), cut: Cut::No }
    }

    pub fn text(status: u16, body: &'static str) -> Self {
        Self {
            status,
            content_type: "text/plain; charset=utf-8",
            body: Bytes::from_static(body.as_bytes()),
            headers: Vec::new(),
            cut: Cut::No,
        }
    }
}

/// What makes a twin this vendor. Methods are synchronous and quick: they run under the vendor's own lock.
pub trait Vendor: Send + Sync + 'static {
    /// A request taken apart, so that the log can name its contact before the fault script decides whether it is applied.
    type Parsed: Send;

    fn routes(&self) -> &'static [Route];
    /// Names of the limit, remaining and reset headers.
    fn rate_headers(&self) -> &[HeaderName; 3];
    /// Checks the credentials.
    fn admit(&self, headers: &HeaderMap) -> Result<(), Reply>;
    /// The contact's normalised e-mail (or nothing), and the request.
    fn parse(&self, route: usize, query: &str, headers: &HeaderMap, body: &[u8]) -> (String, Self::Parsed);
    fn apply(&self, route: usize, request: Self::Parsed) -> Reply;
    fn throttled(&self) -> Reply;
    /// No route has this path (`false`), or none has this method (`true`).
    fn unknown(&self, path_exists: bool) -> Reply;

    fn counters(&self) -> Map<String, Value>;
    fn contacts(&self, offset: usize, limit: usize) -> Vec<Value>;
    /// The person opts out at the vendor's side. `false` = no such contact.
    fn opt_out(&self, email: &str) -> bool;
    /// The merchant deletes the contact. `false` = no such contact.
    fn remove(&self, email: &str) -> bool;
    fn add_tags(&self, names: &[String]);
    fn reset(&self);
}

/// A vendor with its limit, its faults and its book.
pub struct Core<V> {
    pub vendor: V,
    book: Mutex<Book>,
    faults: Mutex<Faults>,
    armed: AtomicBool,
    window: Mutex<Window>,
    started: Instant,
    started_unix_ms: u64,
    unauthorized: AtomicU64,
    throttled: AtomicU64,
}

/// An answer and what the limit headers are to say.
pub(crate) struct Answered {
    pub(crate) reply: Reply,
    pub(crate) standing: Option<Standing>,
}

impl<V: Vendor> Core<V> {
    pub(crate) fn new(vendor: V, allowance: Option<Allowance>) -> Self {
        let routes = vendor.routes().len();
        Self {
            vendor,
            book: Mutex::new(Book::new(routes)),
            faults: Mutex::new(Faults::new(Script::default())),
            armed: AtomicBool::new(false),
            window: Mutex::new(Window::new(allowance)),
            started: Instant::now(),
            started_unix_ms: unix_ms(),
            unauthorized: AtomicU64::new(0),
            throttled: AtomicU64::new(0),
        }
    }

    /// Answers one vendor request.
    pub(crate) async fn answer(&self, method: &Method, path: &str, query: &str, headers: &HeaderMap, body: &[u8]) -> Answered {
        let routes = self.vendor.routes();
        let Some(route) = routes.iter().position(|r| r.path == path && r.method == *method) else {
            return Answered { reply: self.vendor.unknown(routes.iter().any(|r| r.path == path)), standing: None };
        };
        let name = routes[route].name;
        if let Err(refusal) = self.vendor.admit(headers) {
            self.unauthorized.fetch_add(1, Ordering::Relaxed);
            return Answered { reply: refusal, standing: None };
        }
        let elapsed_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let standing = self.window.lock().take(elapsed_ms);
        let (subject, request) = self.vendor.parse(route, query, headers, body);
        let mut entry = Entry {
            n: 0,
            at: self.started_unix_ms + elapsed_ms,
            endpoint: name,
            route,
            subject: subject.into_boxed_str(),
            hash: hash_of(route, query, body),
            status: 0,
            ok: false,
            applied: false,
            fault: None,
        };
        if !standing.admitted {
            self.throttled.fetch_add(1, Ordering::Relaxed);
            let reply = self.vendor.throttled();
            entry.status = reply.status;
            self.book.lock().add(entry, routes[route].role);
            return Answered { reply, standing: Some(standing) };
        }
        let fate = if self.armed.load(Ordering::Relaxed) { self.faults.lock().strike(name) } else { None };
        entry.fault = fate.as_ref().map(|(_, fault)| fault.name());
        let mut delay = None;
        let (reply, applied) = match fate {
            None => real(self.vendor.apply(route, request)),
            Some((when, Fault::DelayMs(ms))) => {
                match when {
                    When::Before => pause(ms).await,
                    When::After => delay = Some(ms),
                }
                real(self.vendor.apply(route, request))
            }
            Some((When::Before, fault)) => (spoilt(&fault, Reply::text(200, "an answer that never came in full")), false),
            Some((When::After, fault)) => {
                let (reply, applied) = real(self.vendor.apply(route, request));
                (spoilt(&fault, reply), applied)
            }
        };
        entry.applied = applied;
        entry.status = if reply.cut == Cut::Silent { 0 } else { reply.status };
        entry.ok = reply.cut == Cut::No && good(reply.status) && entry.fault != Some("garbage");
        self.book.lock().add(entry, routes[route].role);
        if let Some(ms) = delay {
            pause(ms).await;
        }
        Answered { reply, standing: Some(standing) }
    }

    /// Everything the twin counts, as one JSON object.
    pub fn state(&self) -> Value {
        let mut state = self.vendor.counters();
        let book = self.book.lock();
        let calls: Map<String, Value> =
            self.vendor.routes().iter().zip(book.calls()).filter(|(_, n)| **n > 0).map(|(r, n)| (r.name.to_owned(), json!(n))).collect();
        state.insert("calls".into(), Value::Object(calls));
        state.insert("calls_total".into(), json!(book.len()));
        state.insert("saves_resent_identical".into(), json!(book.saves_resent()));
        state.insert("unauthorized".into(), json!(self.unauthorized.load(Ordering::Relaxed)));
        state.insert("rate_limited".into(), json!(self.throttled.load(Ordering::Relaxed)));
        state.insert("faults_struck".into(), json!(self.faults.lock().struck()));
        state.insert("marks".into(), json!(book.marks()));
        Value::Object(state)
    }

    /// A counter of [`Core::state`] by name; 0 when there is none.
    pub fn count(&self, name: &str) -> u64 {
        self.state()[name].as_u64().unwrap_or(0)
    }

    /// How often an endpoint (`METHOD /path`) was called.
    pub fn calls(&self, endpoint: &str) -> u64 {
        self.state()["calls"][endpoint].as_u64().unwrap_or(0)
    }

    /// Log entries from number `n` on.
    pub fn log(&self, n: u64, limit: usize) -> Vec<Entry> {
        self.book.lock().since(n, limit).to_vec()
    }

    /// Splits the log here; answers the number of the next entry.
    pub fn mark(&self, name: &str) -> u64 {
        self.book.lock().mark(name)
    }

    pub fn verdict(&self, mark: Option<&str>) -> Verdict {
        let routes = self.vendor.routes();
        self.book.lock().verdict(mark, |route| routes.get(route).map_or(Role::Other, |r| r.role))
    }

    /// Replaces the fault script; its counters start anew.
    pub fn set_faults(&self, script: Script) {
        let mut faults = self.faults.lock();
        *faults = Faults::new(script);
        self.armed.store(!faults.is_empty(), Ordering::Relaxed);
    }

    /// Replaces the limit (`None` = unlimited) and empties its window.
    pub fn set_allowance(&self, allowance: Option<Allowance>) {
        self.window.lock().set(allowance);
    }

    /// Forgets contacts, tags, book and faults. The limit stays.
    pub fn reset(&self) {
        self.vendor.reset();
        *self.book.lock() = Book::new(self.vendor.routes().len());
        self.set_faults(Script::default());
        self.unauthorized.store(0, Ordering::Relaxed);
        self.throttled.store(0, Ordering::Relaxed);
    }
}

fn good(status: u16) -> bool {
    (200..300).contains(&status)
}

fn real(reply: Reply) -> (Reply, bool) {
    let applied = good(reply.status);
    (reply, applied)
}

/// What is left of an answer after the fault.
fn spoilt(fault: &Fault, mut reply: Reply) -> Reply {
    match fault {
        Fault::Status { code, body, headers } => Reply {
            headers: headers.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
            body: Bytes::from(body.clone()),
            ..Reply::text(*code, "")
        },
        Fault::Garbage => Reply::text(200, "<html><body>We will be back shortly</body>"),
        Fault::Cut => {
            reply.cut = Cut::Silent;
            reply
        }
        Fault::CutMidway => {
            reply.cut = Cut::Midway;
            reply
        }
        Fault::DelayMs(_) => reply,
    }
}

/// Equal for equal requests, in this process and the next.
fn hash_of(route: usize, query: &str, body: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (route, query, body).hash(&mut hasher);
    hasher.finish()
}

#[expect(clippy::disallowed_methods, reason = "a twin is a foreign system with a clock of its own")]
fn unix_ms() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
