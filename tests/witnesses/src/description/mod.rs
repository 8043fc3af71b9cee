//! A vendor's own API description (OpenAPI 3.0 or 3.1), as the judge of requests: which operation a request is, and what is
//! wrong with it. Validators are built for the operations that are used, and for no other.

mod canary;
mod operation;
mod schema;
mod walk;

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

pub use canary::{Canary, canaries};
pub use operation::{Fault, Operation};

const METHODS: &[&str] = &["get", "put", "post", "delete", "patch"];

pub struct Description {
    /// The file's name, and the version that the description says it is of.
    pub name: String,
    pub version: String,
    root: Value,
    /// What the servers' URLs put before each path.
    prefix: String,
}

/// The place of an operation in a description, and what stands for the path's parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub template: String,
    pub method: &'static str,
    pub values: Vec<(String, String)>,
}

impl Description {
    /// Reads a file.
    ///
    /// # Errors
    /// When it is not there, or is no description.
    pub fn open(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let root: Value = serde_json::from_str(&text).with_context(|| format!("{} is no JSON", file.display()))?;
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        Self::new(name, root)
    }

    fn new(name: String, root: Value) -> Result<Self> {
        root["paths"].as_object().with_context(|| format!("{name} describes no paths"))?;
        let server = root.pointer("/servers/0/url").and_then(Value::as_str).unwrap_or_default();
        let after_host = server.split_once("://").map_or(server, |(_, rest)| rest.find('/').map_or("", |slash| &rest[slash..]));
        let prefix = after_host.trim_end_matches('/').to_owned();
        let version = root.pointer("/info/version").and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Self { name, version, root, prefix })
    }

    /// The operation of a request; exact segments win over parameters.
    pub fn find(&self, method: &str, path: &str) -> Option<Place> {
        let path = path.strip_prefix(&self.prefix)?;
        let method = METHODS.iter().find(|known| known.eq_ignore_ascii_case(method))?;
        let paths = self.root["paths"].as_object()?.iter();
        let mut places: Vec<Place> = paths
            .filter(|(_, item)| item.get(method).is_some())
            .filter_map(|(template, _)| Some(Place { template: template.clone(), method, values: values(template, path)? }))
            .collect();
        places.sort_by_key(|place| place.values.len());
        places.into_iter().next()
    }

    /// What the description demands of an operation.
    ///
    /// # Errors
    /// When it cannot be made sense of.
    pub fn operation(&self, place: &Place) -> Result<Operation> {
        Operation::read(&self.root, place).with_context(|| format!("{}: {} {}", self.name, place.method, place.template))
    }
}

/// What stands for each parameter of a template, decoded; nothing when the path is another.
fn values(template: &str, path: &str) -> Option<Vec<(String, String)>> {
    let mut values = Vec::new();
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(values),
            (Some(wanted), Some(given)) => match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) if !given.is_empty() => {
                    let value = percent_encoding::percent_decode_str(given).decode_utf8().ok()?;
                    values.push((name.to_owned(), value.into_owned()));
                }
                None if wanted == given => {}
                _ => return None,
            },
            _ => return None,
        }
    }
}
