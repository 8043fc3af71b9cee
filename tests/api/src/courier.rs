//! The way out for webhooks, as a double: it remembers what was sent and which secrets signed it, and answers as it is told.

use std::sync::Arc;

use async_trait::async_trait;
use crm_contract::webhooks::{Delivery, DeliveryOutcome, WebhookSender};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::Notify;

/// One message as it left.
#[derive(Clone, Debug)]
pub struct Sent {
    pub url: String,
    pub id: String,
    pub body: Value,
    /// Newest first.
    pub signed_by: Vec<String>,
}

#[derive(Clone)]
pub struct Courier {
    sent: Arc<Mutex<Vec<Sent>>>,
    status: Arc<Mutex<u16>>,
    arrived: Arc<Notify>,
}

impl Default for Courier {
    fn default() -> Self {
        Self { sent: Arc::default(), status: Arc::new(Mutex::new(204)), arrived: Arc::default() }
    }
}

impl Courier {
    /// From now on endpoints answer this.
    pub fn answers(&self, status: u16) {
        *self.status.lock() = status;
    }

    pub fn sent(&self) -> Vec<Sent> {
        self.sent.lock().clone()
    }

    /// Waits until so many messages have left in all.
    pub async fn until(&self, count: usize) -> Vec<Sent> {
        loop {
            let arrived = self.arrived.notified();
            if self.sent.lock().len() >= count {
                return self.sent();
            }
            arrived.await;
        }
    }
}

#[async_trait]
impl WebhookSender for Courier {
    async fn deliver(&self, delivery: Delivery) -> DeliveryOutcome {
        let secrets = match delivery.secrets.unseal().await {
            Ok(secrets) => secrets,
            Err(error) => return DeliveryOutcome::Refused { why: error.to_string() },
        };
        let signed_by = delivery.slots.iter().filter_map(|slot| secrets.get(slot)).map(str::to_owned).collect();
        let body = serde_json::from_str(&delivery.body).unwrap_or_default();
        self.sent.lock().push(Sent { url: delivery.url, id: delivery.id, body, signed_by });
        self.arrived.notify_waiters();
        let status = *self.status.lock();
        DeliveryOutcome::Answered { status, retry_after_s: None, body_start: format!("answer {status}"), took_ms: 7 }
    }

    fn check_url(&self, url: &str) -> Result<(), String> {
        if url.starts_with("https://") { Ok(()) } else { Err("the URL must begin with https://".to_owned()) }
    }
}
