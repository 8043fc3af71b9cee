//! The vendor, the connector that speaks to it, and the way out between them. The connector makes two calls a sync (save,
//! tag); the way out keeps to the journal's exact rule unless a test plants a bug in it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crm_catalog::model::{Effect, Manifest};
use crm_contract::ports::{
    Digest, Gateway, GuestFault, GuestLog, Guests, Journal, Mode, Outbound, Recall, Scope, ShownRequest, StepKey, StepOutcome, StepRecord,
};
use crm_contract::types::{
    Answer, Body, Change, Ending, Error, Invocation, Job, Known, Later, Pair, Refusal, Report, Request, Response, Standing, Success, Told,
    Trouble, Unanswered,
};
use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

/// How the vendor and the host's way out behave.
#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    /// Share of calls answered 500 without an effect.
    pub failing: f64,
    /// Share of calls answered 200 with a body that the connector cannot use.
    pub garbling: f64,
    /// Share of calls that take effect but whose answer is lost.
    pub cutting: f64,
    pub latency: Duration,
    /// Connections that are slow: this long a call.
    pub slow: HashMap<String, Duration>,
    /// Connections whose credentials the vendor refuses.
    pub refused: HashSet<String>,
    /// Connections that the limiter does not let through before this time.
    pub limited_until: HashMap<String, u64>,
    /// Planted bug: the way out does not ask the journal.
    pub forget_journal: bool,
}

#[derive(Default)]
struct Books {
    /// Good answers by (connection, call, e-mail) as known to the caller.
    answered: HashMap<(String, String, String), u32>,
    /// Runs that are in the guest now, by (connection, e-mail).
    inside: HashSet<(String, String)>,
    overlaps: u32,
    calls: u64,
    finished_at: HashMap<String, u64>,
}

/// The vendor: guests, gateway and books in one.
pub struct Vendor {
    pub behaviour: Mutex<Behaviour>,
    books: Mutex<Books>,
    rng: Mutex<SmallRng>,
    manifest: Arc<Manifest>,
    now: Box<dyn Fn() -> u64 + Send + Sync>,
}

impl Vendor {
    pub fn new(seed: u64, behaviour: Behaviour, manifest: Manifest, now: impl Fn() -> u64 + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            behaviour: Mutex::new(behaviour),
            books: Mutex::default(),
            rng: Mutex::new(SmallRng::seed_from_u64(seed)),
            manifest: Arc::new(manifest),
            now: Box::new(now),
        })
    }

    /// Calls that were answered well more than once: work that the journal should have saved.
    pub fn resent(&self) -> u32 {
        self.books.lock().answered.values().map(|n| n - 1).sum()
    }

    /// Contacts on a connection that were saved and tagged.
    pub fn tagged(&self, connection: &str) -> usize {
        self.books.lock().answered.keys().filter(|(c, call, _)| c == connection && call == "tag").count()
    }

    /// Times that two runs for one contact were in the guest at once.
    pub fn overlaps(&self) -> u32 {
        self.books.lock().overlaps
    }

    pub fn calls(&self) -> u64 {
        self.books.lock().calls
    }

    /// When a connection last answered a tag call well. Unix milliseconds.
    pub fn last_tag(&self, connection: &str) -> Option<u64> {
        self.books.lock().finished_at.get(connection).copied()
    }

    fn rolls(&self, share: f64) -> bool {
        share > 0.0 && self.rng.lock().random_bool(share)
    }

    async fn sync(&self, job: &Job, outbound: &dyn Outbound) -> Report {
        let call = |name: &str| Request {
            call: name.to_owned(),
            path: vec![Pair::new("email", job.who.email.clone())],
            body: Body::None,
            ..Request::default()
        };
        let mut known = job.known.clone();
        let ending = async {
            if job.who.email.starts_with("later-") && job.resume.is_none() {
                return Ending::Later(Later { after_seconds: 20, resume: "look".into() });
            }
            for name in ["save", "tag"] {
                let told = |code: &str| Told { code: code.to_owned(), text: format!("{name} was not answered") };
                match outbound.send(call(name)).await {
                    Ok(answer) if answer.status == 401 => {
                        return Ending::Failed(Error::Credentials(Refusal { trouble: Trouble::Invalid, told: told("401") }));
                    }
                    Ok(answer) if answer.status == 200 && answer.body == b"ok" => {}
                    Ok(answer) => return Ending::Failed(Error::Retryable(told(&answer.status.to_string()))),
                    Err(_) => return Ending::Failed(Error::Retryable(told("none"))),
                }
                known = Known { contact_id: Some(job.who.email.clone()), tags: job.set.clone(), memo: None };
            }
            Ending::Done(Success { change: Change::Created, standing: Standing::Normal, warnings: Vec::new() })
        }
        .await;
        Report { known, ending }
    }
}

