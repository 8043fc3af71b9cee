//! Connecting by the vendor's consent page: the page with the button, the way there, and what is said at the return.

use std::collections::{BTreeMap, BTreeSet};

use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use crm_catalog::model::{AuthKind, Credential, Manifest, Setting, SettingKind};
use crm_sync::context::Context;
use crm_sync::domain::{Connection, ConnectionState, KeyScope};
use crm_sync::services::authorization::{self, Start, Started, Wanted};
use crm_sync::services::connections::{self, NewConnection};
use crm_sync::services::connectors::{self, Connector};
use crm_sync::services::{ServiceError, Versioned, form};
use http::{HeaderValue, StatusCode, header};
use maud::{Markup, html};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::Site;
use crate::layout::{message, page, policy, sorry};
use crate::session::SignedIn;

const BACK: &str = "/console/connections";
const PER_PAGE: usize = 100;

/// What is said for each code of a return that led to nothing.
const WORDS: &[(&str, &str)] = &[
    ("oauth_state_unknown", "This return from the vendor came too late, or twice. Start again."),
    ("oauth_other_browser", "Another browser set out than the one that came back. Start again, and stay in one browser."),
    ("oauth_denied", "The vendor's page was left without a yes. Nothing was connected."),
    ("oauth_refused", "The vendor did not show its consent page, or sent you back without an answer."),
    (
        "other_account",
        "You said yes for another account than the one that was connected. Disconnect that one first, or sign in to it at the vendor.",
    ),
    ("credentials_refused", "The vendor took the consent back at once. Check the application's id and secret, and its permissions."),
    ("disconnected", "This connection was disconnected meanwhile. Connect anew."),
    ("vendor_unavailable", "The vendor did not answer. Try again in a few minutes."),
    ("vendor_rate_limited", "The vendor wants a pause. Try again in a few minutes."),
];

fn words(code: &str) -> &'static str {
    WORDS.iter().find(|(known, _)| *known == code).map_or("It did not work. Try again; if it stays, ask for help.", |(_, words)| *words)
}

/// The page with the button.
pub(crate) async fn form(_: SignedIn, State(site): State<Site>, Path(slug): Path<String>) -> Response {
    match connectors::one(&site.state.ctx, &slug) {
        Ok(connector) => connect_page(&connector, StatusCode::OK, None),
        Err(error) => sorry(&error),
    }
}

fn connect_page(connector: &Connector, status: StatusCode, trouble: Option<&str>) -> Response {
    let m: &Manifest = &connector.manifest;
    let name = &m.connector.name;
    let Some(consent) = connector.consent.first() else {
        return message(StatusCode::NOT_FOUND, "This integration is connected with a key: POST /v1/connections.");
    };
    let body = html! {
        @if let Some(trouble) = trouble { p role="alert" { (trouble) } }
        @if !consent.ready { p role="alert" { "The operator of this host has not set this integration up yet." } }
        form method="post" action={ "/console/connect/" (m.connector.slug) } {
            label { "Name " input name="name" maxlength="100" placeholder=(name); }
            @for field in form::asked(m, &consent.mode) { (credential(field, connector)) }
            @for setting in &m.settings { (setting_field(setting)) }
            button disabled[!consent.ready] { "Connect with " (name) }
        }
        p.dim { "You say yes on " (name) "'s own page; no password is typed here." }
        @if let Some(uri) = &consent.redirect_uri {
            p.dim { "An application of your own must allow this redirect address: " code { (uri) } }
        }
    };
    let response = (status, page(&format!("Connect {name}"), body)).into_response();
    leading_to(response, &origin(m, &consent.mode).into_iter().collect())
}

fn credential(field: &Credential, connector: &Connector) -> Markup {
    let optional = field.optional || connector.offered.contains(&field.name);
    let kind = if field.secret { "password" } else { "text" };
    html! {
        label {
            (field.label) @if optional { span.dim { " (optional)" } } " "
            input type=(kind) name={ "credential." (field.name) } autocomplete="off" required[!optional] placeholder=(field.placeholder);
        }
        p.dim { (field.help) }
    }
}

