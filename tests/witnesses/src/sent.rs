//! A request as a witness looks at it: secrets reduced to their kind, lists in an order of their own.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crm_catalog::model::{AuthKind, Manifest};
use serde_json::Value;
use url::form_urlencoded;

/// What stands where a secret was.
const SECRET: &str = "(secret)";

#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    pub method: String,
    /// As on the wire.
    pub path: String,
    /// Decoded and sorted.
    pub query: Vec<(String, String)>,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Body,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    None,
    Json(Value),
    Form(Vec<(String, String)>),
    Other(String),
}

impl Sent {
    /// The content type without its parameters.
    pub fn media(&self) -> &str {
        self.headers.get("content-type").map_or("", |value| value.split(';').next().unwrap_or_default().trim())
    }
}

/// Text of a query or form, decoded and sorted.
pub fn pairs(text: &str) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
    pairs.sort();
    pairs
}

/// Where a vendor wants its secrets.
#[derive(Default)]
pub struct Secrets {
    headers: BTreeSet<String>,
    params: BTreeSet<String>,
}

impl Secrets {
    pub fn of(manifest: &Manifest) -> Self {
        let mut secrets = Self::default();
        secrets.headers.insert("authorization".to_owned());
        for auth in &manifest.auth {
            match &auth.kind {
                AuthKind::Header { headers } => secrets.headers.extend(headers.keys().map(|name| name.to_lowercase())),
                AuthKind::Query { params } => secrets.params.extend(params.keys().cloned()),
                AuthKind::Body { fields } => secrets.params.extend(fields.keys().cloned()),
                AuthKind::Signature(signature) => {
                    secrets.params.extend([signature.key_param.clone(), signature.signature_param.clone()]);
                }
                AuthKind::Basic { .. } | AuthKind::Bearer { .. } | AuthKind::Oauth2(_) | AuthKind::Jwt(_) => {}
            }
        }
        secrets
    }

    /// Leaves of a secret only what kind it is: the scheme of `Authorization`, and what a token claims.
    pub fn blank(&self, mut sent: Sent) -> Sent {
        for (name, value) in sent.headers.iter_mut().filter(|(name, _)| self.headers.contains(*name)) {
            let shown =
                |(scheme, credential): (&str, &str)| format!("{scheme} {}", claims(credential).unwrap_or_else(|| SECRET.to_owned()));
            *value = value.split_once(' ').filter(|_| name == "authorization").map_or_else(|| SECRET.to_owned(), shown);
        }
        let form: &mut [_] = if let Body::Form(form) = &mut sent.body { form } else { &mut [] };
        for (_, value) in sent.query.iter_mut().chain(form).filter(|(name, _)| self.params.contains(name)) {
            SECRET.clone_into(value);
        }
        sent
    }
}

/// What a signed token is like: how it is signed, for whom, and for how long.
pub fn token(alg: &str, aud: &str, seconds: u64) -> String {
    format!("(token {alg} for {aud}, {seconds} s)")
}

/// The same of a token that somebody sent; a text of ours stays as it is.
fn claims(credential: &str) -> Option<String> {
    if credential.starts_with("(token ") {
        return Some(credential.to_owned());
    }
    let part = |text: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(text).ok()?).ok();
    let mut parts = credential.split('.');
    let (head, body) = (part(parts.next()?)?, part(parts.next()?)?);
    let seconds = body["exp"].as_u64()?.checked_sub(body["iat"].as_u64()?)?;
    Some(token(head["alg"].as_str()?, body["aud"].as_str().unwrap_or_default(), seconds))
}
