//! Webhook endpoints, their deliveries, and the catalogue of events.

use crm_store::model::{Attempt as KeptAttempt, Outcome};
use crm_sync::services::events::{EventType, example};
use crm_sync::services::syncs::{ShownState, reason};
use crm_sync::services::webhooks::deliveries::{Delivery as KeptDelivery, DeliveryDetail as KeptDetail};
use crm_sync::services::webhooks::{Rotated, WebhookEndpoint as Kept};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::campaigns::clearable;
use super::time;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewWebhookEndpoint {
    /// `https://`, port 443, a public name: no address, no user, no fragment.
    #[schema(min_length = 1, max_length = 2048, format = "uri", example = "https://example.com/webhooks")]
    pub(crate) url: String,
    #[serde(default)]
    #[schema(max_length = 300)]
    pub(crate) description: Option<String>,
    /// Types of events (`GET /v1/event-types`), or `*` for all, those of later versions included.
    #[serde(default = "all_events")]
    #[schema(min_items = 1, max_items = 100, default = json!(["*"]), example = json!(["affiliate.approved", "sync.failed"]))]
    pub(crate) events: Vec<String>,
}

fn all_events() -> Vec<String> {
    vec![crm_sync::services::webhooks::ALL_EVENTS.to_owned()]
}

/// Change an endpoint; everything absent stays, null clears.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookEndpointPatch {
    #[serde(default)]
    #[schema(min_length = 1, max_length = 2048, format = "uri")]
    pub(crate) url: Option<String>,
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<String>, max_length = 300)]
    pub(crate) description: Option<Option<String>>,
    #[serde(default)]
    #[schema(min_items = 1, max_items = 100)]
    pub(crate) events: Option<Vec<String>>,
    /// false: open deliveries wait and new events are not sent. true: what waits goes on.
    #[serde(default)]
    pub(crate) enabled: Option<bool>,
}

/// Where events go.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookEndpoint {
    id: String,
    url: String,
    description: Option<String>,
    events: Vec<String>,
    enabled: bool,
    /// Why it is disabled: `merchant` (by hand), `gone` (it answered 410) or `failing` (nothing was taken for five days).
    disabled_reason: Option<String>,
    disabled_at: Option<String>,
    /// Since when every delivery failed.
    failing_since: Option<String>,
    /// Until when the secret before the present one signs as well.
    previous_secret_until: Option<String>,
    created: String,
    updated: String,
}

impl From<Kept> for WebhookEndpoint {
    fn from(kept: Kept) -> Self {
        Self {
            enabled: kept.disabled.is_none(),
            disabled_reason: kept.disabled.map(|disabled| disabled.by.word().to_owned()),
            disabled_at: kept.disabled.map(|disabled| time(disabled.at)),
            failing_since: kept.failing_since.map(time),
            previous_secret_until: kept.previous_until.map(time),
            created: time(kept.created),
            updated: time(kept.updated),
            id: kept.id,
            url: kept.url,
            description: kept.description,
            events: kept.events,
        }
    }
}

/// A new endpoint. This is the only answer that shows its secret.
// No `Debug`: it holds a secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedWebhookEndpoint {
    #[serde(flatten)]
    pub(crate) endpoint: WebhookEndpoint,
    /// Verifies signatures (Standard Webhooks 1.0.0): `whsec_` and the base64 of 32 bytes.
    pub(crate) secret: String,
}

/// A new secret. This is the only answer that shows it.
// No `Debug`: it holds a secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookSecret {
    secret: String,
    /// Until when the secret before it signs as well.
    previous_secret_until: Option<String>,
}

