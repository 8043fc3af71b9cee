//! Checks of `[[endpoints]]`: a request can only ever go to a host that a person can read in the manifest.

use std::collections::BTreeSet;

use url::{Host, Url};

use super::Check;
use super::slots::Slot;
use crate::error::At;
use crate::host;
use crate::model::{AuthKind, Endpoint, SettingKind, Stage};
use crate::shape;
use crate::template::{self, Part};

/// Stands for a value that is only known later, when a URL is held against the URL parser.
const DUMMY: &str = "x0";

pub(super) fn check(check: &mut Check<'_, '_>) {
    let m = check.m;
    check.names("endpoints", m.endpoints.iter().map(|e| e.name.as_str()));
    for (i, e) in m.endpoints.iter().enumerate() {
        let at = At::item("endpoints", i, &e.name);
        if let Some(auth) = &e.auth {
            check.refers(&at, "auth", auth, "auth", m.auth.iter().map(|a| a.name.as_str()));
        }
        url(check, &at, e);
        choices(check, &at, e);
        headers(check, &at, e);
    }
}

/// What the host of an endpoint is made of.
#[derive(Default)]
struct Made {
    choice: bool,
    credential: bool,
    derived: bool,
    token: bool,
}

fn url(check: &mut Check<'_, '_>, at: &At, e: &Endpoint) {
    let parts = match template::parts(&e.url) {
        Ok(parts) => parts,
        Err(problem) => return check.add(at, "url", problem.to_string()),
    };
    let mut made = Made::default();
    for part in &parts {
        let Part::Place(place) = part else { continue };
        match place.split_once(':') {
            None if place == "choice" => made.choice = true,
            None if place == "token.base" => made.token = true,
            Some(("derived", name)) => {
                made.derived = true;
                if check.slots.get(name) != Some(Slot::Derived) {
                    check.add(at, "url", format!("`{{{place}}}`: there is no [[derived]] `{name}`"));
                }
            }
            Some(("credential", name)) => {
                made.credential = true;
                credential(check, at, name);
            }
            _ => check.add(
                at,
                "url",
                format!("`{{{place}}}` is not known; allowed: `{{choice}}`, `{{derived:NAME}}`, `{{credential:NAME}}`, `{{token.base}}`"),
            ),
        }
    }
    if made.token {
        token_base(check, at, e, &parts);
    } else if made.choice {
        for (name, value) in &e.choices {
            address(check, at, &format!("choices.{name}"), &parts, value, e);
        }
    } else {
        address(check, at, "url", &parts, DUMMY, e);
    }
    allow(check, at, e, &made);
}

fn credential(check: &mut Check<'_, '_>, at: &At, name: &str) {
    match check.m.credential(name) {
        None => check.add(at, "url", format!("there is no credential `{name}`")),
        Some(c) if c.secret => check.add(
            at,
            "url",
            format!(
                "the credential `{name}` is secret and may not stand in a URL; cut a part with [[derived]] or mark it `secret = false`"
            ),
        ),
        Some(c) if c.pattern.is_none() => {
            check.add(at, "url", format!("the credential `{name}` needs a `pattern`, because it becomes part of a URL"))
        }
        Some(_) => {}
    }
}

fn token_base(check: &mut Check<'_, '_>, at: &At, e: &Endpoint, parts: &[Part]) {
    if parts.len() != 1 {
        check.add(at, "url", "`{token.base}` must be the whole URL; put the path into the calls");
    }
    let named = check.m.auth.iter().filter(|a| Some(&a.name) == e.auth.as_ref());
    if !named.clone().any(|a| matches!(&a.kind, AuthKind::Oauth2(o) if o.base_from.is_some())) {
        check.add(at, "url", "`{token.base}` needs an `auth` of type `oauth2` with `base_from`");
    }
}

/// Holds the URL, with `value` in its places, against the URL parser and our rules for hosts.
fn address(check: &mut Check<'_, '_>, at: &At, key: &str, parts: &[Part], value: &str, e: &Endpoint) {
    let whole_host = match parts {
        [Part::Text(scheme), Part::Place(_)] => scheme.ends_with("://"),
        [Part::Text(scheme), Part::Place(_), Part::Text(rest), ..] => scheme.ends_with("://") && rest.starts_with(['/', ':']),
        _ => false,
    };
    // A place that is the whole host is typed or chosen whole; elsewhere it is one label.
    let stand_in = if value == DUMMY && whole_host { "x0.acme.example" } else { value };
    let Some(text) = template::fill(parts, |_| Some(stand_in)) else { return };
    if let Some(problem) = problem(&text, check.dev) {
        check.add(at, key, problem);
        return;
    }
    // In `https://{..}.acme.example` the places are labels of the host; after it, they would be part of the path.
    let path_places = template::fill(parts, |_| Some("\u{1}")).and_then(|t| t.split_once("://").map(|(_, r)| r.to_owned()));
    if path_places.as_deref().and_then(|r| r.split_once('/')).is_some_and(|(_, path)| path.contains('\u{1}')) {
        check.add(at, "url", "places belong into the host only; use `{...}` in the calls' paths");
    }
    let host = Url::parse(&text).ok().and_then(|u| u.host_str().map(str::to_owned)).unwrap_or_default();
    if value == DUMMY && text != e.url && !whole_host && !e.allow.is_empty() && !e.allow.iter().any(|p| host::host_allowed(p, &host)) {
        check.add(at, "allow", format!("no entry allows what the URL makes, such as `{host}`"));
    }
}

