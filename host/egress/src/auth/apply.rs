//! Puts credentials where the manifest says. A header, parameter or field whose slot has no value is left out: the vendor's
//! own "missing" answer then reaches the guest, which can name it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use crm_catalog::model::{Auth, AuthKind, Call, Jwt, Method, Oauth2, Signature};
use crm_contract::types::Pair;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use serde_json::Value;
use zeroize::Zeroizing;

use super::token::LiveToken;
use super::{jwt, signature};
use crate::error::Refusal;
use crate::request::{Payload, form_encoded};
use crate::values::{Filled, Values, parse, slot_or_template};

/// What authentication adds to one request. No `Debug`: it holds secrets.
#[derive(Default)]
pub(crate) struct Applied {
    /// Name, value, and the value as shown.
    pub headers: Vec<(HeaderName, HeaderValue, String)>,
    /// Name, value, and the value as shown.
    pub query: Vec<(String, Zeroizing<String>, String)>,
    pub body: Option<NewBody>,
    /// Made for this request (a signed token): blanked in its answer like any other secret.
    pub made: Option<Zeroizing<String>>,
}

/// Takes the place of the guest's body.
pub(crate) struct NewBody {
    pub bytes: Option<Bytes>,
    pub shown: Option<String>,
    pub content_type: Option<HeaderValue>,
}

/// Header names that an authentication sets: never the guest's.
pub(crate) fn header_names(auth: Option<&Auth>) -> Vec<HeaderName> {
    match auth.map(|a| &a.kind) {
        Some(AuthKind::Header { headers }) => headers.keys().filter_map(|n| HeaderName::from_bytes(n.as_bytes()).ok()).collect(),
        _ => Vec::new(),
    }
}

pub(crate) fn apply(
    auth: Option<&Auth>,
    values: &Values<'_>,
    token: Option<&LiveToken>,
    call: &Call,
    query: &[Pair],
    payload: &Payload,
    now_ms: u64,
) -> Result<Applied, Refusal> {
    let Some(auth) = auth else { return Ok(Applied::default()) };
    let mut applied = Applied::default();
    match &auth.kind {
        AuthKind::Header { headers } => {
            for (name, template) in headers {
                let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| manifest(format!("{name:?} is no header name")))?;
                if let Some(filled) = fill(values, template)? {
                    applied.headers.push(header(name, &filled.real, filled.shown)?);
                }
            }
        }
        AuthKind::Basic { user, password } => {
            if let (Some(user), Some(password)) = (fill(values, user)?, fill(values, password)?) {
                let pair = Zeroizing::new(format!("{}:{}", *user.real, *password.real));
                let real = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
                applied.headers.push(header(AUTHORIZATION, &real, format!("Basic {}:{} (base64)", user.shown, password.shown))?);
            }
        }
        AuthKind::Bearer { token } => {
            if let Some(filled) = fill(values, token)? {
                let real = Zeroizing::new(format!("Bearer {}", *filled.real));
                applied.headers.push(header(AUTHORIZATION, &real, format!("Bearer {}", filled.shown))?);
            }
        }
        AuthKind::Query { params } => {
            for (name, template) in params {
                if let Some(filled) = fill(values, template)? {
                    applied.query.push((name.clone(), filled.real, filled.shown));
                }
            }
        }
        AuthKind::Body { fields } => {
            let mut filled = Vec::new();
            for (name, template) in fields {
                filled.extend(fill(values, template)?.map(|f| (name.as_str(), f)));
            }
            applied.body = body(payload, &filled)?;
        }
        AuthKind::Oauth2(oauth) => bearer_token(&mut applied, &auth.name, oauth, token)?,
        AuthKind::Jwt(jwt) => signed_token(&mut applied, &auth.name, jwt, values, now_ms)?,
        AuthKind::Signature(signature) => signed(&mut applied, signature, values, call, query, payload)?,
    }
    Ok(applied)
}

fn manifest(text: String) -> Refusal {
    Refusal::Manifest(text)
}

fn fill(values: &Values<'_>, template: &str) -> Result<Option<Filled>, Refusal> {
    Ok(values.fill(&parse(template).map_err(manifest)?))
}

fn slot(values: &Values<'_>, name: &str) -> Result<Option<Filled>, Refusal> {
    Ok(values.fill(&slot_or_template(name).map_err(manifest)?))
}

fn header(name: HeaderName, real: &str, shown: String) -> Result<(HeaderName, HeaderValue, String), Refusal> {
    let mut value = HeaderValue::from_str(real)
        .map_err(|_| Refusal::Credentials(format!("the value for header {name} holds characters that no header can carry")))?;
    value.set_sensitive(true);
    Ok((name, value, shown))
}

fn prefixed(prefix: &str, value: &str) -> String {
    if prefix.is_empty() { value.to_owned() } else { format!("{prefix} {value}") }
}

fn bearer_token(applied: &mut Applied, name: &str, oauth: &Oauth2, token: Option<&LiveToken>) -> Result<(), Refusal> {
    let shown = prefixed(&oauth.prefix, &format!("{{token:{name}}}"));
    let real = Zeroizing::new(prefixed(&oauth.prefix, token.map_or("-", |t| t.token.access.as_str())));
    applied.headers.push(header(AUTHORIZATION, &real, shown)?);
    Ok(())
}

