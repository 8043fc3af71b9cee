//! Keap (formerly Infusionsoft): one pool of contacts. A look by e-mail, then the contact is made or its blank names are filled in,
//! then one call for each tag that is missing.
//!
//! Knows this vendor's API and nothing else: no host name, no credential, no clock. URLs, authentication and constants
//! (`duplicate_option`, `fields`) are in `connector.toml`. Facts: infusionsoft/keap-sdk d5b3dec, sdks/v2/swagger.yml.

use crm_connector_sdk::prelude::*;

mod contacts;
mod pickers;
mod refusal;

use contacts::{create, fill, find, has_tag, moved, replaced, someone, standing};
use pickers::{account_tags, create_tag};
use refusal::{judged, need};

struct Keap;

crm_connector_sdk::export!(Keap);

impl Connector for Keap {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        let reply = judged(Call::new("business").send()?)?;
        // The account's own name on the wire is the only thing that two keys of one account share.
        let id = reply.header("x-keap-tenant-id").map(str::to_owned);
        let profile = reply.need_json()?;
        let name = json::first_text(&profile, &["/name", "/email"]).or_else(|| id.clone());
        Ok(Account { id, name, ..Account::default() })
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        pickers::choices(picker, cursor)
    }

    fn prepare(&self, on: &Connection, tags: &[String], _fields: &[String], apply: bool) -> Result<Prepared, Error> {
        tags::resolve(tags, &on.tags, apply, account_tags, create_tag)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let ids = tags::ids(&job.set, &job.on.tags)?;
        let mut found = someone(&job.who, known)?;
        let mut change = Change::Unchanged;
        if let Some(found) = &mut found
            && let Some(old) = replaced(&found.contact, &job.who)
        {
            known.contact_id = Some(need(&found.contact, "/id")?);
            found.contact = moved(&found.contact, old, &job.who.email)?;
            change = Change::Updated;
        }
        let several = found.as_ref().is_some_and(|found| found.several);
        let is_new = found.is_none();
        let contact = match found {
            Some(found) => {
                known.contact_id = Some(need(&found.contact, "/id")?);
                if fill(&found.contact, &job.who)? {
                    change = Change::Updated;
                }
                found.contact
            }
            None => {
                let (contact, made) = create(job)?;
                change = if made { Change::Created } else { Change::Updated };
                contact
            }
        };
        let id = need(&contact, "/id")?;
        known.contact_id = Some(id.clone());
        for (name, tag) in job.set.iter().zip(&ids) {
            if has_tag(&contact, tag) != Some(true) {
                apply(name, tag, &id)?;
                change = if change == Change::Unchanged { Change::Updated } else { change };
            }
            tags::added(&mut known.tags, std::slice::from_ref(name));
        }
        let mut ending = done(change).standing(standing(&contact, &job.who.email));
        if contacts::is_unmarketable(&contact, &job.who.email) {
            ending = ending.warn(Remark::NotConfirmed, "Keap notes no opt-in for this address: it gets no marketing e-mail");
        }
        if several {
            ending = ending.warn(Remark::SeveralMatches, "email");
        }
        for field in job.who.fields.iter().filter(|field| !is_new || !contacts::is_custom(&field.key)) {
            ending = ending.warn(Remark::DroppedField, &field.key);
        }
        for name in contacts::cut_names(&job.who, &contact, is_new) {
            ending = ending.warn(Remark::Shortened, name);
        }
        Ok(ending)
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let Some(contact) = someone(&job.who, known)?.map(|found| found.contact) else {
            *known = Known::default();
            return Ok(done(Change::Gone).standing(Standing::Unknown));
        };
        let id = need(&contact, "/id")?;
        known.contact_id = Some(id.clone());
        // A tag that the account has no more needs no taking off.
        let ours = tags::resolve(&job.clear, &job.on.tags, false, account_tags, create_tag)?.tags;
        let mut change = Change::Unchanged;
        for tag in ours.iter().filter_map(|tag| tag.id.as_ref()).filter(|tag| has_tag(&contact, tag) != Some(false)) {
            let reply = Call::new("untag").path("tag", tag).json(obj! { "contact_ids": [&id] }).send()?;
            // Deleted in the account meanwhile: a page that says 404 is not Keap's word for it.
            if reply.status() != 404 || refusal::told(&reply).is_none() {
                judged(reply)?;
                change = Change::Updated;
            }
        }
        tags::removed(&mut known.tags, &job.clear);
        Ok(done(change).standing(standing(&contact, &job.who.email)))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some(found) = find(&who.email, known)? else { return Ok(None) };
        // A tag whose id is not remembered cannot be compared; what we know of it stands.
        let id = |name: &String| on.tags.iter().find(|tag| &tag.name == name).and_then(|tag| tag.id.as_deref());
        let there = |name: &&String| id(name).is_none_or(|id| has_tag(&found.contact, id) != Some(false));
        let tags = known.tags.iter().filter(there).cloned().collect();
        let standing = standing(&found.contact, &who.email);
        let known = Known { contact_id: Some(need(&found.contact, "/id")?), tags, memo: known.memo.clone() };
        Ok(Some(Seen { known, standing, in_destination: None }))
    }
}

/// Adds one tag. The answer is 200 with a word for the contact, which may be a failure.
fn apply(name: &str, tag: &str, contact: &str) -> Result<(), Error> {
    let reply = Call::new("tag").path("tag", tag).json(obj! { "contact_ids": [contact] }).send()?;
    if reply.status() == 404 && refusal::told(&reply).is_some() {
        return Err(error::stale([name]));
    }
    let results = judged(reply)?.need_json()?;
    let word = json::text(&results, &format!("/results/{contact}")).unwrap_or_default().to_ascii_uppercase();
    // Words besides SUCCESS are not documented; a tag that is there already is no failure.
    if ["FAIL", "ERROR", "INVALID", "NOT"].iter().any(|bad| word.contains(bad)) {
        return Err(error::retryable("not-applied", format!("tag: {word}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crm_connector_sdk::fake::{self, Exchange};

    #[test]
    fn a_word_of_failure_inside_a_good_answer_is_a_failure_and_any_other_word_is_not() {
        for (word, good) in [("SUCCESS", true), ("DUPLICATE", true), ("CONTACT_NOT_FOUND", false), ("FAILURE", false)] {
            let script = [Exchange::call("tag").answers(200, &format!(r#"{{"results":{{"5":"{word}"}}}}"#))];
            assert_eq!(fake::with(script, || apply("gold", "91", "5")).result.is_ok(), good, "{word}");
        }
    }
}
