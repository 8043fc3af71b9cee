//! Customer.io's twin (Track API v1 and the App API's lookup), from `reference/providers/customer-io.md`: one upsert a person
//! under the e-mail in the path, attributes replaced whole, two regions that answer which one is right.
//!
//! It must not share code with the connector: the two meet on the wire only.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::core::{Reply, Route, Vendor};
use crate::fleet::{Connecting, Setup, Stand};
use crate::people::{Consent, People, Person};
use crate::route;
use crate::route::{Asked, Taken};
use crate::window::{Allowance, Standing};

/// The stand-in for tags: an attribute, comma-separated.
const TAGS: &str = "rekomi_tags";
/// Largest body of one identify call.
const MAX_BODY: usize = 32 << 10;

pub struct CustomerIo {
    site_id: String,
    track_api_key: String,
    app_api_key: String,
    limit: Option<Allowance>,
    people: Mutex<People>,
    segments: Mutex<BTreeMap<String, Vec<String>>>,
}

mod at {
    pub(super) const REGION: usize = 0;
    pub(super) const AUTH: usize = 1;
    pub(super) const PUT: usize = 2;
    pub(super) const ADD: usize = 3;
    pub(super) const REMOVE: usize = 4;
    pub(super) const APP_CUSTOMERS: usize = 5;
    pub(super) const APP_ATTRIBUTES: usize = 6;
    pub(super) const APP_SEGMENTS: usize = 7;
}

static ROUTES: &[Route] = &[
    route!(GET, "/api/v1/accounts/region", Other),
    route!(GET, "/auth", Other),
    route!(PUT, "/api/v1/customers/{}", Save),
    route!(POST, "/api/v1/segments/{}/add_customers", Tag),
    route!(POST, "/api/v1/segments/{}/remove_customers", Tag),
    route!(GET, "/v1/customers", Other),
    route!(GET, "/v1/customers/{}/attributes", Other),
    route!(GET, "/v1/segments", Other),
];

impl Stand for CustomerIo {
    fn stand(setup: &Setup) -> Self {
        Self {
            site_id: setup.credential("site_id", "0123456789abcdef0123"),
            track_api_key: setup.credential("track_api_key", "fedcba98765432100123"),
            app_api_key: setup.credential("app_api_key", "abcdef0123456789abcdef0123456789"),
            limit: setup.allowance(Allowance { requests: 3_000, span_ms: 3_000 }),
            people: Mutex::default(),
            segments: Mutex::new([("7".to_owned(), Vec::new())].into()),
        }
    }

    fn connecting(&self) -> Connecting {
        let credentials = [("site_id", &self.site_id), ("track_api_key", &self.track_api_key)];
        Connecting {
            endpoints: vec![("track", "/api/v1"), ("app", "/v1")],
            credentials: credentials.map(|(slot, value)| (slot.to_owned(), value.clone())).into(),
            ..Connecting::default()
        }
    }
}

fn meta(status: u16, message: &str) -> Reply {
    Reply::value(status, &json!({ "meta": { "error": message } }))
}

/// The person whom an id of this kind names; `id` unless told, which nobody has where people go by e-mail.
fn identified<'p>(people: &'p People, id: &str, kind: &str) -> Option<&'p Person> {
    match kind {
        "email" => people.find(id),
        "cio_id" => people.all().find(|person| cio_id(person) == id),
        _ => None,
    }
}

fn cio_id(person: &Person) -> String {
    format!("{:012x}", person.number)
}

impl CustomerIo {
    fn put(&self, asked: &Taken) -> Reply {
        let Some(attributes) = asked.json.as_object() else { return meta(400, "invalid JSON") };
        if asked.json.to_string().len() > MAX_BODY {
            return meta(413, "payload too large");
        }
        // The path is the person; a workspace that goes by id would make a second person of an e-mail that is no e-mail.
        let email = asked.param(0);
        let mut people = self.people.lock();
        let exists = people.find(email).is_some();
        if !exists && asked.json["_update"].as_bool() == Some(true) {
            return Reply::value(200, &json!({}));
        }
        if asked.json["email"].as_str().is_some_and(|given| !given.eq_ignore_ascii_case(email)) {
            // The vendor says 200 and refuses later, in its activity log only.
            return Reply::value(200, &json!({}));
        }
        if !exists {
            people.create(email);
        }
        for (name, value) in attributes {
            match name.as_str() {
                "_update" | "_timestamp" | "email" => {}
                "unsubscribed" => {
                    let out = value.as_bool().unwrap_or(false) || value.as_str() == Some("true");
                    people.consent(email, None, if out { Consent::OptedOut } else { Consent::Subscribed });
                }
                _ if value.as_str().is_some_and(|text| text.len() > 1000) => return meta(400, "attribute value is too long"),
                // The tags may become none: that is no blank over somebody's data.
                TAGS => {
                    if let Some(person) = people.find_mut(email) {
                        person.fields.insert(name.clone(), value.clone());
                    }
                }
                _ => people.write(email, name, value.clone()),
            }
        }
        Reply::value(200, &json!({}))
    }