#[async_trait]
impl Guests for Vendor {
    async fn call(
        &self,
        _: &Digest,
        invocation: Invocation,
        outbound: Arc<dyn Outbound>,
        _: Arc<dyn GuestLog>,
    ) -> Result<Answer, GuestFault> {
        let Invocation::SyncContact { job } = invocation else { return Err(GuestFault::Trapped("only syncs here".into())) };
        if job.who.email.starts_with("trap-") {
            return Err(GuestFault::Trapped("unreachable".into()));
        }
        Ok(Answer::Report(self.sync(&job, outbound.as_ref()).await))
    }

    fn loaded(&self) -> Vec<(Digest, Arc<Manifest>)> {
        vec![(Digest("d".into()), self.manifest.clone())]
    }

    fn active(&self, _: &str) -> Option<(Digest, Arc<Manifest>)> {
        Some((Digest("d".into()), self.manifest.clone()))
    }

    fn manifest(&self, _: &Digest) -> Option<Arc<Manifest>> {
        Some(self.manifest.clone())
    }
}

/// The gateway half, a type of its own so that it can hand out `Arc`s of the vendor.
pub struct Ways(pub Arc<Vendor>);

impl Gateway for Ways {
    fn open(&self, scope: Scope, mode: Mode, journal: Arc<dyn Journal>) -> Arc<dyn Outbound> {
        Arc::new(Way { vendor: self.0.clone(), connection: scope.connection, mode, journal })
    }

    fn ready_at(&self, scope: &Scope, _: u32) -> Option<u64> {
        let until = self.0.behaviour.lock().limited_until.get(&scope.connection).copied();
        until.filter(|at| *at > (self.0.now)())
    }

    fn throttled(&self, _: &Scope, _: Option<&str>, _: Option<u32>) {}
}

struct Way {
    vendor: Arc<Vendor>,
    connection: String,
    mode: Mode,
    journal: Arc<dyn Journal>,
}

/// Marks a contact as being worked on for as long as it lives, crashes included.
struct Inside<'a>(&'a Vendor, (String, String));

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.books.lock().inside.remove(&self.1);
    }
}

#[async_trait]
impl Outbound for Way {
    async fn send(&self, request: Request) -> Result<Response, Unanswered> {
        let email = request.path[0].value.clone();
        let behaviour = self.vendor.behaviour.lock().clone();
        let key = StepKey { call: request.call.clone(), hash: email.clone(), occurrence: 0 };
        let good = |status| Response { status, body: b"ok".to_vec(), ..Response::default() };
        let url = format!("https://acme.example/contacts/{email}/{}", request.call);
        let shown = ShownRequest { method: "POST".into(), url, headers: vec![], body: None };
        let record = |response: Response, reused| StepRecord {
            key: key.clone(),
            effect: Effect::Idempotent,
            request: shown.clone(),
            good: response.status == 200,
            outcome: StepOutcome::Answered(response),
            reused,
            at: (self.vendor.now)(),
            took_ms: 0,
        };
        if self.mode == Mode::Replay {
            let Recall::Record(old) = self.journal.recall(&key) else { return Err(Unanswered::UnknownOutcome) };
            let again = StepRecord { request: shown.clone(), ..*old };
            self.journal.record(again.clone()).await.map_err(|_| Unanswered::Unreachable)?;
            return match again.outcome {
                StepOutcome::Answered(answer) => Ok(answer),
                StepOutcome::Unanswered(why) => Err(why),
            };
        }
        if !behaviour.forget_journal
            && let Recall::Record(old) = self.journal.recall(&key)
            && old.good
            && let StepOutcome::Answered(answer) = old.outcome
        {
            self.journal.record(record(answer.clone(), true)).await.map_err(|_| Unanswered::Unreachable)?;
            return Ok(answer);
        }
        let contact = (self.connection.clone(), email.clone());
        {
            let mut books = self.vendor.books.lock();
            books.calls += 1;
            if !books.inside.insert(contact.clone()) {
                books.overlaps += 1;
            }
        }
        let inside = Inside(&self.vendor, contact);
        tokio::time::sleep(behaviour.slow.get(&self.connection).copied().unwrap_or(behaviour.latency)).await;
        drop(inside);
        if behaviour.refused.contains(&self.connection) {
            self.journal.record(record(good(401), false)).await.map_err(|_| Unanswered::Unreachable)?;
            return Ok(good(401));
        }
        if self.vendor.rolls(behaviour.failing) {
            self.journal.record(record(good(500), false)).await.map_err(|_| Unanswered::Unreachable)?;
            return Ok(good(500));
        }
        if self.vendor.rolls(behaviour.garbling) {
            let garbage = Response { status: 200, body: b"<html>".to_vec(), ..Response::default() };
            self.journal.record(record(garbage.clone(), false)).await.map_err(|_| Unanswered::Unreachable)?;
            return Ok(garbage);
        }
        if self.vendor.rolls(behaviour.cutting) {
            return Err(Unanswered::Unreachable);
        }
        self.journal.record(record(good(200), false)).await.map_err(|_| Unanswered::Unreachable)?;
        let mut books = self.vendor.books.lock();
        *books.answered.entry((self.connection.clone(), request.call.clone(), email)).or_default() += 1;
        if request.call == "tag" {
            books.finished_at.insert(self.connection.clone(), (self.vendor.now)());
        }
        Ok(good(200))
    }
}
