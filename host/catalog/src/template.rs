//! Texts with `{...}` places: cut into parts once, filled by whoever knows the values. No escaping: a manifest's constant
//! parts never need a brace.

/// One part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Text(String),
    /// What stands between the braces.
    Place(String),
}

/// Why a text is no template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("has a `{{` without its `}}`")]
    Open,
    #[error("has a `}}` without its `{{`")]
    Close,
    #[error("has empty braces")]
    Empty,
}

/// Cuts a template into its parts.
///
/// # Errors
/// When braces do not pair.
pub fn parts(template: &str) -> Result<Vec<Part>, TemplateError> {
    let mut out = Vec::new();
    let mut rest = template;
    while let Some(open) = rest.find(['{', '}']) {
        let (before, after) = rest.split_at(open);
        if !before.is_empty() {
            out.push(Part::Text(before.to_owned()));
        }
        let inner = after.strip_prefix('{').ok_or(TemplateError::Close)?;
        let close = inner.find(['{', '}']).ok_or(TemplateError::Open)?;
        let (place, tail) = inner.split_at(close);
        rest = tail.strip_prefix('}').ok_or(TemplateError::Open)?;
        if place.is_empty() {
            return Err(TemplateError::Empty);
        }
        out.push(Part::Place(place.to_owned()));
    }
    if !rest.is_empty() {
        out.push(Part::Text(rest.to_owned()));
    }
    Ok(out)
}

/// The places of a template, in order.
///
/// # Errors
/// When braces do not pair.
pub fn places(template: &str) -> Result<Vec<String>, TemplateError> {
    Ok(parts(template)?
        .into_iter()
        .filter_map(|p| match p {
            Part::Place(name) => Some(name),
            Part::Text(_) => None,
        })
        .collect())
}

/// Fills a template. `None` when a place has no value.
pub fn fill<'v>(parts: &[Part], value: impl Fn(&str) -> Option<&'v str>) -> Option<String> {
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Place(name) => out.push_str(value(name)?),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn braces_must_pair() {
        assert_eq!(places("a{b}c{d:e}").unwrap(), ["b", "d:e"]);
        assert_eq!(parts("{a"), Err(TemplateError::Open));
        assert_eq!(parts("a}"), Err(TemplateError::Close));
        assert_eq!(parts("{a{b}}"), Err(TemplateError::Open));
        assert_eq!(parts("{}"), Err(TemplateError::Empty));
    }

    #[test]
    fn a_value_is_never_read_as_a_template() {
        let parts = parts("x{a}y").unwrap();
        assert_eq!(fill(&parts, |_| Some("{a}")).unwrap(), "x{a}y");
        assert_eq!(fill(&parts, |_| None), None);
    }

    proptest! {
        #[test]
        fn filling_places_with_themselves_gives_the_template_back(text in "[a-z{}:/]{0,30}") {
            if let Ok(parts) = parts(&text) {
                let names: Vec<String> = places(&text).unwrap();
                let braced: std::collections::BTreeMap<String, String> = names.into_iter().map(|n| (n.clone(), format!("{{{n}}}"))).collect();
                prop_assert_eq!(fill(&parts, |n| braced.get(n).map(String::as_str)).unwrap(), text);
            }
        }
    }
}
