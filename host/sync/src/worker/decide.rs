//! What an attempt's end means for its job: a pure function, so that every row of the retry table is a test and not a
//! matter of timing. Knows nothing of stores, guests or clocks.

use crm_catalog::model::LaterRule;
use crm_contract::ports::GuestFault;
use crm_contract::types::{Ending, Error, Throttle};
use crm_store::model::{Job, JobState, JobTrouble};

use crate::context::Config;

/// How an attempt ended, as far as its job is concerned.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    Ended(Ending),
    Fault(GuestFault),
    /// The connector (or its pinned version) is not loaded, or the connection's record cannot be used.
    Host(String),
    /// Things are missing in the merchant's account that are made only with the merchant's yes: their names.
    NeedsConsent(Vec<String>),
    /// The connection was disconnected meanwhile.
    Gone,
}

/// Why a connection's jobs wait for the merchant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Park {
    /// The vendor refused the credentials: its words.
    Credentials(String),
    /// Something must be made in the account first: what.
    Preparation(String),
}

/// What to do besides writing the job.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    pub job: Job,
    /// Park the connection.
    pub park: Option<Park>,
    /// Drop these facts and prepare again.
    pub stale: Option<Vec<String>>,
    /// Tell the limiter.
    pub throttled: Option<Throttle>,
    /// For the breaker: `Some(true)` when the vendor was unwell, `Some(false)` when it answered properly.
    pub unwell: Option<bool>,
}

/// Without a word from the vendor a throttle waits this long.
const DEFAULT_THROTTLE_S: u32 = 60;
/// A run that found no free slot comes back this soon.
const BUSY_MS: u64 = 250;
/// A connector that is not loaded is looked for again after this long.
const NOT_LOADED_MS: u64 = 30_000;

/// `jitter` in -1.0..=1.0 spreads retries by `config.jitter_percent`.
pub fn decide(mut job: Job, end: End, later: Option<&LaterRule>, config: &Config, now: u64, jitter: f64) -> Decision {
    job.updated = now;
    let mut decision = Decision { job, park: None, stale: None, throttled: None, unwell: None };
    let job = &mut decision.job;
    match end {
        End::Gone => finish(job, JobState::Cancelled, None, now),
        End::NeedsConsent(names) => {
            let text = format!("{} must be made in the account first, which needs your yes", names.join(", "));
            decision.park = Some(Park::Preparation(text.clone()));
            postpone(job, JobState::Parked, JobTrouble::Host(text), now);
        }
        End::Host(text) => postpone(job, JobState::Retrying, JobTrouble::Host(text), now + NOT_LOADED_MS),
        End::Fault(GuestFault::Busy) => postpone(job, JobState::Retrying, JobTrouble::Fault(GuestFault::Busy), now + BUSY_MS),
        End::Fault(fault @ GuestFault::NotLoaded(_)) => postpone(job, JobState::Retrying, JobTrouble::Fault(fault), now + NOT_LOADED_MS),
        End::Fault(fault) => {
            job.faults += 1;
            let trouble = JobTrouble::Fault(fault);
            if job.faults >= config.max_faults {
                finish(job, JobState::Failed, Some(trouble), now);
            } else {
                retry(job, trouble, config, now, jitter);
            }
        }
        End::Ended(Ending::Done(success)) => {
            job.standing = Some(success.standing);
            job.warnings = success.warnings;
            job.resume = None;
            job.failed_step = None;
            finish(job, JobState::Succeeded, None, now);
            decision.unwell = Some(false);
        }
        End::Ended(Ending::Later(ask)) => {
            decision.unwell = Some(false);
            let since = *job.waiting_since.get_or_insert(now);
            let give_up_ms = later.map_or(86_400_000, |rule| u64::from(rule.give_up_s) * 1000);
            if now.saturating_sub(since) >= give_up_ms {
                let trouble = JobTrouble::Host(format!("the vendor accepted it but did not finish within {} s", give_up_ms / 1000));
                finish(job, JobState::Failed, Some(trouble), now);
            } else {
                let (min, max) = later.map_or((1, 3600), |rule| (rule.first_s, rule.max_s));
                let wait = ask.after_seconds.clamp(min.max(1), max.max(min).max(1));
                job.resume = Some(ask.resume);
                job.state = JobState::Waiting;
                job.trouble = None;
                job.due = now + u64::from(wait) * 1000;
            }
        }
        End::Ended(Ending::Failed(error)) => failed(&mut decision, error, config, now, jitter),
    }
    decision
}

fn failed(decision: &mut Decision, error: Error, config: &Config, now: u64, jitter: f64) {
    let job = &mut decision.job;
    let trouble = JobTrouble::Connector(error.clone());
    match error {
        Error::Retryable(_) => {
            decision.unwell = Some(true);
            retry(job, trouble, config, now, jitter);
        }
        Error::RateLimited(throttle) => {
            let wait = throttle.after_seconds.unwrap_or(DEFAULT_THROTTLE_S).clamp(1, config.max_retry_after_s);
            postpone(job, JobState::Retrying, trouble, now + u64::from(wait) * 1000);
            decision.throttled = Some(throttle);
        }
        Error::Credentials(refusal) => {
            decision.park = Some(Park::Credentials(refusal.told.text));
            postpone(job, JobState::Parked, trouble, now);
        }
        Error::Stale(facts) if !job.prepared_again => {
            job.prepared_again = true;
            decision.stale = Some(facts);
            postpone(job, JobState::Retrying, trouble, now);
        }
        Error::Stale(_) | Error::Rejected(_) | Error::DestinationMissing(_) | Error::Unsupported(_) | Error::Permanent(_) => {
            decision.unwell = Some(false);
            finish(job, JobState::Failed, Some(trouble), now);
        }
    }
}

/// Burns an attempt and waits as the schedule says; the last entry used up means failed.
fn retry(job: &mut Job, trouble: JobTrouble, config: &Config, now: u64, jitter: f64) {
    job.burnt += 1;
    match config.retry_schedule_s.get(job.burnt as usize - 1) {
        None => finish(job, JobState::Failed, Some(trouble), now),
        Some(seconds) => {
            let base = f64::from(*seconds) * 1000.0;
            let spread = base * f64::from(config.jitter_percent) / 100.0 * jitter.clamp(-1.0, 1.0);
            // Cast: both are far below 2^53, and a negative wait is cut to zero.
            let wait = (base + spread).max(0.0) as u64;
            postpone(job, JobState::Retrying, trouble, now + wait);
        }
    }
}

fn postpone(job: &mut Job, state: JobState, trouble: JobTrouble, due: u64) {
    job.state = state;
    job.trouble = Some(trouble);
    job.due = due;
}

fn finish(job: &mut Job, state: JobState, trouble: Option<JobTrouble>, now: u64) {
    job.state = state;
    job.trouble = trouble;
    job.finished = Some(now);
}
