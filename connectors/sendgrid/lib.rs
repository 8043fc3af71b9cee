//! SendGrid Marketing Campaigns: contacts upserted on e-mail by a job that finishes later, with one list per tag. A sync is two
//! runs or more: find and save, then looks at the import until the contact can be seen on its lists. Must not hold a host name,
//! a credential or a clock, and must not touch suppressions, where SendGrid keeps who opted out. Facts: connector.toml.

use crm_connector_sdk::{prelude::*, text};

struct SendGrid;

crm_connector_sdk::export!(SendGrid);

/// Longest first or last name, in characters.
const MAX_NAME: usize = 50;
/// Seconds before the first look, the second and so on; the last repeats.
const WAITS: [u32; 6] = [15, 30, 60, 120, 240, 300];
/// The search lags behind a job that has ended: so many looks before something counts as missing.
const PATIENCE: usize = 4;

impl Connector for SendGrid {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        judged(Call::new("lists").query("page_size", 1).send()?)?;
        let reply = Call::new("username").send()?;
        // A key need not be allowed to see whose it is.
        let me = if reply.status() == 403 { json::Value::Null } else { judged(reply)? };
        Ok(Account { id: json::text(&me, "/user_id"), name: json::text(&me, "/username"), ..Account::default() })
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        if picker == "fields" {
            let defined = judged(Call::new("fields").send()?)?;
            let choice = |field: &json::Value| Some(Choice::new(json::text(field, "/id")?, json::text(field, "/name")?));
            return Ok(Page { items: json::rows(&defined, "/custom_fields").iter().filter_map(choice).collect(), next: None });
        }
        let (lists, next) = lists(cursor)?;
        Ok(Page { items: lists.into_iter().filter_map(|list| Some(Choice::new(list.id?, list.name))).collect(), next })
    }

    fn prepare(&self, on: &Connection, tags: &[String], _fields: &[String], apply: bool) -> Result<Prepared, Error> {
        tags::resolve(tags, &on.tags, apply, || paging::collect(50, lists), create_list)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let mut lists: Vec<String> = job.on.picked("list").map(str::to_owned).into_iter().collect();
        let of_tags = tags::ids(&job.set, &job.on.tags)?;
        lists.extend(of_tags.into_iter().filter(|id| job.on.picked("list") != Some(id)));
        // A list that was made anew while this job waited changes what is wanted: then the save is done again.
        let mut resume = job.resume.as_deref().unwrap_or_default().splitn(3, ' ');
        match (resume.next(), resume.next().and_then(|looks| looks.parse().ok()), resume.next()) {
            (Some(at), Some(looks), Some(of)) if of == lists.join(",") => finish(job, known, &lists, at, looks),
            _ => bring(job, known, &lists),
        }
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let looks: usize = job.resume.as_deref().and_then(|looks| looks.parse().ok()).unwrap_or_default();
        // A tag without a list is on nobody: no list is made only to be left.
        let of_tags = tags::resolve(&job.clear, &job.on.tags, false, || paging::collect(50, lists), |tag| Err(error::stale([tag])))?;
        let lists: Vec<String> = of_tags.tags.into_iter().filter_map(|tag| tag.id).collect();
        let Some(contact) = find(&job.who.email, known)? else {
            *known = Known::default();
            return Ok(done(Change::Gone).standing(Standing::Unknown));
        };
        for list in lists.iter().filter(|_| looks == 0) {
            // 404: the list or the contact is gone, so the one is not on the other. Else a job that ends later.
            let reply = Call::new("leave").path("id", list).query("contact_ids", known.contact_id.as_deref().unwrap_or_default()).send()?;
            if reply.status() != 404 {
                judged(reply)?;
            }
        }
        let still = lists_of(&contact).iter().any(|id| lists.contains(id));
        if looks < PATIENCE && (still || (looks == 0 && !lists.is_empty())) {
            return Ok(later(WAITS[looks], (looks + 1).to_string()));
        }
        tags::removed(&mut known.tags, &job.clear);
        let ending = done(if lists.is_empty() { Change::Unchanged } else { Change::Updated }).standing(Standing::Unknown);
        Ok(if still { ending.warn(Remark::NotConfirmed, "tags") } else { ending })
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let mut seen = Known::default();
        let Some(contact) = find(&who.email, &mut seen)? else { return Ok(None) };
        let there = lists_of(&contact);
        let ours = on.tags.iter().filter(|tag| tag.id.as_ref().is_some_and(|id| there.contains(id)));
        seen.tags = ours.map(|tag| tag.name.clone()).filter(|tag| known.tags.contains(tag)).collect();
        let in_destination = on.picked("list").map(|list| there.iter().any(|id| id == list));
        Ok(Some(Seen { known: seen, standing: standing(&who.email), in_destination }))
    }
}

