//! Tags for vendors that know them by id, and the book-keeping of which tags are on a contact because of us. The listing
//! and creating calls stay in the connector and are passed as closures.

use crate::error;
use crate::types::{Binding, Choice, Error, Prepared};

/// Finds an id for every wanted tag: from `remembered`, else by name in what `list` returns, else made by `create` (when
/// `apply`) or listed in `to_create` (when not). For `prepare`. Names are compared without regard to case.
///
/// `list` is called once, and only when something is not remembered; it must read every page. When a `create` reports
/// [`error::UNKNOWN_OUTCOME`], the list is read again before anything is created twice.
///
/// ```
/// use crm_connector_sdk::{prelude::*, types::Binding};
/// let bound = |name: &str, id: &str| Binding { name: name.into(), wire: name.into(), id: Some(id.into()) };
/// let prepared = tags::resolve(
///     &["Rekomi affiliate".into(), "gold".into()],
///     &[],
///     true,
///     || Ok(vec![bound("rekomi AFFILIATE", "1")]),
///     |name| Ok(bound(name, "2")),
/// );
/// let ids: Vec<_> = prepared.unwrap().tags.into_iter().map(|tag| tag.id.unwrap()).collect();
/// assert_eq!(ids, ["1", "2"]);
/// ```
pub fn resolve(
    wanted: &[String],
    remembered: &[Binding],
    apply: bool,
    mut list: impl FnMut() -> Result<Vec<Binding>, Error>,
    mut create: impl FnMut(&str) -> Result<Binding, Error>,
) -> Result<Prepared, Error> {
    let mut prepared = Prepared::default();
    let mut listed: Option<Vec<Binding>> = None;
    for name in distinct(wanted) {
        if let Some(tag) = remembered.iter().find(|tag| tag.name == name && tag.id.is_some()) {
            prepared.tags.push(tag.clone());
            continue;
        }
        if listed.is_none() {
            listed = Some(list()?);
        }
        if let Some(tag) = pick(listed.as_deref().unwrap_or_default(), name) {
            prepared.tags.push(tag);
        } else if !apply {
            // The host creates tags without asking the merchant; it knows them by this mark.
            prepared.to_create.push(Choice::new(format!("tag:{name}"), name));
        } else {
            let made = match create(name) {
                Err(Error::Retryable(told)) if told.code == error::UNKNOWN_OUTCOME => {
                    let fresh = list()?;
                    let found = pick(&fresh, name);
                    listed = Some(fresh);
                    match found {
                        Some(tag) => tag,
                        None => create(name)?,
                    }
                }
                other => other?,
            };
            prepared.tags.push(Binding { name: name.to_owned(), ..made });
        }
    }
    Ok(prepared)
}

/// The ids of `names` among what `prepare` resolved. Names without one are reported as `stale`, so that the host prepares
/// again.
///
/// ```
/// use crm_connector_sdk::{prelude::*, types::Binding};
/// let known = [Binding { name: "gold".into(), wire: "gold".into(), id: Some("2".into()) }];
/// assert_eq!(tags::ids(&["gold".into()], &known), Ok(vec!["2".to_owned()]));
/// assert_eq!(tags::ids(&["silver".into()], &known), Err(Error::Stale(vec!["silver".into()])));
/// ```
pub fn ids(names: &[String], bindings: &[Binding]) -> Result<Vec<String>, Error> {
    let mut ids = Vec::with_capacity(names.len());
    let mut missing = Vec::new();
    for name in distinct(names) {
        match bindings.iter().find(|tag| tag.name == name).and_then(|tag| tag.id.clone()) {
            Some(id) => ids.push(id),
            None => missing.push(name.to_owned()),
        }
    }
    if missing.is_empty() { Ok(ids) } else { Err(Error::Stale(missing)) }
}

/// Notes that `names` are now on the contact because of us; each once, in order.
///
/// ```
/// use crm_connector_sdk::tags;
/// let mut on_contact = vec!["a".to_owned()];
/// tags::added(&mut on_contact, &["a".to_owned(), "b".to_owned()]);
/// assert_eq!(on_contact, ["a", "b"]);
/// tags::removed(&mut on_contact, &["a".to_owned()]);
/// assert_eq!(on_contact, ["b"]);
/// ```
pub fn added(on_contact: &mut Vec<String>, names: &[String]) {
    for name in distinct(names) {
        if !on_contact.iter().any(|tag| tag == name) {
            on_contact.push(name.to_owned());
        }
    }
}

/// Notes that `names` are no longer on the contact because of us.
pub fn removed(on_contact: &mut Vec<String>, names: &[String]) {
    on_contact.retain(|tag| !names.contains(tag));
}

fn distinct(names: &[String]) -> Vec<&str> {
    let mut seen: Vec<&str> = Vec::with_capacity(names.len());
    for name in names.iter().map(String::as_str) {
        if !crate::text::is_blank(name) && !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

/// An exact match wins over one that differs in case only, so that two tags `VIP` and `vip` are told apart where the vendor does.
fn pick(listed: &[Binding], name: &str) -> Option<Binding> {
    let folded = crate::text::lower(name.trim());
    let exact = listed.iter().find(|tag| tag.wire == name);
    let found = exact.or_else(|| listed.iter().find(|tag| crate::text::lower(tag.wire.trim()) == folded))?;
    Some(Binding { name: name.to_owned(), ..found.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn bound(name: &str, id: &str) -> Binding {
        Binding { name: name.into(), wire: name.into(), id: Some(id.into()) }
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_is_remembered_asks_the_vendor_nothing() {
        let prepared =
            resolve(&names(&["a", "a"]), &[bound("a", "1")], true, || panic!("listed"), |_| panic!("created")).expect("resolved");
        assert_eq!(prepared.tags, [bound("a", "1")]);
    }

    #[test]
    fn without_apply_nothing_is_created() {
        let prepared = resolve(&names(&["a", "b"]), &[], false, || Ok(vec![bound("a", "1")]), |_| panic!("created")).expect("resolved");
        assert_eq!((prepared.tags.len(), prepared.to_create.len()), (1, 1));
    }

    #[test]
    fn after_an_unknown_outcome_it_looks_before_it_creates_again() {
        let listings = Cell::new(0);
        let list = || {
            listings.set(listings.get() + 1);
            Ok(if listings.get() == 1 { vec![] } else { vec![bound("a", "9")] })
        };
        let create = |_: &str| Err(error::unanswered("create_tag", crate::types::Unanswered::UnknownOutcome));
        let prepared = resolve(&names(&["a"]), &[], true, list, create).expect("resolved");
        assert_eq!(prepared.tags, [bound("a", "9")]);
        assert_eq!(listings.get(), 2);
    }

    #[test]
    fn an_exact_spelling_wins_over_another_case() {
        let prepared = resolve(&names(&["vip"]), &[], true, || Ok(vec![bound("VIP", "1"), bound("vip", "2")]), |_| panic!("created"));
        assert_eq!(prepared.expect("resolved").tags, [bound("vip", "2")]);
    }
}
