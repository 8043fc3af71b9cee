//! What the columns of a file mean: the exports of other affiliate platforms as tables, or the merchant's own mapping. A header becomes a
//! [`Layout`], which reads rows into [`Values`]. Names of columns are compared without case, blanks and punctuation.
//!
//! Whether a value is acceptable is not decided here.

mod platforms;
mod values;

use std::collections::BTreeMap;

use crate::domain::AffiliateStatus;
use crate::services::ServiceError;
use crate::services::csv_rows::Row;

pub use platforms::{PLATFORMS, Platform};

/// What a column can give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    Email,
    First,
    Last,
    Full,
    Company,
    Website,
    Slug,
    Coupon,
    Status,
    Joined,
}

impl Field {
    pub const ALL: [Self; 10] = [
        Self::Email,
        Self::First,
        Self::Last,
        Self::Full,
        Self::Company,
        Self::Website,
        Self::Slug,
        Self::Coupon,
        Self::Status,
        Self::Joined,
    ];

    /// As the API and a mapping spell it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::First => "first",
            Self::Last => "last",
            Self::Full => "full",
            Self::Company => "company",
            Self::Website => "website",
            Self::Slug => "slug",
            Self::Coupon => "coupon",
            Self::Status => "status",
            Self::Joined => "joined",
        }
    }

    fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.word() == word)
    }
}

/// How the columns of a file are to be understood.
#[derive(Clone, Debug, PartialEq)]
pub enum Format {
    /// Whichever platform's export the header looks like.
    Auto,
    Platform(&'static Platform),
    /// The merchant's own: column name -> field. Empty: columns that are called as our fields are.
    Custom(BTreeMap<String, Field>),
}

pub const AUTO: &str = "auto";
pub const CUSTOM: &str = "custom";

/// Columns that a mapping may name.
const MOST_MAPPED: usize = 50;

impl Format {
    /// From what a request names. `mapping` goes with `custom` only, and without a name it means `custom`.
    pub fn parse(name: Option<&str>, mapping: Option<&BTreeMap<String, String>>) -> Result<Self, ServiceError> {
        let name = name.map(str::trim).filter(|n| !n.is_empty()).unwrap_or(if mapping.is_some() { CUSTOM } else { AUTO });
        if let Some(mapping) = mapping {
            if name != CUSTOM {
                return Err(ServiceError::invalid("mapping", format!("a mapping goes with format=custom; {name:?} knows its own columns")));
            }
            return Ok(Self::Custom(checked_mapping(mapping)?));
        }
        match name {
            AUTO => Ok(Self::Auto),
            CUSTOM => Ok(Self::Custom(BTreeMap::new())),
            other => PLATFORMS.iter().find(|p| p.name == other).map(Self::Platform).ok_or_else(|| {
                let known: Vec<&str> = PLATFORMS.iter().map(|p| p.name).collect();
                ServiceError::invalid("format", format!("must be auto, custom or one of: {}", known.join(", ")))
            }),
        }
    }

    /// The mapping as it was given: column name -> the word of a field.
    pub fn mapping(&self) -> BTreeMap<String, String> {
        match self {
            Self::Custom(mapping) => mapping.iter().map(|(column, field)| (column.clone(), field.word().to_owned())).collect(),
            Self::Auto | Self::Platform(_) => BTreeMap::new(),
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Auto => AUTO,
            Self::Platform(platform) => platform.name,
            Self::Custom(_) => CUSTOM,
        }
    }
}

fn checked_mapping(mapping: &BTreeMap<String, String>) -> Result<BTreeMap<String, Field>, ServiceError> {
    if mapping.is_empty() || mapping.len() > MOST_MAPPED {
        return Err(ServiceError::invalid("mapping", format!("must name 1 to {MOST_MAPPED} columns")));
    }
    let mut checked = BTreeMap::new();
    for (column, word) in mapping {
        let Some(field) = Field::of(word) else {
            let known: Vec<&str> = Field::ALL.into_iter().map(Field::word).collect();
            return Err(ServiceError::invalid("mapping", format!("{word:?} is no field; there are: {}", known.join(", "))));
        };
        if column.chars().count() > 200 || plain(column).is_empty() {
            return Err(ServiceError::invalid("mapping", "a column's name must be 1 to 200 characters with a letter or digit among them"));
        }
        checked.insert(column.trim().to_owned(), field);
    }
    if !checked.values().any(|field| *field == Field::Email) {
        return Err(ServiceError::invalid("mapping", "one column must be mapped to email"));
    }
    Ok(checked)
}

/// A name by which columns are compared.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// What one row says, trimmed; blank counts as missing. Nothing is validated yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values {
    pub email: Option<String>,
    pub first: Option<String>,
    pub last: Option<String>,
    pub full: Option<String>,
    pub company: Option<String>,
    pub website: Option<String>,
    pub slug: Option<String>,
    pub coupon: Option<String>,
    /// How the person stood with the other platform.
    pub status: Option<AffiliateStatus>,
    /// Unix milliseconds. Missing also where the date could not be read: it is no reason to leave someone out.
    pub joined: Option<u64>,
}

/// A cell that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellError {
    pub field: Field,
    pub message: String,
}

/// A header, understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    pub format: &'static str,
    /// Every column as the header spells it.
    pub names: Vec<String>,
    /// For each field the columns that may give it, the best first.
    columns: Vec<(Field, Vec<usize>)>,
    states: &'static [(&'static str, AffiliateStatus)],
}

