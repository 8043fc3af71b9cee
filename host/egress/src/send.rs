//! Check 13: the only place from which bytes leave. Says of every failure whether the vendor may have seen the request.

use std::error::Error;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use tokio::time::Duration;
use url::Url;

use crate::answer::{Raw, ReadFailed, read};
use crate::error::{Refusal, Stop};
use crate::net::{AddressRefused, ResolveRefused};
use crate::session::Core;
use crate::target::Target;

/// One request, complete. No `Debug`: it holds credentials.
pub(crate) struct Outgoing {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Option<Bytes>,
    pub timeout: Duration,
    pub max_bytes: usize,
}

/// No answer, and whether bytes of the request may have reached the vendor.
#[derive(Debug)]
pub(crate) struct Failed {
    pub why: Stop,
    pub sent: bool,
}

impl Core {
    pub(crate) async fn transmit(&self, slug: &std::sync::Arc<str>, target: &Target, out: Outgoing) -> Result<Raw, Failed> {
        let origin = out.url.origin().ascii_serialization();
        let client = self.clients.get(slug, &origin, target.plain).map_err(|error| {
            tracing::error!(egress.error = %error, "no HTTP client could be built");
            Failed { why: Stop::Unreachable, sent: false }
        })?;
        let mut request = reqwest::Request::new(out.method, out.url);
        *request.headers_mut() = out.headers;
        let headers = request.headers_mut();
        headers.entry(header::ACCEPT_ENCODING).or_insert(HeaderValue::from_static("gzip, deflate, br"));
        if let Some(body) = out.body {
            *request.body_mut() = Some(body.into());
        }
        let exchange = async {
            let response = client.execute(request).await.map_err(|e| failed(e, &target.host))?;
            read(response, out.max_bytes).await.map_err(|failed| Failed {
                why: match failed {
                    ReadFailed::TooLarge => Stop::TooLarge,
                    ReadFailed::Cut => Stop::Unreachable,
                    ReadFailed::TimedOut => Stop::TimedOut,
                },
                sent: true,
            })
        };
        tokio::time::timeout(out.timeout.min(self.timeouts.total), exchange)
            .await
            .unwrap_or(Err(Failed { why: Stop::TimedOut, sent: true }))
    }
}

/// Reads the client's error without ever printing it: its text holds the URL.
fn failed(error: reqwest::Error, host: &str) -> Failed {
    let mut source: Option<&(dyn Error + 'static)> = error.source();
    while let Some(cause) = source {
        if let Some(refused) = cause.downcast_ref::<ResolveRefused>() {
            let why = match refused {
                ResolveRefused::Address(why) => Refusal::Address { host: host.to_owned(), why: AddressRefused::clone(why) }.into(),
                ResolveRefused::Lookup(_) => Stop::Unreachable,
                ResolveRefused::TimedOut => Stop::TimedOut,
            };
            return Failed { why, sent: false };
        }
        source = cause.source();
    }
    let why = if error.is_timeout() { Stop::TimedOut } else { Stop::Unreachable };
    Failed { why, sent: !(error.is_connect() || error.is_builder()) }
}
