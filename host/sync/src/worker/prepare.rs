//! Makes sure that what a sync needs in the vendor's account (tag ids, properties) is known before it runs, one run at a
//! time per connection. Things that merchants must agree to first are never created here.

use std::collections::HashMap;
use std::sync::Arc;

use crm_catalog::model::Stage;
use crm_contract::ports::Mode;
use crm_contract::types::{Answer, Binding, Ending, Invocation, Pair, Prepared};
use crm_store::StoreError;
use crm_store::model::{Kind, Put, RecordKey};
use parking_lot::Mutex;
use tokio::sync::Mutex as AsyncMutex;

use super::decide::End;
use super::lanes::{Lanes, Version, guest_connection};
use crate::context::Context;
use crate::domain::{Connection, Override, override_id};
use crate::loose::{self, LooseRun};
use crate::services::overrides;

#[derive(Default)]
pub(super) struct Preparing {
    turns: Mutex<HashMap<String, Arc<AsyncMutex<()>>>>,
}

impl Preparing {
    /// The connection with every binding that `tags` needs, prepared when something is missing or `stale` names facts to drop.
    pub(super) async fn ensure(
        &self,
        context: &Context,
        lanes: &Lanes,
        connection: Arc<Connection>,
        version: &Version,
        tags: &[String],
        stale: Option<&[String]>,
    ) -> Result<Arc<Connection>, End> {
        if !version.1.supports.prepare || (stale.is_none() && !lacks(&connection, tags)) {
            return Ok(connection);
        }
        let turn = self.turns.lock().entry(connection.id.clone()).or_default().clone();
        let result = {
            let _held = turn.lock().await;
            self.prepare(context, lanes, &connection, version, tags, stale).await
        };
        let mut turns = self.turns.lock();
        // Two handles are the map's and ours: nobody else waits.
        if Arc::strong_count(&turn) <= 2 {
            turns.remove(&connection.id);
        }
        result
    }

    /// The connection with the bindings of those `tags` that exist in the account. Nothing is made: these are to be taken off.
    pub(super) async fn look(
        context: &Context,
        lanes: &Lanes,
        connection: Arc<Connection>,
        version: &Version,
        tags: &[String],
    ) -> Result<Arc<Connection>, End> {
        if !version.1.supports.prepare || !lacks(&connection, tags) {
            return Ok(connection);
        }
        let found = run(context, &connection, version, tags, false).await?;
        let consent = connection.prepared;
        save(context, lanes, Connection::clone(&connection), found, consent).await
    }

    async fn prepare(
        &self,
        context: &Context,
        lanes: &Lanes,
        seen: &Connection,
        version: &Version,
        tags: &[String],
        stale: Option<&[String]>,
    ) -> Result<Arc<Connection>, End> {
        let mut connection = reload(context, lanes, seen).await?;
        match stale {
            // Another job prepared anew while this one waited for its turn: its facts are fresh.
            Some(_) if connection.facts != seen.facts || connection.bindings != seen.bindings => {}
            Some(names) => drop_facts(&mut connection, names),
            None => {}
        }
        if stale.is_none() && !lacks(&connection, tags) {
            return Ok(Arc::new(connection));
        }
        if connection.prepared.is_none() {
            let missing = run(context, &connection, version, tags, false).await?;
            if missing.to_create.iter().any(|choice| !choice.id.starts_with("tag:")) {
                let asked = missing.to_create.into_iter().filter(|choice| !choice.id.starts_with("tag:"));
                return Err(End::NeedsConsent(asked.map(|choice| choice.name).collect()));
            }
        }
        let prepared = run(context, &connection, version, tags, true).await?;
        let consent = Some(context.now());
        save(context, lanes, connection, prepared, consent).await
    }
}

/// Whether a wanted tag has no binding yet.
fn lacks(connection: &Connection, tags: &[String]) -> bool {
    tags.iter().any(|tag| !connection.bindings.iter().any(|b| &b.name == tag))
}

/// Removes what is said to be stale: facts by key, tags as `tag:NAME`. No names = everything.
fn drop_facts(connection: &mut Connection, names: &[String]) {
    connection.facts.retain(|fact| !names.is_empty() && !names.contains(&fact.key));
    connection.bindings.retain(|tag| !names.is_empty() && !names.iter().any(|n| n.strip_prefix("tag:").unwrap_or(n) == tag.name));
}

