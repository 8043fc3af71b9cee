//! The door of the API and of the console: whose key a request shows, whether that key may ask once more, and how often one address may
//! show a wrong one. Nothing durable here.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};

use super::ServiceError;
use super::Versioned;
use super::keys::{self, Principal};
use super::operators::{self, Operator};
use crate::client::ClientAddr;
use crate::context::Context;
use crate::domain::ApiKey;
use crate::quota::{Buckets, Rate, Standing};

/// Keys that are counted apart; far beyond the keys of any host.
const MOST_KEYS: usize = 100_000;
/// Addresses with wrong keys that are counted apart.
const MOST_ADDRESSES: usize = 65_536;
/// Networks remembered for one key.
const NETWORKS: usize = 4;

/// How often keys may be used, and wrong ones shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateConfig {
    /// Requests of one key.
    pub key: Rate,
    /// Wrong keys from one address (IPv6: from one /64).
    pub wrong: Rate,
}

impl Default for GateConfig {
    fn default() -> Self {
        Self { key: Rate::per_minute(6_000), wrong: Rate::per_minute(60) }
    }
}

/// What became of a request at the door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Let in, and how its key stands; `None` = keys are not limited.
    In(Principal, Option<Standing>),
    /// The operator.
    Operator(Operator, Option<Standing>),
    /// The key is good and has asked too often.
    Spent(Standing),
    /// There is no such key: malformed, unknown or revoked.
    Unknown,
    /// This address has shown too many wrong keys: nothing was looked up. Again after so many seconds.
    TooManyWrong { wait_s: u32 },
}

/// Counts in memory; one for the whole process.
pub struct Gate {
    keys: Buckets<String>,
    wrong: Buckets<ClientAddr>,
    /// From which networks keys were let in: they still are when somebody else there shows wrong ones. By the key's hash, not by the key.
    friends: Mutex<HashMap<[u8; 32], Vec<ClientAddr>>>,
    /// Keys whose use is being noted at this moment.
    noting: Arc<Mutex<HashSet<String>>>,
}

impl Gate {
    pub fn new(config: GateConfig) -> Self {
        Self {
            keys: Buckets::new(config.key, MOST_KEYS),
            wrong: Buckets::new(config.wrong, MOST_ADDRESSES),
            friends: Mutex::default(),
            noting: Arc::default(),
        }
    }

    /// Looks whose key this is and counts the request, or counts it as a wrong guess.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn enter(&self, context: &Context, from: ClientAddr, secret: &str) -> Result<Entry, ServiceError> {
        let network = from.network();
        let hash: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
        if let Some(standing) = self.wrong.spent(&network, context.now())
            && !self.is_friend(&hash, network)
        {
            return Ok(Entry::TooManyWrong { wait_s: standing.next_s });
        }
        let operator = operators::authenticate(context, secret).await?;
        let found = if operator.is_none() { keys::find(context, secret).await? } else { None };
        let principal = found.as_ref().map(|key| Principal::of(&key.value));
        let Some(key) = operator.as_ref().map(|o| o.key.clone()).or_else(|| principal.as_ref().map(|p| p.key.clone())) else {
            let _counted = self.wrong.take(network, context.now());
            return Ok(Entry::Unknown);
        };
        self.befriend(hash, network);
        self.note(context, found);
        let standing = match self.keys.limits().then(|| self.keys.take(key, context.now())).transpose() {
            Ok(standing) => standing,
            Err(standing) => return Ok(Entry::Spent(standing)),
        };
        Ok(match (operator, principal) {
            (Some(operator), _) => Entry::Operator(operator, standing),
            (None, Some(principal)) => Entry::In(principal, standing),
            (None, None) => Entry::Unknown,
        })
    }

    /// Notes, beside the request, that a key is used: once a minute, and not twice at once.
    fn note(&self, context: &Context, found: Option<Versioned<ApiKey>>) {
        let Some(key) = found.filter(|key| keys::use_is_due(context, &key.value)) else { return };
        let id = key.value.id.clone();
        if !self.noting.lock().insert(id.clone()) {
            return;
        }
        let (context, noting) = (context.clone(), self.noting.clone());
        tokio::spawn(async move {
            keys::note_use(&context, key).await;
            noting.lock().remove(&id);
        });
    }

    fn is_friend(&self, hash: &[u8; 32], network: ClientAddr) -> bool {
        self.friends.lock().get(hash).is_some_and(|networks| networks.contains(&network))
    }

    fn befriend(&self, hash: [u8; 32], network: ClientAddr) {
        let mut friends = self.friends.lock();
        if friends.len() >= MOST_KEYS && !friends.contains_key(&hash) {
            // Those that are still there come back with their next request.
            friends.clear();
        }
        let networks = friends.entry(hash).or_default();
        if !networks.contains(&network) {
            networks.truncate(NETWORKS - 1);
            networks.insert(0, network);
        }
    }
}
