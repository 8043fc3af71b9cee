//! What is written to a user: names that are empty, tags that are not there, attributes that the merchant mapped. Never a
//! subscription, a device or an identifier, although they stand beside custom attributes in the same object.

use crm_connector_sdk::prelude::*;

use crate::refusal::tracked;

/// The attribute that stands in for tags: an array to which values are added, and from which they are removed, one by one.
pub(crate) const TAGS: &str = "rekomi_tags";

/// Names that are no custom attributes to Braze. Of another case they would be, and stand beside the real ones without a word.
const STANDARD: [&str; 26] = [
    "alias_name",
    "bio",
    "braze_id",
    "country",
    "current_location",
    "dob",
    "email",
    "email_click_tracking_disabled",
    "email_open_tracking_disabled",
    "email_subscribe",
    "external_id",
    "facebook",
    "first_name",
    "gender",
    "home_city",
    "image_url",
    "language",
    "last_name",
    "marked_email_as_spam_at",
    "phone",
    "subscription_groups",
    "time_zone",
    "twitter",
    "user_alias",
    "user_aliases",
    TAGS,
];

/// Everybody with one address.
#[derive(Default)]
pub(crate) struct Users {
    pub(crate) all: Vec<json::Value>,
}

impl Users {
    /// The one that is written to: who has an ID of the merchant's, as Braze itself would choose, or else the first.
    pub(crate) fn first(&self) -> Option<&json::Value> {
        self.all.iter().find(|user| json::text(user, "/external_id").is_some()).or(self.all.first())
    }

    /// The address counts, whoever of them unsubscribed it.
    pub(crate) fn opted_out(&self) -> bool {
        self.all.iter().any(|user| json::text(user, "/email_subscribe").as_deref() == Some("unsubscribed"))
    }

    pub(crate) fn standing(&self) -> Standing {
        if self.opted_out() { Standing::KeptOptedOut } else { Standing::Normal }
    }
}

/// What there is to write about one person, and the keys of the mapped attributes that cannot be.
pub(crate) struct News {
    pub(crate) data: json::Value,
    pub(crate) dropped: Vec<String>,
}

impl News {
    pub(crate) fn for_nobody(job: &Job) -> Self {
        Self::beside(job, &json::Value::Null)
    }

    /// # Errors
    /// When somebody made the attribute for tags with another type: Braze would accept our values and drop them.
    pub(crate) fn for_user(job: &Job, user: &json::Value) -> Result<Self, Error> {
        match json::at(user, &format!("/custom_attributes/{TAGS}")) {
            None | Some(json::Value::Null | json::Value::Array(_)) => Ok(Self::beside(job, user)),
            Some(_) => Err(error::rejected(TAGS, "type", format!("{TAGS} is not an array in this workspace: Braze would drop our tags"))),
        }
    }

    fn beside(job: &Job, user: &json::Value) -> Self {
        let mut data = obj! {};
        let (first, last) = person::names(&job.who);
        for (key, name) in [("first_name", first), ("last_name", last)] {
            // A name that is there is the merchant's.
            if json::text(user, &format!("/{key}")).is_none() {
                body::put(&mut data, key, name);
            }
        }
        let missing: Vec<String> = job.set.iter().filter(|tag| !is_on(user, tag)).cloned().collect();
        body::put(&mut data, TAGS, obj! { "add": missing });
        let (ours, dropped): (Vec<_>, Vec<_>) = job.who.fields.iter().partition(|field| is_custom(&field.key));
        let there = json::at(user, "/custom_attributes");
        for field in ours {
            let value = body::Json::into_json(&field.value);
            // Each change may be billed as a data point.
            if there.and_then(|there| there.get(&field.key)) != Some(&value) {
                body::put(&mut data, &field.key, value);
            }
        }
        Self { data, dropped: dropped.into_iter().map(|field| field.key.clone()).collect() }
    }

    /// Sends it for the one of these users that is written to.
    pub(crate) fn write(&mut self, call: &str, users: &Users) -> Result<(), Error> {
        let Some(user) = users.first() else { return Ok(()) };
        let object = addressed(user, self.data.clone());
        self.dropped.extend(tracked(Call::new(call).json(obj! { "attributes": vec![object] }))?);
        Ok(())
    }
}

/// The same for this user and no other: by the merchant's ID, or by Braze's where there is none.
pub(crate) fn addressed(user: &json::Value, mut data: json::Value) -> json::Value {
    match json::text(user, "/external_id") {
        Some(id) => body::put(&mut data, "external_id", id),
        None => body::put(&mut data, "braze_id", json::text(user, "/braze_id")),
    }
    data
}

/// Whether the user has this tag, in this spelling.
pub(crate) fn is_on(user: &json::Value, tag: &str) -> bool {
    json::rows(user, &format!("/custom_attributes/{TAGS}")).iter().any(|there| there.as_str() == Some(tag))
}

pub(crate) fn is_custom(key: &str) -> bool {
    let standard = |name: &&str| name.eq_ignore_ascii_case(key);
    let reserved = |start: &&str| key.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start));
    !key.is_empty() && !STANDARD.iter().any(standard) && !["_", "$", "push_", "date_of_"].iter().any(reserved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consent_devices_and_identifiers_are_no_custom_attributes() {
        for key in ["email_subscribe", "First_Name", "push_tokens", "_update_existing_only", "$add", "external_id", "rekomi_tags", "é_", ""]
        {
            assert_eq!(is_custom(key), key == "é_", "{key}");
        }
    }
}
