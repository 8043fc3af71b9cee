//! An import as it is kept: what was asked, how far it is, what came of it so far. Within 8 KiB however odd the file is, so that lists of
//! names and messages are cut here. And the pointer by which the host finds imports of all organizations.

use std::collections::BTreeMap;

use crm_store::model::{Kind, RecordKey};
use serde::{Deserialize, Serialize};

use crate::domain::Actor;
use crate::services::records::Document;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Import {
    pub id: String,
    pub organization: String,
    pub campaign: String,
    /// As asked: `auto`, a platform, `custom`.
    pub format: String,
    /// As recognised by the header.
    pub layout: Option<String>,
    /// Column name -> field, where the format is `custom`.
    #[serde(default)]
    pub mapping: BTreeMap<String, String>,
    /// Who was active comes in as approved, with syncs; else as pending.
    pub approve: bool,
    /// Goes on by itself after the check.
    pub start: bool,
    pub state: ImportState,
    /// Why it failed.
    pub trouble: Option<String>,
    /// Of the file as kept: UTF-8 without a mark.
    pub bytes: u64,
    /// How far the present phase is; both phases begin at the beginning.
    pub at: Checkpoint,
    /// What the check expects; `None` = not checked yet.
    pub check: Option<Counts>,
    /// Of the present phase.
    pub counts: Counts,
    /// The first errors of the present phase.
    pub remarks: Vec<Remark>,
    pub used: Vec<String>,
    pub ignored: Vec<String>,
    /// Who sent the file.
    pub by: Option<Actor>,
    pub created: u64,
    pub started: Option<u64>,
    /// When it finished, failed or was cancelled.
    pub ended: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportState {
    /// The file is arriving.
    Receiving,
    /// Every row is read and compared; nothing is written.
    Checking,
    /// Waits for its start.
    Checked,
    Running,
    Finished,
    Failed,
    /// What was imported before stays.
    Cancelled,
}

impl ImportState {
    pub fn is_final(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Cancelled)
    }

    /// As the API spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Receiving => "receiving",
            Self::Checking => "checking",
            Self::Checked => "checked",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Everything before it is done, everything behind it is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Bytes of the file.
    pub offset: u64,
    /// The last row before `offset`, as a spreadsheet counts.
    pub row: u64,
    /// Bytes of the result file.
    pub results: u64,
}

/// Each row is counted once in `rows` and once in one of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Rows after the header, blank ones left out.
    pub rows: u64,
    /// New affiliates.
    pub created: u64,
    /// Affiliates of the organization that are in this campaign now, and were not before.
    pub joined: u64,
    /// In this campaign already, or in an earlier row.
    pub duplicates: u64,
    pub errors: u64,
}

impl Counts {
    /// As the audit log and webhooks spell them.
    pub(crate) fn named(self) -> [(&'static str, u64); 5] {
        let Self { rows, created, joined, duplicates, errors } = self;
        [("rows", rows), ("created", created), ("joined", joined), ("duplicates", duplicates), ("errors", errors)]
    }
}

/// Why one row was not imported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// As a spreadsheet counts: the header is row 1.
    pub row: u64,
    /// The column to look at, as the header spells it; may be empty.
    pub column: String,
    pub message: String,
}

const MOST_REMARKS: usize = 20;
/// Bytes of all remarks, of all names of columns of one kind, and of the reason of a failure.
const REMARK_BYTES: usize = 2_400;
const NAME_BYTES: usize = 900;
const TROUBLE_BYTES: usize = 400;
/// Of a mapping, as the API documents it.
pub const MAPPING_BYTES: usize = 1_500;

impl Import {
    /// Keeps a remark if there is room for it.
    pub fn remark(&mut self, row: u64, column: &str, message: &str) {
        let remark = Remark { row, column: cut(column, 80), message: cut(message, 200) };
        let have: usize = self.remarks.iter().map(|r| r.column.len() + r.message.len()).sum();
        if self.remarks.len() < MOST_REMARKS && have + remark.column.len() + remark.message.len() <= REMARK_BYTES {
            self.remarks.push(remark);
        }
    }

