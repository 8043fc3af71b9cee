//! Host values -> guest values, and the exchange of `egress.send` both ways. Moves text, never copies it. What a guest
//! answers is lifted in `lift`. Must hold no rule.

use crm_contract::ports::LogLevel;
use crm_contract::types as host;

use crate::bindings::rekomi::crm_connector::{egress, log, types as guest};

pub(crate) fn pairs(pairs: Vec<host::Pair>) -> Vec<guest::Pair> {
    pairs.into_iter().map(|host::Pair { key, value }| guest::Pair { key, value }).collect()
}

pub(crate) fn connection(on: host::Connection) -> guest::Connection {
    let host::Connection { mode, settings, picked, facts, tags } = on;
    guest::Connection {
        mode,
        settings: pairs(settings),
        picked: pairs(picked),
        facts: pairs(facts),
        tags: tags.into_iter().map(binding).collect(),
    }
}

fn binding(host::Binding { name, wire, id }: host::Binding) -> guest::Binding {
    guest::Binding { name, wire, id }
}

pub(crate) fn person(who: host::Person) -> guest::Person {
    let host::Person { email, previous_email, first, last, full, company, approved_at, consent, fields } = who;
    guest::Person {
        email,
        previous_email,
        first,
        last,
        full,
        company,
        approved_at,
        consent: consent.map(|host::Consent { at, source, ip }| guest::Consent { at, source, ip }),
        fields: fields.into_iter().map(|host::Field { key, value: v }| guest::Field { key, value: value(v) }).collect(),
    }
}

fn value(value: host::Value) -> guest::Value {
    match value {
        host::Value::Text(v) => guest::Value::Text(v),
        host::Value::Number(v) => guest::Value::Number(v),
        host::Value::Truth(v) => guest::Value::Truth(v),
        host::Value::Date(v) => guest::Value::Date(v),
        host::Value::Many(v) => guest::Value::Many(v),
    }
}

pub(crate) fn known(host::Known { contact_id, tags, memo }: host::Known) -> guest::Known {
    guest::Known { contact_id, tags, memo }
}

pub(crate) fn job(job: host::Job) -> guest::Job {
    let host::Job { on, who, known: k, set, clear, all, resume } = job;
    guest::Job { on: connection(on), who: person(who), known: known(k), set, clear, all, resume }
}

pub(crate) fn request(request: egress::Request) -> host::Request {
    let egress::Request { call, path, query, headers, body } = request;
    let body = match body {
        egress::Body::None => host::Body::None,
        egress::Body::Json(text) => host::Body::Json(text),
        egress::Body::Form(form) => host::Body::Form(host_pairs(form)),
        egress::Body::Bytes(bytes) => host::Body::Bytes(bytes),
    };
    host::Request { call, path: host_pairs(path), query: host_pairs(query), headers: host_pairs(headers), body }
}

pub(crate) fn host_pairs(pairs: Vec<guest::Pair>) -> Vec<host::Pair> {
    pairs.into_iter().map(|guest::Pair { key, value }| host::Pair { key, value }).collect()
}

pub(crate) fn response(host::Response { status, headers, body }: host::Response) -> egress::Response {
    egress::Response { status, headers: pairs(headers), body }
}

pub(crate) fn unanswered(why: host::Unanswered) -> egress::Unanswered {
    match why {
        host::Unanswered::Throttled(host::Throttle { after_seconds, limit }) => {
            egress::Unanswered::Throttled(guest::Throttle { after_seconds, limit })
        }
        host::Unanswered::Unreachable => egress::Unanswered::Unreachable,
        host::Unanswered::TimedOut => egress::Unanswered::TimedOut,
        host::Unanswered::TooLarge => egress::Unanswered::TooLarge,
        host::Unanswered::UnknownOutcome => egress::Unanswered::UnknownOutcome,
        host::Unanswered::Refused(why) => egress::Unanswered::Refused(why),
    }
}

pub(crate) fn level(level: log::Level) -> LogLevel {
    match level {
        log::Level::Debug => LogLevel::Debug,
        log::Level::Info => LogLevel::Info,
        log::Level::Warn => LogLevel::Warn,
        log::Level::Error => LogLevel::Error,
    }
}
