//! GetResponse: people who are new to the list are queued (202) and looked for until they appear; people on it get tags and fields
//! that add to theirs. Nobody who left the list is put back. Knows this vendor's API and nothing else: no host name, no credential,
//! no clock. URLs, headers, editions and search constants are in `connector.toml`. Facts: <https://apireference.getresponse.com/>.

use crm_connector_sdk::prelude::*;

mod labels;
mod pickers;
mod refusal;

use refusal::{answer, judged, rows};

struct GetResponse;

crm_connector_sdk::export!(GetResponse);

/// How many tags of a contact the vendor shows; of more, the rest could not be sent back.
const SHOWN_TAGS: usize = 500;
/// Seconds before each look for a queued contact. After the last the vendor has dropped it.
const LOOKS_S: [u32; 8] = [5, 15, 30, 60, 120, 300, 600, 1200];

impl Connector for GetResponse {
    fn verify(&self, on: &Connection) -> Result<Account, Error> {
        if on.setting("edition").is_some_and(|edition| edition != "standard") && on.setting("domain").is_none() {
            return Err(error::credentials(Trouble::WrongRegion, "domain", "missing X-Domain header: enter your MAX account's domain"));
        }
        let account = answer(Call::new("account"))?;
        let id = json::text(&account, "/accountId").ok_or_else(|| error::retryable("no-account", "the answer names no account"))?;
        Ok(Account { id: Some(id), name: json::first_text(&account, &["/companyName", "/email"]), ..Account::default() })
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        pickers::choices(picker, cursor)
    }

    fn prepare(&self, on: &Connection, tags: &[String], _fields: &[String], apply: bool) -> Result<Prepared, Error> {
        labels::resolve(tags, &on.tags, apply)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let (set, unusable): (Vec<_>, Vec<_>) = job.set.iter().cloned().partition(|name| labels::slug(name).is_some());
        let tags = labels::wanted(&set, &job.on.tags)?;
        let list = list(&job.on)?;
        let name = person::full_name(&job.who);
        let fields = job.who.fields.iter().map(field).collect::<Vec<_>>();
        let Some((id, has_name)) = find(&job.who.email, list)? else {
            if let Some(standing) = absent(&job.who.email, list)? {
                let ours = job.resume.is_some() && standing == Standing::Pending;
                return Ok(done(if ours { Change::Created } else { Change::Unchanged }).standing(standing));
            }
            if let Some(looks) = &job.resume {
                return look_again(looks.parse().unwrap_or(0));
            }
            let campaign = obj! { "campaignId": list };
            let contact = obj! { "email": &job.who.email, "name": name, "campaign": campaign, "tags": tags, "customFieldValues": fields };
            return create(contact, &set);
        };
        known.contact_id = Some(id.clone());
        if !tags.is_empty() {
            // The contact was just found, so it is a tag that is gone.
            let gone = |why| if matches!(why, Error::Rejected(_) | Error::Permanent(_)) { error::stale(&set) } else { why };
            answer(Call::new("tag").path("id", &id).json(obj! { "tags": tags })).map_err(gone)?;
            tags::added(&mut known.tags, &set);
        }
        if !fields.is_empty() {
            answer(Call::new("set_fields").path("id", &id).json(obj! { "customFieldValues": fields }))?;
        }
        if let (Some(name), false) = (name, has_name) {
            answer(Call::new("rename").path("id", &id).json(obj! { "name": name }))?;
        }
        let ending = done(if job.resume.is_some() { Change::Created } else { Change::Updated });
        Ok(unusable.iter().fold(ending, |ending, tag| {
            ending.warn(Remark::DroppedField, format!("tag {tag:?}: a tag needs 2 to 64 Latin letters, digits or underscores"))
        }))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        // Whoever has the e-mail now is meant; else the contact that we know, whose e-mail was changed.
        let found = find(&job.who.email, list(&job.on)?)?.map(|(id, _)| id);
        let id = found.or(known.contact_id.clone());
        let there = id.as_deref().map_or(Ok(None), tags_of)?;
        let (Some(id), Some(there)) = (id, there) else {
            *known = Known::default();
            return Ok(done(Change::Gone).standing(Standing::Unknown));
        };
        known.contact_id = Some(id.clone());
        // Two names of one form are one tag: what another campaign still wants stays on.
        let wanted = |name: &String| job.all.iter().any(|other| !job.clear.contains(other) && labels::slug(other) == labels::slug(name));
        let clear: Vec<String> = job.clear.iter().filter(|name| !wanted(name)).cloned().collect();
        let ours: Vec<String> = labels::resolve(&clear, &job.on.tags, false)?.tags.into_iter().filter_map(|tag| tag.id).collect();
        let rest: Vec<json::Value> = there.iter().filter(|tag| !ours.contains(tag)).map(|tag| obj! { "tagId": tag }).collect();
        let mut change = Change::Unchanged;
        if rest.len() < there.len() {
            if there.len() >= SHOWN_TAGS {
                return Err(error::permanent("too-many-tags", "GetResponse shows 500 tags of a contact; the others would be lost"));
            }
            // As it is: an empty list says that no tag is left, and must not be left out.
            let body = json::Value::from_iter([("tags", json::Value::from(rest))]);
            judged(Call::new("retag").path("id", &id).json_as_is(&body).send()?)?;
            change = Change::Updated;
        }
        tags::removed(&mut known.tags, &job.clear);
        Ok(done(change).standing(Standing::Unknown))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let list = list(on)?;
        let id = find(&who.email, list)?.map(|(id, _)| id);
        let Some(on_contact) = id.as_deref().map_or(Ok(None), tags_of)? else {
            return Ok(absent(&who.email, list)?.map(|standing| Seen { known: known.clone(), standing, in_destination: Some(false) }));
        };
        // A tag whose id is not remembered cannot be compared; what we know of it stands.
        let wire = |name: &String| on.tags.iter().find(|tag| &tag.name == name).and_then(|tag| tag.id.clone());
        let there = |name: &&String| wire(name).is_none_or(|id| on_contact.contains(&id));
        let known = Known { contact_id: id, tags: known.tags.iter().filter(there).cloned().collect(), memo: known.memo.clone() };
        Ok(Some(Seen { known, standing: Standing::Normal, in_destination: Some(true) }))
    }
}