/// First run: looks, then hands the contact over.
fn bring(job: &Job, known: &mut Known, lists: &[String]) -> Result<Ending, Error> {
    let found = find(&job.who.email, known)?;
    let reply = Call::new("save").json(obj! { "list_ids": lists, "contacts": [contact(&job.who, found.as_ref())] }).send()?;
    // How an unknown list is refused no source shows, so the merchant's is asked; those of tags are looked up by name again.
    let said = said(&reply);
    if !lists.is_empty() && (reply.status() == 404 || (reply.status() == 400 && said.contains("list") && !said.contains("email"))) {
        must_exist(job, &lists[0])?;
        return Err(error::stale(&job.set));
    }
    let id = json::text(&judged(reply)?, "/job_id").ok_or_else(|| error::retryable("no-job", "save: the answer names no job"))?;
    Ok(again(&id, 0, lists))
}

/// Later runs: once the import has ended the contact is looked up, because its id is nowhere else and silence is no proof.
/// `at` is the import's id, or how it ended; `looks` counts anew from there.
fn finish(job: &Job, known: &mut Known, lists: &[String], at: &str, looks: usize) -> Result<Ending, Error> {
    let how = if at == "created" || at == "updated" { Some(at) } else { ended(at)? };
    let Some(how) = how else { return Ok(again(at, looks, lists)) };
    let looks = if how == at { looks } else { 0 };
    let found = find(&job.who.email, known)?;
    let there = found.as_ref().map(lists_of).unwrap_or_default();
    let missing: Vec<String> = lists.iter().filter(|id| !there.contains(id)).cloned().collect();
    if (found.is_none() || !missing.is_empty()) && looks < PATIENCE {
        return Ok(again(how, looks, lists));
    }
    missing.iter().take(2).try_for_each(|id| must_exist(job, id))?;
    let name = |id: &String| job.on.tags.iter().find(|tag| tag.id.as_ref() == Some(id)).map_or("list", |tag| tag.name.as_str());
    let unseen: Vec<&str> = missing.iter().map(name).collect();
    tags::added(&mut known.tags, &job.set.iter().filter(|tag| !unseen.contains(&tag.as_str())).cloned().collect::<Vec<_>>());
    let (first, last) = person::names(&job.who);
    let long = [("first", first), ("last", last)].into_iter().filter(|(_, name)| name.as_ref().is_some_and(|name| cut(name) != *name));
    let remarks = long.map(|(what, _)| (Remark::Shortened, what)).chain(unseen.into_iter().map(|what| (Remark::NotConfirmed, what)));
    let ending = done(if how == "created" { Change::Created } else { Change::Updated }).standing(standing(&job.who.email));
    Ok(remarks.fold(ending, |ending, (what, subject)| ending.warn(what, subject)))
}

fn again(at: &str, looks: usize, lists: &[String]) -> Ending {
    later(WAITS[looks.min(WAITS.len() - 1)], format!("{at} {} {}", looks + 1, lists.join(",")))
}

/// How the import ended; `None` while it goes on or is not known yet. Its counts come long before its status `completed`.
fn ended(id: &str) -> Result<Option<&'static str>, Error> {
    let reply = Call::new("import").path("id", id).send()?;
    let import = if reply.status() == 404 { json::Value::Null } else { judged(reply)? };
    let count = |of: &str| json::number(&import, &format!("/results/{of}_count")).unwrap_or_default() > 0;
    let status = json::text(&import, "/status").unwrap_or_default();
    if count("errored") || status == "errored" || status == "failed" {
        let told = "SendGrid accepted the contact but could not import it. The reason is in its import history, under Contacts.";
        return Err(error::rejected("contact", status, told));
    }
    Ok(if count("created") { Some("created") } else { (count("updated") || status == "completed").then_some("updated") })
}

/// The merchant's list is never replaced; that of a tag is made anew.
fn must_exist(job: &Job, id: &String) -> Result<(), Error> {
    let reply = Call::new("list").path("id", id).send()?;
    match reply.status() {
        404 if job.on.picked("list") == Some(id) => Err(error::destination_missing(404, status::words(&reply))),
        404 => Err(error::stale(&job.set)),
        _ => judged(reply).map(drop),
    }
}

/// The contact as SendGrid wants it. Identifiers that it already has are repeated, or it would not be updated.
fn contact(who: &Person, found: Option<&json::Value>) -> json::Value {
    let (first, last) = person::names(who);
    let mut fields = obj! {};
    for Field { key, value } in &who.fields {
        match value {
            Value::Date(d) if d.len() > 9 && d.is_ascii() => body::put(&mut fields, key, [&d[5..7], &d[8..10], &d[..4]].join("/")),
            Value::Truth(truth) => body::put(&mut fields, key, truth.to_string()),
            Value::Many(many) => body::put(&mut fields, key, many.join(", ")),
            value => body::put(&mut fields, key, value),
        }
    }
    let has = |what: &str| found.and_then(|found| json::text(found, what));
    obj! {
        // Found by an alternate address, it keeps its own: else a second contact would be made.
        "email": has("/email").unwrap_or_else(|| who.email.clone()), "first_name": first.as_deref().map(cut), "custom_fields": fields,
        "last_name": last.as_deref().map(cut), "phone_number_id": has("/phone_number_id"), "external_id": has("/external_id"),
        "anonymous_id": has("/anonymous_id"),
    }
}

