//! No vendor's name under `host/`: a host that knows one vendor is the beginning of thirty-eight special cases.

use regex::RegexBuilder;

use crate::{Finding, Repo};

const LIST: &str = "vendors.txt";

pub(crate) fn check(repo: &Repo, findings: &mut Vec<Finding>) {
    let names = names(repo);
    if names.is_empty() {
        return;
    }
    let any = names.iter().map(|name| regex::escape(name)).collect::<Vec<_>>().join("|");
    let Ok(pattern) = RegexBuilder::new(&format!(r"(?:^|[^a-z0-9])({any})(?:$|[^a-z0-9])")).case_insensitive(true).build() else {
        findings.push(Finding {
            path: format!("tests/tidy/data/{LIST}"),
            line: 0,
            rule: "vendors",
            say: "the names make no pattern".into(),
        });
        return;
    };
    for source in repo.sources.iter().filter(|s| s.below(&["host"])) {
        for (line, text) in source.lines() {
            if let Some(name) = pattern.captures(text).and_then(|c| c.get(1)) {
                let say = format!("`{}` is a vendor: the host knows none, write `acme`", name.as_str());
                findings.push(Finding { path: source.path.clone(), line, rule: "vendors", say });
            }
        }
    }
}

/// Spellings from the list, and the name and slug of every connector that exists.
fn names(repo: &Repo) -> Vec<String> {
    let mut words = Vec::new();
    let mut names = Vec::new();
    for row in repo.data.get(LIST).map(String::as_str).unwrap_or_default().lines().filter(|row| !row.starts_with('#')) {
        let mut cells = row.split('|').map(str::trim);
        let slug = cells.next().unwrap_or_default();
        match slug.strip_suffix(" word") {
            Some(word) => words.push(word.to_owned()),
            None => names.push(slug.to_owned()),
        }
        names.extend(cells.map(str::to_owned));
    }
    for manifest in repo.sources.iter().filter(|s| s.path.starts_with("connectors/") && s.name() == "connector.toml") {
        let value = |key: &str| {
            let line = manifest.text.lines().find(|line| line.split('=').next().is_some_and(|k| k.trim() == key));
            line.and_then(|line| line.split('"').nth(1)).map(str::to_lowercase)
        };
        names.extend([value("slug"), value("name")].into_iter().flatten().filter(|name| !words.contains(name)));
    }
    names.retain(|name| name.len() > 2);
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::repo_of;

    fn found(list: &str, files: &[(&str, &str)]) -> usize {
        let mut repo = repo_of(files);
        repo.data.insert(LIST.into(), list.into());
        let mut findings = Vec::new();
        check(&repo, &mut findings);
        findings.len()
    }

    #[test]
    fn a_vendor_is_found_under_host_in_any_spelling() {
        let list = "# head\nacmail\nbig-crm | big crm | bigcrm\nclose word | close.com\n";
        assert_eq!(found(list, &[("host/a.rs", "// as Acmail does")]), 1);
        assert_eq!(found(list, &[("host/a.rs", "let bigcrm = 1;")]), 1);
        assert_eq!(found(list, &[("host/a.rs", "file.close(); // acmailing")]), 0);
        assert_eq!(found(list, &[("host/a.rs", "\"https://api.close.com\"")]), 1);
        assert_eq!(found(list, &[("tests/a.rs", "acmail")]), 0);
    }

    #[test]
    fn a_new_connector_needs_no_entry_in_the_list() {
        let manifest = ("connectors/zing/connector.toml", "[connector]\nslug = \"zing\"\nname = \"Zing Mail\"\n");
        assert_eq!(found("", &[manifest, ("host/a.rs", "zing mail"), ("host/b.rs", "zing")]), 2);
    }
}
