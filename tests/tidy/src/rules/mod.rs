//! The rules. Each takes the repository and returns its findings.

pub(crate) mod edges;
mod edges_table;
mod invariants;
mod schemas;
mod shape;
mod unheard;
mod vendors;
mod wit;
mod words;

use crate::{Finding, Repo};

/// Every rule that looks at texts.
pub(crate) fn text(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in [shape::check, words::check, vendors::check, wit::check, invariants::check, schemas::check, unheard::check] {
        rule(repo, &mut findings);
    }
    findings
}

#[cfg(test)]
pub(crate) fn repo_of(files: &[(&str, &str)]) -> Repo {
    let source = |(path, text): &(&str, &str)| crate::Source { path: (*path).into(), text: (*text).into() };
    Repo { sources: files.iter().map(source).collect(), ..Repo::default() }
}
