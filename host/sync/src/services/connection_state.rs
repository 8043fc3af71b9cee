//! Changes of a connection: its new state is told by webhooks, and what was done stands in the audit log, both written with it.

use crm_store::StoreError;

use super::events::{self, Event};
use super::records::{self, Versioned};
use super::{ServiceError, audit};
use crate::context::Context;
use crate::domain::Connection;

/// As [`records::modify`], with the webhooks that tell of a new state and, under `action`, a line of the audit log.
pub(crate) async fn change(
    context: &Context,
    organization: &str,
    id: &str,
    action: Option<&str>,
    mut change: impl FnMut(&mut Connection) + Send,
) -> Result<Versioned<Connection>, ServiceError> {
    for _ in 0..records::RACES {
        let Versioned { mut value, version } = records::load::<Connection>(context, organization, id).await?;
        let before = value.state;
        change(&mut value);
        let told: Vec<Event> = Event::of_connection(before, &value).into_iter().collect();
        let jobs = events::outbox(context, organization, &told).await?;
        let mut puts = vec![records::put(&value, version)?];
        if let Some(action) = action {
            puts.push(audit::entry(context, organization, action, id, &[])?);
        }
        match context.store.commit(puts, jobs).await {
            Ok(_) => return Ok(Versioned { value, version: version + 1 }),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ServiceError::Changed)
}
