//! Makers of the contract's [`Error`], so that every text is cut to the contract's 500 characters and every error says who
//! must act. No I/O here.

use crate::text::squeeze;
use crate::types::{Error, Refusal, Rejection, Throttle, Told, Trouble, Unanswered};

/// The contract's cap on the vendor's words, in characters.
pub const MAX_TEXT: usize = 500;
const MAX_CODE: usize = 64;

/// The code of an error made from [`Unanswered::UnknownOutcome`]: [`crate::tags::resolve`] looks again when it sees it.
pub const UNKNOWN_OUTCOME: &str = "unknown-outcome";

/// The vendor's machine code (or the HTTP status) and its words, cut to the contract's limits.
///
/// ```
/// use crm_connector_sdk::error::told;
/// assert_eq!(told(422, "  not\na valid e-mail ").text, "not a valid e-mail");
/// assert_eq!(told(422, "x".repeat(900)).text.chars().count(), 500);
/// ```
pub fn told(code: impl ToString, text: impl AsRef<str>) -> Told {
    Told { code: squeeze(&code.to_string(), MAX_CODE), text: squeeze(text.as_ref(), MAX_TEXT) }
}

/// Nobody must act: the host tries again on its schedule.
pub fn retryable(code: impl ToString, text: impl AsRef<str>) -> Error {
    Error::Retryable(told(code, text))
}

/// Nobody must act: the host waits. `limit` is the manifest's name of the limit that was hit, where that is known.
pub fn rate_limited(after_seconds: Option<u32>, limit: Option<&str>) -> Error {
    Error::RateLimited(Throttle { after_seconds, limit: limit.map(str::to_owned) })
}

/// The merchant must fix the credentials. Parks the connection, so be sure: a bare 401 or 403 proves nothing.
pub fn credentials(trouble: Trouble, code: impl ToString, text: impl AsRef<str>) -> Error {
    Error::Credentials(Refusal { trouble, told: told(code, text) })
}

/// The vendor does not accept this datum. `field` is our name of it, such as `email`.
pub fn rejected(field: impl Into<String>, code: impl ToString, text: impl AsRef<str>) -> Error {
    Error::Rejected(Rejection { field: field.into(), told: told(code, text) })
}

/// The merchant must pick another destination: the one picked is gone.
pub fn destination_missing(code: impl ToString, text: impl AsRef<str>) -> Error {
    Error::DestinationMissing(told(code, text))
}

/// The host must drop these facts (or tag names), prepare once more and run the job again.
pub fn stale(facts: impl IntoIterator<Item = impl Into<String>>) -> Error {
    Error::Stale(facts.into_iter().map(Into::into).collect())
}

/// The vendor cannot do this.
pub fn unsupported(text: impl AsRef<str>) -> Error {
    Error::Unsupported(told("unsupported", text))
}

/// Nobody can help: the job fails and says so.
pub fn permanent(code: impl ToString, text: impl AsRef<str>) -> Error {
    Error::Permanent(told(code, text))
}

/// Why a call has no answer, as an error. A refused call is a defect of the connector or of its settings, hence permanent.
///
/// ```
/// use crm_connector_sdk::{error, types::{Error, Unanswered}};
/// assert!(matches!(error::unanswered("save", Unanswered::TimedOut), Error::Retryable(told) if told.code == "timed-out"));
/// ```
pub fn unanswered(call: &str, why: Unanswered) -> Error {
    match why {
        Unanswered::Throttled(throttle) => Error::RateLimited(throttle),
        Unanswered::Unreachable => retryable("unreachable", format!("{call}: no connection, or it broke before the whole answer came")),
        Unanswered::TimedOut => retryable("timed-out", format!("{call}: no answer in time")),
        Unanswered::TooLarge => permanent("too-large", format!("{call}: the answer is larger than the manifest allows")),
        Unanswered::UnknownOutcome => {
            retryable(UNKNOWN_OUTCOME, format!("{call}: an earlier attempt sent this and its answer was lost; look before writing again"))
        }
        Unanswered::Refused(text) => permanent("refused", format!("{call}: {text}")),
    }
}
