//! What Klaviyo says about somebody's consent to e-mail, and what follows from it: who may be subscribed, and how a contact stands. Reads
//! what was answered; sends nothing.

use crm_connector_sdk::prelude::*;

/// A bulk job has no id, so the profile is looked at again after so many seconds, this often.
const LOOKS: [u32; 3] = [5, 30, 120];

/// Ends a run that asked for consent to be recorded: the profile is looked at again.
pub(crate) fn first_look() -> Ending {
    later(LOOKS[0], "1")
}

/// A further look at somebody who was to be subscribed. Klaviyo may accept an address and drop it afterwards without a word.
pub(crate) fn confirmed(found: Option<&json::Value>, on: &Connection, look: usize) -> Ending {
    let state = found.map_or(Standing::Unknown, |found| standing(found, on));
    let settled = state == Standing::KeptOptedOut || found.is_some_and(|found| marketing(found, "consent") == "SUBSCRIBED");
    match LOOKS.get(look) {
        _ if settled => done(Change::Created).standing(state),
        Some(seconds) => later(*seconds, (look + 1).to_string()),
        None => done(Change::Created).standing(Standing::Pending).warn(Remark::NotConfirmed, "subscription"),
    }
}

/// What Klaviyo keeps about e-mail marketing to this profile; null where it says nothing.
fn marketing<'a>(profile: &'a json::Value, key: &str) -> &'a json::Value {
    &profile["attributes"]["subscriptions"]["email"]["marketing"][key]
}

/// Nobody, neither the person nor the merchant, ever decided anything about e-mail to this profile.
pub(crate) fn untouched(profile: &json::Value) -> bool {
    let nothing = |key| marketing(profile, key).is_null() || marketing(profile, key).as_array().is_some_and(Vec::is_empty);
    marketing(profile, "consent") == "NEVER_SUBSCRIBED" && ["last_updated", "suppression", "list_suppressions"].into_iter().all(nothing)
}

/// By the person's or the merchant's wish, as opposed to an address that cannot be reached.
pub(crate) fn opted_out(profile: &json::Value, on: &Connection) -> bool {
    let rows = |key| marketing(profile, key).as_array().into_iter().flatten();
    marketing(profile, "consent") == "UNSUBSCRIBED"
        || rows("suppression").any(|row| row["reason"] != "HARD_BOUNCE" && row["reason"] != "INVALID_EMAIL")
        || rows("list_suppressions").any(|row| row["list_id"].as_str() == on.picked("list"))
}

pub(crate) fn standing(profile: &json::Value, on: &Connection) -> Standing {
    match marketing(profile, "can_receive_email_marketing") {
        _ if opted_out(profile, on) => Standing::KeptOptedOut,
        json::Value::Bool(true) => Standing::Normal,
        _ => Standing::Unknown,
    }
}
