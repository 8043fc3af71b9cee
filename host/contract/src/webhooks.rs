//! The way out for merchants' webhooks, as a port: `egress` implements [`WebhookSender`], `sync` uses it, `app` wires it. The words
//! are those of Standard Webhooks 1.0.0.

use std::sync::Arc;

use async_trait::async_trait;

use crate::ports::CredentialSource;

/// Sends one signed message to an address that a merchant typed. Whoever calls it decides what to retry and when.
#[async_trait]
pub trait WebhookSender: Send + Sync {
    /// One try, ended within the sender's time limit. It never fails in another way than the outcome says.
    async fn deliver(&self, delivery: Delivery) -> DeliveryOutcome;

    /// Whether `url` could ever be sent to, by its text alone: nothing is looked up. `Err` tells the merchant what is wrong with it.
    fn check_url(&self, url: &str) -> Result<(), String>;
}

/// One message for one endpoint. No `Debug`: the URL may hold a token of the merchant's, and the body holds people.
pub struct Delivery {
    pub url: String,
    /// `webhook-id`: the same on every try. Letters, digits, `-` and `_`.
    pub id: String,
    /// `webhook-timestamp`: of this try, Unix seconds.
    pub timestamp_s: u64,
    /// JSON, sent byte for byte as it is signed.
    pub body: String,
    pub secrets: Arc<dyn CredentialSource>,
    /// Slots of `secrets`, newest first. Each one that holds a secret gives a signature; one at least must.
    pub slots: Vec<String>,
}

/// How one try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The endpoint answered, with whatever status. Redirects are answers.
    Answered {
        status: u16,
        /// What the endpoint asks us to wait, by `Retry-After` as seconds or as a date.
        retry_after_s: Option<u32>,
        /// The first 512 bytes of its answer as text, control characters escaped, echoes of the secret blanked.
        body_start: String,
        took_ms: u32,
    },
    /// Nothing was sent, and nothing will be as long as things stand as they are: the URL, or the addresses behind it, may not be
    /// called, or there is no secret to sign with. A failure to show.
    Refused { why: String },
    /// It did not answer: no address, no connection, no TLS, or not in time. It may have read the message.
    Unanswered { why: String, took_ms: u32 },
}

/// Stands for the sender in a host that sends no webhooks.
pub struct NoWebhooks;

const NONE: &str = "this host sends no webhooks";

#[async_trait]
impl WebhookSender for NoWebhooks {
    async fn deliver(&self, _: Delivery) -> DeliveryOutcome {
        DeliveryOutcome::Refused { why: NONE.to_owned() }
    }

    fn check_url(&self, _: &str) -> Result<(), String> {
        Err(NONE.to_owned())
    }
}
