//! The host's own folder of connectors: looked at when the host starts and every few seconds, and what is new in it is handed to the services.
//! Looking again is used instead of the system's notices of change, which network and overlay file systems do not all send.
//!
//! A file is taken when two looks in a row find it the same, so that one that is still being written is left alone; a copy that stalls for
//! longer is refused as cut off, and taken when it has grown. Writing aside and renaming over the old file is the surest way. Taking a file
//! away changes nothing: `connector uninstall` takes connectors off.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use crm_sync::context::Context;
use crm_sync::services::ServiceError;
use crm_sync::services::releases::{self, Intake, Source};
use tokio_util::sync::CancellationToken;

/// The longest text of a signature that is read, in bytes.
const SIGNATURE_BYTES: u64 = 4 << 10;

/// What tells one state of a file, and of the signature beside it, from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

impl Mark {
    fn of(about: &Metadata) -> Self {
        // The time of the last change of any kind: unlike that of the last writing it cannot be set back by a copy.
        Self { inode: about.ino(), bytes: about.len(), changed: (about.ctime(), about.ctime_nsec()) }
    }
}

/// A file as the last look found it.
struct Seen {
    marks: (Mark, Option<Mark>),
    taken: bool,
}

/// The folder, and what is known of it.
pub(crate) struct Folder {
    path: PathBuf,
    seen: BTreeMap<PathBuf, Seen>,
}

/// A file that is worth taking.
struct Found {
    name: String,
    bytes: Vec<u8>,
    signature: Option<String>,
}

impl Folder {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), seen: BTreeMap::new() }
    }

    /// Files that are there and have not been handed out as they are. `settled` leaves out those that the last look found otherwise.
    fn look(&mut self, settled: bool) -> std::io::Result<Vec<PathBuf>> {
        let mut now = BTreeMap::new();
        let mut ready = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "wasm") {
                continue;
            }
            // Gone between the two questions, or not to be read: as if it were not there.
            let Some(mark) = std::fs::metadata(&path).ok().filter(Metadata::is_file).map(|about| Mark::of(&about)) else { continue };
            let marks = (mark, std::fs::metadata(beside(&path)).ok().map(|about| Mark::of(&about)));
            let before = self.seen.get(&path).filter(|seen| seen.marks == marks);
            let due = before.map_or(!settled, |seen| !seen.taken);
            if due {
                ready.push(path.clone());
            }
            now.insert(path, Seen { marks, taken: due || before.is_some_and(|seen| seen.taken) });
        }
        self.seen = now;
        ready.sort();
        Ok(ready)
    }

    /// Reads a file that [`Self::look`] handed out. One that changed meanwhile is left for the next look.
    fn read(&mut self, path: &Path, most: u64) -> std::io::Result<Option<Found>> {
        let before = self.seen.get(path).map(|seen| seen.marks.0);
        let mut bytes = Vec::new();
        // One byte more than a connector may have: enough to be refused.
        let file = std::fs::File::open(path)?;
        let after = Mark::of(&file.metadata()?);
        file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        let unchanged = Some(after) == before && std::fs::metadata(path).is_ok_and(|about| Mark::of(&about) == after);
        if !unchanged {
            self.seen.remove(path);
            return Ok(None);
        }
        let mut signature = String::new();
        let signature = match std::fs::File::open(beside(path)) {
            Ok(file) => file.take(SIGNATURE_BYTES).read_to_string(&mut signature).map(|_| Some(signature))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Some(Found { name, bytes, signature }))
    }
}

/// Where the signature of a file lies.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".minisig");
    PathBuf::from(name)
}