    pub fn columns(&mut self, used: &[String], ignored: &[String]) {
        self.used = some(used);
        self.ignored = some(ignored);
    }

    pub fn failed(&mut self, why: &str) {
        self.state = ImportState::Failed;
        self.trouble = Some(cut(why, TROUBLE_BYTES));
    }
}

/// As many names as there is room for; a last one says that there are more.
fn some(names: &[String]) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    let mut bytes = 0;
    for name in names {
        let name = cut(name, 80);
        bytes += name.len();
        if bytes > NAME_BYTES || kept.len() >= 60 {
            kept.push("...".to_owned());
            break;
        }
        kept.push(name);
    }
    kept
}

/// At most so many bytes of a text, whole characters.
fn cut(text: &str, bytes: usize) -> String {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text[..end].to_owned()
}

/// In the namespace of this name every import that has not ended is found.
pub(super) const OPEN: &str = "open";

impl Document for Import {
    const KIND: Kind = Kind::Import;
    const NAME: &'static str = "import";
    fn key(&self) -> RecordKey {
        RecordKey { organization: self.organization.clone(), kind: Self::KIND, id: self.id.clone() }
    }
    fn unique(&self) -> Vec<(String, String)> {
        if self.state.is_final() { Vec::new() } else { vec![(OPEN.to_owned(), self.id.clone())] }
    }
}

/// Says to whom an import belongs, outside of all organizations: kept while there are files of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Pointer {
    pub(super) id: String,
    pub(super) organization: String,
    /// When the result file is deleted, and this with it. `None` = the import has not ended.
    pub(super) until: Option<u64>,
}

impl Document for Pointer {
    const KIND: Kind = Kind::Import;
    const NAME: &'static str = "import";
    fn key(&self) -> RecordKey {
        RecordKey { organization: String::new(), kind: Self::KIND, id: self.id.clone() }
    }
    fn unique(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ActorKind;

    #[test]
    fn the_oddest_import_fits_into_a_record() {
        let wide = "\u{1f600}".repeat(200);
        let id = "x".repeat(64);
        let mapping = (0..12).map(|n| (format!("{n}{}", "é".repeat(58)), "company".to_owned())).collect();
        let mut import = Import {
            id: id.clone(),
            organization: id.clone(),
            campaign: id.clone(),
            format: "firstpromoter".into(),
            layout: Some("firstpromoter".into()),
            mapping,
            approve: true,
            start: true,
            state: ImportState::Running,
            trouble: None,
            bytes: u64::MAX,
            at: Checkpoint { offset: u64::MAX, row: u64::MAX, results: u64::MAX },
            check: Some(Counts { rows: u64::MAX, created: u64::MAX, joined: u64::MAX, duplicates: u64::MAX, errors: u64::MAX }),
            counts: Counts { rows: u64::MAX, created: u64::MAX, joined: u64::MAX, duplicates: u64::MAX, errors: u64::MAX },
            remarks: Vec::new(),
            used: Vec::new(),
            ignored: Vec::new(),
            by: Some(Actor { kind: ActorKind::ApiKey, id: id.clone(), ip: Some(id.clone()), request: Some("x".repeat(200)) }),
            created: u64::MAX,
            started: Some(u64::MAX),
            ended: Some(u64::MAX),
        };
        for n in 0..100 {
            import.remark(n, &wide, &wide);
        }
        let names = vec![wide.clone(); 200];
        import.columns(&names, &names);
        import.failed(&"\u{1f600}".repeat(1_000));
        let json = serde_json::to_string(&import).unwrap();
        assert!(json.len() <= 8 * 1024, "{} bytes", json.len());
        assert!(!import.remarks.is_empty() && import.used.last().is_some_and(|last| last == "..."));
    }
}
