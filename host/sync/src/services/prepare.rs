//! What must exist in the merchant's account before syncs can work (tags with ids, fields, options): listed first, created
//! only when the merchant says so, and remembered with the connection.

use std::sync::Arc;

use crm_catalog::model::{Manifest, Stage};
use crm_contract::ports::Digest;
use crm_contract::types::{Answer, Binding, Invocation, Prepared};

use super::connections::{self, merged, usable, wrong_answer};
use super::{ServiceError, Versioned, connection_state, overrides, records};
use crate::context::Context;
use crate::domain::{Campaign, Connection, ConnectionState, Override, wanted_tags};
use crate::fit::fit;

/// Looks (`apply = false`) or creates (`apply = true`), in the connection's destination and in those that campaigns chose for themselves. What
/// was found or made is remembered in both cases: it is a fact either way.
pub async fn run(context: &Context, organization: &str, id: &str, apply: bool) -> Result<Prepared, ServiceError> {
    let (Versioned { value: connection, .. }, digest, manifest) = usable(context, organization, id).await?;
    if !manifest.supports.prepare {
        return Err(ServiceError::Unsupported(format!("{} needs no preparation", manifest.connector.name)));
    }
    let campaigns = records::all::<Campaign>(context, organization).await?;
    let overrides = records::all::<Override>(context, organization).await?;
    let of = |campaign: &str| overrides.iter().map(|o| &o.value).find(|o| o.connection == id && o.campaign == campaign);
    let mut own: Vec<String> = Vec::new();
    let mut elsewhere: Vec<(&Override, Vec<String>)> = Vec::new();
    for campaign in campaigns.iter().map(|c| &c.value) {
        let over = of(&campaign.id).filter(|o| !o.off);
        let mut extras = campaign.extra_tags.clone();
        extras.extend(over.into_iter().flat_map(|o| o.extra_tags.iter().cloned()));
        match over {
            Some(over) if !over.picked.is_empty() => elsewhere.push((over, extras)),
            _ => own.extend(extras),
        }
    }
    let version = (digest, manifest);
    let mut prepared = ask(context, &version, &connection, &own, apply).await?;
    let now = context.now();
    let action = apply.then_some("connection.prepared");
    let saved = connection_state::change(context, organization, id, action, |current| {
        current.facts = merged(&current.facts, &prepared.facts);
        current.bindings = merged_bindings(&current.bindings, &prepared.tags);
        current.prepared = if apply { Some(now) } else { current.prepared };
    })
    .await?;
    for (over, extras) in elsewhere {
        let there = ask(context, &version, &overrides::applied(&connection, over), &extras, apply).await?;
        records::modify::<Override>(context, organization, &over.id, |current| {
            // Another destination was picked meanwhile: this is not about that one.
            if current.picked == over.picked {
                current.facts = merged(&current.facts, &there.facts);
                current.bindings = merged_bindings(&current.bindings, &there.tags);
                current.prepared = if apply { Some(now) } else { current.prepared };
            }
        })
        .await?;
        prepared.to_create.extend(there.to_create);
        prepared.tags = merged_bindings(&prepared.tags, &there.tags);
    }
    if apply && saved.value.state == ConnectionState::NeedsPreparation {
        connection_state::change(context, organization, id, None, |current| {
            if current.state == ConnectionState::NeedsPreparation {
                current.state = ConnectionState::Live;
                current.trouble = None;
            }
        })
        .await?;
    }
    if apply && matches!(saved.value.state, ConnectionState::Live | ConnectionState::NeedsPreparation) {
        context.store.park(id, false, now).await?;
    }
    Ok(prepared)
}

/// One destination's preparation, for the system tag, the connection's tags and these.
async fn ask(
    context: &Context,
    (digest, manifest): &(Digest, Arc<Manifest>),
    connection: &Connection,
    extras: &[String],
    apply: bool,
) -> Result<Prepared, ServiceError> {
    let wanted = wanted_tags(&connection.default_tags, extras);
    // A campaign tag that this vendor cannot take is left out here as it is in every sync.
    let tags = fit(manifest, &wanted, &[]).set;
    let invocation = Invocation::Prepare { on: connection.for_guest(), tags, fields: Vec::new(), apply };
    let credentials = context.store.credentials(&connection.whose());
    match connections::call(context, digest, manifest, connection, Stage::Prepare, credentials, invocation).await? {
        Answer::Prepared(Ok(prepared)) => Ok(prepared),
        Answer::Prepared(Err(error)) => Err(ServiceError::Vendor { error }),
        _ => Err(wrong_answer()),
    }
}

/// `newer` over `older`, by our tag name.
pub fn merged_bindings(older: &[Binding], newer: &[Binding]) -> Vec<Binding> {
    let mut all: Vec<Binding> = older.iter().filter(|o| !newer.iter().any(|n| n.name == o.name)).cloned().collect();
    all.extend(newer.iter().cloned());
    all
}