fn setting_field(setting: &Setting) -> Markup {
    let name = format!("setting.{}", setting.name);
    let default = setting.default.as_deref().unwrap_or_default();
    html! {
        @match setting.kind {
            SettingKind::Choice => label { (setting.label) " " select name=(name) {
                @for choice in &setting.choices { option value=(choice) selected[choice == default] { (choice) } }
            } },
            SettingKind::Bool => label { (setting.label) " " select name=(name) {
                @for choice in ["true", "false"] { option value=(choice) selected[choice == default] { @if choice == "true" { "yes" } @else { "no" } } }
            } },
            SettingKind::Text => label { (setting.label) " " input name=(name) value=(default); },
            // Picked once the account is connected.
            SettingKind::Picker => {}
        }
    }
}

/// Where this mode's consent page is.
fn origin(manifest: &Manifest, mode: &str) -> Option<String> {
    match &authorization::by_code(manifest, mode)?.kind {
        AuthKind::Oauth2(oauth) => Some(oauth.authorize_url.as_deref()?.split('/').take(3).collect::<Vec<_>>().join("/")),
        _ => None,
    }
}

/// Browsers follow a form's redirect only to where the page says that its forms lead.
fn leading_to(mut response: Response, origins: &BTreeSet<String>) -> Response {
    if let Ok(policy) = HeaderValue::from_str(&policy(origins)) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// The button: off to the vendor, with a cookie by which this browser is known again.
pub(crate) async fn begin(
    SignedIn { who, ctx }: SignedIn,
    State(site): State<Site>,
    Path(slug): Path<String>,
    Form(typed): Form<BTreeMap<String, String>>,
) -> Response {
    if who.scope != KeyScope::ReadWrite {
        return message(StatusCode::FORBIDDEN, "Sign in with a key of the scope read_write to connect.");
    }
    let connector = match connectors::one(&ctx, &slug) {
        Ok(connector) => connector,
        Err(error) => return sorry(&error),
    };
    let mut new = NewConnection {
        connector: slug.clone(),
        name: None,
        mode: connector.consent.first().map(|c| c.mode.clone()),
        credentials: BTreeMap::new(),
        settings: BTreeMap::new(),
        default_tags: Vec::new(),
    };
    for (name, value) in typed {
        if let Some(slot) = name.strip_prefix("credential.") {
            new.credentials.insert(slot.to_owned(), Zeroizing::new(value));
        } else if let Some(setting) = name.strip_prefix("setting.") {
            new.settings.insert(setting.to_owned(), value);
        } else if name == "name" {
            new.name = Some(value);
        }
    }
    match set_out(&site, &ctx, &who.organization, slug, Wanted::New(new)).await {
        Ok(response) => response,
        Err(error @ (ServiceError::Invalid(_) | ServiceError::Conflict { .. } | ServiceError::Vendor { .. })) => {
            connect_page(&connector, StatusCode::BAD_REQUEST, Some(&error.to_string()))
        }
        Err(error) => sorry(&error),
    }
}

/// The same button for a connection that exists.
pub(crate) async fn again(SignedIn { who, ctx }: SignedIn, State(site): State<Site>, Path(id): Path<String>) -> Response {
    if who.scope != KeyScope::ReadWrite {
        return message(StatusCode::FORBIDDEN, "Sign in with a key of the scope read_write to connect.");
    }
    let connector = match connections::get(&ctx, &who.organization, &id).await {
        Ok(found) => found.value.connector,
        Err(error) => return sorry(&error),
    };
    match set_out(&site, &ctx, &who.organization, connector, Wanted::Again { connection: id, credentials: None }).await {
        Ok(response) => response,
        Err(error) => sorry(&error),
    }
}

async fn set_out(site: &Site, ctx: &Context, organization: &str, connector: String, wanted: Wanted) -> Result<Response, ServiceError> {
    let start = Start { connector, wanted, by_browser: true, return_to: Some(BACK.to_owned()) };
    let Started { authorize_url, cookie, .. } = authorization::start(ctx, organization, start).await?;
    let mut response = StatusCode::SEE_OTHER.into_response();
    let broken = |_| ServiceError::Damaged("the vendor's consent page has an impossible address".into());
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_str(&authorize_url).map_err(broken)?);
    if let Some((name, value)) = cookie {
        let secure = if site.state.secure_cookies { "; Secure" } else { "" };
        let age = authorization::LIFETIME_MS / 1_000;
        let text = format!("{name}={value}; Path=/v1/oauth/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}");
        response.headers_mut().append(header::SET_COOKIE, HeaderValue::from_str(&text).map_err(broken)?);
    }
    Ok(response)
}

