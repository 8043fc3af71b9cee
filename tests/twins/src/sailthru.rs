//! Sailthru's twin, from `reference/providers/sailthru.md`: three signed parameters on every call, people by e-mail, lists by
//! name, and a limit for each endpoint and method.
//!
//! It must not share code with the connector: the two meet on the wire only.

use std::collections::BTreeMap;

use md5::{Digest, Md5};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use crate::core::{Reply, Route, Vendor};
use crate::fleet::{Connecting, Setup, Stand};
use crate::people::{Consent, People, Person, plausible};
use crate::route;
use crate::route::Asked;
use crate::window::{Allowance, Standing};

/// The stand-in for tags: an array among a person's vars.
const TAGS: &str = "rekomi_tags";
/// Keys that `POST /user` takes; the vendor ignores others, this twin refuses them so that a misspelt one is seen.
const USER: &[&str] = &["id", "key", "keys", "keysconflict", "vars", "lists", "fields", "optout_email", "optout_templates", "login"];
const PER_SECOND: u32 = 300;
const OTHERS_PER_SECOND: u32 = 40;

pub struct Sailthru {
    api_key: String,
    api_secret: String,
    limits: Vec<Option<Allowance>>,
    people: Mutex<People>,
}

mod at {
    pub(super) const SETTINGS: usize = 0;
    pub(super) const LISTS: usize = 1;
    pub(super) const POST_USER: usize = 2;
    pub(super) const GET_USER: usize = 3;
}

static ROUTES: &[Route] =
    &[route!(GET, "/settings", Other), route!(GET, "/list", Other), route!(POST, "/user", Save), route!(GET, "/user", Other)];

impl Stand for Sailthru {
    fn stand(setup: &Setup) -> Self {
        let windows = [OTHERS_PER_SECOND, OTHERS_PER_SECOND, PER_SECOND, PER_SECOND];
        Self {
            api_key: setup.credential("api_key", "00112233445566778899aabbccddeeff"),
            api_secret: setup.credential("api_secret", "ffeeddccbbaa99887766554433221100"),
            limits: windows.map(|requests| setup.allowance(Allowance { requests, span_ms: 1_000 })).into(),
            people: Mutex::new(fresh()),
        }
    }

    fn connecting(&self) -> Connecting {
        let credentials =
            [("api_key", &self.api_key), ("api_secret", &self.api_secret)].map(|(slot, value)| (slot.to_owned(), value.clone()));
        Connecting {
            endpoints: vec![("api", "")],
            credentials: credentials.into(),
            picked: [("lists".to_owned(), "l1".to_owned())].into(),
            ..Connecting::default()
        }
    }
}

fn fresh() -> People {
    let mut people = People::default();
    people.lists.insert("l1".to_owned(), "Affiliates".to_owned());
    people.lists.insert("l2".to_owned(), "Newsletter".to_owned());
    people
}

fn error(status: u16, number: u32, message: &str) -> Reply {
    Reply::value(status, &json!({ "error": number, "errormsg": message }))
}

/// The parameters of a call: in the body of a POST, else in the query.
fn parameters(asked: &Asked<'_>) -> BTreeMap<String, String> {
    if asked.body.is_empty() { asked.queries() } else { asked.form() }
}

/// MD5 of the secret and all values but the signature, in byte order.
fn signature(secret: &str, parameters: &BTreeMap<String, String>) -> String {
    let mut values: Vec<&str> = parameters.iter().filter(|(name, _)| *name != "sig").map(|(_, value)| value.as_str()).collect();
    values.sort_unstable();
    hex::encode(Md5::digest(format!("{secret}{}", values.concat()).as_bytes()))
}

impl Sailthru {
    /// What `fields` asks to be told of a person.
    fn told(people: &People, person: &Person, fields: &Value) -> Value {
        let mut told = json!({});
        let asked = |field: &str| fields[field].as_u64().unwrap_or(0) > 0;
        if asked("keys") {
            told["keys"] = json!({ "sid": format!("{:024x}", person.number), "email": person.email });
        }
        if asked("vars") {
            told["vars"] = json!(person.fields);
        }
        if asked("lists") {
            let lists: Map<String, Value> = person
                .lists
                .keys()
                .map(|id| (people.lists.get(id).unwrap_or(id).clone(), json!("Mon, 23 Nov 2026 10:00:00 -0500")))
                .collect();
            told["lists"] = if lists.is_empty() { Value::Null } else { Value::Object(lists) };
        }
        if asked("optout_email") {
            told["optout_email"] = json!(if person.consent == Consent::OptedOut { "all" } else { "none" });
        }
        told
    }

