//! One attempt: build the job from what is known, run the connector, settle what came of it under the fence.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use crm_catalog::model::Stage;
use crm_contract::ports::{GuestFault, Mode};
use crm_contract::types::{Answer, Ending, Error, Invocation, Job as GuestJob, Known, Refusal, Told, Trouble};
use crm_store::StoreError;
use crm_store::model::{Asked, Attempt, Claim, Finish, Job, JobState, Kind, NewJob, Outcome, Purpose, Put, RecordKey, UNUSABLE};
use futures_util::FutureExt as _;

use super::decide::{Decision, End, Park, decide};
use super::deliver;
use super::journal::AttemptJournal;
use super::lanes::{Lanes, Version, guest_connection, is_gone, scope};
use super::prepare::Preparing;
use super::present::{self, Tags};
use super::watched::{Seen, Watched};
use crate::context::{Context, LoadError};
use crate::domain::{Connection, ConnectionState, Override, override_id};
use crate::fit::{Fitted, fit};
use crate::loose::MemoryLog;
use crate::services::events::{self, Event};
use crate::services::overrides::{self, scope_of};
use crate::services::releases;

/// What the workers share.
pub(super) struct Shared {
    pub(super) context: Context,
    pub(super) lanes: Lanes,
    pub(super) preparing: Preparing,
}

/// What one run brought.
struct Ran {
    end: End,
    known: Option<Known>,
    failed_step: Option<String>,
    saw_unknown: bool,
    log: Vec<String>,
    scope: Option<crm_contract::ports::Scope>,
    version: Option<Version>,
    asked: Option<Box<Asked>>,
}

impl Ran {
    fn host(end: End) -> Self {
        Self { end, known: None, failed_step: None, saw_unknown: false, log: Vec::new(), scope: None, version: None, asked: None }
    }
}

/// Runs a claimed job to the end of this attempt, a defect of ours included: a panic counts as a fault of the job, because
/// its lane's lease goes on and nobody else would end it. Errors of the store are returned: the caller stops the host on them.
pub(super) async fn run(shared: &Shared, claim: Claim) -> Result<(), StoreError> {
    let spare = claim.clone();
    match AssertUnwindSafe(attempt(shared, claim)).catch_unwind().await {
        Ok(result) => result,
        Err(_) => {
            tracing::error!(job = spare.job.new.id, "the attempt panicked: a defect of the host");
            let end = End::Fault(GuestFault::Trapped("the host failed while it ran this attempt; its log says where".into()));
            let decision = decide(spare.job.clone(), end, None, &shared.context.config, shared.context.now(), 0.0);
            settle(shared, &spare, decision, None, None, None, None).await
        }
    }
}

async fn attempt(shared: &Shared, mut claim: Claim) -> Result<(), StoreError> {
    let context = &shared.context;
    if claim.job.new.purpose == Purpose::Webhook {
        return deliver::run(context, claim).await;
    }
    let started = context.now();
    let number = claim.steps.iter().map(|s| s.attempt).max().unwrap_or(0).max(claim.job.attempts) + 1;
    let connection = shared.lanes.connection(context, &claim.job.new.organization, &claim.lane).await;
    let (ran, connection) = match connection {
        Err(error) => (Ran::host(End::Host(error.to_string())), None),
        Ok(None) => (Ran::host(End::Gone), None),
        Ok(Some(connection)) if is_gone(&connection) => (Ran::host(End::Gone), Some(connection)),
        Ok(Some(connection)) => match effective(context, &claim, connection).await {
            Ok(Some(connection)) => {
                let mut ran = execute(shared, &mut claim, connection.clone(), number).await;
                // Its version was swapped away between the look and the run. Nothing was started: the present one does it.
                if matches!(ran.end, End::Fault(GuestFault::NotLoaded(_))) {
                    ran = execute(shared, &mut claim, connection.clone(), number).await;
                }
                (ran, Some(connection))
            }
            Ok(None) => (Ran::host(End::Gone), None),
            Err(error) => (Ran::host(End::Host(error.to_string())), None),
        },
    };
    let now = context.now();
    let mut job = claim.job.clone();
    job.attempts = number;
    job.after_unknown |= ran.saw_unknown;
    job.failed_step = if matches!(ran.end, End::Ended(Ending::Failed(_)) | End::Fault(_)) { ran.failed_step } else { None };
    let later = ran.version.as_ref().and_then(|(_, m)| m.later.as_ref());
    let jitter = rand::random_range(-1.0..=1.0);
    let decision = decide(job, ran.end.clone(), later, &context.config, now, jitter);
    let attempt = ran.version.as_ref().and_then(|version| attempt_row(&claim, number, started, now, &ran.end, version));
    let attempt = attempt.map(|row| Attempt { log: ran.log, asked: ran.asked, ..row });
    if let Some(attempt) = &attempt {
        releases::tally(context, attempt).await;
    }
    settle(shared, &claim, decision, attempt, ran.known, ran.scope, connection.zip(ran.version)).await
}

