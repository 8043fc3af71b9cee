//! Receiving a file: made UTF-8 and spooled as it arrives, its header checked as soon as it is there. The import is acknowledged once
//! file and record are on disk; an upload that breaks off leaves nothing.

use crm_contract::spool::SpoolName;
use crm_store::model::{Put, RecordKey};

use super::board::Which;
use super::document::{Import, ImportState, MAPPING_BYTES, OPEN, Pointer};
use super::formats::{Format, Layout};
use super::{source_name, spool_error};
use crate::context::Context;
use crate::ids::new_id;
use crate::services::csv_decode::Decode;
use crate::services::csv_rows::CsvRows;
use crate::services::records::{self, Document};
use crate::services::{ServiceError, Versioned, audit, campaigns};

/// What is asked of an import, before its file.
#[derive(Clone, Debug, PartialEq)]
pub struct NewImport {
    pub campaign: String,
    pub format: Format,
    /// Who is active in the file comes in as approved, with syncs; else as pending.
    pub approve: bool,
    /// Goes on by itself after the check.
    pub start: bool,
}

/// Imports of one organization that have not ended.
const MOST_OPEN: usize = 20;
/// Bytes written to the spool at once.
const PIECE: usize = 256 * 1024;

/// A file that is arriving. Dropped before [`finish`](Self::finish), nothing of it stays.
pub struct Upload {
    context: Context,
    import: Import,
    file: SpoolName,
    format: Format,
    decode: Decode,
    /// Looks for the header; gone once it was found.
    header: Option<CsvRows>,
    buffer: Vec<u8>,
    bytes: u64,
    kept: bool,
}

impl Upload {
    pub async fn begin(context: &Context, organization: &str, new: NewImport) -> Result<Self, ServiceError> {
        campaigns::get(context, organization, &new.campaign).await?;
        let open = context.store.named(organization, Import::KIND, OPEN, "", None, MOST_OPEN).await?;
        if open.len() >= MOST_OPEN {
            let message = format!("{MOST_OPEN} imports have not ended yet: start, cancel or await one of them first");
            return Err(ServiceError::conflict("too_many_imports", message));
        }
        let mapping = new.format.mapping();
        if serde_json::to_string(&mapping).map_or(0, |json| json.len()) > MAPPING_BYTES {
            return Err(ServiceError::invalid("mapping", format!("longer than {MAPPING_BYTES} bytes")));
        }
        let now = context.now();
        let import = Import {
            id: new_id("imp", now),
            organization: organization.to_owned(),
            campaign: new.campaign,
            format: new.format.name().to_owned(),
            layout: None,
            mapping,
            approve: new.approve,
            start: new.start,
            state: ImportState::Receiving,
            trouble: None,
            bytes: 0,
            at: Default::default(),
            check: None,
            counts: Default::default(),
            remarks: Vec::new(),
            used: Vec::new(),
            ignored: Vec::new(),
            by: context.actor.as_deref().cloned(),
            created: now,
            started: None,
            ended: None,
        };
        let pointer = Pointer { id: import.id.clone(), organization: organization.to_owned(), until: None };
        let file = source_name(&import.id)?;
        // From here on dropping it cleans up.
        let upload = Self {
            context: context.clone(),
            file,
            format: new.format,
            decode: Decode::default(),
            header: Some(CsvRows::default()),
            buffer: Vec::with_capacity(PIECE),
            bytes: 0,
            kept: false,
            import,
        };
        context.store.commit(vec![records::put(&upload.import, 0)?, records::put(&pointer, 0)?], Vec::new()).await?;
        context.spool()?.create(&upload.file).await.map_err(spool_error)?;
        Ok(upload)
    }

    /// Takes the next piece of the file. An error means that it is no such file, or that nothing more is taken: drop the upload.
    pub async fn push(&mut self, piece: &[u8]) -> Result<(), ServiceError> {
        for part in piece.chunks(PIECE) {
            let from = self.buffer.len();
            self.decode.push(part, &mut self.buffer);
            self.look_for_header(from)?;
            if self.buffer.len() >= PIECE {
                self.flush().await?;
            }
        }
        Ok(())
    }

