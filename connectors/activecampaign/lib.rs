//! ActiveCampaign: a contact upserted by e-mail, put on one list unless the person left it, then tagged by id, one call for each tag.
//!
//! Knows this vendor's API and nothing else: no host name, no credential, no clock. URLs, headers and constants (list status 1, tag
//! type) are in `connector.toml`. Facts: <https://developers.activecampaign.com/reference/>.

use crm_connector_sdk::prelude::*;

mod account;
mod refusal;
mod tag_ids;

use account::{find, of_contact};
use refusal::{CONTACT_GONE, answer, judged};
use tag_ids::resolve;

struct ActiveCampaign;

crm_connector_sdk::export!(ActiveCampaign);

impl Connector for ActiveCampaign {
    fn verify(&self, on: &Connection) -> Result<Account, Error> {
        let user = json::first_text(&answer(Call::new("me"))?, &["/user/email", "/user/username"]);
        let user = user.ok_or_else(|| error::retryable("no-user", "me: the answer names no user"))?;
        // A user's id is no account's id; the first label of the host is the same on both hosts of an account.
        let host = on.setting("api_url").unwrap_or_default().trim_start_matches("https://");
        let id = host.split_once('.').map(|(label, _)| label.to_owned());
        Ok(Account { name: Some(format!("{user} at {host}")), id, ..Account::default() })
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        account::choices(picker, cursor)
    }

    fn prepare(&self, on: &Connection, tags: &[String], _fields: &[String], apply: bool) -> Result<Prepared, Error> {
        resolve(tags, on, apply)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        tags::ids(&job.set, &job.on.tags)?;
        let list = job.on.picked("list").ok_or_else(|| error::destination_missing("list", "no list is picked"))?;
        let (contact, dropped) = contact(&job.who);
        let saved = judged(Call::new("save").json(contact).send()?)?;
        let change = if saved.status() == 201 { Change::Created } else { Change::Updated };
        let id = json::text(&saved.need_json()?, "/contact/id");
        let id = id.ok_or_else(|| error::retryable("no-id", "save: the answer names no contact"))?;
        known.contact_id = Some(id.clone());
        let lists = of_contact("memberships", &id, "/contactLists")?;
        let lists = lists.ok_or_else(|| error::retryable(404, "memberships: the contact that was just saved is not there"))?;
        let standing = standing(&lists, list);
        if standing.is_none() {
            answer(Call::new("join").json(obj! { "contactList": obj! { "list": list, "contact": &id } }))?;
        }
        // Last, so that an automation that waits for a tag finds the contact on the list.
        for Binding { name, id: tag, .. } in job.on.tags.iter().filter(|tag| job.set.contains(&tag.name)) {
            let reply = Call::new("tag").json(obj! { "contactTag": obj! { "contact": &id, "tag": tag } }).send()?;
            if matches!(reply.status(), 400 | 404 | 422) && !reply.text().contains(CONTACT_GONE) {
                return Err(error::stale([name]));
            }
            judged(reply)?.need_json()?;
            tags::added(&mut known.tags, std::slice::from_ref(name));
        }
        let ending = done(change).standing(standing.unwrap_or(Standing::Normal));
        Ok(dropped.iter().fold(ending, |ending, key| ending.warn(Remark::DroppedField, key)))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let of = |id: String| Ok::<_, Error>(of_contact("contact_tags", &id, "/contactTags")?.map(|rows| (id, rows)));
        let there = match known.contact_id.clone().map_or(Ok(None), of)? {
            // The id is not known, or the contact was merged or deleted: whoever has the e-mail now is meant.
            None => find(&job.who.email)?.map_or(Ok(None), of)?,
            there => there,
        };
        let Some((id, rows)) = there else {
            *known = Known::default();
            return Ok(done(Change::Gone).standing(Standing::Unknown));
        };
        known.contact_id = Some(id);
        let mut change = Change::Unchanged;
        for tag in resolve(&job.clear, &job.on, false)?.tags {
            for row in rows.iter().filter(|row| json::text(row, "/tag") == tag.id).filter_map(|row| json::text(row, "/id")) {
                let reply = Call::new("untag").path("row", row).send()?;
                // 404: somebody took it off meanwhile.
                if reply.status() != 404 {
                    judged(reply)?;
                }
                change = Change::Updated;
            }
            tags::removed(&mut known.tags, std::slice::from_ref(&tag.name));
        }
        tags::removed(&mut known.tags, &job.clear);
        Ok(done(change).standing(Standing::Unknown))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some(id) = find(&who.email)? else { return Ok(None) };
        let (lists, rows) = (of_contact("memberships", &id, "/contactLists")?, of_contact("contact_tags", &id, "/contactTags")?);
        let (Some(lists), Some(rows)) = (lists, rows) else { return Ok(None) };
        // A tag whose id is not remembered cannot be compared; what we know of it stands.
        let there = |name: &&String| match tags::ids(std::slice::from_ref(*name), &on.tags) {
            Ok(ids) => rows.iter().filter_map(|row| json::text(row, "/tag")).any(|tag| ids.contains(&tag)),
            Err(_) => true,
        };
        let seen = standing(&lists, on.picked("list").unwrap_or_default());
        let known = Known { contact_id: Some(id), tags: known.tags.iter().filter(there).cloned().collect(), memo: known.memo.clone() };
        Ok(Some(Seen { known, standing: seen.unwrap_or(Standing::Unknown), in_destination: Some(seen == Some(Standing::Normal)) }))
    }
}

/// The body of an upsert, and the keys of fields that are none of this vendor's: those are known by number, and hold text.
fn contact(who: &Person) -> (json::Value, Vec<String>) {
    let (first, last) = person::names(who);
    let (mut values, mut dropped) = (Vec::new(), Vec::new());
    for Field { key, value } in &who.fields {
        let text = match value {
            Value::Text(text) | Value::Number(text) | Value::Date(text) => text.clone(),
            Value::Truth(truth) => truth.to_string(),
            // Several options of one field stand between double bars.
            Value::Many(options) => format!("||{}||", options.join("||")),
        };
        if !key.bytes().all(|b| b.is_ascii_digit()) {
            dropped.push(key.clone());
        } else if !text.trim_matches(['|', ' ']).is_empty() {
            values.push(obj! { "field": key, "value": text });
        }
    }
    (obj! { "contact": obj! { "email": &who.email, "firstName": first, "lastName": last, "fieldValues": values } }, dropped)
}

/// How the contact stands with the list, or `None` when it may be put on it.
fn standing(lists: &[json::Value], list: &str) -> Option<Standing> {
    let has = |status: &str| lists.iter().any(|row| json::text(row, "/status").as_deref() == Some(status));
    match lists.iter().find(|row| json::text(row, "/list").as_deref() == Some(list)) {
        // Left every list there was: that person wants no mail, from a further list neither.
        None => (has("2") && !has("1")).then_some(Standing::KeptOptedOut),
        Some(row) => Some(match json::text(row, "/status").as_deref() {
            Some("1") => Standing::Normal,
            Some("0") => Standing::Pending,
            // Unsubscribed, or mail bounced: neither is ours to undo.
            Some("2" | "3") => Standing::KeptOptedOut,
            // 91: taken off the list by an edit in the merchant's account.
            _ => Standing::Unknown,
        }),
    }
}
