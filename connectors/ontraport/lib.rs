//! Ontraport: contacts of one pool, upserted on e-mail, then tagged by name. Two calls per affiliate, both safe to repeat;
//! an e-mail that changed is changed on the contact first.
//!
//! Knows this vendor's API and nothing else: no host name, no credential, no clock. URLs, headers and constants
//! (`objectID`, `ignore_blanks`) are in `connector.toml`. Facts: <https://api.ontraport.com/doc>, official SDK-PHP ded60fe.

use crm_connector_sdk::prelude::*;

mod pickers;
mod refusal;

use refusal::{answer, judged};

struct Ontraport;

crm_connector_sdk::export!(Ontraport);

/// The vendor cuts larger pages to 50 without saying so.
const PAGE: u32 = 50;

impl Connector for Ontraport {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        let info = answer(Call::new("account_info"))?;
        // The number is all that the API says about an account; its name is nowhere.
        let id = json::text(&info, "/account_id");
        Ok(Account { name: id.as_ref().map(|id| format!("Ontraport account {id}")), id, ..Account::default() })
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        pickers::page(picker, cursor)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let (id, change) = match person::previous_email(&job.who) {
            Some(old) => moved(old, &job.who)?,
            None => save(&job.who)?,
        };
        known.contact_id = Some(id.clone());
        if !job.set.is_empty() {
            answer(Call::new("tag").json(obj! { "ids": [&id], "add_names": &job.set }))?;
            tags::added(&mut known.tags, &job.set);
        }
        // An upsert leaves an opted-out contact opted out (`bulk_mail` is never sent), and its answer does not say so.
        let standing = if change == Change::Created { Standing::Normal } else { Standing::Unknown };
        let dropped = job.who.fields.iter().filter(|field| !is_custom(&field.key));
        Ok(dropped.fold(done(change).standing(standing), |ending, field| ending.warn(Remark::DroppedField, &field.key)))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let mut change = Change::Unchanged;
        if !job.clear.is_empty() {
            change = untag(job, known)?;
        }
        Ok(done(change).standing(Standing::Unknown))
    }

    fn lookup_contact(&self, _on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some(id) = find(&who.email)? else { return Ok(None) };
        let reply = Call::new("contact_tags").query("id", &id).send()?;
        if reply.status() == 404 {
            return Ok(None);
        }
        let contact = judged(reply)?;
        let mut known = Known { contact_id: Some(id), ..known.clone() };
        // Absent is not empty: then the answer does not say which tags there are, and what we remember stands.
        if let Some(json::Value::String(on_contact)) = json::at(&contact, "/data/contact_cat") {
            known.tags = still_there(&known.tags, on_contact)?;
        }
        Ok(Some(Seen { known, standing: Standing::Unknown, in_destination: None }))
    }
}

/// Upserts on e-mail. The id of a new contact is `data.id`, that of an old one `data.attrs.id`.
fn save(who: &Person) -> Result<(String, Change), Error> {
    let saved = answer(Call::new("save").json(contact(who)))?;
    let created = json::text(&saved, "/data/id").map(|id| (id, Change::Created));
    let contact = created.or_else(|| json::text(&saved, "/data/attrs/id").map(|id| (id, Change::Updated)));
    // The upsert is safe to repeat, so an answer without an id is asked for again rather than given up.
    contact.ok_or_else(|| error::retryable("no-id", "save: the answer names no contact"))
}

/// Gives the contact with the old address the new one. Where both addresses have a contact, or neither, the new one decides. What the vendor
/// does with an address that is taken is not documented, so it is looked for first.
fn moved(old: &str, who: &Person) -> Result<(String, Change), Error> {
    if find(&who.email)?.is_some() {
        return save(who);
    }
    let Some(id) = find(old)? else { return save(who) };
    let mut change = contact(who);
    body::put(&mut change, "id", &id);
    answer(Call::new("move").json(change))?;
    Ok((id, Change::Updated))
}

