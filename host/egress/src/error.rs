//! Why egress cannot start ([`EgressError`]), why it says no to a guest ([`Refusal`]), and how a call that has no answer
//! ends ([`Stop`]). Touches nothing else. No text here may ever carry a credential or an answer's body.

use crm_catalog::model::Stage;
use crm_contract::types::{Throttle, Unanswered};

/// Egress could not be built: fix the configuration.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    #[error("the user agent {0:?} is no legal header value")]
    UserAgent(String),
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    #[error("the DNS resolver cannot be set up: {0}")]
    Resolver(String),
    #[error("development endpoint {endpoint}: {url:?} is no http URL on a loopback address")]
    NotLoopback { endpoint: String, url: String },
}

pub use crm_contract::ports::CREDENTIALS_REFUSED;

/// The manifest or a safety rule forbids the call: one variant per check, in the order in which they are made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the manifest cannot be used: {0}")]
    Manifest(String),
    #[error("call {0:?} is not declared")]
    Undeclared(String),
    #[error("call {call:?} may not be made in stage {stage:?}")]
    WrongStage { call: String, stage: Stage },
    #[error("call {0:?}: only verify may probe an endpoint choice")]
    ProbeOutsideVerify(String),
    #[error("path value {0:?} is missing")]
    PathMissing(String),
    #[error("path value {0:?} is not in the template, or is given twice")]
    PathUnknown(String),
    #[error("path value {name:?} {why}")]
    PathValue { name: String, why: &'static str },
    #[error("query key {0:?} is not declared")]
    QueryKey(String),
    #[error("the query is longer than {0} bytes")]
    QueryLong(usize),
    #[error("header {0:?} may never be set by a connector")]
    HeaderForbidden(String),
    #[error("header {0:?} is not declared")]
    HeaderUndeclared(String),
    #[error("header {0:?} is malformed, given twice, or too long")]
    HeaderMalformed(String),
    #[error("more than {0} headers")]
    HeadersMany(usize),
    #[error("the call declares a {declared} body and got {got}")]
    BodyKind { declared: &'static str, got: &'static str },
    #[error("the body is larger than {0} bytes")]
    BodyLarge(usize),
    #[error("the body is no JSON: {0}")]
    BodyNotJson(String),
    #[error("the body names {0:?} twice in one object")]
    BodyTwice(String),
    #[error("the body is nested deeper than {0}")]
    BodyDeep(usize),
    #[error("{0}")]
    Field(String),
    #[error("call {call:?} needs a fresh answer of {guard:?} in this run first")]
    GuardMissing { call: String, guard: String },
    #[error("{0} (the contact exists, so it may not be set)")]
    NewOnly(String),
    #[error("endpoint {endpoint:?}: {why}")]
    Endpoint { endpoint: String, why: String },
    #[error("endpoint {endpoint:?}: {why}")]
    Url { endpoint: String, why: crate::net::UrlRefused },
    #[error("host {host:?}: {why}")]
    Address { host: String, why: crate::net::AddressRefused },
    #[error("{CREDENTIALS_REFUSED}{0}")]
    Credentials(String),
    #[error("authentication cannot be applied: {0}")]
    Auth(String),
    #[error("the journal holds no answer for this call")]
    NotRecorded,
    #[error("this attempt no longer owns its job")]
    Fenced,
}

impl Refusal {
    /// Stable word for metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Manifest(_) => "manifest",
            Self::Undeclared(_) => "undeclared",
            Self::WrongStage { .. } => "wrong-stage",
            Self::ProbeOutsideVerify(_) => "probe",
            Self::PathMissing(_) | Self::PathUnknown(_) | Self::PathValue { .. } => "path",
            Self::QueryKey(_) | Self::QueryLong(_) => "query",
            Self::HeaderForbidden(_) | Self::HeaderUndeclared(_) | Self::HeaderMalformed(_) | Self::HeadersMany(_) => "header",
            Self::BodyKind { .. } | Self::BodyLarge(_) | Self::BodyNotJson(_) | Self::BodyTwice(_) | Self::BodyDeep(_) => "body",
            Self::Field(_) => "field",
            Self::GuardMissing { .. } => "guard",
            Self::NewOnly(_) => "new-only",
            Self::Endpoint { .. } | Self::Url { .. } => "endpoint",
            Self::Address { .. } => "address",
            Self::Credentials(_) => "credentials",
            Self::Auth(_) => "auth",
            Self::NotRecorded => "not-recorded",
            Self::Fenced => "fenced",
        }
    }
}

/// Why a call has no answer, inside this room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Refused(Refusal),
    Throttled(Throttle),
    Unreachable,
    TimedOut,
    TooLarge,
    UnknownOutcome,
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Stop {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Throttled(_) => "throttled",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed-out",
            Self::TooLarge => "too-large",
            Self::UnknownOutcome => "unknown-outcome",
        }
    }
}

impl From<Stop> for Unanswered {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Refused(refusal) => Self::Refused(refusal.to_string()),
            Stop::Throttled(throttle) => Self::Throttled(throttle),
            Stop::Unreachable => Self::Unreachable,
            Stop::TimedOut => Self::TimedOut,
            Stop::TooLarge => Self::TooLarge,
            Stop::UnknownOutcome => Self::UnknownOutcome,
        }
    }
}

/// Guest text inside an error: short, and without control characters.
pub(crate) fn quoted(text: &str) -> String {
    text.chars().take(80).map(|c| if c.is_control() { '?' } else { c }).collect()
}
