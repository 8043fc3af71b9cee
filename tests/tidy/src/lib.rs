//! House rules as a test: what a reviewer would otherwise have to say again and again. Each rule is one file below
//! `rules/`; each breach is one line that says what to do.
//!
//! It reads the repository's files and `cargo metadata`, and must not build or run anything.

mod exceptions;
mod repo;
mod rules;

use std::fmt;
use std::path::Path;

pub use repo::{Repo, Source};

/// One breach of one rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Relative to the repository, with `/`.
    pub path: String,
    /// From 1; 0 = the file as a whole.
    pub line: usize,
    /// Short name, used by the exception list.
    pub rule: &'static str,
    pub say: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {} [{}]", self.say, self.rule)
    }
}

/// Every breach in the repository at `root` that the exception list does not excuse, ordered by file.
///
/// # Errors
/// When files or cargo's metadata cannot be read.
pub fn check(root: &Path) -> anyhow::Result<Vec<Finding>> {
    let repo = Repo::read(root)?;
    let mut findings = rules::text(&repo);
    findings.extend(rules::edges::check(root)?);
    let mut findings = exceptions::apply(&repo, findings);
    findings.sort();
    Ok(findings)
}
