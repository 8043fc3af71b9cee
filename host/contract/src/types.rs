//! The words of `wit/since-v0.1.0` as host types, one to one. Every room speaks these; only `engine` knows how
//! they look inside a component. Nothing here ever holds a secret.

use serde::{Deserialize, Serialize};

/// A name and a value; repeated keys are legal where the wire allows them (query, form).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pair {
    pub key: String,
    pub value: String,
}

impl Pair {
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into() }
    }
}

/// The value of the first pair named `key`.
pub fn find<'a>(pairs: &'a [Pair], key: &str) -> Option<&'a str> {
    pairs.iter().find(|p| p.key == key).map(|p| p.value.as_str())
}

/// Our tag name, how the vendor spells it, and its id there where the vendor has ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    pub name: String,
    pub wire: String,
    pub id: Option<String>,
}

/// What a connector may know of the merchant's connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Which authentication mode of the manifest is in use.
    pub mode: String,
    /// Settings, and the credentials that the manifest marks `secret = false`.
    pub settings: Vec<Pair>,
    /// Chosen destinations by picker name.
    pub picked: Vec<Pair>,
    /// Remembered vendor facts (ids, property names).
    pub facts: Vec<Pair>,
    /// Remembered tag bindings.
    pub tags: Vec<Binding>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// Unix seconds.
    pub at: u64,
    pub source: String,
    pub ip: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    Text(String),
    /// Decimal text, so that no digit is lost.
    Number(String),
    Truth(bool),
    /// ISO 8601 date.
    Date(String),
    Many(Vec<String>),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    pub key: String,
    pub value: Value,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub email: String,
    pub previous_email: Option<String>,
    pub first: Option<String>,
    pub last: Option<String>,
    pub full: Option<String>,
    pub company: Option<String>,
    /// Unix seconds.
    pub approved_at: u64,
    pub consent: Option<Consent>,
    pub fields: Vec<Field>,
}

/// What earlier jobs learnt about this contact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    pub contact_id: Option<String>,
    /// Tags believed to be on the contact because of us.
    pub tags: Vec<String>,
    /// Connector's own memory, at most 1 KiB.
    pub memo: Option<String>,
}

/// One contact to bring into (or take out of) one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    pub on: Connection,
    pub who: Person,
    pub known: Known,
    /// Tags that this job adds.
    pub set: Vec<String>,
    /// Tags that this job removes.
    pub clear: Vec<String>,
    /// Every tag wanted over all campaigns, for vendors that replace the whole set.
    pub all: Vec<String>,
    /// What an earlier `later` asked to be handed back.
    pub resume: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    Created,
    Updated,
    Unchanged,
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    Normal,
    Pending,
    KeptOptedOut,
    SkippedOptedOut,
    Archived,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remark {
    SeveralMatches,
    DroppedField,
    Shortened,
    RequiredUnmapped,
    NotConfirmed,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    pub what: Remark,
    pub subject: String,
}

/// What the vendor said: its machine code (or the HTTP status) and its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub code: String,
    pub text: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throttle {
    pub after_seconds: Option<u32>,
    /// The manifest's name of the limit that was hit, where known.
    pub limit: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    Invalid,
    Expired,
    Permission,
    IpBlocked,
    WrongRegion,
    WrongKind,
    AccountClosed,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub trouble: Trouble,
    pub told: Told,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    pub field: String,
    pub told: Told,
}

/// Why a function did not succeed; each variant says who must act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Error {
    /// Nobody: try again later.
    Retryable(Told),
    /// Nobody: wait as told.
    RateLimited(Throttle),
    /// The merchant: fix the credentials; the connection is parked.
    Credentials(Refusal),
    /// The affiliate's data is not acceptable to the vendor.
    Rejected(Rejection),
    /// The merchant: pick another destination.
    DestinationMissing(Told),
    /// The host: these facts no longer hold; prepare again once.
    Stale(Vec<String>),
    /// The vendor cannot do this.
    Unsupported(Told),
    /// Nobody can: give up and say so.
    Permanent(Told),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Success {
    pub change: Change,
    pub standing: Standing,
    pub warnings: Vec<Warning>,
}

/// Accepted by the vendor; look again after this many seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Later {
    pub after_seconds: u32,
    pub resume: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    Done(Success),
    Later(Later),
    Failed(Error),
}

/// How `sync-contact` and `untag-contact` end. `known` is kept even when the ending is a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub known: Known,
    pub ending: Ending,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub id: Option<String>,
    pub name: Option<String>,
    /// The endpoint choice (region) that answered, where the manifest says `choose = "verify"`.
    pub choice: Option<String>,
    /// Permissions the key lacks.
    pub lacking: Vec<String>,
    pub facts: Vec<Pair>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub id: String,
    pub name: String,
    pub detail: Option<String>,
    pub selectable: bool,
    pub facts: Vec<Pair>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    pub items: Vec<Choice>,
    pub next: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepared {
    pub facts: Vec<Pair>,
    pub tags: Vec<Binding>,
    /// What is missing in the account (`apply = false`), or could not be created (`apply = true`).
    pub to_create: Vec<Choice>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub known: Known,
    pub standing: Standing,
    pub in_destination: Option<bool>,
}

/// Body of a request as the guest builds it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    #[default]
    None,
    /// JSON text.
    Json(String),
    Form(Vec<Pair>),
    Bytes(Vec<u8>),
}

/// One declared call as a guest asks for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub call: String,
    pub path: Vec<Pair>,
    pub query: Vec<Pair>,
    pub headers: Vec<Pair>,
    pub body: Body,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<Pair>,
    pub body: Vec<u8>,
}

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unanswered {
    /// The host's limiter would make it wait too long: end with `rate-limited`.
    Throttled(Throttle),
    /// No connection was made, or it broke before an answer: safe to retry if the call is.
    Unreachable,
    TimedOut,
    TooLarge,
    /// A `write` was sent by an earlier attempt and its answer was lost: look before writing again.
    UnknownOutcome,
    /// The manifest or a safety rule forbids it; the text says which.
    Refused(String),
}

/// A call of one of the world's exports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "function")]
pub enum Invocation {
    Verify { on: Connection },
    ListChoices { on: Connection, picker: String, search: Option<String>, cursor: Option<String> },
    Prepare { on: Connection, tags: Vec<String>, fields: Vec<String>, apply: bool },
    SyncContact { job: Job },
    UntagContact { job: Job },
    LookupContact { on: Connection, who: Person, known: Known },
}

/// What an export answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    Account(Result<Account, Error>),
    Page(Result<Page, Error>),
    Prepared(Result<Prepared, Error>),
    Report(Report),
    Seen(Result<Option<Seen>, Error>),
}
