//! Tests that nobody would run: a crate that is told to have none (`test = false`) must have none.

use std::collections::BTreeSet;

use crate::{Finding, Repo};

const RULE: &str = "unheard";

pub(crate) fn check(repo: &Repo, findings: &mut Vec<Finding>) {
    let folder = |path: &str| path.rsplit_once('/').map(|(folder, _)| format!("{folder}/"));
    let crates = repo.sources.iter().filter(|source| source.name() == "Cargo.toml");
    let silent = crates.filter(|source| source.lines().any(|(_, line)| line.trim() == "test = false"));
    let silent: BTreeSet<String> = silent.filter_map(|source| folder(&source.path)).collect();
    for source in repo.sources.iter().filter(|source| source.is_rust()) {
        let of = silent.iter().find(|folder| source.path.starts_with(folder.as_str()));
        let test = source.lines().find(|(_, line)| line.trim_start().starts_with("#[cfg(test)]"));
        if let (Some(folder), Some((line, _))) = (of, test) {
            let say = format!("these tests are never run: take `test = false` out of {folder}Cargo.toml");
            findings.push(Finding { path: source.path.clone(), line, rule: RULE, say });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::repo_of;

    #[test]
    fn tests_of_a_crate_that_is_told_to_have_none_are_found() {
        let told = ("connectors/a/Cargo.toml", "[lib]\ntest = false\n");
        let heard = ("connectors/b/Cargo.toml", "[lib]\n");
        let tests = "//! x\n    #[cfg(test)]\nmod tests {}\n";
        let repo = repo_of(&[told, heard, ("connectors/a/deep/x.rs", tests), ("connectors/b/lib.rs", tests)]);
        let mut findings = Vec::new();
        check(&repo, &mut findings);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].path == "connectors/a/deep/x.rs" && findings[0].line == 2, "{findings:?}");
    }
}
