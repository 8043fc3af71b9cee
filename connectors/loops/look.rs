//! Who has an address: looked up as it is spelt, and moved from a former one where Loops can do that. Writes nothing but the address.

use crm_connector_sdk::{prelude::*, text::lower};

use crate::properties::listed;
use crate::refusal::answer;

/// The contact with this address as typed, or in lower case: whether Loops tells capitals apart is unverified, and the upsert would write over
/// whoever is there, and put them on the list. `None` when there is none.
pub(crate) fn find(email: &str) -> Result<Option<json::Value>, Error> {
    let lower = lower(email);
    match find_exactly(email)? {
        None if lower != email => find_exactly(&lower),
        found => Ok(found),
    }
}

fn find_exactly(email: &str) -> Result<Option<json::Value>, Error> {
    let found = listed(answer(Call::new("find").query("email", email))?)?.into_iter().next();
    if found.as_ref().is_some_and(|contact| json::text(contact, "/id").is_none()) {
        return Err(error::retryable("no-id", "find: the answer names no contact"));
    }
    Ok(found)
}

pub(crate) struct Looked {
    pub(crate) found: Option<json::Value>,
    /// It was given the new address just now.
    pub(crate) moved: bool,
    /// The contact with the former address, which cannot be given the new one.
    pub(crate) left_behind: Option<json::Value>,
}

/// The contact with this address, or the one with the former address, moved to the new one: that needs a user id.
pub(crate) fn look(who: &Person) -> Result<Looked, Error> {
    let found = find(&who.email)?;
    let former = match (&found, person::previous_email(who)) {
        (None, Some(old)) => find(old)?,
        _ => None,
    };
    let Some(mut former) = former else { return Ok(Looked { found, moved: false, left_behind: None }) };
    let Some(user) = json::text(&former, "/userId") else {
        return Ok(Looked { found: None, moved: false, left_behind: Some(former) });
    };
    answer(Call::new("move").json(obj! { "userId": user, "email": &who.email }))?;
    former["email"] = who.email.as_str().into();
    Ok(Looked { found: Some(former), moved: true, left_behind: None })
}
