//! SendGrid Marketing Campaigns: contacts upserted on e-mail by a job that finishes later, with one list per tag. A sync is two
//! runs or more: find and save, then looks at the import until the contact can be seen on its lists. Must not hold a host name,
//! a credential or a clock, and must not touch suppressions, where SendGrid keeps who opted out. Facts: connector.toml.

use crm_connector_sdk::prelude::*;

mod lists;
mod people;
mod refusal;

use lists::must_exist;
use people::{contact, find, lists_of, shortened, standing};
use refusal::{answer, judged, said};

struct SendGrid;

crm_connector_sdk::export!(SendGrid);

/// Seconds before the first look, the second and so on; the last repeats.
const WAITS: [u32; 6] = [15, 30, 60, 120, 240, 300];
/// The search lags behind a job that has ended: so many looks before something counts as missing.
const PATIENCE: usize = 4;

impl Connector for SendGrid {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        answer(Call::new("lists").query("page_size", 1))?;
        let reply = Call::new("username").send()?;
        // A key need not be allowed to see whose it is.
        let me = if reply.status() == 403 { json::Value::Null } else { judged(reply)? };
        Ok(Account { id: json::text(&me, "/user_id"), name: json::text(&me, "/username"), ..Account::default() })
    }

    fn list_choices(&self, _on: &Connection, picker: &str, _search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        match picker {
            "list" | "tags" => {
                let (lists, next) = lists::page(cursor)?;
                Ok(Page { items: lists.into_iter().filter_map(|list| Some(Choice::new(list.id?, list.name))).collect(), next })
            }
            "fields" => {
                let defined = answer(Call::new("fields"))?;
                let choice = |field: &json::Value| Some(Choice::new(json::text(field, "/id")?, json::text(field, "/name")?));
                Ok(Page { items: json::rows(&defined, "/custom_fields").iter().filter_map(choice).collect(), next: None })
            }
            other => Err(error::unsupported(format!("SendGrid has no picker named '{other}'"))),
        }
    }

    fn prepare(&self, on: &Connection, tags: &[String], _fields: &[String], apply: bool) -> Result<Prepared, Error> {
        tags::resolve(tags, &on.tags, apply, lists::all, lists::create)
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
        let of_tags = tags::resolve(&job.clear, &job.on.tags, false, lists::all, |tag| Err(error::stale([tag])))?;
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
    let remarks = shortened(&job.who)
        .into_iter()
        .map(|what| (Remark::Shortened, what))
        .chain(unseen.into_iter().map(|what| (Remark::NotConfirmed, what)));
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
