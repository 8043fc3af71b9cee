//! Unsealed credentials on their way from the store to egress. Short-lived: no `Debug`, no `Serialize`, no `Clone`,
//! wiped when dropped. Only `store` makes them and only `egress` reads them.

use std::collections::BTreeMap;
use zeroize::Zeroize;

/// Credential values by the manifest's slot name.
pub struct Secrets {
    by_slot: BTreeMap<String, String>,
}

impl Secrets {
    pub fn new(by_slot: BTreeMap<String, String>) -> Self {
        Self { by_slot }
    }

    pub fn get(&self, slot: &str) -> Option<&str> {
        self.by_slot.get(slot).map(String::as_str)
    }

    /// Every value, for the echo filter.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.by_slot.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }
}

impl Drop for Secrets {
    fn drop(&mut self) {
        for value in self.by_slot.values_mut() {
            value.zeroize();
        }
    }
}

/// An OAuth 2 token as kept between runs. Same rules as [`Secrets`].
pub struct Token {
    pub access: String,
    pub refresh: Option<String>,
    /// Unix milliseconds; `None` when the vendor states no lifetime.
    pub expires_at: Option<u64>,
    /// Base URL that the token answer named, already checked against the manifest's `allow`.
    pub base: Option<String>,
    /// Rises by one with every save: the compare in compare-and-swap. 0 = never saved.
    pub version: u64,
}

impl Drop for Token {
    fn drop(&mut self) {
        self.access.zeroize();
        self.refresh.zeroize();
    }
}
