//! Credentials at rest. Each value is sealed with its own random key (XChaCha20-Poly1305), which is wrapped by a key derived
//! from the master key. Both seals bind whose value it is: organization, connection, connector, host and slot, so that a row
//! moved to another place, or a connection pointed at another host, never opens.
//!
//! This room sees secrets; nothing here has `Debug`, and plaintext is wiped when dropped.

pub(crate) mod handle;
mod master;

pub use master::MasterKey;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::port::{StoreError, Whose};

/// A sealed value as kept. All texts but `key_id` are base64.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SealedRow {
    /// For tokens: the compare in compare-and-swap. Also inside the seal.
    pub(crate) version: u64,
    /// Which master key wrapped it.
    pub(crate) key_id: String,
    pub(crate) wrapped: String,
    pub(crate) sealed: String,
    /// Of a marker: until when the renewal that it announces may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<u64>,
}

impl SealedRow {
    /// Says that a token of this version is being renewed. Holds nothing secret, so nothing is sealed.
    pub(crate) fn marker(version: u64, until: u64) -> Self {
        Self { version, key_id: String::new(), wrapped: String::new(), sealed: String::new(), until: Some(until) }
    }
}

const FORMAT: &str = "1";
const NONCE: usize = 24;

/// The name of a credential slot in rows and seals; a token named like a slot is something else.
pub(crate) fn slot_name(slot: &str) -> String {
    format!("slot/{slot}")
}

/// The name of a token.
pub(crate) fn token_name(auth: &str) -> String {
    format!("token/{auth}")
}

/// The name of the marker that a token is being renewed.
pub(crate) fn renewal_name(auth: &str) -> String {
    format!("renewal/{auth}")
}

/// Seals `plain` for one place.
pub(crate) fn seal(keys: &MasterKey, whose: &Whose, slot: &str, version: u64, plain: &[u8]) -> Result<SealedRow, StoreError> {
    let failed = |what: &str| StoreError::Unusable(format!("a credential cannot be sealed: {what}"));
    let mut own_key = Zeroizing::new([0u8; 32]);
    getrandom::fill(own_key.as_mut()).map_err(|_| failed("no randomness"))?;
    let (key_id, kek) = keys.current();
    let wrapped = lock(kek, own_key.as_ref(), &bound(whose, slot, version, key_id, "key")).ok_or_else(|| failed("cipher"))?;
    let sealed = lock(&own_key, plain, &bound(whose, slot, version, key_id, "value")).ok_or_else(|| failed("cipher"))?;
    Ok(SealedRow { version, key_id: key_id.to_owned(), wrapped, sealed, until: None })
}

/// Opens a row for the place it claims to belong to; `None` when any of it does not fit.
pub(crate) fn open(keys: &MasterKey, whose: &Whose, slot: &str, row: &SealedRow) -> Option<Zeroizing<Vec<u8>>> {
    let kek = keys.by_id(&row.key_id)?;
    let own_key = unlock(kek, &row.wrapped, &bound(whose, slot, row.version, &row.key_id, "key"))?;
    let own_key: Zeroizing<[u8; 32]> = Zeroizing::new(own_key.as_slice().try_into().ok()?);
    unlock(&own_key, &row.sealed, &bound(whose, slot, row.version, &row.key_id, "value"))
}

/// The associated data: every part behind its length, so that no two places read alike.
fn bound(whose: &Whose, slot: &str, version: u64, key_id: &str, part: &str) -> Vec<u8> {
    let version = version.to_string();
    let mut bytes = Vec::with_capacity(160);
    for text in [FORMAT, &whose.organization, &whose.connection, &whose.connector, &whose.host, slot, key_id, &version, part] {
        bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

/// base64(nonce, ciphertext).
fn lock(key: &[u8; 32], plain: &[u8], bound: &[u8]) -> Option<String> {
    let mut nonce = [0u8; NONCE];
    getrandom::fill(&mut nonce).ok()?;
    let cipher = XChaCha20Poly1305::new(&(*key).into());
    let sealed = cipher.encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: bound }).ok()?;
    let mut bytes = nonce.to_vec();
    bytes.extend_from_slice(&sealed);
    Some(BASE64.encode(bytes))
}

