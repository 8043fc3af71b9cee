//! Checks of what people type, from the manifest: credentials (tidied, hinted, matched, split), settings, tags, lines
//! of text. Errors name the field and carry the manifest's own words.

use std::collections::{BTreeMap, BTreeSet};

use crm_catalog::model::{Credential, Manifest, Owner, Setting, SettingKind, TagModel};
use crm_catalog::tags::TagRules;
use crm_contract::types::Pair;
use regex::{Regex, RegexBuilder};
use zeroize::Zeroizing;

use super::{FieldError, ServiceError};
use crate::domain::holds_tag;

const LONGEST_CREDENTIAL: usize = 4_096;
const LONGEST_SETTING: usize = 1_024;

/// Credentials after the checks: no `Debug`, wiped when dropped.
pub struct CheckedCredentials {
    /// Secret slots, split parts included: what is sealed.
    pub secrets: BTreeMap<String, Zeroizing<String>>,
    /// Fields that the manifest marks `secret = false`: they go among the settings.
    pub plain: Vec<Pair>,
    /// The last four characters of each secret that is long enough to show them.
    pub last4: Vec<Pair>,
}

/// The modes a manifest offers, in its order; a manifest without modes has the one mode `""`.
pub fn modes(manifest: &Manifest) -> Vec<&str> {
    let mut modes: Vec<&str> = Vec::new();
    for mode in manifest.auth.iter().map(|a| a.mode.as_str()) {
        if !modes.contains(&mode) {
            modes.push(mode);
        }
    }
    if modes.is_empty() { vec![""] } else { modes }
}

/// The chosen mode, or the first one when none is named.
pub fn check_mode(manifest: &Manifest, mode: Option<&str>) -> Result<String, ServiceError> {
    let modes = modes(manifest);
    match mode {
        None => Ok(modes.first().copied().unwrap_or_default().to_owned()),
        Some(mode) if modes.contains(&mode) => Ok(mode.to_owned()),
        Some(mode) => {
            let allowed: Vec<&str> = modes.into_iter().filter(|m| !m.is_empty()).collect();
            Err(ServiceError::invalid("mode", format!("there is no mode {mode:?}; allowed: {}", allowed.join(", "))))
        }
    }
}

/// The fields that the connect form asks a merchant for, in this mode.
pub fn asked<'a>(manifest: &'a Manifest, mode: &'a str) -> impl Iterator<Item = &'a Credential> {
    manifest.credentials.iter().filter(move |c| c.owner != Owner::Operator && (c.modes.is_empty() || c.modes.iter().any(|m| m == mode)))
}

/// Checks the credentials of a connect form. All troubles are reported at once, in the form's order.
pub fn check_credentials(
    manifest: &Manifest,
    mode: &str,
    given: BTreeMap<String, Zeroizing<String>>,
) -> Result<CheckedCredentials, ServiceError> {
    check_credentials_beside(manifest, mode, given, &BTreeSet::new())
}

/// The same where the operator `offers` values for some fields: those may be left empty, unless the merchant brings any own
/// value for a field that either may set.
pub fn check_credentials_beside(
    manifest: &Manifest,
    mode: &str,
    given: BTreeMap<String, Zeroizing<String>>,
    offers: &BTreeSet<String>,
) -> Result<CheckedCredentials, ServiceError> {
    let brought = |c: &Credential| c.owner == Owner::Either && given.get(&c.name).is_some_and(|v| !v.trim().is_empty());
    let brings_own = asked(manifest, mode).any(brought);
    let mut errors = Vec::new();
    let mut checked = CheckedCredentials { secrets: BTreeMap::new(), plain: Vec::new(), last4: Vec::new() };
    for name in given.keys() {
        if !asked(manifest, mode).any(|c| &c.name == name) {
            errors.push(FieldError { field: format!("credentials.{name}"), message: "the connect form has no such field".to_owned() });
        }
    }
    for field in asked(manifest, mode) {
        let typed = given.get(&field.name).map_or("", |v| v.as_str());
        let value = Zeroizing::new(tidy(typed, &field.tidy));
        if value.trim().is_empty() && !brings_own && offers.contains(&field.name) {
            continue;
        }
        match check_credential(field, &value)? {
            Some(message) => errors.push(FieldError { field: format!("credentials.{}", field.name), message }),
            None if value.is_empty() => {}
            None if field.secret => keep_secret(field, value, &mut checked),
            None => checked.plain.push(Pair::new(field.name.clone(), value.as_str())),
        }
    }
    for derived in &manifest.derived {
        let Some(secret) = checked.secrets.get(&derived.from) else { continue };
        if !compiled(&derived.capture)?.is_match(secret) {
            let message = format!("the part {:?} cannot be read from this value; is it complete?", derived.name);
            errors.push(FieldError { field: format!("credentials.{}", derived.from), message });
        }
    }
    if errors.is_empty() { Ok(checked) } else { Err(ServiceError::Invalid(errors)) }
}

