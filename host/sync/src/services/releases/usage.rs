//! Who uses a connector: its connections over all organizations. Asked when versions or connectors are taken away, never on a job's way.

use super::super::records::{self, Versioned};
use super::super::{ServiceError, organizations};
use crate::context::Context;
use crate::domain::{Connection, ConnectionState};

/// Organizations looked at at a time.
const PAGE: usize = 200;

/// A connection, as far as versions are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) organization: String,
    pub(super) id: String,
    pub(super) state: ConnectionState,
    pub(super) pinned: Option<String>,
}

/// The connections of a connector that are not disconnected.
pub(super) async fn of(context: &Context, connector: &str) -> Result<Vec<User>, ServiceError> {
    let mut users = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = organizations::list(context, after.as_deref(), PAGE).await?;
        for organization in page.items {
            let connections = records::all::<Connection>(context, &organization.id).await?;
            let mine = connections.into_iter().map(|Versioned { value, .. }| value);
            let mine = mine.filter(|c| c.connector == connector && c.state != ConnectionState::Disconnected);
            users.extend(mine.map(|c| User { organization: c.organization, id: c.id, state: c.state, pinned: c.pinned }));
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(users),
        }
    }
}
