//! Compiled code kept between starts. An entry is believed only when its MAC holds over every byte of it; anything
//! else is recompiled, never executed. Must not deserialize: it hands verified bytes to `code`.
//!
//! Entry: magic, BLAKE3 of the component, fingerprint of wasmtime's version and settings, HMAC-SHA256, code.

use std::fs::{self, DirBuilder, File};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use rustix::fs::{Mode, OFlags};
use sha2::Sha256;

use crate::code::Trusted;
use crate::error::EngineError;

const MAGIC: &[u8; 8] = b"CRMAOT01";
const HEADER: usize = 8 + 32 + 32 + 32;
/// Entries kept; the oldest go first. 38 connectors, a few versions each.
const ENTRIES: usize = 256;

pub(crate) struct Cache {
    dir: PathBuf,
    key: [u8; 32],
    fingerprint: [u8; 32],
    max_code: u64,
}

/// What was found. `Damaged` is told apart from `Absent` for the metric: someone or something changed a file of ours.
pub(crate) enum Found {
    Code(Trusted),
    Absent,
    Damaged(&'static str),
}

impl Cache {
    /// `master` is never used as a key itself. `fingerprint` names wasmtime's version and settings; `max_code` bounds
    /// what is read, in bytes.
    pub(crate) fn open(dir: &Path, master: &[u8; 32], fingerprint: [u8; 32], max_code: u64) -> Result<Self, EngineError> {
        let refuse = |why: String| EngineError::CacheDir { path: dir.display().to_string(), why };
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| refuse(e.to_string()))?;
        let about = fs::symlink_metadata(dir).map_err(|e| refuse(e.to_string()))?;
        if !about.is_dir() {
            return Err(refuse("it is no directory".into()));
        }
        if about.uid() != rustix::process::geteuid().as_raw() {
            return Err(refuse("it belongs to another user".into()));
        }
        if about.mode() & 0o077 != 0 {
            fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(|e| refuse(e.to_string()))?;
        }
        let mut key = [0; 32];
        Hkdf::<Sha256>::new(None, master)
            .expand(b"crm-engine compiled code v1", &mut key)
            .map_err(|e| refuse(format!("no key can be derived: {e}")))?;
        Ok(Self { dir: dir.to_owned(), key, fingerprint, max_code })
    }

    fn path(&self, source: &blake3::Hash) -> PathBuf {
        let settings = blake3::Hash::from_bytes(self.fingerprint).to_hex();
        self.dir.join(format!("{}-{}.code", source.to_hex(), &settings[..16]))
    }

    fn mac(&self, source: &blake3::Hash, code: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        mac.update(MAGIC);
        mac.update(source.as_bytes());
        mac.update(&self.fingerprint);
        mac.update(code);
        Some(mac)
    }

    /// The entry of a component, read once into memory and verified there.
    pub(crate) fn get(&self, source: &blake3::Hash) -> Found {
        match self.read(&self.path(source)) {
            Ok(Some(bytes)) => self.verify(source, bytes),
            Ok(None) => Found::Absent,
            Err(why) => Found::Damaged(why),
        }
    }

    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, &'static str> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(rustix::io::Errno::LOOP) => return Err("the entry is a symbolic link"),
            Err(_) => return Err("the entry cannot be opened"),
        };
        let about = file.metadata().map_err(|_| "the entry cannot be read")?;
        let limit = self.max_code + HEADER as u64;
        if !about.is_file() || about.len() > limit {
            return Err("the entry is no file of a plausible size");
        }
        let mut bytes = Vec::with_capacity(usize::try_from(about.len()).unwrap_or(0));
        file.take(limit).read_to_end(&mut bytes).map_err(|_| "the entry cannot be read")?;
        Ok(Some(bytes))
    }

    fn verify(&self, source: &blake3::Hash, mut bytes: Vec<u8>) -> Found {
        let Some((header, code)) = bytes.split_at_checked(HEADER) else {
            return Found::Damaged("the entry is cut off");
        };
        let fits = header[..8] == *MAGIC && header[8..40] == *source.as_bytes() && header[40..72] == self.fingerprint;
        if !fits {
            return Found::Damaged("the entry belongs to another component or another build");
        }
        // Compares in constant time.
        let holds = self.mac(source, code).is_some_and(|mac| mac.verify_slice(&header[72..HEADER]).is_ok());
        if !holds {
            return Found::Damaged("the entry's MAC does not hold");
        }
        bytes.drain(..HEADER);
        Found::Code(Trusted::vouched(bytes))
    }

    /// Keeps an entry: written aside, then renamed over whatever is there (a symbolic link is replaced, not followed).
    pub(crate) fn put(&self, source: &blake3::Hash, code: &Trusted) -> std::io::Result<()> {
        let Some(mac) = self.mac(source, code.bytes()) else {
            return Err(std::io::Error::other("no MAC can be made"));
        };
        let path = self.path(source);
        let aside = path.with_extension(format!("{:016x}.tmp", rand::random::<u64>()));
        let written = self.write(&aside, source, &mac.finalize().into_bytes(), code).and_then(|()| fs::rename(&aside, &path));
        if written.is_err() {
            // Whether the remains can be removed or not: the entry was not kept.
            drop(fs::remove_file(&aside));
        }
        written?;
        self.prune()
    }

    fn write(&self, aside: &Path, source: &blake3::Hash, mac: &[u8], code: &Trusted) -> std::io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::open(aside, flags, Mode::RUSR | Mode::WUSR)?);
        for part in [MAGIC.as_slice(), source.as_bytes(), &self.fingerprint, mac, code.bytes()] {
            file.write_all(part)?;
        }
        Ok(())
    }

    fn prune(&self) -> std::io::Result<()> {
        let mut entries: Vec<(SystemTime, PathBuf)> = fs::read_dir(&self.dir)?
            .filter_map(|entry| {
                let entry = entry.ok()?;
                Some((entry.metadata().ok()?.modified().ok()?, entry.path()))
            })
            .collect();
        if entries.len() > ENTRIES {
            entries.sort();
            for (_, path) in &entries[..entries.len() - ENTRIES] {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}
