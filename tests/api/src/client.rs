//! Requests and answers, in memory.

use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::Value;

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    /// The body as JSON; `Null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    /// The stable code of a problem.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Asserts that this is a well-formed problem, and answers its code.
    pub fn problem(&self, what: &str) -> String {
        assert!(self.status.is_client_error() || self.status.is_server_error(), "{what}: {} {}", self.status, self.text);
        assert_eq!(self.header("content-type"), "application/problem+json", "{what}: {}", self.text);
        let json = self.json();
        let code = self.code();
        assert!(!code.is_empty() && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{what}: {}", self.text);
        assert_eq!(json["type"], format!("urn:crm-host:problem:{code}"), "{what}");
        assert_eq!(json["status"], self.status.as_u16(), "{what}");
        assert_eq!(json["request_id"], self.header("x-request-id"), "{what}");
        for key in ["title", "detail", "request_id"] {
            assert!(json[key].as_str().is_some_and(|t| !t.is_empty()), "{what}: {key} in {}", self.text);
        }
        code
    }
}

/// A request with a key and, unless `Null`, a JSON body.
pub fn json_request(method: &Method, path: &str, key: &str, body: &Value) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !key.is_empty() {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    let body = if body.is_null() {
        Body::empty()
    } else {
        request = request.header("content-type", "application/json");
        Body::from(body.to_string())
    };
    request.body(body).unwrap_or_default()
}

/// A form as a browser sends it from a page of this host.
pub fn form_request(path: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded").header("sec-fetch-site", "same-origin");
    request.body(Body::from(pairs.join("&"))).unwrap_or_default()
}

fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
