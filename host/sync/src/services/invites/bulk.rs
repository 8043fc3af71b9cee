//! Inviting many. A batch is one write: invitations, tickets, the ends of those that they replace, and lines in the audit log.

use std::collections::HashMap;

use crm_store::StoreError;

use super::kept::{Invite, OPEN, open_name, ticket};
use super::{DAYS, MOST_DAYS, MOST_PEOPLE};
use crate::context::Context;
use crate::domain::normalise_email;
use crate::ids::new_id;
use crate::services::{FieldError, ServiceError, audit, campaigns, email, form, records};

/// People in one write.
const BATCH: usize = 128;

/// Into which campaign, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    pub campaign: String,
    /// Who accepts is approved at once.
    pub approve: bool,
    /// 1 to [`MOST_DAYS`]; `None` = [`DAYS`].
    pub expires_days: Option<u32>,
    pub note: Option<String>,
}

/// Somebody to invite, as typed.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    pub email: String,
    pub name: Option<String>,
}

/// What became of one person. No `Debug`: a link is a secret.
pub struct Sent {
    /// The person's place in the list, from 0; the row of a file as a spreadsheet counts.
    pub place: u64,
    /// As it was typed.
    pub email: String,
    pub done: Done,
}

pub enum Done {
    /// The link is shown here and never again.
    Invited { invite: Box<Invite>, link: String },
    /// Is in the campaign, with whatever status; no link was made.
    Already { affiliate: String },
    /// Stands further up already, there.
    Repeated { place: u64 },
    /// Cannot be invited as they stand.
    Wrong(Vec<FieldError>),
}

/// The order after the checks.
pub(super) struct Terms {
    campaign: String,
    approve: bool,
    days: u32,
    note: Option<String>,
    base: String,
}

/// Invites the people of a list. What is wrong with any of them is an error, and nobody is invited then. When it breaks off half-way, the
/// links made so far are lost: inviting again makes new ones and ends those.
pub async fn invite(context: &Context, organization: &str, order: Order, people: Vec<Person>) -> Result<Vec<Sent>, ServiceError> {
    if !(1..=MOST_PEOPLE).contains(&people.len()) {
        return Err(ServiceError::invalid("people", format!("name 1 to {MOST_PEOPLE} people")));
    }
    let terms = terms(context, organization, order).await?;
    let people: Vec<_> = (0..).zip(people).collect();
    let (good, rest) = told_apart(people);
    let mut wrong = Vec::new();
    for Sent { place, done, .. } in &rest {
        if let Done::Wrong(fields) = done {
            let named = |f: &FieldError| FieldError { field: format!("people.{place}.{}", f.field), message: f.message.clone() };
            wrong.extend(fields.iter().map(named));
        }
    }
    if wrong.is_empty() { all(context, organization, &terms, good, rest).await } else { Err(ServiceError::Invalid(wrong)) }
}

pub(super) async fn terms(context: &Context, organization: &str, order: Order) -> Result<Terms, ServiceError> {
    let days = order.expires_days.unwrap_or(DAYS);
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(ServiceError::invalid("expires_days", format!("must be between 1 and {MOST_DAYS}")));
    }
    let note = form::optional_text("note", order.note.as_deref(), 500)?;
    let campaign = campaigns::get(context, organization, &order.campaign).await?.value.id;
    let Some(base) = context.config.public_url.clone() else {
        let message = "the operator of this host must say where browsers reach it (--public-url) first";
        return Err(ServiceError::conflict("public_url_missing", message));
    };
    Ok(Terms { campaign, approve: order.approve, days, note, base })
}

/// Those who can be invited, and what is to be said of the others.
pub(super) fn told_apart(people: Vec<(u64, Person)>) -> (Vec<(u64, Person)>, Vec<Sent>) {
    let (mut good, mut rest) = (Vec::new(), Vec::new());
    let mut seen: HashMap<String, u64> = HashMap::new();
    for (place, person) in people {
        let mut wrong = Vec::new();
        let email: String = email::checked("email", &person.email).unwrap_or_else(|error| error.gathered(&mut wrong));
        let name = form::optional_line("name", person.name.as_deref(), 400).unwrap_or_else(|error| error.gathered(&mut wrong));
        if !wrong.is_empty() {
            rest.push(Sent { place, email: person.email, done: Done::Wrong(wrong) });
            continue;
        }
        match seen.get(&normalise_email(&email)) {
            Some(first) => rest.push(Sent { place, email, done: Done::Repeated { place: *first } }),
            None => {
                seen.insert(normalise_email(&email), place);
                good.push((place, Person { email, name }));
            }
        }
    }
    (good, rest)
}

/// Invites all of them, batch after batch; `rest` is put in between where it belongs.
pub(super) async fn all(
    context: &Context,
    organization: &str,
    terms: &Terms,
    good: Vec<(u64, Person)>,
    mut rest: Vec<Sent>,
) -> Result<Vec<Sent>, ServiceError> {
    for batch in good.chunks(BATCH) {
        rest.extend(write(context, organization, terms, batch).await?);
    }
    rest.sort_by_key(|sent| sent.place);
    Ok(rest)
}

async fn write(context: &Context, organization: &str, terms: &Terms, batch: &[(u64, Person)]) -> Result<Vec<Sent>, ServiceError> {
    for _ in 0..records::RACES {
        let (mut sent, mut puts) = (Vec::with_capacity(batch.len()), Vec::new());
        for (place, person) in batch {
            let done = match records::affiliate_by_email(context, organization, &person.email).await? {
                Some(known) if known.value.membership(&terms.campaign).is_some() => Done::Already { affiliate: known.value.id },
                _ => one(context, organization, terms, person, &mut puts).await?,
            };
            sent.push(Sent { place: *place, email: person.email.clone(), done });
        }
        if puts.is_empty() {
            return Ok(sent);
        }
        match context.store.commit(puts, Vec::new()).await {
            Ok(_) => return Ok(sent),
            // Somebody else invited, or somebody accepted, at the same time.
            Err(StoreError::Conflict | StoreError::Taken { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ServiceError::Changed)
}

/// One invitation's puts. The older one's end comes first, so that its name is free.
async fn one(
    context: &Context,
    organization: &str,
    terms: &Terms,
    person: &Person,
    puts: &mut Vec<crm_store::model::Put>,
) -> Result<Done, ServiceError> {
    let now = context.now();
    let invite = Invite {
        id: new_id("inv", now),
        organization: organization.to_owned(),
        campaign: terms.campaign.clone(),
        email: person.email.clone(),
        name: person.name.clone(),
        approve: terms.approve,
        note: terms.note.clone(),
        created: now,
        expires: now + u64::from(terms.days) * 24 * 60 * 60 * 1_000,
        accepted: None,
        revoked: None,
        affiliate: None,
    };
    let mut details = vec![("campaign", terms.campaign.clone())];
    let name = open_name(&terms.campaign, &normalise_email(&person.email));
    if let Some(mut older) = records::find::<Invite>(context, organization, OPEN, &name).await? {
        older.value.revoked = Some(now);
        puts.push(records::put(&older.value, older.version)?);
        details.push(("replaces", older.value.id));
    }
    let (ticket, token) = ticket(&invite);
    puts.push(records::put(&invite, 0)?);
    puts.push(records::put(&ticket, 0)?);
    puts.push(audit::entry(context, organization, "invite.created", &invite.id, &details)?);
    Ok(Done::Invited { link: format!("{}/i/{token}", terms.base), invite: Box::new(invite) })
}
