//! Campaigns: what affiliates can join, on which terms, and what their contacts get besides the connection's tags. The slug and the
//! public handle are permanent: links and pages out in the world name them.

use crm_store::StoreError;
use crm_store::model::{Kind, Put, RecordKey};
use rand::distr::{Alphanumeric, SampleString};
use serde::{Deserialize, Serialize};

use super::records::{self, Paged};
use super::{ServiceError, Versioned, audit, commission, form};
use crate::context::Context;
use crate::domain::{Attribution, Campaign, Commission};
use crate::ids::new_id;

/// What a merchant gives for a new campaign.
#[derive(Clone, Debug, PartialEq)]
pub struct NewCampaign {
    pub name: String,
    /// Permanent, unique within the organization.
    pub slug: String,
    pub description: Option<String>,
    pub terms_url: Option<String>,
    pub site_url: Option<String>,
    pub auto_approve: bool,
    pub open: bool,
    pub cookie_window_days: u32,
    pub attribution: Attribution,
    pub commission: Commission,
    pub extra_tags: Vec<String>,
}

/// What to change; everything absent stays, `Some(None)` clears. Slug and public handle are permanent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CampaignChange {
    pub name: Option<String>,
    pub description: Option<Option<String>>,
    pub terms_url: Option<Option<String>>,
    pub site_url: Option<Option<String>>,
    pub auto_approve: Option<bool>,
    pub open: Option<bool>,
    pub cookie_window_days: Option<u32>,
    pub attribution: Option<Attribution>,
    pub commission: Option<Commission>,
    pub extra_tags: Option<Vec<String>>,
}

/// Whose a public handle is. Kept outside all organizations, under the handle itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Program {
    pub organization: String,
    pub campaign: String,
}

const DESCRIPTION: usize = 2_000;
/// How often another ending is tried for a handle that is taken.
const HANDLES: usize = 5;

pub async fn create(context: &Context, organization: &str, new: NewCampaign) -> Result<Versioned<Campaign>, ServiceError> {
    let now = context.now();
    let mut wrong = Vec::new();
    let name: String = form::line("name", &new.name, 100).unwrap_or_else(|e| e.gathered(&mut wrong));
    let slug: String = form::slug("slug", &new.slug).unwrap_or_else(|e| e.gathered(&mut wrong)).to_lowercase();
    let description = form::optional_text("description", new.description.as_deref(), DESCRIPTION);
    let description = description.unwrap_or_else(|e| e.gathered(&mut wrong));
    let terms_url = web_address("terms_url", new.terms_url.as_deref()).unwrap_or_else(|e| e.gathered(&mut wrong));
    let site_url = web_address("site_url", new.site_url.as_deref()).unwrap_or_else(|e| e.gathered(&mut wrong));
    let cookie_window_days = window(new.cookie_window_days).unwrap_or_else(|e| e.gathered(&mut wrong));
    let commission = commission::checked("commission", new.commission).map(Some).unwrap_or_else(|e| e.gathered(&mut wrong));
    let extra_tags = form::check_tags("extra_tags", &new.extra_tags, None).unwrap_or_else(|e| e.gathered(&mut wrong));
    let Some(commission) = commission.filter(|_| wrong.is_empty()) else { return Err(ServiceError::Invalid(wrong)) };
    let mut campaign = Campaign {
        id: new_id("cmp", now),
        organization: organization.to_owned(),
        name,
        program: slug.clone(),
        slug,
        description,
        terms_url,
        site_url,
        auto_approve: new.auto_approve,
        open: new.open,
        cookie_window_days,
        attribution: new.attribution,
        commission,
        extra_tags,
        created: now,
    };
    if let Some(other) = records::find::<Campaign>(context, organization, "slug", &campaign.slug).await? {
        return Err(ServiceError::Taken { field: "slug", by: other.value.id });
    }
    for _ in 0..HANDLES {
        let program = Program { organization: organization.to_owned(), campaign: campaign.id.clone() };
        let json = serde_json::to_string(&program).map_err(|e| ServiceError::Damaged(e.to_string()))?;
        let handle = Put { record: program_key(&campaign.program), expect: Some(0), json: Some(json), unique: Vec::new() };
        let log = audit::entry(context, organization, "campaign.created", &campaign.id, &[])?;
        match context.store.commit(vec![records::put(&campaign, 0)?, handle, log], Vec::new()).await {
            Ok(_) => return Ok(Versioned { value: campaign, version: 1 }),
            // Another organization's campaign has this handle: ours gets an ending of its own.
            Err(StoreError::Conflict) => {
                let ending = Alphanumeric.sample_string(&mut rand::rng(), 6).to_lowercase();
                campaign.program = format!("{}-{ending}", campaign.slug.chars().take(57).collect::<String>().trim_end_matches('-'));
            }
            Err(error) => return Err(records::taken_as("slug")(error.into())),
        }
    }
    Err(ServiceError::Changed)
}

