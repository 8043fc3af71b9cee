//! People without a key: where they come from, how often they may apply, what they send, and how long they wait for an answer.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Request};
use axum::response::Response;
use crm_sync::client::ClientAddr;
use crm_sync::context::Context;
use crm_sync::domain::{Actor, ActorKind};
use crm_sync::quota::{Buckets, Rate};
use http::request::Parts;
use http::{Extensions, HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::Instant;

use crate::Site;
use crate::layout::public_message;
use crate::stamp::Stamps;

/// A form with every field at its longest, in a script whose letters take many bytes.
const FORM_BYTES: usize = 48 * 1024;
/// A form must be there within this.
const FORM_WAIT: Duration = Duration::from_secs(20);
/// Addresses, and programs, that are counted apart.
const MOST_ADDRESSES: usize = 65_536;
const MOST_PROGRAMS: usize = 16_384;

/// How often people may apply, and how answers are timed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcoming {
    /// Applications from one address (IPv6: from one /64).
    pub address: Rate,
    /// Applications to one program.
    pub program: Rate,
    /// Answers to an application leave at whole multiples of this after it came, so that their timing says nothing about who is known.
    pub beat: Duration,
}

impl Default for Welcoming {
    fn default() -> Self {
        Self {
            address: Rate { amount: 10, window_s: 600 },
            program: Rate { amount: 300, window_s: 3_600 },
            beat: Duration::from_millis(150),
        }
    }
}

pub(crate) struct Visitors {
    pub(crate) stamps: Stamps,
    addresses: Buckets<ClientAddr>,
    programs: Buckets<String>,
    beat: Duration,
}

impl Visitors {
    pub(crate) fn new(welcoming: &Welcoming) -> Arc<Self> {
        Arc::new(Self {
            stamps: Stamps::new(),
            addresses: Buckets::new(welcoming.address, MOST_ADDRESSES),
            programs: Buckets::new(welcoming.program, MOST_PROGRAMS),
            beat: welcoming.beat,
        })
    }

    /// Counts one application. `Err` = too many of late; the seconds to wait.
    pub(crate) fn admit(&self, from: Option<ClientAddr>, program: &str, now: u64) -> Result<(), u32> {
        if let Some(from) = from {
            self.addresses.take(from.network(), now).map_err(|standing| standing.next_s)?;
        }
        self.programs.take(program.to_owned(), now).map_err(|standing| standing.next_s)?;
        Ok(())
    }

    /// Waits until an answer to what came at `began` may leave.
    pub(crate) async fn settle(&self, began: Instant) {
        tokio::time::sleep(until_beat(self.beat, began.elapsed())).await;
    }
}

/// From `gone` to the next whole multiple of `beat`.
fn until_beat(beat: Duration, gone: Duration) -> Duration {
    let beat = beat.as_micros();
    if beat == 0 {
        return Duration::ZERO;
    }
    Duration::from_micros(u64::try_from(beat - gone.as_micros() % beat).unwrap_or(0))
}

/// Where a request comes from, trusted proxies passed over; `None` in memory.
pub(crate) fn client_ip(extensions: &Extensions) -> Option<ClientAddr> {
    extensions.get::<ClientAddr>().copied().filter(|from| *from != ClientAddr::UNKNOWN)
}

/// What services work with, on behalf of somebody without a key.
pub(crate) fn on_behalf(context: &Context, from: Option<ClientAddr>) -> Context {
    context.by(Actor { kind: ActorKind::Public, id: String::new(), ip: from.and_then(ClientAddr::shown), request: None })
}

/// The one part of a public page's path. What cannot be decoded is the name of nothing.
pub(crate) struct Named(pub(crate) String);

impl FromRequestParts<Site> for Named {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Response> {
        match Path::<String>::from_request_parts(parts, site).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(_) => Err(public_message(StatusCode::NOT_FOUND, "There is nothing here.")),
        }
    }
}

/// What a form holds. The first of a name counts; names that nobody asked for are passed over.
#[derive(Default)]
pub(crate) struct Typed(Vec<(String, String)>);

impl Typed {
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.as_str())
    }

    /// `None` when it is blank.
    pub(crate) fn filled(&self, name: &str) -> Option<String> {
        Some(self.text(name)).filter(|text| !text.trim().is_empty()).map(str::to_owned)
    }

    /// A box: sent when it is ticked.
    pub(crate) fn ticked(&self, name: &str) -> bool {
        !self.text(name).is_empty()
    }
}

/// Reads a form, or answers the page that says why not.
pub(crate) async fn typed(headers: &HeaderMap, body: Body) -> Result<Typed, Response> {
    typed_within(FORM_WAIT, headers, body).await
}

