//! The repository as the rules see it: texts that people wrote, without build output and crawled material.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

/// One text file.
#[derive(Clone, Debug)]
pub struct Source {
    /// Relative to the repository, with `/`.
    pub path: String,
    pub text: String,
}

impl Source {
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub fn is_python(&self) -> bool {
        self.path.ends_with(".py")
    }

    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Whether it lies below one of these top folders.
    pub fn below(&self, folders: &[&str]) -> bool {
        self.path.split('/').next().is_some_and(|top| folders.contains(&top))
    }

    /// Lines with their numbers from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(i, line)| (i + 1, line))
    }
}

#[derive(Debug, Default)]
pub struct Repo {
    pub sources: Vec<Source>,
    /// Data of the rules themselves, by file name.
    pub data: BTreeMap<String, String>,
}

/// Top folders and files that are read.
const TOPS: &[&str] =
    &["host", "sdk", "tests", "connectors", "wit", "demo", ".ci", ".cargo", "README.md", "Cargo.toml", "clippy.toml", "deny.toml"];
/// What people write by hand here; `.ci/run` has no ending.
const ENDINGS: &[&str] = &["rs", "py", "toml", "wit", "md", "json", "txt", "css", "js"];
const DATA: &str = "tests/tidy/data/";

impl Repo {
    pub fn read(root: &Path) -> Result<Self> {
        let mut repo = Self::default();
        for top in TOPS {
            let path = root.join(top);
            if path.exists() {
                repo.walk(&path, top)?;
            }
        }
        repo.sources.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(repo)
    }

    fn walk(&mut self, path: &Path, relative: &str) -> Result<()> {
        if path.is_dir() {
            for entry in std::fs::read_dir(path).with_context(|| format!("cannot read {relative}"))? {
                let entry = entry.with_context(|| format!("cannot read {relative}"))?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if name != "target" && name != "node_modules" {
                    self.walk(&entry.path(), &format!("{relative}/{name}"))?;
                }
            }
            return Ok(());
        }
        let ending = relative.rsplit('/').next().and_then(|name| name.rsplit_once('.')).map(|(_, ending)| ending);
        if ending.is_some_and(|ending| !ENDINGS.contains(&ending)) {
            return Ok(());
        }
        // What is no UTF-8 is no text of ours.
        let Ok(text) = std::fs::read_to_string(path) else { return Ok(()) };
        if let Some(name) = relative.strip_prefix(DATA) {
            self.data.insert(name.to_owned(), text);
        } else {
            self.sources.push(Source { path: relative.to_owned(), text });
        }
        Ok(())
    }
}
