//! Stand-ins for the rooms around the engine: an outside world that answers from a closure, and a log that keeps lines.
//! Must not know any guest.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use crm_contract::ports::{GuestLog, LogLevel, Outbound};
use crm_contract::types::{Connection, Invocation, Job, Pair, Person, Request, Response, Unanswered};

type Answer = dyn Fn(&Request) -> Result<Response, Unanswered> + Send + Sync;

/// Answers every call from a closure and keeps what was asked.
pub struct World {
    answer: Box<Answer>,
    asked: Mutex<Vec<Request>>,
}

impl World {
    pub fn new(answer: impl Fn(&Request) -> Result<Response, Unanswered> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { answer: Box::new(answer), asked: Mutex::default() })
    }

    /// Answers 200 with this body, whatever is asked.
    pub fn says(body: &str) -> Arc<Self> {
        let body = body.as_bytes().to_vec();
        Self::new(move |_| Ok(Response { status: 200, headers: vec![], body: body.clone() }))
    }

    /// Refuses every call, and so does a host whose manifest declares none.
    pub fn refuses() -> Arc<Self> {
        Self::new(|request| Err(Unanswered::Refused(format!("`{}` is not declared", request.call))))
    }

    pub fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The names of the calls, in order.
    pub fn calls(&self) -> Vec<String> {
        self.asked().into_iter().map(|r| r.call).collect()
    }
}

#[async_trait]
impl Outbound for World {
    async fn send(&self, request: Request) -> Result<Response, Unanswered> {
        let answer = (self.answer)(&request);
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        answer
    }
}

/// Never answers: what a vendor that hangs looks like to a guest.
pub struct Silence;

#[async_trait]
impl Outbound for Silence {
    async fn send(&self, _request: Request) -> Result<Response, Unanswered> {
        std::future::pending().await
    }
}

/// Keeps log lines.
#[derive(Default)]
pub struct Lines(Mutex<Vec<(LogLevel, String)>>);

impl Lines {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    pub fn all(&self) -> Vec<(LogLevel, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl GuestLog for Lines {
    fn line(&self, level: LogLevel, text: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((level, text.to_owned()));
    }
}

/// A connection whose guest shall `behave` so.
#[must_use]
pub fn connection(behave: &str) -> Connection {
    Connection { mode: "key".into(), settings: vec![Pair::new("behave", behave)], ..Connection::default() }
}

/// A job for a guest that shall `behave` so.
#[must_use]
pub fn job(behave: &str) -> Job {
    let who = Person { email: "ann@example.com".into(), first: Some("Ann".into()), approved_at: 1_790_000_000, ..Person::default() };
    Job { on: connection(behave), who, set: vec!["Rekomi affiliate".into()], ..Job::default() }
}

/// [`job`] as an invocation of `sync-contact`.
#[must_use]
pub fn sync(behave: &str) -> Invocation {
    Invocation::SyncContact { job: job(behave) }
}
