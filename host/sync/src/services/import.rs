//! Importing affiliates from another platform's CSV export, row by row, as the file arrives: a bad row is reported and
//! passed over, a known one is a duplicate, and memory stays bounded however long the file is.

use std::collections::HashSet;

use crm_store::StoreError;
use crm_store::model::Put;

use super::affiliates::{NewAffiliate, checked, conflict};
use super::csv_rows::{CsvError, CsvRows, Row};
use super::records::put;
use super::{ServiceError, campaigns};
use crate::context::Context;
use crate::domain::{Affiliate, AffiliateStatus, normalise_email};

/// What the import did with the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Rows after the header, blank ones left out.
    pub rows: u64,
    pub created: u64,
    pub duplicates: u64,
    pub errors: u64,
    /// The first [`MOST_REMARKS`] rows that were not created, in order.
    pub remarks: Vec<RowRemark>,
    /// Columns that were read, and those that were not, as the header spells them.
    pub used: Vec<String>,
    pub ignored: Vec<String>,
    /// Why reading stopped before the end of the file; rows up to there are in.
    pub stopped: Option<String>,
}

/// Why one row made no affiliate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowRemark {
    /// As a spreadsheet counts: the header is row 1.
    pub row: u64,
    /// The column to look at, as the header spells it.
    pub column: String,
    pub message: String,
    /// The affiliate that the row repeats; `None` = an error.
    pub duplicate_of: Option<String>,
}

pub const MOST_REMARKS: usize = 1_000;

/// Puts in one write.
const BATCH: usize = 256;

/// What a column means. Names are compared without case, blanks and punctuation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Column {
    First,
    Last,
    Full,
    Email,
    Company,
    Token,
    State,
}

const COLUMNS: &[(&str, Column)] = &[
    ("firstname", Column::First),
    ("lastname", Column::Last),
    ("name", Column::Full),
    ("fullname", Column::Full),
    ("email", Column::Email),
    ("emailaddress", Column::Email),
    ("company", Column::Company),
    ("companyname", Column::Company),
    ("token", Column::Token),
    ("linktoken", Column::Token),
    ("state", Column::State),
    ("status", Column::State),
];

/// An import under way: hand it the file piece by piece, then [`finish`](Self::finish).
pub struct Import<'a> {
    context: &'a Context,
    organization: &'a str,
    campaign: &'a str,
    csv: CsvRows,
    header: Option<Vec<(String, Option<Column>)>>,
    pending: Vec<(u64, Affiliate)>,
    /// Names taken by rows of the batch that is not written yet.
    names: HashSet<(String, String)>,
    result: Imported,
}

impl<'a> Import<'a> {
    /// Begins an import into a campaign of this organization, in the layout of Rewardful's exports and imports.
    pub async fn begin(context: &'a Context, organization: &'a str, campaign: &'a str) -> Result<Self, ServiceError> {
        campaigns::get(context, organization, campaign).await?;
        Ok(Self {
            context,
            organization,
            campaign,
            csv: CsvRows::default(),
            header: None,
            pending: Vec::new(),
            names: HashSet::new(),
            result: Imported::default(),
        })
    }

    /// Takes the next piece of the file. An error means that the store refuses work or that this is no such file;
    /// batches before it are in.
    pub async fn push(&mut self, piece: &[u8]) -> Result<(), ServiceError> {
        if self.result.stopped.is_some() {
            return Ok(());
        }
        // Small pieces, so that the rows in hand stay few however large the caller's pieces are.
        for part in piece.chunks(64 * 1024) {
            let mut rows = Vec::new();
            let read = self.csv.push(part, &mut |row| rows.push(row));
            self.rows(rows).await?;
            self.stop_on(read);
        }
        Ok(())
    }

    /// Ends the file and answers what came of it.
    pub async fn finish(mut self) -> Result<Imported, ServiceError> {
        if self.result.stopped.is_none() {
            let mut rows = Vec::new();
            let read = self.csv.finish(&mut |row| rows.push(row));
            self.rows(rows).await?;
            self.stop_on(read);
        }
        self.write().await?;
        if self.header.is_none() && self.result.stopped.is_none() {
            return Err(ServiceError::invalid("file", "the file is empty: a header line with the column Email is needed"));
        }
        self.result.remarks.sort_by_key(|r| r.row);
        Ok(self.result)
    }

