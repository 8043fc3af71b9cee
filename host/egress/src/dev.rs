//! Endpoints on loopback, for the author's commands, the demo and tests. What serves merchants takes them as [`DevEndpoints`], and in a
//! build without the feature `dev-endpoints` that type has no value: there nothing can point a merchant's connector at this machine.

use std::collections::HashMap;

use url::{Host, Url};

use crate::error::EgressError;

const WEBHOOKS: &str = "webhooks=http://127.0.0.1";

/// Loopback servers that stand in for vendors: `(connector, endpoint)` -> base URL. An endpoint named `api@eu` stands for
/// one choice, `api` for all of them.
#[derive(Clone, Debug, Default)]
pub struct Loopback {
    by_name: HashMap<(String, String), String>,
    webhooks: bool,
}

impl Loopback {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one. Only `http` on a loopback address (in digits, not a name) is accepted.
    pub fn with(mut self, connector: &str, endpoint: &str, url: &str) -> Result<Self, EgressError> {
        let refuse = || EgressError::NotLoopback { endpoint: format!("{connector}/{endpoint}"), url: url.to_owned() };
        let parsed = Url::parse(url).map_err(|_| refuse())?;
        let loopback = match parsed.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            _ => false,
        };
        if !loopback
            || parsed.scheme() != "http"
            || parsed.query().is_some()
            || parsed.fragment().is_some()
            || !parsed.username().is_empty()
            || parsed.password().is_some()
        {
            return Err(refuse());
        }
        self.by_name.insert((connector.to_owned(), endpoint.to_owned()), parsed.as_str().trim_end_matches('/').to_owned());
        Ok(self)
    }

    /// Lets merchants' webhooks go to any port of this machine: `http://127.0.0.1:PORT/...` and `http://localhost:PORT/...`.
    #[must_use]
    pub fn with_webhooks(mut self) -> Self {
        self.webhooks = true;
        self
    }

    pub(crate) fn webhooks(&self) -> bool {
        self.webhooks
    }

    /// From words such as `acme.api=http://127.0.0.1:8080/v1` or `acme.api@eu=...`. The word `webhooks=http://127.0.0.1` stands for
    /// [`Self::with_webhooks`].
    pub fn parse<S: AsRef<str>>(words: &[S]) -> Result<Self, EgressError> {
        words.iter().try_fold(Self::new(), |all, word| {
            let word = word.as_ref();
            if word == WEBHOOKS {
                return Ok(all.with_webhooks());
            }
            let parts = word.split_once('=').and_then(|(name, url)| Some((name.split_once('.')?, url)));
            let Some(((connector, endpoint), url)) = parts else {
                return Err(EgressError::NotLoopback { endpoint: word.to_owned(), url: String::new() });
            };
            all.with(connector, endpoint, url)
        })
    }

    pub(crate) fn find(&self, connector: &str, endpoint: &str, choice: Option<&str>) -> Option<&str> {
        let get = |name: String| self.by_name.get(&(connector.to_owned(), name)).map(String::as_str);
        choice.and_then(|c| get(format!("{endpoint}@{c}"))).or_else(|| get(endpoint.to_owned()))
    }
}

/// What a host that serves merchants may be given.
#[cfg(feature = "dev-endpoints")]
pub use Loopback as DevEndpoints;

#[cfg(feature = "dev-endpoints")]
impl Loopback {
    pub(crate) fn loopback(self) -> Self {
        self
    }
}

/// Uninhabited: a released host has no endpoints on loopback.
#[cfg(not(feature = "dev-endpoints"))]
#[derive(Clone, Debug)]
pub enum DevEndpoints {}

#[cfg(not(feature = "dev-endpoints"))]
impl DevEndpoints {
    pub(crate) fn loopback(self) -> Loopback {
        match self {}
    }
}
