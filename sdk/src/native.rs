//! The two imports outside wasm: per thread, whatever handler the caller installed. For benches that run a connector over
//! the real egress, and beneath [`crate::fake`]. Without a handler every call is refused, so no test reaches a network.

use std::cell::RefCell;

use crate::log::Level;
use crate::types::{Request, Response, Unanswered};

/// Answers calls in the host's stead.
pub type Handler = Box<dyn FnMut(Request) -> Result<Response, Unanswered>>;

/// Takes log lines in the host's stead.
pub type Logger = Box<dyn FnMut(Level, &str)>;

thread_local! {
    static HANDLER: RefCell<Option<Handler>> = const { RefCell::new(None) };
    static LOGGER: RefCell<Option<Logger>> = const { RefCell::new(None) };
}

/// Runs `body` with `handler` answering every call that connector code makes on this thread. Nests; what was installed
/// before is restored even when `body` panics. Log lines are dropped unless [`with_log`] is around it.
///
/// ```
/// use crm_connector_sdk::{native, prelude::*, types::Response};
/// let handler = Box::new(|_| Ok(Response { status: 204, ..Response::default() }));
/// assert_eq!(native::with(handler, || Call::new("ping").send().map(|reply| reply.status())), Ok(204));
/// ```
pub fn with<T>(handler: Handler, body: impl FnOnce() -> T) -> T {
    let _restore = Restore(HANDLER.replace(Some(handler)), &HANDLER);
    body()
}

/// Runs `body` with `logger` taking its log lines.
pub fn with_log<T>(logger: Logger, body: impl FnOnce() -> T) -> T {
    let _restore = Restore(LOGGER.replace(Some(logger)), &LOGGER);
    body()
}

struct Restore<T: 'static>(Option<T>, &'static std::thread::LocalKey<RefCell<Option<T>>>);

impl<T> Drop for Restore<T> {
    fn drop(&mut self) {
        self.1.replace(self.0.take());
    }
}

pub(crate) fn send(request: Request) -> Result<Response, Unanswered> {
    // Taken out while it runs, so that a handler may itself call code that looks for a handler.
    let Some(mut handler) = HANDLER.take() else {
        return Err(Unanswered::Refused("no handler answers calls here; use fake::with or native::with".to_owned()));
    };
    let answer = handler(request);
    HANDLER.replace(Some(handler));
    answer
}

pub(crate) fn log(level: Level, text: &str) {
    if let Some(mut logger) = LOGGER.take() {
        logger(level, text);
        LOGGER.replace(Some(logger));
    }
}
