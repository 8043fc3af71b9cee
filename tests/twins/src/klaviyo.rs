//! Klaviyo's twin (revision 2026-07-15), from `reference/providers/klaviyo.md` and the vendor's own description: JSON:API, an
//! upsert that tells consent, a bulk subscribe that lifts opt-outs, burst and steady limits for each endpoint.
//!
//! It must not share code with the connector: the two meet on the wire only.

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::core::{Reply, Route, Vendor};
use crate::fleet::{Connecting, Setup, Stand};
use crate::people::{Consent, People, Person, plausible};
use crate::route;
use crate::route::{Asked, Taken};
use crate::window::{Allowance, Standing};

const REVISION: &str = "2026-07-15";
const JSON_API: &str = "application/vnd.api+json";
const LIST: &str = "XYZ123";
/// The stand-in for tags: a profile property that holds an array.
const TAGS: &str = "rekomi_tags";

pub struct Klaviyo {
    api_key: String,
    limits: Vec<Option<Allowance>>,
    people: Mutex<People>,
}

mod at {
    pub(super) const ACCOUNTS: usize = 0;
    pub(super) const LISTS: usize = 1;
    pub(super) const PROFILES: usize = 2;
    pub(super) const IMPORT: usize = 3;
    pub(super) const SUBSCRIBE: usize = 4;
    pub(super) const JOIN: usize = 5;
    pub(super) const LEAVE: usize = 6;
    pub(super) const MEMBERS: usize = 7;
    pub(super) const PATCH: usize = 8;
}

static ROUTES: &[Route] = &[
    route!(GET, "/api/accounts", Other),
    route!(GET, "/api/lists", Other),
    route!(GET, "/api/profiles", Other),
    route!(POST, "/api/profile-import", Save),
    route!(POST, "/api/profile-subscription-bulk-create-jobs", Tag),
    route!(POST, "/api/lists/{}/relationships/profiles", Tag),
    route!(DELETE, "/api/lists/{}/relationships/profiles", Tag),
    route!(GET, "/api/lists/{}/relationships/profiles", Other),
    route!(PATCH, "/api/profiles/{}", Other),
];

/// Requests a second and a minute, route by route.
const LIMITS: [(u32, u32); 9] = [(1, 15), (75, 750), (75, 750), (75, 750), (75, 750), (10, 150), (10, 150), (75, 750), (75, 750)];

impl Stand for Klaviyo {
    fn stand(setup: &Setup) -> Self {
        let windows = LIMITS.iter().flat_map(|(burst, steady)| {
            [Allowance { requests: *burst, span_ms: 1_000 }, Allowance::per_minute(*steady)].map(|window| setup.allowance(window))
        });
        Self {
            api_key: setup.credential("api_key", "pk_0123456789abcdef0123456789abcdef01"),
            limits: windows.collect(),
            people: Mutex::new(fresh()),
        }
    }

    fn connecting(&self) -> Connecting {
        Connecting {
            endpoints: vec![("api", "/api")],
            credentials: [("api_key".to_owned(), self.api_key.clone())].into(),
            picked: [("list".to_owned(), LIST.to_owned())].into(),
            ..Connecting::default()
        }
    }
}

fn fresh() -> People {
    let mut people = People::default();
    people.lists.insert(LIST.to_owned(), "Affiliates".to_owned());
    for number in 1..=11 {
        people.lists.insert(format!("OLD{number:03}"), format!("Old list {number}"));
    }
    people
}

fn api(status: u16, body: &Value) -> Reply {
    Reply { content_type: JSON_API, ..Reply::value(status, body) }
}

fn error(status: u16, code: &str, detail: &str, pointer: &str) -> Reply {
    let error =
        json!({ "id": "twin", "status": status, "code": code, "title": detail, "detail": detail, "source": { "pointer": pointer } });
    api(status, &json!({ "errors": [error] }))
}

fn profile_id(person: &Person) -> String {
    format!("01TWIN{:020}", person.number)
}

fn number_of(id: &str) -> Option<u64> {
    id.strip_prefix("01TWIN")?.parse().ok()
}

fn shown(person: &Person) -> Value {
    let consent = match person.consent {
        Consent::Subscribed => "SUBSCRIBED",
        Consent::OptedOut => "UNSUBSCRIBED",
        Consent::Unset | Consent::Pending => "NEVER_SUBSCRIBED",
    };
    let can = person.consent != Consent::OptedOut;
    let suppression = if can { json!([]) } else { json!([{ "reason": "UNSUBSCRIBE", "timestamp": "2026-11-01T10:00:00+00:00" }]) };
    let marketing = json!({ "can_receive_email_marketing": can, "consent": consent, "suppression": suppression, "list_suppressions": [] });
    let properties = json!({ TAGS: person.fields.get(TAGS) });
    json!({
        "type": "profile", "id": profile_id(person),
        "attributes": {
            "email": person.email, "first_name": person.text("first_name"), "last_name": person.text("last_name"), "properties": properties,
            "subscriptions": { "email": { "marketing": marketing } },
        },
    })
}

