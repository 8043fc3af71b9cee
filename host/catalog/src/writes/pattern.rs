//! One entry of `writes`: read, filled with the merchant's names, and compared with a key.

use crate::template::{self, Part};

/// An entry of `writes`, `new_only` or `fixed` that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{entry}: {problem}")]
pub struct RuleError {
    /// Such as `writes[2]` or `fixed./objectID`.
    pub entry: String,
    /// What is wrong and what is allowed.
    pub problem: String,
}

pub(super) const RULE: &str = "allowed: a JSON pointer (`/contact/email`; `*` any key or index, `abc*` keys that begin so, `abc#` such keys ending in digits, `*abc` keys that end so, a last `/**` anything below), `form:key`, or `form:key#/pointer`; `{setting:NAME}` and `{fact:NAME}` stand for a name";

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seg {
    Exact(String),
    /// Begins so and has at least one more character.
    Prefix(String),
    /// Begins so and goes on with nothing but digits, at least one.
    Digits(String),
    /// Ends so and has at least one character before that.
    Suffix(String),
    Any,
    /// This key and anything below it. Only last.
    Rest,
}

impl Seg {
    pub(super) fn matches(&self, key: &str) -> bool {
        match self {
            Self::Exact(text) => text == key,
            Self::Prefix(text) => key.len() > text.len() && key.starts_with(text.as_str()),
            Self::Digits(text) => {
                key.strip_prefix(text.as_str()).is_some_and(|tail| !tail.is_empty() && tail.bytes().all(|b| b.is_ascii_digit()))
            }
            Self::Suffix(text) => key.len() > text.len() && key.ends_with(text.as_str()),
            Self::Any | Self::Rest => true,
        }
    }

    pub(super) fn is_exact(&self) -> bool {
        matches!(self, Self::Exact(_))
    }

    /// Whether one key could match both.
    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any | Self::Rest, _) | (_, Self::Any | Self::Rest) => true,
            (Self::Exact(a), b) => b.matches(a),
            (a, Self::Exact(b)) => a.matches(b),
            (Self::Prefix(a) | Self::Digits(a), Self::Prefix(b) | Self::Digits(b)) => {
                a.starts_with(b.as_str()) || b.starts_with(a.as_str())
            }
            (Self::Suffix(a), Self::Suffix(b)) => a.ends_with(b.as_str()) || b.ends_with(a.as_str()),
            // `a*` and `*b` meet in `a...b`.
            (Self::Suffix(_), Self::Prefix(_)) | (Self::Prefix(_), Self::Suffix(_)) => true,
            (Self::Suffix(end), Self::Digits(_)) | (Self::Digits(_), Self::Suffix(end)) => {
                end.bytes().last().is_none_or(|b| b.is_ascii_digit())
            }
        }
    }
}

/// An entry with every name known. `form` = `None`: a JSON body; an empty `pointer` with `form`: the whole form field.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) form: Option<Seg>,
    pub(super) pointer: Vec<Seg>,
}

impl Rule {
    pub(super) fn is_anything(&self) -> bool {
        self.form.is_none() && self.pointer == [Seg::Rest]
    }
}

#[derive(Clone, Debug)]
struct SegTemplate {
    parts: Vec<Part>,
    tail: Tail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tail {
    Exact,
    Prefix,
    Digits,
    Suffix,
    Any,
    Rest,
}

/// An entry as the manifest has it.
#[derive(Clone, Debug)]
pub(super) struct RuleTemplate {
    form: Option<SegTemplate>,
    pointer: Vec<SegTemplate>,
}

pub(super) fn compile(key: &str, entries: &[String]) -> Result<Vec<RuleTemplate>, RuleError> {
    let each = |(i, text): (usize, &String)| {
        RuleTemplate::read(text)
            .map_err(|problem| RuleError { entry: format!("{key}[{i}]"), problem: format!("`{text}` {problem}; {RULE}") })
    };
    entries.iter().enumerate().map(each).collect()
}

impl RuleTemplate {
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let (form, pointer) = match text.strip_prefix("form:") {
            None => (None, text),
            Some(rest) => match rest.find("#/") {
                Some(cut) => (Some(SegTemplate::read(&rest[..cut])?), &rest[cut + 1..]),
                None => (Some(SegTemplate::read(rest)?), ""),
            },
        };
        if form.as_ref().is_some_and(|f| f.tail == Tail::Rest) {
            return Err("has `**` as a form key".into());
        }
        let pointer = match pointer.strip_prefix('/') {
            Some(segments) => segments.split('/').map(SegTemplate::read).collect::<Result<Vec<_>, _>>()?,
            None if form.is_some() => Vec::new(),
            None => return Err("does not begin with `/` or `form:`".into()),
        };
        if pointer.iter().rev().skip(1).any(|s| s.tail == Tail::Rest) {
            return Err("has `**` before its end".into());
        }
        Ok(Self { form, pointer })
    }

