//! Check 5: from an endpoint's name to a URL. What a merchant typed or a vendor answered can fill a label or a host, never
//! more, and must then match the manifest. Looks nothing up.

use std::borrow::Cow;

use crm_catalog::host::host_allowed;
use crm_catalog::template::Part;
use crm_contract::types::find;

use crate::auth::LiveToken;
use crate::dev::Loopback;
use crate::error::Refusal;
use crate::net::{UrlRefused, check_url_text, is_label};
use crate::plan::Plan;
use crate::values::Values;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// `https://host[:port][/path]`, without a final slash.
    pub base: String,
    pub host: String,
    /// A loopback server of the author's.
    pub plain: bool,
}

/// The run's side of the question.
pub(crate) struct Aim<'a> {
    pub values: &'a Values<'a>,
    /// The choice that verify probes, if it does.
    pub probe: Option<&'a str>,
    /// The choice that verify once found.
    pub found: Option<&'a str>,
    pub token: Option<&'a LiveToken>,
    pub dev: Option<&'a Loopback>,
}

/// Whether the endpoint's URL comes from a token answer.
pub(crate) fn needs_token(plan: &Plan, endpoint: usize) -> bool {
    plan.endpoints[endpoint].url.iter().any(|p| matches!(p, Part::Place(name) if name == "token.base"))
}

pub(crate) fn target(plan: &Plan, at: usize, aim: &Aim<'_>) -> Result<Target, Refusal> {
    let (endpoint_plan, endpoint) = plan.endpoint(at);
    let no = |why: &str| Refusal::Endpoint { endpoint: endpoint.name.clone(), why: why.to_owned() };
    let bad = |why: UrlRefused| Refusal::Url { endpoint: endpoint.name.clone(), why };
    let choice = match (aim.probe, endpoint.choose.as_deref()) {
        (Some(probe), _) => Some(probe),
        (None, Some("verify")) => aim.found,
        (None, Some(rule)) => rule.strip_prefix("setting:").and_then(|name| find(&aim.values.on.settings, name)),
        (None, None) => aim.found,
    };
    if let Some(base) = aim.dev.and_then(|d| d.find(&plan.slug, &endpoint.name, choice)) {
        return Ok(Target { base: base.to_owned(), host: "loopback".into(), plain: true });
    }
    // Alone it is a whole host, as typed; before a suffix (`{derived:dc}.api.example`) it is labels.
    let whole_host = place_is_whole_host(&endpoint_plan.url);
    let mut url = String::new();
    let mut computed = false;
    for part in &endpoint_plan.url {
        let name = match part {
            Part::Text(text) => {
                url.push_str(text);
                continue;
            }
            Part::Place(name) => name.as_str(),
        };
        if url.get(8..).is_some_and(|rest| rest.contains('/')) {
            return Err(no("a place may stand in the host only"));
        }
        if name == "choice" {
            let choice = choice.ok_or_else(|| no("no choice is made yet: verify probes `name@choice`, or a setting chooses"))?;
            url.push_str(endpoint.choices.get(choice).ok_or_else(|| no("the choice is not one of the manifest's"))?);
            continue;
        }
        computed = true;
        if name == "token.base" {
            // Only a preview comes here without a token.
            let Some(token) = aim.token else { return Ok(shown(plan, at)) };
            url.push_str(token.token.base.as_deref().ok_or_else(|| no("the token answer named no base URL"))?.trim_end_matches('/'));
            continue;
        }
        let filled = match (aim.values.fill(std::slice::from_ref(part)), aim.values.secrets) {
            (Some(filled), _) if filled.shown == *filled.real => filled.shown,
            (Some(_), Some(_)) => return Err(no("a secret cannot be part of a URL")),
            (None, Some(_)) => return Err(no(&format!("{name} has no value"))),
            (_, None) => return Ok(shown(plan, at)),
        };
        if whole_host {
            url.push_str(&typed_host(&filled, endpoint.keep_path));
        } else {
            let labels = filled.to_ascii_lowercase();
            if !labels.split('.').all(is_label) {
                return Err(bad(UrlRefused::HostName));
            }
            url.push_str(&labels);
        }
    }
    let port = if computed { None } else { written_port(&endpoint.url) };
    let checked = check_url_text(&url, port).map_err(bad)?;
    if computed && !endpoint.public_host {
        // An empty list allows nothing: the catalog asks for one wherever a host is computed.
        if !endpoint.allow.iter().any(|p| host_allowed(p, &checked.host)) {
            return Err(bad(UrlRefused::HostNotAllowed));
        }
    }
    if checked.url.query().is_some() {
        return Err(bad(UrlRefused::Path));
    }
    Ok(Target { base: checked.url.as_str().trim_end_matches('/').to_owned(), host: checked.host, plain: false })
}

/// For a preview of a connection that has no credentials or token yet: the template itself. Never sent.
fn shown(plan: &Plan, at: usize) -> Target {
    let endpoint = plan.endpoint(at).1;
    Target { base: endpoint.url.trim_end_matches('/').to_owned(), host: String::new(), plain: false }
}

/// What a merchant may paste where a host is asked for: with or without the scheme, with or without a path.
fn typed_host(text: &str, keep_path: bool) -> Cow<'_, str> {
    let text = text.trim();
    let text = text.get(..8).filter(|s| s.eq_ignore_ascii_case("https://")).map_or(text, |s| &text[s.len()..]);
    let text = text.trim_end_matches('/');
    match text.split_once('/') {
        Some((host, _)) if !keep_path => Cow::Borrowed(host),
        _ => Cow::Borrowed(text),
    }
}

/// The place stands between `https://` and the end of the host.
fn place_is_whole_host(url: &[Part]) -> bool {
    match url {
        [Part::Text(scheme), Part::Place(_)] => scheme == "https://",
        [Part::Text(scheme), Part::Place(_), Part::Text(rest), ..] => scheme == "https://" && rest.starts_with('/'),
        _ => false,
    }
}

/// The port that the manifest itself writes.
fn written_port(url: &str) -> Option<u16> {
    let host = url.strip_prefix("https://")?.split('/').next()?;
    host.rsplit_once(':')?.1.parse().ok()
}