fn cut(name: &str) -> String {
    name.chars().take(MAX_NAME).collect()
}

/// The contact that has this address, as its own or as an alternate one. 400: no address in SendGrid's eyes, so nobody has it.
fn find(email: &str, known: &mut Known) -> Result<Option<json::Value>, Error> {
    let reply = Call::new("find").json(obj! { "emails": [email] }).send()?;
    if matches!(reply.status(), 400 | 404) {
        return Ok(None);
    }
    let found = judged(reply)?;
    let hits = json::at(&found, "/result").and_then(json::Value::as_object);
    let contact = hits.and_then(|hits| hits.values().find_map(|hit| json::at(hit, "/contact"))).cloned();
    known.contact_id = contact.as_ref().and_then(|contact| json::text(contact, "/id")).or(known.contact_id.take());
    Ok(contact)
}

fn lists_of(contact: &json::Value) -> Vec<String> {
    json::rows(contact, "/list_ids").iter().filter_map(|id| id.as_str().map(str::to_owned)).collect()
}

/// Whether the person unsubscribed from everything. Only said where the key may ask; never a reason to fail.
fn standing(email: &str) -> Standing {
    match Call::new("optout").path("email", email).send().ok().filter(Reply::is_ok).map(|reply| reply.json()) {
        Some(told) if json::text(&told, "/recipient_email").is_some() => Standing::KeptOptedOut,
        Some(json::Value::Object(_)) => Standing::Normal,
        _ => Standing::Unknown,
    }
}

/// One page of lists and the token of the next, cut from a link that is never followed.
fn lists(token: Option<&str>) -> Result<(Vec<Binding>, Option<String>), Error> {
    let page = judged(Call::new("lists").query("page_size", 1000).query_opt("page_token", token).send()?)?;
    let named = |list: &json::Value| json::text(list, "/name").map(|name| (name, json::text(list, "/id")));
    let bound = |(name, id): (String, _)| Binding { name: name.clone(), wire: name, id };
    let next = json::text(&page, "/_metadata/next").unwrap_or_default();
    let token = next.split_once("page_token=").and_then(|(_, rest)| rest.split('&').next()).filter(|token| !token.is_empty());
    let token = token.map(|token| token.replace("%3D", "=").replace("%2B", "+").replace("%2F", "/"));
    Ok((json::rows(&page, "/result").iter().filter_map(named).map(bound).collect(), token))
}

/// A name that is taken is answered 400: then somebody was faster, and their list is ours.
fn create_list(tag: &str) -> Result<Binding, Error> {
    let reply = Call::new("create_list").json(obj! { "name": tag }).send()?;
    let taken = if reply.status() == 400 { paging::collect(50, lists)? } else { Vec::new() };
    if let Some(list) = taken.into_iter().find(|list| text::lower(&list.wire) == text::lower(tag)) {
        return Ok(list);
    }
    let id = json::text(&judged(reply)?, "/id").ok_or_else(|| error::retryable("no-id", "create_list: the answer names no list"))?;
    Ok(Binding { name: tag.to_owned(), wire: tag.to_owned(), id: Some(id) })
}

fn judged(reply: Reply) -> Result<json::Value, Error> {
    reply.ok_or(refusal)?.need_json()
}

/// The vendor's words in lower case, for it has no codes; nothing when they are no JSON, as on a proxy's page.
fn said(reply: &Reply) -> String {
    if reply.json().is_null() { String::new() } else { text::lower(&reply.text()) }
}

fn refusal(reply: &Reply) -> Option<Error> {
    let (said, words) = (said(reply), status::words(reply));
    // A small reset is in seconds. A point in time is for the host, which has a clock.
    let wait = reply.seconds("retry-after").or_else(|| reply.seconds("x-ratelimit-reset").filter(|seconds| *seconds < 100_000));
    Some(match reply.status() {
        401 | 403 if said.contains("whitelisted") => error::credentials(Trouble::IpBlocked, reply.status(), words),
        401 if !said.is_empty() => error::credentials(Trouble::Invalid, 401, format!("Check the API key and the region. {words}")),
        // 403 is also said to stand for too many bad requests: only the words tell.
        code if code == 429 || (code == 403 && said.contains("too many")) => error::rate_limited(wait, Some(reply.call())),
        403 if said.contains("forbidden") => error::credentials(Trouble::Permission, 403, format!("The key needs Marketing. {words}")),
        404 if reply.call() == "lists" => error::credentials(Trouble::WrongRegion, 404, format!("No Marketing API here. {words}")),
        400 if said.contains("email") => error::rejected("email", 400, words),
        400 if said.contains("custom field") => error::rejected("fields", 400, words),
        _ => return None,
    })
}
