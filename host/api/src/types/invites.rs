//! Invitations.

use crm_sync::services::invites::{Done, Invite as Kept, InviteState as KeptState, Invited as File, Sent};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::time;
use crate::problem::FieldProblem;

/// Whom to invite into a campaign.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewInvites {
    /// Campaign id.
    pub(crate) campaign: String,
    #[schema(min_items = 1, max_items = 1000)]
    pub(crate) people: Vec<InvitedPerson>,
    /// Who accepts is approved at once; else they are pending.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub(crate) approve: bool,
    /// Days for which the links are good; 14 when absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 90)]
    pub(crate) expires_days: Option<u32>,
    /// For yourself; the invited people do not see it.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub(crate) note: Option<String>,
}

pub(crate) fn yes() -> bool {
    true
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InvitedPerson {
    pub(crate) email: String,
    #[serde(default)]
    #[schema(max_length = 400)]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct InviteFileQuery {
    /// Campaign id.
    pub(crate) campaign: String,
    /// Who accepts is approved at once (the default); else they are pending.
    #[serde(default = "yes")]
    #[param(required = false, default = true)]
    pub(crate) approve: bool,
    /// Days for which the links are good; 14 when absent.
    #[param(minimum = 1, maximum = 90)]
    pub(crate) expires_days: Option<u32>,
    /// For yourself; the invited people do not see it.
    #[param(max_length = 500)]
    pub(crate) note: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct InviteQuery {
    /// Campaign id.
    pub(crate) campaign: Option<String>,
    #[param(inline)]
    pub(crate) state: Option<InviteState>,
    /// In any spelling.
    pub(crate) email: Option<String>,
    #[param(minimum = 1, maximum = 100)]
    pub(crate) limit: Option<u32>,
    pub(crate) cursor: Option<String>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InviteState {
    Open,
    Accepted,
    Revoked,
    Expired,
}

impl From<InviteState> for KeptState {
    fn from(state: InviteState) -> Self {
        match state {
            InviteState::Open => Self::Open,
            InviteState::Accepted => Self::Accepted,
            InviteState::Revoked => Self::Revoked,
            InviteState::Expired => Self::Expired,
        }
    }
}

impl From<KeptState> for InviteState {
    fn from(kept: KeptState) -> Self {
        match kept {
            KeptState::Open => Self::Open,
            KeptState::Accepted => Self::Accepted,
            KeptState::Revoked => Self::Revoked,
            KeptState::Expired => Self::Expired,
        }
    }
}

/// One person's invitation into one campaign.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Invite {
    id: String,
    /// Campaign id.
    campaign: String,
    email: String,
    name: Option<String>,
    approve: bool,
    note: Option<String>,
    #[schema(inline)]
    state: InviteState,
    created: String,
    expires: String,
    accepted: Option<String>,
    /// When it was revoked, or a newer one took its place.
    revoked: Option<String>,
    /// Id of the affiliate who came in by it.
    affiliate: Option<String>,
}

impl Invite {
    pub(crate) fn of(kept: Kept, now: u64) -> Self {
        Self {
            state: kept.state(now).into(),
            created: time(kept.created),
            expires: time(kept.expires),
            accepted: kept.accepted.map(time),
            revoked: kept.revoked.map(time),
            id: kept.id,
            campaign: kept.campaign,
            email: kept.email,
            name: kept.name,
            approve: kept.approve,
            note: kept.note,
            affiliate: kept.affiliate,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum InviteOutcome {
    Invited,
    Already,
    Repeated,
    Error,
}

/// What became of one person.
#[derive(Serialize, ToSchema)]
pub(crate) struct InviteResult {
    /// The person's place in the list, from 0; in a file the row, as a spreadsheet counts: the header is row 1.
    place: u64,
    email: String,
    /// `invited`; `already`: is in the campaign, whatever the status; `repeated`: stands further up already; `error`.
    outcome: InviteOutcome,
    /// Id of the invitation.
    invite: Option<String>,
    /// The link for this person, shown once: send it to them.
    link: Option<String>,
    /// When the link ends.
    expires: Option<String>,
    /// Id of the affiliate who is in the campaign already.
    affiliate: Option<String>,
    /// Where this person stood first.
    repeats: Option<u64>,
    /// What is wrong with the row.
    errors: Vec<FieldProblem>,
}

impl From<Sent> for InviteResult {
    fn from(sent: Sent) -> Self {
        let bare = Self {
            place: sent.place,
            email: sent.email,
            outcome: InviteOutcome::Error,
            invite: None,
            link: None,
            expires: None,
            affiliate: None,
            repeats: None,
            errors: Vec::new(),
        };
        match sent.done {
            Done::Invited { invite, link } => Self {
                outcome: InviteOutcome::Invited,
                expires: Some(time(invite.expires)),
                invite: Some(invite.id),
                link: Some(link),
                ..bare
            },
            Done::Already { affiliate } => Self { outcome: InviteOutcome::Already, affiliate: Some(affiliate), ..bare },
            Done::Repeated { place } => Self { outcome: InviteOutcome::Repeated, repeats: Some(place), ..bare },
            Done::Wrong(fields) => {
                let errors = fields.into_iter().map(|f| FieldProblem { field: f.field, detail: f.message }).collect();
                Self { errors, ..bare }
            }
        }
    }
}

/// What became of everyone. The links are in here and nowhere else.
#[derive(Serialize, ToSchema)]
pub(crate) struct InvitesMade {
    invited: usize,
    already: usize,
    repeated: usize,
    errors: usize,
    /// In the order of the list or file.
    results: Vec<InviteResult>,
    /// Columns of the file that were not read.
    ignored_columns: Vec<String>,
}

impl From<Vec<Sent>> for InvitesMade {
    fn from(sent: Vec<Sent>) -> Self {
        let results: Vec<InviteResult> = sent.into_iter().map(Into::into).collect();
        let count = |outcome: InviteOutcome| results.iter().filter(|r| r.outcome == outcome).count();
        Self {
            invited: count(InviteOutcome::Invited),
            already: count(InviteOutcome::Already),
            repeated: count(InviteOutcome::Repeated),
            errors: count(InviteOutcome::Error),
            ignored_columns: Vec::new(),
            results,
        }
    }
}

impl From<File> for InvitesMade {
    fn from(file: File) -> Self {
        Self { ignored_columns: file.ignored, ..file.sent.into() }
    }
}
