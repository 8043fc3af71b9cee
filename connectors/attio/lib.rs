//! Attio: people, found by e-mail; tags are options of an attribute of our own; a list, if one was picked.
//!
//! Knows this vendor's API and nothing else: no host name, no credential, no clock. Must never assert somebody who is there: an assert
//! replaces what it is given. Facts: <https://docs.attio.com/rest-api/overview>.

use crm_connector_sdk::prelude::*;

mod options;
mod people;
mod pickers;
mod refusal;

use refusal::{answer, judged};

struct Attio;

crm_connector_sdk::export!(Attio);

/// What the connector does, and the scope for it. Reading is part of read-write.
const SCOPES: [(&str, &str); 4] = [
    ("record_permission:read-write", "records (read-write): people cannot be saved"),
    (
        "object_configuration:read-write",
        "object configuration (read-write): the attribute \"Rekomi tags\" and its options cannot be created",
    ),
    ("list_configuration:read", "list configuration (read): lists cannot be picked"),
    ("list_entry:read-write", "list entries (read-write): people cannot be put on a list"),
];

impl Connector for Attio {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        let me = answer(Call::new("self"))?;
        match json::at(&me, "/active") {
            Some(json::Value::Bool(true)) => {}
            Some(json::Value::Bool(false)) => {
                return Err(error::credentials(Trouble::Invalid, "inactive", "self: the token is not active"));
            }
            _ => return Err(error::retryable("not-understood", "self: the answer does not say whether the token is active")),
        }
        // An empty text is a new token's: it may do nothing yet.
        let scopes = json::at(&me, "/scope").and_then(json::Value::as_str);
        let has = |wanted: &str| {
            scopes.is_none_or(|scopes| {
                scopes.split_whitespace().any(|scope| scope.strip_suffix("-write").unwrap_or(scope) == wanted || scope == wanted)
            })
        };
        let lacking = SCOPES.iter().filter(|(scope, _)| !has(scope)).map(|(_, what)| (*what).to_owned());
        let name = json::first_text(&me, &["/workspace_name", "/workspace_slug"]);
        Ok(Account { id: json::text(&me, "/workspace_id"), name, lacking: lacking.collect(), ..Account::default() })
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        pickers::page(picker, cursor)
    }

    fn prepare(&self, on: &Connection, tags: &[String], _fields: &[String], apply: bool) -> Result<Prepared, Error> {
        options::prepare(on, tags, apply)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let wanted = options::titles(&job.set, &job.on)?;
        let found = people::bring(job, known)?;
        let values = people::additions(&job.who, &found.record, &wanted);
        let mut change = found.change;
        if values != obj! {} {
            let reply = Call::new("update").path("record", &found.id).json(obj! { "data": obj! { "values": values } }).send()?;
            if options::are_gone(&reply, &wanted) {
                return Err(error::stale(&job.set));
            }
            judged(reply)?;
            change = if change == Change::Unchanged { Change::Updated } else { change };
        }
        tags::added(&mut known.tags, &job.set);
        // Attio keeps no consent of people; what its sequences know is not shown here.
        let standing = if change == Change::Created { Standing::Normal } else { Standing::Unknown };
        let mut ending = done(change).standing(standing);
        if found.several {
            ending = ending.warn(Remark::SeveralMatches, "several people have this e-mail; the first was taken");
        }
        if job.on.picked("list").is_some() && !enter(&found.id)? {
            ending = ending.warn(Remark::SeveralMatches, "the person is on the list more than once");
        }
        Ok(ending)
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let mut found = people::locate(&job.who.email, known.contact_id.as_deref())?;
        if let (None, Some(old)) = (&found, person::previous_email(&job.who)) {
            found = people::locate(old, None)?;
        }
        let Some(found) = found else {
            *known = Known::default();
            return Ok(done(Change::Gone).standing(Standing::Unknown));
        };
        known.contact_id = Some(found.id.clone());
        let on_record = options::on_record(&found.record);
        let (taken, rest): (Vec<_>, Vec<_>) = on_record.into_iter().partition(|held| options::is_among(held, &job.clear, &job.on));
        if !taken.is_empty() {
            // An empty list means something here.
            let mut body = obj! {};
            body["data"]["values"][options::SLUG] = rest.into_iter().map(|held| held.title).collect();
            judged(Call::new("untag").path("record", &found.id).json_as_is(&body).send()?)?;
        }
        tags::removed(&mut known.tags, &job.clear);
        Ok(done(if taken.is_empty() { Change::Unchanged } else { Change::Updated }).standing(Standing::Unknown))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some(found) = people::locate(&who.email, known.contact_id.as_deref())? else { return Ok(None) };
        let there = options::on_record(&found.record);
        let in_destination = match on.picked("list") {
            None => None,
            Some(list) => {
                let entries = answer(Call::new("entries").path("record", &found.id))?;
                Some(json::rows(&entries, "/data").iter().any(|entry| json::text(entry, "/list_id").as_deref() == Some(list)))
            }
        };
        let mut known = Known { contact_id: Some(found.id), ..known.clone() };
        known.tags.retain(|tag| there.iter().any(|held| options::is_among(held, std::slice::from_ref(tag), on)));
        Ok(Some(Seen { known, standing: Standing::Unknown, in_destination }))
    }
}

/// Puts the person on the picked list. `false`: is on it more than once, so nothing was written.
fn enter(record: &str) -> Result<bool, Error> {
    let mut body = obj! { "data": obj! { "parent_record_id": record } };
    // Needed, and empty: no value of the entry is ours.
    body["data"]["entry_values"] = json::Value::Object(Default::default());
    let reply = Call::new("enter").json_as_is(&body).send()?;
    if reply.status() == 400 && refusal::code(&reply).as_deref() == Some("multiple_match_results") {
        return Ok(false);
    }
    judged(reply).map(|_| true)
}
