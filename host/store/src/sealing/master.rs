//! The master key: from the environment, or from a file that nobody else may read. Kept only to derive the key that wraps others.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::port::StoreError;

/// One or more master keys: the newest seals, the others only open. No `Debug`, no `Serialize`; wiped when dropped.
#[derive(Clone)]
pub struct MasterKey {
    keys: Vec<Derived>,
}

#[derive(Clone)]
struct Derived {
    id: String,
    kek: Zeroizing<[u8; 32]>,
    /// For keys with another purpose, see [`MasterKey::derive`].
    master: Zeroizing<[u8; 32]>,
}

impl MasterKey {
    /// The same as [`MasterKey::from_base64_env`].
    pub fn from_base64(value: &str) -> Result<Self, StoreError> {
        Self::from_base64_env(value)
    }

    /// From the value of `CRM_HOST_KEY`: 32 bytes as base64 (standard or URL-safe).
    pub fn from_base64_env(value: &str) -> Result<Self, StoreError> {
        let value = value.trim();
        let bytes = BASE64.decode(value).or_else(|_| URL_SAFE_NO_PAD.decode(value.trim_end_matches('=')));
        let bytes = bytes.map(Zeroizing::new).map_err(|_| StoreError::Unusable("the master key is not base64".into()))?;
        let bytes: Zeroizing<[u8; 32]> = Zeroizing::new(
            bytes
                .as_slice()
                .try_into()
                .map_err(|_| StoreError::Unusable(format!("the master key has {} bytes; it must have 32", bytes.len())))?,
        );
        Ok(Self::from_bytes(*bytes))
    }

    /// From the file at `path`, which is made with a fresh key and mode 0600 if it does not exist. A file that others may read or
    /// write is refused: the key would have to be considered known.
    pub fn load_or_create(path: &Path) -> Result<Self, StoreError> {
        let trouble = |what: &str, error: io::Error| StoreError::Unusable(format!("the key file {}: {what}: {error}", path.display()));
        match File::open(path) {
            Ok(mut file) => {
                let mode = file.metadata().map_err(|error| trouble("cannot be examined", error))?.mode() & 0o777;
                if mode & 0o077 != 0 {
                    return Err(StoreError::Unusable(format!(
                        "the key file {} has mode {mode:o}: others may read it; make it 600, or better, replace the key",
                        path.display()
                    )));
                }
                let mut text = Zeroizing::new(String::new());
                file.read_to_string(&mut text).map_err(|error| trouble("cannot be read", error))?;
                Self::from_base64_env(&text)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut bytes = Zeroizing::new([0u8; 32]);
                getrandom::fill(bytes.as_mut()).map_err(|_| StoreError::Unusable("no randomness for a master key".into()))?;
                create(path, &Zeroizing::new(BASE64.encode(bytes.as_ref()))).map_err(|error| trouble("cannot be made", error))?;
                Ok(Self::from_bytes(*bytes))
            }
            Err(error) => Err(trouble("cannot be opened", error)),
        }
    }

    /// A key for one run, kept nowhere.
    pub fn generate() -> Result<Self, StoreError> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        getrandom::fill(bytes.as_mut()).map_err(|_| StoreError::Unusable("no randomness for a master key".into()))?;
        Ok(Self::from_bytes(*bytes))
    }

    /// From raw bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let bytes = Zeroizing::new(bytes);
        let hkdf = Hkdf::<Sha256>::new(None, bytes.as_ref());
        let mut id = [0u8; 8];
        let mut kek = Zeroizing::new([0u8; 32]);
        // Neither can fail: both outputs are far below HKDF's limit of 255 blocks.
        let derived = hkdf.expand(b"crm-store key id 1", &mut id).and_then(|()| hkdf.expand(b"crm-store wrapping key 1", kek.as_mut()));
        debug_assert!(derived.is_ok());
        let id = id.iter().map(|byte| format!("{byte:02x}")).collect();
        Self { keys: vec![Derived { id, kek, master: bytes }] }
    }

    /// This key seals; what `older` sealed still opens.
    pub fn with_older(mut self, older: MasterKey) -> Self {
        self.keys.extend(older.keys);
        self
    }

    /// Names the key without telling anything of it.
    pub fn id(&self) -> &str {
        self.current().0
    }

    /// A key for another purpose, such as authenticating compiled code. Tells nothing of the master key, nor of the keys of other
    /// purposes; only the newest master key counts.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        let hkdf = Hkdf::<Sha256>::new(None, self.keys[0].master.as_ref());
        let mut key = [0u8; 32];
        let derived = hkdf.expand_multi_info(&[b"crm-store purpose 1/", purpose.as_bytes()], &mut key);
        debug_assert!(derived.is_ok());
        key
    }

    pub(crate) fn current(&self) -> (&str, &[u8; 32]) {
        let newest = &self.keys[0];
        (&newest.id, &newest.kek)
    }

    pub(crate) fn by_id(&self, id: &str) -> Option<&[u8; 32]> {
        self.keys.iter().find(|key| key.id == id).map(|key| &*key.kek)
    }
}

/// Written whole under another name first, so that a crash never leaves half a key, and never over an existing one.
fn create(path: &Path, text: &str) -> io::Result<()> {
    let fresh = path.with_extension(format!("new-{}", std::process::id()));
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()
    });
    let linked = written.and_then(|()| fs::hard_link(&fresh, path));
    let removed = fs::remove_file(&fresh);
    linked.and(removed)?;
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_file_is_made_private_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let made = MasterKey::load_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(MasterKey::load_or_create(&path).unwrap().id(), made.id());
    }

    #[test]
    fn a_key_file_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        MasterKey::load_or_create(&path).unwrap();
        for mode in [0o640, 0o604, 0o660, 0o601] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(MasterKey::load_or_create(&path).is_err(), "{mode:o}");
        }
    }

    #[test]
    fn derived_keys_differ_by_purpose_and_master() {
        let key = MasterKey::from_bytes([1; 32]);
        assert_eq!(key.derive("a"), key.clone().derive("a"));
        assert_ne!(key.derive("a"), key.derive("b"));
        assert_ne!(key.derive("a"), MasterKey::from_bytes([2; 32]).derive("a"));
        assert_ne!(&key.derive("a"), key.current().1);
    }

    #[test]
    fn a_key_must_be_base64_of_32_bytes() {
        let good = BASE64.encode([7u8; 32]);
        assert!(MasterKey::from_base64_env(&good).is_ok());
        assert!(MasterKey::from_base64_env(&format!(" {good}\n")).is_ok());
        assert!(MasterKey::from_base64_env(&URL_SAFE_NO_PAD.encode([250u8; 32])).is_ok());
        for bad in ["", "hello", &BASE64.encode([7u8; 31]), &BASE64.encode([7u8; 33]), "****"] {
            assert!(MasterKey::from_base64_env(bad).is_err(), "{bad:?}");
        }
    }
}
