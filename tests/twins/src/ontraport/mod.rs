//! Ontraport's twin, from `reference/providers/ontraport.md`. It knows contacts (object 0), tags and the collections a
//! picker may show. Where the documents are silent the twin takes the harsher reading and says so at that place.
//!
//! It must not share code with the connector: the two meet on the wire only.

mod account;
mod answers;
mod request;

use std::io;

use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use crate::core::{Core, Reply, Route, Vendor};
use crate::fleet::{Connecting, Setup, Stand};
use crate::route;
use crate::route::Asked;
use crate::server::{self, Running};
use crate::window::{Allowance, Standing};

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
        let vendor = Ontraport { app_id, api_key, allowance, account: Mutex::new(Account::default()) };
        server::serve(Core::new(vendor), port).await
    }
}

impl Stand for Ontraport {
    fn stand(setup: &Setup) -> Self {
        let own = TwinConfig::default();
        Self {
            app_id: setup.credential("app_id", &own.app_id),
            api_key: setup.credential("api_key", &own.api_key),
            allowance: setup.allowance(Allowance::per_minute(PER_MINUTE)),
            account: Mutex::new(Account::default()),
        }
    }

    fn connecting(&self) -> Connecting {
        let credentials = [("app_id", &self.app_id), ("api_key", &self.api_key)].map(|(slot, value)| (slot.to_owned(), value.clone()));
        Connecting { endpoints: vec![("api", "/1")], credentials: credentials.into(), ..Connecting::default() }
    }
}

pub struct Ontraport {
    app_id: String,
    api_key: String,
    allowance: Option<Allowance>,
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
    pub(crate) const UPDATE: usize = 17;
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
    route!(PUT, "/1/objects", Other),
];

impl Vendor for Ontraport {
    type Parsed = Request;

    fn routes(&self) -> &'static [Route] {
        ROUTES
    }

    fn limits(&self) -> Vec<Option<Allowance>> {
        vec![self.allowance]
    }

    fn limit_headers(&self, _route: usize, standings: &[Standing]) -> Vec<(&'static str, String)> {
        let said = |standing: &Standing| {
            [
                ("x-rate-limit-limit", standing.limit.to_string()),
                ("x-rate-limit-remaining", standing.remaining.to_string()),
                ("x-rate-limit-reset", standing.reset_s.to_string()),
            ]
        };
        standings.iter().flat_map(said).collect()
    }

    fn admit(&self, asked: &Asked<'_>) -> Result<(), Reply> {
        let holds = |name: &str, wanted: &str| asked.headers.get(name).is_some_and(|v| v.as_bytes() == wanted.as_bytes());
        if holds("api-appid", &self.app_id) && holds("api-key", &self.api_key) {
            return Ok(());
        }
        // The vendor does not say which of the two is wrong, nor whether one is missing.
        Err(Reply::text(401, "These credentials do not authenticate."))
    }

    fn parse(&self, asked: &Asked<'_>) -> (String, Request) {
        let asked = request::read(asked.route, asked.query, asked.headers, asked.body);
        let subject = match asked.contact() {
            request::Whom::Email(email) => account::normal(email),
            request::Whom::Id(id) => self.account.lock().email_of(id).map(account::normal).unwrap_or_default(),
            request::Whom::Nobody => String::new(),
        };
        (subject, Request(asked))
    }

    fn apply(&self, _route: usize, request: Request, _now_ms: u64) -> Reply {
        answers::answer(&mut self.account.lock(), request.0)
    }

    fn throttled(&self, _route: usize, _limit: Option<usize>, _standing: &Standing) -> Reply {
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

    fn seed(&self, email: &str) {
        let others = [("firstname", "Seeded"), ("lastname", "Person")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.account.lock().save(account::Fields { email: Some(email.to_owned()), others: others.into() }, true);
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
