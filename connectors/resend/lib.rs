//! Resend: contacts of one team, looked up by e-mail, created only when nobody is there, and put into one segment per tag. A look, at most
//! one write and one call per segment for each affiliate.
//!
//! Must not hold a host name, a credential or a clock, and never creates a contact who is there: that could subscribe them again. Facts:
//! <https://resend.com/docs/api-reference>, API description 1.5.0, resend-node 3f67459.

use crm_connector_sdk::{memo, prelude::*};

mod contacts;
mod refusal;
mod segments;

use contacts::{find, find_spelt, id_of, properties};
use refusal::{answer, is_absent, is_nobody, refusal, said};

struct Resend;

crm_connector_sdk::export!(Resend);

impl Connector for Resend {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        answer(Call::new("segments").query("limit", 1))?;
        // No call says whose key it is; a domain's name is the nearest thing, and no reason to refuse the key where there is none.
        let domains = Call::new("domains").send()?.json();
        Ok(Account { name: json::text(&domains, "/data/0/name"), ..Account::default() })
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        segments::choices(picker, cursor)
    }

    fn prepare(&self, on: &Connection, tags: &[String], _fields: &[String], apply: bool) -> Result<Prepared, Error> {
        tags::resolve(tags, &on.tags, apply, segments::all, segments::create)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let of_tags = tags::ids(&job.set, &job.on.tags)?;
        // Resend moves no contact. Whoever left under a former address must not come back with a new one. Looked up first: the last look
        // before a creation is the one for the new address.
        let former = person::previous_email(&job.who).map(find_spelt).transpose()?.flatten();
        let (contact, change) = match find_spelt(&job.who.email)? {
            Some(found) => (update(&job.who, found)?, Change::Updated),
            None => (create(job, former.is_some_and(|former| former["unsubscribed"] == true))?, Change::Created),
        };
        let id = id_of(&contact)?;
        if known.contact_id.as_ref() != Some(&id) {
            // Another contact than the one we knew: nothing that was done for that one counts.
            *known = Known { contact_id: Some(id.clone()), ..Known::default() };
        }
        if let Some(segment) = job.on.picked("segment").filter(|segment| !joined(known, segment)) {
            attach(&id, segment, |reply| error::destination_missing(reply.status(), status::words(reply)))?;
            memo::write(known, &obj! { "joined": segment })?;
        }
        for (tag, segment) in job.set.iter().zip(&of_tags) {
            attach(&id, segment, |_| error::stale([tag]))?;
            tags::added(&mut known.tags, std::slice::from_ref(tag));
        }
        Ok(done(change).standing(standing(&contact, &job.on)))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let mut found = find_spelt(&job.who.email)?;
        if let (None, Some(id)) = (&found, &known.contact_id) {
            // Nobody has this address; the contact that we know may have another one now.
            found = find(id)?;
        }
        if let (None, Some(old)) = (&found, person::previous_email(&job.who)) {
            found = find_spelt(old)?;
        }
        let Some(contact) = found else {
            *known = Known::default();
            return Ok(done(Change::Gone).standing(Standing::Unknown));
        };
        let id = id_of(&contact)?;
        // A tag without a segment is on nobody: none is made only to be left.
        let of_tags = tags::resolve(&job.clear, &job.on.tags, false, segments::all, |tag| Err(error::stale([tag])))?.tags;
        let mut change = Change::Unchanged;
        for segment in of_tags.iter().filter_map(|tag| tag.id.as_ref()) {
            let reply = Call::new("detach").path("id", &id).path("segment", segment).send()?;
            if !is_absent(&reply) {
                reply.ok_or(refusal)?;
                change = Change::Updated;
            }
        }
        known.contact_id = Some(id);
        tags::removed(&mut known.tags, &job.clear);
        Ok(done(change).standing(standing(&contact, &job.on)))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some(contact) = find_spelt(&who.email)? else { return Ok(None) };
        let id = id_of(&contact)?;
        let rows = match paging::collect(20, |after| segments::page(Call::new("contact_segments").path("id", &id), after)) {
            // Deleted since the look.
            Err(Error::Retryable(told)) if told.code == "not_found" => return Ok(None),
            rows => rows?,
        };
        let there: Vec<String> = rows.iter().filter_map(|row| json::text(row, "/id")).collect();
        let in_segment = |tag: &&String| {
            let bound = on.tags.iter().find(|bound| bound.name == **tag).and_then(|bound| bound.id.as_ref());
            bound.is_some_and(|id| there.contains(id))
        };
        let tags = known.tags.iter().filter(in_segment).cloned().collect();
        let in_destination = on.picked("segment").map(|segment| there.iter().any(|id| id == segment));
        let seen = Known { contact_id: Some(id), tags, memo: known.memo.clone() };
        Ok(Some(Seen { known: seen, standing: standing(&contact, on), in_destination }))
    }
}

