//! Invitations that were sent to a person's addresses.

use crm_store::StoreError;
use serde_json::{Map, Value};

use super::Addresses;
use crate::context::Context;
use crate::services::{ServiceError, invites, records};

/// Invitations deleted in one write.
const BATCH: usize = 128;

/// Deletes them; their links stop working.
pub(super) async fn forget(context: &Context, organization: &str, addresses: &Addresses) -> Result<u64, ServiceError> {
    let (mut gone, mut races) = (0, 0);
    for address in addresses.iter() {
        loop {
            let found = invites::of_email(context, organization, address).await?;
            let Some(batch) = found.chunks(BATCH).next() else { break };
            match context.store.commit(batch.iter().flat_map(invites::erasing).collect(), Vec::new()).await {
                Ok(_) => gone += batch.len() as u64,
                // One of them is being accepted or withdrawn.
                Err(StoreError::Conflict) if races < records::RACES => races += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(gone)
}

/// Shows them. What is kept of them would let nobody use them.
pub(super) async fn of(context: &Context, organization: &str, addresses: &Addresses) -> Result<Vec<Map<String, Value>>, ServiceError> {
    let mut shown = Vec::new();
    for address in addresses.iter() {
        for invite in invites::of_email(context, organization, address).await? {
            match serde_json::to_value(&invite.value) {
                Ok(Value::Object(fields)) => shown.push(fields),
                Ok(_) => {}
                Err(error) => return Err(ServiceError::Damaged(error.to_string())),
            }
        }
    }
    Ok(shown)
}
