//! Checks of `[[auth]]`: every slot exists, something secret is really used, and nothing collides on the wire.

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use super::slots::Slot;
use crate::error::At;
use crate::model::{Auth, AuthKind, Grant, Jwt, Oauth2, Signature};
use crate::shape;
use crate::template;

/// Fields of a token request that the host writes itself.
const TOKEN_FIELDS: &[&str] =
    &["grant_type", "scope", "client_id", "client_secret", "refresh_token", "code", "code_verifier", "redirect_uri", "token"];

pub(super) fn check(check: &mut Check<'_, '_>) {
    let m = check.m;
    let mut seen: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (i, auth) in m.auth.iter().enumerate() {
        let at = At::item("auth", i, &auth.name);
        for (key, text) in [("name", &auth.name), ("mode", &auth.mode)] {
            if !(shape::is_name(text) || key == "mode" && text.is_empty()) {
                check.add(&at, key, format!("`{text}` is not {}", shape::NAME_RULE));
            }
        }
        let modes = seen.entry(&auth.name).or_default();
        if modes.contains(auth.mode.as_str()) {
            check.add(&at, "name", format!("`{}` is taken by an earlier entry with the same `mode`", auth.name));
        }
        modes.insert(&auth.mode);
        kind(check, &at, auth);
        if !m.endpoints.iter().any(|e| e.auth.as_ref() == Some(&auth.name)) {
            check.add(&at, "name", "is used by no endpoint: name it as the `auth` of one");
        }
    }
}

fn kind(check: &mut Check<'_, '_>, at: &At, auth: &Auth) {
    match &auth.kind {
        AuthKind::Header { headers } => {
            for (name, value) in headers {
                let key = format!("headers.{name}");
                header_name(check, at, &key, name);
                if !shape::is_header_value(value) {
                    check.add(at, &key, "must be visible ASCII on one line");
                }
            }
            check.distinct(at, "headers", headers.keys().map(|k| k.to_ascii_lowercase()));
            slots_in(check, at, headers.iter().map(|(k, v)| (format!("headers.{k}"), v.as_str())));
        }
        AuthKind::Basic { user, password } => {
            if user.contains(':') {
                check.add(at, "user", "holds a `:`, which would end it early");
            }
            slots_in(check, at, [("user".to_owned(), user.as_str()), ("password".to_owned(), password.as_str())].into_iter());
        }
        AuthKind::Bearer { token } => slots_in(check, at, std::iter::once(("token".to_owned(), token.as_str()))),
        AuthKind::Query { params } => {
            for name in params.keys().filter(|n| !shape::is_query_key(n)) {
                check.add(at, &format!("params.{name}"), "is no query key: printable ASCII without `&`, `=`, `#`, `+`, `%`");
            }
            slots_in(check, at, params.iter().map(|(k, v)| (format!("params.{k}"), v.as_str())));
        }
        AuthKind::Body { fields } => {
            for name in fields.keys().filter(|n| n.is_empty() || n.contains(['/', '*', '{', '}'])) {
                check.add(at, &format!("fields.{name}"), "must be the plain name of a top-level field");
            }
            slots_in(check, at, fields.iter().map(|(k, v)| (format!("fields.{k}"), v.as_str())));
        }
        AuthKind::Oauth2(oauth2) => oauth(check, at, oauth2),
        AuthKind::Jwt(jwt) => web_token(check, at, jwt),
        AuthKind::Signature(signature) => signed(check, at, signature),
    }
}

fn header_name(check: &mut Check<'_, '_>, at: &At, key: &str, name: &str) {
    if !shape::is_header_name(name) {
        check.add(at, key, "is no header name");
    } else if shape::is_framing_header(name) || name.eq_ignore_ascii_case("content-type") {
        check.add(at, key, "frames the request and is set by the HTTP client only");
    }
}

/// Templates: braces pair, slots exist, and there is at least one in all.
fn slots_in<'t>(check: &mut Check<'_, '_>, at: &At, templates: impl Iterator<Item = (String, &'t str)>) {
    let mut any = false;
    for (key, text) in templates {
        any |= template_slots(check, at, &key, text);
    }
    if !any {
        check.add(at, "", "uses no `{slot}`: nothing would be authenticated");
    }
}

/// True when the template has a place at all.
fn template_slots(check: &mut Check<'_, '_>, at: &At, key: &str, text: &str) -> bool {
    match template::places(text) {
        Err(problem) => {
            check.add(at, key, problem.to_string());
            true
        }
        Ok(places) => {
            for name in &places {
                slot(check, at, key, name);
            }
            !places.is_empty()
        }
    }
}

fn slot(check: &mut Check<'_, '_>, at: &At, key: &str, name: &str) -> Option<Slot> {
    let bare = name.strip_prefix('{').and_then(|n| n.strip_suffix('}')).unwrap_or(name);
    let found = check.slots.get(bare);
    if found.is_none() {
        let known = check.slots.known();
        check.add(at, key, format!("`{bare}` is no credential, split part or derived part; {known}"));
    }
    found
}

