//! Pipedrive: people, in whom nothing is unique. Whoever has the e-mail is looked for first; labels are read, joined and written back.
//!
//! Knows this vendor's API and nothing else: no host name, no credential, no clock. Must never send `emails` or `marketing_status` to
//! somebody who is there: the one replaces their addresses, the other is their consent. Facts: <https://developers.pipedrive.com>.

use crm_connector_sdk::prelude::*;

mod labels;
mod people;
mod refusal;

use labels::Carrier;
use people::find;
use refusal::{answer, judged};

struct Pipedrive;

crm_connector_sdk::export!(Pipedrive);

impl Connector for Pipedrive {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        let me = answer(Call::new("me"))?;
        let access = json::rows(&me, "/data/access");
        let is_admin = |app: &json::Value| json::at(app, "/admin") == Some(&json::Value::Bool(true));
        let lacking = !access.is_empty() && !access.iter().any(is_admin);
        Ok(Account {
            id: json::text(&me, "/data/company_id"),
            name: json::first_text(&me, &["/data/company_name", "/data/company_domain"]),
            lacking: lacking
                .then(|| "the token's user is no admin: labels that do not exist yet cannot be created".to_owned())
                .into_iter()
                .collect(),
            ..Account::default()
        })
    }

    fn list_choices(&self, on: &Connection, picker: &str, _search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        match picker {
            "owner" => {
                let users = answer(Call::new("users"))?;
                Ok(Page { items: json::rows(&users, "/data").iter().filter_map(owner).collect(), next: None })
            }
            "tags" => Ok(Page { items: labels::choices(on)?, next: None }),
            "fields" => {
                let (fields, next) = labels::fields(cursor)?;
                Ok(Page { items: fields.iter().filter_map(custom_field).collect(), next })
            }
            other => Err(error::unsupported(format!("Pipedrive has no picker named '{other}'"))),
        }
    }

    fn prepare(&self, on: &Connection, tags: &[String], _fields: &[String], apply: bool) -> Result<Prepared, Error> {
        labels::prepare(on, tags, apply)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let carrier = Carrier::of(&job.on)?;
        let wanted = tags::ids(&job.set, &job.on.tags)?;
        let mut found = find(&job.who.email, known.contact_id.as_deref())?;
        if found.person.is_none() {
            if let Some(made) = people::create(job, &carrier, &wanted, known).map_err(|error| carrier.judge(error, &job.set))? {
                *known = Known { contact_id: json::text(&made, "/id"), ..Known::default() };
                carrier.need_all(&made, &job.set, &wanted)?;
                tags::added(&mut known.tags, &job.set);
                return Ok(dropped(job, &carrier, done(Change::Created)));
            }
            found = find(&job.who.email, None)?;
        }
        let Some((id, person)) = found.person else {
            // Made or not, the next attempt looks first.
            known.contact_id = None;
            return Err(error::retryable(error::UNKNOWN_OUTCOME, "create: its answer was lost, and the search does not show the person"));
        };
        known.contact_id = Some(id.clone());
        known.memo = None;
        let body = people::additions(job, &carrier, &wanted, &person);
        let change = if body == obj! {} { Change::Unchanged } else { Change::Updated };
        if change == Change::Updated {
            let saved = answer(Call::new("update").path("id", &id).json(body)).map_err(|error| carrier.judge(error, &job.set))?;
            carrier.need_all(json::at(&saved, "/data").unwrap_or(&saved), &job.set, &wanted)?;
        }
        tags::added(&mut known.tags, &job.set);
        // Whether they may be mailed is kept by another product, which most accounts do not have.
        let ending = dropped(job, &carrier, done(change).standing(Standing::Unknown));
        let several = format!("{} people have this e-mail; the oldest was taken", found.others + 1);
        Ok(if found.others > 0 { ending.warn(Remark::SeveralMatches, several) } else { ending })
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let Some((id, person)) = find(&job.who.email, known.contact_id.as_deref())?.person else {
            *known = Known::default();
            return Ok(done(Change::Gone).standing(Standing::Unknown));
        };
        // Where no field is known there is none, so nobody has anything in it.
        let carrier = Carrier::of(&job.on).unwrap_or(Carrier::Labels);
        known.contact_id = Some(id.clone());
        // A label without an id does not exist, so nobody has it.
        let ours: Vec<&String> = job.on.tags.iter().filter(|tag| job.clear.contains(&tag.name)).filter_map(|tag| tag.id.as_ref()).collect();
        let (taken, rest): (Vec<String>, Vec<String>) = carrier.on(&person).into_iter().partition(|id| ours.contains(&id));
        if !taken.is_empty() {
            let mut body = obj! {};
            carrier.put(&mut body, &rest);
            // An empty list means something here.
            judged(Call::new("untag").path("id", &id).json_as_is(&body).send()?)?;
        }
        tags::removed(&mut known.tags, &job.clear);
        Ok(done(if taken.is_empty() { Change::Unchanged } else { Change::Updated }).standing(Standing::Unknown))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some((id, person)) = find(&who.email, known.contact_id.as_deref())?.person else { return Ok(None) };
        let carrier = Carrier::of(on)?;
        let there = carrier.on(&person);
        let id_of = |name: &String| on.tags.iter().find(|tag| tag.name == *name).and_then(|tag| tag.id.as_ref());
        let mut known = Known { contact_id: Some(id), ..known.clone() };
        // Of a tag whose id we do not know, what we remember stands.
        known.tags.retain(|name| id_of(name).is_none_or(|id| there.contains(id)));
        Ok(Some(Seen { known, standing: Standing::Unknown, in_destination: None }))
    }
}

fn owner(user: &json::Value) -> Option<Choice> {
    let is_active = json::at(user, "/active_flag") != Some(&json::Value::Bool(false));
    let choice = Choice::new(json::text(user, "/id")?, json::text(user, "/name")?);
    is_active.then(|| json::text(user, "/email").into_iter().fold(choice, Choice::detail))
}

fn custom_field(field: &json::Value) -> Option<Choice> {
    let kind = json::text(field, "/field_type").unwrap_or_default();
    let is_own = json::at(field, "/is_custom_field") == Some(&json::Value::Bool(true));
    // The rest holds ids, or several parts.
    let is_plain = matches!(kind.as_str(), "varchar" | "varchar_auto" | "text" | "double" | "date" | "phone");
    let choice = Choice::new(json::text(field, "/field_code")?, json::text(field, "/field_name")?).detail(kind);
    is_own.then_some(Choice { selectable: is_plain, ..choice })
}

fn dropped(job: &Job, carrier: &Carrier, ending: Ending) -> Ending {
    let others = job.who.fields.iter().filter(|field| !people::is_custom(&field.key, carrier));
    others.fold(ending, |ending, field| ending.warn(Remark::DroppedField, &field.key))
}
