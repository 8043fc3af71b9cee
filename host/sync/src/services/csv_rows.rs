//! CSV as it arrives: pieces in, rows out, in memory that is bounded by one row. Copes with a byte order mark, with
//! semicolons and tabs for commas, and with any line ends.

/// Limits of one file, as the API documents them.
const LONGEST_ROW: usize = 256 * 1024;
const MOST_COLUMNS: usize = 200;
/// The first line decides the delimiter; it must end within this.
const LONGEST_HEAD: usize = 64 * 1024;

/// One record: its cells as bytes, and where it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// As a spreadsheet counts: the header is row 1.
    pub number: u64,
    pub cells: Vec<Vec<u8>>,
}

/// The file as a whole cannot be read on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CsvError {
    #[error("the file is UTF-16: save it as UTF-8 and send it again")]
    Utf16,
    #[error("row {0} is longer than {LONGEST_ROW} bytes: is a quotation mark missing?")]
    RowTooLong(u64),
    #[error("row {0} has more than {MOST_COLUMNS} columns")]
    TooManyColumns(u64),
}

/// A push parser.
pub struct CsvRows {
    core: Option<csv_core::Reader>,
    /// Bytes before the delimiter is known.
    head: Vec<u8>,
    out: Vec<u8>,
    out_len: usize,
    ends: Vec<usize>,
    ends_len: usize,
    number: u64,
}

impl Default for CsvRows {
    fn default() -> Self {
        Self { core: None, head: Vec::new(), out: vec![0; 4096], out_len: 0, ends: vec![0; MOST_COLUMNS + 1], ends_len: 0, number: 0 }
    }
}

impl CsvRows {
    /// Takes the next piece of the file; hands every row that is now complete to `take`.
    pub fn push(&mut self, piece: &[u8], take: &mut impl FnMut(Row)) -> Result<(), CsvError> {
        if piece.is_empty() {
            return Ok(());
        }
        if self.core.is_some() {
            return self.feed(piece, take);
        }
        self.head.extend_from_slice(piece);
        if self.head.contains(&b'\n') || self.head.contains(&b'\r') || self.head.len() > LONGEST_HEAD { self.begin(take) } else { Ok(()) }
    }

    /// Ends the file: the last row may lack its line end.
    pub fn finish(&mut self, take: &mut impl FnMut(Row)) -> Result<(), CsvError> {
        if self.core.is_none() {
            self.begin(take)?;
        }
        // An empty piece tells the parser that nothing follows; twice, as the first may only end the open row.
        self.feed(&[], take)?;
        self.feed(&[], take)
    }

    fn begin(&mut self, take: &mut impl FnMut(Row)) -> Result<(), CsvError> {
        let head = std::mem::take(&mut self.head);
        if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
            return Err(CsvError::Utf16);
        }
        let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
        let first_line = text.split(|b| *b == b'\n' || *b == b'\r').next().unwrap_or_default();
        let count = |delimiter: u8| first_line.iter().filter(|b| **b == delimiter).count();
        let delimiter = [b',', b';', b'\t'].into_iter().rev().max_by_key(|d| count(*d)).unwrap_or(b',');
        self.core = Some(csv_core::ReaderBuilder::new().delimiter(delimiter).build());
        if text.is_empty() { Ok(()) } else { self.feed(text, take) }
    }

    fn feed(&mut self, mut piece: &[u8], take: &mut impl FnMut(Row)) -> Result<(), CsvError> {
        use csv_core::ReadRecordResult as Read;
        let Some(core) = self.core.as_mut() else { return Ok(()) };
        loop {
            let (result, used, written, ended) = core.read_record(piece, &mut self.out[self.out_len..], &mut self.ends[self.ends_len..]);
            piece = &piece[used..];
            self.out_len += written;
            self.ends_len += ended;
            match result {
                Read::InputEmpty | Read::End => return Ok(()),
                Read::OutputFull if self.out.len() >= LONGEST_ROW => return Err(CsvError::RowTooLong(self.number + 1)),
                Read::OutputFull => self.out.resize((self.out.len() * 2).min(LONGEST_ROW), 0),
                Read::OutputEndsFull => return Err(CsvError::TooManyColumns(self.number + 1)),
                Read::Record => {
                    self.number += 1;
                    let mut cells = Vec::with_capacity(self.ends_len);
                    let mut start = 0;
                    for end in &self.ends[..self.ends_len] {
                        cells.push(self.out[start..*end].to_vec());
                        start = *end;
                    }
                    (self.out_len, self.ends_len) = (0, 0);
                    take(Row { number: self.number, cells });
                    if piece.is_empty() {
                        // Asking again with nothing in hand would end the file.
                        return Ok(());
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(pieces: &[&[u8]]) -> Result<Vec<Vec<String>>, CsvError> {
        let mut rows = Vec::new();
        let mut csv = CsvRows::default();
        let mut take = |row: Row| rows.push(row.cells.iter().map(|c| String::from_utf8_lossy(c).into_owned()).collect::<Vec<_>>());
        for piece in pieces {
            csv.push(piece, &mut take)?;
        }
        csv.finish(&mut take)?;
        Ok(rows)
    }

    #[test]
    fn quotes_line_ends_and_delimiters_are_understood() {
        let expected = vec![vec!["a", "b"], vec!["1,\n2", "\"x\""], vec!["", "é"]];
        for text in [
            "a,b\n\"1,\n2\",\"\"\"x\"\"\"\n,é\n",
            "\u{feff}a,b\r\n\"1,\n2\",\"\"\"x\"\"\"\r\n,é",
            "a;b\n\"1,\n2\";\"\"\"x\"\"\"\n;é\n",
            "a\tb\r\"1,\n2\"\t\"\"\"x\"\"\"\r\té",
        ] {
            assert_eq!(read(&[text.as_bytes()]).unwrap(), expected, "{text:?}");
        }
        assert!(read(&[b""]).unwrap().is_empty());
        assert_eq!(read(&["\u{feff}only".as_bytes()]).unwrap(), vec![vec!["only"]]);
    }

    #[test]
    fn a_missing_quotation_mark_does_not_eat_the_memory() {
        let long = format!("a,b\n\"{}", "x,y\n".repeat(100_000));
        assert_eq!(read(&[long.as_bytes()]), Err(CsvError::RowTooLong(2)));
        assert_eq!(read(&[",".repeat(300).as_bytes()]), Err(CsvError::TooManyColumns(1)));
        assert_eq!(read(&[&[0xff, 0xfe, b'a', 0, b'\n', 0]]), Err(CsvError::Utf16));
    }

    proptest! {
        #[test]
        fn where_the_pieces_are_cut_changes_nothing(text in "[a-c,;\"\r\n é]{0,120}", cuts in proptest::collection::vec(0usize..120, 0..6)) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut at = 0;
            for cut in cuts {
                pieces.push(&bytes[at..cut]);
                at = cut;
            }
            pieces.push(&bytes[at..]);
            prop_assert_eq!(read(&pieces), read(&[bytes]));
        }
    }
}
