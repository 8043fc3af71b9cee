//! Who signed a file. Ed25519 in minisign's format, over the whole file, checked before anything in it is parsed.

use minisign_verify::{PublicKey, Signature};

use super::Source;

/// Which files must be signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignaturePolicy {
    /// None. A signature that is there must be good all the same.
    None,
    /// All but those that lie in the host's own folder: who can write there can replace the host.
    #[default]
    Remote,
    /// Those in the folder too.
    All,
}

/// Keys that the operator trusts, by the names that it gave them.
#[derive(Clone, Default)]
pub struct TrustRoots {
    keys: Vec<(String, PublicKey)>,
    policy: SignaturePolicy,
}

/// Why a signature is not good enough, for the person who sent the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    #[error("the file is not signed; sign it with `minisign -S` and a key that this host trusts")]
    Unsigned,
    #[error("this host trusts no key yet, and takes no unsigned file: its operator names keys with --trusted-key")]
    NoRoots,
    #[error("this is no minisign signature: {0}")]
    Malformed(String),
    #[error("the signature is by no key that this host trusts, or not over this file")]
    Wrong,
    #[error("the trusted key {name} is no minisign public key: {why}")]
    Key { name: String, why: String },
}

impl TrustRoots {
    /// Of names and minisign public keys, as in a `.pub` file or its second line.
    ///
    /// # Errors
    /// When a key cannot be read.
    pub fn new<'a>(keys: impl IntoIterator<Item = (&'a str, &'a str)>, policy: SignaturePolicy) -> Result<Self, TrustError> {
        let key = |(name, text): (&str, &str)| {
            let line = text.trim().lines().last().unwrap_or_default().trim();
            let key = PublicKey::from_base64(line).map_err(|e| TrustError::Key { name: name.to_owned(), why: e.to_string() })?;
            Ok((name.to_owned(), key))
        };
        Ok(Self { keys: keys.into_iter().map(key).collect::<Result<_, TrustError>>()?, policy })
    }

    /// The name of the key that signed the file; `None` where nobody did and nobody had to. A signature that is there must be good,
    /// wherever the file came from.
    pub(super) fn check(&self, file: &[u8], source: &Source, signature: Option<&str>) -> Result<Option<String>, TrustError> {
        let local = matches!(source, Source::Folder { .. });
        let required = match self.policy {
            SignaturePolicy::None => false,
            SignaturePolicy::Remote => !local,
            SignaturePolicy::All => true,
        };
        let Some(text) = signature else {
            return match required {
                false => Ok(None),
                true if self.keys.is_empty() => Err(TrustError::NoRoots),
                true => Err(TrustError::Unsigned),
            };
        };
        let signature = Signature::decode(text).map_err(|e| TrustError::Malformed(e.to_string()))?;
        let signer = self.keys.iter().find(|(_, key)| key.verify(file, &signature, false).is_ok());
        signer.map(|(name, _)| Some(name.clone())).ok_or(TrustError::Wrong)
    }
}
