//! A socket that gives up: on a client that does not send a whole request head in time, also before its first byte, and on
//! one that does not take its answer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use crate::serve::Timeouts;

/// Whether a request of this connection is being answered, and how many were.
#[derive(Clone, Default)]
pub(crate) struct Activity(Arc<Counters>);

#[derive(Default)]
struct Counters {
    running: AtomicUsize,
    ended: AtomicU64,
}

/// Lasts as long as a request is being answered.
pub(crate) struct Busy(Arc<Counters>);

impl Activity {
    pub(crate) fn begin(&self) -> Busy {
        self.0.running.fetch_add(1, Ordering::AcqRel);
        Busy(self.0.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::AcqRel);
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}

pub(crate) struct TimedIo {
    inner: TcpStream,
    activity: Activity,
    idle: Duration,
    write: Duration,
    /// The next request must have begun to be answered by then.
    request_by: Pin<Box<Sleep>>,
    /// Requests that had ended when `request_by` was set.
    counted: u64,
    /// Set while a write makes no progress.
    write_by: Option<Pin<Box<Sleep>>>,
}

impl TimedIo {
    pub(crate) fn new(inner: TcpStream, activity: Activity, timeouts: &Timeouts) -> Self {
        Self {
            inner,
            activity,
            idle: timeouts.idle,
            write: timeouts.write,
            request_by: Box::pin(tokio::time::sleep(timeouts.header)),
            counted: 0,
            write_by: None,
        }
    }

    fn write_result<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.write_by = None;
            return result;
        }
        let write = self.write;
        let sleep = self.write_by.get_or_insert_with(|| Box::pin(tokio::time::sleep(write)));
        if sleep.as_mut().poll(cx).is_ready() { Poll::Ready(Err(io::ErrorKind::TimedOut.into())) } else { Poll::Pending }
    }
}

impl AsyncRead for TimedIo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.activity.0.running.load(Ordering::Acquire) == 0 {
            let ended = this.activity.0.ended.load(Ordering::Acquire);
            if ended != this.counted {
                this.counted = ended;
                this.request_by.as_mut().reset(Instant::now() + this.idle);
            }
            // Checked before reading: a client that sends a byte now and then is not let go on.
            if this.request_by.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        Pin::new(&mut this.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for TimedIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.write_result(cx, result)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.write_result(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_flush(cx);
        self.write_result(cx, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
