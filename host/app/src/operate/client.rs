//! The operator's side of the host's API: one request, its answer in full, and nothing that could carry the key elsewhere.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Method, Url};
use serde_json::Value;

use super::args::HostArgs;

const CONNECT: Duration = Duration::from_secs(10);
/// A host proves a file before it answers.
const TOTAL: Duration = Duration::from_secs(600);
/// An answer is a page of a list at most.
const MOST: usize = 8 << 20;
/// A journal file of some thousand syncs.
const MOST_TEXT: usize = 256 << 20;
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

pub(crate) struct Host {
    http: reqwest::Client,
    base: String,
    key: HeaderValue,
}

/// Whatever came back.
pub(super) struct Answer {
    pub(super) status: u16,
    /// `null` where there is none.
    pub(super) json: Value,
}

impl Answer {
    pub(super) fn good(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Host {
    pub(crate) fn new(args: &HostArgs) -> Result<Self> {
        let shown = &args.url;
        let url: Url = args.url.parse().with_context(|| format!("--host {shown} is no address: write https://HOST"))?;
        let here = match url.host() {
            None => bail!("--host {shown} names no host: write https://HOST"),
            Some(host) => host.to_string() == "localhost" || address(&host.to_string()).is_some_and(|ip| ip.is_loopback()),
        };
        match url.scheme() {
            "https" => {}
            "http" if here => {}
            "http" => {
                bail!("--host {shown}: the key would cross the network in the clear: use https:// (http:// is for this machine only)")
            }
            other => bail!("--host {shown}: `{other}` is not spoken here: use https://"),
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            bail!("--host is an address without a login, `?` and `#`");
        }
        let mut key =
            HeaderValue::from_str(&format!("Bearer {}", args.key.trim())).ok().context("--key is no key: it holds line breaks")?;
        key.set_sensitive(true);
        let http = http(here).context("the HTTP client cannot be made")?;
        Ok(Self { http, base: url.as_str().trim_end_matches('/').to_owned(), key })
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, HeaderMap::new(), Vec::new()).await
    }

    pub(super) async fn delete(&self, path: &str) -> Result<Answer> {
        self.send(Method::DELETE, path, HeaderMap::new(), Vec::new()).await
    }

    /// Sent twice by whatever lies between, it has one effect.
    pub(super) async fn post(&self, path: &str, mut headers: HeaderMap, body: Vec<u8>) -> Result<Answer> {
        let once = format!("{:032x}", rand::random::<u128>());
        headers.insert(IDEMPOTENCY_KEY, HeaderValue::from_str(&once).context("the Idempotency-Key cannot be made")?);
        self.send(Method::POST, path, headers, body).await
    }

    /// An answer that is text, such as a journal file.
    pub(crate) async fn text(&self, path: &str) -> Result<String> {
        let (status, text) = self.fetch(Method::GET, path, HeaderMap::new(), Vec::new(), MOST_TEXT).await?;
        if !(200..300).contains(&status) {
            let answer = Answer { status, json: serde_json::from_slice(&text).unwrap_or(Value::Null) };
            bail!("{}", super::words::refused(&answer));
        }
        String::from_utf8(text).context("the host's answer is no text")
    }

    async fn send(&self, method: Method, path: &str, headers: HeaderMap, body: Vec<u8>) -> Result<Answer> {
        let (status, text) = self.fetch(method, path, headers, body, MOST).await?;
        Ok(Answer { status, json: serde_json::from_slice(&text).unwrap_or(Value::Null) })
    }

    async fn fetch(&self, method: Method, path: &str, headers: HeaderMap, body: Vec<u8>, most: usize) -> Result<(u16, Vec<u8>)> {
        let url = format!("{}{path}", self.base);
        let failed = |error: reqwest::Error| anyhow::Error::new(error.without_url()).context(format!("{} cannot be reached", self.base));
        let request = self.http.request(method, &url).header(AUTHORIZATION, self.key.clone()).headers(headers);
        let request = if body.is_empty() { request } else { request.body(body) };
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status();
        if status.is_redirection() {
            bail!("{url} answers with a redirect ({status}): give --host the address where the host itself answers");
        }
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            text.extend_from_slice(&chunk);
            if text.len() > most {
                bail!("{url} answers more than {most} bytes");
            }
        }
        Ok((status.as_u16(), text))
    }
}

/// As it stands in an address: IPv6 in brackets.
fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

#[expect(clippy::disallowed_methods, reason = "this speaks to a crm-host as its operator; egress speaks to vendors, by their manifests")]
fn http(here: bool) -> reqwest::Result<reqwest::Client> {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("crm-host/", env!("CARGO_PKG_VERSION")))
        .https_only(!here)
        .redirect(Policy::none())
        .referer(false)
        .connect_timeout(CONNECT)
        .timeout(TOTAL);
    // What is on this machine is reached directly.
    let builder = if here { builder.no_proxy() } else { builder };
    builder.build()
}
