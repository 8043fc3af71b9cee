//! Opening the files: our own lock, the repairs that are known to be safe, the one-time syncs, the ballast. Each repair answers a
//! failure that was reproduced by hand: a half-written snapshot, a damaged settings file, a damaged snapshot. The log
//! file itself is never touched.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock};

use super::durable_sled::config;
use crate::port::StoreError;
use crate::rows::envelope;

/// What the engine writes into `conf` under our settings, checksum included. A test compares it with what the engine writes.
pub(crate) const CONF: &[u8] = b"segment_size: 524288\nuse_compression: false\nversion: 0.34\n\x76\x19\x51\xc1";

/// The store's directory: `lock`, `ballast`, `data/` (the engine's), `quarantine/` and `damaged-N/` when something was set aside.
pub(crate) struct Opened {
    pub(crate) db: sled::Db,
    pub(crate) file: File,
    pub(crate) lock: Lock,
    pub(crate) data: PathBuf,
}

/// Held while the store is open. The kernel releases it when the process dies, however it dies.
pub(crate) struct Lock {
    _file: File,
}

pub(crate) fn open(dir: &Path, ballast: u64) -> Result<Opened, StoreError> {
    let data = dir.join("data");
    make_dir(&data).map_err(|error| unusable(dir, "cannot create it", &error))?;
    let lock = Lock::take(dir)?;
    let ballast_path = dir.join("ballast");
    let prepared = prepare(dir, &data).map_err(|error| Failed::from(unusable(dir, "cannot prepare its files", &error)));
    let db = match prepared.and_then(|()| engine(&data)) {
        Ok(db) => db,
        Err(Failed::Space(_)) if ballast_path.exists() => {
            tracing::warn!(dir = %dir.display(), "the disk is full: the ballast file is given up so that the store can open");
            fs::remove_file(&ballast_path).map_err(|error| unusable(dir, "cannot remove the ballast file", &error))?;
            prepare(dir, &data).map_err(|error| unusable(dir, "cannot prepare its files", &error))?;
            engine(&data).map_err(|failed| failed.into_error(dir))?
        }
        Err(Failed::Corrupt(why)) => without_snapshots(dir, &data, &why)?,
        Err(failed) => return Err(failed.into_error(dir)),
    };
    let file = sync_once(dir, &data).map_err(|error| unusable(dir, "cannot sync its files", &error))?;
    look_for_blobs(&data);
    keep_ballast(&ballast_path, ballast);
    Ok(Opened { db, file, lock, data })
}

impl Lock {
    fn take(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|error| unusable(dir, "cannot open its lock file", &error))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(error) if error == rustix::io::Errno::WOULDBLOCK => {
                let mut owner = String::new();
                let owner = match file.read_to_string(&mut owner) {
                    Ok(_) if !owner.trim().is_empty() => format!(" (process {})", owner.trim()),
                    _ => String::new(),
                };
                return Err(StoreError::Locked(format!(
                    "{} is in use by another running host{owner}; stop it first, or give this one its own directory",
                    dir.display()
                )));
            }
            Err(error) => return Err(unusable(dir, "cannot lock it", &error.into())),
        }
        // Only words for the error above; the lock itself is the kernel's.
        let noted = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}", std::process::id()));
        if let Err(error) = noted {
            tracing::debug!(%error, "the process id could not be noted in the lock file");
        }
        Ok(Self { _file: file })
    }
}

enum Failed {
    Corrupt(String),
    Space(String),
    Other(String),
}

impl Failed {
    fn into_error(self, dir: &Path) -> StoreError {
        let (Failed::Corrupt(why) | Failed::Space(why) | Failed::Other(why)) = self;
        StoreError::Unusable(format!("the store in {} cannot be opened: {why}", dir.display()))
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoSpace { .. } => Failed::Space(error.to_string()),
            other => Failed::Other(other.to_string()),
        }
    }
}

/// How long to wait for an engine of this very process that is still letting go of its files: its threads may outlive the handle
/// by a moment. Another process cannot be the reason, because our own lock is held.
const LET_GO: Duration = Duration::from_secs(5);

fn engine(data: &Path) -> Result<sled::Db, Failed> {
    let started = Instant::now();
    loop {
        match engine_once(data) {
            Err(Failed::Other(why)) if why.contains("could not acquire lock") && started.elapsed() < LET_GO => {
                std::thread::sleep(Duration::from_millis(5));
            }
            opened => return opened,
        }
    }
}

/// The engine panics on some damaged files instead of answering; both are the same to us.
#[expect(clippy::disallowed_methods, reason = "the one place that opens the engine, for DurableSled")]
fn engine_once(data: &Path) -> Result<sled::Db, Failed> {
    match catch_unwind(AssertUnwindSafe(|| config(data).open())) {
        Ok(Ok(db)) => Ok(db),
        Ok(Err(error @ sled::Error::Corruption { .. })) => Err(Failed::Corrupt(error.to_string())),
        Ok(Err(sled::Error::Io(error))) if error.kind() == io::ErrorKind::StorageFull => Err(Failed::Space(error.to_string())),
        Ok(Err(error)) => Err(Failed::Other(error.to_string())),
        Err(_) => Err(Failed::Corrupt("the engine panicked while reading its files".into())),
    }
}

