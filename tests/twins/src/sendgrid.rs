//! SendGrid's twin (Marketing Contacts, API v3), from `reference/providers/sendgrid.md` and the vendor's own descriptions:
//! contacts arrive through jobs that end a while later, a list stands for a tag, opt-outs live apart from contacts.
//!
//! It must not share code with the connector: the two meet on the wire only.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use crate::core::{Reply, Route, Vendor};
use crate::fleet::{Connecting, Setup, Stand};
use crate::people::{Consent, People, Person, plausible};
use crate::route;
use crate::route::{Asked, Taken};
use crate::window::{Allowance, Standing};

/// How long a job says that it is pending.
const JOB_MS: u64 = 1_500;
const DESTINATION: &str = "00000000-0000-4000-8000-000000000001";
/// Reserved fields of a contact; an unknown key is ignored by the vendor, without a word.
const CONTACT: &[&str] = &[
    "email",
    "first_name",
    "last_name",
    "address_line_1",
    "address_line_2",
    "city",
    "state_province_region",
    "postal_code",
    "country",
    "phone_number",
    "whatsapp",
    "line",
    "facebook",
    "unique_name",
    "alternate_emails",
    "custom_fields",
];

struct Job {
    ready_ms: u64,
    created: u64,
    updated: u64,
    errored: u64,
}

pub struct Sendgrid {
    api_key: String,
    limits: Vec<Option<Allowance>>,
    people: Mutex<People>,
    jobs: Mutex<BTreeMap<String, Job>>,
}

mod at {
    pub(super) const SAVE: usize = 0;
    pub(super) const JOB: usize = 1;
    pub(super) const SEARCH: usize = 2;
    pub(super) const LISTS: usize = 3;
    pub(super) const NEW_LIST: usize = 4;
    pub(super) const ONE_LIST: usize = 5;
    pub(super) const LEAVE: usize = 6;
    pub(super) const FIELDS: usize = 7;
    pub(super) const OPT_OUT: usize = 8;
    pub(super) const SCOPES: usize = 9;
    pub(super) const USERNAME: usize = 10;
    pub(super) const EMAIL: usize = 11;
}

static ROUTES: &[Route] = &[
    route!(PUT, "/v3/marketing/contacts", Save),
    route!(GET, "/v3/marketing/contacts/imports/{}", Other),
    route!(POST, "/v3/marketing/contacts/search/emails", Other),
    route!(GET, "/v3/marketing/lists", Other),
    route!(POST, "/v3/marketing/lists", Other),
    route!(GET, "/v3/marketing/lists/{}", Other),
    route!(DELETE, "/v3/marketing/lists/{}/contacts", Tag),
    route!(GET, "/v3/marketing/field_definitions", Other),
    route!(GET, "/v3/asm/suppressions/global/{}", Other),
    route!(GET, "/v3/scopes", Other),
    route!(GET, "/v3/user/username", Other),
    route!(GET, "/v3/user/email", Other),
];

impl Stand for Sendgrid {
    fn stand(setup: &Setup) -> Self {
        // The search answers with a smaller limit than the rest.
        let limits = (0..ROUTES.len()).map(|route| setup.allowance(Allowance::per_minute(if route == at::SEARCH { 200 } else { 600 })));
        Self {
            api_key: setup.credential("api_key", "SG.0123456789abcdefghijkl.0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"),
            limits: limits.collect(),
            people: Mutex::new(fresh()),
            jobs: Mutex::default(),
        }
    }

    fn connecting(&self) -> Connecting {
        Connecting {
            endpoints: vec![("api", "/v3")],
            credentials: [("api_key".to_owned(), self.api_key.clone())].into(),
            picked: [("list".to_owned(), DESTINATION.to_owned())].into(),
            ..Connecting::default()
        }
    }
}

fn fresh() -> People {
    let mut people = People::default();
    people.make_tag(DESTINATION.to_owned(), "Affiliates");
    people
}

fn errors(status: u16, message: &str, field: Option<&str>) -> Reply {
    Reply::value(status, &json!({ "errors": [{ "message": message, "field": field }] }))
}

/// Lists are the tags here, so they are kept as those.
fn list(people: &People, id: &str) -> Option<Value> {
    let name = people.tags.get(id)?;
    let count = people.all().filter(|person| person.tags.contains(id)).count();
    Some(json!({ "id": id, "name": name, "contact_count": count }))
}

fn contact_id(person: &Person) -> String {
    format!("c0ffee00-0000-4000-8000-{:012x}", person.number)
}