    fn segment(&self, asked: &Taken, add: bool) -> Reply {
        let mut segments = self.segments.lock();
        let Some(members) = segments.get_mut(asked.param(0)) else { return meta(404, "segment not found") };
        if asked.query("id_type") != "email" {
            return meta(400, "the twin's people go by e-mail: id_type=email is needed");
        }
        for id in asked.json["ids"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            members.retain(|held| held != id);
            if add {
                members.push(id.to_owned());
            }
        }
        Reply::value(200, &json!({}))
    }
}

impl Vendor for CustomerIo {
    type Parsed = Taken;

    fn routes(&self) -> &'static [Route] {
        ROUTES
    }

    fn limits(&self) -> Vec<Option<Allowance>> {
        vec![self.limit]
    }

    fn limit_headers(&self, _route: usize, _standings: &[Standing]) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn admit(&self, asked: &Asked<'_>) -> Result<(), Reply> {
        let good = if asked.path.starts_with("/v1/") {
            asked.header("authorization") == format!("Bearer {}", self.app_api_key)
        } else {
            asked.basic() == Some((self.site_id.clone(), self.track_api_key.clone()))
        };
        if good { Ok(()) } else { Err(meta(401, "Unauthorized request")) }
    }

    fn parse(&self, asked: &Asked<'_>) -> (String, Taken) {
        let taken = Taken::of(asked);
        let subject = match asked.route {
            at::PUT => taken.param(0).to_lowercase(),
            at::ADD | at::REMOVE => taken.text("/ids/0").to_lowercase(),
            _ => String::new(),
        };
        (subject, taken)
    }

    fn apply(&self, route: usize, asked: Taken, _now_ms: u64) -> Reply {
        let people = self.people.lock();
        match route {
            at::REGION => Reply::value(200, &json!({ "url": "track.customer.io", "data_center": "us", "environment_id": 123 })),
            at::AUTH => Reply::value(200, &json!({ "meta": "nice credentials." })),
            at::PUT => {
                drop(people);
                self.put(&asked)
            }
            at::ADD | at::REMOVE => self.segment(&asked, route == at::ADD),
            at::APP_CUSTOMERS => {
                let found = people.find(asked.query("email"));
                let row = |person: &Person| json!({ "cio_id": cio_id(person), "id": null, "email": person.email });
                Reply::value(200, &json!({ "results": found.iter().map(|person| row(person)).collect::<Vec<_>>() }))
            }
            at::APP_ATTRIBUTES => match identified(&people, asked.param(0), asked.query("id_type")) {
                None => meta(404, "customer not found"),
                Some(person) => Reply::value(
                    200,
                    &json!({ "customer": { "id": "", "attributes": person.fields, "unsubscribed": person.opted_out(), "identifiers": { "cio_id": cio_id(person), "email": person.email } } }),
                ),
            },
            at::APP_SEGMENTS => {
                let segments = self.segments.lock();
                let rows: Vec<_> = segments
                    .keys()
                    .map(|id| json!({ "id": id.parse::<u64>().unwrap_or(0), "name": "Affiliates", "type": "manual" }))
                    .collect();
                Reply::value(200, &json!({ "segments": rows }))
            }
            _ => meta(404, "not found"),
        }
    }

    fn throttled(&self, _route: usize, _limit: Option<usize>, _standing: &Standing) -> Reply {
        meta(429, "too many requests")
    }

    fn unknown(&self, path_exists: bool) -> Reply {
        if path_exists { meta(405, "method not allowed") } else { meta(404, "not found") }
    }

    fn people(&self) -> Option<&Mutex<People>> {
        Some(&self.people)
    }

    fn tags_of(&self, _people: &People, person: &Person) -> Vec<String> {
        person.text(TAGS).split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    fn seed(&self, email: &str) {
        let mut people = self.people.lock();
        people.create(email).consent = Consent::Subscribed;
        people.write(email, "first_name", json!("Seeded"));
    }

    fn add_tags(&self, _names: &[String]) {}

    fn reset(&self) {
        *self.people.lock() = People::default();
        self.segments.lock().values_mut().for_each(Vec::clear);
    }
}
