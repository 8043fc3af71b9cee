//! The way out for webhooks, in virtual time: endpoints answer by a script, and everything that leaves is remembered with its time.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crm_contract::webhooks::{Delivery, DeliveryOutcome, WebhookSender};
use parking_lot::Mutex;

/// One try as it left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Unix milliseconds.
    pub at: u64,
    pub url: String,
    pub id: String,
    pub body: String,
}

/// How an endpoint answers.
#[derive(Clone, Copy, Debug)]
pub struct Reply {
    /// 0 = not at all.
    pub status: u16,
    pub retry_after_s: Option<u32>,
    pub after: Duration,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self { status, retry_after_s: None, after: Duration::from_millis(20) }
    }

    /// Nothing, for as long as the way out waits.
    pub fn silence() -> Self {
        Self { status: 0, retry_after_s: None, after: Duration::from_secs(15) }
    }
}

type Script = dyn Fn(&Sent) -> Reply + Send + Sync;

pub struct Courier {
    script: Mutex<Arc<Script>>,
    sent: Mutex<Vec<Sent>>,
    now: Box<dyn Fn() -> u64 + Send + Sync>,
}

impl Courier {
    /// Every endpoint takes everything.
    pub fn new(now: impl Fn() -> u64 + Send + Sync + 'static) -> Arc<Self> {
        let script: Arc<Script> = Arc::new(|_| Reply::status(200));
        Arc::new(Self { script: Mutex::new(script), sent: Mutex::default(), now: Box::new(now) })
    }

    pub fn script(&self, script: impl Fn(&Sent) -> Reply + Send + Sync + 'static) {
        *self.script.lock() = Arc::new(script);
    }

    pub fn sent(&self) -> Vec<Sent> {
        self.sent.lock().clone()
    }

    pub fn to(&self, url: &str) -> Vec<Sent> {
        self.sent.lock().iter().filter(|s| s.url == url).cloned().collect()
    }
}

#[async_trait]
impl WebhookSender for Courier {
    async fn deliver(&self, delivery: Delivery) -> DeliveryOutcome {
        let sent = Sent { at: (self.now)(), url: delivery.url, id: delivery.id, body: delivery.body };
        self.sent.lock().push(sent.clone());
        let script = self.script.lock().clone();
        let reply = script(&sent);
        tokio::time::sleep(reply.after).await;
        let took_ms = u32::try_from(reply.after.as_millis()).unwrap_or(u32::MAX);
        match reply.status {
            0 => DeliveryOutcome::Unanswered { why: "it did not answer in time".into(), took_ms },
            status => DeliveryOutcome::Answered { status, retry_after_s: reply.retry_after_s, body_start: String::new(), took_ms },
        }
    }

    fn check_url(&self, _: &str) -> Result<(), String> {
        Ok(())
    }
}
