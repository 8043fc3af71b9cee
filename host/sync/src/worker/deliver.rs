//! One try of a webhook: sign and send what the job carries, keep what came back, and decide when to try again. What an endpoint answers is
//! never told by another webhook.

use crm_contract::ports::Digest;
use crm_contract::webhooks::{Delivery, DeliveryOutcome};
use crm_store::StoreError;
use crm_store::model::{Attempt, Claim, Finish, Job, JobState, JobTrouble, Kind, Outcome, ReadyLane};

use super::attempt::finish;
use crate::context::{Config, Context, LoadError};
use crate::services::webhooks::schedule::wait;
use crate::services::webhooks::{self, DisabledBy, WebhookEndpoint, secrets};
use crate::services::{ServiceError, Versioned, records};

/// Deliveries of one endpoint at once; while it fails, one.
const AT_ONCE: u32 = 4;
/// A lane from which nothing may be taken is looked at again after this long.
const LOOK_AGAIN_MS: u64 = 30_000;
/// An endpoint whose one try is under way is looked at again after this long: it must not crowd out others.
const BUSY_MS: u64 = 250;
/// An endpoint from which nothing was taken for this long is disabled.
const FAILING_MS: u64 = 5 * 24 * 60 * 60 * 1_000;

/// How many deliveries of this lane may start now.
pub(super) async fn admits(context: &Context, ready: &ReadyLane, at_most: u32) -> u32 {
    let hold = |ms| {
        context.store.hold(&ready.lane, context.now() + ms);
        0
    };
    let endpoint = match load(context, &ready.organization, &ready.lane).await {
        Ok(Some(endpoint)) => endpoint,
        // Cancelled by the attempt.
        Ok(None) => return at_most,
        Err(_) => return hold(LOOK_AGAIN_MS),
    };
    match endpoint.disabled.map(|disabled| disabled.by) {
        Some(DisabledBy::Merchant) => return hold(LOOK_AGAIN_MS),
        // Cancelled by the attempt, if they were not cancelled with the endpoint.
        Some(DisabledBy::Gone | DisabledBy::Failing) => return at_most,
        None => {}
    }
    match endpoint.failing_since {
        Some(_) if ready.running > 0 => hold(BUSY_MS),
        Some(_) => at_most.min(1),
        None => AT_ONCE.saturating_sub(ready.running).min(at_most),
    }
}

async fn load(context: &Context, organization: &str, lane: &str) -> Result<Option<WebhookEndpoint>, LoadError> {
    Ok(context.load::<WebhookEndpoint>(organization, Kind::WebhookEndpoint, lane).await?.map(|(endpoint, _)| endpoint))
}

/// Runs a claimed delivery to the end of this try.
pub(super) async fn run(context: &Context, claim: Claim) -> Result<(), StoreError> {
    let job = claim.job.clone();
    let (organization, lane) = (job.new.organization.clone(), claim.lane.clone());
    let endpoint = match load(context, &organization, &lane).await {
        Ok(Some(endpoint)) => endpoint,
        Ok(None) => return unsent(context, &claim, JobState::Cancelled, "the endpoint was deleted").await,
        Err(LoadError::Store(error)) => return Err(error),
        Err(error) => {
            tracing::error!(endpoint = lane, %error, "a webhook endpoint cannot be read");
            return unsent(context, &claim, JobState::Retrying, "the endpoint's record cannot be read").await;
        }
    };
    match endpoint.disabled.map(|disabled| disabled.by) {
        None => {}
        Some(DisabledBy::Merchant) => return unsent(context, &claim, JobState::Retrying, "the endpoint is disabled").await,
        Some(_) => return unsent(context, &claim, JobState::Cancelled, "the endpoint was disabled").await,
    }
    let started = context.now();
    let delivery = Delivery {
        url: endpoint.url.clone(),
        id: job.new.dedupe.clone(),
        timestamp_s: started / 1_000,
        body: job.new.payload.clone().unwrap_or_default(),
        secrets: context.store.credentials(&secrets::whose(&endpoint)),
        slots: secrets::slots(&endpoint, started),
    };
    let outcome = context.webhooks.deliver(delivery).await;
    let now = context.now();
    let attempt = attempt_row(&job, started, now, &outcome);
    let decided = decide(job, &outcome, &context.config, now, rand::random_range(-1.0..=1.0));
    let label = if decided.health == Health::Well { "succeeded" } else { "failed" };
    metrics::counter!("crm_webhook_tries_total", "outcome" => label).increment(1);
    let ended = Finish { job: decided.job, attempt: Some(attempt), known: None, jobs: Vec::new() };
    if finish(context, &claim, ended).await? {
        note(context, &endpoint, decided.health, started).await;
    }
    Ok(())
}

