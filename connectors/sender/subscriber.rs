//! A subscriber on the wire: the look by e-mail or id, groups and status, and the custom fields. Writes nothing.

use crm_connector_sdk::prelude::*;
use crm_connector_sdk::text::lower;

use crate::groups::page;
use crate::refusal::judged;

/// Somebody whom Sender knows.
pub(crate) struct Subscriber {
    pub id: String,
    pub email: String,
    pub first: Option<String>,
    pub last: Option<String>,
    status: String,
    /// Id and title of each group; `None` where the answer does not show them.
    groups: Option<Vec<(String, String)>>,
}

/// The subscriber with this e-mail or id, in whatever status.
pub(crate) fn find(who: &str) -> Result<Option<Subscriber>, Error> {
    let reply = Call::new("find").path("subscriber", who.trim()).send()?;
    // A proxy's page is no proof that nobody is there.
    if reply.status() == 404 && reply.json().is_object() {
        return Ok(None);
    }
    let found = Subscriber::read(&judged(reply)?).ok_or_else(|| error::retryable("no-id", "find: the answer names no subscriber"))?;
    if who.contains('@') && lower(&found.email) != lower(who.trim()) {
        return Err(error::retryable("other-subscriber", "find: the answer is about another address"));
    }
    Ok(Some(found))
}

impl Subscriber {
    pub(crate) fn read(answer: &json::Value) -> Option<Self> {
        let data = json::at(answer, "/data")?;
        let group = |tag: &json::Value| Some((json::text(tag, "/id")?, json::text(tag, "/title").unwrap_or_default()));
        let groups = json::at(data, "/subscriber_tags").and_then(json::Value::as_array);
        Some(Self {
            id: json::text(data, "/id")?,
            email: json::text(data, "/email")?,
            first: json::text(data, "/firstname"),
            last: json::text(data, "/lastname"),
            // The second is its name in the update, under which some answers are said to show it as well.
            status: json::first_text(data, &["/status/email", "/subscriber_status", "/status"]).unwrap_or_default().to_ascii_lowercase(),
            groups: groups.map(|groups| groups.iter().filter_map(group).collect()),
        })
    }

    /// In these groups, unless the answer itself shows which there are.
    pub(crate) fn assuming(mut self, groups: &[&str]) -> Self {
        self.groups.get_or_insert_with(|| groups.iter().map(|id| ((*id).to_owned(), String::new())).collect());
        self
    }

    pub(crate) fn is_in(&self, group: &str) -> bool {
        self.groups.iter().flatten().any(|(id, _)| id == group)
    }

    /// The group of this tag, if they are in it: the one that was prepared, else one of that title.
    pub(crate) fn group_of(&self, tag: &str, prepared: &[Binding]) -> Option<String> {
        let ours = prepared.iter().find(|bound| bound.name == tag).and_then(|bound| bound.id.as_ref());
        // An answer without groups says nothing about them.
        let Some(groups) = &self.groups else { return ours.cloned() };
        let is_it = |id: &String, title: &str| ours.map_or_else(|| lower(title.trim()) == lower(tag.trim()), |ours| ours == id);
        groups.iter().find(|(id, title)| is_it(id, title)).map(|(id, _)| id.clone())
    }

    pub(crate) fn opted_out(&self) -> bool {
        self.status == "unsubscribed" || self.status.contains("spam")
    }

    pub(crate) fn standing(&self) -> Standing {
        match self.status.as_str() {
            "active" => Standing::Normal,
            "unconfirmed" | "pending" => Standing::Pending,
            _ if self.opted_out() => Standing::KeptOptedOut,
            // Bounced, never subscribed, or not said.
            _ => Standing::Unknown,
        }
    }
}

/// Values by the vendor's name of a field, which is written with its sign and braces: `{$affiliate_code}`.
pub(crate) fn fields(who: &Person) -> json::Value {
    let mut fields = obj! {};
    for Field { key, value } in who.fields.iter().filter(|field| is_field(&field.key)) {
        match value {
            // Fields hold text, a number or a moment.
            Value::Many(items) => body::put(&mut fields, key, items.join(", ")),
            Value::Truth(truth) => body::put(&mut fields, key, truth.to_string()),
            value => body::put(&mut fields, key, value),
        }
    }
    fields
}

pub(crate) fn dropped(who: &Person) -> impl Iterator<Item = &String> {
    who.fields.iter().map(|field| &field.key).filter(|key| !is_field(key))
}

/// A custom field, none of those that have a place of their own.
fn is_field(key: &str) -> bool {
    let name = key.strip_prefix("{$").and_then(|name| name.strip_suffix('}')).unwrap_or_default();
    !matches!(name, "" | "email" | "firstname" | "lastname" | "phone")
}

pub(crate) fn field_choices(cursor: Option<&str>) -> Result<Page, Error> {
    let (rows, next) = page("fields", cursor)?;
    let choice = |row: &json::Value| {
        let choice = Choice::new(json::text(row, "/field_name").filter(|key| is_field(key))?, json::text(row, "/title")?);
        Some(json::text(row, "/type").into_iter().fold(choice, Choice::detail))
    };
    Ok(Page { items: rows.iter().filter_map(choice).collect(), next })
}
