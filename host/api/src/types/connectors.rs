//! Connectors: the directory, the connect form, "What syncs", the setup page. All of it is the manifest's.

use std::collections::{BTreeMap, BTreeSet};

use crm_catalog::model::{Manifest, Owner};
use crm_sync::services::connectors::{Connector, Readiness};
use crm_sync::services::form;
use serde::Serialize;
use utoipa::ToSchema;

use super::word;

/// A card of the directory.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConnectorCard {
    slug: String,
    name: String,
    category: String,
    /// One line.
    pitch: String,
    status: ConnectorStatus,
    /// Version that new work runs.
    version: String,
    /// BLAKE3 of the component file.
    digest: String,
    /// The vendor's API documentation.
    docs: String,
}

/// Whether it can be connected.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ConnectorStatus {
    /// In at least one of its modes.
    Live,
    /// Not before the operator of this host has set the application's own client, or says where browsers reach the host.
    NeedsOperator,
}

/// Everything about one connector, from its manifest.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConnectorDetail {
    #[serde(flatten)]
    card: ConnectorCard,
    /// Authentication modes; empty when there is only one.
    modes: Vec<String>,
    /// Modes that are connected by the merchant's consent at the vendor, instead of (or besides) what the form asks for.
    consent: Vec<ConnectorConsent>,
    /// The connect form, in order.
    form: Vec<FormField>,
    settings: Vec<SettingField>,
    pickers: Vec<PickerField>,
    /// Every call the connector may make: nothing else can leave the host.
    what_syncs: Vec<SyncCall>,
    tags: TagRules,
    limits: Vec<RateLimit>,
    supports: Supported,
    setup: SetupPage,
    /// Where the vendor's documents and ours differ, and what was followed.
    differences: Vec<DifferenceNote>,
}

