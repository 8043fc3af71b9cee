//! Customer.io: people of one workspace, upserted by e-mail, with an attribute that stands in for tags. One call per affiliate;
//! with the optional App API key one more before it, to look who is there, and one after it where a manual segment is chosen.
//!
//! Knows this vendor's API and nothing else: no host name, no credential, no clock. Which region's hosts are meant is found by
//! `verify` and remembered by the host. Facts: <https://docs.customer.io/integrations/api/track/>, customerio-node 415363a.

use crm_connector_sdk::memo;
use crm_connector_sdk::prelude::*;

mod refusal;
mod region;

use refusal::refusal;
use region::region;

struct CustomerIo;

crm_connector_sdk::export!(CustomerIo);

/// The attribute that stands in for tags: ours alone, replaced as a whole, not readable with Track API keys.
const TAGS: &str = "rekomi_tags";
/// The fact that says whether the App API key works: `yes` or `no`.
const APP: &str = "app";
/// Nobody can have this address (RFC 2606): asking for it tests the App API key and shows nobody's data.
const NOBODY: &str = "nobody@example.invalid";

impl Connector for CustomerIo {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        let (region, workspace) = region()?;
        let mut account = Account { choice: Some(region.to_owned()), ..Account::default() };
        if let Some(number) = workspace {
            account.name = Some(format!("Customer.io workspace {number} ({})", region.to_ascii_uppercase()));
            account.id = Some(format!("{region}-{number}"));
        }
        let works = people(Call::new(format!("find@{region}")).query("email", NOBODY))?.is_some();
        account.facts.push(Pair::new(APP, if works { "yes" } else { "no" }));
        if !works {
            account.lacking.push("App API key: none that works was given, so nobody can be looked up".to_owned());
        }
        Ok(account)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let mut there = look(&job.on, &job.who.email)?;
        if let (Some([]), Some(old)) = (there.as_deref(), person::previous_email(&job.who)) {
            // The person under the former address is given the new one, instead of making a second person.
            there = look(&job.on, old)?;
        }
        let found = there.as_deref().unwrap_or_default();
        let (mut who, dropped) = attributes(&job.who);
        let mut wanted = job.all.clone();
        tags::added(&mut wanted, &job.set);
        body::put(&mut who, TAGS, wanted.join(","));
        let is_new = there.as_deref().is_some_and(<[String]>::is_empty);
        if is_new && job.who.approved_at > 0 {
            body::put(&mut who, "created_at", job.who.approved_at);
        }
        let call = Call::new(if is_new { "save_new" } else { "save" });
        // An id that was just looked up; a remembered one might be gone, and the vendor would drop the request without a word.
        let path = found.first().map_or_else(|| job.who.email.clone(), |id| format!("cio_{id}"));
        known.contact_id = found.first().cloned().or(known.contact_id.take());
        call.path("person", path).json(who).send()?.ok_or(refusal)?;
        tags::added(&mut known.tags, &job.set);
        join(job, known)?;
        let (change, standing) = if is_new { (Change::Created, Standing::Normal) } else { (Change::Updated, Standing::Unknown) };
        let mut ending = done(change).standing(standing);
        if there.is_none() && person::previous_email(&job.who).is_some() {
            // Without a look nobody can be moved: the person under the former address stays, beside this one.
            ending = ending.warn(Remark::NotConfirmed, "email");
        }
        if found.len() > 1 {
            ending = ending.warn(Remark::SeveralMatches, "email");
        }
        Ok(dropped.into_iter().fold(ending, |ending, key| ending.warn(Remark::DroppedField, key)))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let there = look(&job.on, &job.who.email)?;
        if there.as_deref().is_some_and(<[String]>::is_empty) {
            *known = Known::default();
            return Ok(done(Change::Gone).standing(Standing::Unknown));
        }
        if job.clear.is_empty() {
            return Ok(done(Change::Unchanged).standing(Standing::Unknown));
        }
        let mut left = job.all.clone();
        tags::removed(&mut left, &job.clear);
        let id = there.into_iter().flatten().next();
        let path = id.as_ref().map_or_else(|| job.who.email.clone(), |id| format!("cio_{id}"));
        // Here, and only here, an empty text means something: no tag is left.
        let reduced = json::Value::from_iter([(TAGS, left.join(","))]);
        Call::new("retag").path("person", path).json_as_is(&reduced).send()?.ok_or(refusal)?;
        known.contact_id = id.or(known.contact_id.take());
        tags::removed(&mut known.tags, &job.clear);
        Ok(done(Change::Updated).standing(Standing::Unknown))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some(there) = look(on, &who.email)? else {
            return Err(error::unsupported("looking people up needs an App API key, and none that works was given"));
        };
        let Some(id) = there.into_iter().next() else { return Ok(None) };
        let Some(person) = read("attributes", &id)? else { return Ok(None) };
        let on_person = json::text(&person, &format!("/customer/attributes/{TAGS}")).unwrap_or_default();
        let on_person: Vec<&str> = on_person.split(',').map(str::trim).collect();
        let tags = known.tags.iter().filter(|tag| on_person.contains(&tag.as_str())).cloned().collect();
        let standing = match json::at(&person, "/customer/unsubscribed") {
            Some(json::Value::Bool(true)) => Standing::KeptOptedOut,
            Some(json::Value::Bool(false)) => Standing::Normal,
            _ => Standing::Unknown,
        };
        let in_destination = match on.picked("segment") {
            Some(segment) => {
                let Some(segments) = read("segments", &id)? else { return Ok(None) };
                Some(json::rows(&segments, "/segments").iter().any(|row| json::text(row, "/id").as_deref() == Some(segment)))
            }
            None => None,
        };
        Ok(Some(Seen { known: Known { contact_id: Some(id), tags, memo: known.memo.clone() }, standing, in_destination }))
    }
}

