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
}