/// The connection as the job's campaign sees it. `None` = the campaign has been switched off for it since the job was made.
async fn effective(context: &Context, claim: &Claim, connection: Arc<Connection>) -> Result<Option<Arc<Connection>>, LoadError> {
    let job = &claim.job.new;
    let id = override_id(&job.campaign, &connection.id);
    match context.load::<Override>(&job.organization, Kind::Override, &id).await? {
        None => Ok(Some(connection)),
        Some((over, _)) if over.off && job.purpose == Purpose::Sync => Ok(None),
        Some((over, _)) => Ok(Some(Arc::new(overrides::applied(&connection, &over)))),
    }
}

/// Prepares if need be, then runs the export.
async fn execute(shared: &Shared, claim: &mut Claim, connection: Arc<Connection>, number: u32) -> Ran {
    let context = &shared.context;
    let version = context.version_for(&connection).await;
    // A job that was stopped once tries no version any more: a trial must not be what makes it fail.
    let version = if claim.job.faults == 0 { version } else { context.steady_version(&connection).or(version) };
    let Some(version) = version else {
        return Ran::host(End::Host(format!("no version of connector {} is loaded", connection.connector)));
    };
    let Tags { all, clear } = match present::look(context, claim, &connection).await {
        Ok(tags) => tags,
        Err(error) => return Ran::host(End::Host(error.to_string())),
    };
    let job = &claim.job.new;
    let fitted = fit(&version.1, &job.set, &all);
    let prepared = match job.purpose {
        Purpose::Sync => shared.preparing.ensure(context, &shared.lanes, connection, &version, &fitted.set, None).await,
        Purpose::Untag => Preparing::look(context, &shared.lanes, connection, &version, &clear).await,
        Purpose::Webhook => Err(End::Host("this is no job of a connection".to_owned())),
    };
    let connection = match prepared {
        Ok(connection) => connection,
        Err(end) => return Ran { version: Some(version), ..Ran::host(end) },
    };
    // What is known was learnt in the destination that the job was made for.
    let elsewhere = scope_of(&connection) != claim.job.new.scope;
    let known = if elsewhere { Known::default() } else { claim.known.clone() };
    let job = GuestJob { clear, ..guest_job(&claim.job, &connection, &known, &fitted) };
    let (stage, invocation) = match claim.job.new.purpose {
        Purpose::Untag => (Stage::Untag, Invocation::UntagContact { job }),
        Purpose::Sync | Purpose::Webhook => (Stage::Sync, Invocation::SyncContact { job }),
    };
    let scope = scope(context, &connection, version.1.clone(), stage, claim.job.after_unknown);
    let journal = Arc::new(AttemptJournal::new(
        context.store.clone(),
        context.clock.clone(),
        claim.lane.clone(),
        claim.epoch,
        claim.job.new.id.clone(),
        number,
        claim.steps.clone(),
    ));
    let log = Arc::new(MemoryLog::default());
    let outbound = Watched::new(context.gateway.open(scope.clone(), Mode::Live, journal.clone()), journal.clone());
    let mut asked = Box::new(Asked {
        account: scope.account.clone(),
        choice: scope.choice.clone(),
        after_unknown: scope.after_unknown,
        resumed: !claim.steps.is_empty(),
        ..Asked::new(invocation.clone())
    });
    let answer = context.guests.call(&version.0, invocation, outbound.clone(), log.clone()).await;
    let (end, learnt) = match answer {
        Ok(Answer::Report(report)) => (End::Ended(report.ending), Some(report.known)),
        Ok(_) => (End::Fault(GuestFault::Trapped("the connector answered another function".into())), None),
        Err(fault) => (End::Fault(fault), None),
    };
    let Seen { credentials, last, unkept } = outbound.take();
    asked.unkept = unkept;
    let end = match (end, credentials) {
        // The guest cannot know why egress refused; this is the host's own finding, and it is the merchant who must act.
        (End::Ended(Ending::Failed(_)), Some(text)) => {
            let told = Told { code: "credentials".into(), text };
            End::Ended(Ending::Failed(Error::Credentials(Refusal { trouble: Trouble::Invalid, told })))
        }
        (End::Ended(Ending::Done(mut success)), _) if stage == Stage::Sync => {
            success.warnings.extend(fitted.warnings);
            End::Ended(Ending::Done(success))
        }
        (end, _) => end,
    };
    let gave_up = matches!(end, End::Ended(Ending::Failed(_)) | End::Fault(_));
    if gave_up && last.as_ref().is_some_and(|(_, answered)| *answered) {
        match journal.disown_last().await {
            Ok(unusable) => asked.unusable = unusable.filter(|answer| answer.body.len() <= UNUSABLE),
            Err(error) => tracing::warn!(job = claim.job.new.id, %error, "an unusable answer could not be marked"),
        }
    }
    let lines = std::mem::take(&mut *log.lines.lock());
    // Under its new address the contact is known from now on, also where nothing else was learnt: done, or perhaps done.
    let moved = stage == Stage::Sync && claim.job.new.who.previous_email.is_some() && (!gave_up || journal.wrote());
    Ran {
        end,
        known: learnt.filter(|k| !elsewhere && (moved || k != &claim.known)),
        failed_step: last.map(|(call, _)| call),
        saw_unknown: journal.saw_unknown_outcome(),
        log: lines,
        scope: Some(scope),
        version: Some(version),
        asked: Some(asked),
    }
}

