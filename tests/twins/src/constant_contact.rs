//! Constant Contact's twin (API v3 and its authorization server), from `reference/providers/constant-contact.md`: single-use
//! refresh tokens, a search that hides who left unless asked for all, tags and lists through activities that end later.
//!
//! It must not share code with the connector: the two meet on the wire only. Its authorization page asks nobody: it sends
//! the browser back at once, as after a yes.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::core::{Reply, Route, Vendor};
use crate::fleet::{Connecting, Setup, Stand};
use crate::people::{Consent, People, Person, plausible};
use crate::route;
use crate::route::{Asked, Taken};
use crate::window::{Allowance, Standing};

const LIST: &str = "11111111-aaaa-4bbb-8ccc-000000000001";
/// How long an activity takes.
const ACTIVITY_MS: u64 = 1_000;
const PER_SECOND: u32 = 4;
const PER_DAY: u32 = 10_000;

pub struct ConstantContact {
    client_id: String,
    client_secret: String,
    limits: Vec<Option<Allowance>>,
    people: Mutex<People>,
    grants: Mutex<Grants>,
    activities: Mutex<BTreeMap<String, u64>>,
}

/// Codes and tokens that are good at the moment. A refresh token works once; using an old one ends the grant.
#[derive(Default)]
struct Grants {
    issued: u64,
    codes: BTreeMap<String, String>,
    access: BTreeSet<String>,
    refresh: BTreeSet<String>,
    reused: u64,
}

mod at {
    pub(super) const AUTHORIZE: usize = 0;
    pub(super) const TOKEN: usize = 1;
    pub(super) const SUMMARY: usize = 2;
    pub(super) const LISTS: usize = 3;
    pub(super) const TAGS: usize = 4;
    pub(super) const NEW_TAG: usize = 5;
    pub(super) const FIELDS: usize = 6;
    pub(super) const FIND: usize = 7;
    pub(super) const ONE: usize = 8;
    pub(super) const CREATE: usize = 9;
    pub(super) const JOIN: usize = 10;
    pub(super) const TAG: usize = 11;
    pub(super) const UNTAG: usize = 12;
    pub(super) const ACTIVITY: usize = 13;
}

static ROUTES: &[Route] = &[
    route!(GET, "/oauth2/default/v1/authorize", Other),
    route!(POST, "/oauth2/default/v1/token", Other),
    route!(GET, "/v3/account/summary", Other),
    route!(GET, "/v3/contact_lists", Other),
    route!(GET, "/v3/contact_tags", Other),
    route!(POST, "/v3/contact_tags", Other),
    route!(GET, "/v3/contact_custom_fields", Other),
    route!(GET, "/v3/contacts", Other),
    route!(GET, "/v3/contacts/{}", Other),
    route!(POST, "/v3/contacts", Save),
    route!(POST, "/v3/activities/add_list_memberships", Other),
    route!(POST, "/v3/activities/contacts_taggings_add", Tag),
    route!(POST, "/v3/activities/contacts_taggings_remove", Tag),
    route!(GET, "/v3/activities/{}", Other),
];

impl Stand for ConstantContact {
    fn stand(setup: &Setup) -> Self {
        let windows = [Allowance { requests: PER_SECOND, span_ms: 1_000 }, Allowance { requests: PER_DAY, span_ms: 86_400_000 }];
        Self {
            client_id: setup.credential("client_id", "0f0f0f0f-1111-4222-8333-444444444444"),
            client_secret: setup.credential("client_secret", "TwinClientSecret0123456"),
            limits: windows.map(|window| setup.allowance(window)).into(),
            people: Mutex::new(fresh()),
            grants: Mutex::default(),
            activities: Mutex::default(),
        }
    }