fn program_key(handle: &str) -> RecordKey {
    RecordKey { organization: String::new(), kind: Kind::Program, id: handle.to_owned() }
}

/// The campaign behind a public handle, whoever's it is.
pub async fn by_program(context: &Context, handle: &str) -> Result<Versioned<Campaign>, ServiceError> {
    let handle = form::slug("program", handle).map_err(|_| ServiceError::NotFound("program"))?.to_lowercase();
    match context.load::<Program>("", Kind::Program, &handle).await? {
        Some((program, _)) => get(context, &program.organization, &program.campaign).await,
        None => Err(ServiceError::NotFound("program")),
    }
}

pub async fn list(
    context: &Context,
    organization: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Paged<Versioned<Campaign>>, ServiceError> {
    records::page(context, organization, after, limit, |_: &Campaign| true).await
}

pub async fn get(context: &Context, organization: &str, id: &str) -> Result<Versioned<Campaign>, ServiceError> {
    records::load(context, organization, id).await
}

/// Applies a change. `expect` is the version the caller saw. Tags of contacts that are already synced change with their
/// next sync.
pub async fn update(
    context: &Context,
    organization: &str,
    id: &str,
    expect: Option<u64>,
    change: CampaignChange,
) -> Result<Versioned<Campaign>, ServiceError> {
    let before = get(context, organization, id).await?;
    let mut value = before.value.clone();
    if let Some(name) = &change.name {
        value.name = form::line("name", name, 100)?;
    }
    if let Some(description) = &change.description {
        value.description = form::optional_text("description", description.as_deref(), DESCRIPTION)?;
    }
    if let Some(url) = &change.terms_url {
        value.terms_url = web_address("terms_url", url.as_deref())?;
    }
    if let Some(url) = &change.site_url {
        value.site_url = web_address("site_url", url.as_deref())?;
    }
    if let Some(days) = change.cookie_window_days {
        value.cookie_window_days = window(days)?;
    }
    if let Some(commission) = change.commission {
        value.commission = commission::checked("commission", commission)?;
    }
    if let Some(tags) = &change.extra_tags {
        value.extra_tags = form::check_tags("extra_tags", tags, None)?;
    }
    value.auto_approve = change.auto_approve.unwrap_or(value.auto_approve);
    value.open = change.open.unwrap_or(value.open);
    value.attribution = change.attribution.unwrap_or(value.attribution);
    audit::save(context, "campaign.updated", expect, before, value).await
}

fn window(days: u32) -> Result<u32, ServiceError> {
    if matches!(days, 30 | 60 | 90) { Ok(days) } else { Err(ServiceError::invalid("cookie_window_days", "must be 30, 60 or 90")) }
}

/// An address that people are sent to: `https://` or `http://`, without user or fragment.
pub(crate) fn web_address(field: &str, text: Option<&str>) -> Result<Option<String>, ServiceError> {
    let Some(text) = form::optional_line(field, text, 1_000)? else { return Ok(None) };
    let wrong = || ServiceError::invalid(field, "must be an address that begins with https:// or http://");
    let url = url::Url::parse(&text).map_err(|_| wrong())?;
    let good = matches!(url.scheme(), "https" | "http") && url.host().is_some() && url.username().is_empty() && url.password().is_none();
    if good && url.fragment().is_none() { Ok(Some(url.into())) } else { Err(wrong()) }
}
