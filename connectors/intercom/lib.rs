//! Intercom: people found by e-mail, made as users where nobody is found, and tagged by id one tag at a time. The search lags, so the id
//! is kept, and a creation that meets somebody takes the id that the refusal names. Must not hold a host name, a credential or a clock,
//! and never writes a subscription. Facts: Intercom-OpenAPI 8889625 (version 2.16), <https://developers.intercom.com>.

use crm_connector_sdk::prelude::*;

mod people;
mod refusal;
mod workspace;

use people::{find, standing};
use refusal::{answer, is_told, refusal, rows};
use workspace::{all_tags, create_tag};

struct Intercom;

crm_connector_sdk::export!(Intercom);

/// Memo while somebody whom we made does not have all tags yet.
const NEW: &str = "new";

impl Connector for Intercom {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        workspace::verify()
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, _cursor: Option<&str>) -> Result<Page, Error> {
        workspace::choices(picker)
    }

    fn prepare(&self, on: &Connection, tags: &[String], _fields: &[String], apply: bool) -> Result<Prepared, Error> {
        tags::resolve(tags, &on.tags, apply, all_tags, create_tag)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let ids = tags::ids(&job.set, &job.on.tags)?;
        let mut found = find(&job.who.email, known.contact_id.as_deref())?;
        let mut made_now = false;
        if found.person.is_none() {
            let made = people::create(&job.who)?;
            made_now = made.is_new;
            found.person = Some(made.person);
        }
        let person = found.person.unwrap_or_default();
        let id = json::text(&person, "/id").ok_or_else(|| error::retryable("no-id", "the answer names no contact"))?;
        known.contact_id = Some(id.clone());
        if made_now {
            known.memo = Some(NEW.to_owned());
        }
        // Of somebody made just now nothing is missing.
        let missing = Some(people::missing(&job.who, &person)).filter(|missing| !made_now && *missing != obj! {});
        if let Some(missing) = missing {
            answer(Call::new("update").path("id", &id).json(missing))?;
        }
        for (name, tag) in job.set.iter().zip(&ids) {
            let reply = Call::new("tag").path("id", &id).json(obj! { "id": tag }).send()?;
            // The person is told apart from the tag only by the sentence.
            if reply.status() == 404 && is_told(&reply) && !refusal::is_about_person(&reply) {
                return Err(error::stale([name]));
            }
            reply.ok_or(refusal)?;
            tags::added(&mut known.tags, std::slice::from_ref(name));
        }
        let is_new = known.memo.take().as_deref() == Some(NEW);
        let ending = done(if is_new { Change::Created } else { Change::Updated }).standing(standing(&person));
        let several = format!("{} people have this e-mail; the user that was made last was taken", found.others + 1);
        Ok(if found.others > 0 { ending.warn(Remark::SeveralMatches, several) } else { ending })
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let Some(person) = find(&job.who.email, known.contact_id.as_deref())?.person else {
            *known = Known::default();
            return Ok(done(Change::Gone).standing(Standing::Unknown));
        };
        let id = json::text(&person, "/id").unwrap_or_default();
        known.contact_id = Some(id.clone());
        // A tag that does not exist is on nobody: none is made only to be taken off.
        let tags = tags::resolve(&job.clear, &job.on.tags, false, all_tags, |tag| Err(error::stale([tag])))?.tags;
        let mut change = Change::Unchanged;
        for tag in tags.iter().filter_map(|tag| tag.id.as_ref()) {
            let reply = Call::new("untag").path("id", &id).path("tag", tag).send()?;
            // Neither a tag that is not on the person nor one that was deleted needs taking off.
            if reply.status() == 404 && is_told(&reply) && !refusal::is_about_person(&reply) {
                continue;
            }
            reply.ok_or(refusal)?;
            change = Change::Updated;
        }
        tags::removed(&mut known.tags, &job.clear);
        Ok(done(change).standing(standing(&person)))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some(person) = find(&who.email, known.contact_id.as_deref())?.person else { return Ok(None) };
        let id = json::text(&person, "/id").unwrap_or_default();
        let reply = Call::new("contact_tags").path("id", &id).send()?;
        if people::is_gone(&reply) {
            return Ok(None);
        }
        let listed = reply.ok_or(refusal)?.need_json()?;
        let there: Vec<String> = rows(&listed)?.iter().filter_map(|tag| json::text(tag, "/id")).collect();
        let id_of = |name: &String| on.tags.iter().find(|tag| tag.name == *name).and_then(|tag| tag.id.as_ref());
        let tags = known.tags.iter().filter(|name| id_of(name).is_some_and(|id| there.contains(id))).cloned().collect();
        let known = Known { contact_id: Some(id), tags, memo: None };
        Ok(Some(Seen { known, standing: standing(&person), in_destination: None }))
    }
}
