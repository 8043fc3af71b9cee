//! Every error of the API: `application/problem+json` (RFC 9457) with a stable `code`. Handlers return a [`Problem`]; the
//! outermost layer writes its body, so that the request id is in it whatever went wrong.

use std::ops::{Deref, DerefMut};

use axum::response::{IntoResponse, Response};
use crm_contract::ports::GuestFault;
use crm_contract::types::Error as VendorError;
use crm_sync::services::{ServiceError, connections::vendor_words};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An error as clients see it. Decide by `code`; `detail` is for people and may change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// `urn:crm-host:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// What this code means, always the same words.
    pub title: String,
    pub status: u16,
    /// Stable.
    pub code: String,
    /// What is wrong this time.
    pub detail: String,
    /// The first wrong field, such as `credentials.api_key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Every wrong field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// What the vendor answered, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<VendorProblem>,
    /// The record that already holds the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub existing: Option<String>,
    /// Also in the header `x-request-id`: name it when you ask for help.
    pub request_id: String,
    #[serde(skip)]
    #[schema(ignore)]
    pub(crate) retry_after_s: Option<u32>,
}

/// What handlers fail with: small to hand around, whatever it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Problem(Box<ProblemBody>);

impl Deref for Problem {
    type Target = ProblemBody;

    fn deref(&self) -> &ProblemBody {
        &self.0
    }
}

impl DerefMut for Problem {
    fn deref_mut(&mut self) -> &mut ProblemBody {
        &mut self.0
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldProblem {
    pub field: String,
    pub detail: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VendorProblem {
    /// The vendor's machine code, or its HTTP status.
    pub code: String,
    pub message: String,
    /// Of a refused credential: `invalid`, `expired`, `permission`, `ip-blocked`, `wrong-region`, `wrong-kind`, `account-closed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// Titles of the codes. Conflicts bring codes of their own and share a title.
const TITLES: &[(&str, &str)] = &[
    ("invalid_json", "The body is not valid JSON"),
    ("invalid_query", "The query cannot be read"),
    ("invalid_cursor", "The cursor cannot be read"),
    ("invalid_header", "A header cannot be read"),
    ("bad_request", "The request cannot be read"),
    ("unauthorized", "A valid API key is needed"),
    ("forbidden_scope", "The API key may only read"),
    ("not_found", "There is nothing here"),
    ("method_not_allowed", "This method is not allowed here"),
    ("request_timeout", "The request took too long to arrive"),
    ("already_exists", "It exists already"),
    ("changed", "It was changed meanwhile"),
    ("precondition_failed", "It was changed since you read it"),
    ("body_too_large", "The body is too large"),
    ("unsupported_media_type", "This content type is not accepted here"),
    ("validation_failed", "Some fields are not acceptable"),
    ("credentials_refused", "The vendor refused the credentials"),
    ("vendor_rejected", "The vendor rejected a value"),
    ("vendor_refused", "The vendor refused the request"),
    ("destination_missing", "The chosen destination no longer exists"),
    ("stale_facts", "Something the connection relied on is gone"),
    ("unsupported", "This connector cannot do that"),
    ("idempotency_mismatch", "This Idempotency-Key was used for another request"),
    ("idempotency_running", "The first request with this Idempotency-Key still runs"),
    ("rate_limited", "Too many requests"),
    ("too_many_imports", "Too many imports have not ended"),
    ("import_not_ready", "The file has not arrived yet"),
    ("import_ended", "The import has ended"),
    ("results_expired", "The results are no longer kept"),
    ("internal", "Something went wrong on our side"),
    ("vendor_unavailable", "The vendor cannot be reached"),
    ("vendor_rate_limited", "The vendor's rate limit is spent"),
    ("connector_fault", "The connector failed"),
    ("connector_busy", "Too many connectors run at once"),
    ("unavailable", "The service is unavailable"),
    ("draining", "The service is shutting down"),
    ("no_space", "No new work is accepted: the disk is nearly full"),
];

/// What a code means, always the same words.
pub(crate) fn title(code: &str) -> &'static str {
    TITLES.iter().find(|(known, _)| *known == code).map_or("The state of things forbids it", |(_, title)| *title)
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self(Box::new(ProblemBody {
            kind: format!("urn:crm-host:problem:{code}"),
            title: title(code).to_owned(),
            status: status.as_u16(),
            code: code.to_owned(),
            detail: detail.into(),
            field: None,
            errors: Vec::new(),
            vendor: None,
            existing: None,
            request_id: String::new(),
            retry_after_s: None,
        }))
    }

    /// A wrong field.
    pub(crate) fn invalid(field: &str, detail: impl Into<String>) -> Self {
        ServiceError::invalid(field, detail).into()
    }

    pub(crate) fn not_found() -> Self {
        // The same words whatever was looked for: an id of someone else is as absent as one that never was.
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is nothing with this address or id")
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "send an API key as `Authorization: Bearer rk_live_...`")
    }

    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "try again; if it stays, ask for help with this request id")
    }

    pub(crate) fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// The problem of an error status that came without one (from a layer below).
    pub(crate) fn of_status(status: StatusCode) -> Self {
        let (code, detail) = match status {
            StatusCode::NOT_FOUND => return Self::not_found(),
            StatusCode::UNAUTHORIZED => return Self::unauthorized(),
            StatusCode::METHOD_NOT_ALLOWED => ("method_not_allowed", "see the header Allow"),
            StatusCode::REQUEST_TIMEOUT => ("request_timeout", "the body did not arrive in time"),
            StatusCode::PAYLOAD_TOO_LARGE => ("body_too_large", "the body is larger than this route takes"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => ("unsupported_media_type", "see the documentation of this route"),
            StatusCode::UNPROCESSABLE_ENTITY => ("validation_failed", "the request does not fit this route"),
            StatusCode::TOO_MANY_REQUESTS => ("rate_limited", "ask again later"),
            StatusCode::SERVICE_UNAVAILABLE => ("unavailable", "try again later"),
            s if s.is_client_error() => ("bad_request", "the request cannot be read"),
            _ => return Self::internal(),
        };
        Self::new(status, code, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        let detail = error.to_string();
        match error {
            ServiceError::NotFound(_) => Self::not_found(),
            ServiceError::Invalid(fields) => {
                let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "validation_failed", detail);
                problem.field = fields.first().map(|f| f.field.clone()).filter(|f| !f.is_empty());
                problem.errors = fields.into_iter().map(|f| FieldProblem { field: f.field, detail: f.message }).collect();
                problem
            }
            ServiceError::Conflict { code, .. } => Self::new(StatusCode::CONFLICT, code, detail),
            ServiceError::Taken { field, by } => {
                let mut problem = Self::new(StatusCode::CONFLICT, "already_exists", detail);
                problem.field = Some(field.to_owned());
                problem.existing = Some(by).filter(|id| !id.is_empty());
                problem
            }
            ServiceError::Changed => Self::new(StatusCode::CONFLICT, "changed", "it was changed meanwhile: read it again"),
            ServiceError::Vendor { error } => of_vendor(&error),
            ServiceError::Unsupported(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unsupported", detail),
            ServiceError::Fault(GuestFault::Busy) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "connector_busy", detail).retry_after(2),
            ServiceError::Fault(_) => Self::new(StatusCode::BAD_GATEWAY, "connector_fault", detail),
            ServiceError::NoSpace => Self::new(StatusCode::INSUFFICIENT_STORAGE, "no_space", detail).retry_after(60),
            ServiceError::Unavailable(_) => {
                tracing::error!(error = %detail, "the store does not answer");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "try again later").retry_after(10)
            }
            ServiceError::Damaged(_) => {
                tracing::error!(error = %detail, "a request failed on our side");
                Self::internal()
            }
        }
    }
}