/// Takes what is new. `settled = false`: as it is now, at the host's start. A bad file is told and left out: it keeps no other from serving.
pub(crate) async fn take(context: &Context, folder: &Arc<Mutex<Folder>>, settled: bool, most: u64) -> Result<()> {
    let ready = blocking(folder, move |folder| folder.look(settled)).await?;
    for path in ready {
        let shown = path.display().to_string();
        let found = match blocking(folder, move |folder| folder.read(&path, most)).await {
            Ok(Some(found)) => found,
            Ok(None) => continue,
            Err(error) => {
                tracing::error!(file = shown, %error, "connector file cannot be read");
                continue;
            }
        };
        let Found { name, bytes, signature } = found;
        let intake = Intake { file: bytes, source: Source::Folder { file: name }, signature, activate: true };
        match releases::install(context, intake).await {
            Ok(installed) if installed.known => {}
            Ok(installed) if installed.active => {}
            Ok(installed) => {
                let release = installed.release;
                tracing::warn!(
                    file = shown,
                    connector = release.connector,
                    version = release.version,
                    "connector kept, and not made active"
                );
            }
            // The services have written down and told why.
            Err(ServiceError::Invalid(_) | ServiceError::Conflict { .. }) => {}
            Err(error) => {
                tracing::error!(file = shown, %error, "connector file could not be checked; it is taken at the next look");
                folder.lock().unwrap_or_else(PoisonError::into_inner).seen.remove(Path::new(&shown));
            }
        }
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(
    folder: &Arc<Mutex<Folder>>,
    work: impl FnOnce(&mut Folder) -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    let folder = folder.clone();
    tokio::task::spawn_blocking(move || {
        let mut folder = folder.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut folder).with_context(|| format!("the connectors folder {} cannot be read", folder.path.display()))
    })
    .await
    .context("the look at the connectors folder broke off")?
}

/// Looks again and again, until told to stop. A folder that cannot be read is told once, and looked at again.
pub(crate) async fn watch(context: Context, folder: Arc<Mutex<Folder>>, every: Duration, most: u64, stop: CancellationToken) {
    let mut told = false;
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = stop.cancelled() => return,
        }
        match take(&context, &folder, true, most).await {
            Ok(()) => told = false,
            Err(error) if !told => {
                told = true;
                tracing::warn!("{error:#}; connectors that lie there are not seen");
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(found: &[PathBuf]) -> Vec<String> {
        found.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_file_is_handed_out_once_and_again_when_it_was_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = Folder::new(dir.path());
        std::fs::write(dir.path().join("a.wasm"), "one").unwrap();
        std::fs::write(dir.path().join("a.txt"), "no connector").unwrap();
        assert_eq!(names(&folder.look(false).unwrap()), ["a.wasm"], "at the start, as it is");
        assert!(folder.look(true).unwrap().is_empty());
        std::fs::write(dir.path().join("aside"), "two").unwrap();
        std::fs::rename(dir.path().join("aside"), dir.path().join("a.wasm")).unwrap();
        assert!(folder.look(true).unwrap().is_empty(), "seen for the first time");
        assert_eq!(names(&folder.look(true).unwrap()), ["a.wasm"]);
        assert!(folder.look(true).unwrap().is_empty());
    }

    #[test]
    fn a_file_that_is_being_written_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.wasm");
        let mut folder = Folder::new(dir.path());
        for half in ["a", "ab", "abc"] {
            std::fs::write(&path, half).unwrap();
            assert!(folder.look(true).unwrap().is_empty(), "{half}");
        }
        assert_eq!(names(&folder.look(true).unwrap()), ["a.wasm"]);
        std::fs::write(&path, "abcd").unwrap();
        assert!(folder.read(&path, 100).unwrap().is_none(), "it changed between the look and the reading");
        assert!(folder.look(true).unwrap().is_empty());
        assert_eq!(names(&folder.look(true).unwrap()), ["a.wasm"]);
        assert_eq!(folder.read(&path, 100).unwrap().unwrap().bytes, b"abcd");
        assert_eq!(folder.read(&path, 2).unwrap().unwrap().bytes, b"abc", "no more than is needed to refuse it");
    }

    #[test]
    fn a_signature_that_comes_later_has_the_file_taken_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.wasm");
        std::fs::write(&path, "one").unwrap();
        let mut folder = Folder::new(dir.path());
        folder.look(false).unwrap();
        std::fs::write(dir.path().join("a.wasm.minisig"), "signed").unwrap();
        assert!(folder.look(true).unwrap().is_empty());
        assert_eq!(names(&folder.look(true).unwrap()), ["a.wasm"]);
        assert_eq!(folder.read(&path, 100).unwrap().unwrap().signature.as_deref(), Some("signed"));
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_and_may_come_later() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("later");
        let mut folder = Folder::new(&path);
        assert!(folder.look(true).is_err());
        std::fs::create_dir(&path).unwrap();
        assert!(folder.look(true).unwrap().is_empty());
    }
}
