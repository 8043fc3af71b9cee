//! Sailthru: people known by e-mail, upserted with variables, a list and an opt-out that is never touched. One call per
//! affiliate, and one more to look a picked list up: the vendor would create a list name that it does not know.
//!
//! Knows this vendor's API and nothing else: no host name, no credential, no clock. The signature is the host's work. Facts:
//! <https://getstarted.meetmarigold.com/engagebysailthru/Content/developers/api/user.html> and the vendor's own clients.

use crm_connector_sdk::prelude::*;

mod lists;
mod refusal;

use refusal::{answer, code, judged, words};

struct Sailthru;

crm_connector_sdk::export!(Sailthru);

/// The variable that stands in for tags: a list that is ours alone, replaced as a whole.
const TAGS: &str = "rekomi_tags";
const STATUS: &str = "rekomi_affiliate_status";
/// Longer names of variables are refused (error 99).
const MAX_VAR: usize = 32;

impl Connector for Sailthru {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        let reply = Call::new("settings").send()?;
        // A key may do its work without the right to read the account's settings: then it proves itself with its lists.
        if reply.status() == 403 && code(&reply.json()) != Some(4) {
            answer(Call::new("lists"))?;
            return Ok(Account { lacking: vec!["settings: the account's number and domain".to_owned()], ..Account::default() });
        }
        let settings = judged(reply)?;
        // "Some or all" of the settings are in the answer.
        let id = json::text(&settings, "/id");
        let domains = json::at(&settings, "/domains").and_then(json::Value::as_object);
        let domain = domains.and_then(|domains| domains.values().find_map(|domain| json::text(domain, "/site_domain")));
        let number = id.as_ref().map(|id| format!("Sailthru account {id}"));
        let name = match (domain, number) {
            (Some(domain), Some(number)) => Some(format!("{domain} ({number})")),
            (domain, number) => domain.or(number),
        };
        Ok(Account { id, name, ..Account::default() })
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, _cursor: Option<&str>) -> Result<Page, Error> {
        if picker != "lists" {
            return Err(error::unsupported(format!("Sailthru has no picker named '{picker}'")));
        }
        Ok(Page { items: lists::choices()?, next: None })
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let mut join = obj! {};
        if let Some(id) = job.on.picked("lists") {
            let name =
                lists::name(id)?.ok_or_else(|| error::destination_missing(15, "the list that was picked is gone, or is a smart list"))?;
            // A list is a subscription: who has left it since is not put on it again.
            if !lists::joined(known).iter().any(|joined| joined == id) {
                body::put(&mut join, &name, 1);
            }
        }
        let (first, last) = person::names(&job.who);
        let first_var = job.on.setting("first_var").unwrap_or("first_name");
        let mut vars = obj! { (first_var): first, (job.on.setting("last_var").unwrap_or("last_name")): last };
        let dropped = own_vars(&job.who, &mut vars);
        let mut wanted = job.all.clone();
        tags::added(&mut wanted, &job.set);
        body::put(&mut vars, TAGS, &wanted);
        let email = &job.who.email;
        let saved = obj! { "id": email, "keys": obj! { "email": email }, "vars": vars, "lists": &join };
        let saved = answer(Call::new("save").json(saved))?;
        // Asked for with `fields`; an answer without it is still a success when it says ok.
        let sid = json::text(&saved, "/keys/sid");
        if sid.is_none() && json::at(&saved, "/ok") != Some(&json::Value::Bool(true)) {
            return Err(error::retryable("no-ok", "save: the answer does not say that it was saved"));
        }
        known.contact_id = sid.or(known.contact_id.take());
        tags::added(&mut known.tags, &job.set);
        if let (Some(id), true) = (job.on.picked("lists"), join != obj! {}) {
            lists::remember(known, id)?;
        }
        // The vendor does not say whether the person is new.
        let ending = done(Change::Updated).standing(standing(&saved));
        Ok(dropped.into_iter().fold(ending, |ending, key| ending.warn(Remark::DroppedField, key)))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let Some((key, id, person)) = find(&job.who, known)? else {
            *known = Known::default();
            return Ok(done(Change::Gone).standing(Standing::Unknown));
        };
        known.contact_id = json::text(&person, "/keys/sid").or(known.contact_id.take());
        if job.clear.is_empty() {
            return Ok(done(Change::Unchanged).standing(standing(&person)));
        }
        // What is read may lag behind what was just written, so what is wanted counts as there.
        let mut left = on_person(&person);
        tags::added(&mut left, &job.all);
        tags::removed(&mut left, &job.clear);
        let mut request = obj! { "id": id, "key": key };
        if left.is_empty() {
            request["vars"][STATUS] = "removed".into();
        }
        // Here, and only here, an empty list means something: no tag is left.
        request["vars"][TAGS] = left.into();
        answer(Call::new("retag").json_as_is(&request))?;
        tags::removed(&mut known.tags, &job.clear);
        Ok(done(Change::Updated).standing(standing(&person)))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some((_, _, person)) = find(who, known)? else { return Ok(None) };
        let there = on_person(&person);
        let tags = known.tags.iter().filter(|tag| there.contains(tag)).cloned().collect();
        let in_destination = match on.picked("lists") {
            Some(id) => {
                let joined = json::at(&person, "/lists").and_then(json::Value::as_object);
                Some(lists::name(id)?.is_some_and(|name| joined.is_some_and(|joined| joined.contains_key(&name))))
            }
            None => None,
        };
        let known = Known { contact_id: json::text(&person, "/keys/sid"), tags, memo: known.memo.clone() };
        Ok(Some(Seen { known, standing: standing(&person), in_destination }))
    }
}

