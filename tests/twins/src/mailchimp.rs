//! Mailchimp's twin (Marketing API 3.0), from `reference/providers/mailchimp.md` and the vendor's own description: one audience,
//! members under the MD5 of their address, tags by name, ten requests at once.
//!
//! It must not share code with the connector: the two meet on the wire only.

use md5::{Digest, Md5};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use crate::core::{Reply, Route, Vendor};
use crate::fleet::{Connecting, Setup, Stand};
use crate::people::{Consent, People, Person, plausible};
use crate::route;
use crate::route::{Asked, Taken};
use crate::window::{Allowance, Standing};

/// Requests of one key that may be under way at once.
const AT_ONCE: usize = 10;
const LIST: &str = "a1b2c3d4e5";
/// Keys of a member that a client may write here; another one is answered with 400, so that a misspelt key is seen.
const MEMBER: &[&str] = &["email_address", "status_if_new", "status", "merge_fields", "email_type", "language", "ip_opt", "timestamp_opt"];

pub struct Mailchimp {
    api_key: String,
    at_once: Option<usize>,
    people: Mutex<People>,
}

mod at {
    pub(super) const ROOT: usize = 0;
    pub(super) const ROOT_BARE: usize = 1;
    pub(super) const LISTS: usize = 2;
    pub(super) const ONE_LIST: usize = 3;
    pub(super) const PUT_MEMBER: usize = 4;
    pub(super) const GET_MEMBER: usize = 5;
    pub(super) const POST_TAGS: usize = 6;
    pub(super) const GET_TAGS: usize = 7;
    pub(super) const TAG_SEARCH: usize = 8;
    pub(super) const MERGE_FIELDS: usize = 9;
    pub(super) const PING: usize = 10;
}

static ROUTES: &[Route] = &[
    route!(GET, "/3.0/", Other),
    route!(GET, "/3.0", Other),
    route!(GET, "/3.0/lists", Other),
    route!(GET, "/3.0/lists/{}", Other),
    route!(PUT, "/3.0/lists/{}/members/{}", Save),
    route!(GET, "/3.0/lists/{}/members/{}", Other),
    route!(POST, "/3.0/lists/{}/members/{}/tags", Tag),
    route!(GET, "/3.0/lists/{}/members/{}/tags", Other),
    route!(GET, "/3.0/lists/{}/tag-search", Other),
    route!(GET, "/3.0/lists/{}/merge-fields", Other),
    route!(GET, "/3.0/ping", Other),
];

impl Stand for Mailchimp {
    fn stand(setup: &Setup) -> Self {
        let api_key = setup.credential("api_key", "0123456789abcdef0123456789abcdef-us18");
        let at_once = (setup.per_minute != Some(0)).then_some(AT_ONCE);
        Self { api_key, at_once, people: Mutex::new(fresh()) }
    }

    fn connecting(&self) -> Connecting {
        Connecting {
            endpoints: vec![("api", "/3.0")],
            credentials: [("api_key".to_owned(), self.api_key.clone())].into(),
            picked: [("audience".to_owned(), LIST.to_owned())].into(),
            ..Connecting::default()
        }
    }
}

fn fresh() -> People {
    let mut people = People::default();
    people.lists.insert(LIST.to_owned(), "Affiliates".to_owned());
    people
}

/// `application/problem+json`, as every error of this API.
fn problem(status: u16, title: &str, detail: &str, errors: &Value) -> Reply {
    let mut body = json!({ "type": "https://mailchimp.com/developer/marketing/docs/errors/", "title": title, "status": status, "detail": detail, "instance": "twin" });
    if !errors.is_null() {
        body["errors"] = errors.clone();
    }
    Reply { content_type: "application/problem+json", ..Reply::value(status, &body) }
}

fn not_found() -> Reply {
    problem(404, "Resource Not Found", "The requested resource could not be found.", &Value::Null)
}

fn invalid(field: &str, message: &str) -> Reply {
    let errors = json!([{ "field": field, "message": message }]);
    problem(400, "Invalid Resource", "The resource submitted could not be validated.", &errors)
}

/// The name of a member in the path.
fn hash(email: &str) -> String {
    hex::encode(Md5::digest(email.trim().to_lowercase().as_bytes()))
}

fn status(person: &Person) -> &'static str {
    match person.lists.get(LIST).copied().unwrap_or_default() {
        Consent::Subscribed => "subscribed",
        Consent::OptedOut => "unsubscribed",
        Consent::Pending => "pending",
        Consent::Unset => "transactional",
    }
}

