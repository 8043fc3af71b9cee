//! CSV as it arrives: pieces in, rows out, in memory that is bounded by one row. Copes with a byte order mark, with
//! semicolons and tabs for commas, and with any line ends. Every row knows where it ends, so that reading can go on there later.

/// Limits of one file, as the API documents them.
const LONGEST_ROW: usize = 256 * 1024;
const MOST_COLUMNS: usize = 200;
/// The commonest first: it wins where the first line has none.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];
/// The first line decides the delimiter; it must end within this.
const LONGEST_HEAD: usize = 64 * 1024;

/// One record: its cells as bytes, and where it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// As a spreadsheet counts: the first line is row 1, and empty lines count.
    pub number: u64,
    /// Bytes from the beginning of the file to the end of this row, its line end included.
    pub end: u64,
    data: Vec<u8>,
    ends: Vec<usize>,
}

impl Row {
    /// The bytes of one cell, counted from 0; a short row has no cell where a long one has.
    pub fn cell(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).and_then(|i| self.ends.get(i)).copied().unwrap_or(0);
        self.data.get(start..end)
    }

    pub fn cells(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.ends.len()).filter_map(|index| self.cell(index))
    }

    /// Whether every cell is empty or blank.
    pub fn is_blank(&self) -> bool {
        self.data.trim_ascii().is_empty()
    }
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
    delimiter: u8,
    /// Bytes before the delimiter is known.
    head: Vec<u8>,
    out: Vec<u8>,
    out_len: usize,
    ends: Vec<usize>,
    ends_len: usize,
    /// Rows and empty lines so far.
    number: u64,
    /// Bytes taken so far, from the beginning of the file.
    at: u64,
    /// Inside a row.
    open: bool,
    /// The last byte taken was the CR of an empty line: an LF now belongs to it.
    after_cr: bool,
    /// A row that ended with a CR at the end of a piece: an LF in the next one belongs to it.
    held: Option<Row>,
}

impl Default for CsvRows {
    fn default() -> Self {
        Self {
            core: None,
            delimiter: b',',
            head: Vec::new(),
            out: vec![0; 4096],
            out_len: 0,
            ends: vec![0; MOST_COLUMNS + 1],
            ends_len: 0,
            number: 0,
            at: 0,
            open: false,
            after_cr: false,
            held: None,
        }
    }
}

impl CsvRows {
    /// Goes on behind a row that was read before: `number` and `end` are that row's, and the next byte pushed is the one at `end`.
    pub fn resume(delimiter: u8, number: u64, end: u64) -> Self {
        Self { core: Some(reader(delimiter)), delimiter, number, at: end, ..Self::default() }
    }

    /// What parts the cells. Known once a row was handed out.
    pub fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// Takes the next piece of the file; hands every row that is now complete to `take`. Nothing may be pushed after an error.
    pub fn push(&mut self, piece: &[u8], take: &mut impl FnMut(Row)) -> Result<(), CsvError> {
        if piece.is_empty() {
            return Ok(());
        }
        if self.core.is_some() {
            return self.feed(piece, take);
        }
        self.head.extend_from_slice(piece);
        let (_, ended) = first_line(without_mark(&self.head));
        if ended || self.head.len() > LONGEST_HEAD { self.begin(take) } else { Ok(()) }
    }

    /// Ends the file: the last row may lack its line end.
    pub fn finish(&mut self, take: &mut impl FnMut(Row)) -> Result<(), CsvError> {
        if self.core.is_none() {
            self.begin(take)?;
        }
        if let Some(row) = self.held.take() {
            take(row);
        }
        let Some(core) = self.core.as_mut() else { return Ok(()) };
        // An empty piece tells the parser that nothing follows.
        let (result, _, _, ended) = core.read_record(&[], &mut self.out[self.out_len..], &mut self.ends[self.ends_len..]);
        self.ends_len += ended;
        match result {
            csv_core::ReadRecordResult::Record => take(self.row()),
            csv_core::ReadRecordResult::OutputEndsFull => return Err(CsvError::TooManyColumns(self.number + 1)),
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, take: &mut impl FnMut(Row)) -> Result<(), CsvError> {
        let head = std::mem::take(&mut self.head);
        if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
            return Err(CsvError::Utf16);
        }
        let text = without_mark(&head);
        self.at = (head.len() - text.len()) as u64;
        let (line, _) = first_line(text);
        let line = line.get(..LONGEST_HEAD).unwrap_or(line);
        let count = |delimiter: u8| line.iter().filter(|b| **b == delimiter).count();
        self.delimiter = DELIMITERS.into_iter().rev().max_by_key(|d| count(*d)).unwrap_or(b',');
        self.core = Some(reader(self.delimiter));
        self.feed(text, take)
    }

