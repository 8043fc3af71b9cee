//! What handlers take from a request. [`Tenant`] is the only way to an organization: it comes from a valid key and from
//! nothing else, and it checks the key's scope against the method.

use axum::RequestExt;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use crm_sync::client::ClientAddr;
use crm_sync::context::Context;
use crm_sync::domain::{Actor, ActorKind, KeyScope};
use crm_sync::services::keys::Principal;
use crm_sync::services::operators::Operator;
use http::request::Parts;
use http::{Extensions, HeaderMap, Method, StatusCode, header};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;

use crate::problem::{FieldProblem, Problem};
use crate::{App, RequestId, body};

/// Who asks, as the API key proves. There is no default: a request without a valid key never reaches a handler.
pub(crate) struct Tenant {
    principal: Principal,
    ctx: Context,
}

impl Tenant {
    /// What services work with, on behalf of this key.
    pub(crate) fn ctx(&self) -> &Context {
        &self.ctx
    }

    pub(crate) fn organization(&self) -> &str {
        &self.principal.organization
    }

    /// For the rare GET that has an effect.
    pub(crate) fn may_write(&self) -> Result<(), Problem> {
        if self.principal.scope == KeyScope::ReadWrite { Ok(()) } else { Err(reading_key()) }
    }
}

impl FromRequestParts<App> for Tenant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let principal = parts.extensions.get::<Principal>().cloned().ok_or_else(Problem::unauthorized)?;
        let reads = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
        if !reads && principal.scope != KeyScope::ReadWrite {
            return Err(reading_key());
        }
        let actor = actor(parts, ActorKind::ApiKey, &principal.key);
        Ok(Self { ctx: app.state.ctx.by(actor), principal })
    }
}

fn reading_key() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "forbidden_scope", "this needs a key with the scope read_write")
}

/// The operator, as a key of theirs proves.
pub(crate) struct OperatorAuth {
    actor: Actor,
}

impl OperatorAuth {
    /// What services work with, on behalf of the operator.
    pub(crate) fn ctx(&self, app: &App) -> Context {
        app.state.ctx.by(self.actor.clone())
    }
}

impl FromRequestParts<App> for OperatorAuth {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        if let Some(operator) = parts.extensions.get::<Operator>() {
            return Ok(Self { actor: actor(parts, ActorKind::Operator, &operator.key) });
        }
        // For an organization's key there is nothing here, as there is nothing of others.
        Err(if parts.extensions.get::<Principal>().is_some() { Problem::not_found() } else { Problem::unauthorized() })
    }
}

/// Who showed which key, whatever kind of key it is.
pub(crate) struct Caller {
    /// Empty for the operator.
    pub(crate) organization: String,
}

impl Caller {
    pub(crate) fn of(extensions: &Extensions) -> Option<Self> {
        let merchant = extensions.get::<Principal>().map(|p| Self { organization: p.organization.clone() });
        merchant.or_else(|| extensions.get::<Operator>().map(|_| Self { organization: String::new() }))
    }
}

fn actor(parts: &Parts, kind: ActorKind, key: &str) -> Actor {
    let request = parts.extensions.get::<RequestId>().map(|id| id.0.clone());
    let ip = parts.extensions.get::<ClientAddr>().copied().and_then(ClientAddr::shown);
    Actor { kind, id: key.to_owned(), ip, request }
}

/// The key of an `Authorization: Bearer` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// One id of the path.
pub(crate) struct Id(pub(crate) String);

impl FromRequestParts<App> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        // An id that cannot be decoded is the id of nothing.
        let Path(id) = Path::<String>::from_request_parts(parts, app).await.map_err(|_| Problem::not_found())?;
        Ok(Self(id))
    }
}

/// Two ids of the path.
pub(crate) struct Ids(pub(crate) String, pub(crate) String);

impl FromRequestParts<App> for Ids {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Path((a, b)) = Path::<(String, String)>::from_request_parts(parts, app).await.map_err(|_| Problem::not_found())?;
        Ok(Self(a, b))
    }
}

/// The query, strictly: an unknown key is an error, not a filter that silently does nothing.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        axum::extract::Query::<T>::try_from_uri(&parts.uri)
            .map(|query| Self(query.0))
            .map_err(|e| Problem::new(StatusCode::BAD_REQUEST, "invalid_query", e.body_text()))
    }
}

/// A JSON body. Errors name the place and what was expected, and never repeat the value: it may be a secret.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &App) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "send application/json"));
        }
        let bytes = request.into_limited_body().collect().await.map_err(|e| body::problem_of(&e))?.to_bytes();
        parse(&bytes).map(Self)
    }
}

/// A JSON body that may be left out.
pub(crate) struct OptionalJson<T>(pub(crate) Option<T>);

impl<T: DeserializeOwned> FromRequest<App> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &App) -> Result<Self, Problem> {
        let typed = request.headers().contains_key(header::CONTENT_TYPE);
        if typed && !is_json(request.headers()) {
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "send application/json"));
        }
        let bytes = request.into_limited_body().collect().await.map_err(|e| body::problem_of(&e))?.to_bytes();
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        if !typed {
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "send application/json"));
        }
        // `null` is another way to leave it out.
        if bytes.trim_ascii() == b"null" {
            return Ok(Self(None));
        }
        parse(&bytes).map(|value| Self(Some(value)))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()) else { return false };
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // Every body here is an object; serde would also take its fields as a list.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "validation_failed", "expected an object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { String::new() } else { path };
        of_json(error.inner(), field)
    })?;
    reader.end().map_err(|error| of_json(&error, String::new()))?;
    Ok(value)
}

fn of_json(error: &serde_json::Error, field: String) -> Problem {
    if !error.is_data() {
        let place = format!("not valid JSON near line {}, column {}", error.line(), error.column());
        return Problem::new(StatusCode::BAD_REQUEST, "invalid_json", place);
    }
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    // "invalid type: string \"...\", expected a map": only what was expected is repeated.
    let detail = if text.starts_with("missing field") || text.starts_with("unknown field") {
        text.to_owned()
    } else {
        match text.rsplit_once("expected ") {
            Some((_, expected)) => format!("expected {expected}"),
            None => "this value does not fit".to_owned(),
        }
    };
    let mut problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "validation_failed", detail.clone());
    problem.field = Some(field.clone()).filter(|f| !f.is_empty());
    problem.errors = vec![FieldProblem { field, detail }];
    problem
}

/// The version that an `If-Match` header names; `None` = no condition.
pub(crate) struct IfMatch(pub(crate) Option<u64>);

impl FromRequestParts<App> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else { return Ok(Self(None)) };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(Self(None));
        }
        let version = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).and_then(|t| t.parse().ok());
        version
            .map(|v| Self(Some(v)))
            .ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "invalid_header", "If-Match must be one ETag as an answer gave it, or *"))
    }
}
