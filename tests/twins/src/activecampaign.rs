//! ActiveCampaign's twin (API v3), from `reference/providers/activecampaign.md`: contacts upserted on e-mail, list status that
//! re-subscribes when it goes from 2 to 1, tags by id over several pages, five requests a second.
//!
//! It must not share code with the connector: the two meet on the wire only.

use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use crate::core::{Reply, Route, Vendor};
use crate::fleet::{Connecting, Setup, Stand};
use crate::people::{Consent, People, Person, plausible};
use crate::route;
use crate::route::{Asked, Taken};
use crate::window::{Allowance, Standing};

const PER_SECOND: u32 = 5;
const LIST: &str = "3";
/// Tags that were there before: they put ours on another page of the picker.
const OLD_TAGS: usize = 130;

pub struct ActiveCampaign {
    api_key: String,
    limit: Option<Allowance>,
    people: Mutex<People>,
}

mod at {
    pub(super) const ME: usize = 0;
    pub(super) const LISTS: usize = 1;
    pub(super) const TAGS: usize = 2;
    pub(super) const NEW_TAG: usize = 3;
    pub(super) const FIELDS: usize = 4;
    pub(super) const SYNC: usize = 5;
    pub(super) const MEMBERSHIPS: usize = 6;
    pub(super) const JOIN: usize = 7;
    pub(super) const TAG: usize = 8;
    pub(super) const FIND: usize = 9;
    pub(super) const CONTACT_TAGS: usize = 10;
    pub(super) const UNTAG: usize = 11;
    pub(super) const CONTACT: usize = 12;
}

static ROUTES: &[Route] = &[
    route!(GET, "/api/3/users/me", Other),
    route!(GET, "/api/3/lists", Other),
    route!(GET, "/api/3/tags", Other),
    route!(POST, "/api/3/tags", Other),
    route!(GET, "/api/3/fields", Other),
    route!(POST, "/api/3/contact/sync", Save),
    route!(GET, "/api/3/contacts/{}/contactLists", Other),
    route!(POST, "/api/3/contactLists", Other),
    route!(POST, "/api/3/contactTags", Tag),
    route!(GET, "/api/3/contacts", Other),
    route!(GET, "/api/3/contacts/{}/contactTags", Other),
    route!(DELETE, "/api/3/contactTags/{}", Tag),
    route!(GET, "/api/3/contacts/{}", Other),
];

impl Stand for ActiveCampaign {
    fn stand(setup: &Setup) -> Self {
        let key = "0123456789abcdef".repeat(5);
        Self {
            api_key: setup.credential("api_key", &key[..72]),
            limit: setup.allowance(Allowance { requests: PER_SECOND, span_ms: 1_000 }),
            people: Mutex::new(fresh()),
        }
    }

    fn connecting(&self) -> Connecting {
        let credentials = [("api_url", "twin.api-us1.com"), ("api_key", &self.api_key)];
        Connecting {
            endpoints: vec![("api", "/api/3")],
            credentials: credentials.map(|(slot, value)| (slot.to_owned(), value.to_owned())).into(),
            picked: [("list".to_owned(), LIST.to_owned())].into(),
            ..Connecting::default()
        }
    }
}

fn fresh() -> People {
    let mut people = People::default();
    people.lists.insert(LIST.to_owned(), "Affiliates".to_owned());
    for number in 1..=OLD_TAGS {
        people.make_tag(number.to_string(), &format!("Old tag {number}"));
    }
    people
}

fn errors(status: u16, title: &str, code: &str, pointer: &str) -> Reply {
    Reply::value(status, &json!({ "errors": [{ "title": title, "detail": "", "code": code, "source": { "pointer": pointer } }] }))
}

fn message(status: u16, text: &str) -> Reply {
    Reply::value(status, &json!({ "message": text }))
}

fn shown(person: &Person) -> Value {
    let text = |name: &str| person.text(name).to_owned();
    json!({ "id": person.number.to_string(), "email": person.email, "firstName": text("firstName"), "lastName": text("lastName"), "phone": "" })
}

/// `list_status`: 0 unconfirmed, 1 subscribed, 2 unsubscribed.
fn status(consent: Consent) -> u8 {
    match consent {
        Consent::Unset | Consent::Pending => 0,
        Consent::Subscribed => 1,
        Consent::OptedOut => 2,
    }
}