impl Layout {
    /// Reads the header. An error names the columns that were found.
    pub fn of(format: &Format, header: &Row) -> Result<Self, ServiceError> {
        let names: Vec<String> = header.cells().map(|cell| String::from_utf8_lossy(cell).trim().to_owned()).collect();
        let plains: Vec<String> = names.iter().map(|name| plain(name)).collect();
        let layout = match format {
            Format::Platform(platform) => platform.layout(&plains),
            Format::Auto => platforms::detect(&plains).ok_or_else(|| unknown(&names))?.layout(&plains),
            Format::Custom(mapping) if mapping.is_empty() => platforms::OWN.layout(&plains),
            Format::Custom(mapping) => {
                let mut columns = Vec::new();
                for (name, field) in mapping {
                    let Some(index) = plains.iter().position(|p| *p == plain(name)) else {
                        return Err(ServiceError::invalid("mapping", format!("the file has no column {name:?}; {}", listed(&names))));
                    };
                    columns.push((*field, vec![index]));
                }
                Self { format: CUSTOM, names: Vec::new(), columns: merged(columns), states: platforms::OWN.states }
            }
        };
        if layout.columns_of(Field::Email).is_empty() {
            return Err(ServiceError::invalid("file", format!("the header has no column for the e-mail address; {}", listed(&names))));
        }
        Ok(Self { names, ..layout })
    }

    /// Reads one row.
    pub fn read(&self, row: &Row) -> Result<Values, CellError> {
        let joined = self.cell(row, Field::Joined).ok().flatten().and_then(|text| values::date(&text));
        Ok(Values {
            email: self.cell(row, Field::Email)?,
            first: self.cell(row, Field::First)?,
            last: self.cell(row, Field::Last)?,
            full: self.cell(row, Field::Full)?,
            company: self.cell(row, Field::Company)?,
            website: self.cell(row, Field::Website)?,
            slug: self.cell(row, Field::Slug)?.map(|text| values::slug(&text)),
            coupon: self.cell(row, Field::Coupon)?,
            status: self.status(row)?,
            joined,
        })
    }

    /// Columns that are read, in the file's order.
    pub fn used(&self) -> Vec<String> {
        self.split(true)
    }

    /// Columns that are passed over, in the file's order.
    pub fn ignored(&self) -> Vec<String> {
        self.split(false)
    }

    /// The column that gives a field, as the header spells it; of several the best. Empty = there is none.
    pub fn column(&self, field: Field) -> &str {
        self.columns_of(field).first().and_then(|index| self.names.get(*index)).map_or("", String::as_str)
    }

    fn split(&self, used: bool) -> Vec<String> {
        let is_used = |index: &usize| self.columns.iter().any(|(_, columns)| columns.contains(index));
        self.names.iter().enumerate().filter(|(index, _)| is_used(index) == used).map(|(_, name)| name.clone()).collect()
    }

    fn columns_of(&self, field: Field) -> &[usize] {
        self.columns.iter().find(|(f, _)| *f == field).map_or(&[], |(_, columns)| columns.as_slice())
    }

    /// The first of a field's columns that is not blank.
    fn cell(&self, row: &Row, field: Field) -> Result<Option<String>, CellError> {
        for index in self.columns_of(field) {
            let text = row.cell(*index).unwrap_or_default();
            let text = values::text(text).map_err(|message| CellError { field, message: message.to_owned() })?;
            if text.is_some() {
                return Ok(text);
            }
        }
        Ok(None)
    }

    /// No column: whoever is in the file is active. A blank cell in such a column: nobody has decided yet.
    fn status(&self, row: &Row) -> Result<Option<AffiliateStatus>, CellError> {
        if self.columns_of(Field::Status).is_empty() {
            return Ok(None);
        }
        let Some(text) = self.cell(row, Field::Status)? else { return Ok(Some(AffiliateStatus::Pending)) };
        let state = plain(&text);
        match self.states.iter().find(|(known, _)| *known == state) {
            Some((_, status)) => Ok(Some(*status)),
            None => {
                let known: Vec<&str> = self.states.iter().map(|(known, _)| *known).collect();
                let message = format!("this state is not known; there are: {}", known.join(", "));
                Err(CellError { field: Field::Status, message })
            }
        }
    }
}

impl Platform {
    fn layout(&self, plains: &[String]) -> Layout {
        let mut columns = Vec::new();
        for (field, known) in self.columns {
            let found: Vec<usize> = known.iter().filter_map(|name| plains.iter().position(|p| p == name)).collect();
            // Two columns with states would contradict each other: the better one counts.
            let most = if *field == Field::Status { 1 } else { found.len() };
            columns.extend(found.into_iter().take(most).map(|index| (*field, vec![index])));
        }
        Layout { format: self.name, names: Vec::new(), columns: merged(columns), states: self.states }
    }
}

fn merged(columns: Vec<(Field, Vec<usize>)>) -> Vec<(Field, Vec<usize>)> {
    let mut merged: BTreeMap<Field, Vec<usize>> = BTreeMap::new();
    for (field, indexes) in columns {
        let known = merged.entry(field).or_default();
        known.extend(indexes.into_iter().filter(|index| !known.contains(index)).collect::<Vec<_>>());
    }
    merged.into_iter().collect()
}

fn unknown(names: &[String]) -> ServiceError {
    let known: Vec<&str> = PLATFORMS.iter().map(|p| p.name).collect();
    ServiceError::invalid(
        "file",
        format!(
            "this is no export that is known ({}); name the format, or send format=custom with a mapping. {}",
            known.join(", "),
            listed(names)
        ),
    )
}

/// The columns of a file for an error: enough of them to see what kind of file it is.
fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(20).map(|n| n.chars().take(40).collect()).collect();
    let more = if names.len() > shown.len() { ", ..." } else { "" };
    format!("its columns are: {}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests;
