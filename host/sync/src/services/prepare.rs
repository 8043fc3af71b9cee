//! What must exist in the merchant's account before syncs can work (tags with ids, fields, options): listed first, created
//! only when the merchant says so, and remembered with the connection.

use crm_catalog::model::Stage;
use crm_contract::types::{Answer, Binding, Invocation, Prepared};

use super::connections::{self, merged, usable, wrong_answer};
use super::{ServiceError, Versioned, records};
use crate::context::Context;
use crate::domain::{Campaign, Connection, ConnectionState, wanted_tags};
use crate::fit::fit;

/// Looks (`apply = false`) or creates (`apply = true`). What was found or made is remembered in both cases: it is a fact
/// either way.
pub async fn run(context: &Context, organization: &str, id: &str, apply: bool) -> Result<Prepared, ServiceError> {
    let (Versioned { value: connection, .. }, digest, manifest) = usable(context, organization, id).await?;
    if !manifest.supports.prepare {
        return Err(ServiceError::Unsupported(format!("{} needs no preparation", manifest.connector.name)));
    }
    let mut extras: Vec<String> = Vec::new();
    for campaign in records::all::<Campaign>(context, organization).await? {
        extras.extend(campaign.value.extra_tags);
    }
    let wanted = wanted_tags(&connection.default_tags, &extras);
    // A campaign tag that this vendor cannot take is left out here as it is in every sync.
    let tags = fit(&manifest, &wanted, &[]).set;
    let invocation = Invocation::Prepare { on: connection.for_guest(), tags, fields: Vec::new(), apply };
    let credentials = context.store.credentials(&connection.whose());
    let prepared = match connections::call(context, &digest, &manifest, &connection, Stage::Prepare, credentials, invocation).await? {
        Answer::Prepared(Ok(prepared)) => prepared,
        Answer::Prepared(Err(error)) => return Err(ServiceError::Vendor { error }),
        _ => return Err(wrong_answer()),
    };
    let now = context.now();
    let saved = records::modify::<Connection>(context, organization, id, |current| {
        current.facts = merged(&current.facts, &prepared.facts);
        current.bindings = merged_bindings(&current.bindings, &prepared.tags);
        if apply {
            current.prepared = Some(now);
            if current.state == ConnectionState::NeedsPreparation {
                current.state = ConnectionState::Live;
                current.trouble = None;
            }
        }
    })
    .await?;
    if apply && saved.value.state == ConnectionState::Live {
        context.store.park(id, false, now).await?;
    }
    Ok(prepared)
}

/// `newer` over `older`, by our tag name.
pub fn merged_bindings(older: &[Binding], newer: &[Binding]) -> Vec<Binding> {
    let mut all: Vec<Binding> = older.iter().filter(|o| !newer.iter().any(|n| n.name == o.name)).cloned().collect();
    all.extend(newer.iter().cloned());
    all
}
