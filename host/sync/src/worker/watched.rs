//! The way out of one attempt, watched: for credentials that egress itself cannot use, and for calls that left no step, without which the
//! attempt could not be run again. Decides nothing.

use std::sync::Arc;

use async_trait::async_trait;
use crm_contract::ports::{CREDENTIALS_REFUSED, Outbound};
use crm_contract::types::{Request, Response, Unanswered};
use crm_store::model::Unkept;
use parking_lot::Mutex;

use super::journal::AttemptJournal;

pub(super) struct Watched {
    inner: Arc<dyn Outbound>,
    journal: Arc<AttemptJournal>,
    seen: Mutex<Seen>,
}

/// What was seen of a run.
#[derive(Default)]
pub(super) struct Seen {
    /// Why the credentials cannot be used.
    pub(super) credentials: Option<String>,
    /// The call made last, and whether it was answered.
    pub(super) last: Option<(String, bool)>,
    pub(super) unkept: Vec<Unkept>,
}

impl Watched {
    pub(super) fn new(inner: Arc<dyn Outbound>, journal: Arc<AttemptJournal>) -> Arc<Self> {
        Arc::new(Self { inner, journal, seen: Mutex::default() })
    }

    pub(super) fn take(&self) -> Seen {
        std::mem::take(&mut *self.seen.lock())
    }
}

#[async_trait]
impl Outbound for Watched {
    async fn send(&self, request: Request) -> Result<Response, Unanswered> {
        let (call, after) = (request.call.clone(), self.journal.left());
        let answer = self.inner.send(request).await;
        let mut seen = self.seen.lock();
        if let Err(why) = &answer {
            if self.journal.left() == after {
                seen.unkept.push(Unkept { after, call: call.clone(), why: why.clone() });
            }
            if let Unanswered::Refused(text) = why
                && let Some(why) = text.strip_prefix(CREDENTIALS_REFUSED)
            {
                seen.credentials = Some(why.to_owned());
            }
        }
        seen.last = Some((call, answer.is_ok()));
        answer
    }
}