    fn connecting(&self) -> Connecting {
        let credentials = [("client_id", &self.client_id), ("client_secret", &self.client_secret)];
        Connecting {
            endpoints: vec![("api", "/v3"), ("authz", "")],
            credentials: credentials.map(|(slot, value)| (slot.to_owned(), value.clone())).into(),
            picked: [("list".to_owned(), LIST.to_owned())].into(),
            ..Connecting::default()
        }
    }
}

fn fresh() -> People {
    let mut people = People::default();
    people.lists.insert(LIST.to_owned(), "Affiliates".to_owned());
    people
}

fn errors(status: u16, key: &str, message: &str) -> Reply {
    Reply::value(status, &json!([{ "error_key": key, "error_message": message }]))
}

fn contact_id(person: &Person) -> String {
    format!("c0c0c0c0-0000-4000-8000-{:012x}", person.number)
}

fn number_of(id: &str) -> Option<u64> {
    u64::from_str_radix(id.strip_prefix("c0c0c0c0-0000-4000-8000-")?, 16).ok()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn shown(person: &Person) -> Value {
    let permission = if person.consent == Consent::OptedOut { "unsubscribed" } else { person.text("permission") };
    let mut shown = json!({
        "contact_id": contact_id(person), "first_name": person.text("first_name"), "last_name": person.text("last_name"),
        "email_address": { "address": person.email, "permission_to_send": if permission.is_empty() { "implicit" } else { permission } },
        "list_memberships": person.lists.keys().collect::<Vec<_>>(), "taggings": person.tags, "custom_fields": [],
    });
    if person.consent == Consent::OptedOut {
        shown["email_address"]["opt_out_date"] = json!("2026-11-01");
    }
    shown
}

impl ConstantContact {
    fn authorize(&self, asked: &Taken) -> Reply {
        if asked.query("client_id") != self.client_id || asked.query("response_type") != "code" || asked.query("redirect_uri").is_empty() {
            return Reply::html(400, "<html><body>The request is not valid.</body></html>");
        }
        let mut grants = self.grants.lock();
        grants.issued += 1;
        let code = format!("code-{}", grants.issued);
        grants.codes.insert(code.clone(), asked.query("redirect_uri").to_owned());
        let state: String = url::form_urlencoded::byte_serialize(asked.query("state").as_bytes()).collect();
        let sign = if asked.query("redirect_uri").contains('?') { '&' } else { '?' };
        Reply::empty(302).header("location", format!("{}{sign}code={code}&state={state}", asked.query("redirect_uri")))
    }

    fn token(&self, asked: &Taken) -> Reply {
        let gone = || Reply::value(400, &json!({ "error": "invalid_grant", "error_description": "The grant is invalid or expired." }));
        let form = |key: &str| asked.form.get(key).map(String::as_str).unwrap_or_default();
        let mut grants = self.grants.lock();
        match form("grant_type") {
            "authorization_code" => match grants.codes.remove(form("code")) {
                Some(redirect) if redirect == form("redirect_uri") => {}
                _ => return gone(),
            },
            "refresh_token" => {
                if !grants.refresh.remove(form("refresh_token")) {
                    grants.reused += 1;
                    grants.refresh.clear();
                    grants.access.clear();
                    return gone();
                }
            }
            _ => return Reply::value(400, &json!({ "error": "unsupported_grant_type" })),
        }
        grants.issued += 1;
        let (access, refresh) = (format!("access-{:024}", grants.issued), format!("refresh-{:024}", grants.issued));
        grants.access.insert(access.clone());
        grants.refresh.insert(refresh.clone());
        let scope = "contact_data account_read offline_access";
        Reply::value(
            200,
            &json!({ "token_type": "Bearer", "expires_in": 86400, "access_token": access, "refresh_token": refresh, "scope": scope }),
        )
    }

    fn create(&self, asked: &Taken) -> Reply {
        let email = asked.text("/email_address/address");
        if !plausible(email) || email.ends_with("@invalid.example") {
            return errors(400, "contacts.api.validation", "#/email_address/address: is not a valid email address");
        }
        let mut people = self.people.lock();
        if people.find(email).is_some() {
            return errors(409, "contacts.api.conflict", "Validation failed: the email already exists for another contact.");
        }
        let (lists, tags) = (texts(&asked.json["list_memberships"]), texts(&asked.json["taggings"]));
        if lists.iter().any(|id| !people.lists.contains_key(id)) {
            return errors(400, "contacts.api.validation", "#/list_memberships: list not found");
        }
        if tags.iter().any(|id| !people.tags.contains_key(id)) {
            return errors(400, "contacts.api.validation", "#/taggings: tag not found");
        }
        let person = people.create(email);
        person.consent = Consent::Subscribed;
        person.tags = tags.into_iter().collect();
        person.lists = lists.into_iter().map(|id| (id, Consent::Unset)).collect();
        for field in ["first_name", "last_name"] {
            if let Some(value) = asked.json.get(field) {
                people.write(email, field, value.clone());
            }
        }
        people.find(email).map_or_else(|| Reply::empty(500), |person| Reply::value(201, &shown(person)))
    }

    fn activity(&self, asked: &Taken, route: usize, now_ms: u64) -> Reply {
        let mut people = self.people.lock();
        let (tags, lists) = (texts(&asked.json["tag_ids"]), texts(&asked.json["list_ids"]));
        if tags.iter().any(|id| !people.tags.contains_key(id)) || lists.iter().any(|id| !people.lists.contains_key(id)) {
            return errors(400, "activities.api.validation", "a tag or list id is unknown");
        }
        for number in texts(&asked.json["source"]["contact_ids"]).iter().filter_map(|id| number_of(id)) {
            let Some(person) = people.number_mut(number) else { continue };
            match route {
                at::JOIN => person.lists.extend(lists.iter().map(|id| (id.clone(), Consent::Unset))),
                at::TAG => person.tags.extend(tags.iter().cloned()),
                _ => person.tags.retain(|id| !tags.contains(id)),
            }
        }
        let mut activities = self.activities.lock();
        let id = format!("ac7ac7ac-0000-4000-8000-{:012}", activities.len() + 1);
        activities.insert(id.clone(), now_ms + ACTIVITY_MS);
        Reply::value(201, &json!({ "activity_id": id, "state": "initialized", "percent_done": 1 }))
    }
}

fn page(key: &str, rows: &[Value]) -> Reply {
    Reply::value(200, &json!({ key: rows }))
}

impl Vendor for ConstantContact {
    type Parsed = Taken;

    fn routes(&self) -> &'static [Route] {
        ROUTES
    }

    fn limits(&self) -> Vec<Option<Allowance>> {
        self.limits.clone()
    }

    fn draws_on(&self, route: usize) -> &'static [usize] {
        // The authorization server is another host.
        if route <= at::TOKEN { &[] } else { &[0, 1] }
    }

    fn limit_headers(&self, _route: usize, _standings: &[Standing]) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn admit(&self, asked: &Asked<'_>) -> Result<(), Reply> {
        let good = match asked.route {
            at::AUTHORIZE => true,
            at::TOKEN => asked.basic() == Some((self.client_id.clone(), self.client_secret.clone())),
            _ => asked.header("authorization").strip_prefix("Bearer ").is_some_and(|token| self.grants.lock().access.contains(token)),
        };
        if good { Ok(()) } else { Err(Reply::value(401, &json!({ "error_key": "unauthorized", "error_message": "Unauthorized" }))) }
    }

    fn parse(&self, asked: &Asked<'_>) -> (String, Taken) {
        let taken = Taken::of(asked);
        let subject = match asked.route {
            at::CREATE => taken.text("/email_address/address").to_lowercase(),
            at::TAG | at::UNTAG => {
                let people = self.people.lock();
                number_of(taken.text("/source/contact_ids/0"))
                    .and_then(|n| people.number(n))
                    .map(|person| person.email.to_lowercase())
                    .unwrap_or_default()
            }
            _ => String::new(),
        };
        (subject, taken)
    }

    fn apply(&self, route: usize, asked: Taken, now_ms: u64) -> Reply {
        match route {
            at::AUTHORIZE => self.authorize(&asked),
            at::TOKEN => self.token(&asked),
            at::SUMMARY => Reply::value(
                200,
                &json!({ "encoded_account_id": "twin01", "organization_name": "Twin Ltd", "contact_email": "owner@example.com" }),
            ),
            at::LISTS => {
                let row = |(id, name): (&String, &String)| json!({ "list_id": id, "name": name, "membership_count": 0 });
                page("lists", &self.people.lock().lists.iter().map(row).collect::<Vec<_>>())
            }
            at::TAGS => {
                let row = |(id, name): (&String, &String)| json!({ "tag_id": id, "name": name, "contacts_count": 0 });
                page("tags", &self.people.lock().tags.iter().map(row).collect::<Vec<_>>())
            }
            at::NEW_TAG => {
                let mut people = self.people.lock();
                let name = asked.text("/name");
                if name.is_empty() || name.chars().count() > 255 || name.contains(['<', '>']) {
                    return errors(400, "contacts.api.validation", "#/name: is not valid");
                }
                if people.tag_id(name).is_some() {
                    return errors(409, "contacts.api.conflict", "A tag with this name already exists.");
                }
                let id = format!("7a97a97a-0000-4000-8000-{:012}", people.tags.len() + 1);
                people.make_tag(id.clone(), name);
                Reply::value(201, &json!({ "tag_id": id, "name": name }))
            }
            at::FIELDS => page("custom_fields", &[]),
            at::FIND => {
                let people = self.people.lock();
                // Without status=all, who left is not shown.
                let found = people.find(asked.query("email")).filter(|person| asked.query("status") == "all" || !person.opted_out());
                page("contacts", &found.map(shown).into_iter().collect::<Vec<_>>())
            }
            at::ONE => match number_of(asked.param(0)).and_then(|n| self.people.lock().number(n).map(shown)) {
                Some(contact) => Reply::value(200, &contact),
                None => errors(404, "contacts.api.not_found", "Unable to find the contact"),
            },
            at::CREATE => self.create(&asked),
            at::JOIN | at::TAG | at::UNTAG => self.activity(&asked, route, now_ms),
            at::ACTIVITY => match self.activities.lock().get(asked.param(0)) {
                Some(ready) => {
                    let state = if now_ms < *ready { "processing" } else { "completed" };
                    Reply::value(200, &json!({ "activity_id": asked.param(0), "state": state }))
                }
                None => errors(404, "activities.api.not_found", "Unable to find the activity"),
            },
            _ => errors(404, "not_found", "not found"),
        }
    }

    fn throttled(&self, _route: usize, limit: Option<usize>, _standing: &Standing) -> Reply {
        let key = if limit == Some(1) { "quota_exceeded" } else { "throttled" };
        Reply::value(429, &json!({ "error_key": key, "error_message": "Too many requests" }))
    }

    fn unknown(&self, path_exists: bool) -> Reply {
        if path_exists { errors(405, "method_not_allowed", "Method not allowed") } else { errors(404, "not_found", "not found") }
    }

    fn people(&self) -> Option<&Mutex<People>> {
        Some(&self.people)
    }

    fn seed(&self, email: &str) {
        let mut people = self.people.lock();
        let person = people.create(email);
        person.consent = Consent::Subscribed;
        person.lists.insert(LIST.to_owned(), Consent::Unset);
        people.write(email, "first_name", json!("Seeded"));
    }

    fn add_tags(&self, names: &[String]) {
        let mut people = self.people.lock();
        for name in names {
            let id = format!("7a97a97a-0000-4000-8000-{:012}", people.tags.len() + 1);
            people.make_tag(id, name);
        }
    }

    fn reset(&self) {
        *self.people.lock() = fresh();
    }
}
