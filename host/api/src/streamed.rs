//! Answers that are written while they are sent: what they are made of is read piece by piece, so that a long one needs no more memory than a
//! short one. When a piece cannot be made, the connection is cut: a client sees a broken transfer and never takes it for a whole one.

use std::io;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use crm_sync::services::ServiceError;
use http::{HeaderValue, header};
use tokio::sync::mpsc;

/// Pieces that may wait for a slow client.
const AHEAD: usize = 2;

/// Where the pieces go.
pub(crate) struct Pieces(mpsc::Sender<io::Result<Bytes>>);

/// Why writing ended early.
pub(crate) enum Cut {
    /// The client is gone.
    Gone,
    Failed(ServiceError),
}

impl From<ServiceError> for Cut {
    fn from(error: ServiceError) -> Self {
        Self::Failed(error)
    }
}

impl Pieces {
    pub(crate) async fn send(&self, piece: impl Into<Bytes>) -> Result<(), Cut> {
        self.0.send(Ok(piece.into())).await.map_err(|_| Cut::Gone)
    }
}

/// An answer with the pieces that `write` sends, offered to be saved as `file`.
pub(crate) fn answer<F>(content_type: &'static str, file: &str, write: impl FnOnce(Pieces) -> F) -> Response
where
    F: Future<Output = Result<(), Cut>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(AHEAD);
    let writing = write(Pieces(sender.clone()));
    tokio::spawn(async move {
        if let Err(Cut::Failed(error)) = writing.await {
            tracing::error!(%error, "an answer was cut off");
            // The client may be gone as well.
            drop(sender.send(Err(io::Error::other("cut off"))).await);
        }
    });
    let pieces = futures_util::stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) });
    let mut response = Response::new(Body::from_stream(pieces));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename=\"{file}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    response
}
