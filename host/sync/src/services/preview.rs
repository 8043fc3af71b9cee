//! The exact requests that a sync would send, with secrets as labelled slots; nothing is sent. The vendor's answers are
//! the samples of the manifest, so branches that depend on the account's data show their usual course.

use crm_catalog::model::{Effect, Stage};
use crm_contract::ports::{Mode, ShownRequest};
use crm_contract::types::{Answer, Binding, Change, Ending, Invocation, Job, Known, Person, Standing, Success, Value};
use crm_store::model::contact_lane;

use super::affiliates::NewAffiliate;
use super::connections::{usable, wrong_answer};
use super::desk::Desk;
use super::{ServiceError, Versioned, affiliates, campaigns, membership, overrides};
use crate::context::Context;
use crate::domain::{
    AffiliateStatus, Connection, FieldMapping, FieldSource, Override, SYSTEM_TAG, Source, holds_tag, normalise_email, wanted_tags,
};
use crate::fit::fit;
use crate::loose::{self, LooseRun};

/// For whom to preview.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// An affiliate in one of their campaigns; none = the only one they are in.
    Affiliate { id: String, campaign: Option<String> },
    /// Anyone, in this campaign or in none.
    Person { campaign: Option<String>, email: String, first: Option<String>, last: Option<String>, company: Option<String> },
}

/// What would happen.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    pub connector: String,
    pub version: String,
    pub digest: String,
    pub tags: Vec<PreviewTag>,
    /// Where it would go, and who said so.
    pub destination: Vec<PreviewValue>,
    /// What goes into the vendor's fields, and who said so.
    pub fields: Vec<PreviewValue>,
    /// The campaign sends nothing to this connection: no request would be made.
    pub off: bool,
    pub requests: Vec<PreviewRequest>,
    /// How the sync would end if the vendor answers as the samples do.
    pub ending: Ending,
    pub log: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviewTag {
    pub name: String,
    /// `system`, `connection`, `campaign` or `override`.
    pub from: &'static str,
}

/// One value and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviewValue {
    /// The picker, or the vendor's field.
    pub name: String,
    pub value: String,
    /// What of the affiliate it is, for fields.
    pub source: Option<FieldSource>,
    /// `connection` or `override`.
    pub from: &'static str,
}

#[derive(Clone, Debug, PartialEq)]
pub struct PreviewRequest {
    pub call: String,
    /// What the call does, in the manifest's words.
    pub doc: String,
    pub effect: Effect,
    pub request: ShownRequest,
}

