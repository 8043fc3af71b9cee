//! Credentials that the operator sets for all merchants (an application's own OAuth client, mostly), and how they join those of
//! a connection: in memory only, on their way to egress. They are never sealed with a connection, so changing them is one restart.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use crm_catalog::model::{Credential, Manifest, Owner};
use crm_contract::ports::{CredentialError, CredentialSource};
use crm_contract::secrets::{Secrets, Token};
use crm_contract::types::{Pair, find};
use zeroize::Zeroizing;

/// By connector and slot. Shows its names and never a value; wiped when dropped.
#[derive(Default, PartialEq)]
pub struct OperatorCredentials {
    by_connector: BTreeMap<String, BTreeMap<String, Zeroizing<String>>>,
}

impl std::fmt::Debug for OperatorCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.by_connector.iter().map(|(slug, slots)| (slug, slots.keys().collect::<Vec<_>>()));
        f.debug_map().entries(names).finish()
    }
}

impl OperatorCredentials {
    /// An empty value is no value.
    pub fn set(&mut self, connector: &str, slot: &str, value: Zeroizing<String>) {
        if !value.is_empty() {
            self.by_connector.entry(connector.to_owned()).or_default().insert(slot.to_owned(), value);
        }
    }

    pub fn connectors(&self) -> impl Iterator<Item = &str> {
        self.by_connector.keys().map(String::as_str)
    }

    /// What is wrong with the values for this connector, in words for the operator; never the values.
    pub fn problems(&self, manifest: &Manifest) -> Vec<String> {
        let slug = &manifest.connector.slug;
        let theirs: Vec<&str> = manifest.credentials.iter().filter(|c| c.owner != Owner::Merchant).map(|c| c.name.as_str()).collect();
        let mut problems = Vec::new();
        for (slot, value) in self.by_connector.get(slug).into_iter().flatten() {
            let declared = manifest.credential(slot).filter(|c| c.owner != Owner::Merchant);
            let Some(declared) = declared else {
                let may = if theirs.is_empty() {
                    "it takes none from the operator".to_owned()
                } else {
                    format!("it takes {}", theirs.join(", "))
                };
                problems.push(format!("{slug} takes no {slot} from the operator: {may}"));
                continue;
            };
            let pattern = declared.pattern.as_deref().and_then(|p| regex::Regex::new(p).ok());
            if pattern.is_some_and(|p| !p.is_match(value)) {
                problems.push(format!("{slug}: {slot} does not look like {}: {}", declared.label, declared.help));
            }
        }
        problems
    }

    fn of(&self, manifest: &Manifest, owner: Owner) -> impl Iterator<Item = (&String, &Zeroizing<String>)> {
        let slots = self.by_connector.get(&manifest.connector.slug);
        slots.into_iter().flatten().filter(move |(slot, _)| manifest.credential(slot).is_some_and(|c| c.owner == owner))
    }

    /// Fields of the connect form that a merchant may leave empty, because the operator has set them.
    pub fn offered(&self, manifest: &Manifest) -> BTreeSet<String> {
        self.of(manifest, Owner::Either).map(|(slot, _)| slot.clone()).collect()
    }

    /// Required slots of this mode that only the operator can set, and has not.
    pub fn missing<'m>(&self, manifest: &'m Manifest, mode: &str) -> Vec<&'m str> {
        let set: BTreeSet<&String> = self.of(manifest, Owner::Operator).map(|(slot, _)| slot).collect();
        let asked =
            |c: &&Credential| c.owner == Owner::Operator && !c.optional && (c.modes.is_empty() || c.modes.iter().any(|m| m == mode));
        manifest.credentials.iter().filter(asked).filter(|c| !set.contains(&c.name)).map(|c| c.name.as_str()).collect()
    }

    /// `inner` with these values added. Where the merchant typed any of the fields that either may set, all of them are the
    /// merchant's: an own client's id must not be joined with the operator's secret.
    pub fn over(&self, manifest: &Manifest, settings: &[Pair], inner: Arc<dyn CredentialSource>) -> Arc<dyn CredentialSource> {
        let copied = |owner| self.of(manifest, owner).map(|(slot, value)| (slot.clone(), value.clone())).collect::<BTreeMap<_, _>>();
        let (always, instead) = (copied(Owner::Operator), copied(Owner::Either));
        if always.is_empty() && instead.is_empty() {
            return inner;
        }
        let either: BTreeSet<String> = manifest.credentials.iter().filter(|c| c.owner == Owner::Either).map(|c| c.name.clone()).collect();
        let typed = either.iter().any(|slot| find(settings, slot).is_some());
        Arc::new(Over { inner, always, instead: if typed { BTreeMap::new() } else { instead }, either })
    }
}

/// No `Debug`.
struct Over {
    inner: Arc<dyn CredentialSource>,
    always: BTreeMap<String, Zeroizing<String>>,
    instead: BTreeMap<String, Zeroizing<String>>,
    either: BTreeSet<String>,
}

