//! What is kept of an invitation: the record of its organization, and, outside all organizations, the ticket by which a link finds it.

use crm_store::model::{Kind, Put, RecordKey};
use rand::distr::{Alphanumeric, SampleString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::context::Context;
use crate::domain::normalise_email;
use crate::services::records::{self, Document};
use crate::services::{ServiceError, Versioned};

/// Letters and digits of a token: about 256 bits.
const LETTERS: usize = 43;
/// How long an invitation is kept after its end.
const KEPT_MS: u64 = 30 * 24 * 60 * 60 * 1_000;
/// Tickets looked at in one go by the sweep.
const SWEPT: usize = 128;

/// The namespace in which every invitation has the name `<e-mail>/<id>`.
pub(super) const WHO: &str = "who";
/// The namespace in which the one open invitation of a campaign and e-mail has its name.
pub(super) const OPEN: &str = "email";

/// An invitation as kept. Says nothing of its link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Invite {
    pub id: String,
    pub organization: String,
    pub campaign: String,
    /// As it was typed.
    pub email: String,
    pub name: Option<String>,
    /// Who accepts is approved at once.
    pub approve: bool,
    /// The merchant's own words; the invited person does not see them.
    pub note: Option<String>,
    pub created: u64,
    /// From then on it is good for nothing.
    pub expires: u64,
    pub accepted: Option<u64>,
    /// When it was withdrawn, or a newer one took its place.
    pub revoked: Option<u64>,
    /// Who came in by it.
    pub affiliate: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InviteState {
    Open,
    Accepted,
    Revoked,
    Expired,
}

impl Invite {
    pub fn state(&self, now: u64) -> InviteState {
        match (self.accepted, self.revoked) {
            (Some(_), _) => InviteState::Accepted,
            (None, Some(revoked)) if revoked < self.expires => InviteState::Revoked,
            (None, Some(_)) => InviteState::Expired,
            (None, None) if now >= self.expires => InviteState::Expired,
            (None, None) => InviteState::Open,
        }
    }

    /// When it ended, or will.
    fn ended(&self) -> u64 {
        self.accepted.or(self.revoked).map_or(self.expires, |end| end.min(self.expires))
    }
}

/// Under this, followed by their ids, are all invitations of a person. No other e-mail's names begin so: after the `@` there is no stroke.
pub(super) fn who_prefix(normalised: &str) -> String {
    format!("{normalised}/")
}

/// The name of the open invitation of a campaign and an e-mail.
pub(super) fn open_name(campaign: &str, normalised: &str) -> String {
    format!("{campaign}/{normalised}")
}

impl Document for Invite {
    const KIND: Kind = Kind::Invite;
    const NAME: &'static str = "invite";
    fn key(&self) -> RecordKey {
        RecordKey { organization: self.organization.clone(), kind: Self::KIND, id: self.id.clone() }
    }
    fn unique(&self) -> Vec<(String, String)> {
        let email = normalise_email(&self.email);
        let mut names = vec![(WHO.to_owned(), who_prefix(&email) + &self.id)];
        if self.accepted.is_none() && self.revoked.is_none() {
            names.push((OPEN.to_owned(), open_name(&self.campaign, &email)));
        }
        names
    }
}

/// Where a link leads. A link names no organization, so tickets are kept outside all of them, under the id of their invitation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Ticket {
    pub(super) id: String,
    pub(super) organization: String,
    /// SHA-256 of the token, lower-case hex.
    pub(super) hash: String,
    pub(super) created: u64,
}

impl Document for Ticket {
    const KIND: Kind = Kind::Invite;
    const NAME: &'static str = "invite's ticket";
    fn key(&self) -> RecordKey {
        RecordKey { organization: String::new(), kind: Self::KIND, id: self.id.clone() }
    }
    fn unique(&self) -> Vec<(String, String)> {
        vec![("token".to_owned(), self.hash.clone())]
    }
}

/// A new invitation's ticket, and its token.
pub(super) fn ticket(invite: &Invite) -> (Ticket, String) {
    let token = Alphanumeric.sample_string(&mut rand::rng(), LETTERS);
    let (id, organization) = (invite.id.clone(), invite.organization.clone());
    (Ticket { id, organization, hash: hash(&token), created: invite.created }, token)
}

fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// The invitation that a link's token leads to, whatever its state.
pub(super) async fn find(context: &Context, token: &str) -> Result<Option<Versioned<Invite>>, ServiceError> {
    if token.len() != LETTERS || !token.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Ok(None);
    }
    // The hash is the name: no part of a token is ever compared byte by byte.
    let Some(ticket) = records::find::<Ticket>(context, "", "token", &hash(token)).await? else { return Ok(None) };
    match records::load::<Invite>(context, &ticket.value.organization, &ticket.value.id).await {
        Ok(invite) => Ok(Some(invite)),
        Err(ServiceError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The puts that delete an invitation with all that is kept of it.
pub fn erasing(invite: &Versioned<Invite>) -> Vec<Put> {
    let Invite { id, organization, .. } = &invite.value;
    let delete = |organization: &str, expect| {
        Put::delete(RecordKey { organization: organization.to_owned(), kind: Kind::Invite, id: id.clone() }, expect)
    };
    vec![delete(organization, Some(invite.version)), delete("", None)]
}

/// Deletes invitations that ended thirty days ago.
pub async fn sweep(context: &Context) {
    if let Err(error) = swept(context).await {
        tracing::warn!(%error, "invitations that ended long ago stay a little longer");
    }
}

async fn swept(context: &Context) -> Result<(), ServiceError> {
    let before = context.now().saturating_sub(KEPT_MS);
    let mut after: Option<String> = None;
    loop {
        let page = context.store.page("", Kind::Invite, after.as_deref(), SWEPT).await?;
        let tickets: Vec<Versioned<Ticket>> = page.iter().map(records::parse).collect::<Result<_, _>>()?;
        let mut puts = Vec::new();
        // Oldest first, and none ends before it begins.
        for Versioned { value: ticket, version } in tickets.iter().take_while(|t| t.value.created <= before) {
            match records::load::<Invite>(context, &ticket.organization, &ticket.id).await {
                Ok(invite) if invite.value.ended() <= before => puts.extend(erasing(&invite)),
                Ok(_) => {}
                Err(ServiceError::NotFound(_)) => {
                    puts.push(Put::delete(ticket.key(), Some(*version)));
                }
                Err(error) => return Err(error),
            }
        }
        if !puts.is_empty() {
            context.store.commit(puts, Vec::new()).await?;
        }
        match tickets.last() {
            Some(last) if tickets.len() == SWEPT && last.value.created <= before => after = Some(last.value.id.clone()),
            _ => return Ok(()),
        }
    }
}