/// The job as the guest sees it. Blank texts never reach it.
fn guest_job(job: &Job, connection: &Connection, known: &Known, fitted: &Fitted) -> GuestJob {
    GuestJob {
        on: guest_connection(connection),
        who: job.new.who.clone(),
        known: known.clone(),
        set: fitted.set.clone(),
        clear: job.new.clear.clone(),
        all: fitted.all.clone(),
        resume: job.resume.clone(),
    }
}

fn attempt_row(claim: &Claim, number: u32, started: u64, ended: u64, end: &End, version: &Version) -> Option<Attempt> {
    let outcome = match end {
        End::Ended(ending) => Outcome::Ended(ending.clone()),
        End::Fault(fault) => Outcome::Fault(fault.clone()),
        End::Host(_) | End::NeedsConsent(_) | End::Gone => return None,
    };
    Some(Attempt {
        job: claim.job.new.id.clone(),
        number,
        connector: version.1.connector.slug.clone(),
        version: version.1.connector.version.clone(),
        digest: version.0.clone(),
        started,
        ended,
        outcome,
        log: Vec::new(),
        asked: None,
    })
}

/// Writes the end, then does what else it asks for. A fenced result is dropped: another worker owns the job.
async fn settle(
    shared: &Shared,
    claim: &Claim,
    mut decision: Decision,
    attempt: Option<Attempt>,
    known: Option<Known>,
    scope: Option<crm_contract::ports::Scope>,
    on: Option<(Arc<Connection>, Version)>,
) -> Result<(), StoreError> {
    let context = &shared.context;
    park_if_asked(context, &mut decision, on.as_ref()).await?;
    if let (Some(throttle), Some(scope)) = (&decision.throttled, &scope) {
        context.gateway.throttled(scope, throttle.limit.as_deref(), throttle.after_seconds);
    }
    if let Some((connection, version)) = &on
        && let Some(names) = decision.stale.take()
    {
        let tags = fit(&version.1, &claim.job.new.set, &[]).set;
        if let Err(end) = shared.preparing.ensure(context, &shared.lanes, connection.clone(), version, &tags, Some(&names)).await {
            let later = version.1.later.as_ref();
            decision = decide(decision.job, end, later, &context.config, context.now(), 0.0);
            park_if_asked(context, &mut decision, on.as_ref()).await?;
        }
    }
    if let Some(unwell) = decision.unwell
        && let Some(rest) = shared.lanes.note(context, &claim.lane, unwell)
    {
        tracing::warn!(connection = claim.lane, rest_ms = rest, "the vendor answers with trouble: this connection rests");
        context.store.hold(&claim.lane, context.now() + rest);
    }
    metrics::counter!("crm_attempts_total", "outcome" => outcome_label(&decision.job)).increment(1);
    let jobs = tidings(context, &claim.job, &decision.job).await;
    finish(context, claim, Finish { job: decision.job, attempt, known, jobs }).await.map(drop)
}