fn signed_token(applied: &mut Applied, name: &str, jwt: &Jwt, values: &Values<'_>, now_ms: u64) -> Result<(), Refusal> {
    let Some(key) = slot(values, &jwt.key)? else { return Ok(()) };
    let kid = jwt.kid.as_deref().map(|kid| slot_or_template(kid).map_err(manifest)).transpose()?.and_then(|t| values.fill(&t));
    let shown = prefixed(&jwt.prefix, &format!("{{jwt:{name}}}"));
    let made = match values.secrets {
        None => Zeroizing::new("-".to_owned()),
        Some(_) => jwt::sign(jwt, &jwt::key(jwt, &key.real)?, kid.as_ref().map(|k| k.real.as_str()), now_ms)?,
    };
    let real = Zeroizing::new(prefixed(&jwt.prefix, &made));
    applied.headers.push(header(AUTHORIZATION, &real, shown)?);
    applied.made = Some(made);
    Ok(())
}

fn body(payload: &Payload, fields: &[(&str, Filled)]) -> Result<Option<NewBody>, Refusal> {
    if fields.is_empty() {
        return Ok(None);
    }
    if let Some(form) = &payload.form {
        let with = |pick: &dyn Fn(&Filled) -> String| {
            let added = fields.iter().map(|(name, f)| (name.trim_start_matches("form:").trim_start_matches('/').to_owned(), pick(f)));
            form_encoded(&form.iter().cloned().chain(added).collect::<Vec<_>>())
        };
        let bytes = Bytes::from(with(&|f| (*f.real).clone()));
        return Ok(Some(NewBody {
            bytes: Some(bytes),
            shown: Some(with(&|f| f.shown.clone())),
            content_type: payload.content_type.clone(),
        }));
    }
    let text = payload.json()?;
    let mut real: Value = serde_json::from_str(&text).map_err(|_| Refusal::Auth("the body is no JSON object to add a field to".into()))?;
    let mut shown = real.clone();
    for (name, filled) in fields {
        set(&mut real, name, &filled.real)?;
        set(&mut shown, name, &filled.shown)?;
    }
    let content_type = payload.content_type.clone().or(Some(HeaderValue::from_static("application/json")));
    Ok(Some(NewBody { bytes: Some(real.to_string().into()), shown: Some(shown.to_string()), content_type }))
}

/// Sets a field by name or JSON pointer, making the objects on the way.
fn set(body: &mut Value, name: &str, value: &str) -> Result<(), Refusal> {
    let mut at = body;
    let keys: Vec<String> = match name.strip_prefix('/') {
        Some(pointer) => pointer.split('/').map(|k| k.replace("~1", "/").replace("~0", "~")).collect(),
        None => vec![name.to_owned()],
    };
    for key in keys {
        let Value::Object(object) = at else { return Err(Refusal::Auth(format!("the body has no object for {name:?}"))) };
        at = object.entry(key).or_insert_with(|| Value::Object(serde_json::Map::new()));
    }
    *at = Value::String(value.to_owned());
    Ok(())
}

fn signed(
    applied: &mut Applied,
    rule: &Signature,
    values: &Values<'_>,
    call: &Call,
    query: &[Pair],
    payload: &Payload,
) -> Result<(), Refusal> {
    let (Some(key), Some(secret)) = (slot(values, &rule.key)?, slot(values, &rule.secret)?) else { return Ok(()) };
    let open = |(k, v): (&String, &String)| (k.clone(), Zeroizing::new(v.clone()), v.clone());
    let mut params: Vec<(String, Zeroizing<String>, String)> = rule.constants.iter().map(open).collect();
    params.push((rule.key_param.clone(), key.real, key.shown));
    match (&rule.json_param, &payload.form) {
        (_, Some(form)) => params.extend(form.iter().map(|(k, v)| open((k, v)))),
        (Some(name), None) if payload.bytes.is_some() => {
            let text = payload.json()?.into_owned();
            params.push((name.clone(), Zeroizing::new(text.clone()), text));
        }
        _ => {}
    }
    let signed = query.iter().map(|p| p.value.as_str()).chain(params.iter().map(|(_, v, _)| v.as_str()));
    let digest = signature::md5_sorted_values(&secret.real, signed);
    params.push((rule.signature_param.clone(), Zeroizing::new(digest), "{signature}".to_owned()));
    if matches!(call.method, Method::Get | Method::Delete) {
        applied.query = params;
        applied.body = Some(NewBody { bytes: None, shown: None, content_type: None });
    } else {
        let real: Vec<(String, String)> = params.iter().map(|(k, v, _)| (k.clone(), (**v).clone())).collect();
        let shown: Vec<(String, String)> = params.into_iter().map(|(k, _, s)| (k, s)).collect();
        applied.body = Some(NewBody {
            bytes: Some(form_encoded(&real).into()),
            shown: Some(form_encoded(&shown)),
            content_type: Some(HeaderValue::from_static("application/x-www-form-urlencoded")),
        });
    }
    Ok(())
}
