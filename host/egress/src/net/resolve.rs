//! Names to addresses. Every answer is checked, and the HTTP client can dial nothing but the answers that passed: it has no
//! other resolver. A check and a later second lookup would leave a gap (DNS rebinding); here there is none.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hickory_resolver::TokioResolver;

use super::address::{AddressRefused, check_address};
use super::own::OwnAddresses;
use crate::error::EgressError;

/// Most addresses that one name may have.
pub(super) const MAX_ANSWERS: usize = 16;

/// A name has no usable address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    #[error("the name does not exist or has no address")]
    NotFound,
    #[error("the name could not be looked up: {0}")]
    Failed(String),
}

/// Looks a DNS name up. The caller checks and caps the answers.
#[async_trait]
pub trait Resolve: Send + Sync {
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError>;
}

/// The system's name servers, asked directly; `/etc/hosts` is not read, so that it cannot point a vendor elsewhere.
pub struct SystemResolver {
    inner: TokioResolver,
}

impl SystemResolver {
    pub fn new() -> Result<Self, EgressError> {
        let mut builder = TokioResolver::builder_tokio().map_err(|e| EgressError::Resolver(e.to_string()))?;
        let options = builder.options_mut();
        options.use_hosts_file = hickory_resolver::config::ResolveHosts::Never;
        options.cache_size = 4_096;
        options.ndots = 0;
        let inner = builder.build().map_err(|e| EgressError::Resolver(e.to_string()))?;
        Ok(Self { inner })
    }
}

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        // The final dot keeps search domains out.
        match self.inner.lookup_ip(format!("{name}.")).await {
            Ok(found) => Ok(found.iter().collect()),
            Err(error) if error.is_no_records_found() => Err(ResolveError::NotFound),
            Err(error) => Err(ResolveError::Failed(error.to_string())),
        }
    }
}

/// What the checked resolver tells the HTTP client's error chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error(transparent)]
    Address(#[from] AddressRefused),
    #[error(transparent)]
    Lookup(#[from] ResolveError),
    #[error("the name was not looked up in time")]
    TimedOut,
}

/// Looks up, checks all answers, and only then hands them out.
#[derive(Clone)]
pub(crate) struct CheckedResolver {
    pub inner: Arc<dyn Resolve>,
    pub own: Arc<OwnAddresses>,
    pub timeout: Duration,
}

impl CheckedResolver {
    pub(crate) async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Refused> {
        let mut found = tokio::time::timeout(self.timeout, self.inner.resolve(name)).await.map_err(|_| Refused::TimedOut)??;
        if found.is_empty() {
            return Err(ResolveError::NotFound.into());
        }
        for address in &found {
            check_address(*address)?;
            if self.own.holds(*address) {
                return Err(AddressRefused::Own(*address).into());
            }
        }
        found.truncate(MAX_ANSWERS);
        Ok(found)
    }
}

impl reqwest::dns::Resolve for CheckedResolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let this = self.clone();
        Box::pin(async move {
            let found = this.addresses(name.as_str()).await?;
            // Port 0: the client puts the URL's own port there.
            let addresses: reqwest::dns::Addrs = Box::new(found.into_iter().map(|ip| SocketAddr::new(ip, 0)));
            Ok(addresses)
        })
    }
}