    fn stop_on(&mut self, read: Result<(), CsvError>) {
        if let Err(error) = read
            && self.result.stopped.is_none()
        {
            self.result.stopped = Some(error.to_string());
        }
    }

    async fn rows(&mut self, rows: Vec<Row>) -> Result<(), ServiceError> {
        for row in rows {
            if self.header.is_none() {
                self.take_header(&row)?;
            } else if row.cells.iter().any(|c| !c.trim_ascii().is_empty()) {
                self.take_row(&row).await?;
            }
        }
        Ok(())
    }

    fn take_header(&mut self, row: &Row) -> Result<(), ServiceError> {
        let mut header: Vec<(String, Option<Column>)> = Vec::new();
        for cell in &row.cells {
            let name = String::from_utf8_lossy(cell).trim().to_owned();
            let plain: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
            let column = COLUMNS.iter().find(|(known, _)| *known == plain).map(|(_, column)| *column);
            // The first column of a meaning counts, a second one is left alone.
            let column = column.filter(|c| !header.iter().any(|(_, have)| have == &Some(*c)));
            header.push((name, column));
        }
        if !header.iter().any(|(_, column)| column == &Some(Column::Email)) {
            let names: Vec<&str> = header.iter().map(|(name, _)| name.as_str()).take(20).collect();
            return Err(ServiceError::invalid("file", format!("the header has no column Email; its columns are: {}", names.join(", "))));
        }
        for (name, column) in &header {
            if column.is_some() { self.result.used.push(name.clone()) } else { self.result.ignored.push(name.clone()) }
        }
        self.header = Some(header);
        Ok(())
    }

    async fn take_row(&mut self, row: &Row) -> Result<(), ServiceError> {
        self.result.rows += 1;
        let affiliate = match self.read_row(row) {
            Ok(affiliate) => affiliate,
            Err((column, message)) => {
                self.remark(row.number, column, message, None);
                return Ok(());
            }
        };
        if let Some(error) = conflict(self.context, &affiliate).await? {
            self.taken(row.number, &affiliate, &error);
            return Ok(());
        }
        let unique = super::records::Document::unique(&affiliate);
        if let Some((namespace, _)) = unique.iter().find(|name| self.names.contains(*name)) {
            let earlier = self.pending.iter().find(|(_, other)| super::records::Document::unique(other).iter().any(|n| unique.contains(n)));
            let by = earlier.map(|(_, other)| other.id.clone()).unwrap_or_default();
            let field = if namespace == "slug" { "slug" } else { "email" };
            self.taken(row.number, &affiliate, &ServiceError::Taken { field, by });
            return Ok(());
        }
        self.names.extend(unique);
        self.pending.push((row.number, affiliate));
        if self.pending.len() >= BATCH { self.write().await } else { Ok(()) }
    }

    fn read_row(&self, row: &Row) -> Result<Affiliate, (Column, String)> {
        let header = self.header.as_deref().unwrap_or_default();
        let cell = |wanted: Column| -> Result<Option<String>, (Column, String)> {
            let index = header.iter().position(|(_, column)| column == &Some(wanted));
            let Some(bytes) = index.and_then(|i| row.cells.get(i)) else { return Ok(None) };
            let text = std::str::from_utf8(bytes).map_err(|_| (wanted, "is not valid UTF-8".to_owned()))?.trim();
            // Exports made safe against spreadsheet formulas carry this quote; it is not part of the value.
            let text = match text.strip_prefix('\'') {
                Some(rest) if rest.starts_with(['=', '+', '-', '@']) => rest,
                _ => text,
            };
            Ok(Some(text.to_owned()).filter(|t| !t.is_empty()))
        };
        let status = status(cell(Column::State)?.as_deref()).map_err(|message| (Column::State, message))?;
        let new = NewAffiliate {
            email: cell(Column::Email)?.unwrap_or_default(),
            first: cell(Column::First)?,
            last: cell(Column::Last)?,
            full: cell(Column::Full)?,
            company: cell(Column::Company)?,
            slug: cell(Column::Token)?,
            consent: None,
        };
        let mut affiliate = checked(self.organization, self.campaign, self.context.now(), new).map_err(|error| {
            let field = match &error {
                ServiceError::Invalid(fields) => fields.first().map_or("", |f| f.field.as_str()).to_owned(),
                _ => String::new(),
            };
            (column_of(&field), error.to_string())
        })?;
        affiliate.status = status;
        Ok(affiliate)
    }

