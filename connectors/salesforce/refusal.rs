//! What Salesforce's refusals mean: who must act. Knows no stage and no contact.

use crm_connector_sdk::prelude::*;

/// The answer's JSON; a good answer without a body is `null`.
pub(crate) fn answer(call: Call) -> Result<json::Value, Error> {
    let reply = call.send()?.ok_or(refusal)?;
    if reply.status() == 204 { Ok(json::Value::Null) } else { reply.need_json() }
}

/// Errors are a list of `{errorCode, message, fields}`; the first one speaks. What has no code is not Salesforce's word.
pub(crate) fn refusal(reply: &Reply) -> Option<Error> {
    let (body, call) = (reply.json(), reply.call());
    let code = json::text(&body, "/0/errorCode")?;
    let said = json::text(&body, "/0/message").unwrap_or_default();
    let text = format!("{call}: {code}: {said}");
    // Of one record, access may lack by sharing; of creating and of topics it is the user's own permission.
    let permission = matches!(&*code, "API_DISABLED_FOR_ORG" | "API_CURRENTLY_DISABLED" | "FUNCTIONALITY_NOT_ENABLED" | "INVALID_TYPE")
        || code == "INVALID_FIELD" && call == "find"
        || code.starts_with("INSUFFICIENT_ACCESS") && (call == "create" || call.contains("topic"));
    let gone = matches!(&*code, "NOT_FOUND" | "INVALID_CROSS_REFERENCE_KEY" | "ENTITY_IS_DELETED");
    Some(match &*code {
        "REQUEST_LIMIT_EXCEEDED" if said.contains("Concurrent") => error::rate_limited(Some(30), Some("concurrent")),
        // A rolling day: calls come back little by little.
        "REQUEST_LIMIT_EXCEEDED" => error::rate_limited(Some(900), Some("day")),
        "INVALID_SESSION_ID" => error::credentials(Trouble::Expired, code, text),
        "INVALID_AUTH_HEADER" => error::credentials(Trouble::Invalid, code, text),
        _ if permission => error::credentials(Trouble::Permission, code, text),
        _ if call == "join" && (gone || code == "MALFORMED_ID") => error::destination_missing(code, text),
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY" if said.contains("lock") || said.contains("Too many SOQL") => error::retryable(code, text),
        _ if gone || code == "UNABLE_TO_LOCK_ROW" => error::retryable(code, text),
        "STORAGE_LIMIT_EXCEEDED" => error::permanent(code, text),
        _ if matches!(reply.status(), 400 | 403) => {
            let twin = json::text(&body, "/0/duplicateResult/matchResults/0/matchRecords/0/record/Id");
            let text = twin.into_iter().fold(text, |text, id| format!("{text} (the record is {id})"));
            let field = json::text(&body, "/0/fields/0").unwrap_or_default();
            let names = [("Email", "email"), ("Name", "name"), ("Company", "company"), ("__c", "tags")];
            let ours = names.iter().find(|(theirs, _)| field.ends_with(theirs)).map_or("contact", |(_, ours)| ours);
            error::rejected(ours, code, text)
        }
        _ => return None,
    })
}