    pub(super) fn is_open(&self) -> bool {
        self.form.iter().chain(&self.pointer).any(SegTemplate::is_open)
    }

    pub(super) fn fill<'v>(&self, setting: &dyn Fn(&str) -> Option<&'v str>, fact: &dyn Fn(&str) -> Option<&'v str>) -> Option<Rule> {
        let value = |place: &str| {
            let (kind, name) = place.split_once(':')?;
            let value = if kind == "setting" { setting(name) } else { fact(name) };
            value.filter(|v| !v.is_empty())
        };
        let form = match &self.form {
            Some(form) => Some(form.fill(&value)?),
            None => None,
        };
        let pointer = self.pointer.iter().map(|s| s.fill(&value)).collect::<Option<Vec<_>>>()?;
        Some(Rule { form, pointer })
    }

    /// As a rule in which an unknown name may be anything: to compare entries before any name is known.
    fn widest(&self) -> Rule {
        Rule { form: self.form.as_ref().map(SegTemplate::widest), pointer: self.pointer.iter().map(SegTemplate::widest).collect() }
    }

    /// The names of settings that it refers to.
    pub(super) fn places(&self) -> impl Iterator<Item = &str> {
        self.form.iter().chain(&self.pointer).flat_map(|s| &s.parts).filter_map(|p| match p {
            Part::Place(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }
}

impl SegTemplate {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "" => return Err("has an empty step".into()),
            "**" => return Ok(Self { parts: Vec::new(), tail: Tail::Rest }),
            "*" => return Ok(Self { parts: Vec::new(), tail: Tail::Any }),
            _ => {}
        }
        let (stem, tail) = if let Some(stem) = text.strip_suffix('*') {
            (stem, Tail::Prefix)
        } else if let Some(stem) = text.strip_suffix('#') {
            (stem, Tail::Digits)
        } else if let Some(stem) = text.strip_prefix('*') {
            (stem, Tail::Suffix)
        } else {
            (text, Tail::Exact)
        };
        if stem.contains('*') {
            return Err("has a `*` inside a step".into());
        }
        let parts = template::parts(stem).map_err(|e| e.to_string())?;
        let parts = parts.into_iter().map(unescape).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { parts, tail })
    }

    fn is_open(&self) -> bool {
        self.parts.iter().any(|p| matches!(p, Part::Place(_)))
    }

    fn fill<'v>(&self, value: &dyn Fn(&str) -> Option<&'v str>) -> Option<Seg> {
        Some(self.seg(template::fill(&self.parts, value)?))
    }

    fn seg(&self, text: String) -> Seg {
        match self.tail {
            Tail::Exact => Seg::Exact(text),
            Tail::Prefix => Seg::Prefix(text),
            Tail::Digits => Seg::Digits(text),
            Tail::Suffix => Seg::Suffix(text),
            Tail::Any => Seg::Any,
            Tail::Rest => Seg::Rest,
        }
    }

    fn widest(&self) -> Seg {
        match self.parts.first() {
            Some(Part::Place(_)) => Seg::Any,
            Some(Part::Text(_)) if self.is_open() && self.tail == Tail::Suffix => Seg::Any,
            Some(Part::Text(text)) if self.is_open() => Seg::Prefix(text.clone()),
            Some(Part::Text(text)) => self.seg(text.clone()),
            None => self.seg(String::new()),
        }
    }
}

fn unescape(part: Part) -> Result<Part, String> {
    match part {
        Part::Text(text) => {
            if text.replace("~0", "").replace("~1", "").contains('~') {
                return Err("has a `~` that is neither `~0` (for `~`) nor `~1` (for `/`)".into());
            }
            Ok(Part::Text(text.replace("~1", "/").replace("~0", "~")))
        }
        Part::Place(place) => match place.split_once(':') {
            Some(("setting" | "fact", name)) if is_place_name(name) => Ok(Part::Place(place)),
            _ => Err(format!("has the unknown place `{{{place}}}`")),
        },
    }
}

/// Facts may be named more freely than settings: by the vendor's ids.
fn is_place_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-:".contains(&b))
}

/// Whether two entries could speak of the same field, or one of something inside the other. Malformed entries never do.
pub fn rules_overlap(a: &str, b: &str) -> bool {
    let (Ok(a), Ok(b)) = (RuleTemplate::read(a), RuleTemplate::read(b)) else { return false };
    let (a, b) = (a.widest(), b.widest());
    let forms = match (&a.form, &b.form) {
        (None, None) => true,
        (Some(a), Some(b)) => a.meets(b),
        _ => false,
    };
    forms && a.pointer.iter().zip(&b.pointer).all(|(a, b)| a.meets(b))
}
