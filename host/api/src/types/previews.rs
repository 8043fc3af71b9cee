//! Previews: what a sync would send.

use crm_contract::types::Ending;
use crm_sync::services::preview::{Preview as Run, PreviewValue as Value, Subject};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::fields::FieldSource;
use super::steps::ShownHttpRequest;
use super::syncs::{Reason, Warning};
use super::word;
use crate::problem::Problem;

/// Of whom to show the requests: `affiliate` (with a `campaign` where they are in several), or `person` with or without a `campaign`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewOrder {
    /// Connection id.
    pub(crate) connection: String,
    /// Affiliate id.
    #[serde(default)]
    affiliate: Option<String>,
    /// Campaign id.
    #[serde(default)]
    campaign: Option<String>,
    #[serde(default)]
    person: Option<PreviewPerson>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PreviewPerson {
    email: String,
    #[serde(default)]
    first: Option<String>,
    #[serde(default)]
    last: Option<String>,
    #[serde(default)]
    company: Option<String>,
}

impl PreviewOrder {
    pub(crate) fn subject(&mut self) -> Result<Subject, Problem> {
        match (self.affiliate.take(), self.person.take()) {
            (Some(id), None) => Ok(Subject::Affiliate { id, campaign: self.campaign.take() }),
            (None, Some(p)) => {
                Ok(Subject::Person { campaign: self.campaign.take(), email: p.email, first: p.first, last: p.last, company: p.company })
            }
            _ => Err(Problem::invalid("affiliate", "name either an affiliate or a person")),
        }
    }
}

/// The exact requests of a sync. Nothing was sent; the vendor's answers are the connector's samples.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Preview {
    connector: String,
    version: String,
    digest: String,
    tags: Vec<PreviewTag>,
    /// Where it goes, picker by picker.
    destination: Vec<PreviewValue>,
    /// What goes into the vendor's fields.
    fields: Vec<PreviewValue>,
    /// The campaign sends nothing to this connection: there are no requests.
    off: bool,
    requests: Vec<PreviewRequest>,
    /// How the sync would end if the vendor answers as the samples do: `done`, `later` or `failed`.
    ending: String,
    standing: Option<String>,
    warnings: Vec<Warning>,
    reason: Option<Reason>,
    log: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct PreviewTag {
    name: String,
    /// Where it comes from: `system`, `connection`, `campaign` or `override` (the campaign's on this connection).
    from: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct PreviewValue {
    /// The picker, or the vendor's field.
    name: String,
    value: String,
    /// What of the affiliate it is; null for destinations.
    source: Option<FieldSource>,
    /// Where it comes from: `connection` or `override` (the campaign's on this connection).
    from: String,
}

impl From<Value> for PreviewValue {
    fn from(value: Value) -> Self {
        Self { name: value.name, value: value.value, source: value.source.map(Into::into), from: value.from.to_owned() }
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct PreviewRequest {
    call: String,
    /// What the call does.
    doc: String,
    /// `read`, `idempotent` or `write`.
    effect: String,
    request: ShownHttpRequest,
}

impl From<Run> for Preview {
    fn from(run: Run) -> Self {
        let (ending, standing, warnings, reason) = match &run.ending {
            Ending::Done(success) => ("done", Some(word(&success.standing)), success.warnings.iter().map(Into::into).collect(), None),
            Ending::Later(_) => ("later", None, Vec::new(), None),
            Ending::Failed(error) => ("failed", None, Vec::new(), Some(error.into())),
        };
        Self {
            connector: run.connector,
            version: run.version,
            digest: run.digest,
            tags: run.tags.into_iter().map(|t| PreviewTag { name: t.name, from: t.from.to_owned() }).collect(),
            destination: run.destination.into_iter().map(Into::into).collect(),
            fields: run.fields.into_iter().map(Into::into).collect(),
            off: run.off,
            requests: run
                .requests
                .into_iter()
                .map(|r| PreviewRequest { call: r.call, doc: r.doc, effect: word(&r.effect), request: (&r.request).into() })
                .collect(),
            ending: ending.to_owned(),
            standing,
            warnings,
            reason,
            log: run.log,
        }
    }
}
