//! Who asks a registry. From a name and a password, or from the text of docker's config file; the command line reads both.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oci_client::secrets::RegistryAuth;
use serde::Deserialize;

use crate::{Reference, RegistryError};

/// The name under which docker keeps the login of its own registry.
const DOCKER_HUB: &str = "index.docker.io";

/// A login. Its `Debug` shows no password.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Login {
    /// Without any.
    #[default]
    Nobody,
    Password {
        user: String,
        password: String,
    },
    /// docker keeps it in a credential helper, a program that this host does not run: what nobody may read is refused.
    Helper(String),
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default, rename = "credsStore")]
    store: Option<String>,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    auth: Option<String>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    password: Option<String>,
}

impl Login {
    /// What docker's config file (`~/.docker/config.json`) holds for the registry.
    ///
    /// # Errors
    /// When the text is no such file.
    pub fn of_docker_config(text: &str, reference: &Reference) -> Result<Self, RegistryError> {
        let unreadable = |why: String| RegistryError::DockerConfig(why);
        let config: Config = serde_json::from_str(text).map_err(|error| {
            // The file holds passwords: only where it breaks is told.
            unreadable(format!("it is not what docker writes (line {}, column {})", error.line(), error.column()))
        })?;
        let registry = reference.registry();
        let means = |key: &str| {
            let host = key.trim_start_matches("https://").trim_start_matches("http://");
            let host = host.trim_end_matches('/').trim_end_matches("/v1").trim_end_matches("/v2");
            host == registry || (host == DOCKER_HUB && registry == "docker.io")
        };
        if let Some((_, helper)) = config.helpers.iter().find(|(key, _)| means(key)) {
            return Ok(Self::Helper(helper.clone()));
        }
        let Some((_, entry)) = config.auths.into_iter().find(|(key, _)| means(key)) else { return Ok(Self::Nobody) };
        if let Some(auth) = entry.auth.filter(|auth| !auth.is_empty()) {
            let decoded = STANDARD.decode(auth.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let pair = decoded.as_deref().and_then(|text| text.split_once(':'));
            let (user, password) = pair.ok_or_else(|| unreadable(format!("what it holds for {registry} is not a name and a password")))?;
            return Ok(Self::Password { user: user.to_owned(), password: password.trim_end_matches('\0').to_owned() });
        }
        Ok(match (entry.username, entry.password, config.store) {
            (Some(user), Some(password), _) => Self::Password { user, password },
            (_, _, Some(store)) => Self::Helper(store),
            _ => Self::Nobody,
        })
    }

    pub(crate) fn auth(&self) -> RegistryAuth {
        match self {
            Self::Password { user, password } => RegistryAuth::Basic(user.clone(), password.clone()),
            Self::Nobody | Self::Helper(_) => RegistryAuth::Anonymous,
        }
    }

    /// For errors.
    pub(crate) fn whom(&self) -> String {
        match self {
            Self::Nobody => "somebody who is not logged in".to_owned(),
            Self::Password { user, .. } => format!("`{user}`"),
            Self::Helper(name) => format!(
                "somebody who is not logged in (docker keeps this login in its credential helper `{name}`, which is not supported here)"
            ),
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.whom())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(config: &str) -> Result<Login, RegistryError> {
        Login::of_docker_config(config, &"oci://registry.example:5000/acme:1".parse().expect("a reference"))
    }

    #[test]
    fn a_login_is_found_as_docker_writes_it() {
        // ann:s3:cret
        let ann = Login::Password { user: "ann".to_owned(), password: "s3:cret".to_owned() };
        for key in ["registry.example:5000", "https://registry.example:5000", "https://registry.example:5000/v2/"] {
            let config = format!(r#"{{"auths":{{"other.example":{{}},"{key}":{{"auth":"YW5uOnMzOmNyZXQ="}}}},"HttpHeaders":{{}}}}"#);
            assert_eq!(of(&config), Ok(ann.clone()), "{key}");
        }
        assert_eq!(
            of(r#"{"auths":{"registry.example":{"auth":"YW5uOnMzOmNyZXQ="}}}"#),
            Ok(Login::Nobody),
            "another port is another registry"
        );
        assert_eq!(of("{}"), Ok(Login::Nobody));
        assert!(!format!("{ann:?}").contains("cret"));
    }

    #[test]
    fn a_credential_helper_is_not_run_and_said() {
        let store = of(r#"{"auths":{"registry.example:5000":{}},"credsStore":"desktop"}"#).expect("read");
        let own = of(r#"{"credHelpers":{"registry.example:5000":"cloud"}}"#).expect("read");
        assert_eq!((store.clone(), own), (Login::Helper("desktop".to_owned()), Login::Helper("cloud".to_owned())));
        assert!(store.whom().contains("`desktop`, which is not supported"), "{}", store.whom());
    }

    #[test]
    fn a_broken_config_is_refused_without_repeating_it() {
        for config in [r#"{"auths":{"registry.example:5000":{"auth":"s3cret"}}}"#, r#"{"auths":{"registry.example:5000":{"auth":"s3cret"}"#]
        {
            let error = of(config).expect_err("refused").to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
