//! The request that egress shows against the one that a fixture expects: method, endpoint, path, sorted query, headers, body.

use crm_catalog::model::{Call, Manifest};
use crm_contract::ports::ShownRequest;
use serde_json::Value;
use url::{Url, form_urlencoded};

use crate::compare::{differences as json_differences, pair_differences};
use crate::fixture::ExpectedRequest;

/// One line for each thing that differs.
pub(crate) fn differences(manifest: &Manifest, call: &Call, expected: &ExpectedRequest, shown: &ShownRequest) -> Vec<String> {
    let Ok(url) = Url::parse(&shown.url) else { return vec![format!("the URL {:?} cannot be read", shown.url)] };
    let mut found = Vec::new();
    let mut differ = |what: &str, expected: &str, actual: &str| {
        if expected != actual {
            found.push(format!("{what}: {actual:?} instead of {expected:?}"));
        }
    };
    differ("method", &expected.method, &shown.method);
    differ("path", &expected.path, url.path());
    match expected.endpoint.split_once('@') {
        None => differ("endpoint", &expected.endpoint, &call.endpoint),
        Some((name, choice)) => {
            differ("endpoint", name, &call.endpoint);
            let host = manifest.endpoint(name).and_then(|endpoint| endpoint.choices.get(choice));
            differ("host", host.map_or("(no such choice)", String::as_str), url.host_str().unwrap_or_default());
        }
    }
    found.extend(pair_differences("query", &expected.query, &decoded(url.query().unwrap_or_default())));
    found.extend(header_differences(call, expected, shown));
    found.extend(body_differences(expected, shown.body.as_deref()));
    found
}

/// Headers that the guest may set, and whatever else the fixture names (such as `"api-key": "{secret:api_key}"`).
fn header_differences(call: &Call, expected: &ExpectedRequest, shown: &ShownRequest) -> Vec<String> {
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

fn body_differences(expected: &ExpectedRequest, shown: Option<&str>) -> Vec<String> {
    match (&expected.body, &expected.form, shown) {
        (Some(body), None, Some(text)) => match serde_json::from_str::<Value>(text) {
            Err(error) => vec![format!("body: {text:?} is no JSON: {error}")],
            // A null that is sent wipes a field at many vendors, so unlike in results it is not the same as nothing.
            Ok(actual) if &actual == body => Vec::new(),
            Ok(actual) => {
                let named = json_differences(body, &actual);
                vec![format!("body: {}", if named.is_empty() { format!("{actual} instead of {body}") } else { named.join(", ") })]
            }
        },
        (None, Some(form), Some(text)) => pair_differences("form", form, &decoded(text)),
        (None, None, None | Some("")) => Vec::new(),
        (_, _, text) => vec![format!("body: the guest sent {}", text.unwrap_or("none"))],
    }
}

fn decoded(text: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}
