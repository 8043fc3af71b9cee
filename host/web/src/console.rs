//! The console: sign in with an API key, see the syncs.

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use crm_store::model::JobCounts;
use crm_sync::client::ClientAddr;
use crm_sync::quota::Standing;
use crm_sync::services::gate::Entry;
use crm_sync::services::records;
use crm_sync::services::syncs::{self, ShownState, SyncFilter};
use http::{HeaderMap, StatusCode, header};
use maud::{Markup, html};
use serde::Deserialize;

use crate::Site;
use crate::layout::{page, sorry, time};
use crate::session::{self, SignedIn};

const PER_PAGE: usize = 50;

pub(crate) const STATES: &[(&str, ShownState)] = &[
    ("pending", ShownState::Pending),
    ("running", ShownState::Running),
    ("waiting", ShownState::Waiting),
    ("retrying", ShownState::Retrying),
    ("succeeded", ShownState::Succeeded),
    ("failed", ShownState::Failed),
    ("cancelled", ShownState::Cancelled),
];

pub(crate) fn state_word(state: ShownState) -> &'static str {
    STATES.iter().find(|(_, s)| *s == state).map_or("", |(word, _)| word)
}

/// The key as typed: no `Debug`.
#[derive(Deserialize)]
pub(crate) struct SignIn {
    key: String,
}

fn sign_in_page(status: StatusCode, trouble: Option<&str>) -> Response {
    let body = html! {
        @if let Some(trouble) = trouble { p role="alert" { (trouble) } }
        form method="post" action="/console" {
            label { "API key " input type="password" name="key" autocomplete="off" required placeholder="rk_live_..."; }
            button { "Sign in" }
        }
        p.dim { "A key with the scope read is enough." }
    };
    (status, page("Sign in", body)).into_response()
}

pub(crate) async fn front() -> Response {
    sign_in_page(StatusCode::OK, None)
}

pub(crate) async fn sign_in(State(site): State<Site>, from: Option<Extension<ClientAddr>>, Form(form): Form<SignIn>) -> Response {
    let ctx = &site.state.ctx;
    let from = from.map_or(ClientAddr::UNKNOWN, |Extension(from)| from);
    match site.state.gate.enter(ctx, from, form.key.trim()).await {
        Ok(Entry::In(principal, _)) => {
            let id = site.sessions.open(principal, ctx.now());
            let cookie = session::set_cookie(&id, site.state.secure_cookies);
            ([(header::SET_COOKIE, cookie)], Redirect::to("/console/syncs")).into_response()
        }
        // The operator has no merchant's console.
        Ok(Entry::Unknown | Entry::Operator(..)) => {
            sign_in_page(StatusCode::UNAUTHORIZED, Some("This key is not known, or it was revoked."))
        }
        Ok(Entry::Spent(Standing { next_s: wait_s, .. }) | Entry::TooManyWrong { wait_s }) => {
            let words = format!("Too many attempts. Try again in {wait_s} s.");
            let mut response = sign_in_page(StatusCode::TOO_MANY_REQUESTS, Some(&words));
            response.headers_mut().insert(header::RETRY_AFTER, wait_s.into());
            response
        }
        Err(error) => sorry(&error),
    }
}

pub(crate) async fn sign_out(State(site): State<Site>, headers: HeaderMap) -> Response {
    if let Some(id) = session::cookie(&headers) {
        site.sessions.close(&id);
    }
    ([(header::SET_COOKIE, session::set_cookie("", site.state.secure_cookies))], Redirect::to("/console")).into_response()
}

#[derive(Deserialize)]
pub(crate) struct SyncsQuery {
    state: Option<String>,
    before: Option<String>,
}

pub(crate) async fn syncs(SignedIn { who, ctx }: SignedIn, Query(query): Query<SyncsQuery>) -> Response {
    let ctx = &ctx;
    let state = query.state.as_deref().and_then(|wanted| STATES.iter().find(|(word, _)| *word == wanted)).map(|(_, state)| *state);
    let before = query.before.as_deref().filter(|id| records::plausible(id));
    let filter = SyncFilter { state, ..SyncFilter::default() };
    let found = futures_util::future::try_join(
        syncs::list(ctx, &who.organization, &filter, before, PER_PAGE),
        syncs::counts(ctx, &who.organization, None),
    );
    let (list, counts) = match found.await {
        Ok(found) => found,
        Err(error) => return sorry(&error),
    };
    let body = html! {
        (summary(&counts))
        div.scroll { table {
            thead { tr { th { "Affiliate" } th { "State" } th { "Attempts" } th { "Changed" } } }
            tbody {
                @for job in &list.items {
                    @let word = state_word(ShownState::of(job.state));
                    tr {
                        td { a href={ "/console/syncs/" (job.new.id) } { (job.new.who.email) } }
                        td { span class={ "state " (word) } { (word) } }
                        td { (job.attempts) }
                        td { (time(job.updated)) }
                    }
                }
            }
        } }
        @if list.items.is_empty() { p { "No syncs here." } }
        @if let Some(next) = &list.next {
            p { a href={ "/console/syncs?before=" (next) @if let Some(s) = state { "&state=" (state_word(s)) } } { "Older" } }
        }
        form method="post" action="/console/sign-out" { button { "Sign out" } }
    };
    page("Syncs", body).into_response()
}

fn summary(counts: &JobCounts) -> Markup {
    let number = |state: ShownState| match state {
        ShownState::Pending => counts.pending,
        ShownState::Running => counts.running,
        ShownState::Waiting => counts.waiting,
        ShownState::Retrying => counts.retrying + counts.parked,
        ShownState::Succeeded => counts.succeeded,
        ShownState::Failed => counts.failed,
        ShownState::Cancelled => counts.cancelled,
    };
    html! {
        p {
            a href="/console/syncs" { "all" }
            @for (word, state) in STATES { " · " a href={ "/console/syncs?state=" (word) } { (word) " " (number(*state)) } }
        }
    }
}