    fn feed(&mut self, mut piece: &[u8], take: &mut impl FnMut(Row)) -> Result<(), CsvError> {
        use csv_core::ReadRecordResult as Read;
        loop {
            piece = self.between_rows(piece, take);
            // Asking with nothing in hand would end the file.
            if piece.is_empty() {
                return Ok(());
            }
            let Some(core) = self.core.as_mut() else { return Ok(()) };
            let (result, used, written, ended) = core.read_record(piece, &mut self.out[self.out_len..], &mut self.ends[self.ends_len..]);
            let by_cr = piece[..used].last() == Some(&b'\r');
            piece = &piece[used..];
            self.at += used as u64;
            self.open = true;
            self.out_len += written;
            self.ends_len += ended;
            match result {
                Read::InputEmpty | Read::End => return Ok(()),
                Read::OutputFull if self.out.len() >= LONGEST_ROW => return Err(CsvError::RowTooLong(self.number + 1)),
                Read::OutputFull => self.out.resize((self.out.len() * 2).min(LONGEST_ROW), 0),
                Read::OutputEndsFull => return Err(CsvError::TooManyColumns(self.number + 1)),
                Read::Record => {
                    let row = self.row();
                    if by_cr { self.held = Some(row) } else { take(row) }
                }
            }
        }
    }

    /// Takes what stands between two rows: the second half of a line end, and empty lines. The parser would pass over them uncounted.
    fn between_rows<'a>(&mut self, mut piece: &'a [u8], take: &mut impl FnMut(Row)) -> &'a [u8] {
        while !self.open
            && let Some(first) = piece.first()
        {
            if let Some(mut row) = self.held.take() {
                if *first == b'\n' {
                    self.at += 1;
                    row.end = self.at;
                    piece = &piece[1..];
                }
                take(row);
                continue;
            }
            if !matches!(first, b'\n' | b'\r') {
                break;
            }
            if !(self.after_cr && *first == b'\n') {
                self.number += 1;
            }
            self.after_cr = *first == b'\r';
            self.at += 1;
            piece = &piece[1..];
        }
        piece
    }

    /// The row that the parser has just completed.
    fn row(&mut self) -> Row {
        self.number += 1;
        let ends = self.ends[..self.ends_len].to_vec();
        let data = self.out[..ends.last().copied().unwrap_or(0)].to_vec();
        (self.out_len, self.ends_len) = (0, 0);
        (self.open, self.after_cr) = (false, false);
        Row { number: self.number, end: self.at, data, ends }
    }
}

fn without_mark(head: &[u8]) -> &[u8] {
    head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head)
}

/// The first line that is not empty, and whether its end is there.
fn first_line(text: &[u8]) -> (&[u8], bool) {
    let is_end = |b: &u8| matches!(b, b'\n' | b'\r');
    let text = &text[text.iter().position(|b| !is_end(b)).unwrap_or(text.len())..];
    match text.iter().position(is_end) {
        Some(end) => (&text[..end], true),
        None => (text, false),
    }
}

/// A parser that stands at the beginning of a row.
fn reader(delimiter: u8) -> csv_core::Reader {
    let mut core = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
    // It would drop a byte order mark at the beginning of what it reads: after an empty line it no longer does. The mark of a file
    // is ours to drop, and one in the middle of a file is text.
    let _primed = core.read_record(b"\n", &mut [0; 1], &mut [0; 1]);
    core
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(pieces: &[&[u8]]) -> Result<Vec<Vec<String>>, CsvError> {
        let mut rows = Vec::new();
        let mut csv = CsvRows::default();
        let mut take = |row: Row| rows.push(row.cells().map(|c| String::from_utf8_lossy(c).into_owned()).collect::<Vec<_>>());
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

    #[test]
    fn rows_are_counted_as_a_spreadsheet_counts_them() {
        let text = b"\r\na;b\r\n\r\n\r\n\"x\ny\";1\n\nz\r\r2";
        for size in 1..text.len() {
            let rows = whole(text.chunks(size));
            assert_eq!(rows.iter().map(|r| r.number).collect::<Vec<_>>(), [2, 5, 7, 9], "pieces of {size}");
            assert_eq!(rows.iter().map(|r| r.end).collect::<Vec<_>>(), [7, 19, 22, 24], "pieces of {size}");
        }
    }

    fn whole<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Row> {
        let (mut csv, mut rows) = (CsvRows::default(), Vec::new());
        for piece in pieces {
            csv.push(piece, &mut |row| rows.push(row)).unwrap();
        }
        csv.finish(&mut |row| rows.push(row)).unwrap();
        rows
    }

    proptest! {
        #[test]
        fn where_the_pieces_are_cut_changes_nothing(text in "\u{feff}?[a-c,;\"\r\n \u{feff}é]{0,120}", cuts in proptest::collection::vec(0usize..120, 0..6)) {
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
            prop_assert_eq!(whole(pieces.into_iter()), whole(std::iter::once(bytes)));
        }

        #[test]
        fn reading_can_go_on_behind_any_row(text in "\u{feff}?[a-c,;\"\r\n \u{feff}é]{0,120}", size in 1usize..40) {
            let bytes = text.as_bytes();
            let mut first = CsvRows::default();
            let mut rows = Vec::new();
            first.push(bytes, &mut |row| rows.push(row)).unwrap();
            first.finish(&mut |row| rows.push(row)).unwrap();
            for (index, row) in rows.iter().enumerate() {
                let mut again = CsvRows::resume(first.delimiter(), row.number, row.end);
                let mut rest = Vec::new();
                let end = usize::try_from(row.end).unwrap();
                for piece in bytes[end..].chunks(size) {
                    again.push(piece, &mut |row| rest.push(row)).unwrap();
                }
                again.finish(&mut |row| rest.push(row)).unwrap();
                prop_assert_eq!(&rest, &rows[index + 1..]);
            }
        }
    }
}