/// Ends a claim without a try: nothing is counted. A job that is to wait is offered again when its lane is looked at again.
async fn unsent(context: &Context, claim: &Claim, state: JobState, why: &str) -> Result<(), StoreError> {
    let now = context.now();
    let mut job = claim.job.clone();
    job.state = state;
    job.updated = now;
    job.trouble = Some(JobTrouble::Host(why.to_owned()));
    job.finished = state.is_final().then_some(now);
    if !state.is_final() {
        context.store.hold(&claim.lane, now + LOOK_AGAIN_MS);
    }
    finish(context, claim, Finish { job, attempt: None, known: None, jobs: Vec::new() }).await.map(drop)
}

fn attempt_row(job: &Job, started: u64, ended: u64, outcome: &DeliveryOutcome) -> Attempt {
    let outcome = match outcome.clone() {
        DeliveryOutcome::Answered { status, body_start, took_ms, .. } => {
            Outcome::Delivery { status: Some(status), text: body_start, took_ms }
        }
        DeliveryOutcome::Refused { why } => Outcome::Delivery { status: None, text: why, took_ms: 0 },
        DeliveryOutcome::Unanswered { why, took_ms } => Outcome::Delivery { status: None, text: why, took_ms },
    };
    Attempt {
        job: job.new.id.clone(),
        number: job.attempts + 1,
        connector: "webhook".to_owned(),
        version: String::new(),
        digest: Digest(String::new()),
        started,
        ended,
        outcome,
        log: Vec::new(),
        asked: None,
    }
}

/// How the endpoint did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Well,
    Unwell,
    /// It wants no more.
    Gone,
}

/// What one try means for its job and for its endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    pub job: Job,
    pub health: Health,
}

/// A pure function, so that every answer is a row of a table. `jitter` in -1.0..=1.0.
pub fn decide(mut job: Job, outcome: &DeliveryOutcome, config: &Config, now: u64, jitter: f64) -> Decided {
    job.updated = now;
    job.attempts += 1;
    let (health, trouble, retry_after) = match outcome {
        DeliveryOutcome::Answered { status: 200..=299, .. } => (Health::Well, None, None),
        DeliveryOutcome::Answered { status: 410, .. } => (Health::Gone, Some("it answered 410: no more is wanted".to_owned()), None),
        // Whatever else it says, the standard counts it as not taken: it may be another thing tomorrow.
        DeliveryOutcome::Answered { status, retry_after_s, .. } => (Health::Unwell, Some(format!("it answered {status}")), *retry_after_s),
        DeliveryOutcome::Refused { why } | DeliveryOutcome::Unanswered { why, .. } => (Health::Unwell, Some(why.clone()), None),
    };
    job.burnt += u32::from(health == Health::Unwell);
    let again = (health == Health::Unwell).then(|| wait(config, job.burnt, retry_after, jitter)).flatten();
    (job.state, job.due) = match (health, again) {
        (Health::Well, _) => (JobState::Succeeded, job.due),
        (_, Some(ms)) => (JobState::Retrying, now + ms),
        (_, None) => (JobState::Failed, job.due),
    };
    job.finished = job.state.is_final().then_some(now);
    job.trouble = trouble.map(JobTrouble::Host);
    Decided { job, health }
}

/// Remembers how the endpoint did. Only a change is written: the first failure after a success, and the first success after failures.
async fn note(context: &Context, seen: &WebhookEndpoint, health: Health, at: u64) {
    let noted = match (health, seen.failing_since) {
        (Health::Gone, _) => webhooks::give_up(context, &seen.organization, &seen.id, DisabledBy::Gone).await.map(drop),
        (Health::Unwell, Some(since)) if at.saturating_sub(since) >= FAILING_MS => fail(context, seen, at).await,
        (Health::Unwell, None) => failing(context, seen, Some(at)).await,
        (Health::Well, Some(_)) => failing(context, seen, None).await,
        _ => Ok(()),
    };
    match noted {
        Ok(()) | Err(ServiceError::NotFound(_)) => {}
        // The next try notes it again.
        Err(error) => tracing::warn!(endpoint = seen.id, %error, "how a webhook endpoint does could not be noted"),
    }
}

/// Five days without a success: unless one came while this try was under way.
async fn fail(context: &Context, seen: &WebhookEndpoint, at: u64) -> Result<(), ServiceError> {
    let current = webhooks::get(context, &seen.organization, &seen.id).await?.value;
    match current.failing_since {
        Some(since) if at.saturating_sub(since) >= FAILING_MS => {
            webhooks::give_up(context, &seen.organization, &seen.id, DisabledBy::Failing).await.map(drop)
        }
        _ => Ok(()),
    }
}

/// Notes since when everything fails, of the address that was tried; written only when it is new.
async fn failing(context: &Context, seen: &WebhookEndpoint, since: Option<u64>) -> Result<(), ServiceError> {
    for _ in 0..records::RACES {
        let Versioned { mut value, version } = webhooks::get(context, &seen.organization, &seen.id).await?;
        if value.url != seen.url || value.failing_since.is_some() == since.is_some() {
            return Ok(());
        }
        value.failing_since = since;
        match records::save(context, &value, version).await {
            Err(ServiceError::Changed) => {}
            other => return other.map(drop),
        }
    }
    Err(ServiceError::Changed)
}