#[async_trait]
impl CredentialSource for Over {
    async fn unseal(&self) -> Result<Secrets, CredentialError> {
        let own = match self.inner.unseal().await {
            Ok(own) => Some(own),
            // The merchant typed nothing: all there is, is the operator's.
            Err(CredentialError::Missing) => None,
            Err(error) => return Err(error),
        };
        let mut all: BTreeMap<String, String> = self.always.iter().map(|(slot, value)| (slot.clone(), value.to_string())).collect();
        let own = own.as_ref().map(|own| own.iter().collect::<Vec<_>>()).unwrap_or_default();
        if !own.iter().any(|(slot, _)| self.either.contains(*slot)) {
            all.extend(self.instead.iter().map(|(slot, value)| (slot.clone(), value.to_string())));
        }
        for (slot, value) in own {
            all.entry(slot.to_owned()).or_insert_with(|| value.to_owned());
        }
        if all.is_empty() { Err(CredentialError::Missing) } else { Ok(Secrets::new(all)) }
    }

    async fn token(&self, auth: &str) -> Result<Option<Token>, CredentialError> {
        self.inner.token(auth).await
    }

    async fn save_token(&self, auth: &str, token: &Token) -> Result<(), CredentialError> {
        self.inner.save_token(auth, token).await
    }

    async fn begin_renewal(&self, auth: &str, version: u64, now: u64, until: u64) -> Result<(), CredentialError> {
        self.inner.begin_renewal(auth, version, now, until).await
    }

    async fn end_renewal(&self, auth: &str, version: u64) -> Result<(), CredentialError> {
        self.inner.end_renewal(auth, version).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::own_credentials::OwnCredentials;

    fn manifest() -> Manifest {
        let field = |name: &str, owner: &str, more: &str| {
            format!("[[credentials]]\nname = \"{name}\"\nlabel = \"{name}\"\nhelp = \"h\"\nowner = \"{owner}\"\n{more}\n")
        };
        let text = format!(
            "calls = []\nendpoints = []\n[supports]\n[setup]\nkey_location = []\ndisconnect = \"d\"\n[connector]\nslug = \"acme\"\nname = \"Acme\"\nversion = \"1.0.0\"\ncategory = \"c\"\npitch = \"p\"\ndocs = \"d\"\n{}{}{}{}",
            field("client_id", "either", "secret = false\npattern = \"^id-[a-z]+$\""),
            field("client_secret", "either", ""),
            field("app_key", "operator", ""),
            field("note", "merchant", "optional = true"),
        );
        toml_like(&text)
    }

    /// Manifests of tests are JSON elsewhere in this crate; here TOML reads better.
    fn toml_like(text: &str) -> Manifest {
        toml::from_str(text).unwrap()
    }

    fn operator(slots: &[(&str, &str)]) -> OperatorCredentials {
        let mut all = OperatorCredentials::default();
        slots.iter().for_each(|(slot, value)| all.set("acme", slot, Zeroizing::new((*value).to_owned())));
        all
    }

    async fn opened(operator: &OperatorCredentials, settings: &[Pair], typed: &[(&str, &str)]) -> Result<String, CredentialError> {
        let typed = typed.iter().map(|(slot, value)| ((*slot).to_owned(), Zeroizing::new((*value).to_owned()))).collect();
        let source = operator.over(&manifest(), settings, Arc::new(OwnCredentials::new(typed)));
        let secrets = source.unseal().await?;
        Ok(secrets.iter().map(|(slot, value)| format!("{slot}={value}")).collect::<Vec<_>>().join(" "))
    }

    #[tokio::test]
    async fn an_own_client_is_never_joined_with_the_operators_secret() {
        let operator = operator(&[("client_id", "id-ours"), ("client_secret", "s-ours"), ("app_key", "k")]);
        assert_eq!(opened(&operator, &[], &[]).await.unwrap(), "app_key=k client_id=id-ours client_secret=s-ours");
        assert_eq!(opened(&operator, &[], &[("client_secret", "s-own")]).await.unwrap(), "app_key=k client_secret=s-own");
        let settings = [Pair::new("client_id", "id-own")];
        assert_eq!(opened(&operator, &settings, &[]).await.unwrap(), "app_key=k");
        assert_eq!(
            opened(&operator, &[], &[("app_key", "forged"), ("note", "n")]).await.unwrap(),
            "app_key=k client_id=id-ours client_secret=s-ours note=n"
        );
    }

    #[test]
    fn the_operator_is_told_what_is_missing_or_wrong_and_values_are_never_shown() {
        let none = operator(&[]);
        assert_eq!(none.missing(&manifest(), ""), ["app_key"]);
        assert!(none.offered(&manifest()).is_empty());
        let some = operator(&[("client_id", "canary-id"), ("note", "canary-note"), ("nothing", "canary"), ("app_key", "canary-key")]);
        assert!(some.missing(&manifest(), "").is_empty());
        assert_eq!(some.offered(&manifest()).into_iter().collect::<Vec<_>>(), ["client_id"]);
        let problems = some.problems(&manifest()).join("\n");
        assert!(
            problems.contains("client_id does not look like")
                && problems.contains("takes no note")
                && problems.contains("takes no nothing")
        );
        assert!(!problems.contains("canary") && !format!("{some:?}").contains("canary"), "{problems} {some:?}");
    }
}
