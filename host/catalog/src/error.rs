//! What is wrong with a manifest, said so that its author can fix it without reading our code. Holds no rules itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One thing that is wrong. All of them are reported at once, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", Shown(self))]
pub struct ManifestError {
    /// The name that the caller gave the text.
    pub file: String,
    /// 1-based line, where the TOML parser gives one.
    pub line: Option<usize>,
    /// Such as `calls[2] (tag)`; empty when the whole file is meant.
    pub table: String,
    /// Such as `guard` or `writes[0]`; empty when the whole table is meant.
    pub key: String,
    /// What is wrong and what is allowed.
    pub problem: String,
}

struct Shown<'a>(&'a ManifestError);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let e = self.0;
        f.write_str(&e.file)?;
        if let Some(line) = e.line {
            write!(f, ":{line}")?;
        }
        if !e.table.is_empty() {
            write!(f, ": {}", e.table)?;
        }
        if !e.key.is_empty() {
            write!(f, ": `{}`", e.key)?;
        }
        write!(f, ": {}", e.problem)
    }
}

/// Where a table stands: its path for the line index, and its label for people.
#[derive(Clone, Debug)]
pub(crate) struct At {
    path: String,
    name: String,
}

impl At {
    pub(crate) fn root() -> Self {
        Self { path: String::new(), name: String::new() }
    }

    pub(crate) fn table(path: &str) -> Self {
        Self { path: path.to_owned(), name: String::new() }
    }

    pub(crate) fn item(list: &str, index: usize, name: &str) -> Self {
        Self { path: format!("{list}[{index}]"), name: name.to_owned() }
    }

    pub(crate) fn child(&self, key: &str) -> Self {
        Self { path: join(&self.path, key), name: self.name.clone() }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    fn label(&self) -> String {
        if self.name.is_empty() { self.path.clone() } else { format!("{} ({})", self.path, self.name) }
    }
}

pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Collects errors, and knows on which line each path begins.
pub(crate) struct Report {
    file: String,
    places: BTreeMap<String, usize>,
    /// Tables that lack something or hold the wrong type: what follows from that is not reported on top of it.
    broken: BTreeSet<String>,
    errors: Vec<ManifestError>,
}

impl Report {
    pub(crate) fn new(file: &str) -> Self {
        Self { file: file.to_owned(), places: BTreeMap::new(), broken: BTreeSet::new(), errors: Vec::new() }
    }

    pub(crate) fn place(&mut self, path: String, line: usize) {
        self.places.entry(path).or_insert(line);
    }

    pub(crate) fn break_table(&mut self, at: &At) {
        self.broken.insert(at.path.clone());
    }

    /// A finding of the structural pass: always kept.
    pub(crate) fn structural(&mut self, at: &At, key: &str, problem: impl Into<String>) {
        let path = join(&at.path, key);
        let line = self.line(&path).or_else(|| self.line(&at.path));
        self.push(line, at.label(), key, problem.into());
    }

    /// A finding of the later checks: dropped when its table is already known to be broken.
    pub(crate) fn add(&mut self, at: &At, key: &str, problem: impl Into<String>) {
        if !self.broken.contains(&at.path) {
            self.structural(at, key, problem);
        }
    }

    /// Whether this very key has been complained about.
    pub(crate) fn was_reported(&self, at: &At, key: &str) -> bool {
        self.errors.iter().any(|e| e.key == key && e.table == at.label())
    }

    /// Whether any table whose path begins so is known to be broken.
    pub(crate) fn any_broken(&self, start: &str) -> bool {
        self.broken.iter().any(|path| path.starts_with(start))
    }

    pub(crate) fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    pub(crate) fn whole_file(&mut self, line: Option<usize>, problem: impl Into<String>) {
        self.push(line, String::new(), "", problem.into());
    }

    pub(crate) fn into_errors(mut self) -> Vec<ManifestError> {
        self.errors.sort_by_key(|e| e.line.unwrap_or(usize::MAX));
        self.errors
    }

    fn push(&mut self, line: Option<usize>, table: String, key: &str, problem: String) {
        let error = ManifestError { file: self.file.clone(), line, table, key: key.to_owned(), problem };
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    fn line(&self, path: &str) -> Option<usize> {
        // A key inside a map or list may have no place of its own: then the nearest one around it serves.
        let mut path = path;
        loop {
            if let Some(line) = self.places.get(path) {
                return Some(*line);
            }
            let cut = path.rfind(['.', '['])?;
            path = path.get(..cut)?;
        }
    }
}
