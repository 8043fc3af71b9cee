//! The rows of a spooled file, from any row boundary on, in memory that is bounded by a piece of the file.

use std::collections::VecDeque;

use crm_contract::spool::SpoolName;

use super::Checkpoint;
use super::formats::{Format, Layout};
use crate::context::Context;
use crate::services::csv_rows::{CsvError, CsvRows, Row};

/// Bytes read at once.
const PIECE: usize = 128 * 1024;

pub(super) struct Source {
    context: Context,
    file: SpoolName,
    csv: CsvRows,
    /// The next byte to read.
    at: u64,
    rows: VecDeque<Row>,
    ended: bool,
}

/// Why the file cannot be read on.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    #[error(transparent)]
    Csv(#[from] CsvError),
    #[error(transparent)]
    Spool(#[from] crm_contract::spool::SpoolError),
    #[error(transparent)]
    Service(#[from] crate::services::ServiceError),
}

impl Source {
    /// Opens the file behind a checkpoint; at the very beginning that is behind the header.
    pub(super) async fn open(context: &Context, file: SpoolName, format: &Format, at: Checkpoint) -> Result<(Self, Layout), SourceError> {
        let mut head =
            Self { context: context.clone(), file: file.clone(), csv: CsvRows::default(), at: 0, rows: VecDeque::new(), ended: false };
        let Some(header) = head.next().await? else {
            return Err(crate::services::ServiceError::invalid("file", "the file is empty").into());
        };
        let layout = Layout::of(format, &header)?;
        let at = if at.offset == 0 { Checkpoint { offset: header.end, row: header.number, results: 0 } } else { at };
        let csv = CsvRows::resume(head.csv.delimiter(), at.row, at.offset);
        Ok((Self { context: context.clone(), file, csv, at: at.offset, rows: VecDeque::new(), ended: false }, layout))
    }

    /// Reads until `count` rows wait, or the file ends; those that wait are not taken by this.
    pub(super) async fn fill(&mut self, count: usize) -> Result<(), SourceError> {
        while self.rows.len() < count && !self.ended {
            let piece = self.context.spool()?.read(&self.file, self.at, PIECE).await?;
            self.at += piece.len() as u64;
            let rows = &mut self.rows;
            if piece.is_empty() {
                self.ended = true;
                self.csv.finish(&mut |row| rows.push_back(row))?;
            } else {
                self.csv.push(&piece, &mut |row| rows.push_back(row))?;
            }
        }
        Ok(())
    }

    /// Rows that wait, in the file's order.
    pub(super) fn waiting(&self) -> impl ExactSizeIterator<Item = &Row> {
        self.rows.iter()
    }

    /// Lets go of the first `count` rows that wait.
    pub(super) fn done(&mut self, count: usize) {
        self.rows.drain(..count.min(self.rows.len()));
    }

    /// Whether nothing follows the rows that wait.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    async fn next(&mut self) -> Result<Option<Row>, SourceError> {
        self.fill(1).await?;
        Ok(self.rows.pop_front())
    }
}