fn check_credential(field: &Credential, value: &str) -> Result<Option<String>, ServiceError> {
    if value.trim().is_empty() {
        return Ok((!field.optional).then(|| field.missing.clone().unwrap_or_else(|| format!("{} is missing", field.label))));
    }
    if value.len() > LONGEST_CREDENTIAL {
        return Ok(Some(format!("longer than {LONGEST_CREDENTIAL} bytes")));
    }
    // A line break in a header value would be refused later, in words that help nobody.
    if value.chars().any(char::is_control) {
        return Ok(Some("holds a line break or another invisible character: copy it again".to_owned()));
    }
    for hint in &field.hints {
        if compiled(&hint.matches)?.is_match(value) {
            return Ok(Some(hint.say.clone()));
        }
    }
    if let Some(pattern) = &field.pattern
        && !compiled(pattern)?.is_match(value)
    {
        return Ok(Some(format!("this does not look like {}: {}", field.label, field.help)));
    }
    if let Some(split) = &field.split
        && value.splitn(split.into.len().max(1), split.on.as_str()).filter(|part| !part.is_empty()).count() != split.into.len()
    {
        return Ok(Some(format!("must have {} parts with {:?} between them", split.into.len(), split.on)));
    }
    Ok(None)
}

fn keep_secret(field: &Credential, value: Zeroizing<String>, checked: &mut CheckedCredentials) {
    // Four of at least twelve characters tell keys apart and give none away.
    let shown = if value.chars().count() >= 12 { last_chars(&value, 4) } else { String::new() };
    checked.last4.push(Pair::new(field.name.clone(), shown));
    if let Some(split) = &field.split {
        for (name, part) in split.into.iter().zip(value.splitn(split.into.len().max(1), split.on.as_str())) {
            checked.secrets.insert(name.clone(), Zeroizing::new(part.to_owned()));
        }
    }
    checked.secrets.insert(field.name.clone(), value);
}

fn last_chars(text: &str, count: usize) -> String {
    let mut chars: Vec<char> = text.chars().rev().take(count).collect();
    chars.reverse();
    chars.into_iter().collect()
}

/// Applies the manifest's tidying, in order.
fn tidy(typed: &str, rules: &[String]) -> String {
    let mut value = typed.to_owned();
    for rule in rules {
        match rule.as_str() {
            "trim" => value = value.trim().to_owned(),
            "lower" => value = value.to_lowercase(),
            other => {
                if let Some(suffix) = other.strip_prefix("strip:")
                    && let Some(rest) = value.strip_suffix(suffix)
                {
                    value = rest.to_owned();
                }
            }
        }
    }
    value
}

/// Checks one setting's value.
pub fn check_setting(setting: &Setting, value: &str) -> Result<(), ServiceError> {
    let wrong = |message: String| ServiceError::invalid(format!("settings.{}", setting.name), message);
    if value.len() > LONGEST_SETTING || value.chars().any(char::is_control) {
        return Err(wrong(format!("must be one line of at most {LONGEST_SETTING} bytes")));
    }
    if setting.kind == SettingKind::Bool && value != "true" && value != "false" {
        return Err(wrong("must be true or false".to_owned()));
    }
    if setting.kind == SettingKind::Choice && !setting.choices.iter().any(|c| c == value) {
        return Err(wrong(format!("must be one of: {}", setting.choices.join(", "))));
    }
    if let Some(pattern) = &setting.pattern
        && !compiled(pattern)?.is_match(value)
    {
        return Err(wrong(format!("does not fit {}: {}", setting.label, setting.help)));
    }
    Ok(())
}

/// Settings as given, checked, with the manifest's defaults for the rest.
pub fn check_settings(manifest: &Manifest, given: &BTreeMap<String, String>) -> Result<Vec<Pair>, ServiceError> {
    if let Some(unknown) = given.keys().find(|name| !manifest.settings.iter().any(|s| &s.name == *name)) {
        return Err(ServiceError::invalid(format!("settings.{unknown}"), "this connector has no such setting"));
    }
    let mut settings = Vec::new();
    for setting in &manifest.settings {
        match given.get(&setting.name).or(setting.default.as_ref()) {
            Some(value) => {
                check_setting(setting, value)?;
                settings.push(Pair::new(setting.name.clone(), value.clone()));
            }
            None => continue,
        }
    }
    Ok(settings)
}