/// The ids of everybody with this address; `None` where the App API is closed to us.
fn look(on: &Connection, email: &str) -> Result<Option<Vec<String>>, Error> {
    if on.fact(APP) == Some("yes") { people(Call::new("find").query("email", email)) } else { Ok(None) }
}

fn people(find: Call) -> Result<Option<Vec<String>>, Error> {
    let reply = find.send()?;
    // The App API key is an extra: that it was taken away must not stop the syncs.
    if matches!(reply.status(), 401 | 403) {
        return Ok(None);
    }
    let answer = reply.ok_or(refusal)?.need_json()?;
    if json::at(&answer, "/results").is_none() {
        return Err(error::retryable("no-results", "find: the answer has no list of people"));
    }
    Ok(Some(json::rows(&answer, "/results").iter().filter_map(|row| json::text(row, "/cio_id")).collect()))
}

/// What the App API shows of a person; `None` when there is no such person (any more).
fn read(call: &str, id: &str) -> Result<Option<json::Value>, Error> {
    let reply = Call::new(call).path("person", id).send()?;
    if reply.status() == 404 { Ok(None) } else { reply.ok_or(refusal)?.need_json().map(Some) }
}

/// E-mail, names, and custom fields whose names begin with ours; and the keys of the fields that cannot be written.
fn attributes(who: &Person) -> (json::Value, Vec<&str>) {
    let (first, last) = person::names(who);
    let mut person = obj! { "email": &who.email, "first_name": first, "last_name": last };
    let fits = |key: &str| key.strip_prefix("rekomi_").is_some_and(|rest| !rest.is_empty()) && key != TAGS;
    let (ours, dropped): (Vec<_>, Vec<_>) = who.fields.iter().partition(|field| fits(&field.key));
    for field in ours {
        match &field.value {
            // An attribute is text, a number or a truth.
            Value::Many(items) => body::put(&mut person, &field.key, items.join(",")),
            value => body::put(&mut person, &field.key, value),
        }
    }
    (person, dropped.into_iter().map(|field| field.key.as_str()).collect())
}

/// Joins the manual segment, once: what we joined is remembered, so that whoever was taken out again stays out.
fn join(job: &Job, known: &mut Known) -> Result<(), Error> {
    let Some(segment) = job.on.picked("segment") else { return Ok(()) };
    if json::text(&memo::read(known), "/joined").as_deref() == Some(segment) {
        return Ok(());
    }
    let who = obj! { "ids": [&job.who.email] };
    Call::new("join").path("segment", segment).json(who).send()?.ok_or(refusal)?;
    memo::write(known, &obj! { "joined": segment })
}
