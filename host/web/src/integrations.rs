//! The directory, and one page per integration. Everything on them is the manifest's, so that a page cannot promise what
//! the host would refuse.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use crm_catalog::model::{Effect, Limit, Manifest, Owner};
use crm_sync::services::connectors;
use maud::{Markup, html};

use crate::Site;
use crate::layout::{page, sorry};

pub(crate) async fn directory(State(site): State<Site>) -> Response {
    let all = connectors::list(&site.state.ctx);
    let title = format!("All {} integrations", all.len());
    let body = html! {
        ul.cards {
            @for connector in &all {
                @let identity = &connector.manifest.connector;
                li {
                    h2 { a href={ "/integrations/" (identity.slug) } { (identity.name) } }
                    p { (identity.pitch) }
                    p.dim { (identity.category) }
                }
            }
        }
    };
    page(&title, body).into_response()
}

pub(crate) async fn one(State(site): State<Site>, Path(slug): Path<String>) -> Response {
    let connector = match connectors::one(&site.state.ctx, &slug) {
        Ok(connector) => connector,
        Err(error) => return sorry(&error),
    };
    let m: &Manifest = &connector.manifest;
    let body = html! {
        p { (m.connector.pitch) }
        p.dim { (m.connector.category) " · version " (m.connector.version) " · " a href=(m.connector.docs) rel="noopener noreferrer" { "vendor's API" } }
        h2 { "Connect" }
        @if !connector.consent.is_empty() {
            p { a.button href={ "/console/connect/" (m.connector.slug) } { "Connect with " (m.connector.name) } }
            p.dim { "You say yes on " (m.connector.name) "'s own page; no password is typed here." }
        }
        (form(m))
        h2 { "Where to find the key" }
        ol { @for step in &m.setup.key_location { li { (step) } } }
        h2 { "What syncs" }
        p { "These are all the calls that the host will ever make for this integration. Anything else is refused." }
        (calls(m))
        @if !m.tags.doc.is_empty() { p { (m.tags.doc) } }
        h2 { "Troubleshooting" }
        @if m.setup.troubleshooting.is_empty() { p { "Nothing is known to go wrong often." } }
        @for trouble in &m.setup.troubleshooting {
            div.box { h3 { (trouble.symptom) } p { (trouble.cause) } p { strong { "What to do: " } (trouble.fix) } }
        }
        h2 { "Limits" }
        ul { @for limit in &m.limits { li { (words(limit)) } } }
        h2 { "Disconnect" }
        p { (m.setup.disconnect) }
    };
    page(&m.connector.name, body).into_response()
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

fn calls(m: &Manifest) -> Markup {
    html! {
        @for call in &m.calls {
            div.box {
                p { (call.doc) }
                p { code { (call.method.as_str()) " " (call.path) } }
                p.dim {
                    @match call.effect { Effect::Read => "Only reads.", Effect::Idempotent => "Safe to repeat.", Effect::Write => "Made once." }
                    @if call.starts_automations { " Starts automations." }
                }
                @if !call.writes.is_empty() { p { "May write: " (call.writes.join(", ")) } }
                @if !call.never.is_empty() { p { "Never writes: " (call.never.join(", ")) } }
                @if !call.new_only.is_empty() { p { "Only for a new contact: " (call.new_only.join(", ")) } }
            }
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