/// Creates the contact. Where the answer to an earlier creation was lost, only after another look.
fn create(job: &Job, left_before: bool) -> Result<json::Value, Error> {
    let (first, last) = person::names(&job.who);
    let unsubscribed = left_before || job.on.setting("subscribe_new") == Some("false");
    let mut contact = obj! { "email": &job.who.email, "first_name": first, "last_name": last, "unsubscribed": unsubscribed };
    body::put(&mut contact, "properties", properties(&job.who, None));
    let made = match answer(Call::new("create").json(contact.clone())) {
        Err(Error::Retryable(told)) if told.code == error::UNKNOWN_OUTCOME => match find_spelt(&job.who.email)? {
            Some(found) => return Ok(found),
            None => answer(Call::new("create").json(contact))?,
        },
        made => made?,
    };
    Ok(obj! { "id": json::text(&made, "/id"), "unsubscribed": unsubscribed })
}

/// Fills in names where there are none, and properties that differ.
fn update(who: &Person, found: json::Value) -> Result<json::Value, Error> {
    let (first, last) = person::names(who);
    let missing = |name: Option<String>, key: &str| name.filter(|_| json::text(&found, key).is_none());
    let (first, last) = (missing(first, "/first_name"), missing(last, "/last_name"));
    let values = obj! { "first_name": first, "last_name": last, "properties": properties(who, Some(&found)) };
    if values != obj! {} {
        answer(Call::new("update").path("id", id_of(&found)?).json(values))?;
    }
    Ok(found)
}

/// Puts the contact into a segment; `gone` says what it means when the segment is not there.
fn attach(id: &str, segment: &str, gone: impl Fn(&Reply) -> Error) -> Result<(), Error> {
    let reply = Call::new("attach").path("id", id).path("segment", segment).send()?;
    if matches!(reply.status(), 400 | 409 | 422) && ["already", "segment"].iter().all(|part| said(&reply).contains(part)) {
        return Ok(());
    }
    // An id that is none of its own is refused as a field.
    let of_segment = is_absent(&reply) && !is_nobody(&reply) || matches!(reply.status(), 400 | 422) && said(&reply).contains("segment");
    if of_segment {
        return Err(gone(&reply));
    }
    reply.ok_or(refusal).map(drop)
}

fn joined(known: &Known, segment: &str) -> bool {
    json::text(&memo::read(known), "/joined").as_deref() == Some(segment)
}

/// Whom we created as unsubscribed looks like whoever left: Resend does not say which.
fn standing(contact: &json::Value, on: &Connection) -> Standing {
    match json::at(contact, "/unsubscribed") {
        Some(json::Value::Bool(false)) => Standing::Normal,
        Some(json::Value::Bool(true)) if on.setting("subscribe_new") == Some("false") => Standing::Unknown,
        Some(json::Value::Bool(true)) => Standing::KeptOptedOut,
        _ => Standing::Unknown,
    }
}
