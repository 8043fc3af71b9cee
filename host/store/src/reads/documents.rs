//! Pages of documents: by id, and by the unique names of one namespace, which is an index that its writers keep in order.

use super::{Reader, TORN};
use crate::disk::DiskError;
use crate::model::{Kind, Record, RecordKey};
use crate::port::StoreError;
use crate::rows::tables::{self, DocRow};
use crate::rows::{Damaged, envelope, keys};

impl Reader {
    /// Documents of one kind by id, after `after`.
    pub(crate) async fn page(&self, organization: &str, kind: Kind, after: Option<&str>, limit: usize) -> Result<Vec<Record>, StoreError> {
        let prefix = keys::doc_prefix(organization, kind);
        let from = after.map_or_else(|| prefix.clone(), |after| [prefix.as_slice(), after.as_bytes(), &[0]].concat());
        let organization = organization.to_owned();
        self.pieces(move |reader| {
            let rows = reader.disk.scan(&from, keys::end_of(&prefix).as_deref(), false).take(limit);
            rows.map(|row| {
                let (key, row): (Vec<u8>, DocRow) = reader.decode(row?)?;
                let id = text(&key, prefix.len())?;
                Ok(record(RecordKey { organization: organization.clone(), kind, id }, row))
            })
            .collect()
        })
        .await
    }

    /// Documents by the names of one namespace that begin with `prefix`, after the name `after`. Reads the range of the index and those
    /// documents only that are on the page.
    pub(crate) async fn named(
        &self,
        organization: &str,
        kind: Kind,
        namespace: &str,
        (prefix, after): (&str, Option<&str>),
        limit: usize,
    ) -> Result<Vec<(String, Record)>, StoreError> {
        if [organization, namespace, prefix].iter().any(|part| part.len() > keys::MAX_PART) {
            self.barrier.check()?;
            return Ok(Vec::new());
        }
        let names = keys::unique(organization, kind, namespace, "");
        let range = keys::unique(organization, kind, namespace, prefix);
        let from = after.map(|after| [names.as_slice(), after.as_bytes(), &[0]].concat());
        let from = from.map_or_else(|| range.clone(), |from| from.max(range.clone()));
        let (organization, namespace) = (organization.to_owned(), namespace.to_owned());
        self.pieces(move |reader| {
            let mut found = Vec::new();
            for row in reader.disk.scan(&from, keys::end_of(&range).as_deref(), false) {
                if found.len() >= limit {
                    break;
                }
                let (key, value) = row?;
                let payload = envelope::unwrap(&key, &value, |chunk| reader.disk.get(chunk))?;
                let id: String = tables::decode(&key, &payload)?;
                let name = text(&key, names.len())?;
                let key = keys::doc(&organization, kind, &id);
                let Some(payload) = reader.disk.payload(&key)? else { continue };
                let row: DocRow = tables::decode(&key, &payload)?;
                // It may have let go of the name since the index was read.
                if row.unique.iter().any(|(space, held)| *space == namespace && *held == name) {
                    found.push((name, record(RecordKey { organization: organization.clone(), kind, id }, row)));
                }
            }
            Ok(found)
        })
        .await
    }

    /// Reads several rows, away from the threads that serve others, and waits until all of it is on disk.
    pub(super) async fn pieces<T: Send + 'static>(
        &self,
        read: impl Fn(&Reader) -> Result<T, DiskError> + Send + Sync + 'static,
    ) -> Result<T, StoreError> {
        self.barrier.check()?;
        let read = std::sync::Arc::new(read);
        let mut tries = 0;
        loop {
            let (begun, quiet) = (self.barrier.begun(), self.barrier.at_rest());
            let (reader, read) = (self.clone(), read.clone());
            let found = tokio::task::spawn_blocking(move || read(&reader)).await;
            let found = found.map_err(|error| StoreError::Unusable(format!("the page was interrupted: {error}")))?;
            self.barrier.settle_all().await?;
            tries += 1;
            match found {
                // A document in chunks that was being replaced: read what it became.
                Err(DiskError::Damaged(_)) if tries < TORN && (!quiet || self.barrier.begun() != begun) => {}
                found => return Ok(found?),
            }
        }
    }
}

pub(crate) fn record(key: RecordKey, row: DocRow) -> Record {
    Record { organization: key.organization, kind: key.kind, id: key.id, version: row.version, json: row.json }
}

fn text(key: &[u8], start: usize) -> Result<String, Damaged> {
    std::str::from_utf8(&key[start..]).map(str::to_owned).map_err(|_| Damaged::at(key, "an id that is no text"))
}
