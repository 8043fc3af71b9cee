//! CSV as we write it: RFC 4180, rows ended by CRLF, and safe to open in a spreadsheet. A cell that a spreadsheet would take for a
//! formula gets an apostrophe in front, as OWASP advises; [`unguarded`] takes it off again, so that what we write reads back unchanged.
//!
//! Everything of ours that answers CSV writes it here.

/// Rows as bytes, to be taken out whenever there are enough of them.
#[derive(Debug, Default)]
pub struct CsvOut {
    bytes: Vec<u8>,
}

impl CsvOut {
    pub fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        let start = self.bytes.len();
        for (index, cell) in cells.into_iter().enumerate() {
            if index > 0 {
                self.bytes.push(b',');
            }
            self.cell(cell.as_ref());
        }
        if self.bytes.len() == start {
            // A row of one empty cell would be an empty line, which readers pass over.
            self.bytes.extend_from_slice(b"\"\"");
        }
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Bytes that wait to be taken.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The rows so far; what is written next begins anew.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    fn cell(&mut self, cell: &str) {
        let guard = if needs_guard(cell) { "'" } else { "" };
        // More than the standard asks for: readers that guess the delimiter must not guess one from inside a cell.
        let quoted = cell.contains([',', ';', '\t', '"', '\r', '\n']) || cell.trim() != cell;
        if !quoted {
            self.bytes.extend_from_slice(guard.as_bytes());
            self.bytes.extend_from_slice(cell.as_bytes());
            return;
        }
        self.bytes.push(b'"');
        self.bytes.extend_from_slice(guard.as_bytes());
        for byte in cell.bytes() {
            if byte == b'"' {
                self.bytes.push(b'"');
            }
            self.bytes.push(byte);
        }
        self.bytes.push(b'"');
    }
}

/// Whether a spreadsheet would take the cell for a formula, or we would take its apostrophe for our own. Spreadsheets of some countries
/// read the full-width signs like the others, and some pass over blanks in front.
fn needs_guard(cell: &str) -> bool {
    let after_quotes = cell.trim_start_matches('\'');
    if after_quotes.starts_with(['\t', '\r', '\n']) {
        return true;
    }
    let after_blanks = after_quotes.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}'));
    after_blanks.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '−', '﹢', '﹣', '﹦', '﹫'])
}

/// A cell as it was before it was guarded, here or by another program that follows the same advice.
pub fn unguarded(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if needs_guard(rest) => rest,
        _ => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::csv_rows::CsvRows;
    use proptest::prelude::*;

    fn written(rows: &[Vec<String>]) -> Vec<u8> {
        let mut out = CsvOut::default();
        for row in rows {
            out.row(row);
        }
        out.take()
    }

    #[test]
    fn cells_that_a_spreadsheet_would_run_are_made_harmless() {
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n1", "＝1", "＋1", "－1", "＠a", " =1", "\u{a0}=1", "\u{feff}=1"]
        {
            let bytes = written(&[vec![cell.to_owned()]]);
            let text = String::from_utf8(bytes).unwrap();
            let inner = text.trim_end_matches("\r\n").trim_start_matches('"');
            assert!(inner.starts_with('\''), "{cell:?} became {text:?}");
        }
        assert_eq!(written(&[vec!["a=1".into(), "O'Neil".into(), "'tis".into()]]), b"a=1,O'Neil,'tis\r\n");
    }

    #[test]
    fn rows_end_with_crlf_and_quotes_are_doubled() {
        let rows = [vec!["a,b".to_owned(), "say \"x\"".to_owned(), "two\nlines".to_owned(), String::new()], vec![String::new()]];
        assert_eq!(written(&rows), b"\"a,b\",\"say \"\"x\"\"\",\"two\nlines\",\r\n\"\"\r\n");
    }

    #[test]
    fn an_apostrophe_of_the_cell_itself_survives() {
        for cell in ["'=x", "''=x", "'", "''", "'a", "' =", "'\t"] {
            let mut out = CsvOut::default();
            out.cell(cell);
            let read = String::from_utf8(out.take()).unwrap();
            assert_eq!(unguarded(read.trim_matches('"')), cell, "{read:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_unchanged(
            rows in proptest::collection::vec(proptest::collection::vec("['=+@a＝,;\"\r\n\t é-]{0,8}", 3), 1..6)
        ) {
            let bytes = written(&rows);
            let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes.as_slice());
            let read: Vec<Vec<String>> =
                reader.records().map(|r| r.unwrap().iter().map(|c| unguarded(c).to_owned()).collect()).collect();
            prop_assert_eq!(&read, &rows);
            // Our own reader guesses the delimiter from the first line, as it would find it under a heading.
            let (mut own, mut read) = (CsvRows::default(), Vec::new());
            let headed = [b"a,b,c\r\n", bytes.as_slice()].concat();
            own.push(&headed, &mut |row| read.push(row)).unwrap();
            own.finish(&mut |row| read.push(row)).unwrap();
            let read: Vec<Vec<String>> = read[1..]
                .iter()
                .map(|row| row.cells().map(|c| unguarded(std::str::from_utf8(c).unwrap()).to_owned()).collect())
                .collect();
            prop_assert_eq!(&read, &rows);
        }
    }
}
