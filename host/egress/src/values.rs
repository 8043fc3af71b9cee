//! What the `{...}` places of a manifest stand for: credentials, parts of them, settings, facts. Fills a template twice, once
//! with the real value and once as it may be shown. Holds unsealed credentials by reference only.

use std::borrow::Cow;

use crm_catalog::template::{self, Part};
use crm_contract::secrets::Secrets;
use crm_contract::types::{Connection, find};
use zeroize::Zeroizing;

use crate::plan::Plan;

/// A parsed template.
pub(crate) type Template = Vec<Part>;

/// A bare word names one slot; anything with braces is a template.
pub(crate) fn slot_or_template(text: &str) -> Result<Template, String> {
    if text.contains(['{', '}']) { parse(text) } else { Ok(vec![Part::Place(text.to_owned())]) }
}

pub(crate) fn parse(text: &str) -> Result<Template, String> {
    template::parts(text).map_err(|e| format!("{text:?} {e}"))
}

/// A filled template. No `Debug`: `real` may be a secret.
pub(crate) struct Filled {
    pub real: Zeroizing<String>,
    /// The same with `{secret:NAME}` in place of each secret.
    pub shown: String,
}

/// Where values come from. Without secrets (a preview of a connection that has none) every secret slot counts as filled.
pub(crate) struct Values<'a> {
    pub plan: &'a Plan,
    pub secrets: Option<&'a Secrets>,
    pub on: &'a Connection,
}

impl<'a> Values<'a> {
    /// `None` when a place has no value, or an empty one: what needed it is then left out.
    pub(crate) fn fill(&self, template: &[Part]) -> Option<Filled> {
        let mut filled = Filled { real: Zeroizing::new(String::new()), shown: String::new() };
        for part in template {
            match part {
                Part::Text(text) => {
                    filled.real.push_str(text);
                    filled.shown.push_str(text);
                }
                Part::Place(name) => {
                    let (value, secret) = self.place(name)?;
                    filled.real.push_str(&value);
                    if secret {
                        filled.shown.push_str("{secret:");
                        filled.shown.push_str(name);
                        filled.shown.push('}');
                    } else {
                        filled.shown.push_str(&value);
                    }
                }
            }
        }
        Some(filled)
    }

    /// A place's value and whether it is secret. Never empty.
    fn place(&self, name: &str) -> Option<(Cow<'a, str>, bool)> {
        let (kind, bare) = name.split_once(':').unwrap_or(("", name));
        let open = |found: Option<&'a str>| found.map(|v| (Cow::Borrowed(v), false));
        let found = match kind {
            "setting" => open(find(&self.on.settings, bare)),
            "picked" => open(find(&self.on.picked, bare)),
            "fact" => open(find(&self.on.facts, bare)),
            "derived" => self.derived(bare).map(|v| (v, false)),
            "credential" => self.open_credential(bare),
            "" | "secret" => self.slot(bare),
            _ => None,
        };
        found.filter(|(value, _)| !value.is_empty())
    }

    /// A credential that the manifest marks `secret = false`; never any other.
    fn open_credential(&self, name: &str) -> Option<(Cow<'a, str>, bool)> {
        let declared = self.plan.manifest.credential(name)?;
        if declared.secret {
            return None;
        }
        let value = find(&self.on.settings, name).or_else(|| self.secrets?.get(name))?;
        Some((Cow::Borrowed(value), false))
    }

    /// Credential, split part, derived part or open credential, by bare name.
    fn slot(&self, name: &str) -> Option<(Cow<'a, str>, bool)> {
        if self.plan.manifest.credential(name).is_some_and(|c| !c.secret) {
            return self.open_credential(name);
        }
        if self.plan.derived.iter().any(|d| d.name == name) {
            return self.derived(name).map(|v| (v, false));
        }
        self.secret(name).map(|v| (v, true))
    }

    fn secret(&self, name: &str) -> Option<Cow<'a, str>> {
        let Some(secrets) = self.secrets else { return Some(Cow::Borrowed("-")) };
        if let Some(value) = secrets.get(name) {
            return Some(Cow::Borrowed(value));
        }
        self.plan.manifest.credentials.iter().find_map(|credential| {
            let split = credential.split.as_ref()?;
            let at = split.into.iter().position(|part| part == name)?;
            secrets.get(&credential.name)?.splitn(split.into.len(), split.on.as_str()).nth(at).map(Cow::Borrowed)
        })
    }

    /// The one capture group of a derived part: all that ever leaves the secret.
    pub(crate) fn derived(&self, name: &str) -> Option<Cow<'a, str>> {
        let derived = self.plan.derived.iter().find(|d| d.name == name)?;
        let from = self.secret(&derived.from)?;
        let part = derived.capture.captures(&from)?.get(1)?.as_str().to_owned();
        Some(Cow::Owned(part))
    }
}
