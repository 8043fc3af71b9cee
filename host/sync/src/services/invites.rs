//! Invitations: a link for one person into one campaign, good once and for some days. The host sends no e-mail: who asks for invitations
//! gets the links and sends them. Of a link only the SHA-256 of its token is kept.

mod accept;
mod bulk;
mod file;
mod kept;

use super::records::{self, Paged};
use super::{ServiceError, Versioned, audit, campaigns};
use crate::context::Context;
use crate::domain::normalise_email;

pub use accept::{Invitation, accept, by_token};
pub use bulk::{Done, Order, Person, Sent, invite};
pub use file::{FILE_BYTES, Invited, invite_file};
pub use kept::{Invite, InviteState, erasing, sweep};
use kept::{WHO, who_prefix};

/// Days an invitation is good for, unless its maker says otherwise, and at most.
pub const DAYS: u32 = 14;
pub const MOST_DAYS: u32 = 90;
/// People invited by one list, and by one file.
pub const MOST_PEOPLE: usize = 1_000;
pub const MOST_ROWS: usize = 10_000;

const PAGE: usize = 500;

/// Which invitations to list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InviteFilter {
    pub campaign: Option<String>,
    pub state: Option<InviteState>,
    /// In any spelling.
    pub email: Option<String>,
}

/// A page of invitations, oldest first. A page may hold fewer than `limit` and still have a next one.
pub async fn list(
    context: &Context,
    organization: &str,
    filter: &InviteFilter,
    after: Option<&str>,
    limit: usize,
) -> Result<Paged<Versioned<Invite>>, ServiceError> {
    if let Some(campaign) = &filter.campaign {
        campaigns::get(context, organization, campaign).await?;
    }
    let now = context.now();
    let keep = |invite: &Invite| {
        filter.campaign.as_ref().is_none_or(|c| &invite.campaign == c) && filter.state.is_none_or(|s| invite.state(now) == s)
    };
    let Some(email) = &filter.email else { return records::page(context, organization, after, limit, keep).await };
    let mut items = of_email(context, organization, email).await?;
    items.retain(|i| keep(&i.value) && after.is_none_or(|id| i.value.id.as_str() > id));
    let more = items.len() > limit;
    items.truncate(limit);
    let next = if more { items.last().map(|i| i.value.id.clone()) } else { None };
    Ok(Paged { items, next })
}

/// Every invitation of a person, over all campaigns and states, oldest first: for lists, and for erasing (with [`erasing`]).
pub async fn of_email(context: &Context, organization: &str, email: &str) -> Result<Vec<Versioned<Invite>>, ServiceError> {
    let prefix = who_prefix(&normalise_email(email));
    let mut invites = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let kind = <Invite as records::Document>::KIND;
        let found = context.store.named(organization, kind, WHO, &prefix, after.as_deref(), PAGE).await?;
        for (_, record) in &found {
            invites.push(records::parse(record)?);
        }
        match found.last() {
            Some((name, _)) if found.len() == PAGE => after = Some(name.clone()),
            _ => return Ok(invites),
        }
    }
}

pub async fn get(context: &Context, organization: &str, id: &str) -> Result<Versioned<Invite>, ServiceError> {
    records::load(context, organization, id).await
}

/// Withdraws an invitation: its link leads nowhere from now on. One that ended by itself stays as it is; one that was accepted cannot be
/// withdrawn ([`ServiceError::Conflict`], `invite_accepted`).
pub async fn revoke(context: &Context, organization: &str, id: &str) -> Result<Invite, ServiceError> {
    for _ in 0..records::RACES {
        let Versioned { mut value, version } = get(context, organization, id).await?;
        match value.state(context.now()) {
            InviteState::Open => {}
            InviteState::Revoked | InviteState::Expired => return Ok(value),
            InviteState::Accepted => {
                return Err(ServiceError::conflict("invite_accepted", "it was accepted: pause or remove the affiliate instead"));
            }
        }
        value.revoked = Some(context.now());
        let log = audit::entry(context, organization, "invite.revoked", id, &[("campaign", value.campaign.clone())])?;
        match context.store.commit(vec![records::put(&value, version)?, log], Vec::new()).await {
            Ok(_) => return Ok(value),
            Err(crm_store::StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ServiceError::Changed)
}
