//! The directory, and one page per integration. Everything on them is the manifest's, so that a page cannot promise what
//! the host would refuse.

use std::collections::BTreeSet;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use crm_catalog::model::{Call, Effect, Limit, Manifest, Owner, Stage};
use crm_sync::services::connectors::{self, Connector, Readiness, Search};
use maud::{Markup, html};
use serde::Deserialize;

use crate::Site;
use crate::layout::{page, sorry};

/// What a visitor looks for. Anything else in the address is left alone: links to this page come from everywhere.
#[derive(Default, Deserialize)]
pub(crate) struct Looking {
    #[serde(default)]
    q: String,
    #[serde(default)]
    category: String,
}

pub(crate) async fn directory(State(site): State<Site>, looking: Result<Query<Looking>, QueryRejection>) -> Response {
    let Query(Looking { q, category }) = looking.unwrap_or_default();
    let all = connectors::list(&site.state.ctx);
    let search = Search { words: q.clone(), category: category.clone() };
    let found: Vec<&Connector> = all.iter().filter(|connector| search.finds(connector)).collect();
    let categories: BTreeSet<&str> = all.iter().map(|connector| connector.manifest.connector.category.as_str()).collect();
    let everything = found.len() == all.len();
    let title =
        if everything { format!("All {} integrations", all.len()) } else { format!("{} of {} integrations", found.len(), all.len()) };
    let body = html! {
        form.search role="search" method="get" action="/integrations" {
            label { "Search" input type="search" name="q" value=(q) placeholder="Name, or what it is for" maxlength="100"; }
            label { "Category"
                select name="category" {
                    option value="" { "All" }
                    @for name in &categories { option value=(name) selected[name.eq_ignore_ascii_case(category.trim())] { (name) } }
                }
            }
            button { "Show" }
            @if !everything { a href="/integrations" { "Show all" } }
        }
        @if found.is_empty() { p { "No integration is called that. Try a shorter word, or another category." } }
        ul.cards { @for connector in &found { (card(connector)) } }
    };
    page(&title, body).into_response()
}

fn card(connector: &Connector) -> Markup {
    let identity = &connector.manifest.connector;
    html! {
        li {
            h2 { a href={ "/integrations/" (identity.slug) } { (identity.name) } }
            p { (identity.pitch) }
            p.dim { (identity.category) " · " (status(connector)) }
        }
    }
}

fn status(connector: &Connector) -> Markup {
    match connector.readiness {
        Readiness::Live => html! { span.state.succeeded { "live" } },
        Readiness::NeedsOperator => html! { span.state.waiting { "not set up on this host yet" } },
    }
}

pub(crate) async fn one(State(site): State<Site>, Path(slug): Path<String>) -> Response {
    let connector = match connectors::one(&site.state.ctx, &slug) {
        Ok(connector) => connector,
        Err(error) => return sorry(&error),
    };
    let m: &Manifest = &connector.manifest;
    let body = html! {
        p { (m.connector.pitch) }
        p.dim {
            (m.connector.category) " · " (status(&connector)) " · version " (m.connector.version) " · "
            a href=(m.connector.docs) rel="noopener noreferrer" { "vendor's API" }
        }
        @if !connector.consent.is_empty() {
            p { a.button href={ "/console/connect/" (m.connector.slug) } { "Connect with " (m.connector.name) } }
            p.dim { "You say yes on " (m.connector.name) "'s own page; no password is typed here." }
        }
        ul.toc {
            @for (at, what) in [("syncs", "What syncs"), ("setup", "Setup"), ("troubles", "Troubleshooting"), ("disconnect", "Disconnect")] {
                li { a href={ "#" (at) } { (what) } }
            }
        }
        h2 #syncs { "What syncs" }
        (summary(m))
        p { "These are all the calls that the host will ever make for this integration. Anything else is refused." }
        @for (stages, when) in MOMENTS { (calls(m, stages, when)) }
        h2 #setup { "Setup" }
        h3 { "Where to find the key" }
        ol { @for step in &m.setup.key_location { li { (step) } } }
        (form(m))
        h2 #troubles { "Troubleshooting" }
        @if m.setup.troubleshooting.is_empty() { p { "Nothing is known to go wrong often." } }
        @for trouble in &m.setup.troubleshooting {
            div.box { h3 { (trouble.symptom) } p { (trouble.cause) } p { strong { "What to do: " } (trouble.fix) } }
        }
        @if !m.limits.is_empty() {
            h3 { "Limits that the host keeps for you" }
            ul { @for limit in &m.limits { li { (words(limit)) } } }
        }
        h2 #disconnect { "Disconnect" }
        p { (m.setup.disconnect) }
    };
    page(&m.connector.name, body).into_response()
}

