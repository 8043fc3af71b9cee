//! Merchants' webhooks: one message, signed ([`sign`]), to an address that a merchant typed, under the same rules as every other
//! way out ([`target`]), and what came of it ([`outcome`]). Retries nothing and remembers nothing.

mod outcome;
pub(crate) mod sign;
mod target;

use std::sync::Arc;

use async_trait::async_trait;
use crm_contract::ports::{Clock, CredentialError};
use crm_contract::webhooks::{Delivery, DeliveryOutcome, WebhookSender};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tokio::time::{Duration, Instant, timeout, timeout_at};

use crate::client::Clients;
use crate::echo::Echo;
use crate::gateway::Egress;
use crate::limit::retry_after;

use self::outcome::{Failed, excerpt, failed};
use self::sign::Key;
use self::target::{Target, target};

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// As much of an answer is read, and for as long; its status says all that counts.
const MAX_ANSWER: usize = 64 * 1_024;
const ANSWER_TIME: Duration = Duration::from_secs(3);
const LATE: &str = "it did not answer in time";

/// What all deliveries share.
pub(crate) struct Webhooks {
    clients: Clients,
    total: Duration,
    clock: Arc<dyn Clock>,
    /// Loopback may be called, in development.
    loopback: bool,
    /// The clients' name for these calls.
    name: Arc<str>,
}

#[async_trait]
impl WebhookSender for Egress {
    async fn deliver(&self, delivery: Delivery) -> DeliveryOutcome {
        let started = Instant::now();
        let outcome = match self.webhooks.send(delivery, started).await {
            Ok(answered) => answered,
            Err(Failed::Refused(why)) => DeliveryOutcome::Refused { why },
            Err(Failed::Unanswered(why)) => DeliveryOutcome::Unanswered { why, took_ms: took(started) },
        };
        let word = match &outcome {
            DeliveryOutcome::Answered { status: 200..=299, .. } => "accepted",
            DeliveryOutcome::Answered { .. } => "answered",
            DeliveryOutcome::Refused { .. } => "refused",
            DeliveryOutcome::Unanswered { .. } => "unanswered",
        };
        metrics::counter!("egress_webhooks_total", "outcome" => word).increment(1);
        metrics::histogram!("egress_webhook_seconds").record(started.elapsed().as_secs_f64());
        outcome
    }

    fn check_url(&self, url: &str) -> Result<(), String> {
        target(url, self.webhooks.loopback).map(drop).map_err(str::to_owned)
    }
}

impl Webhooks {
    pub(crate) fn new(clients: Clients, total: Duration, clock: Arc<dyn Clock>, loopback: bool) -> Self {
        Self { clients, total, clock, loopback, name: "webhook".into() }
    }

    async fn send(&self, delivery: Delivery, started: Instant) -> Result<DeliveryOutcome, Failed> {
        let target = target(&delivery.url, self.loopback).map_err(|why| Failed::Refused(why.to_owned()))?;
        if delivery.id.is_empty()
            || delivery.id.len() > 128
            || !delivery.id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        {
            // A full stop in it would let one message pass for another.
            return Err(Failed::Refused("the message's id holds other characters than letters, digits, - and _".to_owned()));
        }
        let keys = keys(&delivery).await?;
        let headers = headers(&delivery, &keys)?;
        let until = started + self.total;
        let host = target.host.clone();
        let mut response = timeout_at(until, self.exchange(target, headers, delivery.body))
            .await
            .unwrap_or_else(|_| Err(Failed::Unanswered(format!("{host}: {LATE}"))))?;
        let status = response.status().as_u16();
        let headers = std::mem::take(response.headers_mut());
        let wait = retry_after(&headers, self.clock.now_ms()).map(|ms| u32::try_from(ms.div_ceil(1_000)).unwrap_or(u32::MAX));
        let body = start(response, until.min(Instant::now() + ANSWER_TIME)).await;
        let compressed = headers.get(CONTENT_ENCODING).is_some_and(|v| v != "identity");
        let body_start = if compressed { String::new() } else { excerpt(body, || Echo::new(keys.iter().flat_map(Key::spellings))) };
        Ok(DeliveryOutcome::Answered { status, retry_after_s: wait, body_start, took_ms: took(started) })
    }

    async fn exchange(&self, target: Target, headers: HeaderMap, body: String) -> Result<reqwest::Response, Failed> {
        let origin = target.url.origin().ascii_serialization();
        let client = self.clients.get(&self.name, &origin, target.plain).map_err(|error| {
            tracing::error!(egress.error = %error, "no HTTP client could be built");
            Failed::Unanswered("this host cannot send at the moment".to_owned())
        })?;
        let mut request = reqwest::Request::new(Method::POST, target.url);
        *request.headers_mut() = headers;
        *request.body_mut() = Some(body.into());
        client.execute(request).await.map_err(|error| failed(&error, &target.host))
    }
}

/// A key for each slot that holds a secret, in the slots' order.
async fn keys(delivery: &Delivery) -> Result<Vec<Key>, Failed> {
    let secrets = delivery.secrets.unseal().await.map_err(|error| match error {
        CredentialError::Missing | CredentialError::Unopenable => Failed::Refused(format!("the signing secret: {error}")),
        CredentialError::Conflict | CredentialError::Busy | CredentialError::Unavailable(_) => {
            Failed::Unanswered("the signing secret cannot be read at the moment".to_owned())
        }
    })?;
    let malformed = || Failed::Refused("the signing secret is malformed: make a new one".to_owned());
    let found = delivery.slots.iter().filter_map(|slot| secrets.get(slot)).map(|secret| Key::parse(secret).ok_or_else(malformed));
    let keys = found.collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() { Err(Failed::Refused("there is no signing secret: make a new one".to_owned())) } else { Ok(keys) }
}

fn headers(delivery: &Delivery, keys: &[Key]) -> Result<HeaderMap, Failed> {
    let signatures: Vec<String> = keys.iter().map(|key| key.sign(&delivery.id, delivery.timestamp_s, &delivery.body)).collect();
    let value = |text: &str| HeaderValue::from_str(text).map_err(|_| Failed::Refused("a header of the message is malformed".to_owned()));
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ID, value(&delivery.id)?);
    headers.insert(TIMESTAMP, HeaderValue::from(delivery.timestamp_s));
    headers.insert(SIGNATURE, value(&signatures.join(" "))?);
    Ok(headers)
}

/// The beginning of the answer, as far as it comes. The status has come: what happens to the rest changes nothing.
async fn start(mut response: reqwest::Response, until: Instant) -> Vec<u8> {
    let mut body = Vec::new();
    let left = until.saturating_duration_since(Instant::now());
    let reading = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = MAX_ANSWER - body.len();
            body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
            if body.len() == MAX_ANSWER {
                return;
            }
        }
    };
    // Too slow is as good as ended.
    timeout(left, reading).await.unwrap_or_default();
    body
}

fn took(started: Instant) -> u32 {
    u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX)
}
