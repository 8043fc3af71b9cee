//! Deliveries as merchants see them: lists, one with its tries and what is planned, the test, and sending one again by hand.

use crm_store::model::{Attempt, Job, JobFilter, JobState};
use crm_store::{Ack, StoreError};
use serde::Deserialize;

use super::{LANES, Message, WebhookEndpoint, delivery, get, planned};
use crate::context::Context;
use crate::services::events::{self, EventType};
use crate::services::records::{self, Paged};
use crate::services::syncs::ShownState;
use crate::services::{ServiceError, audit};

/// One message on its way to one endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    pub job: Job,
    /// The type of its event.
    pub kind: String,
}

/// One with all that is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryDetail {
    pub delivery: Delivery,
    /// Oldest first.
    pub attempts: Vec<Attempt>,
    /// When the tries that are left would be made.
    pub planned: Vec<u64>,
}

/// Which deliveries to list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeliveryFilter {
    pub state: Option<ShownState>,
    pub kind: Option<EventType>,
}

/// Deliveries that are looked at for one page of a list by type; the page then ends early, with a cursor.
const SCAN_LIMIT: usize = 10_000;
const SCAN_PAGE: usize = 200;

impl Delivery {
    fn of(job: Job) -> Self {
        #[derive(Deserialize)]
        struct Head {
            #[serde(rename = "type")]
            kind: String,
        }
        let head = job.new.payload.as_deref().and_then(|payload| serde_json::from_str::<Head>(payload).ok());
        Self { kind: head.map(|head| head.kind).unwrap_or_default(), job }
    }

    /// The event's id, its `webhook-id`.
    pub fn event(&self) -> &str {
        &self.job.new.dedupe
    }
}

/// The deliveries of an endpoint, newest first; `before` is the id of the last one seen.
pub async fn list(
    context: &Context,
    organization: &str,
    endpoint: &str,
    filter: &DeliveryFilter,
    before: Option<&str>,
    limit: usize,
) -> Result<Paged<Delivery>, ServiceError> {
    get(context, organization, endpoint).await?;
    let mut items: Vec<Delivery> = Vec::new();
    let mut at = before.map(str::to_owned);
    let mut seen = 0;
    loop {
        let want = if filter.kind.is_some() { SCAN_PAGE } else { limit };
        let mut jobs = page(context, organization, endpoint, filter.state, at.as_deref(), want + 1).await?;
        let more = jobs.len() > want;
        jobs.truncate(want);
        let last = jobs.len();
        for (index, job) in jobs.into_iter().enumerate() {
            seen += 1;
            at = Some(job.new.id.clone());
            let delivery = Delivery::of(job);
            if filter.kind.is_none_or(|kind| kind.word() == delivery.kind) {
                items.push(delivery);
            }
            if items.len() >= limit || seen >= SCAN_LIMIT {
                let next = if more || index + 1 < last { at } else { None };
                return Ok(Paged { items, next });
            }
        }
        if !more {
            return Ok(Paged { items, next: None });
        }
    }
}

async fn page(
    context: &Context,
    organization: &str,
    endpoint: &str,
    state: Option<ShownState>,
    before: Option<&str>,
    limit: usize,
) -> Result<Vec<Job>, ServiceError> {
    let states: Vec<Option<JobState>> = state.map_or_else(|| vec![None], |shown| shown.kept().iter().copied().map(Some).collect());
    let mut jobs = Vec::new();
    for state in states {
        let filter = JobFilter { lanes: LANES.to_owned(), lane: Some(endpoint.to_owned()), state, affiliate: None, campaign: None };
        jobs.extend(context.store.jobs(organization, &filter, before, limit).await?);
    }
    jobs.sort_by(|a, b| b.new.id.cmp(&a.new.id));
    jobs.truncate(limit);
    Ok(jobs)
}

async fn load(context: &Context, organization: &str, id: &str) -> Result<Job, ServiceError> {
    let missing = || ServiceError::NotFound("webhook delivery");
    if !records::plausible(id) {
        return Err(missing());
    }
    let job = context.store.job(organization, id).await?.ok_or_else(missing)?;
    if job.new.lane.starts_with(LANES) { Ok(job) } else { Err(missing()) }
}

pub async fn one(context: &Context, organization: &str, id: &str) -> Result<DeliveryDetail, ServiceError> {
    let job = load(context, organization, id).await?;
    let attempts = context.store.attempts(organization, id).await?;
    let planned = planned(&context.config, &job);
    Ok(DeliveryDetail { delivery: Delivery::of(job), attempts, planned })
}

/// Sends a test to an endpoint, whatever events it chose.
pub async fn test(context: &Context, organization: &str, id: &str) -> Result<Delivery, ServiceError> {
    let endpoint = enabled(get(context, organization, id).await?.value)?;
    let message = events::test_message(&endpoint.id, context.now());
    let job = delivery(context, organization, &endpoint.id, message);
    let made = job.id.clone();
    let log = audit::entry(context, organization, "webhook_endpoint.tested", id, &[])?;
    context.store.commit(vec![log], vec![job]).await?;
    Ok(Delivery::of(load(context, organization, &made).await?))
}

/// Sends a message again, now: the same `webhook-id` and the same body. One that is not finished is brought forward, its schedule begun
/// anew; a finished one stays as it ended, and a new delivery is made.
pub async fn resend(context: &Context, organization: &str, id: &str) -> Result<Delivery, ServiceError> {
    let mut job = load(context, organization, id).await?;
    match get(context, organization, &job.new.lane).await {
        Ok(endpoint) => enabled(endpoint.value).map(drop)?,
        Err(ServiceError::NotFound(_)) => {
            return Err(ServiceError::conflict("webhook_endpoint_deleted", "the endpoint of this delivery was deleted"));
        }
        Err(error) => return Err(error),
    }
    let log = audit::entry(context, organization, "webhook_delivery.resent", id, &[("endpoint", job.new.lane.clone())])?;
    let now = context.now();
    if job.state == JobState::Running {
        return Err(ServiceError::conflict("delivery_running", "this delivery is on its way at the moment"));
    }
    if !job.state.is_final() {
        let seen = job.updated;
        job.due = now;
        job.burnt = 0;
        job.state = JobState::Pending;
        job.updated = now.max(seen + 1);
        return match context.store.amend(job, seen).await {
            Ok(()) => {
                context.store.commit(vec![log], Vec::new()).await?;
                Ok(Delivery::of(load(context, organization, id).await?))
            }
            Err(StoreError::Conflict) => {
                Err(ServiceError::conflict("delivery_changed", "this delivery went on meanwhile: look at it again"))
            }
            Err(error) => Err(error.into()),
        };
    }
    let message = Message { id: job.new.dedupe.clone(), body: job.new.payload.clone().unwrap_or_default() };
    let mut again = delivery(context, organization, &job.new.lane, message);
    again.affiliate.clone_from(&job.new.affiliate);
    again.campaign.clone_from(&job.new.campaign);
    again.due = now;
    let mut made = again.id.clone();
    if let Some(Ack::Folded { into }) = context.store.commit(vec![log], vec![again]).await?.into_iter().next() {
        made = into;
    }
    Ok(Delivery::of(load(context, organization, &made).await?))
}

fn enabled(endpoint: WebhookEndpoint) -> Result<WebhookEndpoint, ServiceError> {
    if endpoint.disabled.is_some() {
        return Err(ServiceError::conflict("webhook_endpoint_disabled", "this endpoint is disabled: enable it first"));
    }
    Ok(endpoint)
}
