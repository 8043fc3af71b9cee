//! The public application page's side of things: what a program shows to everyone, and what is made of somebody's wish to be in it.
//! Nothing that comes back from here says whether an e-mail was known before.

use crm_contract::types::Consent;
use crm_store::model::Kind;

use super::affiliates::{NewAffiliate, checked};
use super::entry::{Newcomer, welcome};
use super::{FieldError, ServiceError, campaigns};
use crate::context::Context;
use crate::domain::{AffiliateStatus, Campaign, Organization, Source};

/// What everyone may see: a campaign, and the name of whose it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    pub campaign: Campaign,
    pub organization: String,
}

/// An application as typed; blank values count as missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Application {
    pub email: String,
    pub full: Option<String>,
    pub company: Option<String>,
    pub website: Option<String>,
    pub promotes: Option<String>,
    /// The wished referral slug. One that somebody has is passed over in silence.
    pub slug: Option<String>,
    /// Whether the box was ticked.
    pub consent: bool,
}

/// The program with this public handle.
pub async fn program(context: &Context, handle: &str) -> Result<Program, ServiceError> {
    of_campaign(context, campaigns::by_program(context, handle).await?.value).await
}

/// The same, for a campaign that is at hand.
pub(super) async fn of_campaign(context: &Context, campaign: Campaign) -> Result<Program, ServiceError> {
    match context.load::<Organization>(&campaign.organization, Kind::Organization, &campaign.organization).await? {
        Some((organization, _)) => Ok(Program { campaign, organization: organization.name }),
        None => Err(ServiceError::NotFound("program")),
    }
}

/// Everything that is wrong with an application, whoever sends it.
pub fn check(context: &Context, program: &Program, application: &Application) -> Result<(), ServiceError> {
    let mut wrong = Vec::new();
    let known = checked(&program.campaign.organization, context.now(), new(application, None), Source::Page);
    if let Err(error) = known {
        error.gathered::<()>(&mut wrong);
    }
    wrong.extend(no_consent(application.consent));
    if wrong.is_empty() { Ok(()) } else { Err(ServiceError::Invalid(wrong)) }
}

pub(super) fn no_consent(consent: bool) -> Option<FieldError> {
    let missing = || FieldError { field: "consent".to_owned(), message: "tick this box to go on".to_owned() };
    (!consent).then(missing)
}

/// Takes an application to an open campaign; a closed one takes none ([`ServiceError::Conflict`], `closed`). `Ok` says that it was taken note
/// of: the person may have been in the campaign before.
pub async fn apply(context: &Context, program: &Program, application: &Application) -> Result<(), ServiceError> {
    check(context, program, application)?;
    let campaign = &program.campaign;
    if !campaign.open {
        return Err(ServiceError::conflict("closed", "this program takes no applications at the moment"));
    }
    let consent = consent(context, &format!("/p/{}", campaign.program));
    let status = if campaign.auto_approve { AffiliateStatus::Approved } else { AffiliateStatus::Pending };
    let newcomer =
        Newcomer { campaign: &campaign.id, new: new(application, Some(consent)), source: Source::Page, status, with: &|_| Ok(Vec::new()) };
    match welcome(context, &campaign.organization, newcomer).await {
        Ok(_) => Ok(()),
        // The application is sound, so this is about an affiliate who is known (is in too many campaigns, say): not for strangers' eyes.
        Err(ServiceError::Invalid(fields)) => {
            tracing::warn!(campaign = campaign.id, fields = ?fields.iter().map(|f| &f.field).collect::<Vec<_>>(), "an application led to nothing");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn new(application: &Application, consent: Option<Consent>) -> NewAffiliate {
    let Application { email, full, company, website, promotes, slug, consent: _ } = application.clone();
    NewAffiliate { email, full, company, website, promotes, slug, consent, ..NewAffiliate::default() }
}

/// That somebody agreed here and now, on the page at `path` of this host.
pub(super) fn consent(context: &Context, path: &str) -> Consent {
    let base = context.config.public_url.as_deref().unwrap_or_default();
    let ip = context.actor.as_ref().and_then(|actor| actor.ip.clone());
    Consent { at: context.now() / 1_000, source: format!("{base}{path}"), ip }
}