/// Tag names as a person typed them: trimmed, without blanks and repeats; `manifest` adds the vendor's own rules.
pub fn check_tags(field: &str, tags: &[String], manifest: Option<&Manifest>) -> Result<Vec<String>, ServiceError> {
    if tags.len() > 20 {
        return Err(ServiceError::invalid(field, "at most 20 tags"));
    }
    let mut kept: Vec<String> = Vec::new();
    for (index, tag) in tags.iter().enumerate() {
        let tag = line(&format!("{field}.{index}"), tag, 100)?;
        if let Some(tags) = manifest.map(|m| &m.tags).filter(|tags| tags.model != TagModel::None)
            && let Err(why) = TagRules::of(tags).wire(&tag)
        {
            return Err(ServiceError::invalid(format!("{field}.{index}"), format!("the vendor does not take this tag: {why}")));
        }
        if !holds_tag(&kept, &tag) {
            kept.push(tag);
        }
    }
    Ok(kept)
}

/// A line of text that must not be blank: trimmed, at most `longest` characters.
pub fn line(field: &str, text: &str, longest: usize) -> Result<String, ServiceError> {
    match optional_line(field, Some(text), longest)? {
        Some(text) => Ok(text),
        None => Err(ServiceError::invalid(field, "must not be empty")),
    }
}

/// A line of text that may be missing; blank counts as missing.
pub fn optional_line(field: &str, text: Option<&str>, longest: usize) -> Result<Option<String>, ServiceError> {
    let Some(text) = text.map(str::trim).filter(|t| !t.is_empty()) else { return Ok(None) };
    if text.chars().count() > longest {
        return Err(ServiceError::invalid(field, format!("at most {longest} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(ServiceError::invalid(field, "must be one line without control characters"));
    }
    Ok(Some(text.to_owned()))
}

/// Text that may have several lines and may be missing; blank counts as missing.
pub fn optional_text(field: &str, text: Option<&str>, longest: usize) -> Result<Option<String>, ServiceError> {
    let Some(text) = text.map(str::trim).filter(|t| !t.is_empty()) else { return Ok(None) };
    if text.chars().count() > longest {
        return Err(ServiceError::invalid(field, format!("at most {longest} characters")));
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(ServiceError::invalid(field, "must not hold control characters"));
    }
    Ok(Some(text.to_owned()))
}

/// A slug of 3 to 64 letters, digits and inner hyphens.
pub fn slug(field: &str, text: &str) -> Result<String, ServiceError> {
    let text = text.trim();
    let good = (3..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-');
    if good {
        Ok(text.to_owned())
    } else {
        Err(ServiceError::invalid(field, "must be 3 to 64 letters, digits or hyphens, with no hyphen at either end"))
    }
}

/// A manifest's pattern. The catalog has compiled it before; failing here means the manifest was not checked.
fn compiled(pattern: &str) -> Result<Regex, ServiceError> {
    RegexBuilder::new(pattern)
        .size_limit(1 << 20)
        .build()
        .map_err(|e| ServiceError::Damaged(format!("the manifest's pattern {pattern:?} is no regular expression: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tidying_happens_in_order() {
        let rules = ["trim".to_owned(), "lower".to_owned(), "strip:/api/3".to_owned(), "strip:/".to_owned()];
        assert_eq!(tidy(" HTTPS://You.Example/API/3 ", &rules), "https://you.example");
        assert_eq!(tidy(" x ", &[]), " x ");
    }

    #[test]
    fn slugs_are_letters_digits_and_inner_hyphens() {
        for good in ["abc", "jane-doe", "A1b", &"x".repeat(64)] {
            assert!(slug("slug", good).is_ok(), "{good}");
        }
        for bad in ["", "ab", "-abc", "abc-", "a b c", "jane_doe", "é-é", &"x".repeat(65)] {
            assert!(slug("slug", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn tags_lose_blanks_around_and_repeats() {
        let tags = ["VIP ".to_owned(), "vip".to_owned(), "Partner".to_owned()];
        assert_eq!(check_tags("tags", &tags, None).unwrap(), ["VIP", "Partner"]);
        assert!(check_tags("tags", &["".to_owned()], None).is_err());
    }
}
