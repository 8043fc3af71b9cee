//! The contract is documented item by item: interfaces, worlds, types that are more than a list of names, functions.

use crate::{Finding, Repo};

const ITEMS: &[&str] = &["interface ", "world ", "resource ", "export "];

pub(crate) fn check(repo: &Repo, findings: &mut Vec<Finding>) {
    for source in repo.sources.iter().filter(|s| s.path.starts_with("wit/") && s.path.ends_with(".wit")) {
        let mut documented = false;
        for (line, text) in source.lines() {
            let text = text.trim();
            if text.starts_with("///") {
                documented = true;
                continue;
            }
            if is_item(text) && !documented {
                let say = format!("`{text}` has no `///`: say what it means");
                findings.push(Finding { path: source.path.clone(), line, rule: "wit", say });
            }
            // A blank line or an attribute does not part a comment from its item.
            documented = documented && (text.is_empty() || text.starts_with('@'));
        }
    }
}

fn is_item(text: &str) -> bool {
    ITEMS.iter().any(|item| text.starts_with(item)) || text.contains(": func(")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::repo_of;

    #[test]
    fn an_undocumented_function_is_found() {
        let text = "/// What it is.\ninterface a {\n  /// Sends.\n  send: func();\n  other: func();\n}\n";
        let mut findings = Vec::new();
        check(&repo_of(&[("wit/since-v0.1.0/a.wit", text)]), &mut findings);
        assert_eq!(findings.iter().map(|f| f.line).collect::<Vec<_>>(), [5]);
    }
}