#[derive(Deserialize)]
pub(crate) struct Returned {
    connection: Option<String>,
    error: Option<String>,
}

/// The connections, and what came of the way to the vendor.
pub(crate) async fn connections(SignedIn { who, ctx }: SignedIn, Query(query): Query<Returned>) -> Response {
    let ctx = &ctx;
    let found = match connections::list(ctx, &who.organization, None, PER_PAGE).await {
        Ok(found) => found.items,
        Err(error) => return sorry(&error),
    };
    let consents = |c: &Connection| {
        let connector = connectors::one(ctx, &c.connector).ok().filter(|_| c.state != ConnectionState::Disconnected)?;
        origin(&connector.manifest, &c.mode)
    };
    let origins: BTreeSet<String> = found.iter().filter_map(|c| consents(&c.value)).collect();
    let is_new = |c: &Connection| query.connection.as_deref() == Some(c.id.as_str());
    let body = html! {
        @if let Some(code) = &query.error { p role="alert" { (words(code)) } }
        @for Versioned { value: connection, .. } in &found {
            div.box {
                h3 { (connection.name) @if is_new(connection) { span.dim { " (connected just now)" } } }
                p {
                    span class={ "state " (state_word(connection.state)) } { (state_word(connection.state)) } " " (connection.connector)
                    @if let Some(account) = &connection.account.name { " · " (account) }
                }
                @if let Some(trouble) = &connection.trouble { p { (trouble) } }
                @if consents(connection).is_some() {
                    form method="post" action={ "/console/connections/" (connection.id) "/reconnect" } { button { "Connect again" } }
                }
            }
        }
        @if found.is_empty() { p { "Nothing is connected yet. " a href="/integrations" { "Choose an integration." } } }
    };
    leading_to(page("Connections", body).into_response(), &origins)
}

fn state_word(state: ConnectionState) -> &'static str {
    match state {
        ConnectionState::Live => "live",
        ConnectionState::NeedsCredentials => "needs credentials",
        ConnectionState::NeedsPreparation => "needs preparation",
        ConnectionState::NeedsConnector => "needs its integration back",
        ConnectionState::Disconnected => "disconnected",
    }
}

/// For browsers that did not set out from the console: says nothing about anyone.
pub(crate) async fn connected(State(site): State<Site>, Path(slug): Path<String>) -> Response {
    match connectors::one(&site.state.ctx, &slug) {
        Ok(connector) => page(&format!("{} is connected", connector.manifest.connector.name), html! { p { "You can close this window." } })
            .into_response(),
        Err(error) => sorry(&error),
    }
}

#[derive(Deserialize)]
pub(crate) struct NotConnected {
    #[serde(default)]
    code: String,
}

pub(crate) async fn not_connected(State(site): State<Site>, Path(slug): Path<String>, Query(query): Query<NotConnected>) -> Response {
    match connectors::one(&site.state.ctx, &slug) {
        Ok(connector) => {
            let body = html! { p role="alert" { (words(&query.code)) } };
            page(&format!("{} is not connected", connector.manifest.connector.name), body).into_response()
        }
        Err(error) => sorry(&error),
    }
}
