//! Request bodies with a deadline: a client that sends slowly, or stops, is answered 408 and costs nothing more.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::StatusCode;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::problem::Problem;
use crate::{App, LIST_PATH, Limits, UPLOADS};

/// The body did not arrive in time.
#[derive(Debug, thiserror::Error)]
#[error("the body did not arrive in time")]
pub(crate) struct BodyTimeout;

pub(crate) async fn layer(State(app): State<App>, request: Request, next: Next) -> Response {
    let Limits { body, file_total, .. } = app.limits;
    let (whole, gap) = match request.uri().path() {
        path if UPLOADS.contains(&path) => (file_total, Some(body)),
        LIST_PATH => (body * 4, Some(body)),
        _ => (body, None),
    };
    next.run(request.map(|body| Body::new(TimedBody::new(body, whole, gap)))).await
}

struct TimedBody {
    inner: Body,
    /// The whole body must be there by then.
    deadline: Pin<Box<Sleep>>,
    /// Between two pieces at most this long.
    gap: Option<(Duration, Pin<Box<Sleep>>)>,
}

impl TimedBody {
    fn new(inner: Body, whole: Duration, gap: Option<Duration>) -> Self {
        let gap = gap.map(|g| (g, Box::pin(tokio::time::sleep(g))));
        Self { inner, deadline: Box::pin(tokio::time::sleep(whole)), gap }
    }
}

impl HttpBody for TimedBody {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) {
            if let Some((gap, sleep)) = &mut this.gap {
                sleep.as_mut().reset(Instant::now() + *gap);
            }
            return Poll::Ready(frame.map(|f| f.map_err(Into::into)));
        }
        let late =
            this.deadline.as_mut().poll(cx).is_ready() || this.gap.as_mut().is_some_and(|(_, sleep)| sleep.as_mut().poll(cx).is_ready());
        if late { Poll::Ready(Some(Err(BodyTimeout.into()))) } else { Poll::Pending }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// What a failed read of a body means.
pub(crate) fn problem_of(error: &(dyn std::error::Error + 'static)) -> Problem {
    let mut cause = Some(error);
    while let Some(current) = cause {
        if current.is::<BodyTimeout>() {
            return Problem::of_status(StatusCode::REQUEST_TIMEOUT);
        }
        if current.is::<http_body_util::LengthLimitError>() {
            return Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE);
        }
        cause = current.source();
    }
    Problem::new(StatusCode::BAD_REQUEST, "bad_request", "the body broke off")
}
