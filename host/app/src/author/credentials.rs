//! An author's credentials: one JSON file, checked as the connect form would, and OAuth tokens in memory or in a file beside it. For
//! `connector try` only; merchants' credentials are sealed in the store.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use async_trait::async_trait;
use crm_catalog::model::{Manifest, Owner};
use crm_contract::ports::{CredentialError, CredentialSource};
use crm_contract::secrets::{Secrets, Token};
use crm_contract::types::Pair;
use crm_sync::services::ServiceError;
use crm_sync::services::form::check_credentials;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::leaks::Leaks;
use super::note;

/// What the form makes of a credentials file. No `Debug`.
pub(super) struct Given {
    secrets: BTreeMap<String, Zeroizing<String>>,
    /// Fields that are not secret: they go among the settings.
    pub(super) plain: Vec<Pair>,
}

/// Reads and checks the file. No value of it ever stands in an error.
pub(super) fn read(path: &Path, manifest: &Manifest, mode: &str) -> Result<Given> {
    let shown = path.display();
    let text = Zeroizing::new(std::fs::read_to_string(path).with_context(|| format!("the credentials file {shown} cannot be read"))?);
    // The parser's own words could repeat a value.
    let all: BTreeMap<String, Zeroizing<String>> = serde_json::from_str::<BTreeMap<String, String>>(&text)
        .map_err(|error| anyhow::anyhow!("{shown}:{}: not a JSON object of slots and texts", error.line()))?
        .into_iter()
        .map(|(slot, value)| (slot, Zeroizing::new(value)))
        .collect();
    if let Some(unknown) = all.keys().find(|slot| manifest.credential(slot).is_none()) {
        let slots: Vec<&str> = manifest.credentials.iter().map(|credential| credential.name.as_str()).collect();
        bail!("{shown}: the manifest has no credential {unknown:?}; it has {}", slots.join(", "));
    }
    let operators = |slot: &str| manifest.credential(slot).is_some_and(|credential| credential.owner == Owner::Operator);
    let (theirs, typed): (BTreeMap<_, _>, BTreeMap<_, _>) = all.into_iter().partition(|(slot, _)| operators(slot));
    let checked = check_credentials(manifest, mode, typed).map_err(|error| match error {
        ServiceError::Invalid(fields) => {
            let lines: Vec<String> = fields.iter().map(|field| format!("  {}: {}", field.field, field.message)).collect();
            anyhow::anyhow!("{shown}: the connect form would refuse this:\n{}", lines.join("\n"))
        }
        other => anyhow::anyhow!("{shown}: {other}"),
    })?;
    let mut given = Given { secrets: checked.secrets, plain: checked.plain };
    for (slot, value) in theirs {
        if manifest.credential(&slot).is_some_and(|credential| credential.secret) {
            given.secrets.insert(slot, value);
        } else {
            given.plain.push(Pair::new(slot, value.as_str()));
        }
    }
    Ok(given)
}

/// A token as it stands in the token file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    #[serde(default)]
    access: String,
    #[serde(default)]
    refresh: Option<String>,
    /// Unix milliseconds.
    #[serde(default)]
    expires_at: Option<u64>,
    #[serde(default)]
    base: Option<String>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.access.zeroize();
        self.refresh.zeroize();
    }
}

/// What egress asks. No `Debug`.
pub(super) struct AuthorCredentials {
    given: Given,
    file: Option<PathBuf>,
    tokens: Mutex<BTreeMap<String, (Kept, u64)>>,
    leaks: Leaks,
}

impl AuthorCredentials {
    pub(super) fn new(given: Given, file: Option<&Path>, leaks: Leaks) -> Result<Self> {
        for secret in given.secrets.values() {
            leaks.add(secret);
        }
        let mut tokens = BTreeMap::new();
        if let Some(path) = file.filter(|path| path.exists()) {
            let text = Zeroizing::new(std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?);
            let kept: BTreeMap<String, Kept> = serde_json::from_str(&text)
                .map_err(|error| anyhow::anyhow!("{}:{}: not a JSON object of [[auth]] names and tokens", path.display(), error.line()))?;
            for (auth, token) in kept {
                leaks.add(&token.access);
                leaks.add(token.refresh.as_deref().unwrap_or_default());
                tokens.insert(auth, (token, 1));
            }
        }
        Ok(Self { given, file: file.map(Path::to_owned), tokens: Mutex::new(tokens), leaks })
    }

