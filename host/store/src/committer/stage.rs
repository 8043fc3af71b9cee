//! The batch being planned: writes that later operations of the same batch already see, and that no one else sees before they
//! are on disk.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Halt;
use crate::disk::{Disk, DiskError};
use crate::rows::envelope::{self, Write};
use crate::rows::{keys, tables};

pub(crate) struct Stage {
    disk: Arc<dyn Disk>,
    rows: HashMap<Vec<u8>, Option<Vec<u8>>>,
    /// What each key held before, since the last [`Stage::mark`]; outer `None` = was not staged.
    undo: Option<Vec<Undo>>,
}

type Undo = (Vec<u8>, Option<Option<Vec<u8>>>);

impl Stage {
    pub(crate) fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk, rows: HashMap::new(), undo: None }
    }

    /// The stored value, envelope and all.
    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        match self.rows.get(key) {
            Some(staged) => Ok(staged.clone()),
            None => self.disk.get(key),
        }
    }

    pub(crate) fn payload(&self, key: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        match self.value(key)? {
            None => Ok(None),
            Some(value) => envelope::unwrap(key, &value, |chunk| self.value(chunk)).map(Some),
        }
    }

    pub(crate) fn read<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, Halt> {
        match self.payload(key)? {
            None => Ok(None),
            Some(payload) => Ok(Some(tables::decode(key, &payload).map_err(DiskError::Damaged)?)),
        }
    }

    pub(crate) fn exists(&self, key: &[u8]) -> Result<bool, DiskError> {
        self.value(key).map(|value| value.is_some())
    }

    pub(crate) fn put<T: Serialize>(&mut self, key: Vec<u8>, value: &T) -> Result<(), Halt> {
        let payload = tables::encode(value)?;
        self.put_wrapped(envelope::wrap(key, &payload))
    }

    /// Raw payload, for the tables that are not MessagePack.
    pub(crate) fn put_bytes(&mut self, key: Vec<u8>, payload: &[u8]) -> Result<(), Halt> {
        self.put_wrapped(envelope::wrap(key, payload))
    }

    /// Rows as [`envelope::wrap`] made them: the main row last.
    pub(crate) fn put_wrapped(&mut self, rows: Vec<Write>) -> Result<(), Halt> {
        if let Some((main, _)) = rows.last() {
            self.drop_chunks(&main.clone())?;
        }
        for (key, value) in rows {
            self.set(key, value);
        }
        Ok(())
    }

    pub(crate) fn delete(&mut self, key: Vec<u8>) -> Result<(), Halt> {
        self.drop_chunks(&key)?;
        self.set(key, None);
        Ok(())
    }

    /// A value that is replaced or deleted takes its chunk rows with it. Tables of small rows never have any.
    fn drop_chunks(&mut self, main: &[u8]) -> Result<(), Halt> {
        let may = matches!(
            main.first(),
            Some(&(keys::DOC | keys::JOB | keys::FOLLOW | keys::ATTEMPT | keys::STEP | keys::CONTACT | keys::SECRET))
        );
        if !may {
            return Ok(());
        }
        let chunks = self.value(main)?.map_or(0, |value| envelope::chunks_of(main, &value));
        for index in 0..chunks {
            self.set(keys::chunk(main, index), None);
        }
        Ok(())
    }

    fn set(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        match &mut self.undo {
            None => {
                self.rows.insert(key, value);
            }
            Some(undo) => {
                let before = self.rows.insert(key.clone(), value);
                undo.push((key, before));
            }
        }
    }

    /// Staged keys with this prefix.
    pub(crate) fn staged(&self, prefix: &[u8]) -> Vec<Vec<u8>> {
        self.rows.iter().filter(|(key, value)| value.is_some() && key.starts_with(prefix)).map(|(key, _)| key.clone()).collect()
    }

    /// From here on writes can be taken back.
    pub(crate) fn mark(&mut self) {
        self.undo = Some(Vec::new());
    }

    /// Keeps what was written since the mark.
    pub(crate) fn keep(&mut self) {
        self.undo = None;
    }

    /// Takes back what was written since the mark.
    pub(crate) fn take_back(&mut self) {
        for (key, before) in self.undo.take().into_iter().flatten().rev() {
            match before {
                Some(value) => self.rows.insert(key, value),
                None => self.rows.remove(&key),
            };
        }
    }

    /// Rows of the batch so far.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The batch, and an empty stage for the next one.
    pub(crate) fn take(&mut self) -> Vec<Write> {
        self.rows.drain().collect()
    }

    pub(crate) fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }
}
