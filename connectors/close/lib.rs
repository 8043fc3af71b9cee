//! Close: contacts found by e-mail, made together with a lead where nobody is found, tagged in a field of several choices that is ours.
//! Nothing is unique there and the search lags, so ids are kept and a lost answer is looked for. Must not hold a host name, a credential
//! or a clock, and never writes an e-mail or a subscription of somebody who is there. Facts: <https://developer.close.com/>.

use crm_connector_sdk::prelude::*;

mod field;
mod people;
mod refusal;

use field::TagField;
use people::find;
use refusal::{answer, rows};

struct Close;

crm_connector_sdk::export!(Close);

impl Connector for Close {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        let me = answer(Call::new("me"))?;
        // A key belongs to one user in one organization.
        let said = |what: &str| json::text(&me, &format!("/organizations/0/{what}"));
        Ok(Account { id: said("id"), name: said("name"), ..Account::default() })
    }

    fn list_choices(&self, on: &Connection, picker: &str, _search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        match picker {
            "status" => {
                let statuses = answer(Call::new("statuses"))?;
                let choice = |row: &json::Value| Some(Choice::new(json::text(row, "/id")?, json::text(row, "/label")?));
                Ok(Page { items: rows(&statuses)?.iter().filter_map(choice).collect(), next: None })
            }
            "tags" => Ok(Page { items: field::choices(on)?, next: None }),
            "fields" => {
                let (fields, next) = field::page(cursor)?;
                Ok(Page { items: fields.iter().filter_map(field::mappable).collect(), next })
            }
            other => Err(error::unsupported(format!("Close has no picker named '{other}'"))),
        }
    }

    fn prepare(&self, on: &Connection, tags: &[String], _fields: &[String], apply: bool) -> Result<Prepared, Error> {
        field::prepare(on, tags, apply)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let field = TagField::of(&job.on)?;
        let wanted = tags::ids(&job.set, &job.on.tags)?;
        let mut found = find(&job.who.email, known.contact_id.as_deref())?;
        if found.person.is_none() {
            if let Some(made) = people::create(job, &field, &wanted, known)? {
                *known = Known { contact_id: json::text(&made, "/id"), ..Known::default() };
                tags::added(&mut known.tags, &job.set);
                return Ok(dropped(job, &field, done(Change::Created).standing(people::standing(&made, &job.who.email))));
            }
            found = find(&job.who.email, None)?;
        }
        let Some((id, person)) = found.person else {
            // Made or not, the next attempt looks first.
            known.contact_id = None;
            return Err(error::retryable(error::UNKNOWN_OUTCOME, "create: its answer was lost, and the search does not show the contact"));
        };
        known.contact_id = Some(id.clone());
        known.memo = None;
        let change = people::complete(job, &field, &wanted, &id, &person, known)?;
        let ending = dropped(job, &field, done(change).standing(people::standing(&person, &job.who.email)));
        let several = format!("{} contacts have this e-mail; the oldest was taken", found.others + 1);
        Ok(if found.others > 0 { ending.warn(Remark::SeveralMatches, several) } else { ending })
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let Some((id, person)) = find(&job.who.email, known.contact_id.as_deref())?.person else {
            *known = Known::default();
            return Ok(done(Change::Gone).standing(Standing::Unknown));
        };
        known.contact_id = Some(id.clone());
        let mut change = Change::Unchanged;
        let field = TagField::of(&job.on);
        // Where no field is known there is none, so nobody has anything in it, unless we remember otherwise.
        if field.is_err() && known.tags.iter().any(|tag| job.clear.contains(tag)) {
            return Err(error::stale(["tag_field"]));
        }
        if let Ok(field) = field {
            let is_ours = |value: &&String| job.clear.iter().any(|tag| field::spelt(tag, &job.on) == value.as_str());
            for value in field.on(&person).iter().filter(is_ours) {
                let reply = Call::new("untag").path("id", &id).json(obj! { (field.key("remove")): value }).send()?;
                field.judged(reply, &job.clear)?;
                change = Change::Updated;
            }
        }
        tags::removed(&mut known.tags, &job.clear);
        Ok(done(change).standing(people::standing(&person, &job.who.email)))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some((id, person)) = find(&who.email, known.contact_id.as_deref())?.person else { return Ok(None) };
        let there = TagField::of(on)?.on(&person);
        let mut known = Known { contact_id: Some(id), ..known.clone() };
        known.tags.retain(|tag| there.iter().any(|value| value == field::spelt(tag, on)));
        Ok(Some(Seen { known, standing: people::standing(&person, &who.email), in_destination: None }))
    }
}

fn dropped(job: &Job, field: &TagField, ending: Ending) -> Ending {
    let others = job.who.fields.iter().filter(|mapped| !people::is_mappable(&mapped.key, field));
    others.fold(ending, |ending, mapped| ending.warn(Remark::DroppedField, &mapped.key))
}
