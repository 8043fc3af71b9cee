//! The ports. `engine` implements [`Guests`], `egress` implements [`Gateway`], `store` implements [`CredentialSource`],
//! `sync` implements [`Journal`]; `app` wires them. Each is the smallest thing its caller needs.

use std::sync::Arc;

use async_trait::async_trait;
use crm_catalog::model::{Effect, Manifest, Stage};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::secrets::{Secrets, Token};
use crate::types::{Answer, Connection, Invocation, Request, Response, Unanswered};

/// BLAKE3 of a component file, as lower-case hex: names one exact version of a connector.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Digest(pub String);

/// Runs guests. Implemented by `engine`.
#[async_trait]
pub trait Guests: Send + Sync {
    /// Runs one export of version `digest` in a fresh store. `Err` means the guest was stopped; it never means that
    /// the host is unwell, and nothing of the guest survives.
    async fn call(
        &self,
        digest: &Digest,
        invocation: Invocation,
        outbound: Arc<dyn Outbound>,
        log: Arc<dyn GuestLog>,
    ) -> Result<Answer, GuestFault>;

    /// Every loaded version, newest last within a slug, with the manifest that travels in it.
    fn loaded(&self) -> Vec<(Digest, Arc<Manifest>)>;

    /// The active version of a connector.
    fn active(&self, slug: &str) -> Option<(Digest, Arc<Manifest>)>;

    /// The manifest of one loaded version.
    fn manifest(&self, digest: &Digest) -> Option<Arc<Manifest>>;
}

/// Why a guest was stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuestFault {
    #[error("the connector trapped: {0}")]
    Trapped(String),
    #[error("the connector used more than its {limit_ms} ms of CPU time")]
    OutOfCpu { limit_ms: u64 },
    #[error("the connector took longer than {limit_ms} ms")]
    OutOfTime { limit_ms: u64 },
    #[error("the connector asked for more than its {limit_bytes} bytes of memory")]
    OutOfMemory { limit_bytes: u64 },
    #[error("the connector made more than {limit} calls")]
    TooManyCalls { limit: u32 },
    #[error("connector version {0} is not loaded")]
    NotLoaded(String),
    /// Too many guests run at once; nothing was started.
    #[error("no slot to run a connector")]
    Busy,
}

/// The one power a guest has. One value serves one run of one export. Implemented by `egress`.
#[async_trait]
pub trait Outbound: Send + Sync {
    async fn send(&self, request: Request) -> Result<Response, Unanswered>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
}

/// Starts the text of `Unanswered::Refused` when it is the credentials that cannot be used (no token to be had, a key of the wrong
/// form): the worker then parks the connection, whatever the guest makes of it.
pub const CREDENTIALS_REFUSED: &str = "credentials: ";

/// Where a guest's log lines go, already cut to their limits and escaped by `engine`.
pub trait GuestLog: Send + Sync {
    fn line(&self, level: LogLevel, text: &str);
}

/// Opens the way out for one run. Implemented by `egress`.
#[async_trait]
pub trait Gateway: Send + Sync {
    fn open(&self, scope: Scope, mode: Mode, journal: Arc<dyn Journal>) -> Arc<dyn Outbound>;

    /// When a run of this stage that makes `calls` calls at most may start: `None` = now. Asked before a guest is
    /// started, so that no instance is held while a limit is spent. Unix milliseconds.
    fn ready_at(&self, scope: &Scope, calls: u32) -> Option<u64>;

    /// A guest reported `rate-limited` (throttling that no status or header showed).
    fn throttled(&self, scope: &Scope, limit: Option<&str>, after_seconds: Option<u32>);

    /// The credentials of a connection were replaced or deleted: whatever is still held open of them is dropped at once.
    fn forget(&self, organization: &str, connection: &str) {
        // A gateway that holds nothing open has nothing to drop.
        let _ = (organization, connection);
    }

    /// Where the merchant's browser asks the vendor for a code. Nothing is sent.
    async fn authorize_url(&self, scope: &Scope, auth: &str, ask: &CodeRequest) -> Result<String, GrantError> {
        let _ = (scope, auth, ask);
        Err(GrantError::Unsupported("this host asks nobody for codes".to_owned()))
    }

    /// Exchanges a code for tokens, and saves them with the scope's credentials.
    async fn redeem(&self, scope: &Scope, auth: &str, code: &str, ask: &CodeRequest) -> Result<(), GrantError> {
        let _ = (scope, auth, code, ask);
        Err(GrantError::Unsupported("this host exchanges no codes".to_owned()))
    }

    /// Ends every grant of a connection at the vendor. `Ok(false)` = there was none, or the vendor offers no way to end one.
    async fn revoke(&self, scope: &Scope) -> Result<bool, GrantError> {
        let _ = scope;
        Ok(false)
    }
}

/// One request for an authorization code. No `Debug`: the verifier is a secret.
pub struct CodeRequest {
    pub redirect_uri: String,
    pub state: String,
    /// RFC 7636; used where the manifest says `pkce`.
    pub verifier: Zeroizing<String>,
}