/// The person by the vendor's id, and by e-mail where that no longer resolves, with the key that found them.
fn find(who: &Person, known: &Known) -> Result<Option<(&'static str, String, json::Value)>, Error> {
    let fields = obj! { "keys": 1, "vars": 1, "lists": 1, "optout_email": 1 };
    for (key, id) in [("sid", known.contact_id.as_ref()), ("email", Some(&who.email))] {
        let Some(id) = id else { continue };
        let reply = Call::new("person").query("json", json::print(&obj! { "id": id, "key": key, "fields": &fields })).send()?;
        let body = reply.json();
        // "User not found with email: ..."; an id that is not even one any more is some other error 99.
        let absent = reply.status() == 404 || words(&body).starts_with("User not found");
        if code(&body) == Some(99) && (absent || key == "sid" && reply.status() < 429) {
            continue;
        }
        let person = judged(reply)?;
        if json::at(&person, "/keys").is_none() {
            return Err(error::retryable("no-keys", "person: the answer describes nobody"));
        }
        return Ok(Some((key, id.clone(), person)));
    }
    Ok(None)
}

/// Adds custom fields, all in variables whose names begin with ours; returns the keys of those that cannot be written.
fn own_vars<'a>(who: &'a Person, vars: &mut json::Value) -> Vec<&'a str> {
    body::put(vars, STATUS, "approved");
    let fits = |key: &str| key.strip_prefix("rekomi_").is_some_and(|rest| !rest.is_empty()) && key != TAGS && key.len() <= MAX_VAR;
    let (ours, dropped): (Vec<_>, Vec<_>) = who.fields.iter().partition(|field| fits(&field.key));
    for field in ours {
        body::put(vars, &field.key, &field.value);
    }
    dropped.into_iter().map(|field| field.key.as_str()).collect()
}

fn on_person(person: &json::Value) -> Vec<String> {
    json::rows(person, &format!("/vars/{TAGS}")).iter().filter_map(|tag| json::text(tag, "")).collect()
}

/// `all`, `basic` and `blast` are kinds of having opted out.
fn standing(person: &json::Value) -> Standing {
    match json::text(person, "/optout_email").as_deref() {
        Some("none") => Standing::Normal,
        Some(_) => Standing::KeptOptedOut,
        None => Standing::Unknown,
    }
}
