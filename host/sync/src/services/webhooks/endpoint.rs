//! What is kept of a webhook endpoint, and the directory: one record per organization that says which endpoint chose which events. Every
//! event asks the directory, and one look-up answers it however many endpoints there are. Both are written together, so an event that
//! happens after an endpoint was made cannot miss it, and nothing has to be kept in step by a cache.

use crm_store::model::{Kind, Put, RecordKey};
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::services::events::EventType;
use crate::services::records::Document;
use crate::services::{ServiceError, records};

/// Chosen in place of names: every event, those of later versions included.
pub const ALL_EVENTS: &str = "*";

/// Where an organization's events go. Its secrets are sealed apart; its id is the lane of its deliveries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WebhookEndpoint {
    pub id: String,
    pub organization: String,
    pub url: String,
    pub description: Option<String>,
    /// [`ALL_EVENTS`] alone, or names of types.
    pub events: Vec<String>,
    /// `None` = deliveries are sent.
    pub disabled: Option<Disabled>,
    /// Since when every delivery failed; `None` = the last one was taken, or there was none yet.
    pub failing_since: Option<u64>,
    /// Tells the secret that the merchant was shown last: the beginning of its SHA-256.
    pub secret_print: String,
    /// Until when the secret before it signs as well.
    pub previous_until: Option<u64>,
    /// When a rotation began that has not ended.
    pub rotating: Option<u64>,
    pub created: u64,
    pub updated: u64,
}

/// Why nothing is sent, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disabled {
    pub by: DisabledBy,
    pub at: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisabledBy {
    /// By hand: open deliveries wait.
    Merchant,
    /// It answered 410: open deliveries are cancelled.
    Gone,
    /// Nothing was taken for five days: open deliveries are cancelled.
    Failing,
}

impl DisabledBy {
    /// As the API spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Merchant => "merchant",
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }
}

impl Document for WebhookEndpoint {
    const KIND: Kind = Kind::WebhookEndpoint;
    const NAME: &'static str = "webhook endpoint";
    fn key(&self) -> RecordKey {
        RecordKey { organization: self.organization.clone(), kind: Self::KIND, id: self.id.clone() }
    }
    fn unique(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// Endpoints that an organization may have.
pub const MOST_ENDPOINTS: usize = 20;

/// No id of an endpoint, nor one that anybody could ask for.
const DIRECTORY: &str = "-directory";

/// Which endpoint chose which events, by id, and so the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Directory {
    endpoints: Vec<Listed>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Listed {
    id: String,
    on: bool,
    events: Vec<String>,
}

impl Directory {
    /// The enabled endpoints that chose events of this type.
    pub(crate) fn listening(&self, kind: EventType) -> impl Iterator<Item = &str> {
        let chose = move |events: &[String]| events.iter().any(|e| e == ALL_EVENTS || e == kind.word());
        self.endpoints.iter().filter(move |listed| listed.on && chose(&listed.events)).map(|listed| listed.id.as_str())
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.endpoints.iter().map(|listed| listed.id.as_str())
    }

    /// Puts an endpoint in, in the place it had. `false` = the directory is full.
    pub(super) fn enter(&mut self, endpoint: &WebhookEndpoint) -> bool {
        let listed = Listed { id: endpoint.id.clone(), on: endpoint.disabled.is_none(), events: endpoint.events.clone() };
        match self.endpoints.binary_search_by(|known| known.id.cmp(&listed.id)) {
            Ok(at) => self.endpoints[at] = listed,
            Err(_) if self.endpoints.len() >= MOST_ENDPOINTS => return false,
            Err(at) => self.endpoints.insert(at, listed),
        }
        true
    }

    pub(super) fn leave(&mut self, id: &str) {
        self.endpoints.retain(|listed| listed.id != id);
    }

    pub(super) fn put(&self, organization: &str, expect: u64) -> Result<Put, ServiceError> {
        let json = serde_json::to_string(self).map_err(|e| ServiceError::Damaged(e.to_string()))?;
        Ok(Put { record: key(organization), expect: Some(expect), json: Some(json), unique: Vec::new() })
    }
}

fn key(organization: &str) -> RecordKey {
    RecordKey { organization: organization.to_owned(), kind: Kind::WebhookEndpoint, id: DIRECTORY.to_owned() }
}

/// The directory and its version; 0 = there is none yet.
pub(super) async fn open(context: &Context, organization: &str) -> Result<(Directory, u64), ServiceError> {
    let found = context.load::<Directory>(organization, Kind::WebhookEndpoint, DIRECTORY).await?;
    Ok(found.unwrap_or_default())
}

/// Writes an endpoint and its line in the directory in one commit, with a line for the audit log. [`ServiceError::Changed`] when
/// somebody else wrote one of them meanwhile.
pub(super) async fn write(context: &Context, endpoint: &WebhookEndpoint, expect: u64, log: Put) -> Result<(), ServiceError> {
    let (mut directory, version) = open(context, &endpoint.organization).await?;
    if !directory.enter(endpoint) {
        let message = format!("an organization can have {MOST_ENDPOINTS} webhook endpoints: delete one first");
        return Err(ServiceError::conflict("webhook_endpoints_full", message));
    }
    let puts = vec![records::put(endpoint, expect)?, directory.put(&endpoint.organization, version)?, log];
    context.store.commit(puts, Vec::new()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(n: usize, events: &[&str]) -> WebhookEndpoint {
        WebhookEndpoint {
            id: format!("whe_{n:026}"),
            organization: "org_1".into(),
            url: "https://acme.example".into(),
            description: None,
            events: events.iter().map(|e| (*e).to_owned()).collect(),
            disabled: None,
            failing_since: None,
            secret_print: String::new(),
            previous_until: None,
            rotating: None,
            created: 1,
            updated: 1,
        }
    }

    #[test]
    fn the_fullest_directory_fits_in_a_record() {
        let every: Vec<&str> = EventType::ALL.iter().map(|kind| kind.word()).collect();
        let mut directory = Directory::default();
        assert!((0..MOST_ENDPOINTS).all(|n| directory.enter(&endpoint(n, &every))));
        assert!(!directory.enter(&endpoint(99, &["*"])), "one more is too many");
        assert!(directory.enter(&endpoint(3, &every)), "one that is in it may change");
        let json = directory.put("org_1", 0).unwrap().json.unwrap();
        assert!(json.len() <= crm_store::limits::DOCUMENT_BYTES, "{} bytes: shorten what is kept of an endpoint", json.len());
    }

    #[test]
    fn an_event_finds_those_who_chose_it_and_are_enabled() {
        let mut directory = Directory::default();
        directory.enter(&endpoint(1, &["*"]));
        directory.enter(&endpoint(2, &["sync.failed", "sync.succeeded"]));
        let off = WebhookEndpoint { disabled: Some(Disabled { by: DisabledBy::Merchant, at: 1 }), ..endpoint(3, &["*"]) };
        directory.enter(&off);
        let hear = |kind| {
            directory.listening(kind).map(|id| id.trim_start_matches("whe_0").trim_start_matches('0').to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(hear(EventType::SyncFailed), ["1", "2"]);
        assert_eq!(hear(EventType::AffiliateApproved), ["1"]);
    }
}