/// Why a grant was not made or ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// The connector has no such authentication.
    #[error("{0}")]
    Unsupported(String),
    /// The merchant (or the operator, for the client) must act.
    #[error("{0}")]
    Refused(String),
    /// A limit is spent: again after so many seconds.
    #[error("the vendor's rate limit is spent; try again in {after_seconds} s")]
    Throttled { after_seconds: u32 },
    /// Try again later.
    #[error("the vendor did not answer")]
    Unreachable,
}

/// Everything egress must know of the run it serves.
#[derive(Clone)]
pub struct Scope {
    pub manifest: Arc<Manifest>,
    pub organization: String,
    pub connection: String,
    /// The vendor's account id that verify returned: limits of scope `account` are shared by it.
    pub account: Option<String>,
    /// Endpoint choice found by verify or set by a setting.
    pub choice: Option<String>,
    /// Mode, settings, picks and facts, for path templates and `{setting:..}` names.
    pub on: Connection,
    pub stage: Stage,
    pub credentials: Arc<dyn CredentialSource>,
    /// True when an earlier attempt of this job ended with an unknown outcome: reads are then always sent again.
    pub after_unknown: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Send.
    Live,
    /// Send nothing: answer every call from the manifest's `sample`, and journal what would have been sent.
    Preview,
    /// Send nothing: answer every call from the journal, refuse what it does not hold.
    Replay,
}

/// Hands out unsealed credentials and keeps rotated tokens. Implemented by `store`.
#[async_trait]
pub trait CredentialSource: Send + Sync {
    async fn unseal(&self) -> Result<Secrets, CredentialError>;
    async fn token(&self, auth: &str) -> Result<Option<Token>, CredentialError>;
    /// Durable before it returns. `Err(Conflict)` when someone saved a newer one: load it and use that.
    async fn save_token(&self, auth: &str, token: &Token) -> Result<(), CredentialError>;
    /// Announces, durably, that the refresh token of this version is about to be spent, by `until` at the latest (Unix milliseconds):
    /// a token that may be spent once must not be spent by two hosts. `Err(Conflict)` when someone saved a newer one: load it.
    /// `Err(Busy)` while someone else is at it: load again soon.
    async fn begin_renewal(&self, auth: &str, version: u64, now: u64, until: u64) -> Result<(), CredentialError> {
        // A source that nobody else can reach needs no such word.
        let _ = (auth, version, now, until);
        Ok(())
    }
    /// Takes the word back after a renewal that brought no token.
    async fn end_renewal(&self, auth: &str, version: u64) -> Result<(), CredentialError> {
        let _ = (auth, version);
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    #[error("no credential is stored for this connection")]
    Missing,
    #[error("the stored credential cannot be opened with this host's key")]
    Unopenable,
    #[error("a newer token was saved meanwhile")]
    Conflict,
    #[error("another host is renewing this token")]
    Busy,
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
}

/// What identifies an exchange: call, hash of the canonical request, and how many equal ones came before in this run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StepKey {
    pub call: String,
    pub hash: String,
    pub occurrence: u32,
}

/// The request as it is shown and journalled: exact, with secrets as labelled slots such as `{secret:api_key}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShownRequest {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    /// The body as text; bytes that are no UTF-8 are shown as base64 after `base64:`.
    pub body: Option<String>,
}

/// How a step was answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepOutcome {
    Answered(Response),
    Unanswered(Unanswered),
}

/// One row of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    pub key: StepKey,
    pub effect: Effect,
    pub request: ShownRequest,
    pub outcome: StepOutcome,
    /// True for 2xx and the manifest's `ok` statuses: only such answers are ever reused.
    pub good: bool,
    /// Taken from an earlier attempt's record instead of being sent.
    pub reused: bool,
    /// Unix milliseconds at which it was sent.
    pub at: u64,
    pub took_ms: u32,
}

/// What the journal knows of an exchange before it is sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Recall {
    /// Never seen: send it.
    Nothing,
    /// A record exists. Egress decides by the exact rule of DESIGN.md whether it may be reused.
    Record(Box<StepRecord>),
    /// A `write` was announced and no answer was recorded: the guest is told `unknown-outcome`.
    Intent,
}

/// One run's view of the journal. Implemented by `sync` over the store.
#[async_trait]
pub trait Journal: Send + Sync {
    fn recall(&self, key: &StepKey) -> Recall;
    /// True on a resumed run: reads are then answered afresh.
    fn resumed(&self) -> bool;
    /// Announces a `write`; durable before it returns. `Err` = do not send (fenced, or the store is gone).
    async fn intend(&self, key: &StepKey, request: &ShownRequest) -> Result<(), JournalError>;
    /// Keeps the exchange. For `write` durable before it returns; for others it joins the next group commit.
    async fn record(&self, step: StepRecord) -> Result<(), JournalError>;
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// Another worker owns the job now: stop, and change nothing.
    #[error("this attempt no longer owns its job")]
    Fenced,
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
}

/// Wall clock, injected so that tests own time. Unix milliseconds.
pub trait Clock: Send + Sync {
    fn now_ms(&self) -> u64;
}
