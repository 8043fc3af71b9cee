//! Credentials that the operator sets for connectors: read once at start, from a TOML file and the environment, and held against
//! the manifests of what was loaded. No value ever stands in an error or a log.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use crm_catalog::model::{Manifest, Owner};
use crm_sync::operator::OperatorCredentials;
use zeroize::Zeroizing;

const PREFIX: &str = "CRM_HOST_OPERATOR_";

/// Reads file and environment. The environment wins, slot by slot.
pub(crate) fn read(file: Option<&Path>, manifests: &[Arc<Manifest>]) -> Result<OperatorCredentials> {
    let mut all = OperatorCredentials::default();
    if let Some(path) = file {
        for (slug, slots) in parse(path)? {
            for (slot, value) in slots {
                all.set(&slug, &slot, value);
            }
        }
    }
    for manifest in manifests {
        let slug = &manifest.connector.slug;
        for credential in manifest.credentials.iter().filter(|c| c.owner != Owner::Merchant) {
            if let Some(value) = from_environment(&variable(slug, &credential.name))? {
                all.set(slug, &credential.name, value);
            }
        }
    }
    let problems: Vec<String> = manifests.iter().flat_map(|m| all.problems(m)).collect();
    if !problems.is_empty() {
        bail!("the operator's credentials cannot be used:\n  {}", problems.join("\n  "));
    }
    for slug in all.connectors().filter(|slug| manifests.iter().all(|m| m.connector.slug != *slug)) {
        tracing::warn!(connector = slug, "operator credentials are set for a connector that is not loaded");
    }
    for manifest in manifests {
        let missing = all.missing(manifest, "");
        if !missing.is_empty() {
            let slots = missing.join(", ");
            tracing::warn!(connector = manifest.connector.slug, slots, "nobody can connect this until the operator sets these credentials");
        }
    }
    Ok(all)
}

/// The name of a slot's variable: capitals, `_` for `-`.
fn variable(slug: &str, slot: &str) -> String {
    format!("{PREFIX}{slug}_{slot}").replace('-', "_").to_ascii_uppercase()
}

#[expect(clippy::disallowed_methods, reason = "configuration is read once, in `app`; these names are made from manifests")]
fn from_environment(name: &str) -> Result<Option<Zeroizing<String>>> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(Zeroizing::new(value))),
        Err(std::env::VarError::NotPresent) => Ok(None),
        // Its own words would show the value.
        Err(std::env::VarError::NotUnicode(_)) => bail!("{name} is no text"),
    }
}

type Slots = BTreeMap<String, BTreeMap<String, Zeroizing<String>>>;

fn parse(path: &Path) -> Result<Slots> {
    let shown = path.display();
    let text = Zeroizing::new(std::fs::read_to_string(path).with_context(|| format!("the operator's credentials {shown} cannot be read"))?);
    let mode = std::fs::metadata(path).with_context(|| format!("{shown} cannot be looked at"))?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(file = %shown, "others on this machine can read the operator's credentials: chmod 600");
    }
    parse_text(&text).map_err(|line| anyhow::anyhow!("{shown}:{line}: not TOML of the form [connector-slug] and slot = \"value\""))
}

/// `Err` is the line. The parser's own words could repeat a value.
fn parse_text(text: &str) -> Result<Slots, usize> {
    let line = |error: toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start);
        text.get(..at).unwrap_or_default().lines().count().max(1)
    };
    let plain: BTreeMap<String, BTreeMap<String, String>> = toml::from_str(text).map_err(line)?;
    let hidden = |slots: BTreeMap<String, String>| slots.into_iter().map(|(slot, value)| (slot, Zeroizing::new(value))).collect();
    Ok(plain.into_iter().map(|(slug, slots)| (slug, hidden(slots))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_named_after_slug_and_slot() {
        assert_eq!(variable("acme-mail-2", "client_id"), "CRM_HOST_OPERATOR_ACME_MAIL_2_CLIENT_ID");
    }

    #[test]
    fn a_file_is_tables_of_texts_and_an_error_names_the_line_alone() {
        let slots = parse_text("[acme-mail]\nclient_id = \"id\"\nclient_secret = \"s\"\n").unwrap();
        assert_eq!(slots["acme-mail"]["client_secret"].as_str(), "s");
        assert_eq!(parse_text("[acme]\nclient_id = 7\n").err(), Some(2));
        assert_eq!(parse_text("[acme]\n\nclient_id = \"canary\n").err(), Some(3));
    }
}
