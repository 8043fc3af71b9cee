//! The workspace: which one a token opens and in which region, its tags and its custom attributes. Makes tags, touches nobody.

use crm_connector_sdk::{prelude::*, text};

use crate::refusal::{answer, rows};

/// Which workspace this is, and where. Any host may answer for any region; only where all refuse is the token wrong.
pub(crate) fn verify() -> Result<Account, Error> {
    let mut trouble = None;
    for asked in ["us", "eu", "au"] {
        match answer(Call::new(format!("me@{asked}"))) {
            Ok(me) => {
                let said = json::text(&me, "/app/region").map(|region| text::lower(&region));
                let region = said.as_deref().filter(|said| ["us", "eu", "au"].contains(said)).unwrap_or(asked);
                // The permission for tags is one of its own.
                answer(Call::new(format!("tags@{region}")))?;
                let id = json::text(&me, "/app/id_code");
                return Ok(Account { id, name: json::text(&me, "/app/name"), choice: Some(region.to_owned()), ..Account::default() });
            }
            Err(throttled @ Error::RateLimited(_)) => return Err(throttled),
            // What may pass by itself outweighs a refusal by another host.
            Err(Error::Credentials(refused)) => trouble = trouble.or(Some(Error::Credentials(refused))),
            Err(other) => trouble = trouble.filter(|first| !matches!(first, Error::Credentials(_))).or(Some(other)),
        }
    }
    Err(trouble.unwrap_or_else(|| error::retryable("region", "no region answered")))
}

/// Both listings come in one piece.
pub(crate) fn choices(picker: &str) -> Result<Page, Error> {
    let items = match picker {
        "tags" => all_tags()?.into_iter().filter_map(|tag| Some(Choice::new(tag.id?, tag.name))).collect(),
        "fields" => rows(&answer(Call::new("attributes"))?)?.iter().filter_map(attribute).collect(),
        other => return Err(error::unsupported(format!("Intercom has no picker named '{other}'"))),
    };
    Ok(Page { items, next: None })
}

/// Every tag of the workspace.
pub(crate) fn all_tags() -> Result<Vec<Binding>, Error> {
    Ok(rows(&answer(Call::new("tags"))?)?.iter().filter_map(bound).collect())
}

/// Answers with the tag that is there when the name is taken, so two at once make one.
pub(crate) fn create_tag(name: &str) -> Result<Binding, Error> {
    let made = answer(Call::new("create_tag").json(obj! { "name": name }))?;
    bound(&made).ok_or_else(|| error::retryable("no-id", "create_tag: the answer names no tag"))
}

fn bound(tag: &json::Value) -> Option<Binding> {
    let name = json::text(tag, "/name")?;
    Some(Binding { wire: name.clone(), name, id: Some(json::text(tag, "/id")?) })
}

/// The merchant's own ones that may be written. Dates are Unix times there, which our dates are not.
fn attribute(row: &json::Value) -> Option<Choice> {
    let is = |what: &str| json::at(row, what) == Some(&json::Value::Bool(true));
    let kind = json::text(row, "/data_type").unwrap_or_default();
    let name = json::text(row, "/name")?;
    let choice = Choice::new(&name, json::text(row, "/label").unwrap_or_else(|| name.clone())).detail(&kind);
    (is("/custom") && is("/api_writable") && !is("/archived") && kind != "date").then_some(choice)
}
