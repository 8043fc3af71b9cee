//! Mailjet: contacts created or completed on the picked list, then put on one list per tag. Actions are constants of the manifest that
//! never subscribe anybody again. Must not hold a host name, a credential or a clock, and must not touch the account's exclusion list.
//! Facts: <https://dev.mailjet.com/email/reference/contacts/>, recorded traffic in the official mailjet-gem.

use crm_connector_sdk::prelude::*;

mod account;
mod contact;
mod refusal;

use account::{all_lists, create_list};
use contact::{complained, find, standing};
use refusal::{answer, judged, stale_lists, stale_names};

struct Mailjet;

crm_connector_sdk::export!(Mailjet);

/// Memo while somebody whom we made is not on all lists yet.
const NEW: &str = "new";

impl Connector for Mailjet {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        account::verify()
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        account::choices(picker, cursor)
    }

    fn prepare(&self, on: &Connection, tags: &[String], _fields: &[String], apply: bool) -> Result<Prepared, Error> {
        let mut prepared = tags::resolve(tags, &on.tags, apply, all_lists, create_list)?;
        prepared.facts = account::name_properties()?;
        Ok(prepared)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let picked = job.on.picked("list").unwrap_or_default();
        let lists = tags::ids(&job.set, &job.on.tags)?;
        let found = find(&job.who.email)?;
        let mut rows = Vec::new();
        if let Some(id) = found.as_ref().and_then(|found| json::text(found, "/ID")) {
            rows = contact::on_lists(&id)?;
            known.contact_id = Some(id);
        }
        let mut has_left = complained(found.as_ref()) || contact::has_left(&rows, &job.on);
        // Who left one of our lists joins no other, not even another picked one: each of them means e-mails.
        if has_left && !rows.iter().any(|row| row.list == picked) {
            known.memo = None;
            return Ok(done(Change::Unchanged).standing(Standing::SkippedOptedOut));
        }
        let reply = Call::new("save").json(contact::body(job, found.as_ref())?).send()?;
        stale_names(&reply, &job.on)?;
        let saved = judged(reply)?;
        // An id that is only remembered might be another's by now.
        let id = json::text(&saved, "/Data/0/ContactID").or_else(|| json::text(found.as_ref()?, "/ID"));
        let id = id.ok_or_else(|| error::retryable("no-id", "save: the answer names no contact"))?;
        known.contact_id = Some(id.clone());
        if found.is_none() {
            known.memo = Some(NEW.to_owned());
        }
        let is_on = |list: &str| list == picked || rows.iter().any(|row| row.list == list);
        let mut missing: Vec<(&String, &String)> = job.set.iter().zip(&lists).filter(|(_, list)| !is_on(list)).collect();
        if !missing.is_empty() && !has_left {
            let left = answer(Call::new("left").query("Contact", &id).query("ContactsList", picked))?;
            has_left = !refusal::rows(&left)?.is_empty();
        }
        if !missing.is_empty() && !has_left {
            let joined: Vec<String> = missing.drain(..).map(|(_, list)| list.clone()).collect();
            let reply = Call::new("tag").path("id", &id).json(on_lists(&joined)).send()?;
            stale_lists(&reply, &job.on.tags)?;
            judged(reply)?;
        }
        let is_missing = |tag: &String| missing.iter().any(|(name, _)| *name == tag);
        tags::added(&mut known.tags, &job.set.iter().filter(|tag| !is_missing(tag)).cloned().collect::<Vec<_>>());
        let is_new = known.memo.take().as_deref() == Some(NEW);
        let ending = done(if is_new { Change::Created } else { Change::Updated }).standing(standing(found.as_ref(), has_left));
        Ok(missing.into_iter().fold(ending, |ending, (tag, _)| ending.warn(Remark::NotConfirmed, tag)))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        // A tag without a list is on nobody: no list is made only to be left. The picked list is the merchant's, whatever its name.
        let lists = tags::resolve(&job.clear, &job.on.tags, false, all_lists, |tag| Err(error::stale([tag])))?.tags;
        let ours = |id: &String| Some(id.as_str()) != job.on.picked("list") && lists.iter().any(|list| list.id.as_ref() == Some(id));
        let mut there = known.contact_id.clone().map(|id| contact::on_lists(&id).map(|rows| (id, rows))).transpose()?;
        if there.as_ref().is_none_or(|(_, rows)| rows.is_empty()) {
            // On no list at all, or merged and deleted: then the e-mail says who it is.
            let Some(id) = find(&job.who.email)?.and_then(|found| json::text(&found, "/ID")) else {
                *known = Known::default();
                return Ok(done(Change::Gone).standing(Standing::Unknown));
            };
            there = Some((id.clone(), contact::on_lists(&id)?));
        }
        let (id, rows) = there.unwrap_or_default();
        // Taken off a list, an opt-out from it would be forgotten; who left gets nothing from it anyway.
        let off: Vec<String> = rows.iter().filter(|row| !row.has_left).map(|row| row.list.clone()).filter(ours).collect();
        let mut change = Change::Unchanged;
        if !off.is_empty() {
            let reply = Call::new("untag").path("id", &id).json(on_lists(&off)).send()?;
            if refusal::is_absent(&reply) {
                *known = Known::default();
                return Ok(done(Change::Gone).standing(Standing::Unknown));
            }
            stale_lists(&reply, &job.on.tags)?;
            judged(reply)?;
            change = Change::Updated;
        }
        known.contact_id = Some(id);
        tags::removed(&mut known.tags, &job.clear);
        Ok(done(change).standing(Standing::Unknown))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some(found) = find(&who.email)? else { return Ok(None) };
        let id = json::text(&found, "/ID").unwrap_or_default();
        let rows = contact::on_lists(&id)?;
        let is_on = |list: &str| rows.iter().any(|row| row.list == list);
        let list_of = |name: &String| on.tags.iter().find(|tag| tag.name == *name).and_then(|tag| tag.id.as_deref());
        let tags = known.tags.iter().filter(|name| list_of(name).is_some_and(is_on)).cloned().collect();
        let known = Known { contact_id: Some(id), tags, memo: known.memo.clone() };
        Ok(Some(Seen {
            known,
            standing: standing(Some(&found), contact::has_left(&rows, on)),
            in_destination: on.picked("list").map(is_on),
        }))
    }
}

/// List ids are numbers on the wire; what happens on each list is a constant of the manifest.
fn on_lists(ids: &[String]) -> json::Value {
    let list = |id: &String| obj! { "ListID": id.parse::<u64>().ok() };
    obj! { "ContactsLists": ids.iter().map(list).collect::<Vec<_>>() }
}
