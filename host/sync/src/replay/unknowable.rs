//! What a replay cannot know, because it opens no credential: a part of the address that is cut from a secret or comes with a token, and
//! whether an optional slot has a value. Egress shows the first as the place in the template, and takes the second for filled.

use crm_catalog::model::{AuthKind, Manifest};

/// One call's view of a manifest.
pub(super) struct Unknowable<'a> {
    manifest: &'a Manifest,
    endpoint: Option<&'a crm_catalog::model::Endpoint>,
}

impl<'a> Unknowable<'a> {
    pub(super) fn of(manifest: &'a Manifest, call: &str) -> Self {
        let endpoint = manifest.call(call).and_then(|call| manifest.endpoint(&call.endpoint));
        Self { manifest, endpoint }
    }

    /// Both whole addresses, where the base of one is a place as a whole.
    pub(super) fn same_address(&self, old_host: &str, old_path: &str, new_host: &str, new_path: &str) -> bool {
        let (old, new) = (format!("{old_host}{old_path}"), format!("{new_host}{new_path}"));
        let whole = |text: &str| text.starts_with('{');
        old == new || (whole(&new) && fits(&new, &old, true)) || (whole(&old) && fits(&old, &new, true))
    }

    /// Equal but for places of one that have a value in the other.
    pub(super) fn same_text(&self, old: &str, new: &str) -> bool {
        old == new || fits(new, old, false) || fits(old, new, false)
    }

    /// The path without the endpoint's own.
    pub(super) fn own_path<'p>(&self, path: &'p str) -> &'p str {
        let base = self.endpoint.map_or("", |endpoint| endpoint.url.as_str());
        let base = base.split_once("://").map_or(base, |(_, rest)| rest);
        let base = base.find('/').map_or("", |at| base[at..].trim_end_matches('/'));
        path.strip_prefix(base).unwrap_or(path)
    }

    /// A header that one request has and the other has not.
    pub(super) fn header(&self, name: &str, values: &[String]) -> bool {
        let is = |(header, template): (&String, &String)| header.eq_ignore_ascii_case(name) && self.derives(template);
        let constant = self.endpoint.is_some_and(|endpoint| endpoint.headers.iter().any(is));
        let applied = self.manifest.auth.iter().any(|auth| match &auth.kind {
            AuthKind::Header { headers } => headers.iter().any(is),
            AuthKind::Basic { user, password } => name == "authorization" && (self.derives(user) || self.derives(password)),
            AuthKind::Bearer { token } => name == "authorization" && self.derives(token),
            _ => false,
        });
        constant || applied || self.optional(values)
    }

    /// A parameter of the URL that one request has and the other has not.
    pub(super) fn parameter(&self, name: &str, values: &[String]) -> bool {
        let applied = self.manifest.auth.iter().any(|auth| match &auth.kind {
            AuthKind::Query { params } => params.iter().any(|(param, template)| param == name && self.derives(template)),
            _ => false,
        });
        applied || self.optional(values)
    }

    /// Whether a template holds a part that is cut from a secret: without that secret it is left out.
    fn derives(&self, template: &str) -> bool {
        template.contains("{derived:") || self.manifest.derived.iter().any(|part| template.contains(&format!("{{{}}}", part.name)))
    }

    /// Whether the values hold an optional secret's slot.
    fn optional(&self, values: &[String]) -> bool {
        let optional = |slot: &str| {
            let own = |credential: &&crm_catalog::model::Credential| {
                credential.name == slot || credential.split.as_ref().is_some_and(|split| split.into.iter().any(|part| part == slot))
            };
            self.manifest.credentials.iter().find(own).is_some_and(|credential| credential.optional)
        };
        let slots = values.iter().flat_map(|value| value.split("{secret:").skip(1));
        slots.filter_map(|rest| rest.split_once('}')).any(|(slot, _)| optional(slot))
    }
}

/// Whether `text` is what `template` may become: each of its places stands for at least one character. Slots of secrets stand for
/// themselves: to send another one, or in another place, is a difference.
fn fits(template: &str, text: &str, slashes: bool) -> bool {
    let Some((head, rest)) = place(template) else { return template == text };
    let Some(mut left) = text.strip_prefix(head) else { return false };
    let mut template = rest;
    loop {
        let gap = |gap: &str| !gap.is_empty() && (slashes || !gap.contains('/'));
        match place(template) {
            // The end of the template stands at the end of the text.
            None => return left.strip_suffix(template).is_some_and(gap),
            Some((literal, rest)) => {
                let first = left.char_indices().nth(1).map_or(left.len(), |(at, _)| at);
                let Some(at) = left[first..].find(literal).map(|at| at + first) else { return false };
                if !gap(&left[..at]) {
                    return false;
                }
                left = &left[at + literal.len()..];
                template = rest;
            }
        }
    }
}

/// What stands before the first place, and after it.
fn place(template: &str) -> Option<(&str, &str)> {
    let begin = ["{derived:", "{credential:", "{token."].iter().filter_map(|kind| template.find(kind)).min()?;
    let end = begin + template[begin..].find('}')?;
    Some((&template[..begin], &template[end + 1..]))
}
