//! Routes with path parameters, and a request as a vendor looks at it.

use std::collections::BTreeMap;

use http::{HeaderMap, Method};
use url::form_urlencoded;

use crate::book::Role;

/// One endpoint of a vendor.
pub struct Route {
    pub method: Method,
    /// Segments that are `{}` stand for anything; what they hold is handed to the vendor, decoded.
    pub path: &'static str,
    /// `METHOD /path`: its name in the log, the counters and fault scripts.
    pub name: &'static str,
    pub role: Role,
}

/// `route!(PUT, "/3.0/lists/{}/members/{}", Save)`: its name is `PUT /3.0/lists/{}/members/{}`.
#[macro_export]
macro_rules! route {
    ($method:ident, $path:literal, $role:ident) => {
        $crate::core::Route {
            method: ::http::Method::$method,
            path: $path,
            name: concat!(stringify!($method), " ", $path),
            role: $crate::book::Role::$role,
        }
    };
}

/// A request that has found its route.
pub struct Asked<'a> {
    pub route: usize,
    /// What stands for each `{}` of the route's path, decoded.
    pub params: Vec<String>,
    pub path: &'a str,
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

impl Asked<'_> {
    /// A header's text; empty when it is absent or no text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The query, decoded; of repeated keys the last.
    pub fn queries(&self) -> BTreeMap<String, String> {
        form_urlencoded::parse(self.query.as_bytes()).into_owned().collect()
    }

    /// A form body, decoded; of repeated keys the last.
    pub fn form(&self) -> BTreeMap<String, String> {
        form_urlencoded::parse(self.body).into_owned().collect()
    }

    /// A JSON body, or nothing when it is none.
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(self.body).ok()
    }

    /// A path parameter by its place.
    pub fn param(&self, place: usize) -> &str {
        self.params.get(place).map_or("", String::as_str)
    }

    /// User and password of HTTP Basic.
    pub fn basic(&self) -> Option<(String, String)> {
        let text = decode64(self.header("authorization").strip_prefix("Basic ")?)?;
        let (user, password) = text.split_once(':')?;
        Some((user.to_owned(), password.to_owned()))
    }
}

/// A request taken apart, to be answered later.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    pub params: Vec<String>,
    pub query: BTreeMap<String, String>,
    /// `Null` when the body is empty or no JSON.
    pub json: serde_json::Value,
    pub form: BTreeMap<String, String>,
    pub content_type: String,
    /// There is a body, of whatever kind.
    pub has_body: bool,
}

impl Taken {
    pub fn of(asked: &Asked<'_>) -> Self {
        let content_type = asked.header("content-type").split(';').next().unwrap_or_default().trim().to_lowercase();
        let is_form = content_type == "application/x-www-form-urlencoded";
        Self {
            params: asked.params.clone(),
            query: asked.queries(),
            json: asked.json().unwrap_or_default(),
            form: if is_form { asked.form() } else { BTreeMap::new() },
            content_type,
            has_body: !asked.body.is_empty(),
        }
    }

    /// A path parameter by its place.
    pub fn param(&self, place: usize) -> &str {
        self.params.get(place).map_or("", String::as_str)
    }

    /// A query parameter; empty when it is absent.
    pub fn query(&self, key: &str) -> &str {
        self.query.get(key).map_or("", String::as_str)
    }

    /// A number in the query, or the vendor's default.
    pub fn number(&self, key: &str, default: usize) -> usize {
        self.query.get(key).and_then(|value| value.parse().ok()).unwrap_or(default)
    }

    /// Text at a JSON pointer of the body; empty when there is none.
    pub fn text(&self, pointer: &str) -> &str {
        self.json.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default()
    }
}

/// The route of a request, or whether another method would have found one. Exact segments win over `{}`.
pub(crate) fn find(routes: &[Route], method: &Method, path: &str) -> Result<(usize, Vec<String>), bool> {
    let mut path_exists = false;
    let mut best: Option<(usize, Vec<String>)> = None;
    for (index, route) in routes.iter().enumerate() {
        let Some(params) = params(route.path, path) else { continue };
        path_exists = true;
        if route.method == *method && best.as_ref().is_none_or(|(_, found)| params.len() < found.len()) {
            best = Some((index, params));
        }
    }
    best.ok_or(path_exists)
}

fn params(template: &str, path: &str) -> Option<Vec<String>> {
    let mut params = Vec::new();
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(params),
            (Some("{}"), Some(segment)) if !segment.is_empty() => params.push(decoded(segment)?),
            (Some(segment), Some(found)) if segment == found => {}
            _ => return None,
        }
    }
}

/// A path segment: unlike in a form, `+` is a plus.
fn decoded(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let hex = [rest.next()?, rest.next()?];
        bytes.push(u8::from_str_radix(std::str::from_utf8(&hex).ok()?, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

fn decode64(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0u32, 0u32);
    for byte in text.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff).ok()?);
            bits &= (1 << held) - 1;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    static ROUTES: &[Route] =
        &[route!(GET, "/lists/{}", Other), route!(GET, "/lists/all", Other), route!(PUT, "/lists/{}/members/{}", Save)];

    #[test]
    fn parameters_are_decoded_and_exact_segments_win() {
        assert_eq!(find(ROUTES, &Method::GET, "/lists/7"), Ok((0, vec!["7".to_owned()])));
        assert_eq!(find(ROUTES, &Method::GET, "/lists/all"), Ok((1, vec![])));
        let found = find(ROUTES, &Method::PUT, "/lists/7/members/a%2Bb%40c+d");
        assert_eq!(found, Ok((2, vec!["7".to_owned(), "a+b@c+d".to_owned()])));
    }

    #[test]
    fn a_wrong_method_and_an_unknown_path_are_told_apart() {
        assert_eq!(find(ROUTES, &Method::POST, "/lists/7"), Err(true));
        assert_eq!(find(ROUTES, &Method::GET, "/lists/7/"), Err(false));
        assert_eq!(find(ROUTES, &Method::GET, "/lists/"), Err(false));
    }

    #[test]
    fn basic_credentials_are_read() {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "Basic YW55OmtleS11czY=".parse().expect("header"));
        let asked = Asked { route: 0, params: Vec::new(), path: "/", query: "", headers: &headers, body: b"" };
        assert_eq!(asked.basic(), Some(("any".to_owned(), "key-us6".to_owned())));
    }
}