/// When a merchant would notice a call.
const MOMENTS: [(&[Stage], &str); 5] = [
    (&[Stage::Sync], "When an affiliate is approved or changes"),
    (&[Stage::Untag], "When an affiliate leaves a campaign"),
    (&[Stage::Lookup], "When somebody asks whether the contact arrived"),
    (&[Stage::Prepare], "Before the first contact"),
    (&[Stage::Verify, Stage::Pick], "While you connect"),
];

/// The calls of one moment; a call of several is shown at each, since it is made at each.
fn calls(m: &Manifest, stages: &[Stage], when: &str) -> Markup {
    let made: Vec<&Call> = m.calls.iter().filter(|call| call.stages.iter().any(|stage| stages.contains(stage))).collect();
    html! {
        @if !made.is_empty() {
            h3 { (when) }
            ul.calls { @for call in made { li { (call.doc) (exactly(call)) } } }
        }
    }
}

fn exactly(call: &Call) -> Markup {
    html! {
        details {
            summary { "The exact call" }
            p { code { (call.method.as_str()) " " (call.path) } }
            p.dim {
                @match call.effect { Effect::Read => "Only reads.", Effect::Idempotent => "Safe to repeat.", Effect::Write => "Made once." }
                @if call.starts_automations { " Starts automations." }
            }
            @if !call.writes.is_empty() { p { "May write: " code { (call.writes.join(", ")) } } }
            @if !call.never.is_empty() { p { "Never writes: " code { (call.never.join(", ")) } } }
            @if !call.new_only.is_empty() { p { "Only for a new contact: " code { (call.new_only.join(", ")) } } }
        }
    }
}

/// What it comes to, before the calls.
fn summary(m: &Manifest) -> Markup {
    let uses = |field: &str| m.supports.person.iter().any(|used| used == field);
    let mut fields = vec!["e-mail"];
    if uses("first") || uses("last") || uses("full") {
        fields.push("name");
    }
    for (field, called) in [("company", "company"), ("consent", "what they consented to"), ("fields", "the fields that you map")] {
        if uses(field) {
            fields.push(called);
        }
    }
    html! {
        ul {
            li { "Of an affiliate: " (fields.join(", ")) "." }
            @if !m.tags.doc.is_empty() { li { (m.tags.doc) } }
            @if m.calls.iter().any(|call| !call.new_only.is_empty()) { li { "What could change a subscription is written for new contacts only." } }
            li { "Nobody who opted out is subscribed again, and nothing of yours is overwritten with a blank." }
            @if m.supports.untag { li { "Leaving a campaign takes our tags off; the contact and your own tags stay." } }
            @if m.supports.email_change { li { "A new e-mail address moves the contact instead of making a second one." } }
        }
    }
}

fn form(m: &Manifest) -> Markup {
    let asked = m.credentials.iter().any(|c| c.owner != Owner::Operator);
    html! {
        @if asked {
        div.scroll { table {
            thead { tr { th { "Field" } th { "Where it is" } th { "Kept" } } }
            tbody {
                @for field in m.credentials.iter().filter(|c| c.owner != Owner::Operator) {
                    tr {
                        td { (field.label) @if field.optional { span.dim { " (optional)" } } }
                        td { (field.help) }
                        td { @if field.secret { "sealed; never shown again" } @else { "as a setting" } }
                    }
                }
            }
        } }
        }
        @if !m.pickers.is_empty() {
            p { "Then pick: " (m.pickers.iter().map(|p| p.label.as_str()).collect::<Vec<_>>().join(", ")) "." }
        }
    }
}

fn words(limit: &Limit) -> String {
    let mut parts = Vec::new();
    if let (Some(amount), Some(seconds)) = (limit.requests, limit.per_s) {
        parts.push(format!("{amount} in {seconds} s"));
    }
    if let Some(most) = limit.concurrency {
        parts.push(format!("{most} at once"));
    }
    format!("{}: {}", limit.name, parts.join(", "))
}