    fn post_user(&self, asked: &Value) -> Reply {
        let Some(body) = asked.as_object() else { return error(400, 6, "Invalid format") };
        if let Some(unknown) = body.keys().find(|key| !USER.contains(&key.as_str())) {
            return error(400, 99, &format!("Invalid parameter: {unknown}"));
        }
        let email = asked["id"].as_str().unwrap_or_default();
        if asked["key"].as_str().is_some_and(|key| key != "email") {
            return error(400, 99, "Invalid key");
        }
        if !plausible(email) || email.ends_with("@invalid.example") {
            return error(400, 11, "Invalid email");
        }
        let mut people = self.people.lock();
        if people.find(email).is_none() {
            people.create(&email.to_lowercase());
        }
        for (name, value) in asked["vars"].as_object().into_iter().flatten() {
            if name.len() > 32 {
                return error(400, 99, "Invalid var name");
            }
            people.write(email, name, value.clone());
        }
        match asked["optout_email"].as_str() {
            Some("none") => people.consent(email, None, Consent::Subscribed),
            Some(_) => people.consent(email, None, Consent::OptedOut),
            None => {}
        }
        for (name, wanted) in asked["lists"].as_object().into_iter().flatten() {
            // A name that does not exist is made, without a word.
            let known = people.lists.iter().find(|(_, held)| *held == name).map(|(id, _)| id.clone());
            let id = known.unwrap_or_else(|| format!("l{}", people.lists.len() + 1));
            people.lists.insert(id.clone(), name.clone());
            if let Some(person) = people.find_mut(email) {
                if wanted.as_u64() == Some(1) {
                    person.lists.insert(id, Consent::Unset)
                } else {
                    person.lists.remove(&id)
                };
            }
        }
        let mut answer = json!({ "ok": true });
        if let (Some(person), Some(fields)) = (people.find(email), asked.get("fields")) {
            for (key, value) in Self::told(&people, person, fields).as_object().into_iter().flatten() {
                answer[key] = value.clone();
            }
        }
        Reply::value(200, &answer)
    }
}

impl Vendor for Sailthru {
    type Parsed = Value;

    fn routes(&self) -> &'static [Route] {
        ROUTES
    }

    fn limits(&self) -> Vec<Option<Allowance>> {
        self.limits.clone()
    }

    fn draws_on(&self, route: usize) -> &'static [usize] {
        const EACH: [[usize; 1]; 4] = [[0], [1], [2], [3]];
        &EACH[route]
    }

    fn limit_headers(&self, _route: usize, standings: &[Standing]) -> Vec<(&'static str, String)> {
        let said = |standing: &Standing| {
            [("x-rate-limit-limit", standing.limit.to_string()), ("x-rate-limit-remaining", standing.remaining.to_string())]
        };
        standings.iter().flat_map(said).collect()
    }

    fn admit(&self, asked: &Asked<'_>) -> Result<(), Reply> {
        let given = parameters(asked);
        let text = |name: &str| given.get(name).map(String::as_str).unwrap_or_default();
        if text("api_key").is_empty() {
            return Err(error(400, 2, "Missing api_key"));
        }
        if text("api_key") != self.api_key {
            return Err(error(401, 3, "Invalid API Key"));
        }
        if text("sig") != signature(&self.api_secret, &given) {
            return Err(error(401, 5, "Invalid signature hash"));
        }
        if text("format") != "json" {
            return Err(error(400, 6, "Invalid format"));
        }
        let allowed = ["api_key", "sig", "format", "json"];
        if let Some(unknown) = given.keys().find(|name| !allowed.contains(&name.as_str())) {
            return Err(error(400, 99, &format!("Invalid parameter: {unknown}")));
        }
        Ok(())
    }

    fn parse(&self, asked: &Asked<'_>) -> (String, Value) {
        let given = parameters(asked);
        let json: Value = given.get("json").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        (json["id"].as_str().unwrap_or_default().to_lowercase(), json)
    }

    fn apply(&self, route: usize, asked: Value, _now_ms: u64) -> Reply {
        match route {
            at::SETTINGS => Reply::value(
                200,
                &json!({ "id": 4711, "name": "Twin Media", "from_emails": ["news@example.com"], "domains": ["example.com"], "timezone": "America/New_York" }),
            ),
            at::LISTS => {
                let people = self.people.lock();
                let row = |(id, name): (&String, &String)| json!({ "list_id": id, "name": name, "email_count": 0, "valid_count": 0, "type": "normal", "primary": false });
                match asked["list"].as_str().or_else(|| asked["list_id"].as_str()) {
                    None => Reply::value(200, &json!({ "lists": people.lists.iter().map(row).collect::<Vec<_>>() })),
                    Some(name) => match people.lists.iter().find(|(id, held)| *held == name || *id == name) {
                        Some((id, name)) => Reply::value(200, &json!({ "list": name, "list_id": id, "type": "normal" })),
                        None => error(404, 15, "Unknown list"),
                    },
                }
            }
            at::POST_USER => self.post_user(&asked),
            at::GET_USER => {
                let people = self.people.lock();
                match people.find(asked["id"].as_str().unwrap_or_default()) {
                    Some(person) => Reply::value(200, &Self::told(&people, person, &asked["fields"])),
                    None => error(404, 99, "User not found with email"),
                }
            }
            _ => error(404, 1, "Unknown request"),
        }
    }

    fn throttled(&self, _route: usize, _limit: Option<usize>, _standing: &Standing) -> Reply {
        error(429, 43, "Too many requests of this type this second")
    }

    fn unknown(&self, path_exists: bool) -> Reply {
        if path_exists { error(405, 1, "Unknown method") } else { error(404, 1, "Unknown request") }
    }

    fn people(&self) -> Option<&Mutex<People>> {
        Some(&self.people)
    }

    fn tags_of(&self, _people: &People, person: &Person) -> Vec<String> {
        let tags = person.fields.get(TAGS).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        tags.iter().filter_map(Value::as_str).map(str::to_owned).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_documents() {
        let parameters = [("api_key", "k3y"), ("format", "json"), ("json", r#"{"id":"a@b.c"}"#)].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(signature("s3cret", &parameters.into()), "467be3d059dca175ce8700aafc46450a");
    }
}
