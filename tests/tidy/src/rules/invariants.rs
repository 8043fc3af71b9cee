//! Each invariant of the design is named by at least one test: `fn invariant_4_no_request_leaves_undeclared()`.

use regex::Regex;

use crate::{Finding, Repo};

const INVARIANTS: usize = 10;
const CODE: &[&str] = &["host", "sdk", "tests", "connectors"];
/// Lines above a function in which its `#[test]` may stand.
const NEAR: usize = 8;

pub(crate) fn check(repo: &Repo, findings: &mut Vec<Finding>) {
    let Ok(pattern) = Regex::new(r"\bfn\s+(?:\w*_)?invariant_(\d+)(?:_\w*)?\s*\(") else { return };
    let mut named = [false; INVARIANTS + 1];
    for source in repo.sources.iter().filter(|s| s.is_rust() && s.below(CODE)) {
        let lines: Vec<&str> = source.text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let Some(number) = pattern.captures(line).and_then(|c| c[1].parse::<usize>().ok()) else { continue };
            let test =
                lines[at.saturating_sub(NEAR)..=at].iter().any(|above| above.trim_start().starts_with("#[") && above.contains("test"));
            if let Some(named) = named.get_mut(number).filter(|_| test) {
                *named = true;
            }
        }
    }
    for (number, _) in named.iter().enumerate().skip(1).filter(|(_, named)| !**named) {
        let say = format!("invariant {number} is named by no test: one must be called `invariant_{number}_...`");
        findings.push(Finding { path: "tests".into(), line: 0, rule: "invariants", say });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::repo_of;

    #[test]
    fn an_invariant_counts_when_a_test_bears_its_number() {
        let text = [
            "#[test]",
            "fn invariant_1_a() {}",
            "#[tokio::test]",
            "async fn invariant_10() {}",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "fn invariant_2_x() {}",
        ]
        .join("\n");
        let mut findings = Vec::new();
        check(&repo_of(&[("host/a.rs", &text)]), &mut findings);
        let missing: Vec<bool> = (1..=10).map(|n| findings.iter().any(|f| f.say.starts_with(&format!("invariant {n} ")))).collect();
        assert_eq!(missing, [false, true, true, true, true, true, true, true, true, false]);
    }
}
