//! What an answer of a token endpoint means: a token, a no that a person must act on, or nothing to be learnt. Vendors say no
//! with 400, with 401 and with 200; a proxy's error page says nothing about anyone's credentials. Pure.

use crm_catalog::model::Oauth2;
use crm_contract::secrets::Token;
use serde_json::Value;

/// Why an answer brought no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoToken {
    /// The vendor said no: its error word, or the status.
    Refused(String),
    /// Too many requests, in whatever words.
    Throttled,
    /// Not an answer of a working token endpoint.
    Unwell,
}

/// Error words that say nothing about the credentials.
const PASSING: &[&str] = &["temporarily_unavailable", "server_error"];
const TOO_MANY: &[&str] = &["slow_down", "too_many_requests", "rate_limit_exceeded", "rate_limited", "throttled"];

/// Reads it. `now` is when the request left: a token lives from no later than that.
pub(crate) fn read(oauth: &Oauth2, status: u16, body: &[u8], stored: Option<&Token>, now: u64) -> Result<Token, NoToken> {
    if status == 429 {
        return Err(NoToken::Throttled);
    }
    if status >= 500 {
        return Err(NoToken::Unwell);
    }
    let Ok(Value::Object(body)) = serde_json::from_slice::<Value>(body) else {
        // A bare 400 or 401 is an answer to what was sent; any other page may come from anywhere on the way.
        return Err(if matches!(status, 400 | 401) { NoToken::Refused(format!("status {status}")) } else { NoToken::Unwell });
    };
    let text = |key: &str| body.get(key).and_then(Value::as_str).filter(|s| !s.is_empty());
    let access = match text("access_token") {
        Some(access) if (200..300).contains(&status) => access,
        _ => {
            let word = text("error").map(word);
            let told = text("error_description").unwrap_or_default().to_lowercase();
            return Err(match word {
                Some(word) if PASSING.contains(&word.as_str()) => NoToken::Unwell,
                Some(word) if TOO_MANY.contains(&word.as_str()) => NoToken::Throttled,
                _ if told.contains("too many requests") || told.contains("rate limit") => NoToken::Throttled,
                Some(word) => NoToken::Refused(word),
                None => NoToken::Refused(format!("status {status}")),
            });
        }
    };
    let stated = match body.get("expires_in") {
        Some(Value::Number(n)) => n.as_f64(),
        Some(Value::String(s)) => s.parse::<f64>().ok(),
        _ => None,
    };
    let life_ms = stated.filter(|s| *s > 0.0).map(|s| (s * 1_000.0) as u64).or(oauth.lifetime_s.map(|s| u64::from(s) * 1_000));
    let base = oauth.base_from.as_deref().and_then(text).map(|b| b.trim_end_matches('/').to_owned());
    Ok(Token {
        access: access.to_owned(),
        refresh: text("refresh_token").map(str::to_owned).or_else(|| stored.and_then(|t| t.refresh.clone())),
        expires_at: life_ms.map(|life| now.saturating_add(life)),
        // Some vendors name it with the first token only.
        base: base.or_else(|| oauth.base_from.as_ref().and(stored).and_then(|t| t.base.clone())),
        version: stored.map_or(0, |t| t.version),
    })
}

/// The vendor's error word and nothing else of its answer: what it describes may quote a secret.
fn word(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ')).take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oauth() -> Oauth2 {
        let text = r#"{"grant":"refresh_token","token_endpoint":"a","token_path":"/t","client_id":"c","lifetime_s":60,"base_from":"api"}"#;
        serde_json::from_str(text).unwrap()
    }

    fn no(status: u16, body: &str) -> NoToken {
        match read(&oauth(), status, body.as_bytes(), None, 0) {
            Ok(_) => panic!("{status} {body} is taken for a token"),
            Err(no) => no,
        }
    }

    #[test]
    fn every_way_to_say_no_is_read_as_what_it_is() {
        let refused = |word: &str| NoToken::Refused(word.to_owned());
        for (status, body, means) in [
            (400, r#"{"error":"invalid_grant","error_description":"secret words"}"#, refused("invalid_grant")),
            (401, r#"{"error":"invalid_client"}"#, refused("invalid_client")),
            (200, r#"{"error":"invalid_code"}"#, refused("invalid_code")),
            (200, "{}", refused("status 200")),
            (200, r#"{"access_token":""}"#, refused("status 200")),
            (400, r#"{"error":{"code":7}}"#, refused("status 400")),
            (400, "Bad Request", refused("status 400")),
            (401, "", refused("status 401")),
            (400, r#"{"error":"in\u0000valid<b>"}"#, refused("invalidb")),
            // An access token beside an error status is no token.
            (400, r#"{"access_token":"x"}"#, refused("status 400")),
            (400, r#"{"error":"Access Denied","error_description":"You have made too many requests continuously."}"#, NoToken::Throttled),
            (400, r#"{"error":"slow_down"}"#, NoToken::Throttled),
            (429, "", NoToken::Throttled),
            (400, r#"{"error":"temporarily_unavailable"}"#, NoToken::Unwell),
            (503, r#"{"error":"invalid_grant"}"#, NoToken::Unwell),
            (200, "<html>captive portal</html>", NoToken::Unwell),
            (403, "<html>firewall</html>", NoToken::Unwell),
            (302, "", NoToken::Unwell),
            (200, "[]", NoToken::Unwell),
        ] {
            assert_eq!(no(status, body), means, "{status} {body}");
        }
    }

    #[test]
    fn what_an_answer_leaves_out_stays_as_it_was() {
        let stored = Token { access: "a".into(), refresh: Some("r".into()), expires_at: None, base: Some("https://b".into()), version: 7 };
        let token = read(&oauth(), 200, br#"{"access_token":"b"}"#, Some(&stored), 1_000).ok().unwrap();
        assert_eq!((token.access.as_str(), token.refresh.as_deref(), token.base.as_deref()), ("b", Some("r"), Some("https://b")));
        assert_eq!((token.expires_at, token.version), (Some(61_000), 7));
        let body = br#"{"access_token":"b","refresh_token":"s","expires_in":"120","api":"https://c/"}"#;
        let token = read(&oauth(), 200, body, Some(&stored), 1_000).ok().unwrap();
        assert_eq!((token.refresh.as_deref(), token.expires_at, token.base.as_deref()), (Some("s"), Some(121_000), Some("https://c")));
    }
}