impl Sendgrid {
    fn save(&self, asked: &Taken, now_ms: u64) -> Reply {
        let Some(contacts) = asked.json["contacts"].as_array().filter(|contacts| !contacts.is_empty()) else {
            return errors(400, "contacts is required", Some("contacts"));
        };
        let mut people = self.people.lock();
        let lists: Vec<String> =
            asked.json["list_ids"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        if let Some(unknown) = lists.iter().find(|id| !people.tags.contains_key(*id)) {
            return errors(404, &format!("list {unknown} not found"), Some("list_ids"));
        }
        let mut job = Job { ready_ms: now_ms + JOB_MS, created: 0, updated: 0, errored: 0 };
        // One bad address fails the whole batch.
        for contact in contacts {
            let email = contact["email"].as_str().unwrap_or_default();
            if !plausible(email) || email.ends_with("@invalid.example") {
                return errors(400, &format!("email '{email}' is not valid"), Some("contacts[0].email"));
            }
            if contact["custom_fields"].as_object().is_some_and(|fields| fields.keys().any(|id| !id.starts_with('e'))) {
                return errors(400, "invalid custom field ids supplied", Some("contacts[0].custom_fields"));
            }
        }
        for contact in contacts {
            let email = contact["email"].as_str().unwrap_or_default().to_lowercase();
            if people.find(&email).is_some() {
                job.updated += 1
            } else {
                job.created += 1
            }
            if people.find(&email).is_none() {
                people.create(&email);
            }
            for (name, value) in contact.as_object().into_iter().flatten().filter(|(name, _)| CONTACT.contains(&name.as_str())) {
                match value.as_object() {
                    Some(fields) => fields.iter().for_each(|(id, value)| people.write(&email, id, value.clone())),
                    None => people.write(&email, name, value.clone()),
                }
            }
            if let Some(person) = people.find_mut(&email) {
                person.tags.extend(lists.iter().cloned());
            }
        }
        let mut jobs = self.jobs.lock();
        let id = format!("job-{}", jobs.len() + 1);
        jobs.insert(id.clone(), job);
        Reply::value(202, &json!({ "job_id": id }))
    }

    fn job(&self, id: &str, now_ms: u64) -> Reply {
        let jobs = self.jobs.lock();
        let Some(job) = jobs.get(id) else { return errors(404, "not found", None) };
        let total = job.created + job.updated + job.errored;
        let pending = now_ms < job.ready_ms;
        let mut body = json!({ "id": id, "status": if pending { "pending" } else { "completed" }, "job_type": "upsert", "started_at": "2026-11-23T10:00:00Z" });
        body["results"] = if pending {
            json!({ "requested_count": total })
        } else {
            json!({ "requested_count": total, "created_count": job.created, "updated_count": job.updated, "errored_count": job.errored, "errors_url": "" })
        };
        Reply::value(200, &body)
    }

    fn search(&self, asked: &Taken) -> Reply {
        let people = self.people.lock();
        let mut result = Map::new();
        for email in asked.json["emails"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let found = people.find(email).map(|person| {
                json!({ "contact": {
                    "id": contact_id(person), "email": person.email, "first_name": person.text("first_name"), "last_name": person.text("last_name"),
                    "list_ids": person.tags, "custom_fields": {},
                }})
            });
            result.insert(email.to_owned(), found.unwrap_or_else(|| json!({ "error": "contact not found" })));
        }
        if result.is_empty() {
            return errors(400, "emails is required", Some("emails"));
        }
        if result.values().all(|row| row.get("error").is_some()) {
            return errors(404, "not found", None);
        }
        Reply::value(200, &json!({ "result": result }))
    }

    fn leave(&self, asked: &Taken) -> Reply {
        let mut people = self.people.lock();
        if !people.tags.contains_key(asked.param(0)) {
            return errors(404, "list not found", None);
        }
        let ids: Vec<u64> = people
            .all()
            .filter(|person| asked.query("contact_ids").split(',').any(|id| id == contact_id(person)))
            .map(|person| person.number)
            .collect();
        for number in &ids {
            if let Some(person) = people.number_mut(*number) {
                person.tags.remove(asked.param(0));
            }
        }
        if ids.is_empty() { errors(404, "contact not found", None) } else { Reply::value(202, &json!({ "job_id": "leave" })) }
    }

    fn lists(&self, asked: &Taken) -> Reply {
        let people = self.people.lock();
        let (size, from) = (asked.number("page_size", 100).min(1000), asked.number("page_token", 0));
        let rows: Vec<Value> = people.tags.keys().skip(from).take(size).filter_map(|id| list(&people, id)).collect();
        let mut metadata = json!({ "count": people.tags.len(), "self": "https://api.sendgrid.com/v3/marketing/lists" });
        if from + rows.len() < people.tags.len() {
            metadata["next"] =
                json!(format!("https://api.sendgrid.com/v3/marketing/lists?page_size={size}&page_token={}", from + rows.len()));
        }
        Reply::value(200, &json!({ "result": rows, "_metadata": metadata }))
    }

    fn new_list(&self, asked: &Taken) -> Reply {
        let name = asked.text("/name");
        let mut people = self.people.lock();
        if name.is_empty() || name.chars().count() > 100 {
            return errors(400, "name is required and at most 100 characters long", Some("name"));
        }
        if people.tag_id(name).is_some() {
            return errors(400, "a list with this name already exists", Some("name"));
        }
        let id = format!("00000000-0000-4000-8000-{:012}", people.tags.len() + 1);
        people.make_tag(id.clone(), name);
        Reply::value(201, &list(&people, &id).unwrap_or_default())
    }
}

impl Vendor for Sendgrid {
    type Parsed = Taken;

