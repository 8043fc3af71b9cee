//! The rules of a call's body: which fields the guest may write, which constants it cannot change, which fields are for new
//! contacts only. Compiled once per call; egress asks. Sees values, never sends anything.
//!
//! Egress must send the very value that was checked (serialised anew), never the guest's own text: JSON text can name a
//! key twice, and the vendor may read the other one.

mod fixed;
mod pattern;
mod walk;

use std::borrow::Cow;

use serde_json::Value;

use crate::model::Call;
use fixed::Fixed;
use pattern::{Rule, RuleTemplate};
pub use pattern::{RuleError, rules_overlap};

/// A field that must not be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {why}")]
pub struct FieldRefused {
    /// JSON pointer, `form:key` or `form:key#/pointer`; cut to 200 characters.
    pub path: String,
    pub why: Why,
}

/// Why a field is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    #[error("the manifest does not let this call write it")]
    NotDeclared,
    #[error("the manifest says that this call never sends it")]
    Never,
    #[error("the manifest fixes it to another value")]
    Fixed,
    #[error("the manifest wants JSON text here")]
    NotJson,
    #[error("the manifest fixes something below it, so it must be an object or a list")]
    NoContainer,
}

impl FieldRefused {
    fn new(path: &str, why: Why) -> Self {
        Self { path: path.chars().take(200).collect(), why }
    }
}

/// The rules of one call, with `{setting:..}` and `{fact:..}` still open. Make it once per manifest.
#[derive(Clone, Debug)]
pub struct CallRules {
    writes: Vec<RuleTemplate>,
    new_only: Vec<RuleTemplate>,
    never: Vec<RuleTemplate>,
    fixed: Vec<Fixed>,
    /// Ready when no place is open, which is the usual case.
    ready: Option<WriteRules>,
}

/// The rules of one call for one connection.
#[derive(Clone, Debug, Default)]
pub struct WriteRules {
    writes: Vec<Rule>,
    new_only: Vec<Rule>,
    never: Vec<Rule>,
    fixed: Vec<Fixed>,
}

impl CallRules {
    /// Compiles `writes`, `new_only` and `fixed` of a call.
    ///
    /// # Errors
    /// The first entry that is malformed; a manifest from [`crate::parse`] has none.
    pub fn of(call: &Call) -> Result<Self, RuleError> {
        let writes = pattern::compile("writes", &call.writes)?;
        let new_only = pattern::compile("new_only", &call.new_only)?;
        let never = pattern::compile("never", &lower(&call.never))?;
        let fixed = fixed::compile(&call.fixed)?;
        let open = writes.iter().chain(&new_only).any(RuleTemplate::is_open);
        let mut rules = Self { writes, new_only, never, fixed, ready: None };
        if !open {
            rules.ready = Some(rules.fill(&|_| None, &|_| None));
        }
        Ok(rules)
    }

    /// The rules for one connection. An entry whose setting or fact has no value (or an empty one) allows nothing.
    pub fn bind<'v>(&self, setting: impl Fn(&str) -> Option<&'v str>, fact: impl Fn(&str) -> Option<&'v str>) -> Cow<'_, WriteRules> {
        match &self.ready {
            Some(ready) => Cow::Borrowed(ready),
            None => Cow::Owned(self.fill(&setting, &fact)),
        }
    }

    fn fill<'v>(&self, setting: &dyn Fn(&str) -> Option<&'v str>, fact: &dyn Fn(&str) -> Option<&'v str>) -> WriteRules {
        let fill = |templates: &[RuleTemplate]| templates.iter().filter_map(|t| t.fill(setting, fact)).collect();
        WriteRules { writes: fill(&self.writes), new_only: fill(&self.new_only), never: fill(&self.never), fixed: self.fixed.clone() }
    }
}

impl WriteRules {
    /// [`CallRules::of`] and [`CallRules::bind`] in one go. Settings and facts as name and value.
    ///
    /// # Errors
    /// The first entry that is malformed.
    pub fn compile(call: &Call, settings: &[(&str, &str)], facts: &[(&str, &str)]) -> Result<Self, RuleError> {
        fn find<'v>(pairs: &[(&'v str, &'v str)], name: &str) -> Option<&'v str> {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
        }
        Ok(CallRules::of(call)?.bind(|n| find(settings, n), |n| find(facts, n)).into_owned())
    }