fn of_vendor(error: &VendorError) -> Problem {
    let words = vendor_words(error);
    let (status, code) = match error {
        VendorError::Retryable(_) => (StatusCode::BAD_GATEWAY, "vendor_unavailable"),
        VendorError::RateLimited(_) => (StatusCode::SERVICE_UNAVAILABLE, "vendor_rate_limited"),
        VendorError::Credentials(_) => (StatusCode::UNPROCESSABLE_ENTITY, "credentials_refused"),
        VendorError::Rejected(_) => (StatusCode::UNPROCESSABLE_ENTITY, "vendor_rejected"),
        VendorError::DestinationMissing(_) => (StatusCode::CONFLICT, "destination_missing"),
        VendorError::Stale(_) => (StatusCode::CONFLICT, "stale_facts"),
        VendorError::Unsupported(_) => (StatusCode::UNPROCESSABLE_ENTITY, "unsupported"),
        VendorError::Permanent(_) => (StatusCode::UNPROCESSABLE_ENTITY, "vendor_refused"),
    };
    let mut problem = Problem::new(status, code, words);
    match error {
        VendorError::RateLimited(throttle) => problem.retry_after_s = Some(throttle.after_seconds.unwrap_or(30)),
        VendorError::Credentials(refusal) => {
            let trouble = serde_json::to_value(refusal.trouble).ok().and_then(|v| v.as_str().map(str::to_owned));
            problem.vendor = Some(VendorProblem { code: refusal.told.code.clone(), message: refusal.told.text.clone(), trouble });
        }
        VendorError::Rejected(rejection) => {
            problem.field = Some(rejection.field.clone());
            problem.vendor = Some(VendorProblem { code: rejection.told.code.clone(), message: rejection.told.text.clone(), trouble: None });
        }
        VendorError::Retryable(told)
        | VendorError::DestinationMissing(told)
        | VendorError::Unsupported(told)
        | VendorError::Permanent(told) => {
            problem.vendor = Some(VendorProblem { code: told.code.clone(), message: told.text.clone(), trouble: None });
        }
        VendorError::Stale(_) => {}
    }
    problem
}