/// Connecting by OAuth: send the merchant's browser to the `authorize_url` that `start` answers.
#[derive(Debug, Serialize, ToSchema)]
struct ConnectorConsent {
    /// Empty when there is only one mode.
    mode: String,
    /// `GET` or, with values for the form, `POST`.
    start: String,
    /// What the application's registration at the vendor must name; null until the operator says where browsers reach this host.
    redirect_uri: Option<String>,
    /// Nothing is missing on the operator's side.
    ready: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct FormField {
    name: String,
    label: String,
    /// Where to find it.
    help: String,
    placeholder: String,
    secret: bool,
    required: bool,
    /// Regular expression of acceptable values.
    pattern: Option<String>,
    /// Only asked for in these modes; empty = all.
    modes: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct SettingField {
    name: String,
    label: String,
    help: String,
    /// `text`, `bool`, `choice` or `picker`.
    kind: String,
    default: Option<String>,
    choices: Vec<String>,
    /// Shown only when each named setting has this value.
    when: BTreeMap<String, String>,
    consent_text: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct PickerField {
    name: String,
    label: String,
    help: String,
    required: bool,
    depends_on: Option<String>,
    /// The id is typed by hand.
    typed: bool,
    /// Cannot change while connected.
    locked: bool,
    searchable: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct SyncCall {
    name: String,
    doc: String,
    source: String,
    method: String,
    /// Below the vendor's base address.
    path: String,
    /// `read`, `idempotent` or `write`.
    effect: String,
    /// When it is used: `verify`, `pick`, `prepare`, `sync`, `untag`, `lookup`.
    stages: Vec<String>,
    /// Fields that it may write.
    writes: Vec<String>,
    /// Fields that are only ever written for a new contact.
    new_only: Vec<String>,
    /// Fields that are never written, although a pattern of `writes` covers them.
    never: Vec<String>,
    starts_automations: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct TagRules {
    /// `name`, `id`, `list`, `options`, `boolean`, `string` or `none`.
    model: String,
    max_length: Option<u32>,
    forbidden: String,
    max_per_contact: Option<u32>,
    doc: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct RateLimit {
    name: String,
    /// What shares it: `connection`, `account`, `credential`, `app`, `host-ip`.
    scope: String,
    /// Requests, or cost units, per window.
    amount: Option<u64>,
    per_seconds: Option<u64>,
    concurrency: Option<u32>,
    /// `requests`, `cost` or `bad-requests`.
    counts: String,
    source: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct Supported {
    prepare: bool,
    untag: bool,
    lookup: bool,
    email_change: bool,
    /// Fields of an affiliate that are used besides the e-mail.
    person: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct SetupPage {
    /// Steps to the key, in order.
    key_location: Vec<String>,
    troubleshooting: Vec<TroubleNote>,
    /// What disconnecting does and does not do.
    disconnect: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct TroubleNote {
    symptom: String,
    cause: String,
    fix: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct DifferenceNote {
    brief: String,
    vendor: String,
    followed: String,
    source: String,
}

impl From<&Connector> for ConnectorCard {
    fn from(connector: &Connector) -> Self {
        let identity = connector.manifest.connector.clone();
        Self {
            slug: identity.slug,
            name: identity.name,
            category: identity.category,
            pitch: identity.pitch,
            status: match connector.readiness {
                Readiness::Live => ConnectorStatus::Live,
                Readiness::NeedsOperator => ConnectorStatus::NeedsOperator,
            },
            version: identity.version,
            digest: connector.digest.0.clone(),
            docs: identity.docs,
        }
    }
}

impl From<&Connector> for ConnectorDetail {
    fn from(connector: &Connector) -> Self {
        let m: &Manifest = &connector.manifest;
        Self {
            card: connector.into(),
            modes: form::modes(m).into_iter().filter(|mode| !mode.is_empty()).map(str::to_owned).collect(),
            consent: connector
                .consent
                .iter()
                .map(|c| ConnectorConsent {
                    mode: c.mode.clone(),
                    start: format!("/v1/oauth/{}/start", m.connector.slug),
                    redirect_uri: c.redirect_uri.clone(),
                    ready: c.ready,
                })
                .collect(),
            form: form_fields(m, &connector.offered),
            settings: settings(m),
            pickers: pickers(m),
            what_syncs: calls(m),
            tags: TagRules {
                model: word(&m.tags.model),
                max_length: m.tags.max_len,
                forbidden: m.tags.forbid.clone(),
                max_per_contact: m.tags.max_per_contact,
                doc: m.tags.doc.clone(),
            },
            limits: limits(m),
            supports: Supported {
                prepare: m.supports.prepare,
                untag: m.supports.untag,
                lookup: m.supports.lookup,
                email_change: m.supports.email_change,
                person: m.supports.person.clone(),
            },
            setup: setup(m),
            differences: m
                .differences
                .iter()
                .cloned()
                .map(|d| DifferenceNote { brief: d.brief, vendor: d.vendor, followed: d.followed, source: d.source })
                .collect(),
        }
    }
}

fn form_fields(m: &Manifest, offered: &BTreeSet<String>) -> Vec<FormField> {
    let asked = m.credentials.iter().filter(|c| c.owner != Owner::Operator).cloned();
    asked
        .map(|c| FormField {
            required: !c.optional && !offered.contains(&c.name),
            name: c.name,
            label: c.label,
            help: c.help,
            placeholder: c.placeholder,
            secret: c.secret,
            pattern: c.pattern,
            modes: c.modes,
        })
        .collect()
}

fn settings(m: &Manifest) -> Vec<SettingField> {
    m.settings
        .iter()
        .cloned()
        .map(|s| SettingField {
            kind: word(&s.kind),
            name: s.name,
            label: s.label,
            help: s.help,
            default: s.default,
            choices: s.choices,
            when: s.when,
            consent_text: s.consent_text,
        })
        .collect()
}

fn pickers(m: &Manifest) -> Vec<PickerField> {
    m.pickers
        .iter()
        .cloned()
        .map(|p| PickerField {
            name: p.name,
            label: p.label,
            help: p.help,
            required: p.required,
            depends_on: p.depends_on,
            typed: p.typed,
            locked: p.locked,
            searchable: p.searchable,
        })
        .collect()
}

fn calls(m: &Manifest) -> Vec<SyncCall> {
    m.calls
        .iter()
        .cloned()
        .map(|c| SyncCall {
            name: c.name,
            doc: c.doc,
            source: c.source,
            method: c.method.as_str().to_owned(),
            path: c.path,
            effect: word(&c.effect),
            stages: c.stages.iter().map(word).collect(),
            writes: c.writes,
            new_only: c.new_only,
            never: c.never,
            starts_automations: c.starts_automations,
        })
        .collect()
}

fn limits(m: &Manifest) -> Vec<RateLimit> {
    m.limits
        .iter()
        .cloned()
        .map(|l| RateLimit {
            scope: word(&l.scope),
            counts: word(&l.counts),
            name: l.name,
            amount: l.requests,
            per_seconds: l.per_s,
            concurrency: l.concurrency,
            source: l.source,
        })
        .collect()
}

fn setup(m: &Manifest) -> SetupPage {
    let notes = m.setup.troubleshooting.iter().cloned();
    SetupPage {
        key_location: m.setup.key_location.clone(),
        troubleshooting: notes.map(|t| TroubleNote { symptom: t.symptom, cause: t.cause, fix: t.fix }).collect(),
        disconnect: m.setup.disconnect.clone(),
    }
}