    fn write(&self) -> std::io::Result<()> {
        let Some(path) = &self.file else { return Ok(()) };
        let text = {
            let tokens = self.tokens.lock();
            let shown: BTreeMap<&String, &Kept> = tokens.iter().map(|(auth, (token, _))| (auth, token)).collect();
            Zeroizing::new(serde_json::to_vec_pretty(&shown)?)
        };
        // Whole or not at all: a vendor that rotates its refresh tokens takes the old one no more.
        let part = path.with_extension("part");
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        file.write_all(&text)?;
        file.sync_all()?;
        std::fs::rename(&part, path)
    }
}

#[async_trait]
impl CredentialSource for AuthorCredentials {
    async fn unseal(&self) -> Result<Secrets, CredentialError> {
        Ok(Secrets::new(self.given.secrets.iter().map(|(slot, value)| (slot.clone(), value.as_str().to_owned())).collect()))
    }

    async fn token(&self, auth: &str) -> Result<Option<Token>, CredentialError> {
        Ok(self.tokens.lock().get(auth).map(|(kept, version)| Token {
            access: kept.access.clone(),
            refresh: kept.refresh.clone(),
            // A file that names a refresh token alone asks for a first access token.
            expires_at: if kept.access.is_empty() { Some(0) } else { kept.expires_at },
            base: kept.base.clone(),
            version: *version,
        }))
    }

    async fn save_token(&self, auth: &str, token: &Token) -> Result<(), CredentialError> {
        self.leaks.add(&token.access);
        self.leaks.add(token.refresh.as_deref().unwrap_or_default());
        let rotated = token.refresh.is_some();
        let kept =
            Kept { access: token.access.clone(), refresh: token.refresh.clone(), expires_at: token.expires_at, base: token.base.clone() };
        self.tokens.lock().insert(auth.to_owned(), (kept, token.version + 1));
        if rotated && self.file.is_none() {
            note(&format!("note: the vendor gave a refresh token for {auth:?}; without --token-file it ends with this run"));
        }
        self.write().map_err(|error| CredentialError::Unavailable(format!("the token file: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn credentials(file: &Path) -> AuthorCredentials {
        let given = Given { secrets: BTreeMap::new(), plain: Vec::new() };
        AuthorCredentials::new(given, Some(file), Leaks::default()).expect("read")
    }

    #[tokio::test]
    async fn a_renewed_token_is_in_the_file_for_the_next_run_and_for_no_one_else() {
        let dir = tempfile::tempdir().expect("made");
        let file = dir.path().join("tokens.json");
        std::fs::write(&file, r#"{"grant": {"refresh": "first-refresh"}}"#).expect("written");
        let first = credentials(&file);
        let token = first.token("grant").await.expect("read").expect("there");
        // No access token yet, so it counts as ended and is renewed before its first use.
        assert_eq!((token.refresh.as_deref(), token.expires_at), (Some("first-refresh"), Some(0)));
        let renewed =
            Token { access: "second-access".into(), refresh: Some("second-refresh".into()), expires_at: None, base: None, version: 1 };
        first.save_token("grant", &renewed).await.expect("saved");
        assert!(first.leaks.are_in("second-access") && first.leaks.are_in("second-refresh"));
        assert_eq!(std::fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
        let kept = credentials(&file).token("grant").await.expect("read").expect("there");
        assert_eq!((kept.access.as_str(), kept.refresh.as_deref()), ("second-access", Some("second-refresh")));
    }

    #[test]
    fn a_token_file_that_is_none_is_refused_without_its_content() {
        let dir = tempfile::tempdir().expect("made");
        let file = dir.path().join("tokens.json");
        std::fs::write(&file, "{\"grant\": \"very-secret\"}").expect("written");
        let given = Given { secrets: BTreeMap::new(), plain: Vec::new() };
        let error = AuthorCredentials::new(given, Some(&file), Leaks::default()).err().expect("refused").to_string();
        assert!(error.contains("tokens.json:1") && !error.contains("very-secret"), "{error}");
    }
}
