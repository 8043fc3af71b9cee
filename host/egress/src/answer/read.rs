//! Reads one answer: headers and body within their limits, in time.

use bytes::Bytes;
use http::{HeaderMap, header};
use tokio::time::{Duration, Instant};

use super::inflate::{Broken, Inflater};

/// Largest set of response headers, in bytes.
const MAX_HEADER_BYTES: usize = 64 * 1_024;
/// A body slower than this many bytes per second, once the first seconds are over, is given up.
const SLOWEST: u64 = 1_024;
const PATIENCE: Duration = Duration::from_secs(5);

/// An answer as it came, decoded, not yet filtered.
pub(crate) struct Raw {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// Why no whole answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadFailed {
    TooLarge,
    Cut,
    TimedOut,
}

impl From<Broken> for ReadFailed {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::TooLarge => Self::TooLarge,
            Broken::Garbage => Self::Cut,
        }
    }
}

pub(crate) async fn read(mut response: reqwest::Response, cap: usize) -> Result<Raw, ReadFailed> {
    let status = response.status().as_u16();
    let headers = std::mem::take(response.headers_mut());
    if headers.iter().map(|(n, v)| n.as_str().len() + v.len() + 4).sum::<usize>() > MAX_HEADER_BYTES {
        return Err(ReadFailed::TooLarge);
    }
    if response.content_length().is_some_and(|n| n > cap as u64) {
        return Err(ReadFailed::TooLarge);
    }
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    let encoding = encodings.next().map(|v| v.to_str().unwrap_or("?"));
    if encodings.next().is_some() {
        return Err(ReadFailed::Cut);
    }
    let mut inflater = Inflater::new(encoding, cap)?;
    let (started, mut got) = (Instant::now(), 0u64);
    while let Some(chunk) = next(&mut response).await? {
        got += chunk.len() as u64;
        inflater.push(&chunk)?;
        let late = started.elapsed().saturating_sub(PATIENCE);
        if got < late.as_secs() * SLOWEST {
            return Err(ReadFailed::TimedOut);
        }
    }
    Ok(Raw { status, headers, body: inflater.finish()? })
}

async fn next(response: &mut reqwest::Response) -> Result<Option<Bytes>, ReadFailed> {
    response.chunk().await.map_err(|e| if e.is_timeout() { ReadFailed::TimedOut } else { ReadFailed::Cut })
}
