//! The connector run natively: its own types to the host's and back, as `engine` does for a component.

use anyhow::{Result, bail};
use crm_connector_sdk::types as guest;
use crm_connector_sdk::{entry, types::WireEnding};
use crm_contract::types as host;

pub(crate) fn sync(job: &host::Job) -> guest::Report {
    let who = guest::Person {
        email: job.who.email.clone(),
        first: job.who.first.clone(),
        last: job.who.last.clone(),
        full: job.who.full.clone(),
        approved_at: job.who.approved_at,
        ..Default::default()
    };
    let job = guest::Job { who, set: job.set.clone(), clear: job.clear.clone(), all: job.all.clone(), ..Default::default() };
    entry::sync_contact(connector_ontraport::connector(), &job)
}

pub(crate) fn check(report: guest::Report) -> Result<()> {
    match report.ending {
        WireEnding::Done(_) => Ok(()),
        other => bail!("the native sync failed: {other:?}"),
    }
}

pub(crate) fn request(request: guest::Request) -> host::Request {
    host::Request {
        call: request.call,
        path: pairs(request.path),
        query: pairs(request.query),
        headers: pairs(request.headers),
        body: match request.body {
            guest::Body::None => host::Body::None,
            guest::Body::Json(text) => host::Body::Json(text),
            guest::Body::Form(form) => host::Body::Form(pairs(form)),
            guest::Body::Bytes(bytes) => host::Body::Bytes(bytes),
        },
    }
}

fn pairs(pairs: Vec<guest::Pair>) -> Vec<host::Pair> {
    pairs.into_iter().map(|p| host::Pair { key: p.key, value: p.value }).collect()
}

pub(crate) fn answer(answer: Result<host::Response, host::Unanswered>) -> Result<guest::Response, guest::Unanswered> {
    match answer {
        Ok(response) => Ok(guest::Response {
            status: response.status,
            headers: response.headers.into_iter().map(|p| guest::Pair { key: p.key, value: p.value }).collect(),
            body: response.body,
        }),
        Err(host::Unanswered::Throttled(t)) => {
            Err(guest::Unanswered::Throttled(guest::Throttle { after_seconds: t.after_seconds, limit: t.limit }))
        }
        Err(host::Unanswered::Unreachable) => Err(guest::Unanswered::Unreachable),
        Err(host::Unanswered::TimedOut) => Err(guest::Unanswered::TimedOut),
        Err(host::Unanswered::TooLarge) => Err(guest::Unanswered::TooLarge),
        Err(host::Unanswered::UnknownOutcome) => Err(guest::Unanswered::UnknownOutcome),
        Err(host::Unanswered::Refused(why)) => Err(guest::Unanswered::Refused(why)),
    }
}