    /// The whole file is here: it and the import are on disk when this returns, and the check begins.
    pub async fn finish(mut self) -> Result<Versioned<Import>, ServiceError> {
        let from = self.buffer.len();
        std::mem::take(&mut self.decode).finish(&mut self.buffer);
        self.look_for_header(from)?;
        if let Some(mut header) = self.header.take() {
            let mut rows = Vec::new();
            header.finish(&mut |row| rows.push(row)).map_err(|e| ServiceError::invalid("file", e.to_string()))?;
            let Some(row) = rows.first() else {
                return Err(ServiceError::invalid("file", "the file is empty: a line with the names of the columns is needed"));
            };
            self.take_header(&Layout::of(&self.format, row)?);
        }
        self.flush().await?;
        let spool = self.context.spool()?.clone();
        spool.sync(&self.file).await.map_err(spool_error)?;
        let mut import = self.import.clone();
        import.state = ImportState::Checking;
        import.bytes = self.bytes;
        let details = [("campaign", import.campaign.clone()), ("format", import.format.clone()), ("bytes", import.bytes.to_string())];
        let log = audit::entry(&self.context, &import.organization, "import.created", &import.id, &details)?;
        match self.context.store.commit(vec![records::put(&import, 1)?, log], Vec::new()).await {
            Ok(_) => {}
            Err(crm_store::StoreError::Conflict) => {
                // The record of the cancelled import stays; its file goes.
                self.kept = true;
                spool.delete(&self.file).await.map_err(spool_error)?;
                return Err(ServiceError::conflict("import_ended", "the import was cancelled while its file arrived"));
            }
            Err(error) => return Err(error.into()),
        }
        self.kept = true;
        self.context.imports.post(Which { organization: import.organization.clone(), id: import.id.clone() });
        Ok(Versioned { value: import, version: 2 })
    }

    /// Reads on until the header is there. `from`: what of the buffer was not looked at yet.
    fn look_for_header(&mut self, from: usize) -> Result<(), ServiceError> {
        let Some(header) = &mut self.header else { return Ok(()) };
        let mut first = None;
        header
            .push(&self.buffer[from..], &mut |row| {
                first.get_or_insert(row);
            })
            .map_err(|error| ServiceError::invalid("file", error.to_string()))?;
        if let Some(row) = first {
            self.header = None;
            self.take_header(&Layout::of(&self.format, &row)?);
        }
        Ok(())
    }

    fn take_header(&mut self, layout: &Layout) {
        self.import.layout = Some(layout.format.to_owned());
        self.import.columns(&layout.used(), &layout.ignored());
    }

    async fn flush(&mut self) -> Result<(), ServiceError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE));
        self.bytes += bytes.len() as u64;
        self.context.spool()?.append(&self.file, bytes).await.map_err(spool_error)?;
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let (context, file) = (self.context.clone(), self.file.clone());
        let (organization, id) = (self.import.organization.clone(), self.import.id.clone());
        // A client that went away: its request is no more, and somebody has to clear up.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { discard(&context, &organization, &id, &file).await });
        }
    }
}

/// Deletes what an upload that broke off left: file, record, pointer.
pub(super) async fn discard(context: &Context, organization: &str, id: &str, file: &SpoolName) {
    if let Some(spool) = &context.spool
        && let Err(error) = spool.delete(file).await
    {
        tracing::warn!(import = id, %error, "the file of an upload that broke off could not be deleted; the next start does it");
    }
    let gone =
        |organization: &str| Put::delete(RecordKey { organization: organization.to_owned(), kind: Import::KIND, id: id.to_owned() }, None);
    if let Err(error) = context.store.commit(vec![gone(organization), gone("")], Vec::new()).await {
        tracing::debug!(import = id, %error, "the record of an upload that broke off stays until the next start");
    }
}
