//! AWeber: subscribers of the picked list. A look by e-mail, then one call: the person is added with tags, or what is missing is written.
//! Someone who unsubscribed is left alone.
//!
//! Knows this vendor's API and nothing else: no host name, no credential, no clock. URLs, OAuth and constants (`ws.op`) are in
//! `connector.toml`. Facts: <https://api.aweber.com/>, aweber/public-api-examples c28945c.

use crm_connector_sdk::prelude::*;
use crm_connector_sdk::text::lower;

mod pickers;
mod refusal;
mod subscribers;

use refusal::judged;
use subscribers::{List, Made, changes, standing};

struct Aweber;

crm_connector_sdk::export!(Aweber);

/// The account's number, in every path. A fact since `verify`.
const ACCOUNT: &str = "account";

impl Connector for Aweber {
    fn verify(&self, _on: &Connection) -> Result<Account, Error> {
        let id = asked_account()?;
        let facts = vec![Pair::new(ACCOUNT, &id)];
        // The number is all that the API says about an account; its name is nowhere.
        Ok(Account { name: Some(format!("AWeber account {id}")), id: Some(id), facts, ..Account::default() })
    }

    fn list_choices(&self, on: &Connection, picker: &str, _search: Option<&str>, cursor: Option<&str>) -> Result<Page, Error> {
        pickers::choices(on, picker, cursor)
    }

    fn sync_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let list = List::picked(&job.on)?;
        let mut found = list.someone(job, known)?;
        if found.is_none() {
            match list.create(job)? {
                Made::New(id) => {
                    known.contact_id = Some(id);
                    tags::added(&mut known.tags, &job.set);
                    // Whether the list asks for confirmation is not in the answer.
                    return Ok(warned(done(Change::Created).standing(Standing::Unknown), job, &[], true));
                }
                Made::Taken(words) => {
                    found = list.find_exactly(&job.who.email)?;
                    if found.is_none() {
                        return Err(error::rejected(
                            "email",
                            "taken",
                            format!("On the list in another spelling, which cannot be looked for. {words}"),
                        ));
                    }
                }
            }
        }
        let Some(there) = found else { return Err(error::retryable("not-found", "find: nobody, and nobody added")) };
        let id = refusal::need(&there, "/id")?;
        known.contact_id = Some(id.clone());
        let standing = standing(&there);
        if standing == Standing::SkippedOptedOut {
            return Ok(done(Change::Unchanged).standing(standing));
        }
        let (wanted, dropped) = changes(&there, job);
        let names = json::text(&wanted, "/name").is_some();
        let mut change = Change::Unchanged;
        if wanted != obj! {} {
            judged(list.call("update").path("id", &id).json(wanted).send()?)?;
            change = Change::Updated;
        }
        tags::added(&mut known.tags, &job.set);
        Ok(warned(done(change).standing(standing), job, &dropped, names))
    }

    fn untag_contact(&self, job: &Job, known: &mut Known) -> Result<Ending, Error> {
        let list = List::picked(&job.on)?;
        let Some(there) = list.someone(job, known)? else {
            *known = Known::default();
            return Ok(done(Change::Gone).standing(Standing::Unknown));
        };
        let id = refusal::need(&there, "/id")?;
        known.contact_id = Some(id.clone());
        // In AWeber's own spelling, which may be another than ours.
        let ours = |tag: &String| job.clear.iter().any(|clear| same(clear, tag));
        let off: Vec<String> = subscribers::tags_of(&there).into_iter().filter(ours).collect();
        let mut change = Change::Unchanged;
        if !off.is_empty() {
            judged(list.call("untag").path("id", &id).json(obj! { "tags": obj! { "remove": off } }).send()?)?;
            change = Change::Updated;
        }
        tags::removed(&mut known.tags, &job.clear);
        let standing = standing(&there);
        Ok(done(change).standing(if standing == Standing::SkippedOptedOut { Standing::KeptOptedOut } else { standing }))
    }

    fn lookup_contact(&self, on: &Connection, who: &Person, known: &Known) -> Result<Option<Seen>, Error> {
        let Some(there) = List::picked(on)?.find(&who.email)? else { return Ok(None) };
        let on_it = subscribers::tags_of(&there);
        let tags = known.tags.iter().filter(|ours| on_it.iter().any(|tag| same(tag, ours))).cloned().collect();
        let known = Known { contact_id: Some(refusal::need(&there, "/id")?), tags, memo: known.memo.clone() };
        let standing = standing(&there);
        let standing = if standing == Standing::SkippedOptedOut { Standing::KeptOptedOut } else { standing };
        Ok(Some(Seen { known, standing, in_destination: Some(true) }))
    }
}

/// The account's number: remembered, or asked for.
fn account(on: &Connection) -> Result<String, Error> {
    on.fact(ACCOUNT).map_or_else(asked_account, |id| Ok(id.to_owned()))
}

fn asked_account() -> Result<String, Error> {
    let accounts = judged(Call::new("accounts").send()?)?.need_json()?;
    refusal::need(&accounts, "/entries/0/id")
}

/// What could not be written as it was given. `named`: the name was written.
fn warned(ending: Ending, job: &Job, dropped: &[&str], named: bool) -> Ending {
    let long = named && person::full_name(&job.who).is_some_and(|name| name.chars().count() > subscribers::MAX_NAME);
    let ending = dropped.iter().fold(ending, |ending, field| ending.warn(Remark::DroppedField, *field));
    if long { ending.warn(Remark::Shortened, "name") } else { ending }
}

/// Equal but for case and blanks around: AWeber folds tags, and people type addresses as they like.
fn same(a: &str, b: &str) -> bool {
    lower(a.trim()) == lower(b.trim())
}
