//! The same address rules for URLs that no manifest knows, such as a merchant's webhook. Looks names up; dials nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::own::OwnAddresses;
use super::resolve::{CheckedResolver, Refused, Resolve, ResolveError};
use super::{AddressRefused, CheckedUrl, UrlRefused, check_url_text};

/// Why a URL may not be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// Ask for another URL.
    #[error(transparent)]
    Url(#[from] UrlRefused),
    /// Ask for another URL.
    #[error(transparent)]
    Address(#[from] AddressRefused),
    /// Try again later.
    #[error(transparent)]
    Lookup(#[from] ResolveError),
    /// Try again later.
    #[error("the name was not looked up in time")]
    TimedOut,
}

/// A URL with the only addresses that may be dialled for it. TLS server name and `Host` stay the URL's host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    pub url: CheckedUrl,
    pub addresses: Vec<SocketAddr>,
}

/// Checks `url` as rules 1, 2 and 5 of egress do and looks its name up, once, within two seconds.
pub async fn check_url(resolver: Arc<dyn Resolve>, own: Arc<OwnAddresses>, url: &str) -> Result<Pinned, GuardError> {
    let url = check_url_text(url, None)?;
    let checked = CheckedResolver { inner: resolver, own, timeout: Duration::from_secs(2) };
    let found = checked.addresses(&url.host).await.map_err(|refused| match refused {
        Refused::Address(e) => GuardError::Address(e),
        Refused::Lookup(e) => GuardError::Lookup(e),
        Refused::TimedOut => GuardError::TimedOut,
    })?;
    let addresses = found.into_iter().map(|ip| SocketAddr::new(ip, url.port)).collect();
    Ok(Pinned { url, addresses })
}
