//! Ghost: members found by e-mail, their labels read, joined with ours and written back as a whole set. One write per affiliate.
//!
//! Knows this vendor's API and nothing else: no host name, no credential, no clock. URLs, headers and constants are in
//! `connector.toml`. Facts: Ghost's source (npm package ghost 5.130.6), its request schema, <https://docs.ghost.org/admin-api>.

use crm_connector_sdk::prelude::*;
use crm_connector_sdk::serde_json::json as raw;
use crm_connector_sdk::text::lower;

mod refusal;

use refusal::{answer, judged, no_ghost, reason, refusal};

struct Ghost;

crm_connector_sdk::export!(Ghost);

impl Connector for Ghost {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        let reply = Call::new("site").send()?.ok_or(refusal)?;
        let site = reply.json();
        let Some(name) = json::text(&site, "/site/title") else { return Err(no_ghost(&reply)) };
        // The first answer names the site, but only this one needs the key.
        answer(Call::new("key_check"))?;
        Ok(Account { id: json::first_text(&site, &["/site/site_uuid", "/site/url"]), name: Some(name), ..Account::default() })
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        let (call, rows) = match picker {
            "newsletter" => ("list_newsletters", "/newsletters"),
            "labels" => ("list_labels", "/labels"),
            other => return Err(error::unsupported(format!("Ghost has no picker named '{other}'"))),
        };
        let reply = answer(Call::new(call).query("page", paging::offset(cursor)?.max(1)))?;
        let choice = |row: &json::Value| Some(Choice::new(json::text(row, "/id")?, json::text(row, "/name")?));
        let items = json::rows(&reply, rows).iter().filter_map(choice).collect();
        Ok(Page { items, next: json::text(&reply, "/meta/pagination/next") })
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let found = match find(&job.who.email)? {
            Some(found) => found,
            None => match create(job, known)? {
                Some(ending) => return Ok(ending),
                // Somebody else created the member in between.
                None => find(&job.who.email)?.ok_or_else(|| error::retryable("exists", "create: exists, yet is not found"))?,
            },
        };
        known.contact_id = Some(found.id.clone());
        let labels = labels(&found.member);
        let has = |name: &String| labels.iter().any(|label| lower(label) == lower(name));
        let missing: Vec<&String> = job.set.iter().filter(|name| !has(name)).collect();
        let name = person::full_name(&job.who).filter(|_| json::text(&found.member, "/name").is_none());
        let mut member = obj! { "name": name };
        if !missing.is_empty() {
            let names: Vec<&str> = labels.iter().chain(missing).map(String::as_str).collect();
            body::put(&mut member, "labels", named(&names));
        }
        let change = if member == obj! {} { Change::Unchanged } else { Change::Updated };
        if change == Change::Updated {
            answer(Call::new("update").path("id", &found.id).json(obj! { "members": [member] }))?;
        }
        tags::added(&mut known.tags, &job.set);
        let ending = done(change).standing(standing(&found.member, &job.on));
        Ok(if found.several { ending.warn(Remark::SeveralMatches, "e-mail") } else { ending })
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let Some(found) = known_or_found(job, known)? else {
            *known = Known::default();
            return Ok(done(Change::Gone));
        };
        known.contact_id = Some(found.id.clone());
        let labels = labels(&found.member);
        let ours = |label: &str| job.clear.iter().any(|name| lower(name) == lower(label));
        let rest: Vec<&str> = labels.iter().map(String::as_str).filter(|label| !ours(label)).collect();
        let change = if rest.len() == labels.len() { Change::Unchanged } else { Change::Updated };
        if change == Change::Updated {
            // As it is: an empty list takes the last label off.
            answer(Call::new("update").path("id", &found.id).json_as_is(&raw!({ "members": [{ "labels": named(&rest) }] })))?;
        }
        tags::removed(&mut known.tags, &job.clear);
        Ok(done(change).standing(standing(&found.member, &job.on)))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some(Found { id, member, .. }) = find(&who.email)? else { return Ok(None) };
        let labels: Vec<String> = labels(&member).iter().map(|label| lower(label)).collect();
        let mut known = Known { contact_id: Some(id), ..known.clone() };
        known.tags.retain(|tag| labels.contains(&lower(tag)));
        let in_destination = on.picked("newsletter").map(|id| gets(&member, id));
        Ok(Some(Seen { known, standing: standing(&member, on), in_destination }))
    }
}

struct Found {
    id: String,
    member: json::Value,
    several: bool,
}