impl Mailchimp {
    /// The address behind a member's place in the path: its hash, or the address itself.
    fn member(&self, named: &str) -> Option<String> {
        let people = self.people.lock();
        people
            .all()
            .find(|person| hash(&person.email) == named || person.email.eq_ignore_ascii_case(named))
            .map(|person| person.email.clone())
    }

    fn shown(&self, people: &People, person: &Person) -> Value {
        let tags: Vec<Value> = self.tags_of(people, person).iter().map(|name| json!({ "id": 1, "name": name })).collect();
        json!({
            "id": hash(&person.email), "contact_id": format!("contact{}", person.number), "email_address": person.email, "status": status(person),
            "merge_fields": person.fields, "tags_count": tags.len(), "tags": tags, "list_id": LIST,
        })
    }

    fn put_member(&self, asked: &Taken) -> Reply {
        let Some(body) = asked.json.as_object() else {
            return problem(400, "JSON Parse Error", "We encountered an unspecified JSON parsing error.", &Value::Null);
        };
        if let Some(unknown) = body.keys().find(|key| !MEMBER.contains(&key.as_str())) {
            return invalid(unknown, "Schema describes no such field");
        }
        let email = asked.text("/email_address");
        if !plausible(email) || email.ends_with("@invalid.example") {
            return invalid("email_address", "Please provide a valid email address.");
        }
        if hash(email) != asked.param(1) {
            return invalid("email_address", "The address does not belong to the member in the path.");
        }
        let mut people = self.people.lock();
        let known = people.find(email).is_some_and(|person| person.lists.contains_key(LIST));
        let wanted = if known {
            asked.text("/status")
        } else {
            [asked.text("/status"), asked.text("/status_if_new")].into_iter().find(|s| !s.is_empty()).unwrap_or_default()
        };
        let consent = match wanted {
            "subscribed" => Some(Consent::Subscribed),
            "pending" => Some(Consent::Pending),
            "unsubscribed" | "cleaned" => Some(Consent::OptedOut),
            "" if known => None,
            _ => return invalid("status", "Value is not one of the enumerated values."),
        };
        if known && consent == Some(Consent::Subscribed) && people.find(email).is_some_and(Person::opted_out) {
            // The twin lets it pass, to count it; the vendor refuses some of these as "Member In Compliance State".
            people.consent(email, Some(LIST), Consent::Subscribed);
        }
        if people.find(email).is_none() {
            people.create(email);
        }
        if let Some(consent) = consent {
            people.consent(email, Some(LIST), consent);
        }
        for (field, value) in asked.json["merge_fields"].as_object().into_iter().flatten() {
            people.write(email, field, value.clone());
        }
        people.find(email).map_or_else(not_found, |person| Reply::value(200, &self.shown(&people, person)))
    }

    fn post_tags(&self, asked: &Taken) -> Reply {
        let Some(email) = self.member(asked.param(1)) else { return not_found() };
        let Some(tags) = asked.json["tags"].as_array().filter(|tags| !tags.is_empty()) else { return invalid("tags", "Required") };
        let mut people = self.people.lock();
        for tag in tags {
            let (name, wanted) = (tag["name"].as_str().unwrap_or_default(), tag["status"].as_str().unwrap_or_default());
            if name.is_empty() || !matches!(wanted, "active" | "inactive") {
                return invalid("tags", "Each tag needs a name and a status.");
            }
            let id = match people.tag_id(name) {
                Some(id) => id.clone(),
                None => {
                    let id = format!("{}", people.tags.len() + 1);
                    people.make_tag(id.clone(), name);
                    id
                }
            };
            if let Some(person) = people.find_mut(&email) {
                if wanted == "active" {
                    person.tags.insert(id)
                } else {
                    person.tags.remove(&id)
                };
            }
        }
        Reply::empty(204)
    }
}

/// A page of rows: `count` (10 unless told, 1000 at most) from `offset`.
fn page(asked: &Taken, key: &str, rows: Vec<Value>) -> Reply {
    let (count, offset) = (asked.number("count", 10).min(1000), asked.number("offset", 0));
    let total = rows.len();
    let rows: Vec<Value> = rows.into_iter().skip(offset).take(count).collect();
    Reply::value(200, &json!({ key: rows, "total_items": total }))
}

impl Vendor for Mailchimp {
    type Parsed = Taken;