fn problem(text: &str, dev: bool) -> Option<String> {
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(problem) => return Some(format!("`{text}` is no URL: {problem}")),
    };
    let loopback = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if loopback && dev {
        return (!matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some())
            .then(|| format!("`{text}` must be `http://` or `https://` without a user"));
    }
    if loopback {
        return Some("loopback hosts exist in the author's commands only".into());
    }
    if url.scheme() != "https" {
        return Some("must begin with `https://`".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some("may not hold a user or password".into());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Some("may not hold `?` or `#`; use `fixed_query` in the calls".into());
    }
    match url.host() {
        Some(Host::Domain(name)) if host::is_host(name) => {}
        Some(Host::Domain(name)) => return Some(format!("`{name}` is no public host name of two labels or more")),
        _ => return Some("an IP address is not allowed; name the host".into()),
    }
    if text.ends_with('/') {
        return Some("may not end with `/`: the calls' paths begin with it".into());
    }
    if url.port() == Some(0) {
        return Some("port 0 is no port".into());
    }
    // What the parser had to change was written in a way that people would read differently.
    let written = url.as_str().strip_suffix('/').filter(|_| url.path() == "/").unwrap_or(url.as_str());
    (written != text).then(|| format!("must be written as `{written}`"))
}

fn allow(check: &mut Check<'_, '_>, at: &At, e: &Endpoint, made: &Made) {
    let computed = made.credential || made.derived || made.token;
    for (i, pattern) in e.allow.iter().enumerate() {
        if let Some(problem) = host::pattern_error(pattern) {
            check.add(at, &format!("allow[{i}]"), format!("`{pattern}` {problem}"));
        }
    }
    check.distinct(at, "allow", e.allow.iter());
    if e.public_host {
        if !made.credential {
            check.add(at, "public_host", "has a meaning only where the merchant types the host: `{credential:NAME}` in the URL");
        } else if !e.allow.is_empty() {
            check.add(at, "public_host", "lets every public host through, so `allow` would say nothing: keep one of the two");
        }
    } else if computed && e.allow.is_empty() {
        check.add(at, "allow", "is needed, because the host is computed: exact hosts, or `*.` and a fixed suffix");
    } else if !computed && !e.allow.is_empty() {
        check.add(at, "allow", "has no meaning, because the host is fixed");
    }
    if e.keep_path && !made.credential {
        check.add(at, "keep_path", "has a meaning only where the merchant types the host: `{credential:NAME}` in the URL");
    }
}

fn choices(check: &mut Check<'_, '_>, at: &At, e: &Endpoint) {
    let used = e.url.contains("{choice}");
    if used && e.choices.is_empty() {
        check.add(at, "choices", "is needed, because the URL holds `{choice}`");
    } else if !used && !e.choices.is_empty() {
        check.add(at, "choices", "has no meaning, because the URL holds no `{choice}`");
    }
    for name in e.choices.keys().filter(|n| !is_choice(n)) {
        check.add(at, &format!("choices.{name}"), "must be letters, digits, `_` and `-`, at most 40");
    }
    match e.choose.as_deref() {
        None if used => check.add(at, "choose", "is needed with `choices`: `setting:NAME` or `verify`"),
        None => {}
        Some(_) if !used => check.add(at, "choose", "has no meaning, because the URL holds no `{choice}`"),
        Some("verify") if check.m.calls.iter().any(|c| c.endpoint == e.name && c.stages.contains(&Stage::Verify)) => {}
        Some("verify") => check.add(at, "choose", "no call of the stage `verify` uses this endpoint, so nothing could find the choice"),
        Some(other) => match other.strip_prefix("setting:") {
            Some(name) => chosen(check, at, e, name),
            None => check.add(at, "choose", format!("`{other}` is not known; allowed: `setting:NAME`, `verify`")),
        },
    }
}

fn chosen(check: &mut Check<'_, '_>, at: &At, e: &Endpoint, name: &str) {
    let m = check.m;
    let Some(setting) = m.settings.iter().find(|s| s.name == name) else {
        check.refers(at, "choose", name, "settings", m.settings.iter().map(|s| s.name.as_str()));
        return;
    };
    let offered: BTreeSet<&str> = setting.choices.iter().map(String::as_str).collect();
    let known: BTreeSet<&str> = e.choices.keys().map(String::as_str).collect();
    if setting.kind != SettingKind::Choice || offered != known {
        check.add(at, "choose", format!("the setting `{name}` must be of kind `choice` and offer exactly the choices of this endpoint"));
    }
}

fn is_choice(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn headers(check: &mut Check<'_, '_>, at: &At, e: &Endpoint) {
    let taken = auth_headers(check, e);
    for (name, value) in &e.headers {
        let key = format!("headers.{name}");
        if !shape::is_header_name(name) {
            check.add(at, &key, "is no header name");
        } else if shape::is_framing_header(name) {
            check.add(at, &key, "frames the request and is set by the HTTP client only");
        } else if name.eq_ignore_ascii_case("content-type") {
            check.add(at, &key, "belongs to the calls: `body` or `content_type`");
        } else if taken.contains(&name.to_ascii_lowercase()) {
            check.add(at, &key, "is set by the endpoint's `auth`");
        }
        if !shape::is_header_value(value) {
            check.add(at, &key, "must be visible ASCII on one line");
        }
        super::calls::open_places(check, at, &key, value);
    }
    check.distinct(at, "headers", e.headers.keys().map(|k| k.to_ascii_lowercase()));
}

/// The headers, in lower case, that authentication sets on an endpoint, in any mode.
pub(super) fn auth_headers(check: &Check<'_, '_>, e: &Endpoint) -> BTreeSet<String> {
    let mut names = BTreeSet::from(["authorization".to_owned()]);
    for auth in check.m.auth.iter().filter(|a| Some(&a.name) == e.auth.as_ref()) {
        if let AuthKind::Header { headers } = &auth.kind {
            names.extend(headers.keys().map(|k| k.to_ascii_lowercase()));
        }
    }
    names
}
