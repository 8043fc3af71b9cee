//! Inviting the people of a CSV file: columns `Email` and `Name`, by name. Bad rows are reported and passed over.

use super::MOST_ROWS;
use super::bulk::{self, Done, Order, Person, Sent};
use crate::context::Context;
use crate::services::csv_decode::Decode;
use crate::services::csv_out::unguarded;
use crate::services::csv_rows::{CsvRows, Row};
use crate::services::{FieldError, ServiceError};

/// A whole file, in bytes.
pub const FILE_BYTES: usize = 4 * 1024 * 1024;

/// What became of a file. No `Debug`: it holds links.
pub struct Invited {
    /// In the order of the file; blank rows are left out.
    pub sent: Vec<Sent>,
    /// Columns that were not read, as the header spells them.
    pub ignored: Vec<String>,
}

/// Invites the people of a file, as [`super::invite`] does those of a list; a row that cannot be used keeps no other from being invited.
pub async fn invite_file(context: &Context, organization: &str, order: Order, file: &[u8]) -> Result<Invited, ServiceError> {
    let terms = bulk::terms(context, organization, order).await?;
    let (mut decode, mut text) = (Decode::default(), Vec::with_capacity(file.len()));
    decode.push(file, &mut text);
    decode.finish(&mut text);
    let mut rows = Rows::default();
    let mut csv = CsvRows::default();
    let read = csv.push(&text, &mut |row| rows.take(&row)).and_then(|()| csv.finish(&mut |row| rows.take(&row)));
    read.map_err(|error| ServiceError::invalid("file", error.to_string()))?;
    let Rows { columns: Some(columns), people, unreadable, more } = rows else {
        return Err(ServiceError::invalid("file", "the file is empty: a header line with the column Email is needed"));
    };
    if columns.email.is_none() {
        let names = columns.ignored.join(", ");
        return Err(ServiceError::invalid("file", format!("the header has no column Email; its columns are: {names}")));
    }
    if more {
        return Err(ServiceError::invalid("file", format!("at most {MOST_ROWS} rows at once")));
    }
    let (good, mut rest) = bulk::told_apart(people);
    rest.extend(unreadable);
    let sent = bulk::all(context, organization, &terms, good, rest).await?;
    Ok(Invited { sent, ignored: columns.ignored })
}

#[derive(Default)]
struct Rows {
    columns: Option<Columns>,
    people: Vec<(u64, Person)>,
    unreadable: Vec<Sent>,
    /// There were more than are taken.
    more: bool,
}

struct Columns {
    email: Option<usize>,
    name: Option<usize>,
    ignored: Vec<String>,
}

impl Rows {
    fn take(&mut self, row: &Row) {
        let Some(columns) = &self.columns else {
            self.columns = Some(header(row));
            return;
        };
        if row.is_blank() {
            return;
        }
        if self.people.len() + self.unreadable.len() == MOST_ROWS {
            self.more = true;
            return;
        }
        let cell = |place: Option<usize>| place.and_then(|at| row.cell(at)).unwrap_or_default();
        let bytes = [("email", cell(columns.email)), ("name", cell(columns.name))];
        // What the decoder could not read is the sign for that.
        let readable = |cell: &[u8]| std::str::from_utf8(cell).is_ok_and(|text| !text.contains('\u{fffd}'));
        match bytes.iter().find(|(_, cell)| !readable(cell)) {
            Some((field, _)) => {
                let wrong = FieldError { field: (*field).to_owned(), message: "holds what is no text; save the file as UTF-8".to_owned() };
                self.unreadable.push(Sent { place: row.number, email: text(bytes[0].1), done: Done::Wrong(vec![wrong]) });
            }
            None => self.people.push((row.number, Person { email: text(bytes[0].1), name: Some(text(bytes[1].1)) })),
        }
    }
}

/// A cell's text. The quote that guards a spreadsheet against formulas is no part of the value.
fn text(cell: &[u8]) -> String {
    unguarded(String::from_utf8_lossy(cell).trim()).to_owned()
}

/// Names of columns are compared without case, blanks and punctuation; the first of a meaning counts.
fn header(row: &Row) -> Columns {
    let mut columns = Columns { email: None, name: None, ignored: Vec::new() };
    for (place, cell) in row.cells().enumerate() {
        let name = text(cell);
        let plain: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        let slot = match plain.as_str() {
            "email" | "emailaddress" => Some(&mut columns.email),
            "name" | "fullname" => Some(&mut columns.name),
            _ => None,
        };
        match slot {
            Some(slot @ None) => *slot = Some(place),
            _ => columns.ignored.push(name.chars().take(100).collect()),
        }
    }
    columns
}
