//! Spooled files in one folder: uploads and results that are too large for records. Names are durable when a file was made, contents
//! when they were synced. An error here spoils one file, never the store; and the free-space gate keeps files from taking the room that the
//! store needs.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use crm_contract::spool::{Spool, SpoolError, SpoolName, Spooled};

use crate::port::StoreError;
use crate::space::{Space, SpaceGate};

/// A [`Spool`] in a folder of the file system.
#[derive(Clone)]
pub struct FileSpool {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    space: Space,
}

impl FileSpool {
    /// Opens the folder, made with mode 0700 if missing. What lies in it stays.
    pub fn open(dir: &Path, gate: SpaceGate) -> Result<Self, SpoolError> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io_error)?;
        Ok(Self { inner: Arc::new(Inner { dir: dir.to_owned(), space: Space::new(dir, gate) }) })
    }

    /// File operations block: they run where blocking is allowed.
    async fn run<T: Send + 'static>(&self, work: impl FnOnce(&Inner) -> Result<T, SpoolError> + Send + 'static) -> Result<T, SpoolError> {
        let inner = self.inner.clone();
        match tokio::task::spawn_blocking(move || work(&inner)).await {
            Ok(result) => result,
            Err(error) => Err(SpoolError::Io(error.to_string())),
        }
    }
}

impl Inner {
    fn path(&self, name: &SpoolName) -> PathBuf {
        self.dir.join(name.as_str())
    }

    fn open(&self, name: &SpoolName, options: &mut OpenOptions) -> Result<File, SpoolError> {
        options.open(self.path(name)).map_err(io_error)
    }

    fn sync_dir(&self) -> Result<(), SpoolError> {
        File::open(&self.dir).and_then(|dir| dir.sync_all()).map_err(io_error)
    }
}

#[async_trait]
impl Spool for FileSpool {
    async fn create(&self, name: &SpoolName) -> Result<(), SpoolError> {
        let name = name.clone();
        self.run(move |inner| {
            inner.space.admit().map_err(no_space)?;
            inner.open(&name, OpenOptions::new().write(true).create_new(true).mode(0o600))?;
            inner.sync_dir()
        })
        .await
    }

    async fn append(&self, name: &SpoolName, bytes: Vec<u8>) -> Result<u64, SpoolError> {
        let name = name.clone();
        self.run(move |inner| {
            inner.space.admit().map_err(no_space)?;
            let mut file = inner.open(&name, OpenOptions::new().append(true))?;
            file.write_all(&bytes).map_err(io_error)?;
            Ok(file.metadata().map_err(io_error)?.len())
        })
        .await
    }

    async fn sync(&self, name: &SpoolName) -> Result<(), SpoolError> {
        let name = name.clone();
        self.run(move |inner| inner.open(&name, OpenOptions::new().write(true))?.sync_all().map_err(io_error)).await
    }

    async fn read(&self, name: &SpoolName, offset: u64, most: usize) -> Result<Vec<u8>, SpoolError> {
        let name = name.clone();
        self.run(move |inner| {
            let mut file = inner.open(&name, OpenOptions::new().read(true))?;
            file.seek(SeekFrom::Start(offset)).map_err(io_error)?;
            let mut bytes = Vec::new();
            file.take(most as u64).read_to_end(&mut bytes).map_err(io_error)?;
            Ok(bytes)
        })
        .await
    }

    async fn length(&self, name: &SpoolName) -> Result<u64, SpoolError> {
        let name = name.clone();
        self.run(move |inner| Ok(fs::metadata(inner.path(&name)).map_err(io_error)?.len())).await
    }

    async fn truncate(&self, name: &SpoolName, length: u64) -> Result<(), SpoolError> {
        let name = name.clone();
        self.run(move |inner| {
            let file = inner.open(&name, OpenOptions::new().write(true))?;
            let have = file.metadata().map_err(io_error)?.len();
            if have < length {
                return Err(SpoolError::Short { have, wanted: length });
            }
            file.set_len(length).map_err(io_error)
        })
        .await
    }