    fn routes(&self) -> &'static [Route] {
        ROUTES
    }

    fn limits(&self) -> Vec<Option<Allowance>> {
        self.limits.clone()
    }

    fn draws_on(&self, route: usize) -> &'static [usize] {
        const EACH: [[usize; 1]; 12] = [[0], [1], [2], [3], [4], [5], [6], [7], [8], [9], [10], [11]];
        &EACH[route]
    }

    fn limit_headers(&self, _route: usize, standings: &[Standing]) -> Vec<(&'static str, String)> {
        let said = |standing: &Standing| {
            [
                ("x-ratelimit-limit", standing.limit.to_string()),
                ("x-ratelimit-remaining", standing.remaining.to_string()),
                ("x-ratelimit-reset", standing.reset_s.to_string()),
            ]
        };
        standings.iter().flat_map(said).collect()
    }

    fn admit(&self, asked: &Asked<'_>) -> Result<(), Reply> {
        if asked.header("authorization") == format!("Bearer {}", self.api_key) {
            return Ok(());
        }
        Err(errors(401, "The provided authorization grant is invalid, expired, or revoked", None))
    }

    fn parse(&self, asked: &Asked<'_>) -> (String, Taken) {
        let taken = Taken::of(asked);
        let subject = match asked.route {
            at::SAVE => taken.text("/contacts/0/email").to_lowercase(),
            at::LEAVE => {
                let people = self.people.lock();
                let who = people.all().find(|person| contact_id(person) == taken.query("contact_ids"));
                who.map(|person| person.email.clone()).unwrap_or_default()
            }
            _ => String::new(),
        };
        (subject, taken)
    }

    fn apply(&self, route: usize, asked: Taken, now_ms: u64) -> Reply {
        match route {
            at::SAVE => self.save(&asked, now_ms),
            at::JOB => self.job(asked.param(0), now_ms),
            at::SEARCH => self.search(&asked),
            at::LISTS => self.lists(&asked),
            at::NEW_LIST => self.new_list(&asked),
            at::ONE_LIST => list(&self.people.lock(), asked.param(0))
                .map_or_else(|| errors(404, "list not found", None), |list| Reply::value(200, &list)),
            at::LEAVE => self.leave(&asked),
            at::FIELDS => Reply::value(
                200,
                &json!({ "custom_fields": [{ "id": "e1_T", "name": "affiliate_id", "field_type": "Text" }], "reserved_fields": [{ "id": "_rf2_T", "name": "email", "field_type": "Text" }] }),
            ),
            at::OPT_OUT => {
                let out = self.people.lock().find(asked.param(0)).is_some_and(Person::opted_out);
                Reply::value(200, &if out { json!({ "recipient_email": asked.param(0) }) } else { json!({}) })
            }
            at::SCOPES => Reply::value(200, &json!({ "scopes": ["marketing.read", "marketing.automation.read", "user.account.read"] })),
            at::USERNAME => Reply::value(200, &json!({ "username": "twin", "user_id": 4711 })),
            at::EMAIL => Reply::value(200, &json!({ "email": "owner@example.com" })),
            _ => errors(404, "not found", None),
        }
    }

    fn throttled(&self, _route: usize, _limit: Option<usize>, _standing: &Standing) -> Reply {
        errors(429, "too many requests", None)
    }

    fn unknown(&self, path_exists: bool) -> Reply {
        if path_exists { errors(405, "method not allowed", None) } else { errors(404, "not found", None) }
    }

    fn people(&self) -> Option<&Mutex<People>> {
        Some(&self.people)
    }

    fn seed(&self, email: &str) {
        let mut people = self.people.lock();
        let person = people.create(email);
        person.consent = Consent::Subscribed;
        person.tags.insert(DESTINATION.to_owned());
        people.write(email, "first_name", json!("Seeded"));
    }

    fn add_tags(&self, names: &[String]) {
        let mut people = self.people.lock();
        for name in names {
            let id = format!("00000000-0000-4000-8000-{:012}", people.tags.len() + 1);
            people.make_tag(id, name);
        }
    }

    fn reset(&self) {
        *self.people.lock() = fresh();
        self.jobs.lock().clear();
    }
}
