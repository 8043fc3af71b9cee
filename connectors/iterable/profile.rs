//! What is written to a user's profile: names that are empty, tags that are not there, fields that the merchant mapped. Never a
//! subscription, a list or an identifier, although they are fields of a profile as well.

use crm_connector_sdk::{prelude::*, text};

use crate::is_on;
use crate::refusal::answer;

/// The field that stands in for tags: ours alone, merged key by key.
pub(crate) const TAGS: &str = "rekomi_tags";

/// Fields that Iterable keeps, or that say who somebody is and what they agreed to. Those that begin with `itbl` are its own too.
const KEPT: [&str; 19] = [
    "createdAt",
    "devices",
    "email",
    "emailListIds",
    "firstName",
    "lastName",
    "phoneNumber",
    "phoneNumberDetails",
    "preferUserId",
    "profileUpdatedAt",
    "receivedSMSDisclaimer",
    "signupDate",
    "signupSource",
    "subscribedMessageTypeIds",
    "unsubscribedChannelIds",
    "unsubscribedMessageTypeIds",
    "userId",
    "userListIds",
    TAGS,
];

/// What there is to write, and the keys of the mapped fields that cannot be.
pub(crate) fn news<'a>(job: &'a Job, user: Option<&json::Value>) -> (json::Value, Vec<&'a str>) {
    let mut data = obj! {};
    let (first, last) = person::names(&job.who);
    for (key, name) in [("firstName", first), ("lastName", last)] {
        // A name that is there is the merchant's.
        if user.is_none_or(|user| json::text(user, &format!("/dataFields/{key}")).is_none()) {
            body::put(&mut data, key, name);
        }
    }
    let mut on = obj! {};
    for key in job.set.iter().map(|tag| slug(tag)).filter(|key| !key.is_empty()) {
        if !user.is_some_and(|user| is_on(user, &key)) {
            body::put(&mut on, &key, true);
        }
    }
    body::put(&mut data, TAGS, on);
    let (ours, dropped): (Vec<_>, Vec<_>) = job.who.fields.iter().partition(|field| is_custom(&field.key));
    for field in ours {
        let value = json_of(&field.value);
        if user.is_none_or(|user| json::at(user, "/dataFields").and_then(|data| data.get(&field.key)) != Some(&value)) {
            body::put(&mut data, &field.key, value);
        }
    }
    (data, dropped.into_iter().map(|field| field.key.as_str()).collect())
}

/// The merchant's own fields. A name with a dot is a part of another field; objects cannot take a value.
pub(crate) fn choices() -> Result<Vec<Choice>, Error> {
    let answer = answer(Call::new("fields"))?;
    let Some(fields) = json::at(&answer, "/fields").and_then(json::Value::as_object) else {
        return Err(error::retryable("no-fields", "fields: the answer has no fields"));
    };
    let fits = |(key, kind): &(&String, &json::Value)| is_custom(key) && !matches!(kind.as_str(), Some("object" | "nested"));
    let choice = |(key, kind): (&String, &json::Value)| json::text(kind, "").into_iter().fold(Choice::new(key, key), Choice::detail);
    Ok(fields.iter().filter(fits).map(choice).collect())
}

/// The host's own rule for `fold = "slug"`: lower-case ASCII letters and digits, every run of others one `_`, none at the ends.
pub(crate) fn slug(tag: &str) -> String {
    let lower = text::lower(tag);
    let words = lower.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_")
}

fn is_custom(key: &str) -> bool {
    !key.is_empty() && !key.contains('.') && !key.starts_with("itbl") && !KEPT.iter().any(|kept| kept.eq_ignore_ascii_case(key))
}

fn json_of(value: &Value) -> json::Value {
    body::Json::into_json(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_what_the_host_makes_of_the_same_tag() {
        let slugs = [
            ("Rekomi affiliate", "rekomi_affiliate"),
            (" Rekomi -- affiliate! ", "rekomi_affiliate"),
            ("日本", ""),
            ("Été 2026", "t_2026"),
        ];
        for (tag, expected) in slugs {
            assert_eq!(slug(tag), expected);
        }
    }

    #[test]
    fn consent_lists_and_identifiers_are_no_custom_fields() {
        for key in ["unsubscribedChannelIds", "EMAIL", "userListIds", "itblInternal", "rekomi_tags", "address.city", ""] {
            assert!(!is_custom(key), "{key}");
        }
        assert!(is_custom("affiliate_code"));
    }
}