    async fn delete(&self, name: &SpoolName) -> Result<(), SpoolError> {
        let name = name.clone();
        self.run(move |inner| match fs::remove_file(inner.path(&name)) {
            // Synced, so that a file with people's data does not come back after a power cut.
            Ok(()) => inner.sync_dir(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(io_error(error)),
        })
        .await
    }

    async fn list(&self) -> Result<Vec<Spooled>, SpoolError> {
        self.run(|inner| {
            let mut files = Vec::new();
            for entry in fs::read_dir(&inner.dir).map_err(io_error)? {
                let entry = entry.map_err(io_error)?;
                // What has another kind of name is not ours.
                let Ok(name) = SpoolName::new(entry.file_name().to_string_lossy()) else { continue };
                match entry.metadata() {
                    Ok(metadata) if metadata.is_file() => files.push(Spooled { name, bytes: metadata.len() }),
                    // Deleted meanwhile, or no file.
                    Ok(_) | Err(_) => {}
                }
            }
            files.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(files)
        })
        .await
    }
}

fn io_error(error: io::Error) -> SpoolError {
    match error.kind() {
        io::ErrorKind::NotFound => SpoolError::Missing,
        io::ErrorKind::AlreadyExists => SpoolError::Exists,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => SpoolError::NoSpace { free: 0, needed: 0 },
        _ => SpoolError::Io(error.to_string()),
    }
}

fn no_space(error: StoreError) -> SpoolError {
    match error {
        StoreError::NoSpace { free, needed } => SpoolError::NoSpace { free, needed },
        other => SpoolError::Io(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spool(dir: &tempfile::TempDir) -> FileSpool {
        FileSpool::open(&dir.path().join("imports"), SpaceGate::Bytes(0)).unwrap()
    }

    fn name(text: &str) -> SpoolName {
        SpoolName::new(text).unwrap()
    }

    #[tokio::test]
    async fn a_file_is_written_in_pieces_and_read_anywhere() {
        let dir = tempfile::tempdir().unwrap();
        let (spool, file) = (spool(&dir), name("imp_1"));
        spool.create(&file).await.unwrap();
        assert_eq!(spool.append(&file, b"hello ".to_vec()).await, Ok(6));
        assert_eq!(spool.append(&file, b"world".to_vec()).await, Ok(11));
        spool.sync(&file).await.unwrap();
        assert_eq!(spool.read(&file, 0, 100).await, Ok(b"hello world".to_vec()));
        assert_eq!(spool.read(&file, 6, 3).await, Ok(b"wor".to_vec()));
        assert_eq!(spool.read(&file, 11, 3).await, Ok(Vec::new()));
        assert_eq!(spool.read(&file, 99, 3).await, Ok(Vec::new()));
        assert_eq!(spool.length(&file).await, Ok(11));
    }

    #[tokio::test]
    async fn a_file_outlives_the_spool_that_made_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = name("imp_1");
        spool(&dir).create(&file).await.unwrap();
        spool(&dir).append(&file, b"x".to_vec()).await.unwrap();
        assert_eq!(spool(&dir).list().await, Ok(vec![Spooled { name: file.clone(), bytes: 1 }]));
        assert_eq!(spool(&dir).create(&file).await, Err(SpoolError::Exists));
    }

    #[tokio::test]
    async fn cutting_shortens_and_never_lengthens() {
        let dir = tempfile::tempdir().unwrap();
        let (spool, file) = (spool(&dir), name("imp_1"));
        spool.create(&file).await.unwrap();
        spool.append(&file, b"0123456789".to_vec()).await.unwrap();
        spool.truncate(&file, 4).await.unwrap();
        assert_eq!(spool.append(&file, b"x".to_vec()).await, Ok(5));
        assert_eq!(spool.read(&file, 0, 10).await, Ok(b"0123x".to_vec()));
        assert_eq!(spool.truncate(&file, 6).await, Err(SpoolError::Short { have: 5, wanted: 6 }));
    }

    #[tokio::test]
    async fn what_is_deleted_is_gone_and_may_be_deleted_again() {
        let dir = tempfile::tempdir().unwrap();
        let (spool, file) = (spool(&dir), name("imp_1"));
        spool.create(&file).await.unwrap();
        spool.delete(&file).await.unwrap();
        spool.delete(&file).await.unwrap();
        assert_eq!(spool.read(&file, 0, 1).await, Err(SpoolError::Missing));
        assert_eq!(spool.append(&file, vec![1]).await, Err(SpoolError::Missing));
        assert_eq!(spool.truncate(&file, 0).await, Err(SpoolError::Missing));
        assert_eq!(spool.sync(&file).await, Err(SpoolError::Missing));
        assert_eq!(spool.list().await, Ok(Vec::new()));
    }

    #[tokio::test]
    async fn a_nearly_full_disk_takes_no_more_files() {
        let dir = tempfile::tempdir().unwrap();
        let full = FileSpool::open(dir.path(), SpaceGate::Bytes(u64::MAX)).unwrap();
        assert!(matches!(full.create(&name("imp_1")).await, Err(SpoolError::NoSpace { .. })));
        spool(&dir).create(&name("imp_1")).await.unwrap();
        let open = FileSpool::open(&dir.path().join("imports"), SpaceGate::Bytes(u64::MAX)).unwrap();
        assert!(matches!(open.append(&name("imp_1"), vec![1]).await, Err(SpoolError::NoSpace { .. })));
        // What frees space goes on.
        assert_eq!(open.truncate(&name("imp_1"), 0).await, Ok(()));
        assert_eq!(open.delete(&name("imp_1")).await, Ok(()));
    }

    #[tokio::test]
    async fn nobody_else_may_read_and_other_files_are_not_ours() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let spool = spool(&dir);
        spool.create(&name("imp_1")).await.unwrap();
        let inside = dir.path().join("imports");
        assert_eq!(fs::metadata(&inside).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(inside.join("imp_1")).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(inside.join("notes.txt"), b"x").unwrap();
        fs::create_dir(inside.join("folder")).unwrap();
        assert_eq!(spool.list().await.unwrap().len(), 1);
    }

    #[test]
    fn a_name_cannot_mean_another_place() {
        for bad in ["", ".", "..", "../x", "a/b", "a\\b", "a.csv", "a b", "é", "a\0", &"x".repeat(81)] {
            assert_eq!(SpoolName::new(bad), Err(SpoolError::Name), "{bad:?}");
        }
        assert_eq!(name("imp_01M8Z").as_str(), "imp_01M8Z");
    }
}
