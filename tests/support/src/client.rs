//! A blocking HTTP client for loopback: every status is an answer, JSON in and out, an optional bearer key.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Longest that one answer may take. Nothing on loopback needs this; it turns a hang into a failure.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Longest answer that is read.
const MAX_BODY: u64 = 64 << 20;

#[derive(Clone, Debug)]
pub struct Client {
    agent: ureq::Agent,
    base: String,
    bearer: Option<String>,
}

/// What came back, whatever the status.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub text: String,
}

impl Answer {
    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// The body as JSON if the status is 2xx, else an error that shows status and body.
    pub fn good(&self) -> Result<Value> {
        if !(200..300).contains(&self.status) {
            bail!("status {}: {}", self.status, self.text.trim());
        }
        Ok(self.json())
    }

    /// A response header as text; empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }
}

impl Client {
    /// Paths of later calls are appended to `base` (`http://127.0.0.1:PORT`).
    pub fn new(base: &str) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(TIMEOUT)).build();
        Self { agent: config.new_agent(), base: base.trim_end_matches('/').to_owned(), bearer: None }
    }

    /// The same client with an API key.
    pub fn with_key(&self, key: &str) -> Self {
        Self { bearer: Some(key.to_owned()), ..self.clone() }
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    pub fn get(&self, path: &str) -> Result<Answer> {
        self.send("GET", path, &[], None)
    }

    pub fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send("POST", path, &[("content-type", "application/json")], Some(&body.to_string()))
    }

    /// Posts text of another type, such as `text/csv`.
    pub fn post_text(&self, path: &str, content_type: &str, body: &str) -> Result<Answer> {
        self.send("POST", path, &[("content-type", content_type)], Some(body))
    }

    /// Posts a file of any size, and waits for its answer as long as it takes.
    pub fn post_file(&self, path: &str, content_type: &str, file: &Path) -> Result<Answer> {
        let url = format!("{}{path}", self.base);
        let body = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut request = http::Request::builder().method("POST").uri(&url).header("content-type", content_type);
        if let Some(key) = &self.bearer {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let request = request.body(body).with_context(|| format!("POST {url}"))?;
        let request = self.agent.configure_request(request).timeout_global(None).build();
        let mut response = self.agent.run(request).with_context(|| format!("POST {url}"))?;
        let text = response.body_mut().with_config().limit(MAX_BODY).read_to_string().with_context(|| format!("POST {url}: body"))?;
        Ok(Answer { status: response.status().as_u16(), headers: response.headers().clone(), text })
    }

    /// An answer of any length, to be read piece by piece.
    pub fn download(&self, path: &str) -> Result<impl Read + use<>> {
        let url = format!("{}{path}", self.base);
        let mut request = self.agent.get(&url);
        if let Some(key) = &self.bearer {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let response = request.config().timeout_global(None).build().call().with_context(|| format!("GET {url}"))?;
        let status = response.status();
        let mut reader = response.into_body().into_with_config().limit(u64::MAX).reader();
        if !status.is_success() {
            let mut text = String::new();
            reader.read_to_string(&mut text).with_context(|| format!("GET {url}: body"))?;
            bail!("GET {url}: status {status}: {}", text.trim());
        }
        Ok(reader)
    }

    pub fn delete(&self, path: &str) -> Result<Answer> {
        self.send("DELETE", path, &[], None)
    }

    /// Any method, any headers. An error means that no whole answer came.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Result<Answer> {
        let url = format!("{}{path}", self.base);
        let mut request = http::Request::builder().method(method).uri(&url);
        if let Some(key) = &self.bearer {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answered = match body {
            Some(body) => {
                let request = request.body(body.to_owned()).with_context(|| format!("{method} {url}"))?;
                self.agent.run(self.agent.configure_request(request).allow_non_standard_methods(true).build())
            }
            None => self.agent.run(request.body(()).with_context(|| format!("{method} {url}"))?),
        };
        let mut response = answered.with_context(|| format!("{method} {url}"))?;
        let text = response.body_mut().with_config().limit(MAX_BODY).read_to_string().with_context(|| format!("{method} {url}: body"))?;
        Ok(Answer { status: response.status().as_u16(), headers: response.headers().clone(), text })
    }
}
