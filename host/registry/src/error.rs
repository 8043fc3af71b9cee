//! Why a connector was not pulled or pushed, for the operator who asked for it.

use oci_client::errors::{DigestError, OciDistributionError, OciErrorCode};

use crate::Reference;

/// Longest piece of a registry's own words that is repeated.
const WORDS: usize = 300;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    #[error(
        "`{text}` names no connector in a registry: {why}. Write oci://REGISTRY/REPOSITORY:TAG or oci://REGISTRY/REPOSITORY@sha256:DIGEST"
    )]
    Reference { text: String, why: String },
    #[error("the docker config file cannot be used: {0}")]
    DockerConfig(String),
    #[error("{0}: the registry has nothing there; look at the repository's name")]
    NotFound(String),
    #[error("{0}: the registry knows no such tag or digest")]
    NoSuchTag(String),
    #[error(
        "{reference}: the registry refuses this to {whom}, or there is no such repository. \
         Set CRM_HOST_REGISTRY_USER and CRM_HOST_REGISTRY_PASSWORD, or log in with docker"
    )]
    NotAuthorised { reference: String, whom: String },
    #[error("{reference} is no connector: {found}")]
    NotAConnector { reference: String, found: String },
    #[error("{reference}: {what} has {bytes} bytes; at most {most} are taken")]
    TooLarge { reference: String, what: &'static str, bytes: u64, most: u64 },
    #[error("{reference}: what the registry sent is not what was asked for: it has the digest {found}, not {wanted}. Nothing was taken")]
    Digest { reference: String, wanted: String, found: String },
    #[error("{registry} cannot be reached: {why}")]
    Unreachable { registry: String, why: String },
    #[error("{reference}: the registry refused: {why}")]
    Refused { reference: String, why: String },
    #[error("{reference}: the registry's answer cannot be used: {why}")]
    Answer { reference: String, why: String },
    #[error("this cannot be pushed: {0}")]
    NotPushable(String),
}

impl RegistryError {
    /// Of an error of the OCI library. `whom` = who asked.
    pub(crate) fn of(error: OciDistributionError, reference: &Reference, whom: &str) -> Self {
        let shown = reference.to_string();
        match error {
            OciDistributionError::AuthenticationFailure(_) | OciDistributionError::UnauthorizedError { .. } => {
                Self::refused_to(reference, whom)
            }
            OciDistributionError::RegistryError { envelope, .. } => {
                let codes: Vec<&OciErrorCode> = envelope.errors.iter().map(|error| &error.code).collect();
                if codes.iter().any(|code| matches!(code, OciErrorCode::Unauthorized | OciErrorCode::Denied)) {
                    return Self::refused_to(reference, whom);
                }
                if codes.iter().any(|code| matches!(code, OciErrorCode::NameUnknown | OciErrorCode::NotFound)) {
                    return Self::NotFound(shown);
                }
                if codes.contains(&&OciErrorCode::ManifestUnknown) {
                    return Self::NoSuchTag(shown);
                }
                Self::Refused { reference: shown, why: short(&envelope.to_string()) }
            }
            OciDistributionError::ServerError { code, message, .. } => Self::of_status(code, &message, reference, whom),
            OciDistributionError::DigestError(error) => Self::of_digest(&error, shown),
            OciDistributionError::IoError(error) => Self::of_io(error, reference),
            OciDistributionError::RequestError(error) => Self::of_request(error, reference),
            other => Self::Answer { reference: shown, why: short(&other.to_string()) },
        }
    }

    pub(crate) fn of_status(status: u16, words: &str, reference: &Reference, whom: &str) -> Self {
        match status {
            401 | 403 => Self::refused_to(reference, whom),
            404 if words.contains("MANIFEST_UNKNOWN") => Self::NoSuchTag(reference.to_string()),
            404 => Self::NotFound(reference.to_string()),
            500.. => Self::Unreachable { registry: reference.registry().to_owned(), why: format!("it answers with status {status}") },
            _ => Self::Refused { reference: reference.to_string(), why: format!("status {status}: {}", short(words)) },
        }
    }

    pub(crate) fn of_request(error: reqwest::Error, reference: &Reference) -> Self {
        Self::Unreachable { registry: reference.registry().to_owned(), why: chain(&error.without_url()) }
    }

    /// While a file is read: its digest is told at its end as an error of the stream.
    pub(crate) fn of_io(error: std::io::Error, reference: &Reference) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<DigestError>()) {
            Some(error) => Self::of_digest(error, reference.to_string()),
            None => Self::Unreachable { registry: reference.registry().to_owned(), why: chain(&error) },
        }
    }

    fn of_digest(error: &DigestError, reference: String) -> Self {
        match error {
            DigestError::VerificationError { expected, actual } => {
                Self::Digest { reference, wanted: expected.clone(), found: actual.clone() }
            }
            other => Self::Answer { reference, why: other.to_string() },
        }
    }

    fn refused_to(reference: &Reference, whom: &str) -> Self {
        Self::NotAuthorised { reference: reference.to_string(), whom: whom.to_owned() }
    }
}

/// An error with what lies below it: the outermost says only that a request failed.
fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut below = error.source();
    while let Some(error) = below {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        below = error.source();
    }
    short(&words)
}

fn short(words: &str) -> String {
    let one_line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if one_line.chars().count() <= WORDS { one_line } else { one_line.chars().take(WORDS).chain("...".chars()).collect() }
}