impl From<Rotated> for WebhookSecret {
    fn from(rotated: Rotated) -> Self {
        Self { secret: rotated.secret.to_string(), previous_secret_until: rotated.endpoint.value.previous_until.map(time) }
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeliveryState {
    Pending,
    Running,
    Retrying,
    Succeeded,
    Failed,
    Cancelled,
}

impl From<DeliveryState> for ShownState {
    fn from(state: DeliveryState) -> Self {
        match state {
            DeliveryState::Pending => Self::Pending,
            DeliveryState::Running => Self::Running,
            DeliveryState::Retrying => Self::Retrying,
            DeliveryState::Succeeded => Self::Succeeded,
            DeliveryState::Failed => Self::Failed,
            DeliveryState::Cancelled => Self::Cancelled,
        }
    }
}

impl From<ShownState> for DeliveryState {
    fn from(state: ShownState) -> Self {
        match state {
            ShownState::Pending => Self::Pending,
            ShownState::Running => Self::Running,
            // Nothing keeps a delivery waiting but its next try.
            ShownState::Waiting | ShownState::Retrying => Self::Retrying,
            ShownState::Succeeded => Self::Succeeded,
            ShownState::Failed => Self::Failed,
            ShownState::Cancelled => Self::Cancelled,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeliveryQuery {
    #[param(inline)]
    pub(crate) state: Option<DeliveryState>,
    /// A type of event.
    pub(crate) event_type: Option<String>,
    #[param(minimum = 1, maximum = 100)]
    pub(crate) limit: Option<u32>,
    pub(crate) cursor: Option<String>,
}

/// One event on its way to one endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookDelivery {
    id: String,
    /// Endpoint id.
    endpoint: String,
    /// The event's id, sent as `webhook-id`: the same at every try and on every endpoint.
    event: String,
    event_type: String,
    state: DeliveryState,
    /// Why the last try did not succeed.
    reason: Option<String>,
    /// Tries made.
    attempts: u32,
    /// When it is tried next.
    next_at: Option<String>,
    created: String,
    updated: String,
    finished: Option<String>,
}

impl From<KeptDelivery> for WebhookDelivery {
    fn from(kept: KeptDelivery) -> Self {
        let event = kept.event().to_owned();
        let job = kept.job;
        let (state, done) = (ShownState::of(job.state), job.state.is_final());
        Self {
            id: job.new.id,
            endpoint: job.new.lane,
            event,
            event_type: kept.kind,
            state: state.into(),
            reason: job.trouble.as_ref().map(|trouble| reason(trouble).1),
            attempts: job.attempts,
            next_at: (!done).then(|| time(job.due)),
            created: time(job.new.created),
            updated: time(job.updated),
            finished: job.finished.map(time),
        }
    }
}

/// A delivery with its body, its tries and what is planned.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookDeliveryDetail {
    #[serde(flatten)]
    delivery: WebhookDelivery,
    /// What is sent.
    #[schema(value_type = Object)]
    payload: serde_json::Value,
    /// Oldest first.
    history: Vec<WebhookAttempt>,
    /// When the tries that are left would be made if each failed: the first one exactly, later ones give or take a fifth of their wait.
    planned: Vec<String>,
}

/// One try.
#[derive(Debug, Serialize, ToSchema)]
struct WebhookAttempt {
    number: u32,
    at: String,
    took_ms: u32,
    /// What the endpoint answered; null = nothing.
    status: Option<u16>,
    /// The beginning of its answer, at most 512 bytes, control characters escaped.
    answer: Option<String>,
    /// Why there was no answer.
    error: Option<String>,
}

impl From<KeptDetail> for WebhookDeliveryDetail {
    fn from(kept: KeptDetail) -> Self {
        let payload = kept.delivery.job.new.payload.as_deref();
        Self {
            payload: payload.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default(),
            history: kept.attempts.into_iter().map(Into::into).collect(),
            planned: kept.planned.into_iter().map(time).collect(),
            delivery: kept.delivery.into(),
        }
    }
}

impl From<KeptAttempt> for WebhookAttempt {
    fn from(kept: KeptAttempt) -> Self {
        let (status, answer, error, took_ms) = match kept.outcome {
            Outcome::Delivery { status: Some(status), text, took_ms } => (Some(status), Some(text), None, took_ms),
            Outcome::Delivery { status: None, text, took_ms } => (None, None, Some(text), took_ms),
            // The host stopped, or failed, while the try was under way: the endpoint may have taken it.
            _ => (None, None, Some("the host stopped while it was sent".to_owned()), 0),
        };
        Self { number: kept.number, at: time(kept.started), took_ms, status, answer, error }
    }
}

/// A type of event, with an example of what is sent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventTypeInfo {
    #[serde(rename = "type")]
    kind: String,
    description: String,
    /// `{type, timestamp, data}`
    #[schema(value_type = Object)]
    example: serde_json::Value,
}

impl From<EventType> for EventTypeInfo {
    fn from(kind: EventType) -> Self {
        Self { kind: kind.word().to_owned(), description: kind.description().to_owned(), example: example(kind) }
    }
}