fn prefix(check: &mut Check<'_, '_>, at: &At, prefix: &str) {
    if !shape::is_header_name(prefix) {
        check.add(at, "prefix", "must be one word of visible ASCII");
    }
}

fn path(check: &mut Check<'_, '_>, at: &At, key: &str, path: &str) {
    if let Some(problem) = super::calls::path_problem(path) {
        check.add(at, key, problem);
    } else if path.contains('{') {
        check.add(at, key, "has no places to fill here");
    }
}

fn oauth(check: &mut Check<'_, '_>, at: &At, o: &Oauth2) {
    let known = check.m.endpoints.iter().map(|e| e.name.as_str());
    if check.refers(at, "token_endpoint", &o.token_endpoint, "endpoints", known)
        && check.m.endpoint(&o.token_endpoint).is_some_and(|e| e.auth.is_some() || e.url.contains("{token.base}"))
    {
        check.add(at, "token_endpoint", "must have no `auth` and no `{token.base}` of its own: there is no token yet");
    }
    path(check, at, "token_path", &o.token_path);
    if let Some(revoke) = &o.revoke_path {
        path(check, at, "revoke_path", revoke);
    }
    slot(check, at, "client_id", &o.client_id);
    for (key, name) in [("client_secret", &o.client_secret), ("refresh_token", &o.refresh_token)] {
        if let Some(name) = name
            && slot(check, at, key, name) == Some(Slot::Open)
        {
            check.add(at, key, "must be a secret credential: remove its `secret = false`");
        }
    }
    let code = o.grant == Grant::Code;
    match &o.authorize_url {
        Some(url) if !code => check.add(at, "authorize_url", format!("`{url}` has a use only with grant = \"code\"")),
        Some(url) if !shape::is_https_link(url) => check.add(at, "authorize_url", "must be an `https://` address"),
        None if code => check.add(at, "authorize_url", "is needed with grant = \"code\""),
        _ => {}
    }
    if o.pkce && !code {
        check.add(at, "pkce", "has a use only with grant = \"code\"");
    }
    if (o.grant == Grant::RefreshToken) != o.refresh_token.is_some() {
        check.add(at, "refresh_token", "belongs to grant = \"refresh_token\", and to no other");
    }
    if o.grant == Grant::ClientCredentials && o.client_secret.is_none() {
        check.add(at, "client_secret", "is needed with grant = \"client_credentials\"");
    }
    if o.rotates && o.grant == Grant::ClientCredentials {
        check.add(at, "rotates", "client credentials have no refresh token that could rotate");
    }
    for (i, limit) in o.limits.iter().enumerate() {
        check.refers(at, &format!("limits[{i}]"), limit, "limits", check.m.limits.iter().map(|l| l.name.as_str()));
    }
    check.distinct(at, "limits", o.limits.iter());
    if o.grant != Grant::ClientCredentials && !o.token_params.is_empty() {
        check.add(at, "token_params", "has a use only with grant = \"client_credentials\"");
    }
    for (name, value) in &o.token_params {
        let key = format!("token_params.{name}");
        if !shape::is_query_key(name) || TOKEN_FIELDS.contains(&name.as_str()) {
            check.add(at, &key, "is no form field that the manifest may set");
        }
        template_slots(check, at, &key, value);
    }
    for (i, scope) in o.scopes.iter().enumerate().filter(|(_, s)| s.is_empty() || s.contains(char::is_whitespace)) {
        check.add(at, &format!("scopes[{i}]"), format!("`{scope}` must be one word"));
    }
    prefix(check, at, &o.prefix);
}

fn web_token(check: &mut Check<'_, '_>, at: &At, j: &Jwt) {
    if slot(check, at, "key", &j.key) == Some(Slot::Open) {
        check.add(at, "key", "must be a secret credential or split part: remove its `secret = false`");
    }
    for (key, text) in [("kid", &j.kid), ("aud", &j.aud)] {
        if let Some(text) = text {
            template_slots(check, at, key, text);
        }
    }
    prefix(check, at, &j.prefix);
}

fn signed(check: &mut Check<'_, '_>, at: &At, s: &Signature) {
    slot(check, at, "key", &s.key);
    if slot(check, at, "secret", &s.secret) == Some(Slot::Open) {
        check.add(at, "secret", "must be a secret credential: remove its `secret = false`");
    }
    let mut taken = BTreeSet::new();
    let constants = s.constants.keys().map(|k| (format!("constants.{k}"), k));
    let named = [("key_param".to_owned(), &s.key_param), ("signature_param".to_owned(), &s.signature_param)];
    let json = s.json_param.iter().map(|p| ("json_param".to_owned(), p));
    for (key, name) in named.into_iter().chain(json).chain(constants) {
        if !shape::is_query_key(name) {
            check.add(at, &key, format!("`{name}` is no parameter name"));
        } else if !taken.insert(name) {
            check.add(at, &key, format!("`{name}` already has another meaning here"));
        }
    }
}
