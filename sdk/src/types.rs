//! The words of the contract, as documented item by item in `wit/since-v0.1.0/types.wit`, with the defaults and
//! look-ups that a connector needs. Holds data only.

pub use crate::bindings::rekomi::crm_connector::egress::{Body, Request, Response, Unanswered};
/// How a report ends, as the contract spells it. Connectors return [`crate::Ending`], which cannot be a failure.
pub use crate::bindings::rekomi::crm_connector::types::Ending as WireEnding;
pub use crate::bindings::rekomi::crm_connector::types::{
    Account, Binding, Change, Choice, Connection, Consent, Error, Field, Job, Known, Later, Page, Pair, Person, Prepared, Refusal,
    Rejection, Remark, Report, Seen, Standing, Success, Throttle, Told, Trouble, Value, Warning,
};

impl Pair {
    /// A name and a value.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into() }
    }
}

/// The value of the first pair named `key`, unless it is blank.
///
/// ```
/// use crm_connector_sdk::types::{Pair, find};
/// let pairs = [Pair::new("region", "eu"), Pair::new("note", " ")];
/// assert_eq!(find(&pairs, "region"), Some("eu"));
/// assert_eq!(find(&pairs, "note"), None);
/// ```
pub fn find<'a>(pairs: &'a [Pair], key: &str) -> Option<&'a str> {
    pairs.iter().find(|pair| pair.key == key).map(|pair| pair.value.as_str()).filter(|value| !crate::text::is_blank(value))
}

impl Connection {
    /// A setting of the merchant, or a credential that the manifest marks `secret = false`.
    pub fn setting(&self, name: &str) -> Option<&str> {
        find(&self.settings, name)
    }

    /// True when a `bool` setting is switched on.
    pub fn is_on(&self, name: &str) -> bool {
        self.setting(name) == Some("true")
    }

    /// What the merchant chose in a picker.
    pub fn picked(&self, picker: &str) -> Option<&str> {
        find(&self.picked, picker)
    }

    /// Something that an earlier `verify` or `prepare` returned.
    pub fn fact(&self, name: &str) -> Option<&str> {
        find(&self.facts, name)
    }

    /// A fact that the connector cannot work without: its absence is reported as `stale`, so that the host prepares again.
    pub fn need_fact(&self, name: &str) -> Result<&str, Error> {
        self.fact(name).ok_or_else(|| Error::Stale(vec![name.to_owned()]))
    }
}

impl Choice {
    /// A choice that can be picked and brings no facts with it.
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self { id: id.into(), name: name.into(), detail: None, selectable: true, facts: Vec::new() }
    }

    /// A second line that tells equal names apart.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

macro_rules! defaults {
    ($($type:ident { $($field:ident),* })*) => {
        $(impl Default for $type {
            fn default() -> Self {
                Self { $($field: Default::default()),* }
            }
        })*
    };
}

defaults! {
    Connection { mode, settings, picked, facts, tags }
    Person { email, previous_email, first, last, full, company, approved_at, consent, fields }
    Known { contact_id, tags, memo }
    Job { on, who, known, set, clear, all, resume }
    Throttle { after_seconds, limit }
    Account { id, name, choice, lacking, facts }
    Page { items, next }
    Prepared { facts, tags, to_create }
    Request { call, path, query, headers, body }
    Response { status, headers, body }
}

impl Default for Body {
    fn default() -> Self {
        Self::None
    }
}