    /// Sets the manifest's constants in a JSON body; start from `{}` when the guest sent none.
    ///
    /// # Errors
    /// When the guest set one of them to something else. The body is then half done: drop it.
    pub fn apply_fixed(&self, body: &mut Value) -> Result<(), FieldRefused> {
        fixed::apply_json(&self.fixed, None, body)
    }

    /// Sets the manifest's constants in a form body, JSON inside a form key included.
    ///
    /// # Errors
    /// As [`Self::apply_fixed`].
    pub fn apply_fixed_form(&self, pairs: &mut Vec<(String, String)>) -> Result<(), FieldRefused> {
        fixed::apply_form(&self.fixed, pairs)
    }

    /// Whether every leaf of a JSON body may be written. A leaf is a scalar, `null`, or an empty object or list; an empty one
    /// passes when the call may write it or something below it. The empty body `{}` or `[]` writes nothing and passes. A fixed
    /// field passes with its constant only.
    ///
    /// # Errors
    /// The first leaf that may not.
    pub fn check_json(&self, body: &Value) -> Result<(), FieldRefused> {
        if !self.never.is_empty()
            && let Some(path) = walk::touched(&self.never, None, &lower_keys(body))
        {
            return Err(FieldRefused::new(&path, Why::Never));
        }
        walk::check(&self.writes, &self.fixed, None, body)
    }

    /// Whether every field of a form body may be written.
    ///
    /// # Errors
    /// The first field that may not.
    pub fn check_form(&self, pairs: &[(&str, &str)]) -> Result<(), FieldRefused> {
        let never = |(key, value): &(&str, &str)| walk::touched_pair(&self.never, &key.to_lowercase(), value);
        if !self.never.is_empty()
            && let Some(path) = pairs.iter().find_map(never)
        {
            return Err(FieldRefused::new(&path, Why::Never));
        }
        pairs.iter().try_for_each(|(key, value)| walk::check_pair(&self.writes, &self.fixed, key, value))
    }

    /// The first field of a JSON body that is for new contacts only. Egress asks when the guard found someone.
    pub fn new_only_in_json(&self, body: &Value) -> Option<String> {
        walk::touched(&self.new_only, None, body)
    }

    /// As [`Self::new_only_in_json`], for a form body.
    pub fn new_only_in_form(&self, pairs: &[(&str, &str)]) -> Option<String> {
        pairs.iter().find_map(|(key, value)| walk::touched_pair(&self.new_only, key, value))
    }

    /// Whether anything may be written at all: the only rule that a body of raw bytes can be held to.
    pub fn allows_anything(&self) -> bool {
        self.writes.iter().any(Rule::is_anything)
    }
}

/// The `setting:NAME` and `fact:NAME` places of one entry; none when it is malformed.
pub(crate) fn rule_places(entry: &str) -> Vec<String> {
    RuleTemplate::read(entry).map(|t| t.places().map(str::to_owned).collect()).unwrap_or_default()
}

/// Every malformed entry of a call.
pub(crate) fn rule_errors(call: &Call) -> Vec<RuleError> {
    let one = |key: &'static str, entries: &[String]| -> Vec<RuleError> {
        let read = |(i, text): (usize, &String)| {
            pattern::compile(key, std::slice::from_ref(text)).err().map(|e| RuleError { entry: format!("{key}[{i}]"), problem: e.problem })
        };
        entries.iter().enumerate().filter_map(read).collect()
    };
    let fixed = call.fixed.iter().filter_map(|(key, value)| fixed::compile(&[(key.clone(), value.clone())].into()).err());
    let lists = [("writes", &call.writes), ("new_only", &call.new_only), ("never", &call.never)];
    lists.into_iter().flat_map(|(key, entries)| one(key, entries)).chain(fixed).collect()
}

/// Entries of `never` in lower case: what a vendor reads without regard to case must be kept out in any spelling.
fn lower(entries: &[String]) -> Vec<String> {
    entries.iter().map(|entry| entry.to_lowercase()).collect()
}

fn lower_keys(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(fields.iter().map(|(key, value)| (key.to_lowercase(), lower_keys(value))).collect()),
        Value::Array(items) => Value::Array(items.iter().map(lower_keys).collect()),
        other => other.clone(),
    }
}

/// Adds a key to a JSON pointer.
fn deeper(path: &str, key: &str) -> String {
    format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests;