async fn reload(context: &Context, lanes: &Lanes, seen: &Connection) -> Result<Connection, End> {
    let connection = match lanes.connection(context, &seen.organization, &seen.id).await {
        Ok(Some(connection)) => connection,
        Ok(None) => return Err(End::Gone),
        Err(error) => return Err(End::Host(error.to_string())),
    };
    let Some(campaign) = &seen.overridden_by else { return Ok(Connection::clone(&connection)) };
    let id = override_id(campaign, &seen.id);
    match context.load::<Override>(&seen.organization, Kind::Override, &id).await {
        Ok(Some((over, _))) => Ok(overrides::applied(&connection, &over)),
        // The campaign has no destination of its own any more.
        Ok(None) => Err(End::Host("the campaign's destination was changed meanwhile".to_owned())),
        Err(error) => Err(End::Host(error.to_string())),
    }
}

async fn run(context: &Context, connection: &Connection, version: &Version, tags: &[String], apply: bool) -> Result<Prepared, End> {
    let scope = super::lanes::scope(context, connection, version.1.clone(), Stage::Prepare, false);
    let run = LooseRun {
        digest: version.0.clone(),
        manifest: version.1.clone(),
        organization: connection.organization.clone(),
        connection: connection.id.clone(),
        account: connection.account.id.clone(),
        choice: connection.account.choice.clone(),
        stage: Stage::Prepare,
        mode: Mode::Live,
        credentials: scope.credentials,
        invocation: Invocation::Prepare { on: guest_connection(connection), tags: tags.to_vec(), fields: Vec::new(), apply },
    };
    match loose::run(context, run).await {
        Err(fault) => Err(End::Fault(fault)),
        Ok(end) => match end.answer {
            Answer::Prepared(Ok(prepared)) => Ok(prepared),
            Answer::Prepared(Err(error)) => Err(End::Ended(Ending::Failed(error))),
            _ => Err(End::Host("the connector answered another function".into())),
        },
    }
}

/// Adds what was learnt to the connection, or to the campaign's own destination there, whoever else writes to it meanwhile.
async fn save(
    context: &Context,
    lanes: &Lanes,
    start: Connection,
    prepared: Prepared,
    consent: Option<u64>,
) -> Result<Arc<Connection>, End> {
    let mut learnt = Learnt { facts: start.facts.clone(), bindings: start.bindings.clone() };
    learnt.add(prepared);
    let organization = start.organization.clone();
    let key = match &start.overridden_by {
        None => RecordKey { organization, kind: Kind::Connection, id: start.id.clone() },
        Some(campaign) => RecordKey { organization, kind: Kind::Override, id: override_id(campaign, &start.id) },
    };
    loop {
        let record = context.store.get(&key).await.map_err(|e| End::Host(e.to_string()))?.ok_or(End::Gone)?;
        let json = match key.kind {
            Kind::Override => {
                let mut over: Override = serde_json::from_str(&record.json).map_err(|e| End::Host(e.to_string()))?;
                if over.scope() != overrides::scope_of(&start) {
                    return Err(End::Host("the campaign's destination was changed meanwhile".to_owned()));
                }
                (over.facts, over.bindings, over.prepared) = (learnt.facts.clone(), learnt.bindings.clone(), consent);
                serde_json::to_string(&over)
            }
            _ => {
                let mut connection: Connection = serde_json::from_str(&record.json).map_err(|e| End::Host(e.to_string()))?;
                (connection.facts, connection.bindings, connection.prepared) = (learnt.facts.clone(), learnt.bindings.clone(), consent);
                serde_json::to_string(&connection)
            }
        };
        let json = json.map_err(|e| End::Host(e.to_string()))?;
        let put = Put { record: key.clone(), expect: Some(record.version), json: Some(json), unique: Vec::new() };
        match context.store.commit(vec![put], Vec::new()).await {
            Ok(_) => return reload(context, lanes, &start).await.map(Arc::new),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(End::Host(error.to_string())),
        }
    }
}

/// Facts and bindings of one destination.
struct Learnt {
    facts: Vec<Pair>,
    bindings: Vec<Binding>,
}

impl Learnt {
    fn add(&mut self, prepared: Prepared) {
        for fact in prepared.facts {
            self.facts.retain(|f| f.key != fact.key);
            self.facts.push(fact);
        }
        for tag in prepared.tags {
            self.bindings.retain(|t| t.name != tag.name);
            self.bindings.push(tag);
        }
    }
}