/// `equals(email,"ann@example.com")`.
fn filtered(asked: &Taken, field: &str) -> String {
    let inside = asked.query("filter").strip_prefix(&format!("equals({field},\"")).and_then(|rest| rest.strip_suffix("\")"));
    inside.unwrap_or_default().replace("\\\"", "\"")
}

/// Adds to or takes from the array that stands for tags.
fn patch_tags(people: &mut People, email: &str, meta: &Value) {
    let names = |kind: &str| -> Vec<String> {
        match &meta["patch_properties"][kind][TAGS] {
            Value::String(name) => vec![name.clone()],
            Value::Array(names) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    };
    let (add, take) = (names("append"), names("unappend"));
    let Some(person) = people.find_mut(email) else { return };
    let mut held: Vec<String> =
        person.fields.get(TAGS).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    // Whether the vendor drops repeats is not documented: this twin keeps them, the harsher reading for a reader.
    held.extend(add);
    held.retain(|name| !take.contains(name));
    person.fields.insert(TAGS.to_owned(), json!(held));
}

impl Klaviyo {
    fn import(&self, asked: &Taken) -> Reply {
        let email = asked.text("/data/attributes/email");
        if !plausible(email) || email.ends_with("@invalid.example") {
            return error(400, "invalid", "Invalid email address", "/data/attributes/email");
        }
        let mut people = self.people.lock();
        let known = people.find(email).is_some();
        if !known {
            people.create(email);
        }
        for (name, value) in asked.json["data"]["attributes"].as_object().into_iter().flatten() {
            match name.as_str() {
                "email" => {}
                "subscriptions" => {
                    return error(400, "invalid", "'subscriptions' is not a valid field for the resource 'profile'.", "/data/attributes");
                }
                "properties" => value.as_object().into_iter().flatten().for_each(|(name, value)| people.write(email, name, value.clone())),
                _ => people.write(email, name, value.clone()),
            }
        }
        patch_tags(&mut people, email, &asked.json["data"]["meta"]);
        people.find(email).map_or_else(
            || error(500, "error", "no profile", ""),
            |person| api(if known { 200 } else { 201 }, &json!({ "data": shown(person) })),
        )
    }

    /// Subscribes whoever it names, and lifts what stood against it: the reason why a client must look first.
    fn subscribe(&self, asked: &Taken) -> Reply {
        let list = asked.text("/data/relationships/list/data/id");
        let mut people = self.people.lock();
        if !people.lists.contains_key(list) {
            return error(404, "not_found", "A list with the given id does not exist.", "/data/relationships/list/data/id");
        }
        for profile in asked.json["data"]["attributes"]["profiles"]["data"].as_array().into_iter().flatten() {
            let email = profile["attributes"]["email"].as_str().unwrap_or_default().to_owned();
            if profile["attributes"]
                .as_object()
                .is_some_and(|fields| fields.keys().any(|key| !matches!(key.as_str(), "email" | "phone_number" | "subscriptions")))
            {
                return error(400, "invalid", "not a valid field for the resource", "/data/attributes/profiles/data");
            }
            if people.find(&email).is_none() {
                people.create(&email);
            }
            people.consent(&email, None, Consent::Subscribed);
            if let Some(person) = people.find_mut(&email) {
                person.lists.insert(list.to_owned(), Consent::Unset);
            }
        }
        Reply::empty(202)
    }

    fn membership(&self, asked: &Taken, join: bool) -> Reply {
        let mut people = self.people.lock();
        if !people.lists.contains_key(asked.param(0)) {
            return error(404, "not_found", "A list with the given id does not exist.", "/data");
        }
        for row in asked.json["data"].as_array().into_iter().flatten() {
            let Some(person) = row["id"].as_str().and_then(number_of).and_then(|number| people.number_mut(number)) else {
                return error(404, "not_found", "A profile with the given id does not exist.", "/data/0");
            };
            if join {
                person.lists.insert(asked.param(0).to_owned(), Consent::Unset)
            } else {
                person.lists.remove(asked.param(0))
            };
        }
        Reply::empty(204)
    }
}

impl Vendor for Klaviyo {
    type Parsed = Taken;

    fn routes(&self) -> &'static [Route] {
        ROUTES
    }

    fn limits(&self) -> Vec<Option<Allowance>> {
        self.limits.clone()
    }

    fn draws_on(&self, route: usize) -> &'static [usize] {
        const EACH: [[usize; 2]; 9] = [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [10, 11], [12, 13], [14, 15], [16, 17]];
        &EACH[route]
    }

    fn limit_headers(&self, _route: usize, standings: &[Standing]) -> Vec<(&'static str, String)> {
        let [burst, steady] = standings else { return Vec::new() };
        // Absent from an answer that refuses.
        if !burst.admitted || !steady.admitted {
            return Vec::new();
        }
        vec![
            ("ratelimit-limit", format!("{0}, {0};w=1, {1};w=60", burst.limit, steady.limit)),
            ("ratelimit-remaining", burst.remaining.to_string()),
            ("ratelimit-reset", burst.reset_s.to_string()),
        ]
    }

    fn admit(&self, asked: &Asked<'_>) -> Result<(), Reply> {
        if asked.header("authorization") != format!("Klaviyo-API-Key {}", self.api_key) {
            return Err(error(401, "not_authenticated", "Authentication credentials were not provided or are wrong.", "/data/"));
        }
        if asked.header("revision") != REVISION {
            return Err(error(400, "invalid", "The revision header is missing or unknown here.", "/data/"));
        }
        // The description names JSON:API's type only; the vendor's own client sends plain JSON, and is served.
        let content_type = asked.header("content-type");
        if !asked.body.is_empty() && !content_type.starts_with(JSON_API) && !content_type.starts_with("application/json") {
            return Err(error(415, "unsupported_media_type", "Unsupported media type in request.", "/data"));
        }
        Ok(())
    }

    fn parse(&self, asked: &Asked<'_>) -> (String, Taken) {
        let taken = Taken::of(asked);
        let by_id = |id: &str| number_of(id).and_then(|n| self.people.lock().number(n).map(|person| person.email.to_lowercase()));
        let subject = match asked.route {
            at::IMPORT => Some(taken.text("/data/attributes/email").to_lowercase()),
            at::SUBSCRIBE => Some(taken.text("/data/attributes/profiles/data/0/attributes/email").to_lowercase()),
            at::JOIN | at::LEAVE => by_id(taken.text("/data/0/id")),
            at::PATCH => by_id(taken.param(0)),
            _ => None,
        };
        (subject.unwrap_or_default(), taken)
    }

    fn apply(&self, route: usize, asked: Taken, _now_ms: u64) -> Reply {
        match route {
            at::ACCOUNTS => {
                let account = json!({ "type": "account", "id": "TWIN01", "attributes": { "contact_information": { "organization_name": "Twin Shop" } } });
                api(200, &json!({ "data": [account] }))
            }
            at::LISTS => {
                let people = self.people.lock();
                let from: usize = asked.number("page[cursor]", 0);
                let row = |(id, name): (&String, &String)| json!({ "type": "list", "id": id, "attributes": { "name": name, "opt_in_process": "single_opt_in" } });
                let rows: Vec<Value> = people.lists.iter().skip(from).take(10).map(row).collect();
                let more = from + rows.len() < people.lists.len();
                let next = more.then(|| format!("https://a.klaviyo.com/api/lists?page%5Bcursor%5D={}", from + rows.len()));
                api(200, &json!({ "data": rows, "links": { "self": "https://a.klaviyo.com/api/lists", "next": next } }))
            }
            at::PROFILES => {
                let people = self.people.lock();
                let rows: Vec<Value> = people.find(&filtered(&asked, "email")).map(shown).into_iter().collect();
                api(200, &json!({ "data": rows, "links": { "next": null } }))
            }
            at::IMPORT => self.import(&asked),
            at::SUBSCRIBE => self.subscribe(&asked),
            at::JOIN | at::LEAVE => self.membership(&asked, route == at::JOIN),
            at::MEMBERS => {
                let people = self.people.lock();
                let member = people.find(&filtered(&asked, "email")).filter(|person| person.lists.contains_key(asked.param(0)));
                let rows: Vec<Value> = member.map(|person| json!({ "type": "profile", "id": profile_id(person) })).into_iter().collect();
                api(200, &json!({ "data": rows, "links": { "next": null } }))
            }
            at::PATCH => {
                let mut people = self.people.lock();
                let Some(email) = number_of(asked.param(0)).and_then(|n| people.number(n)).map(|person| person.email.clone()) else {
                    return error(404, "not_found", "A profile with the given id does not exist.", "/data/id");
                };
                patch_tags(&mut people, &email, &asked.json["data"]["meta"]);
                people.find(&email).map_or_else(|| Reply::empty(404), |person| api(200, &json!({ "data": shown(person) })))
            }
            _ => error(404, "not_found", "not found", ""),
        }
    }

    fn throttled(&self, _route: usize, _limit: Option<usize>, standing: &Standing) -> Reply {
        error(429, "throttled", "Request was throttled.", "/data/").header("retry-after", standing.reset_s.max(1))
    }

    fn unknown(&self, path_exists: bool) -> Reply {
        if path_exists {
            error(405, "method_not_allowed", "Method not allowed.", "")
        } else {
            error(404, "not_found", "The path could not be found.", "")
        }
    }

    fn people(&self) -> Option<&Mutex<People>> {
        Some(&self.people)
    }

    fn tags_of(&self, _people: &People, person: &Person) -> Vec<String> {
        let mut tags: Vec<String> =
            person.fields.get(TAGS).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        tags.dedup();
        tags
    }

    fn seed(&self, email: &str) {
        let mut people = self.people.lock();
        people.create(email).consent = Consent::Subscribed;
        people.write(email, "first_name", json!("Seeded"));
    }

    fn add_tags(&self, _names: &[String]) {}

    fn reset(&self) {
        *self.people.lock() = fresh();
    }
}
