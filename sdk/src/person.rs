//! The affiliate's data in the shape that vendors want. Reads only.

use crate::name;
use crate::text::is_blank;
use crate::types::Person;

/// First and last name: as given, or split from the full name when neither is. Blank = `None`.
///
/// ```
/// use crm_connector_sdk::{person, types::Person};
/// let split = Person { full: Some("Vincent van Gogh".into()), ..Person::default() };
/// assert_eq!(person::names(&split), (Some("Vincent".into()), Some("van Gogh".into())));
/// let given = Person { first: Some("Ann".into()), full: Some("Ann Lee".into()), ..Person::default() };
/// assert_eq!(person::names(&given), (Some("Ann".into()), None)); // what was given is not second-guessed
/// ```
pub fn names(who: &Person) -> (Option<String>, Option<String>) {
    let first = who.first.as_deref().and_then(name::clean);
    let last = who.last.as_deref().and_then(name::clean);
    match (&first, &last, &who.full) {
        (None, None, Some(full)) => name::split(full),
        _ => (first, last),
    }
}

/// The name as one text: as given, or first and last joined.
///
/// ```
/// use crm_connector_sdk::{person, types::Person};
/// let who = Person { first: Some("Ann".into()), last: Some("Lee".into()), ..Person::default() };
/// assert_eq!(person::full_name(&who).as_deref(), Some("Ann Lee"));
/// ```
pub fn full_name(who: &Person) -> Option<String> {
    if let Some(full) = who.full.as_deref().and_then(name::clean) {
        return Some(full);
    }
    let parts: Vec<String> = [&who.first, &who.last].into_iter().flatten().filter_map(|part| name::clean(part)).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// The e-mail in lower case: for vendors that compare it byte by byte. Do not send it where the address as typed will do.
pub fn email_lower(who: &Person) -> String {
    crate::text::lower(who.email.trim())
}

/// The address before it changed, when it really is another one.
pub fn previous_email(who: &Person) -> Option<&str> {
    who.previous_email.as_deref().map(str::trim).filter(|old| !is_blank(old) && crate::text::lower(old) != email_lower(who))
}
