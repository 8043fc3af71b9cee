//! The pages below `/_twin`, by which tests and the demo look at a twin and steer it from another process. They are not
//! the vendor's, need no credentials and count against no limit.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::core::{Core, Vendor};
use crate::faults::Script;
use crate::window::Allowance;

/// Most rows of one page of contacts or log entries.
const PAGE: usize = 10_000;

pub(crate) fn router<V: Vendor>(core: Arc<Core<V>>) -> Router {
    Router::new()
        .route("/_twin/state", get(state::<V>))
        .route("/_twin/contacts", get(contacts::<V>))
        .route("/_twin/log", get(log::<V>))
        .route("/_twin/verdict", get(verdict::<V>))
        .route("/_twin/mark", post(mark::<V>))
        .route("/_twin/faults", post(faults::<V>))
        .route("/_twin/limit", post(limit::<V>))
        .route("/_twin/tags", post(tags::<V>))
        .route("/_twin/seed", post(seed::<V>))
        .route("/_twin/opt-out", post(opt_out::<V>))
        .route("/_twin/remove", post(remove::<V>))
        .route("/_twin/record", post(record::<V>))
        .route("/_twin/requests", get(requests::<V>))
        .route("/_twin/reset", post(reset::<V>))
        .with_state(core)
}

type Twin<V> = State<Arc<Core<V>>>;

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Marked {
    mark: Option<String>,
}

#[derive(Deserialize)]
struct Person {
    email: String,
}

#[derive(Deserialize)]
struct Paging {
    #[serde(default)]
    since: u64,
    #[serde(default)]
    offset: usize,
    limit: Option<usize>,
}

impl Paging {
    fn limit(&self) -> usize {
        self.limit.unwrap_or(PAGE).min(PAGE)
    }
}

#[derive(Deserialize)]
struct Tags {
    names: Vec<String>,
}

async fn state<V: Vendor>(State(core): Twin<V>) -> Json<Value> {
    Json(core.state())
}

async fn contacts<V: Vendor>(State(core): Twin<V>, Query(from): Query<Paging>) -> Json<Value> {
    Json(json!({ "contacts": core.vendor.contacts(from.offset, from.limit()) }))
}

async fn log<V: Vendor>(State(core): Twin<V>, Query(from): Query<Paging>) -> Json<Value> {
    let entries = core.log(from.since, from.limit());
    let next = from.since + entries.len() as u64;
    Json(json!({ "entries": entries, "next": next }))
}

async fn verdict<V: Vendor>(State(core): Twin<V>, Query(marked): Query<Marked>) -> Json<Value> {
    Json(json!(core.verdict(marked.mark.as_deref())))
}

async fn mark<V: Vendor>(State(core): Twin<V>, Query(named): Query<Named>) -> Json<Value> {
    Json(json!({ "name": named.name, "at": core.mark(&named.name) }))
}

async fn faults<V: Vendor>(State(core): Twin<V>, Json(script): Json<Script>) -> StatusCode {
    core.set_faults(script);
    StatusCode::NO_CONTENT
}

/// `null` lifts the limit.
async fn limit<V: Vendor>(State(core): Twin<V>, Json(allowance): Json<Option<Allowance>>) -> StatusCode {
    core.set_allowance(allowance);
    StatusCode::NO_CONTENT
}

async fn tags<V: Vendor>(State(core): Twin<V>, Json(tags): Json<Tags>) -> StatusCode {
    core.vendor.add_tags(&tags.names);
    StatusCode::NO_CONTENT
}

async fn seed<V: Vendor>(State(core): Twin<V>, Json(emails): Json<Vec<String>>) -> StatusCode {
    for email in emails {
        core.vendor.seed(&email);
    }
    StatusCode::NO_CONTENT
}

async fn opt_out<V: Vendor>(State(core): Twin<V>, Query(person): Query<Person>) -> StatusCode {
    found(core.vendor.opt_out(&person.email))
}

async fn remove<V: Vendor>(State(core): Twin<V>, Query(person): Query<Person>) -> StatusCode {
    found(core.vendor.remove(&person.email))
}

async fn record<V: Vendor>(State(core): Twin<V>, Json(on): Json<bool>) -> StatusCode {
    core.record(on);
    StatusCode::NO_CONTENT
}

async fn requests<V: Vendor>(State(core): Twin<V>) -> Json<Value> {
    Json(json!({ "requests": core.recorded() }))
}

async fn reset<V: Vendor>(State(core): Twin<V>) -> StatusCode {
    core.reset();
    StatusCode::NO_CONTENT
}

fn found(found: bool) -> StatusCode {
    if found { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}