impl Found {
    fn of(member: &json::Value, several: bool) -> Option<Self> {
        Some(Self { id: json::text(member, "/id")?, member: member.clone(), several })
    }
}

/// The member with this e-mail, spelled as ours or, failing that, in any other way: SQLite holds both as two people.
fn find(email: &str) -> Result<Option<Found>, Error> {
    let quoted = email.replace('\'', "\\'").replace('"', "\\\"");
    let found = matching(&answer(Call::new("find").query("filter", format!("email:'{quoted}'")))?, email);
    if found.is_some() {
        return Ok(found);
    }
    let reply = Call::new("find_respelled").query("filter", format!("email:~^'{quoted}'+email:~$'{quoted}'")).send()?;
    // A Ghost that does not know these comparisons has said all it can.
    if reply.status() == 400 { Ok(None) } else { Ok(matching(&judged(reply)?, email)) }
}

/// Whoever has this e-mail among the members of an answer.
fn matching(answer: &json::Value, email: &str) -> Option<Found> {
    let same = |row: &&json::Value| json::text(row, "/email").is_some_and(|theirs| lower(&theirs) == lower(email));
    let rows: Vec<&json::Value> = json::rows(answer, "/members").iter().filter(same).collect();
    rows.first().and_then(|row| Found::of(row, rows.len() > 1))
}

/// The member whom we know, or, when that id no longer resolves, the one who has the e-mail now.
fn known_or_found(job: &Job, known: &Known) -> Result<Option<Found>, Error> {
    if let Some(id) = &known.contact_id {
        let reply = Call::new("read").path("id", id).send()?;
        if reply.status() != 404 {
            return Ok(Found::of(&member(&judged(reply)?)?, false));
        }
    }
    find(&job.who.email)
}

/// A new member, or `None` when there is one by now.
fn create(job: &Job, known: &mut Known) -> Result<Option<Ending>, Error> {
    let labels: Vec<&str> = job.set.iter().map(String::as_str).collect();
    let mut new = obj! { "email": &job.who.email, "name": person::full_name(&job.who), "labels": named(&labels) };
    match (job.on.setting("subscribe_new"), job.on.picked("newsletter")) {
        (Some("false"), _) => body::put(&mut new, "subscribed", false),
        (_, picked) => body::put(&mut new, "newsletters", picked.map(|id| obj! { "id": id }).into_iter().collect::<Vec<_>>()),
    }
    let reply = Call::new("create").json(obj! { "members": [new] }).send()?;
    if reply.status() == 422 && reason(&reply).to_ascii_lowercase().contains("already exists") {
        return Ok(None);
    }
    let made = member(&judged(reply)?)?;
    known.contact_id = json::text(&made, "/id");
    tags::added(&mut known.tags, &job.set);
    // Without newsletters because the merchant or the site wanted it so: nobody has opted out.
    Ok(Some(done(Change::Created)))
}

/// The one member of an answer. Reading and writing again does no harm, so an answer without one is no reason to give up.
fn member(answer: &json::Value) -> Result<json::Value, Error> {
    let member = json::at(answer, "/members/0").filter(|member| json::text(member, "/id").is_some());
    member.cloned().ok_or_else(|| error::retryable("no-member", "the answer names no member"))
}

fn labels(member: &json::Value) -> Vec<String> {
    json::rows(member, "/labels").iter().filter_map(|label| json::text(label, "/name")).collect()
}

fn named(names: &[&str]) -> Vec<json::Value> {
    names.iter().map(|name| obj! { "name": name.to_owned() }).collect()
}

fn gets(member: &json::Value, newsletter: &str) -> bool {
    json::rows(member, "/newsletters").iter().any(|row| json::text(row, "/id").as_deref() == Some(newsletter))
}

/// A member without the newsletter, or with a suppressed address, gets no mail, and we leave it so.
fn standing(member: &json::Value, on: &Connection) -> Standing {
    let suppressed = json::at(member, "/email_suppression/suppressed") == Some(&json::Value::Bool(true));
    let gets_mail = on.picked("newsletter").map_or_else(|| !json::rows(member, "/newsletters").is_empty(), |id| gets(member, id));
    match (suppressed, gets_mail) {
        (true, _) => Standing::KeptOptedOut,
        (false, true) => Standing::Normal,
        // Members whom we made without newsletters look like those who left: Ghost does not say which.
        (false, false) if on.setting("subscribe_new") == Some("false") => Standing::Unknown,
        (false, false) => Standing::KeptOptedOut,
    }
}
