//! Files: each opens with `//!` (Python: with a docstring), none is too long, none is a grab-bag.

use crate::{Finding, Repo};

const CODE: &[&str] = &["host", "sdk", "tests", "connectors"];
const CEILING: usize = 400;
/// `lib.rs` of a connector: one vendor's calls, readable in one sitting.
const CONNECTOR_CEILING: usize = 250;
const GRAB_BAGS: &[&str] =
    &["utils.rs", "util.rs", "helpers.rs", "misc.rs", "common.rs", "utils.py", "util.py", "helpers.py", "misc.py", "common.py"];

pub(crate) fn check(repo: &Repo, findings: &mut Vec<Finding>) {
    for source in repo.sources.iter().filter(|s| (s.is_rust() || s.is_python()) && s.below(CODE)) {
        let mut find = |line, rule, say| findings.push(Finding { path: source.path.clone(), line, rule, say });
        let opening = if source.is_rust() { "//!" } else { "\"\"\"" };
        if !source.text.trim_start().starts_with(opening) {
            find(
                1,
                "opening",
                "opens without `//!` (Python: a docstring): say what this room is for and what it must not touch".to_owned(),
            );
        }
        let ceiling = if source.path.starts_with("connectors/") && source.name() == "lib.rs" { CONNECTOR_CEILING } else { CEILING };
        let lines = source.text.lines().count();
        if lines > ceiling {
            find(0, "length", format!("has {lines} lines; the ceiling is {ceiling}: split it by topic"));
        }
        if GRAB_BAGS.contains(&source.name()) {
            find(0, "grab-bag", "a file is named for what it holds".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::repo_of;

    fn rules(path: &str, text: &str) -> Vec<&'static str> {
        let mut findings = Vec::new();
        check(&repo_of(&[(path, text)]), &mut findings);
        findings.iter().map(|f| f.rule).collect()
    }

    #[test]
    fn a_file_opens_with_its_purpose() {
        assert!(rules("host/a/src/x.rs", "//! For x.\n").is_empty());
        assert_eq!(rules("host/a/src/x.rs", "use x;\n"), ["opening"]);
        assert_eq!(rules("tests/x.rs", ""), ["opening"]);
        assert!(rules("tests/x.py", "\"\"\"For x.\"\"\"\n").is_empty());
        assert_eq!(rules("tests/x.py", "import x\n"), ["opening"]);
        assert!(rules("demo/x.rs", "").is_empty());
    }

    #[test]
    fn a_long_file_is_found_and_connectors_have_less_room() {
        let text = |lines: usize| format!("//! x\n{}", "\n".repeat(lines - 1));
        assert!(rules("host/x.rs", &text(400)).is_empty());
        assert_eq!(rules("host/x.rs", &text(401)), ["length"]);
        assert!(rules("connectors/acme/lib.rs", &text(250)).is_empty());
        assert_eq!(rules("connectors/acme/lib.rs", &text(251)), ["length"]);
    }

    #[test]
    fn a_grab_bag_is_found() {
        assert_eq!(rules("sdk/src/utils.rs", "//! x\n"), ["grab-bag"]);
    }
}
