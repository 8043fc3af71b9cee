//! What the dispatcher keeps in mind of each lane: its connection (parsed once per change) and its breaker. Bounded.

use std::collections::HashMap;
use std::sync::Arc;

use crm_catalog::model::{Manifest, Stage};
use crm_contract::ports::{Digest, Scope};
use crm_contract::types::Connection as GuestConnection;
use crm_store::model::ReadyLane;
use crm_store::model::{Kind, RecordKey};
use parking_lot::Mutex;

use super::breaker::Breaker;
use super::deliver;
use crate::context::{Context, LoadError};
use crate::domain::{Connection, ConnectionState};
use crate::services::webhooks;

/// Lanes remembered at most; beyond that the memory is emptied, which costs only parsing again.
const REMEMBERED: usize = 20_000;

#[derive(Default)]
pub(super) struct Lanes {
    connections: Mutex<HashMap<String, (u64, Arc<Connection>)>>,
    breakers: Mutex<HashMap<String, Breaker>>,
}

impl Lanes {
    /// The connection behind a lane, or `None` when it is gone.
    pub(super) async fn connection(&self, context: &Context, organization: &str, lane: &str) -> Result<Option<Arc<Connection>>, LoadError> {
        let key = RecordKey { organization: organization.to_owned(), kind: Kind::Connection, id: lane.to_owned() };
        let Some(record) = context.store.get(&key).await? else { return Ok(None) };
        if let Some((version, connection)) = self.connections.lock().get(lane)
            && *version == record.version
        {
            return Ok(Some(connection.clone()));
        }
        let connection: Connection =
            serde_json::from_str(&record.json).map_err(|e| LoadError::Unreadable { id: lane.to_owned(), why: e.to_string() })?;
        let connection = Arc::new(connection);
        let mut connections = self.connections.lock();
        if connections.len() >= REMEMBERED {
            connections.clear();
        }
        connections.insert(lane.to_owned(), (record.version, connection.clone()));
        Ok(Some(connection))
    }

    /// Notes how an attempt went; `Some(ms)` = the lane rests that long.
    pub(super) fn note(&self, context: &Context, lane: &str, unwell: bool) -> Option<u64> {
        let mut breakers = self.breakers.lock();
        if breakers.len() >= REMEMBERED {
            breakers.clear();
        }
        breakers.entry(lane.to_owned()).or_default().note(unwell, &context.config.breaker)
    }

    /// How many jobs of this lane may start now by limiter, breaker and the connector's own concurrency. When none may, the
    /// lane is held until it is worth looking again.
    pub(super) async fn admits(&self, context: &Context, ready: &ReadyLane, at_most: u32) -> u32 {
        if ready.lane.starts_with(webhooks::LANES) {
            return deliver::admits(context, ready, at_most).await;
        }
        let now = context.now();
        let connection = match self.connection(context, &ready.organization, &ready.lane).await {
            Ok(Some(connection)) => connection,
            // Its jobs are ended by the attempt, which says why.
            Ok(None) => return at_most.min(1),
            Err(_) => return 0,
        };
        let Some((_, manifest)) = context.version_of(&connection) else { return at_most.min(1) };
        let mut free = manifest.sync.concurrency.max(1).saturating_sub(ready.running).min(at_most);
        if self.breakers.lock().get(&ready.lane).is_some_and(Breaker::at_most_one) {
            free = free.min(1u32.saturating_sub(ready.running));
        }
        let calls = manifest.sync.new.max(manifest.sync.existing).max(1);
        let scope = scope(context, &connection, manifest, Stage::Sync, false);
        let mut admitted = 0;
        while admitted < free {
            match context.gateway.ready_at(&scope, calls) {
                None => admitted += 1,
                Some(at) => {
                    if admitted == 0 {
                        context.store.hold(&ready.lane, at.max(now + 1));
                    }
                    break;
                }
            }
        }
        admitted
    }
}

/// What a guest may know of this connection.
pub(crate) fn guest_connection(connection: &Connection) -> GuestConnection {
    GuestConnection {
        mode: connection.mode.clone(),
        settings: connection.settings.clone(),
        picked: connection.picked.clone(),
        facts: connection.facts.clone(),
        tags: connection.bindings.clone(),
    }
}

/// The scope of a run on this connection.
pub(crate) fn scope(context: &Context, connection: &Connection, manifest: Arc<Manifest>, stage: Stage, after_unknown: bool) -> Scope {
    let credentials = context.credentials(connection, &manifest);
    Scope {
        manifest,
        organization: connection.organization.clone(),
        connection: connection.id.clone(),
        account: connection.account.id.clone(),
        choice: connection.account.choice.clone(),
        on: guest_connection(connection),
        stage,
        credentials,
        after_unknown,
    }
}

/// Whether jobs may still be run on it.
pub(super) fn is_gone(connection: &Connection) -> bool {
    connection.state == ConnectionState::Disconnected
}

/// A version that can be run.
pub(super) type Version = (Digest, Arc<Manifest>);
