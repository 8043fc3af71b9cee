//! Makes `demo/rewardful.csv`: 500 affiliates as Rewardful exports them, with what real exports hold: names in many
//! scripts, blanks, duplicates and bad rows. No row is a real person. `cargo xtask demo-data` writes the file anew.

use super::names::{NAMES, ODD};

/// Below the repository's root.
pub(crate) const FILE: &str = "demo/rewardful.csv";

const ROWS: usize = 500;
const HEAD: &str = "ID,First Name,Last Name,Email,Token,Campaign,State,PayPal Email,Visitors,Leads,Conversions,Created At";

struct Row {
    first: String,
    last: String,
    email: String,
    token: String,
    state: &'static str,
}

/// The whole file, the same at every call.
pub(crate) fn csv() -> String {
    let rows: Vec<Row> = (0..ROWS).map(row).collect();
    let mut text = format!("{HEAD}\r\n");
    for (n, row) in rows.iter().enumerate() {
        let n = n as u64;
        let paypal = if n.is_multiple_of(3) { row.email.as_str() } else { "" };
        let cells = [
            format!("{:08x}-0000-4000-8000-{n:012}", spread(n)),
            row.first.clone(),
            row.last.clone(),
            row.email.clone(),
            row.token.clone(),
            "Course launch".to_owned(),
            row.state.to_owned(),
            paypal.to_owned(),
            (spread(n) % 900).to_string(),
            (spread(n) % 70).to_string(),
            (spread(n) % 12).to_string(),
            format!("2025-{:02}-{:02}", n % 12 + 1, n % 28 + 1),
        ];
        text.push_str(&cells.map(|cell| quoted(&cell)).join(","));
        text.push_str("\r\n");
    }
    text
}

fn row(n: usize) -> Row {
    if n % 55 == 54 {
        return bad(n);
    }
    if n % 60 == 59 {
        return duplicate(n);
    }
    let mut row = good(n);
    match n % 100 {
        17 | 58 => row.last.clear(),
        36 => row.first.clear(),
        71 => {
            row.first.clear();
            row.last.clear();
        }
        // The whole name in one column, as people import it.
        22 | 83 => row.first = format!("{} {}", row.first, std::mem::take(&mut row.last)),
        40 => row.token.clear(),
        65 => row.first = format!("  {} ", row.first),
        _ => {}
    }
    row.state = match n {
        150 | 350 => "disabled",
        250 => "suspicious",
        _ => "active",
    };
    row
}

fn good(n: usize) -> Row {
    let (first, last, plain) = match ODD.get(n / 9) {
        Some(odd) if n % 9 == 8 => *odd,
        _ => {
            let (firsts, lasts) = NAMES[n % NAMES.len()];
            let (first, first_plain) = firsts[(n / NAMES.len()) % firsts.len()];
            let (last, last_plain) = lasts[(n / NAMES.len() + n % 3) % lasts.len()];
            return person(n, first, last, &format!("{first_plain}.{last_plain}"));
        }
    };
    person(n, first, last, plain)
}

fn person(n: usize, first: &str, last: &str, plain: &str) -> Row {
    let domain = ["example.com", "example.org", "example.net", "mail.example.com", "kurse.example.de"][n % 5];
    let separator = if n.is_multiple_of(7) { "+" } else { "." };
    Row {
        first: first.to_owned(),
        last: last.to_owned(),
        email: format!("{plain}{separator}{n}@{domain}"),
        token: format!("{}-{n}", plain.replace('.', "-")),
        state: "active",
    }
}

/// Someone from further up, spelled otherwise.
fn duplicate(n: usize) -> Row {
    let mut row = good(n - 12);
    row.email = if n.is_multiple_of(2) { format!(" {} ", row.email) } else { row.email.to_uppercase() };
    row.token = format!("again-{n}");
    row
}

fn bad(n: usize) -> Row {
    let mut row = good(n);
    match n / 55 {
        0 => row.email.clear(),
        1 => row.email = row.email.replace('@', " at "),
        2 => row.email = row.email.replace('@', "@@"),
        3 => row.email = "ann@localhost".into(),
        4 => row.email = "ann lee@example.com".into(),
        5 => row.state = "golden",
        6 => row.token = good(1).token,
        7 => row.token = "no blanks please".into(),
        _ => row.email = "@example.com".into(),
    }
    row
}

/// A figure that looks random and is not.
fn spread(n: u64) -> u64 {
    (n + 1).wrapping_mul(2_654_435_761) % 4_294_967_291
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn records() -> Vec<csv::StringRecord> {
        csv::ReaderBuilder::new().from_reader(csv().as_bytes()).records().collect::<Result<_, _>>().expect("well-formed")
    }

    #[test]
    fn the_file_in_the_repository_is_what_the_generator_writes() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(FILE);
        let file = std::fs::read_to_string(path).expect("demo/rewardful.csv");
        assert!(file == csv(), "run `cargo xtask demo-data`");
    }

    #[test]
    fn it_holds_what_the_demo_is_about() {
        let records = records();
        assert_eq!(records.len(), ROWS);
        let column = |n: usize| records.iter().map(move |r| r.get(n).unwrap_or_default());
        assert!(column(1).chain(column(2)).filter(|name| name.trim().is_empty()).count() >= 15, "blanks");
        let emails: HashSet<String> = column(3).map(|e| e.trim().to_lowercase()).collect();
        assert!((6..=12).contains(&(ROWS - emails.len())), "duplicates: {}", ROWS - emails.len());
        let scripts =
            ['\u{400}'..='\u{4ff}', '\u{4e00}'..='\u{9fff}', '\u{600}'..='\u{6ff}', '\u{900}'..='\u{97f}', '\u{ac00}'..='\u{d7a3}'];
        for script in scripts {
            assert!(column(1).chain(column(2)).filter(|name| name.chars().any(|c| script.contains(&c))).count() >= 20, "{script:?}");
        }
    }
}
