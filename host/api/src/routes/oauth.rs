//! Connecting by the vendor's consent page: programs get the link, browsers are sent there and back. The callback is the one route
//! without a key: the unguessable `state` is what proves whose return it is.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use crm_sync::services::authorization::{self, Landing, Return, Start, Started, Wanted};
use crm_sync::services::connections::NewConnection;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use zeroize::Zeroizing;

use super::tagged;
use crate::App;
use crate::extract::{Id, JsonBody, Query, Tenant};
use crate::problem::Problem;
use crate::types::connections::Connection;
use crate::types::oauth::{AuthorizationStarted, ReturnQuery, StartAuthorization, StartQuery};
use crate::types::time;

/// Where browsers may show the cookie again.
const COOKIE_PATH: &str = "/v1/oauth/";

/// Begins the consent for a new connection, or for one that exists. JSON with the link; a browser (`Accept: text/html`) is sent there.
#[utoipa::path(get, path = "/v1/oauth/{connector}/start", tag = "connections", params(("connector" = String, Path), StartQuery),
    responses((status = 200, body = AuthorizationStarted), (status = 303, description = "A browser is sent to the vendor", headers(("location" = String), ("set-cookie" = String, description = "Proves later that the same browser comes back"))), (status = 403), (status = 409), (status = 422), (status = 507)))]
pub(crate) async fn start_authorization(
    tenant: Tenant,
    State(app): State<App>,
    Id(connector): Id,
    headers: HeaderMap,
    Query(query): Query<StartQuery>,
) -> Result<Response, Problem> {
    tenant.may_write()?;
    let order = StartAuthorization {
        connection: query.connection,
        name: query.name,
        mode: query.mode,
        credentials: None,
        settings: Default::default(),
        default_tags: Vec::new(),
        return_to: query.return_to,
    };
    begin(&app, &tenant, connector, order, is_browser(&headers)).await
}

/// Begins the consent with what the merchant typed: an own client, settings.
#[utoipa::path(post, path = "/v1/oauth/{connector}/start", tag = "connections", params(("connector" = String, Path)),
    request_body = StartAuthorization, responses((status = 200, body = AuthorizationStarted)))]
pub(crate) async fn start_authorization_with(
    tenant: Tenant,
    State(app): State<App>,
    Id(connector): Id,
    JsonBody(order): JsonBody<StartAuthorization>,
) -> Result<Response, Problem> {
    begin(&app, &tenant, connector, order, false).await
}

async fn begin(app: &App, tenant: &Tenant, connector: String, order: StartAuthorization, by_browser: bool) -> Result<Response, Problem> {
    let wanted = match order.connection {
        Some(connection) => {
            if order.name.is_some() || order.mode.is_some() || !order.settings.is_empty() || !order.default_tags.is_empty() {
                return Err(Problem::invalid("connection", "name, mode, settings and default_tags belong to a new connection"));
            }
            Wanted::Again { connection, credentials: order.credentials.map(|c| c.0) }
        }
        None => Wanted::New(NewConnection {
            connector: connector.clone(),
            name: order.name,
            mode: order.mode,
            credentials: order.credentials.map(|c| c.0).unwrap_or_default(),
            settings: order.settings,
            default_tags: order.default_tags,
        }),
    };
    let start = Start { connector, wanted, by_browser, return_to: order.return_to };
    let Started { authorize_url, expires, cookie } = authorization::start(tenant.ctx(), tenant.organization(), start).await?;
    let Some((name, value)) = cookie else {
        return Ok(Json(AuthorizationStarted { authorize_url, expires: time(expires) }).into_response());
    };
    let mut response = redirect(&authorize_url)?;
    set_cookie(&mut response, app, &name, &value, authorization::LIFETIME_MS / 1_000);
    Ok(response)
}

/// Where the vendor sends the browser back to. Answers the connection; a browser goes on to a page without the code in its address.
#[utoipa::path(get, path = "/v1/oauth/{connector}/callback", tag = "connections", security(()),
    params(("connector" = String, Path), ReturnQuery),
    responses((status = 200, body = Connection), (status = 303, description = "A browser goes on to a page", headers(("location" = String))), (status = 400), (status = 409), (status = 422), (status = 502), (status = 507)))]
pub(crate) async fn authorization_callback(
    State(app): State<App>,
    Id(connector): Id,
    headers: HeaderMap,
    Query(query): Query<ReturnQuery>,
) -> Result<Response, Problem> {
    let browser = is_browser(&headers);
    let back = Return {
        connector: connector.clone(),
        state: query.state,
        code: query.code.filter(|c| !c.is_empty()).map(Zeroizing::new),
        error: query.error.filter(|e| !e.is_empty()),
        cookie: Box::new(move |name| cookie(&headers, name)),
    };
    let Landing { outcome, return_to, cookie } = authorization::land(&app.state.ctx, back).await;
    let mut response = match (outcome, return_to) {
        (Ok(made), Some(page)) => redirect(&with_query(&page, "connection", &made.value.id))?,
        (Ok(_), None) if browser => redirect(&format!("/integrations/{connector}/connected"))?,
        (Ok(made), None) => tagged(StatusCode::OK, made.version, Connection::from(made.value)),
        (Err(error), page) => {
            let problem = Problem::from(error);
            tracing::info!(connector, code = problem.code, "a return from a consent page led to nothing");
            match page {
                Some(page) => redirect(&with_query(&page, "error", &problem.code))?,
                None if browser && known_slug(&connector) => {
                    redirect(&format!("/integrations/{connector}/not-connected?code={}", problem.code))?
                }
                None => problem.into_response(),
            }
        }
    };
    if let Some(name) = cookie {
        set_cookie(&mut response, &app, &name, "", 0);
    }
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}

fn is_browser(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT).iter().filter_map(|v| v.to_str().ok()).any(|accept| accept.contains("text/html"))
}

/// It goes into an address: nothing but what slugs are made of.
fn known_slug(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn with_query(page: &str, name: &str, value: &str) -> String {
    // Ids and codes are letters, digits and `_`: nothing to encode.
    format!("{page}{}{name}={value}", if page.contains('?') { '&' } else { '?' })
}

fn redirect(to: &str) -> Result<Response, Problem> {
    let location = HeaderValue::from_str(to).map_err(|_| Problem::internal())?;
    let mut response = StatusCode::SEE_OTHER.into_response();
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

fn cookie(headers: &HeaderMap, wanted: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    all.flat_map(|line| line.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == wanted).then(|| value.to_owned())
    })
}

fn set_cookie(response: &mut Response, app: &App, name: &str, value: &str, seconds: u64) {
    let public = app.state.ctx.config.public_url.as_deref().unwrap_or_default();
    let secure = if public.starts_with("https://") { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path={COOKIE_PATH}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    if let Ok(text) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, text);
    }
}
