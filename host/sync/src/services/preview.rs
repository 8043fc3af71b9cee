//! The exact requests that a sync would send, with secrets as labelled slots; nothing is sent. The vendor's answers are
//! the samples of the manifest, so branches that depend on the account's data show their usual course.

use crm_catalog::model::{Effect, Stage};
use crm_contract::ports::{Mode, ShownRequest};
use crm_contract::types::{Answer, Binding, Ending, Invocation, Job, Known, Person};

use super::connections::{usable, wrong_answer};
use super::{ServiceError, affiliates, approval, campaigns, email, form};
use crate::context::Context;
use crate::domain::{SYSTEM_TAG, normalise_email, wanted_tags};
use crate::fit::fit;
use crate::loose::{self, LooseRun};

/// For whom to preview.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// An affiliate; the campaign is theirs.
    Affiliate(String),
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
    pub requests: Vec<PreviewRequest>,
    /// How the sync would end if the vendor answers as the samples do.
    pub ending: Ending,
    pub log: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviewTag {
    pub name: String,
    /// `system`, `connection` or `campaign`.
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
    let (connection, digest, manifest) = usable(context, organization, connection).await?;
    let connection = connection.value;
    let (who, campaign) = match subject {
        Subject::Affiliate(id) => {
            let affiliate = affiliates::get(context, organization, &id).await?.value;
            (approval::person(&affiliate), Some(affiliate.campaign))
        }
        Subject::Person { campaign, email, first, last, company } => {
            let who = Person {
                email: email::checked("person.email", &email)?,
                first: form::optional_line("person.first", first.as_deref(), 200)?,
                last: form::optional_line("person.last", last.as_deref(), 200)?,
                company: form::optional_line("person.company", company.as_deref(), 200)?,
                approved_at: context.now() / 1_000,
                ..Person::default()
            };
            (who, campaign)
        }
    };
    let extras = match &campaign {
        Some(id) => campaigns::get(context, organization, id).await?.value.extra_tags,
        None => Vec::new(),
    };
    let wanted = wanted_tags(&connection.default_tags, &extras);
    let known = context.store.contact(&connection.id, &normalise_email(&who.email)).await?.map_or_else(Known::default, |c| c.known);
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
    let from = |tag: &String| {
        let same = |other: &String| other.to_lowercase() == tag.to_lowercase();
        if same(&SYSTEM_TAG.to_owned()) {
            "system"
        } else if connection.default_tags.iter().any(same) {
            "connection"
        } else {
            "campaign"
        }
    };
    Ok(Preview {
        connector: connection.connector.clone(),
        version: manifest.connector.version.clone(),
        digest: digest.0,
        tags: wanted.iter().map(|tag| PreviewTag { name: tag.clone(), from: from(tag) }).collect(),
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
