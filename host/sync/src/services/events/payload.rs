//! What an endpoint receives: `{type, timestamp, data}`. Field names are the API's. Never a secret, never what a connector knows besides.

use crm_store::model::Job;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Event, EventType};
use crate::domain::{Affiliate, Connection};
use crate::services::syncs::{self, ShownState};

/// Longest text of a vendor's that is passed on, in characters.
const WORDS: usize = 1_000;

pub(super) fn test(endpoint: &str, now: u64) -> Value {
    wrap(EventType::WebhookTest, now, json!({ "endpoint": endpoint, "message": "This is a test." }))
}

pub(super) fn event(event: &Event, now: u64) -> Value {
    let data = match event {
        Event::Affiliate { affiliate, campaign, .. } => of_affiliate(affiliate, campaign),
        Event::Sync { job, .. } => json!({ "sync": of_job(job) }),
        Event::Connection { connection, .. } => json!({ "connection": of_connection(connection) }),
        Event::ImportFinished { import, campaign, state, counts } => {
            let number = |text: &str| text.parse::<u64>().map_or_else(|_| json!(text), |n| json!(n));
            let counts: serde_json::Map<String, Value> = counts.iter().map(|p| (p.key.clone(), number(&p.value))).collect();
            json!({ "import": { "id": import, "campaign": campaign, "state": state, "counts": counts } })
        }
    };
    wrap(event.kind(), now, data)
}

fn wrap(kind: EventType, now: u64, data: Value) -> Value {
    json!({ "type": kind.word(), "timestamp": time(now), "data": data })
}

fn of_affiliate(affiliate: &Affiliate, campaign: &str) -> Value {
    let membership = affiliate.membership(campaign).map(|m| {
        json!({
            "campaign": m.campaign,
            "status": m.status.word(),
            "joined": time(m.joined),
            "approved": m.approved.map(time),
            "changed": time(m.changed),
            "reason": m.reason,
        })
    });
    json!({
        "affiliate": {
            "id": affiliate.id,
            "email": affiliate.email,
            "first": affiliate.first,
            "last": affiliate.last,
            "full": affiliate.full,
            "company": affiliate.company,
            "website": affiliate.website,
            "promotes": affiliate.promotes,
            "slug": affiliate.slug,
            "coupon": affiliate.coupon,
            "source": word(&affiliate.source),
            "created": time(affiliate.created),
            "updated": time(affiliate.updated),
        },
        "membership": membership,
    })
}

fn of_job(job: &Job) -> Value {
    let reason = job.trouble.as_ref().filter(|_| job.state != crm_store::model::JobState::Succeeded).map(|trouble| {
        let (code, words) = syncs::reason(trouble);
        json!({ "code": code, "message": cut(&words) })
    });
    json!({
        "id": job.new.id,
        "connection": job.new.lane,
        "campaign": job.new.campaign,
        "affiliate": job.new.affiliate,
        "email": job.new.who.email,
        "purpose": word(&job.new.purpose),
        "state": ShownState::of(job.state).word(),
        "standing": job.standing.as_ref().map(word),
        "reason": reason,
        "failed_step": job.failed_step,
        "attempts": job.attempts,
        "next_at": (!job.state.is_final()).then(|| time(job.due)),
        "created": time(job.new.created),
        "finished": job.finished.map(time),
    })
}

fn of_connection(connection: &Connection) -> Value {
    json!({
        "id": connection.id,
        "connector": connection.connector,
        "name": connection.name,
        "state": word(&connection.state),
        "trouble": connection.trouble.as_deref().map(cut),
        "created": time(connection.created),
    })
}

fn cut(words: &str) -> String {
    words.chars().take(WORDS).collect()
}

/// Unix milliseconds as RFC 3339.
fn time(ms: u64) -> String {
    i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()).unwrap_or(jiff::Timestamp::MAX).to_string()
}

/// An enum's serialised word.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}