fn list(on: &Connection) -> Result<&str, Error> {
    on.picked("campaign").ok_or_else(|| error::destination_missing("campaign", "no list is picked"))
}

/// Queues a contact. Nothing comes back but that it was taken (202), or that it is on the list or in the queue already (409).
fn create(contact: json::Value, tags: &[String]) -> Result<Ending, Error> {
    let reply = Call::new("create").json(contact).send()?;
    let (code, words) = (json::number(&reply.json(), "/code"), status::words(&reply));
    let says = |any: &[&str]| any.iter().any(|what| reply.text().to_ascii_lowercase().contains(what));
    let skipped = done(Change::Unchanged).standing(Standing::SkippedOptedOut);
    match code {
        _ if reply.is_ok() || reply.status() == 409 => Ok(later(LOOKS_S[0], "1")),
        // The vendor too refuses whom it knows to have left; with the same code it refuses an address that does not exist.
        Some(1002) if says(&["blacklist", "deleted", "removed", "bounce"]) => Ok(skipped),
        Some(1000..=1010) if says(&["email"]) => Err(error::rejected("email", reply.status(), words)),
        Some(1000..=1010) if says(&["campaign"]) => Err(error::destination_missing(reply.status(), words)),
        Some(1000..=1010) if says(&["tag"]) => Err(error::stale(tags)),
        _ => judged(reply).map(|_| later(LOOKS_S[0], "1")),
    }
}

/// A queued contact is looked for again, until it is sure that the vendor dropped it.
fn look_again(looks: usize) -> Result<Ending, Error> {
    let dropped = || error::rejected("email", "not-added", "GetResponse accepted the contact and did not add it to the list");
    Ok(later(*LOOKS_S.get(looks).ok_or_else(dropped)?, (looks + 1).to_string()))
}

/// How someone stands who is not active on the list: left or was taken off, or has not confirmed yet. `None`: not there at all.
fn absent(email: &str, list: &str) -> Result<Option<Standing>, Error> {
    let section = obj! { "campaignIdsList": [list], "conditions": vec![obj! { "value": email }] };
    let search = |call: &str| rows(&answer(Call::new(call).json(obj! { "section": vec![section.clone()] }))?);
    let removed = search("find_removed")?;
    let by_merchant = |row: &json::Value| matches!(json::text(row, "/reason").as_deref(), Some("api" | "automation" | "cleaner" | "user"));
    if !removed.is_empty() {
        return Ok(Some(if removed.iter().all(by_merchant) { Standing::Archived } else { Standing::SkippedOptedOut }));
    }
    Ok(search("find_unconfirmed")?.first().map(|_| Standing::Pending))
}

/// The active contact of this e-mail on the list: its id, and whether it has a name.
fn find(email: &str, list: &str) -> Result<Option<(String, bool)>, Error> {
    let lower = crm_connector_sdk::text::lower;
    let found = rows(&answer(Call::new("find").query("query[email]", email).query("query[campaignId]", list))?)?;
    // The search is for parts of addresses unless the vendor heeds the flag: nobody else may be taken for the affiliate.
    let same = |row: &&json::Value| json::text(row, "/email").is_none_or(|theirs| lower(&theirs) == lower(email.trim()));
    Ok(found.iter().find(same).and_then(|row| Some((json::text(row, "/contactId")?, json::text(row, "/name").is_some()))))
}

/// The ids of a contact's tags; `None` when the contact's id is nobody's.
fn tags_of(id: &str) -> Result<Option<Vec<String>>, Error> {
    let reply = Call::new("contact").path("id", id).send()?;
    if reply.status() == 404 {
        return Ok(None);
    }
    let tags = rows(json::at(&judged(reply)?.need_json()?, "/tags").unwrap_or(&json::Value::Null))?;
    Ok(Some(tags.iter().filter_map(|tag| json::text(tag, "/tagId")).collect()))
}

/// Values are lists of text, also where there is one.
fn field(field: &Field) -> json::Value {
    let value = match &field.value {
        Value::Many(values) => values.clone(),
        Value::Text(text) | Value::Number(text) | Value::Date(text) => vec![text.clone()],
        Value::Truth(truth) => vec![truth.to_string()],
    };
    obj! { "customFieldId": &field.key, "value": value }
}