fn contact(who: &Person) -> json::Value {
    let (first, last) = person::names(who);
    let mut contact = obj! { "email": &who.email, "firstname": first, "lastname": last };
    for field in who.fields.iter().filter(|field| is_custom(&field.key)) {
        match &field.value {
            // Options of a list field are joined in the vendor's own way.
            Value::Many(options) if !options.is_empty() => body::put(&mut contact, &field.key, format!("*/*{}*/*", options.join("*/*"))),
            value => body::put(&mut contact, &field.key, value),
        }
    }
    contact
}

/// Takes tags off the contact we know, or, when that id no longer resolves, off the one that has the e-mail now (or had it before a change).
fn untag(job: &Job, known: &mut Known) -> Result<Change, Error> {
    let off = |id: &str| Call::new("untag").json(obj! { "ids": [id], "remove_names": &job.clear }).send();
    if let Some(id) = known.contact_id.clone() {
        let reply = off(&id)?;
        if reply.status() != 404 {
            judged(reply)?;
            tags::removed(&mut known.tags, &job.clear);
            return Ok(Change::Updated);
        }
    }
    let mut found = find(&job.who.email)?;
    if let (None, Some(old)) = (&found, person::previous_email(&job.who)) {
        found = find(old)?;
    }
    let Some(id) = found else {
        *known = Known::default();
        return Ok(Change::Gone);
    };
    judged(off(&id)?)?;
    known.contact_id = Some(id);
    tags::removed(&mut known.tags, &job.clear);
    Ok(Change::Updated)
}

/// The contact's id by e-mail; `None` when there is no such contact.
fn find(email: &str) -> Result<Option<String>, Error> {
    let reply = Call::new("find").query("email", email).send()?;
    if reply.status() == 404 {
        return Ok(None);
    }
    Ok(json::text(&judged(reply)?, "/data/id"))
}

/// Which of our tags are among a contact's tag ids (`*/*5*/*12*/*`). Names become ids one by one: an account may have thousands.
fn still_there(ours: &[String], on_contact: &str) -> Result<Vec<String>, Error> {
    let ids: Vec<&str> = on_contact.split(['*', '/']).filter(|id| !id.is_empty()).collect();
    let mut there = Vec::new();
    for name in ours.iter().filter(|_| !ids.is_empty()) {
        let named = obj! { "field": obj! { "field": "tag_name" }, "op": "=", "value": obj! { "value": name } };
        let reply = answer(Call::new("list_tags").query("condition", json::print(&json::Value::from(vec![named]))).query("range", PAGE))?;
        let found = json::rows(&reply, "/data").iter().filter_map(|row| json::text(row, "/tag_id"));
        if found.into_iter().any(|id| ids.contains(&id.as_str())) {
            there.push(name.clone());
        }
    }
    Ok(there)
}

/// Fields that a merchant made are named `f` and a number; the rest are Ontraport's own.
fn is_custom(key: &str) -> bool {
    key.strip_prefix('f').is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crm_connector_sdk::fake::{self, Exchange, job, json_body};

    const SAVED: &str = r#"{"code":0,"data":{"id":"5"}}"#;

    #[test]
    fn both_shapes_of_a_save_give_the_id_as_text_or_number() {
        for (body, change) in [
            (SAVED, Change::Created),
            (r#"{"code":0,"data":{"id":5}}"#, Change::Created),
            (r#"{"code":0,"data":{"attrs":{"id":"5"}}}"#, Change::Updated),
            (r#"{"code":0,"data":{"attrs":{"dlm":"1","id":5}}}"#, Change::Updated),
        ] {
            let played = fake::with([Exchange::call("save").answers(200, body)], || save(&fake::person("ann@example.com")));
            assert_eq!(played.result, Ok(("5".to_owned(), change)), "{body}");
        }
    }

    #[test]
    fn blanks_are_not_sent_and_without_tags_there_is_no_tag_call() {
        let played =
            fake::with([Exchange::call("save").answers(200, SAVED)], || entry::sync_contact(connector(), &job("ann@example.com", &[])));
        assert_eq!(json_body(&played.sent[0]), obj! { "email": "ann@example.com" });
    }
}