/// Runs the connector against its samples.
pub async fn run(context: &Context, organization: &str, connection: &str, subject: Subject) -> Result<Preview, ServiceError> {
    let (Versioned { value: base, .. }, digest, manifest) = usable(context, organization, connection).await?;
    let desk = Desk::open(context, organization).await?;
    let (affiliate, campaign) = match subject {
        Subject::Affiliate { id, campaign } => {
            let affiliate = affiliates::get(context, organization, &id).await?.value;
            let campaign = match (campaign, affiliate.campaigns.as_slice()) {
                (Some(campaign), _) => campaigns::get(context, organization, &campaign).await?.value.id,
                (None, [only]) => only.campaign.clone(),
                (None, _) => return Err(ServiceError::invalid("campaign", "this affiliate is in several campaigns: name one")),
            };
            if affiliate.membership(&campaign).is_none() {
                return Err(ServiceError::invalid("campaign", "this affiliate is not in that campaign"));
            }
            (affiliate, Some(campaign))
        }
        Subject::Person { campaign, email, first, last, company } => {
            if let Some(id) = &campaign {
                campaigns::get(context, organization, id).await?;
            }
            let new = NewAffiliate { email, first, last, company, ..NewAffiliate::default() };
            let checked = affiliates::checked(organization, context.now(), new, Source::Api);
            let mut affiliate = checked.map_err(|error| error.within("person"))?;
            let into = campaign.clone().unwrap_or_default();
            membership::join(&mut affiliate, &into, AffiliateStatus::Approved, context.now())?;
            (affiliate, campaign)
        }
    };
    let campaign = campaign.unwrap_or_default();
    let over = desk.over(&campaign, &base.id).cloned();
    let connection = over.as_ref().map_or_else(|| base.clone(), |over| overrides::applied(&base, over));
    let tags = tags_of(&desk, &base, &campaign, over.as_ref());
    let wanted: Vec<String> = tags.iter().map(|tag| tag.name.clone()).collect();
    let who = desk.who(&affiliate, &campaign, &base);
    let fields = fields_of(&who, &desk.mapping(&campaign, &base));
    let destination = connection.picked.iter().map(|pick| PreviewValue {
        name: pick.key.clone(),
        value: pick.value.clone(),
        source: None,
        from: if base.picked.contains(pick) { "connection" } else { "override" },
    });
    let destination: Vec<PreviewValue> = destination.collect();
    if over.as_ref().is_some_and(|over| over.off) {
        let ending = Ending::Done(Success { change: Change::Unchanged, standing: Standing::Unknown, warnings: Vec::new() });
        let (connector, version) = (base.connector, manifest.connector.version.clone());
        let (requests, log) = (Vec::new(), Vec::new());
        return Ok(Preview {
            connector,
            version,
            digest: digest.0,
            tags: Vec::new(),
            destination,
            fields,
            off: true,
            requests,
            ending,
            log,
        });
    }
    let known = context
        .store
        .contact(&contact_lane(&base.id, &overrides::scope_of(&connection)), &normalise_email(&who.email))
        .await?
        .map_or_else(Known::default, |c| c.known);
    let fitted = fit(&manifest, &wanted, &wanted);
    let mut on = connection.for_guest();
    if manifest.supports.prepare {
        let bound = |name: &String| on.tags.iter().any(|tag| &tag.name == name);
        // A tag that no sync has looked up yet has no id to show.
        let unbound: Vec<_> = fitted.set.iter().filter(|name| !bound(name)).cloned().collect();
        on.tags.extend(unbound.into_iter().map(|name| Binding { wire: name.clone(), id: Some(format!("(id of {name})")), name }));
    }
    let job = Job { on, who, known, set: fitted.set, clear: Vec::new(), all: fitted.all, resume: None };
    let end = loose::run(
        context,
        LooseRun {
            digest: digest.clone(),
            manifest: manifest.clone(),
            organization: organization.to_owned(),
            connection: connection.id.clone(),
            account: connection.account.id.clone(),
            choice: connection.choice(&manifest),
            stage: Stage::Sync,
            mode: Mode::Preview,
            credentials: context.credentials(&connection, &manifest),
            invocation: Invocation::SyncContact { job },
        },
    )
    .await?;
    let Answer::Report(report) = end.answer else { return Err(wrong_answer()) };
    Ok(Preview {
        connector: connection.connector.clone(),
        version: manifest.connector.version.clone(),
        digest: digest.0,
        tags,
        destination,
        fields,
        off: false,
        requests: end
            .steps
            .into_iter()
            .map(|step| PreviewRequest {
                doc: manifest.call(step.key.call.split('@').next().unwrap_or_default()).map(|c| c.doc.clone()).unwrap_or_default(),
                call: step.key.call,
                effect: step.effect,
                request: step.request,
            })
            .collect(),
        ending: report.ending,
        log: end.log,
    })
}

/// The tags of a sync, with who gives each.
fn tags_of(desk: &Desk<'_>, connection: &Connection, campaign: &str, over: Option<&Override>) -> Vec<PreviewTag> {
    let campaigns = desk.campaign(campaign).map(|c| c.extra_tags.as_slice()).unwrap_or_default();
    let overs = over.map(|o| o.extra_tags.as_slice()).unwrap_or_default();
    let extras: Vec<String> = campaigns.iter().chain(overs).cloned().collect();
    let from = |tag: &str| match () {
        () if tag.to_lowercase() == SYSTEM_TAG.to_lowercase() => "system",
        () if holds_tag(&connection.default_tags, tag) => "connection",
        () if holds_tag(campaigns, tag) => "campaign",
        () => "override",
    };
    wanted_tags(&connection.default_tags, &extras).into_iter().map(|name| PreviewTag { from: from(&name), name }).collect()
}

fn fields_of(who: &Person, mapping: &[(FieldMapping, bool)]) -> Vec<PreviewValue> {
    let shown = |value: &Value| match value {
        Value::Text(text) | Value::Number(text) | Value::Date(text) => text.clone(),
        Value::Truth(truth) => truth.to_string(),
        Value::Many(many) => many.join(", "),
    };
    let of = |field: &crm_contract::types::Field| mapping.iter().find(|(m, _)| m.target == field.key);
    let values = who.fields.iter().map(|field| PreviewValue {
        name: field.key.clone(),
        value: shown(&field.value),
        source: of(field).map(|(m, _)| m.source),
        from: if of(field).is_some_and(|(_, theirs)| *theirs) { "override" } else { "connection" },
    });
    values.collect()
}
