//! What Braze's refusals mean: who must act. Braze has no codes, so its words are read. Knows no stage and no user.

use crm_connector_sdk::prelude::*;

use crate::profile::TAGS;

/// Sends it; the answer's JSON, or what its failure means.
pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    call.send()?.ok_or(refusal)?.need_json()
}

/// Sends a write; the fields that were refused while the rest was taken. A write that was refused whole is a success by its status.
pub(crate) fn tracked(call: Call) -> Result<Vec<String>, Error> {
    let reply = call.send()?.ok_or(refusal)?;
    let (status, call) = (reply.status(), reply.call().to_owned());
    let body = reply.need_json()?;
    let errors = json::rows(&body, "/errors");
    if errors.is_empty() {
        // "queued": taken while Braze pauses for maintenance.
        return match json::text(&body, "/message").as_deref() {
            Some("success" | "queued") => Ok(Vec::new()),
            _ => Err(error::retryable(status, format!("{call}: the answer does not say that it was accepted"))),
        };
    }
    // Several users may lose their tags in one request: which of them did not is not said.
    let partly = call != "untag" && json::number(&body, "/attributes_processed").is_some_and(|taken| taken > 0);
    let mut dropped = Vec::new();
    for refused in errors {
        let words = json::first_text(refused, &["/type", "/message", ""]).unwrap_or_default();
        let field = field(&words);
        // Without the address, our tags or the group the rest is no success.
        if !partly || ["email", TAGS].contains(&field) || is_of_group(&words) {
            return Err(judged(status, &call, &words));
        }
        dropped.push(field.to_owned());
    }
    Ok(dropped)
}

/// What a failure means; `None` for what is as usual.
pub(crate) fn refusal(reply: &Reply) -> Option<Error> {
    let (status, call) = (reply.status(), reply.call());
    if status == 429 {
        // When it ends is in a header as a point in time, which the host reads.
        return Some(error::rate_limited(reply.seconds("retry-after"), Some(limit(call))));
    }
    let body = reply.json();
    // Without Braze's own words it was a proxy or a firewall.
    let words = json::first_text(&body, &["/message", "/errors/0/type", "/errors/0"])?;
    let says = |any: &[&str]| any.iter().any(|word| words.to_ascii_lowercase().contains(word));
    let permission = match call {
        "create" | "update" | "move" | "move_opted_out" | "untag" => "users.track",
        "group_state" => "subscription.status.get",
        "attributes" => "custom_attributes.get",
        _ => "users.export.ids",
    };
    Some(match status {
        401 | 403 if says(&["whitelist", "allowlist", "ip address"]) => {
            error::credentials(Trouble::IpBlocked, status, "Braze lets this key work from certain addresses only.")
        }
        // To show attributes is an extra: that the key may not must not stop the syncs.
        401 | 403 if call == "attributes" => error::unsupported(format!("The key may lack the permission {permission}.")),
        // Each run begins with a look, so a key that is refused afterwards is known and may not do this.
        401 | 403 if call != "find" || says(&["permission", "access denied"]) => {
            let text = format!("{call}: the key lacks the permission {permission}, or was deleted just now.");
            error::credentials(Trouble::Permission, status, text)
        }
        // The vendor's words repeat the key.
        401 => error::credentials(
            Trouble::Invalid,
            401,
            "Braze does not accept this key on this instance: check both, and that it is a REST API key with the permission users.export.ids.",
        ),
        403 => error::credentials(Trouble::AccountClosed, 403, format!("The account or its plan does not allow this. {call}: {words}")),
        404 if says(&["invalid url"]) => error::permanent(404, format!("{call}: {words}")),
        404 => error::credentials(Trouble::WrongRegion, 404, "Braze does not know this key on this instance."),
        400 | 422 => judged(status, call, &words),
        _ => return None,
    })
}

fn judged(status: u16, call: &str, words: &str) -> Error {
    let told = format!("{call}: {words}");
    if is_of_group(words) {
        return error::destination_missing(status, told);
    }
    error::rejected(field(words), status, told)
}

fn is_of_group(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    words.contains("subscription_group") || words.contains("subscription group")
}

/// The field that the words speak of. Whole names: `partner_email` is an attribute of the merchant's.
fn field(words: &str) -> &'static str {
    let words = words.to_ascii_lowercase();
    let names = || words.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let fields = [(TAGS, TAGS), ("first_name", "first"), ("last_name", "last"), ("email", "email")];
    fields.iter().find(|(name, _)| names().any(|word| word == *name)).map_or("contact", |(_, field)| field)
}

/// The limit that a call draws on, as `connector.toml` names it.
fn limit(call: &str) -> &'static str {
    match call {
        "find" => "export",
        "group_state" => "shared",
        "attributes" => "attributes",
        _ => "track",
    }
}
