//! What one campaign does differently on one connection: another destination, more tags, another mapping of fields, or nothing at all.
//! What is not overridden is the connection's.

use std::collections::BTreeMap;

use crm_store::model::Put;

use super::records::{self, Document as _};
use super::settings::pick_all;
use super::{ServiceError, Versioned, audit, campaigns, connections, fields, form};
use crate::context::Context;
use crate::domain::{Connection, FieldMapping, FieldSource, Override, destination, override_id};

/// A campaign's wishes for one connection; they replace what was there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewOverride {
    pub off: bool,
    /// By picker; empty = the connection's destination.
    pub picked: BTreeMap<String, String>,
    pub extra_tags: Vec<String>,
    /// By source; `None` leaves out what the connection maps.
    pub fields: BTreeMap<FieldSource, Option<String>>,
}

/// Sets the override. `expect`: the version the caller saw; 0 = there must be none.
pub async fn set(
    context: &Context,
    organization: &str,
    campaign: &str,
    connection: &str,
    expect: Option<u64>,
    new: NewOverride,
) -> Result<Versioned<Override>, ServiceError> {
    campaigns::get(context, organization, campaign).await?;
    let (Versioned { value: connection, .. }, _, manifest) = connections::usable(context, organization, connection).await?;
    let id = override_id(campaign, &connection.id);
    let old = match records::load::<Override>(context, organization, &id).await {
        Ok(found) => Some(found),
        Err(ServiceError::NotFound(_)) => None,
        Err(error) => return Err(error),
    };
    let version = old.as_ref().map_or(0, |o| o.version);
    let mut kept = Override {
        id,
        organization: organization.to_owned(),
        campaign: campaign.to_owned(),
        connection: connection.id.clone(),
        off: new.off,
        extra_tags: form::check_tags("extra_tags", &new.extra_tags, Some(&manifest))?,
        created: old.as_ref().map_or(context.now(), |o| o.value.created),
        ..Override::default()
    };
    // Before the vendor is asked about the rest.
    records::expected(expect, version)?;
    let mut there = connection.clone();
    if !new.picked.is_empty() {
        // Choices are looked up as if this were the connection's own destination; what is not named stays the connection's.
        let wishes = new.picked.iter().map(|(picker, id)| (picker.clone(), Some(id.clone()))).collect();
        pick_all(context, &manifest, &mut there, &wishes, false).await?;
        if there.picked != connection.picked {
            kept.picked = there.picked.clone();
            kept.facts = there.facts.clone();
        }
    }
    let mapping = new.fields.into_iter().map(|(source, target)| FieldMapping { source, target: target.unwrap_or_default() }).collect();
    kept.fields = fields::checked(context, &manifest, &there, mapping, true).await?;
    if let Some(old) = old
        && old.value.picked == kept.picked
    {
        // The same destination: what was learnt there stays true.
        kept.facts = old.value.facts;
        kept.bindings = old.value.bindings;
        kept.prepared = old.value.prepared;
    }
    let log = audit::entry(context, organization, "campaign.override_set", campaign, &[("connection", connection.id)])?;
    context.store.commit(vec![records::put(&kept, version)?, log], Vec::new()).await?;
    Ok(Versioned { value: kept, version: version + 1 })
}

pub async fn get(context: &Context, organization: &str, campaign: &str, connection: &str) -> Result<Versioned<Override>, ServiceError> {
    campaigns::get(context, organization, campaign).await?;
    connections::get(context, organization, connection).await?;
    records::load(context, organization, &override_id(campaign, connection)).await
}

/// Every override of a campaign.
pub async fn list(context: &Context, organization: &str, campaign: &str) -> Result<Vec<Versioned<Override>>, ServiceError> {
    campaigns::get(context, organization, campaign).await?;
    let all = records::all::<Override>(context, organization).await?;
    Ok(all.into_iter().filter(|o| o.value.campaign == campaign).collect())
}

/// Goes back to what the connection says. There being none is no error.
pub async fn clear(context: &Context, organization: &str, campaign: &str, connection: &str) -> Result<(), ServiceError> {
    let found = match get(context, organization, campaign, connection).await {
        Ok(found) => found,
        Err(ServiceError::NotFound("override")) => return Ok(()),
        Err(error) => return Err(error),
    };
    let put = Put::delete(found.value.key(), Some(found.version));
    let log = audit::entry(context, organization, "campaign.override_cleared", campaign, &[("connection", connection.to_owned())])?;
    context.store.commit(vec![put, log], Vec::new()).await?;
    Ok(())
}

/// The connection as a job of this campaign sees it.
pub fn applied(connection: &Connection, over: &Override) -> Connection {
    if over.picked.is_empty() {
        return connection.clone();
    }
    Connection {
        picked: over.picked.clone(),
        facts: over.facts.clone(),
        bindings: over.bindings.clone(),
        prepared: over.prepared,
        overridden_by: Some(over.campaign.clone()),
        ..connection.clone()
    }
}

/// What [`Override::scope`] would say of this connection: empty unless a campaign's destination is applied to it.
pub fn scope_of(connection: &Connection) -> String {
    if connection.overridden_by.is_some() { destination(&connection.picked) } else { String::new() }
}