/// Writes the end of an attempt. `false` = another worker has the job now, and nothing was written.
pub(super) async fn finish(context: &Context, claim: &Claim, finish: Finish) -> Result<bool, StoreError> {
    match context.store.finish(&claim.lane, claim.epoch, finish).await {
        Ok(()) => Ok(true),
        Err(StoreError::Fenced) => {
            tracing::warn!(job = claim.job.new.id, "another worker took this job over; its result here is dropped");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// The webhooks that tell how a sync went. What deliveries themselves come to is told by none. A directory that cannot be read keeps no
/// sync from ending.
async fn tidings(context: &Context, before: &Job, after: &Job) -> Vec<NewJob> {
    if before.new.purpose == Purpose::Webhook {
        return Vec::new();
    }
    let told: Vec<Event> = Event::of_sync(before, after).into_iter().collect();
    outbox(context, &before.new.organization, &told).await
}

async fn outbox(context: &Context, organization: &str, told: &[Event]) -> Vec<NewJob> {
    events::outbox(context, organization, told).await.unwrap_or_else(|error| {
        tracing::error!(organization, %error, "an event could not be told: the organization's webhook endpoints cannot be read");
        Vec::new()
    })
}

fn outcome_label(job: &Job) -> &'static str {
    match job.state {
        JobState::Succeeded => "succeeded",
        JobState::Failed => "failed",
        JobState::Waiting => "waiting",
        JobState::Parked => "parked",
        JobState::Cancelled => "cancelled",
        JobState::Pending | JobState::Running | JobState::Retrying => "retrying",
    }
}

/// Parks when the decision says so; a job whose connection was not parked after all is simply run again.
async fn park_if_asked(context: &Context, decision: &mut Decision, on: Option<&(Arc<Connection>, Version)>) -> Result<(), StoreError> {
    let (Some(why), Some((connection, _))) = (&decision.park, on) else { return Ok(()) };
    if !park(context, connection, why).await? {
        decision.job.state = JobState::Retrying;
    }
    Ok(())
}

/// Whether the merchant said yes to what must be made in this destination since `seen` was read.
async fn agreed_since(context: &Context, current: &Connection, seen: &Connection) -> Result<bool, StoreError> {
    let Some(campaign) = &seen.overridden_by else { return Ok(current.prepared != seen.prepared) };
    match context.load::<Override>(&seen.organization, Kind::Override, &override_id(campaign, &seen.id)).await {
        Ok(Some((over, _))) => Ok(over.prepared != seen.prepared || over.scope() != scope_of(seen)),
        // Gone, or not to be read: the next run sees for itself.
        Ok(None) | Err(LoadError::Unreadable { .. }) => Ok(true),
        Err(LoadError::Store(error)) => Err(error),
    }
}

/// Parks the connection and says so once. `false` = the merchant replaced the credentials while the attempt ran, so what the
/// vendor refused are the old ones: nothing is parked.
async fn park(context: &Context, seen: &Connection, why: &Park) -> Result<bool, StoreError> {
    let key = RecordKey { organization: seen.organization.clone(), kind: Kind::Connection, id: seen.id.clone() };
    let mut parked = false;
    loop {
        let Some(record) = context.store.get(&key).await? else { return Ok(false) };
        let Ok(mut current) = serde_json::from_str::<Connection>(&record.json) else { return Ok(false) };
        // Replaced credentials, or a yes given meanwhile: what this attempt found is out of date.
        let agreed = matches!(why, Park::Preparation(_)) && agreed_since(context, &current, seen).await?;
        if current.verified != seen.verified || agreed {
            if parked {
                context.store.park(&seen.id, false, context.now()).await?;
            }
            return Ok(false);
        }
        if !parked {
            context.store.park(&seen.id, true, context.now()).await?;
            parked = true;
        }
        if current.state != ConnectionState::Live {
            return Ok(true);
        }
        let (state, text) = match why {
            Park::Credentials(text) => (ConnectionState::NeedsCredentials, text),
            Park::Preparation(text) => (ConnectionState::NeedsPreparation, text),
        };
        let before = current.state;
        current.state = state;
        current.trouble = Some(text.clone());
        let told: Vec<Event> = Event::of_connection(before, &current).into_iter().collect();
        let jobs = outbox(context, &seen.organization, &told).await;
        let Ok(json) = serde_json::to_string(&current) else { return Ok(true) };
        let put = Put { record: key.clone(), expect: Some(record.version), json: Some(json), unique: Vec::new() };
        match context.store.commit(vec![put], jobs).await {
            Ok(_) => {
                tracing::warn!(connection = seen.id, connector = seen.connector, state = ?state, "connection waits for its merchant");
                metrics::counter!("crm_connections_parked_total").increment(1);
                return Ok(true);
            }
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
}
