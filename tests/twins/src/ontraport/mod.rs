//! Ontraport's twin, from `reference/providers/ontraport.md`. It knows contacts (object 0), tags and the collections a
//! picker may show. Where the documents are silent the twin takes the harsher reading and says so at that place.
//!
//! It must not share code with the connector: the two meet on the wire only.

mod account;
mod answers;
mod request;

use std::io;

use http::{HeaderMap, HeaderName, Method};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use crate::book::Role;
use crate::core::{Core, Reply, Route, Vendor};
use crate::server::{self, Running};
use crate::window::Allowance;

use account::Account;
use request::Request;

/// Calls a minute that the vendor grants an account (section 10 of the reference).
pub const PER_MINUTE: u32 = 180;

pub(crate) const ACCOUNT_ID: u64 = 12_345;

pub type RunningTwin = Running<Ontraport>;

/// How a twin is set up.
#[derive(Clone, Debug)]
pub struct TwinConfig {
    pub app_id: String,
    pub api_key: String,
    /// `None` = unlimited.
    pub allowance: Option<Allowance>,
    /// 0 = the system chooses.
    pub port: u16,
}

impl Default for TwinConfig {
    fn default() -> Self {
        Self {
            app_id: "2_AppID_12345678".into(),
            api_key: "k3yForTheTwin15".into(),
            allowance: Some(Allowance::per_minute(PER_MINUTE)),
            port: 0,
        }
    }
}

/// Starts twins.
pub struct Twin;

impl Twin {
    /// Listens on loopback and serves on the current runtime until stopped or dropped. The API's base is `{base_url}/1`.
    pub async fn start(config: TwinConfig) -> io::Result<RunningTwin> {
        let TwinConfig { app_id, api_key, allowance, port } = config;
        let vendor = Ontraport { app_id, api_key, account: Mutex::new(Account::default()) };
        server::serve(Core::new(vendor, allowance), port).await
    }
}

pub struct Ontraport {
    app_id: String,
    api_key: String,
    account: Mutex<Account>,
}

/// Where each route is in [`ROUTES`].
pub(crate) mod at {
    pub(crate) const SAVE: usize = 0;
    pub(crate) const ATTACH_NAMES: usize = 1;
    pub(crate) const DETACH_NAMES: usize = 2;
    pub(crate) const ATTACH_IDS: usize = 3;
    pub(crate) const DETACH_IDS: usize = 4;
    pub(crate) const HOLDERS: usize = 5;
    pub(crate) const INFO: usize = 6;
    pub(crate) const OBJECT_META: usize = 7;
    pub(crate) const CONTACT_META: usize = 8;
    pub(crate) const TAGS: usize = 9;
    pub(crate) const NEW_TAG: usize = 10;
    pub(crate) const BY_EMAIL: usize = 11;
    pub(crate) const CONTACT: usize = 12;
    pub(crate) const CONTACTS: usize = 13;
    pub(crate) const INSERT: usize = 14;
    pub(crate) const SEQUENCES: usize = 15;
    pub(crate) const CAMPAIGNS: usize = 16;
}

macro_rules! route {
    ($method:ident, $path:literal, $role:ident) => {
        Route { method: Method::$method, path: $path, name: concat!(stringify!($method), " ", $path), role: Role::$role }
    };
}

static ROUTES: &[Route] = &[
    route!(POST, "/1/objects/saveorupdate", Save),
    route!(PUT, "/1/objects/tagByName", Tag),
    route!(DELETE, "/1/objects/tagByName", Tag),
    route!(PUT, "/1/objects/tag", Tag),
    route!(DELETE, "/1/objects/tag", Tag),
    route!(GET, "/1/objects/tag", Other),
    route!(GET, "/1/objects/getInfo", Other),
    route!(GET, "/1/objects/meta", Other),
    route!(GET, "/1/Contacts/meta", Other),
    route!(GET, "/1/Tags", Other),
    route!(POST, "/1/Tags", Other),
    route!(GET, "/1/object/getByEmail", Other),
    route!(GET, "/1/Contact", Other),
    route!(GET, "/1/Contacts", Other),
    route!(POST, "/1/Contacts", Save),
    route!(GET, "/1/Sequences", Other),
    route!(GET, "/1/CampaignBuilderItems", Other),
];

static RATE_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-rate-limit-limit"),
    HeaderName::from_static("x-rate-limit-remaining"),
    HeaderName::from_static("x-rate-limit-reset"),
];

impl Vendor for Ontraport {
    type Parsed = Request;

    fn routes(&self) -> &'static [Route] {
        ROUTES
    }

    fn rate_headers(&self) -> &[HeaderName; 3] {
        &RATE_HEADERS
    }

    fn admit(&self, headers: &HeaderMap) -> Result<(), Reply> {
        let holds = |name: &str, wanted: &str| headers.get(name).is_some_and(|v| v.as_bytes() == wanted.as_bytes());
        if holds("api-appid", &self.app_id) && holds("api-key", &self.api_key) {
            return Ok(());
        }
        // The vendor does not say which of the two is wrong, nor whether one is missing.
        Err(Reply::text(401, "These credentials do not authenticate."))
    }

    fn parse(&self, route: usize, query: &str, headers: &HeaderMap, body: &[u8]) -> (String, Request) {
        let asked = request::read(route, query, headers, body);
        let subject = match asked.contact() {
            request::Whom::Email(email) => account::normal(email),
            request::Whom::Id(id) => self.account.lock().email_of(id).map(account::normal).unwrap_or_default(),
            request::Whom::Nobody => String::new(),
        };
        (subject, Request(asked))
    }

    fn apply(&self, _route: usize, request: Request) -> Reply {
        answers::answer(&mut self.account.lock(), request.0)
    }

    fn throttled(&self) -> Reply {
        Reply::text(429, "The rate limit of this account is exceeded.")
    }

    fn unknown(&self, path_exists: bool) -> Reply {
        if path_exists { Reply::text(405, "Method not allowed.") } else { Reply::text(404, "No such endpoint.") }
    }

    fn counters(&self) -> Map<String, Value> {
        let account = self.account.lock();
        let mut counters = Map::new();
        for (name, count) in account.counters() {
            counters.insert(name.into(), json!(count));
        }
        counters
    }

    fn contacts(&self, offset: usize, limit: usize) -> Vec<Value> {
        let account = self.account.lock();
        account.contacts().skip(offset).take(limit).map(|contact| account.shown(contact)).collect()
    }

    fn opt_out(&self, email: &str) -> bool {
        self.account.lock().opt_out(email)
    }

    fn remove(&self, email: &str) -> bool {
        self.account.lock().remove(email)
    }

    fn add_tags(&self, names: &[String]) {
        let mut account = self.account.lock();
        for name in names {
            account.tag_named(name);
        }
    }

    fn reset(&self) {
        *self.account.lock() = Account::default();
    }
}