    fn routes(&self) -> &'static [Route] {
        ROUTES
    }

    fn limits(&self) -> Vec<Option<Allowance>> {
        Vec::new()
    }

    fn draws_on(&self, _route: usize) -> &'static [usize] {
        &[]
    }

    fn at_once(&self) -> Option<usize> {
        self.at_once
    }

    fn limit_headers(&self, _route: usize, _standings: &[Standing]) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn admit(&self, asked: &Asked<'_>) -> Result<(), Reply> {
        // Any user name goes; a bearer token is the same key.
        let key = asked.basic().map(|(_, key)| key).or_else(|| asked.header("authorization").strip_prefix("Bearer ").map(str::to_owned));
        if key.as_deref() == Some(self.api_key.as_str()) {
            return Ok(());
        }
        let detail = "Your API key may be invalid, or you've attempted to access the wrong datacenter.";
        Err(problem(401, "API Key Invalid", detail, &Value::Null))
    }

    fn parse(&self, asked: &Asked<'_>) -> (String, Taken) {
        let taken = Taken::of(asked);
        let subject = match asked.route {
            at::PUT_MEMBER => taken.text("/email_address").to_lowercase(),
            at::POST_TAGS | at::GET_MEMBER | at::GET_TAGS => self.member(taken.param(1)).unwrap_or_default().to_lowercase(),
            _ => String::new(),
        };
        (subject, taken)
    }

    fn apply(&self, route: usize, asked: Taken, _now_ms: u64) -> Reply {
        if !asked.params.is_empty() && asked.param(0) != LIST {
            return not_found();
        }
        match route {
            at::ROOT | at::ROOT_BARE => Reply::value(
                200,
                &json!({ "account_id": "8d3a3db4d97663a9074efcc16", "account_name": "Twin Ltd", "email": "owner@example.com", "role": "owner" }),
            ),
            at::PING => Reply::value(200, &json!({ "health_status": "Everything's Chimpy!" })),
            at::LISTS => {
                let people = self.people.lock();
                page(
                    &asked,
                    "lists",
                    people.lists.iter().map(|(id, name)| json!({ "id": id, "name": name, "double_optin": false })).collect(),
                )
            }
            at::ONE_LIST => Reply::value(200, &json!({ "id": LIST, "name": "Affiliates", "double_optin": false })),
            at::PUT_MEMBER => self.put_member(&asked),
            at::POST_TAGS => self.post_tags(&asked),
            at::MERGE_FIELDS => {
                let fields = [("FNAME", "First Name"), ("LNAME", "Last Name"), ("COMPANY", "Company")];
                page(
                    &asked,
                    "merge_fields",
                    fields.map(|(tag, name)| json!({ "tag": tag, "name": name, "type": "text", "required": false })).into(),
                )
            }
            at::TAG_SEARCH => {
                let (people, start) = (self.people.lock(), asked.query("name").to_lowercase());
                let tags = people.tags.iter().filter(|(_, name)| name.to_lowercase().starts_with(&start));
                Reply::value(
                    200,
                    &json!({ "tags": tags.map(|(id, name)| json!({ "id": id.parse::<u64>().unwrap_or(0), "name": name })).collect::<Vec<_>>(), "total_items": people.tags.len() }),
                )
            }
            at::GET_MEMBER | at::GET_TAGS => {
                let Some(email) = self.member(asked.param(1)) else { return not_found() };
                let people = self.people.lock();
                let Some(person) = people.find(&email) else { return not_found() };
                if route == at::GET_MEMBER {
                    return Reply::value(200, &self.shown(&people, person));
                }
                page(&asked, "tags", self.tags_of(&people, person).iter().map(|name| json!({ "id": 1, "name": name })).collect())
            }
            _ => not_found(),
        }
    }

    fn throttled(&self, _route: usize, _limit: Option<usize>, _standing: &Standing) -> Reply {
        problem(429, "Too Many Requests", "You have exceeded the limit of 10 simultaneous connections.", &Value::Null)
    }

    fn unknown(&self, path_exists: bool) -> Reply {
        if path_exists {
            problem(405, "Method Not Allowed", "The requested method and resource are not compatible.", &Value::Null)
        } else {
            not_found()
        }
    }

    fn people(&self) -> Option<&Mutex<People>> {
        Some(&self.people)
    }

    fn counters(&self) -> Map<String, Value> {
        self.people.lock().counters()
    }

    fn seed(&self, email: &str) {
        let mut people = self.people.lock();
        people.create(email);
        people.write(email, "FNAME", json!("Seeded"));
        people.consent(email, Some(LIST), Consent::Subscribed);
    }

    fn add_tags(&self, names: &[String]) {
        let mut people = self.people.lock();
        for name in names {
            let id = format!("{}", people.tags.len() + 1);
            people.make_tag(id, name);
        }
    }

    fn reset(&self) {
        *self.people.lock() = fresh();
    }
}
