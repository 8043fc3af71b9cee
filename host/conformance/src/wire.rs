//! The request that egress shows against the one that a fixture expects: method, endpoint, path, sorted query, headers, body.

use crm_catalog::model::{Call, Manifest};
use crm_contract::ports::ShownRequest;
use serde_json::Value;
use url::form_urlencoded;

use crate::compare::{differences as json_differences, pair_differences};
use crate::failure::Found;
use crate::fixture::ExpectedRequest;

/// Each thing that differs, by its place in the fixture's request.
pub(crate) fn differences(manifest: &Manifest, call: &Call, expected: &ExpectedRequest, shown: &ShownRequest) -> Vec<Found> {
    let (host, path, query) = parts(&shown.url);
    let mut found = Vec::new();
    let mut differ = |what: &str, expected: &str, actual: &str| {
        if expected != actual {
            let place = if what == "host" { "/endpoint".to_owned() } else { format!("/{what}") };
            found.push(Found::new(place, format!("{what} {actual:?} instead of {expected:?}")));
        }
    };
    differ("method", &expected.method, &shown.method);
    differ("path", &expected.path, path);
    match expected.endpoint.split_once('@') {
        None => differ("endpoint", &expected.endpoint, &call.endpoint),
        Some((name, choice)) => {
            differ("endpoint", name, &call.endpoint);
            let chosen = manifest.endpoint(name).and_then(|endpoint| endpoint.choices.get(choice));
            differ("host", chosen.map_or("(no such choice)", String::as_str), host);
        }
    }
    found.extend(pair_differences("query", &expected.query, &decoded(query)));
    found.extend(header_differences(call, expected, shown));
    found.extend(body_differences(expected, shown.body.as_deref()));
    found
}

/// Host, path and query. A URL parser would refuse the places that a template keeps where no value is known, as in
/// `https://{derived:dc}.acme.example`.
pub(crate) fn parts(url: &str) -> (&str, &str, &str) {
    // The whole base may be one place: `{token.base}`.
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let slash = rest.find('/').unwrap_or(rest.len());
    let (host, path) = rest.split_at(slash);
    (host, if path.is_empty() { "/" } else { path }, query)
}

/// Headers that the guest may set, and whatever else the fixture names (such as `"api-key": "{secret:api_key}"`).
fn header_differences(call: &Call, expected: &ExpectedRequest, shown: &ShownRequest) -> Vec<Found> {
    let lower = |pairs: &[(String, String)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect()
    };
    let expected = lower(&expected.headers);
    let mut actual = lower(&shown.headers);
    actual.retain(|(name, _)| {
        call.headers.iter().any(|header| header.eq_ignore_ascii_case(name)) || expected.iter().any(|(wanted, _)| wanted == name)
    });
    pair_differences("headers", &expected, &actual)
}

fn body_differences(expected: &ExpectedRequest, shown: Option<&str>) -> Vec<Found> {
    match (&expected.body, &expected.form, shown) {
        (Some(body), None, Some(text)) => match serde_json::from_str::<Value>(text) {
            Err(error) => vec![Found::new("/body", format!("{text:?} is no JSON: {error}"))],
            // A null that is sent wipes a field at many vendors, so unlike in results it is not the same as nothing.
            Ok(actual) if &actual == body => Vec::new(),
            Ok(actual) => {
                let named = json_differences(body, &actual);
                if named.is_empty() {
                    return vec![Found::new("/body", format!("{actual} instead of {body}"))];
                }
                named.into_iter().map(|found| found.below("/body")).collect()
            }
        },
        (None, Some(form), Some(text)) => pair_differences("form", form, &decoded(text)),
        (None, None, None | Some("")) => Vec::new(),
        (_, Some(_), text) => vec![Found::new("/form", format!("the guest sent {}", text.unwrap_or("no body")))],
        (_, None, text) => vec![Found::new("/body", format!("the guest sent {}", text.unwrap_or("no body")))],
    }
}

fn decoded(text: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}