/// An id, which this API takes as text or number.
fn id_at(asked: &Taken, pointer: &str) -> String {
    match asked.json.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

/// A page: 20 rows unless told, 100 at most; the total as text.
fn page(asked: &Taken, key: &str, rows: &[Value]) -> Reply {
    let (limit, offset) = (asked.number("limit", 20).min(100), asked.number("offset", 0));
    let part: Vec<&Value> = rows.iter().skip(offset).take(limit).collect();
    Reply::value(200, &json!({ key: part, "meta": { "total": rows.len().to_string() } }))
}

impl ActiveCampaign {
    fn sync(&self, asked: &Taken) -> Reply {
        let email = asked.text("/contact/email");
        if !plausible(email) || email.ends_with("@invalid.example") {
            return errors(422, "Contact Email Address is not valid.", "email_invalid", "/data/attributes/email");
        }
        let mut people = self.people.lock();
        let known = people.find(email).is_some();
        if !known {
            people.create(email);
        }
        for (name, value) in asked.json["contact"].as_object().into_iter().flatten() {
            match (name.as_str(), value) {
                ("email", _) => {}
                ("fieldValues", Value::Array(values)) => {
                    for value in values {
                        people.write(email, &format!("field {}", value["field"]), value["value"].clone());
                    }
                }
                _ => people.write(email, name, value.clone()),
            }
        }
        let Some(person) = people.find(email) else { return message(500, "no contact") };
        Reply::value(if known { 200 } else { 201 }, &json!({ "fieldValues": [], "contact": shown(person) }))
    }

    fn join(&self, asked: &Taken) -> Reply {
        let (list, contact) = (id_at(asked, "/contactList/list"), id_at(asked, "/contactList/contact"));
        let mut people = self.people.lock();
        if !people.lists.contains_key(&list) {
            return message(404, "No Result found for List");
        }
        let Some(email) = contact.parse().ok().and_then(|n| people.number(n)).map(|person| person.email.clone()) else {
            return message(404, "No Result found for Subscriber");
        };
        let wanted = match id_at(asked, "/contactList/status").as_str() {
            "1" => Consent::Subscribed,
            "2" => Consent::OptedOut,
            _ => return errors(422, "The status is invalid.", "field_invalid", "/data/attributes/status"),
        };
        let known = people.find(&email).is_some_and(|person| person.lists.contains_key(&list));
        people.consent(&email, Some(&list), wanted);
        let row = json!({ "contactList": { "list": list, "contact": contact, "status": status(wanted), "id": contact } });
        Reply::value(if known { 200 } else { 201 }, &row)
    }

    fn tag(&self, asked: &Taken) -> Reply {
        let (tag, contact) = (id_at(asked, "/contactTag/tag"), id_at(asked, "/contactTag/contact"));
        let mut people = self.people.lock();
        if !people.tags.contains_key(&tag) {
            return message(404, "No Result found for Tag");
        }
        let Some(person) = contact.parse().ok().and_then(|n| people.number_mut(n)) else { return message(404, "Contact not found") };
        let new = person.tags.insert(tag.clone());
        let row = json!({ "contactTag": { "id": format!("{contact}00{tag}"), "contact": contact, "tag": tag, "cdate": "2026-11-23T10:00:00-05:00" } });
        Reply::value(if new { 201 } else { 200 }, &row)
    }

    fn untag(&self, asked: &Taken) -> Reply {
        let row = asked.param(0);
        let mut people = self.people.lock();
        let holder = people.all().find_map(|person| {
            let tag = person.tags.iter().find(|tag| format!("{}00{tag}", person.number) == row)?;
            Some((person.number, tag.clone()))
        });
        match holder.and_then(|(number, tag)| Some((people.number_mut(number)?, tag))) {
            Some((person, tag)) => {
                person.tags.remove(&tag);
                Reply::value(200, &json!({}))
            }
            None => message(404, &format!("No Result found for SubscriberTag with id {row}")),
        }
    }

    fn new_tag(&self, asked: &Taken) -> Reply {
        let name = asked.text("/tag/tag");
        let mut people = self.people.lock();
        if name.is_empty() || asked.text("/tag/tagType") != "contact" {
            return errors(422, "The tag name or type is invalid.", "field_invalid", "/data/attributes/tag");
        }
        if people.tag_id(name).is_some() {
            return errors(422, "The tag already exists.", "duplicate", "/data/attributes/tag");
        }
        let id = (people.tags.len() + 1).to_string();
        people.make_tag(id.clone(), name);
        Reply::value(201, &json!({ "tag": { "id": id, "tag": name, "tagType": "contact", "description": "" } }))
    }

    /// The contact in the path, if there is one.
    fn contact_rows(&self, asked: &Taken, key: &str, rows: impl Fn(&Person) -> Vec<Value>) -> Reply {
        let people = self.people.lock();
        match asked.param(0).parse().ok().and_then(|number| people.number(number)) {
            Some(person) => page(asked, key, &rows(person)),
            None => message(404, &format!("No Result found for Subscriber with id {}", asked.param(0))),
        }
    }
}

impl Vendor for ActiveCampaign {
    type Parsed = Taken;

    fn routes(&self) -> &'static [Route] {
        ROUTES
    }

    fn limits(&self) -> Vec<Option<Allowance>> {
        vec![self.limit]
    }

    fn limit_headers(&self, _route: usize, standings: &[Standing]) -> Vec<(&'static str, String)> {
        let said = |standing: &Standing| {
            [("ratelimit-limit", standing.limit.to_string()), ("ratelimit-remaining", standing.remaining.to_string())]
        };
        standings.iter().flat_map(said).collect()
    }

    fn admit(&self, asked: &Asked<'_>) -> Result<(), Reply> {
        if asked.header("api-token") == self.api_key {
            return Ok(());
        }
        // 403, not 401.
        Err(message(403, "You do not have permission to access this resource"))
    }

    fn parse(&self, asked: &Asked<'_>) -> (String, Taken) {
        let taken = Taken::of(asked);
        let by_id = |id: &str| id.parse().ok().and_then(|n| self.people.lock().number(n).map(|person| person.email.to_lowercase()));
        let subject = match asked.route {
            at::SYNC => Some(taken.text("/contact/email").to_lowercase()),
            at::TAG => by_id(&id_at(&taken, "/contactTag/contact")),
            at::JOIN => by_id(&id_at(&taken, "/contactList/contact")),
            _ => None,
        };
        (subject.unwrap_or_default(), taken)
    }

    fn apply(&self, route: usize, asked: Taken, _now_ms: u64) -> Reply {
        match route {
            at::ME => Reply::value(200, &json!({ "user": { "id": "1", "username": "owner", "email": "owner@example.com", "firstName": "Twin" } })),
            at::LISTS => {
                let lists: Vec<Value> = self.people.lock().lists.iter().map(|(id, name)| json!({ "id": id, "name": name, "stringid": name })).collect();
                page(&asked, "lists", &lists)
            }
            at::TAGS => {
                let people = self.people.lock();
                let wanted = asked.query("search").to_lowercase();
                let mut tags: Vec<(u64, Value)> = people
                    .tags
                    .iter()
                    .filter(|(_, name)| name.to_lowercase().contains(&wanted))
                    .map(|(id, name)| (id.parse().unwrap_or(0), json!({ "id": id, "tag": name, "tagType": "contact", "description": "" })))
                    .collect();
                tags.sort_by_key(|(id, _)| *id);
                page(&asked, "tags", &tags.into_iter().map(|(_, tag)| tag).collect::<Vec<_>>())
            }
            at::NEW_TAG => self.new_tag(&asked),
            at::FIELDS => page(&asked, "fields", &[json!({ "id": "3", "title": "Affiliate id", "perstag": "AFFILIATE_ID", "type": "text" })]),
            at::SYNC => self.sync(&asked),
            at::MEMBERSHIPS => self.contact_rows(&asked, "contactLists", |person| {
                let row = |(list, consent): (&String, &Consent)| json!({ "contact": person.number.to_string(), "list": list, "status": status(*consent).to_string(), "id": "1" });
                person.lists.iter().map(row).collect()
            }),
            at::JOIN => self.join(&asked),
            at::TAG => self.tag(&asked),
            at::FIND => {
                let people = self.people.lock();
                page(&asked, "contacts", &people.find(asked.query("email")).map(shown).into_iter().collect::<Vec<_>>())
            }
            at::CONTACT => {
                let people = self.people.lock();
                match asked.param(0).parse().ok().and_then(|number| people.number(number)) {
                    Some(person) => Reply::value(200, &json!({ "contact": shown(person) })),
                    None => message(404, "No Result found for Subscriber"),
                }
            }
            at::CONTACT_TAGS => self.contact_rows(&asked, "contactTags", |person| {
                let row = |tag: &String| json!({ "id": format!("{}00{tag}", person.number), "contact": person.number.to_string(), "tag": tag });
                person.tags.iter().map(row).collect()
            }),
            at::UNTAG => self.untag(&asked),
            _ => message(404, "No Result found"),
        }
    }

    fn throttled(&self, _route: usize, _limit: Option<usize>, _standing: &Standing) -> Reply {
        message(429, "The current rate limit has been exceeded").header("retry-after", 1)
    }

    fn unknown(&self, path_exists: bool) -> Reply {
        if path_exists { message(405, "Method Not Allowed") } else { Reply::html(404, "<html><body>Not Found</body></html>") }
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
        people.write(email, "firstName", json!("Seeded"));
        people.consent(email, Some(LIST), Consent::Subscribed);
    }

    fn add_tags(&self, names: &[String]) {
        let mut people = self.people.lock();
        for name in names {
            let id = (people.tags.len() + 1).to_string();
            people.make_tag(id, name);
        }
    }

    fn reset(&self) {
        *self.people.lock() = fresh();
    }
}
