//! What a link leads to, and what is made of a yes.

use super::kept::{self, Invite, InviteState};
use crate::context::Context;
use crate::domain::{Actor, ActorKind, AffiliateStatus, Source};
use crate::services::affiliates::NewAffiliate;
use crate::services::applications::{self, Program};
use crate::services::entry::{Newcomer, welcome};
use crate::services::{ServiceError, Versioned, audit, campaigns, form, records};

/// An open invitation, and what it is to.
#[derive(Clone, Debug, PartialEq)]
pub struct Invitation {
    pub invite: Invite,
    pub program: Program,
}

/// The open invitation behind a link. `None` = the link is good for nothing, for whatever reason: it never was, was used, was withdrawn, or
/// is too old.
pub async fn by_token(context: &Context, token: &str) -> Result<Option<Invitation>, ServiceError> {
    Ok(open(context, token).await?.map(|(invitation, _)| invitation))
}

async fn open(context: &Context, token: &str) -> Result<Option<(Invitation, u64)>, ServiceError> {
    let Some(Versioned { value: invite, version }) = kept::find(context, token).await? else { return Ok(None) };
    if invite.state(context.now()) != InviteState::Open {
        return Ok(None);
    }
    let campaign = campaigns::get(context, &invite.organization, &invite.campaign).await?.value;
    let program = applications::of_campaign(context, campaign).await?;
    Ok(Some((Invitation { invite, program }, version)))
}

/// The invited person says yes. The invitation is spent in the same write that lets them in: of two at once one comes in. A closed campaign takes
/// invited people all the same. `None` as for [`by_token`].
pub async fn accept(context: &Context, token: &str, name: Option<&str>, consent: bool) -> Result<Option<Program>, ServiceError> {
    let mut wrong = Vec::new();
    let full = form::optional_line("full", name, 400).unwrap_or_else(|error| error.gathered(&mut wrong));
    wrong.extend(applications::no_consent(consent));
    for _ in 0..records::RACES {
        // What a dead link says comes before what is wrong with the form.
        let Some((Invitation { invite, program }, version)) = open(context, token).await? else { return Ok(None) };
        if !wrong.is_empty() {
            return Err(ServiceError::Invalid(wrong));
        }
        match enter(context, &invite, version, &program, full.clone()).await {
            Ok(()) => return Ok(Some(program)),
            Err(ServiceError::Changed) => {}
            Err(error) => return Err(error),
        }
    }
    Err(ServiceError::Changed)
}

async fn enter(context: &Context, invite: &Invite, version: u64, program: &Program, full: Option<String>) -> Result<(), ServiceError> {
    let Invite { id, organization, campaign, .. } = invite;
    let new = NewAffiliate {
        email: invite.email.clone(),
        full: full.or_else(|| invite.name.clone()),
        consent: Some(applications::consent(context, &format!("/i (invitation {id})"))),
        ..NewAffiliate::default()
    };
    // From where they came stands in the affiliate's own line, where erasing them finds it.
    let unsigned = context.by(Actor { kind: ActorKind::Public, id: String::new(), ip: None, request: None });
    let spent = |affiliate: &str| {
        let spent = Invite { accepted: Some(context.now()), affiliate: Some(affiliate.to_owned()), ..invite.clone() };
        let log = audit::entry(&unsigned, organization, "invite.accepted", id, &[("affiliate", affiliate.to_owned())])?;
        Ok(vec![records::put(&spent, version)?, log])
    };
    let approve = invite.approve || program.campaign.auto_approve;
    let status = if approve { AffiliateStatus::Approved } else { AffiliateStatus::Pending };
    let newcomer = Newcomer { campaign, new, source: Source::Invite, status, with: &spent };
    welcome(context, organization, newcomer).await.map(drop)
}
