//! Check 3: the body. Its kind, its shape, the fields it may write, the constants it may not change. What was checked is
//! what is sent: JSON that two parsers could read differently never gets here.

use std::borrow::Cow;

use bytes::Bytes;
use crm_catalog::model::BodyKind;
use crm_catalog::writes::WriteRules;
use crm_contract::types::{Body, Pair};
use http::HeaderValue;
use serde_json::Value;

use super::json::strict;
use crate::error::Refusal;
use crate::plan::CallPlan;

/// Largest request body, in bytes.
const MAX_BODY: usize = 1_024 * 1_024;

/// A body ready to be sent.
#[derive(Default)]
pub(crate) struct Payload {
    pub bytes: Option<Bytes>,
    pub content_type: Option<HeaderValue>,
    /// The form's fields, for authentication that adds one or signs them.
    pub form: Option<Vec<(String, String)>>,
    /// A new-only field that it writes.
    pub new_only: Option<String>,
}

pub(crate) fn checked(plan: &CallPlan, kind: BodyKind, has_fixed: bool, body: Body, rules: &WriteRules) -> Result<Payload, Refusal> {
    let mismatch = |got| Refusal::BodyKind { declared: word(kind), got };
    let content_type = |usual: &'static str| Some(plan.content_type.clone().unwrap_or(HeaderValue::from_static(usual)));
    match (kind, body) {
        (BodyKind::Json, Body::Json(text)) => json(Some(text), has_fixed, rules, content_type("application/json")),
        (BodyKind::Json, Body::None) if has_fixed => json(None, true, rules, content_type("application/json")),
        (BodyKind::Form, Body::Form(pairs)) => form(plan, pairs, rules, content_type("application/x-www-form-urlencoded")),
        (BodyKind::Form, Body::None) if has_fixed => form(plan, Vec::new(), rules, content_type("application/x-www-form-urlencoded")),
        (BodyKind::Bytes, Body::Bytes(bytes)) => {
            if bytes.len() > MAX_BODY {
                return Err(Refusal::BodyLarge(MAX_BODY));
            }
            if !bytes.is_empty() && !rules.allows_anything() {
                return Err(Refusal::Field("a body of bytes is refused: the manifest does not let this call write anything at all".into()));
            }
            Ok(Payload { bytes: Some(bytes.into()), content_type: content_type("application/octet-stream"), ..Payload::default() })
        }
        (_, Body::None) => Ok(Payload::default()),
        (_, Body::Json(_)) => Err(mismatch("json")),
        (_, Body::Form(_)) => Err(mismatch("form")),
        (_, Body::Bytes(_)) => Err(mismatch("bytes")),
    }
}

fn word(kind: BodyKind) -> &'static str {
    match kind {
        BodyKind::None => "no",
        BodyKind::Json => "json",
        BodyKind::Form => "form",
        BodyKind::Bytes => "bytes",
    }
}

fn json(text: Option<String>, has_fixed: bool, rules: &WriteRules, content_type: Option<HeaderValue>) -> Result<Payload, Refusal> {
    if text.as_ref().is_some_and(|t| t.len() > MAX_BODY) {
        return Err(Refusal::BodyLarge(MAX_BODY));
    }
    let mut value = match &text {
        Some(text) => strict(text)?,
        None => Value::Object(serde_json::Map::new()),
    };
    rules.check_json(&value).map_err(|e| Refusal::Field(e.to_string()))?;
    let new_only = rules.new_only_in_json(&value);
    // The guest's own text is kept where nothing is added: `strict` left it one meaning, and no digit is lost.
    let text = match text {
        Some(text) if !has_fixed => text,
        _ => {
            rules.apply_fixed(&mut value).map_err(|e| Refusal::Field(e.to_string()))?;
            value.to_string()
        }
    };
    Ok(Payload { bytes: Some(text.into()), content_type, form: None, new_only })
}

fn form(plan: &CallPlan, pairs: Vec<Pair>, rules: &WriteRules, content_type: Option<HeaderValue>) -> Result<Payload, Refusal> {
    if pairs.iter().map(|p| p.key.len() + p.value.len()).sum::<usize>() > MAX_BODY {
        return Err(Refusal::BodyLarge(MAX_BODY));
    }
    for pair in &pairs {
        if plan.json_keys.contains(&pair.key) {
            strict(&pair.value)?;
        }
    }
    let mut pairs: Vec<(String, String)> = pairs.into_iter().map(|p| (p.key, p.value)).collect();
    let borrowed: Vec<(&str, &str)> = pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    rules.check_form(&borrowed).map_err(|e| Refusal::Field(e.to_string()))?;
    let new_only = rules.new_only_in_form(&borrowed);
    rules.apply_fixed_form(&mut pairs).map_err(|e| Refusal::Field(e.to_string()))?;
    let bytes = Bytes::from(form_encoded(&pairs));
    Ok(Payload { bytes: Some(bytes), content_type, form: Some(pairs), new_only })
}

pub(crate) fn form_encoded(pairs: &[(String, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

impl Payload {
    /// As text for the journal; bytes that are no UTF-8 as base64.
    pub(crate) fn shown(bytes: &[u8]) -> String {
        match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => {
                use base64::Engine;
                format!("base64:{}", base64::engine::general_purpose::STANDARD.encode(bytes))
            }
        }
    }

    /// The body as JSON, `{}` where there is none.
    pub(crate) fn json(&self) -> Result<Cow<'_, str>, Refusal> {
        match &self.bytes {
            None => Ok(Cow::Borrowed("{}")),
            Some(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| Refusal::BodyNotJson("no text".into())),
        }
    }
}