    /// Writes the batch. Should someone else take a name in between, each row is written on its own.
    async fn write(&mut self) -> Result<(), ServiceError> {
        let batch = std::mem::take(&mut self.pending);
        self.names.clear();
        if batch.is_empty() {
            return Ok(());
        }
        let puts = batch.iter().map(|(_, affiliate)| put(affiliate, 0)).collect::<Result<Vec<Put>, _>>()?;
        match self.context.store.commit(puts, Vec::new()).await {
            Ok(_) => {
                self.result.created += batch.len() as u64;
                return Ok(());
            }
            Err(StoreError::Taken { .. } | StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        for (row, affiliate) in batch {
            match self.context.store.commit(vec![put(&affiliate, 0)?], Vec::new()).await {
                Ok(_) => self.result.created += 1,
                Err(StoreError::Taken { namespace, by }) => {
                    let field = if namespace == "slug" { "slug" } else { "email" };
                    self.taken(row, &affiliate, &ServiceError::Taken { field, by });
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// An e-mail that is there already is a duplicate; a referral token that belongs to someone else is an error.
    fn taken(&mut self, row: u64, affiliate: &Affiliate, error: &ServiceError) {
        match error {
            ServiceError::Taken { field: "slug", .. } => {
                let slug = affiliate.slug.as_deref().unwrap_or_default();
                self.remark(row, Column::Token, format!("the token {slug:?} belongs to another affiliate of this campaign"), None);
            }
            ServiceError::Taken { by, .. } => {
                let message = format!("{} is already in this campaign", normalise_email(&affiliate.email));
                self.remark(row, Column::Email, message, Some(by.clone()));
            }
            other => self.remark(row, Column::Email, other.to_string(), None),
        }
    }

    fn remark(&mut self, row: u64, column: Column, message: String, duplicate_of: Option<String>) {
        if duplicate_of.is_some() {
            self.result.duplicates += 1
        } else {
            self.result.errors += 1
        }
        if self.result.remarks.len() < MOST_REMARKS {
            let header = self.header.as_deref().unwrap_or_default();
            let column = header.iter().find(|(_, have)| have == &Some(column)).map(|(name, _)| name.clone()).unwrap_or_default();
            self.result.remarks.push(RowRemark { row, column, message, duplicate_of });
        }
    }
}

fn column_of(field: &str) -> Column {
    match field {
        "first" => Column::First,
        "last" => Column::Last,
        "full" => Column::Full,
        "company" => Column::Company,
        "slug" => Column::Token,
        _ => Column::Email,
    }
}

/// Whom the old platform had switched off must not be approved with "all pending": they come in paused or removed.
fn status(state: Option<&str>) -> Result<AffiliateStatus, String> {
    match state.unwrap_or_default().to_lowercase().as_str() {
        "" | "active" | "approved" | "enabled" | "confirmed" | "pending" | "unconfirmed" | "invited" | "new" => {
            Ok(AffiliateStatus::Pending)
        }
        "disabled" | "inactive" | "paused" | "suspended" | "suspicious" => Ok(AffiliateStatus::Paused),
        "removed" | "deleted" | "archived" => Ok(AffiliateStatus::Removed),
        "rejected" | "denied" | "declined" => Ok(AffiliateStatus::Rejected),
        other => Err(format!("the state {other:?} is not known")),
    }
}
