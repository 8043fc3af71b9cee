//! The exception list: who may break which rule, since when and why. It is short, and each row must still be needed.

use crate::{Finding, Repo};

const FILE: &str = "exceptions.txt";
const PATH: &str = "tests/tidy/data/exceptions.txt";
const MOST: usize = 8;
const RULE: &str = "exceptions";

struct Exception<'a> {
    line: usize,
    path: &'a str,
    rule: &'a str,
}

/// Drops what the list excuses; adds what is wrong with the list.
pub(crate) fn apply(repo: &Repo, findings: Vec<Finding>) -> Vec<Finding> {
    let text = repo.data.get(FILE).map(String::as_str).unwrap_or_default();
    let (rows, mut kept) = read(text);
    let mut used = vec![false; rows.len()];
    for finding in findings {
        match rows.iter().position(|row| row.path == finding.path && row.rule == finding.rule) {
            Some(i) => used[i] = true,
            None => kept.push(finding),
        }
    }
    for (row, used) in rows.iter().zip(used) {
        if !used {
            kept.push(wrong(row.line, format!("{} no longer breaks `{}`: remove the row", row.path, row.rule)));
        }
    }
    if rows.len() > MOST {
        kept.push(wrong(0, format!("{} rows; at most {MOST} are allowed", rows.len())));
    }
    kept
}

fn read(text: &str) -> (Vec<Exception<'_>>, Vec<Finding>) {
    let (mut rows, mut findings) = (Vec::new(), Vec::new());
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#')) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        match cells[..] {
            [path, rule, since, reason] if is_date(since) && reason.len() >= 15 => rows.push(Exception { line: i + 1, path, rule }),
            _ => findings.push(wrong(i + 1, "a row is `path | rule | YYYY-MM-DD | reason in words`".into())),
        }
    }
    (rows, findings)
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && text.bytes().enumerate().all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() })
}

fn wrong(line: usize, say: String) -> Finding {
    Finding { path: PATH.into(), line, rule: RULE, say }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(path: &str) -> Finding {
        Finding { path: path.into(), line: 0, rule: "length", say: String::new() }
    }

    fn applied(list: &str, findings: &[&str]) -> Vec<String> {
        let mut repo = Repo::default();
        repo.data.insert(FILE.into(), list.into());
        apply(&repo, findings.iter().map(|p| finding(p)).collect()).iter().map(|f| f.to_string()).collect()
    }

    #[test]
    fn a_row_excuses_its_file_and_rule_only() {
        let list = "# head\nhost/a.rs | length | 2026-11-23 | one table of one vendor\n";
        assert_eq!(applied(list, &["host/a.rs", "host/b.rs"]), ["host/b.rs:  [length]"]);
    }

    #[test]
    fn a_row_without_date_reason_or_use_is_a_finding() {
        assert_eq!(applied("host/a.rs | length | soon | because of reasons\n", &["host/a.rs"]).len(), 2);
        assert_eq!(applied("host/a.rs | length | 2026-11-23 | short\n", &[]).len(), 1);
        let unused = applied("host/a.rs | length | 2026-11-23 | one table of one vendor\n", &[]);
        assert!(unused[0].contains("no longer breaks"), "{unused:?}");
    }
}