async fn typed_within(wait: Duration, headers: &HeaderMap, body: Body) -> Result<Typed, Response> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind != "application/x-www-form-urlencoded" {
        return Err(public_message(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Send the form from its page."));
    }
    let collected = tokio::time::timeout(wait, Limited::new(body, FORM_BYTES).collect()).await;
    let bytes = match collected {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return Err(public_message(StatusCode::PAYLOAD_TOO_LARGE, "That is more than this form takes. Go back and shorten it."));
        }
        Ok(Err(_)) => return Err(public_message(StatusCode::BAD_REQUEST, "The form did not arrive whole. Go back and send it again.")),
        Err(_) => return Err(public_message(StatusCode::REQUEST_TIMEOUT, "The form took too long to arrive. Go back and send it again.")),
    };
    // Bytes that are no text become signs that say so.
    Ok(Typed(url::form_urlencoded::parse(&bytes).into_owned().collect()))
}

/// A request's parts that public pages need, before its body is read.
pub(crate) fn apart(request: Request) -> (Option<ClientAddr>, HeaderMap, Body) {
    let (parts, body) = request.into_parts();
    (client_ip(&parts.extensions), parts.headers, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_790_000_000_000;

    fn from(text: &str) -> Option<ClientAddr> {
        text.parse().ok().map(ClientAddr)
    }

    #[test]
    fn an_address_may_apply_ten_times_and_then_once_a_minute() {
        let visitors = Visitors::new(&Welcoming::default());
        for _ in 0..10 {
            assert_eq!(visitors.admit(from("192.0.2.1"), "spring", NOW), Ok(()));
        }
        assert_eq!(visitors.admit(from("192.0.2.1"), "spring", NOW), Err(60));
        assert_eq!(visitors.admit(from("192.0.2.1"), "autumn", NOW), Err(60), "whatever the program");
        assert_eq!(visitors.admit(from("192.0.2.2"), "spring", NOW), Ok(()));
        assert_eq!(visitors.admit(from("192.0.2.1"), "spring", NOW + 60_000), Ok(()));
        assert_eq!(visitors.admit(from("192.0.2.1"), "spring", NOW + 60_000), Err(60));
    }

    #[test]
    fn a_subscribers_ipv6_addresses_count_as_one() {
        let visitors = Visitors::new(&Welcoming::default());
        for n in 0..10 {
            assert_eq!(visitors.admit(from(&format!("2001:db8::{n:x}")), "spring", NOW), Ok(()));
        }
        assert!(visitors.admit(from("2001:db8::ffff"), "spring", NOW).is_err());
        assert_eq!(visitors.admit(from("2001:db8:0:1::1"), "spring", NOW), Ok(()));
    }

    #[test]
    fn a_program_takes_three_hundred_an_hour_from_the_whole_world() {
        let visitors = Visitors::new(&Welcoming::default());
        for n in 0..300 {
            assert_eq!(visitors.admit(from(&format!("198.51.{}.{}", n / 250, n % 250)), "spring", NOW), Ok(()));
        }
        assert_eq!(visitors.admit(from("203.0.113.1"), "spring", NOW), Err(12));
        assert_eq!(visitors.admit(from("203.0.113.1"), "autumn", NOW), Ok(()));
    }

    #[test]
    fn answers_leave_on_the_beat() {
        let ms = Duration::from_millis;
        for (gone, wait) in [(0, 150), (1, 149), (149, 1), (150, 150), (151, 149), (1_000, 50)] {
            assert_eq!(until_beat(ms(150), ms(gone)), ms(wait), "{gone}");
        }
        assert_eq!(until_beat(Duration::ZERO, ms(7)), Duration::ZERO);
    }

    #[tokio::test]
    async fn a_form_is_read_with_its_first_values_and_within_its_size() {
        let mut headers = HeaderMap::new();
        assert!(typed(&headers, Body::from("a=1")).await.is_err_and(|page| page.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE));
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8"));
        let form = typed(&headers, Body::from("a=1&a=2&b=%C3%A9+x&c=%20&d=%ff&=&&e")).await.unwrap_or_default();
        assert_eq!((form.text("a"), form.text("b"), form.filled("c"), form.text("d")), ("1", "é x", None, "\u{fffd}"));
        assert!(!form.ticked("e") && !form.ticked("z") && form.ticked("a"));
        let long = format!("a={}", "x".repeat(FORM_BYTES));
        assert!(typed(&headers, Body::from(long)).await.is_err_and(|page| page.status() == StatusCode::PAYLOAD_TOO_LARGE));
    }

    #[tokio::test]
    async fn a_form_that_never_ends_is_given_up() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/x-www-form-urlencoded"));
        let endless = Body::from_stream(futures_util::stream::pending::<Result<axum::body::Bytes, std::io::Error>>());
        let given_up = typed_within(Duration::ZERO, &headers, endless).await;
        assert!(given_up.is_err_and(|page| page.status() == StatusCode::REQUEST_TIMEOUT));
    }
}