/// Before the engine looks: half-written snapshots aside, the settings file whole.
fn prepare(dir: &Path, data: &Path) -> io::Result<()> {
    for name in names(data)? {
        if name.starts_with("snap.") && name.ends_with(".generating") {
            set_aside(dir, &data.join(&name))?;
        }
    }
    let conf = data.join("conf");
    let intact = fs::read(&conf).is_ok_and(|bytes| bytes == CONF);
    if !intact {
        if conf.exists() {
            tracing::warn!("the engine's settings file was damaged and is written anew");
            set_aside(dir, &conf)?;
        }
        let fresh = data.join("conf.new");
        let mut file = File::create(&fresh)?;
        file.write_all(CONF)?;
        file.sync_all()?;
        fs::rename(&fresh, &conf)?;
    }
    Ok(())
}

/// The last resort: the directory is copied aside, the snapshots removed, and every row checked afterwards. A snapshot is only
/// a shortcut through the log, but it is also evidence of where the log ended, hence never without the copy.
fn without_snapshots(dir: &Path, data: &Path, why: &str) -> Result<sled::Db, StoreError> {
    let advice = "restore the last export into an empty directory (admin import)";
    let copy = free_name(dir, "damaged");
    copy_dir(data, &copy).map_err(|error| unusable(dir, "cannot copy the damaged store aside", &error))?;
    tracing::error!(why, copy = %copy.display(), "the store is damaged; one attempt is made without its snapshots");
    let found = names(data).map_err(|error| unusable(dir, "cannot be listed", &error))?;
    for name in found.iter().filter(|name| name.starts_with("snap.")) {
        fs::remove_file(data.join(name)).map_err(|error| unusable(dir, "cannot remove a snapshot", &error))?;
    }
    let db = engine(data).map_err(|failed| {
        let (Failed::Corrupt(second) | Failed::Space(second) | Failed::Other(second)) = failed;
        StoreError::Unusable(format!("the store in {} is damaged ({why}; then {second}); {advice}", dir.display()))
    })?;
    let checked = catch_unwind(AssertUnwindSafe(|| verify(&db)));
    match checked {
        Ok(Ok(rows)) => {
            tracing::warn!(rows, "the store opened without its snapshots, and every row is intact");
            Ok(db)
        }
        Ok(Err(second)) => Err(StoreError::Unusable(format!("the store in {} is damaged ({second}); {advice}", dir.display()))),
        Err(_) => Err(StoreError::Unusable(format!("the store in {} is damaged beyond reading; {advice}", dir.display()))),
    }
}

/// Every row's version and checksum.
pub(crate) fn verify(db: &sled::Db) -> Result<u64, String> {
    let mut rows = 0;
    for row in db.iter() {
        let (key, value) = row.map_err(|error| error.to_string())?;
        envelope::look(&key, &value).map_err(|damaged| damaged.to_string())?;
        rows += 1;
    }
    Ok(rows)
}

/// The engine never syncs `conf` nor the directories, and a torn `conf` alone makes a store unopenable.
fn sync_once(dir: &Path, data: &Path) -> io::Result<File> {
    File::open(data.join("conf"))?.sync_all()?;
    let db = OpenOptions::new().read(true).write(true).open(data.join("db"))?;
    db.sync_all()?;
    for directory in [Some(data), Some(dir), dir.parent().filter(|p| !p.as_os_str().is_empty())].into_iter().flatten() {
        File::open(directory)?.sync_all()?;
    }
    Ok(db)
}

/// Values are cut to 8 KiB so that this directory stays empty; the write order of its files is untested.
fn look_for_blobs(data: &Path) {
    let blobs = names(&data.join("blobs")).map_or(0, |names| names.len());
    metrics::gauge!("crm_store_blobs").set(blobs as f64);
    if blobs > 0 {
        tracing::error!(blobs, "the engine has put values into separate files, whose durability is untested; export and import compacts");
    }
}

/// Space that can be given up when a full disk keeps the store from opening. Its absence is no error.
fn keep_ballast(path: &Path, bytes: u64) {
    let enough = fs::metadata(path).is_ok_and(|meta| meta.len() >= bytes);
    if bytes == 0 || enough {
        return;
    }
    let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).and_then(|file| {
        fallocate(&file, FallocateFlags::empty(), 0, bytes)?;
        file.sync_all()
    });
    if let Err(error) = made {
        tracing::warn!(%error, "no ballast file could be made");
        if let Err(error) = fs::remove_file(path) {
            tracing::debug!(%error, "nor removed");
        }
    }
}

fn set_aside(dir: &Path, path: &Path) -> io::Result<()> {
    let quarantine = dir.join("quarantine");
    make_dir(&quarantine)?;
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    tracing::warn!(file = name, "set aside: a crash left it incomplete");
    fs::rename(path, free_name(&quarantine, &name))
}

fn free_name(dir: &Path, stem: &str) -> PathBuf {
    (1u32..).map(|n| dir.join(format!("{stem}-{n}"))).find(|path| !path.exists()).unwrap_or_else(|| dir.join(stem))
}

fn names(dir: &Path) -> io::Result<Vec<String>> {
    fs::read_dir(dir)?.map(|entry| entry.map(|e| e.file_name().to_string_lossy().into_owned())).collect()
}

fn copy_dir(from: &Path, to: &Path) -> io::Result<()> {
    make_dir(to)?;
    for name in names(from)? {
        let source = from.join(&name);
        if source.is_dir() {
            copy_dir(&source, &to.join(&name))?;
        } else {
            fs::copy(&source, to.join(&name))?;
        }
    }
    Ok(())
}

fn make_dir(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

fn unusable(dir: &Path, what: &str, error: &io::Error) -> StoreError {
    if error.kind() == io::ErrorKind::StorageFull {
        return StoreError::NoSpace { free: 0, needed: 1 };
    }
    StoreError::Unusable(format!("the store in {}: {what}: {error}", dir.display()))
}
