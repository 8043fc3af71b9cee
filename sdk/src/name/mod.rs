//! A full name as first and last name, for vendors that keep two fields. Takes text, returns text.
//!
//! No rule is right for everyone. These follow the script and the spelling where they tell something, and otherwise the
//! order of the Western form that the affiliate filled in. What cannot be known from the text alone (Hungarian order,
//! Vietnamese without accents in Western order, a Japanese name in kana only) is left as typed, never shuffled.

mod clean;
mod east_asian;
mod spaced;
mod words;

pub use clean::clean;

/// Splits a full name into first and last name; what is not there is `None`.
///
/// - Titles and degrees (`Dr.`, `Mrs`, `PhD`) are dropped, generational suffixes (`Jr.`, `III`) stay with the last name.
/// - `Last, First` is turned around.
/// - Particles open the last name (`van der`, `de la`, `bin`, `al-`, `בן`, `آل`).
/// - Spanish and Portuguese double surnames are kept together, compound given names (`María del Carmen`) too.
/// - Chinese, Japanese, Korean and accented Vietnamese names have the family name first; common compound surnames are known.
/// - Russian-style `Family Given Patronymic` is recognised by the patronymic at the end.
/// - A single name is a first name; an e-mail address is no name.
///
/// ```
/// use crm_connector_sdk::name::split;
/// let both = |first: &str, last: &str| (Some(first.to_owned()), Some(last.to_owned()));
/// assert_eq!(split("Mary Ann Lee"), both("Mary Ann", "Lee"));
/// assert_eq!(split("Gabriel García Márquez"), both("Gabriel", "García Márquez"));
/// assert_eq!(split("欧阳娜娜"), both("娜娜", "欧阳"));
/// assert_eq!(split("Prince"), (Some("Prince".into()), None));
/// ```
pub fn split(full: &str) -> (Option<String>, Option<String>) {
    let Some(name) = clean(full) else { return (None, None) };
    if name.contains('@') {
        return (None, None);
    }
    east_asian::split(&name).unwrap_or_else(|| spaced::split(&name))
}

/// First and last name from parts; blank parts become `None`.
fn parts(first: &str, last: &str) -> (Option<String>, Option<String>) {
    (clean(first), clean(last))
}
