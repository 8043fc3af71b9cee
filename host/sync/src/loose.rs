//! Runs that are no job: the test call, pickers, preparing, previews. Their journal lives in memory and is returned.

use std::sync::Arc;

use async_trait::async_trait;
use crm_catalog::model::{Manifest, Stage};
use crm_contract::ports::{
    CREDENTIALS_REFUSED, CredentialSource, Digest, GuestFault, GuestLog, Journal, JournalError, LogLevel, Mode, Outbound, Recall, Scope,
    ShownRequest, StepKey, StepRecord,
};
use crm_contract::types::{
    Answer, Connection as GuestConnection, Error, Invocation, Refusal, Request, Response, Told, Trouble, Unanswered,
};
use parking_lot::Mutex;

use crate::context::Context;

/// One run of one export outside a job.
pub struct LooseRun {
    pub digest: Digest,
    pub manifest: Arc<Manifest>,
    pub organization: String,
    pub connection: String,
    pub account: Option<String>,
    pub choice: Option<String>,
    pub stage: Stage,
    pub mode: Mode,
    pub credentials: Arc<dyn CredentialSource>,
    pub invocation: Invocation,
}

/// What came of it: the answer, every step in order, and what the guest logged.
pub struct LooseEnd {
    pub answer: Answer,
    pub steps: Vec<StepRecord>,
    pub log: Vec<String>,
}

/// Runs it. The steps are returned even when the guest failed, inside the answer's error; a fault loses them.
pub async fn run(context: &Context, run: LooseRun) -> Result<LooseEnd, GuestFault> {
    let journal = Arc::new(MemoryJournal::default());
    let log = Arc::new(MemoryLog::default());
    let scope = Scope {
        manifest: run.manifest,
        organization: run.organization,
        connection: run.connection,
        account: run.account,
        choice: run.choice,
        on: connection_of(&run.invocation).clone(),
        stage: run.stage,
        credentials: run.credentials,
        after_unknown: false,
    };
    let outbound = Arc::new(Watched { inner: context.gateway.open(scope, run.mode, journal.clone()), refused: Mutex::default() });
    let answer = context.guests.call(&run.digest, run.invocation, outbound.clone(), log.clone()).await?;
    let refused = outbound.refused.lock().take();
    let answer = match refused {
        Some(why) => blamed(answer, why),
        None => answer,
    };
    let steps = std::mem::take(&mut *journal.steps.lock());
    let log = std::mem::take(&mut *log.lines.lock());
    Ok(LooseEnd { answer, steps, log })
}

/// The way out, watched for credentials that egress itself cannot use.
struct Watched {
    inner: Arc<dyn Outbound>,
    refused: Mutex<Option<String>>,
}

#[async_trait]
impl Outbound for Watched {
    async fn send(&self, request: Request) -> Result<Response, Unanswered> {
        let answer = self.inner.send(request).await;
        if let Err(Unanswered::Refused(text)) = &answer
            && let Some(why) = text.strip_prefix(CREDENTIALS_REFUSED)
        {
            *self.refused.lock() = Some(why.to_owned());
        }
        answer
    }
}

/// The guest cannot know why egress refused; this is the host's own finding, and it is the merchant who must act.
fn blamed(answer: Answer, why: String) -> Answer {
    let error = Error::Credentials(Refusal { trouble: Trouble::Invalid, told: Told { code: "credentials".into(), text: why } });
    match answer {
        Answer::Account(Err(_)) => Answer::Account(Err(error)),
        Answer::Page(Err(_)) => Answer::Page(Err(error)),
        Answer::Prepared(Err(_)) => Answer::Prepared(Err(error)),
        other => other,
    }
}

/// The connection that an invocation carries.
pub fn connection_of(invocation: &Invocation) -> &GuestConnection {
    match invocation {
        Invocation::Verify { on }
        | Invocation::ListChoices { on, .. }
        | Invocation::Prepare { on, .. }
        | Invocation::LookupContact { on, .. } => on,
        Invocation::SyncContact { job } | Invocation::UntagContact { job } => &job.on,
    }
}

#[derive(Default)]
struct MemoryJournal {
    steps: Mutex<Vec<StepRecord>>,
}

#[async_trait]
impl Journal for MemoryJournal {
    fn recall(&self, _key: &StepKey) -> Recall {
        Recall::Nothing
    }

    fn resumed(&self) -> bool {
        false
    }

    async fn intend(&self, _key: &StepKey, _request: &ShownRequest) -> Result<(), JournalError> {
        Ok(())
    }

    async fn record(&self, step: StepRecord) -> Result<(), JournalError> {
        self.steps.lock().push(step);
        Ok(())
    }
}

/// Keeps what a guest logs; `engine` has already bounded it.
#[derive(Default)]
pub struct MemoryLog {
    pub lines: Mutex<Vec<String>>,
}

impl GuestLog for MemoryLog {
    fn line(&self, level: LogLevel, text: &str) {
        let level = match level {
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Warn => "warn",
            LogLevel::Error => "error",
        };
        self.lines.lock().push(format!("{level}: {text}"));
    }
}
