//! Sealed rows. They arrive sealed: this thread sees ciphertext only.

use super::Halt;
use super::planner::{Planned, Planner};
use crate::port::StoreError;
use crate::rows::envelope::Write;
use crate::sealing::SealedRow;

impl Planner {
    pub(super) fn seal(&mut self, prefix: &[u8], rows: Vec<Vec<Write>>) -> Planned<()> {
        self.clear(prefix)?;
        for row in rows {
            self.stage.put_wrapped(row)?;
        }
        Ok(())
    }

    pub(super) fn save_token(&mut self, key: &[u8], expect: u64, rows: Vec<Write>) -> Planned<()> {
        let stored: Option<SealedRow> = self.stage.read(key)?;
        if stored.map_or(0, |row| row.version) != expect {
            return Err(Halt::Refuse(StoreError::Conflict));
        }
        self.stage.put_wrapped(rows)
    }

    /// A marker of another version is of a renewal that ended; one that ran out is of a host that died.
    pub(super) fn begin_renewal(&mut self, token: &[u8], marker: &[u8], expect: u64, now: u64, rows: Vec<Write>) -> Planned<bool> {
        let stored: Option<SealedRow> = self.stage.read(token)?;
        if stored.map_or(0, |row| row.version) != expect {
            return Err(Halt::Refuse(StoreError::Conflict));
        }
        let announced: Option<SealedRow> = self.stage.read(marker)?;
        if announced.is_some_and(|row| row.version == expect && row.until.is_some_and(|until| until > now)) {
            return Ok(false);
        }
        self.stage.put_wrapped(rows)?;
        Ok(true)
    }

    pub(super) fn end_renewal(&mut self, marker: Vec<u8>, expect: u64) -> Planned<()> {
        let announced: Option<SealedRow> = self.stage.read(&marker)?;
        if announced.is_some_and(|row| row.version == expect) { self.stage.delete(marker) } else { Ok(()) }
    }
}
