//! What every twin does with a request, whatever the vendor: check, count against the limit, let the fault script
//! speak, apply, and write it in the book.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use crate::book::{Book, Entry, Role, Verdict};
use crate::faults::{Fault, Faults, Script, When};
use crate::people::{People, Person};
use crate::record::{Recorded, Recorder};
use crate::route::{self, Asked};
use crate::window::{Allowance, Standing, Window};

pub(crate) use crate::reply::Cut;
pub use crate::reply::Reply;
pub use crate::route::Route;

/// What makes a twin this vendor. Methods are synchronous and quick: they run under the vendor's own lock.
pub trait Vendor: Send + Sync + 'static {
    /// A request taken apart, so that the log can name its contact before the fault script decides whether it is applied.
    type Parsed: Send;

    fn routes(&self) -> &'static [Route];
    /// The vendor's limits, in an order of its own choosing; [`Vendor::draws_on`] refers to them by place.
    fn limits(&self) -> Vec<Option<Allowance>>;
    /// The limits that a route draws on. A request that one of them refuses is counted by none.
    fn draws_on(&self, _route: usize) -> &'static [usize] {
        &[0]
    }
    /// Requests of one account that may be under way at once.
    fn at_once(&self) -> Option<usize> {
        None
    }
    /// What the limits say of themselves in the headers of an answer: `standings` in the order of [`Vendor::draws_on`].
    fn limit_headers(&self, route: usize, standings: &[Standing]) -> Vec<(&'static str, String)>;
    /// Checks the credentials, wherever in the request they are.
    fn admit(&self, asked: &Asked<'_>) -> Result<(), Reply>;
    /// The contact's normalised e-mail (or nothing), and the request.
    fn parse(&self, asked: &Asked<'_>) -> (String, Self::Parsed);
    /// Does the vendor's work. `now_ms` counts from the twin's start.
    fn apply(&self, route: usize, request: Self::Parsed, now_ms: u64) -> Reply;
    /// A limit is used up: `limit` is its place in [`Vendor::limits`], `None` when too many requests are under way.
    fn throttled(&self, route: usize, limit: Option<usize>, standing: &Standing) -> Reply;
    /// No route has this path (`false`), or none has this method (`true`).
    fn unknown(&self, path_exists: bool) -> Reply;

    /// The contacts, where they are kept in the common way; what follows then needs no code of the vendor's own.
    fn people(&self) -> Option<&Mutex<People>> {
        None
    }
    /// The names of the tags that a contact has, or of what stands in for tags.
    fn tags_of(&self, people: &People, person: &Person) -> Vec<String> {
        person.tags.iter().map(|id| people.tags.get(id).unwrap_or(id).clone()).collect()
    }
    fn counters(&self) -> Map<String, Value> {
        self.people().map(|people| people.lock().counters()).unwrap_or_default()
    }
    fn contacts(&self, offset: usize, limit: usize) -> Vec<Value> {
        let Some(people) = self.people() else { return Vec::new() };
        let people = people.lock();
        let shown = |person: &Person| {
            let lists: Vec<_> = person.lists.keys().collect();
            let tags = self.tags_of(&people, person);
            json!({ "email": person.email, "fields": person.fields, "tags": tags, "lists": lists, "opted_out": person.opted_out() })
        };
        people.all().skip(offset).take(limit).map(shown).collect()
    }
    /// The person opts out at the vendor's side. `false` = no such contact.
    fn opt_out(&self, email: &str) -> bool {
        self.people().is_some_and(|people| people.lock().opt_out(email))
    }
    /// The merchant deletes the contact. `false` = no such contact.
    fn remove(&self, email: &str) -> bool {
        self.people().is_some_and(|people| people.lock().remove(email))
    }
    /// A contact that the merchant has before the first sync: named, in the merchant's list where there is one, subscribed.
    fn seed(&self, email: &str);
    fn add_tags(&self, names: &[String]);
    fn reset(&self);
}

/// A vendor with its limit, its faults and its book.
pub struct Core<V> {
    pub vendor: V,
    book: Mutex<Book>,
    faults: Mutex<Faults>,
    armed: AtomicBool,
    windows: Mutex<Vec<Window>>,
    recorder: Recorder,
    under_way: AtomicUsize,
    started: Instant,
    started_unix_ms: u64,
    unauthorized: AtomicU64,
    throttled: AtomicU64,
}

/// An answer and what the limit headers are to say.
pub(crate) struct Answered {
    pub(crate) reply: Reply,
    pub(crate) limits: Vec<(&'static str, String)>,
}

impl<V: Vendor> Core<V> {
    pub(crate) fn new(vendor: V) -> Self {
        let routes = vendor.routes().len();
        let windows = vendor.limits().into_iter().map(Window::new).collect();
        Self {
            vendor,
            book: Mutex::new(Book::new(routes)),
            faults: Mutex::new(Faults::new(Script::default())),
            armed: AtomicBool::new(false),
            windows: Mutex::new(windows),
            recorder: Recorder::default(),
            under_way: AtomicUsize::new(0),
            started: Instant::now(),
            started_unix_ms: unix_ms(),
            unauthorized: AtomicU64::new(0),
            throttled: AtomicU64::new(0),
        }
    }

    /// Answers one vendor request.
    pub(crate) async fn answer(&self, method: &Method, path: &str, query: &str, headers: &HeaderMap, body: &[u8]) -> Answered {
        self.recorder.keep(|| Recorded::of(method, path, query, headers, body));
        let routes = self.vendor.routes();
        let (index, params) = match route::find(routes, method, path) {
            Ok(found) => found,
            Err(path_exists) => return bare(self.vendor.unknown(path_exists)),
        };
        let asked = Asked { route: index, params, path, query, headers, body };
        if let Err(refusal) = self.vendor.admit(&asked) {
            self.unauthorized.fetch_add(1, Ordering::Relaxed);
            return bare(refusal);
        }
        let elapsed_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let drawn = self.draw(index, elapsed_ms);
        let limits = self.vendor.limit_headers(index, &drawn.standings);
        let (subject, request) = self.vendor.parse(&asked);
        let entry = Entry {
            n: 0,
            at: self.started_unix_ms + elapsed_ms,
            endpoint: routes[index].name,
            route: index,
            subject: subject.into_boxed_str(),
            hash: hash_of(&asked),
            status: 0,
            ok: false,
            applied: false,
            fault: None,
        };
        let busy = self.under_way.fetch_add(1, Ordering::AcqRel);
        let _under_way = UnderWay(&self.under_way);
        let too_many = self.vendor.at_once().is_some_and(|most| busy >= most);
        let refused = if too_many { Some(None) } else { drawn.refused_by.map(Some) };
        let reply = match refused {
            Some(limit) => {
                self.throttled.fetch_add(1, Ordering::Relaxed);
                let full = drawn.standings.iter().find(|standing| !standing.admitted).copied().unwrap_or_default();
                let reply = self.vendor.throttled(index, limit, &full);
                self.book.lock().add(Entry { status: reply.status, ..entry }, routes[index].role);
                reply
            }
            None => self.served(entry, request, elapsed_ms).await,
        };
        Answered { reply, limits }
    }

    /// Takes one request from every limit of the route, or from none.
    fn draw(&self, route: usize, now_ms: u64) -> Drawn {
        let mut windows = self.windows.lock();
        let limits = self.vendor.draws_on(route);
        let refused_by = limits.iter().copied().find(|limit| windows.get_mut(*limit).is_some_and(|window| window.full(now_ms)));
        let standing = |limit: &usize| {
            let window = windows.get_mut(*limit)?;
            Some(if refused_by.is_none() { window.take(now_ms) } else { window.look(now_ms) })
        };
        Drawn { standings: limits.iter().filter_map(standing).collect(), refused_by }
    }

    /// Does the work unless the fault script says otherwise, and writes it in the book.
    async fn served(&self, mut entry: Entry, request: V::Parsed, now_ms: u64) -> Reply {
        let (name, route) = (entry.endpoint, entry.route);
        let fate = if self.armed.load(Ordering::Relaxed) { self.faults.lock().strike(name) } else { None };
        entry.fault = fate.as_ref().map(|(_, fault)| fault.name());
        let mut delay = None;
        let (reply, applied) = match fate {
            None => real(self.vendor.apply(route, request, now_ms)),
            Some((when, Fault::DelayMs(ms))) => {
                match when {
                    When::Before => pause(ms).await,
                    When::After => delay = Some(ms),
                }
                real(self.vendor.apply(route, request, now_ms))
            }
            Some((When::Before, fault)) => (spoilt(&fault, Reply::text(200, "an answer that never came in full")), false),
            Some((When::After, fault)) => {
                let (reply, applied) = real(self.vendor.apply(route, request, now_ms));
                (spoilt(&fault, reply), applied)
            }
        };
        entry.applied = applied;
        entry.status = if reply.cut == Cut::Silent { 0 } else { reply.status };
        entry.ok = reply.cut == Cut::No && good(reply.status) && entry.fault != Some("garbage");
        self.book.lock().add(entry, self.vendor.routes()[route].role);
        if let Some(ms) = delay {
            pause(ms).await;
        }
        reply
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

    /// The raw requests that were kept since [`Core::record`].
    pub fn recorded(&self) -> Vec<Recorded> {
        self.recorder.all()
    }

    /// Starts (`true`) or stops keeping raw requests, for comparing clients. What was kept before is dropped.
    pub fn record(&self, on: bool) {
        self.recorder.set(on);
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

    /// Replaces every limit (`None` = unlimited) and empties the windows.
    pub fn set_allowance(&self, allowance: Option<Allowance>) {
        for window in self.windows.lock().iter_mut() {
            window.set(allowance);
        }
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

/// What a request took from the limits.
struct Drawn {
    standings: Vec<Standing>,
    /// The place of the limit that was full.
    refused_by: Option<usize>,
}

/// Counts a request as under way until it is answered, also when its client leaves.
struct UnderWay<'a>(&'a AtomicUsize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn bare(reply: Reply) -> Answered {
    Answered { reply, limits: Vec::new() }
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
fn hash_of(asked: &Asked<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (asked.route, &asked.params, asked.query, asked.body).hash(&mut hasher);
    hasher.finish()
}

#[expect(clippy::disallowed_methods, reason = "a twin is a foreign system with a clock of its own")]
fn unix_ms() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