fn unlock(key: &[u8; 32], text: &str, bound: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = BASE64.decode(text).ok()?;
    let (nonce, sealed) = bytes.split_at_checked(NONCE)?;
    let nonce: [u8; NONCE] = nonce.try_into().ok()?;
    let cipher = XChaCha20Poly1305::new(&(*key).into());
    cipher.decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: bound }).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    /// Compiles only while none of these types has `Debug`: with it the call below would be ambiguous.
    #[expect(dead_code, reason = "the proof is that it compiles")]
    mod no_secret_has_debug {
        use super::*;

        trait AmbiguousIfDebug<A> {
            fn check() {}
        }
        impl<T: ?Sized> AmbiguousIfDebug<()> for T {}
        struct HasDebug;
        impl<T: ?Sized + Debug> AmbiguousIfDebug<HasDebug> for T {}

        const PROOF: [fn(); 4] = [
            <MasterKey as AmbiguousIfDebug<_>>::check,
            <crm_contract::secrets::Secrets as AmbiguousIfDebug<_>>::check,
            <crm_contract::secrets::Token as AmbiguousIfDebug<_>>::check,
            <crate::sled_store::OpenOptions as AmbiguousIfDebug<_>>::check,
        ];
    }

    fn whose() -> Whose {
        Whose { organization: "org_1".into(), connection: "con_1".into(), connector: "acme".into(), host: "a.example".into() }
    }

    #[test]
    fn a_sealed_value_opens_in_its_place_only() {
        let keys = MasterKey::generate().unwrap();
        let row = seal(&keys, &whose(), "slot/key", 3, b"hunter2").unwrap();
        assert_eq!(open(&keys, &whose(), "slot/key", &row).unwrap().as_slice(), b"hunter2");
        let change: [fn(&mut Whose); 4] = [
            |w| w.organization = "org_2".into(),
            |w| w.connection = "con_2".into(),
            |w| w.connector = "other".into(),
            |w| w.host = "b.example".into(),
        ];
        for change in change {
            let mut other = whose();
            change(&mut other);
            assert!(open(&keys, &other, "slot/key", &row).is_none());
        }
        assert!(open(&keys, &whose(), "slot/secret", &row).is_none());
        assert!(open(&keys, &whose(), "token/key", &row).is_none());
        assert!(open(&keys, &whose(), "slot/key", &SealedRow { version: 4, ..row }).is_none());
    }

    #[test]
    fn parts_of_the_binding_cannot_be_shifted_into_one_another() {
        let shifted = Whose { organization: "org_1con".into(), connection: "_1".into(), ..whose() };
        assert_ne!(bound(&whose(), "s", 0, "k", "value"), bound(&shifted, "s", 0, "k", "value"));
    }

    #[test]
    fn another_master_key_never_opens_it_and_a_keyring_does() {
        let row = seal(&MasterKey::from_bytes([1; 32]), &whose(), "slot/key", 0, b"x").unwrap();
        let mut renamed = row.clone();
        let other = MasterKey::from_bytes([2; 32]);
        assert!(open(&other, &whose(), "slot/key", &row).is_none());
        renamed.key_id = other.current().0.to_owned();
        assert!(open(&other, &whose(), "slot/key", &renamed).is_none());
        let ring = MasterKey::from_bytes([2; 32]).with_older(MasterKey::from_bytes([1; 32]));
        assert_eq!(open(&ring, &whose(), "slot/key", &row).unwrap().as_slice(), b"x");
    }

    #[test]
    fn equal_values_do_not_look_equal() {
        let keys = MasterKey::generate().unwrap();
        let (a, b) = (seal(&keys, &whose(), "s", 0, b"x").unwrap(), seal(&keys, &whose(), "s", 0, b"x").unwrap());
        assert_ne!((a.sealed, a.wrapped), (b.sealed, b.wrapped));
    }
}
