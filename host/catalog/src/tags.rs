//! How a vendor wants tag names. A name is never cut: two tags could become one. Knows no vendor and no connection.

use crate::model::{Fold, TagModel, Tags};

/// The tag that marks every contact that comes from us; a manifest's rules must let it through.
pub const SYSTEM_TAG: &str = "Rekomi affiliate";

/// Why a tag cannot be used with this vendor: the merchant must choose another name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagRefused {
    #[error("nothing of the tag is left by the vendor's rules")]
    Empty,
    #[error("the tag has {len} characters; the vendor allows {max}")]
    TooLong { len: usize, max: u32 },
    #[error("the tag holds {0:?}, which the vendor does not allow")]
    Forbidden(char),
    #[error("the vendor has no tags and nothing that stands in for them")]
    NoTags,
}

/// The rules of one manifest's `[tags]`.
#[derive(Clone, Debug)]
pub struct TagRules {
    model: TagModel,
    fold: Fold,
    max_len: Option<u32>,
    forbid: Vec<char>,
}

impl TagRules {
    pub fn of(tags: &Tags) -> Self {
        let separator = tags.separator.iter().flat_map(|s| s.chars()).filter(|c| !c.is_whitespace());
        Self { model: tags.model, fold: tags.fold, max_len: tags.max_len, forbid: tags.forbid.chars().chain(separator).collect() }
    }

    /// The name as it goes on the wire: trimmed, folded, and held against length (in characters) and forbidden characters.
    ///
    /// # Errors
    /// When the vendor would not take it.
    pub fn wire(&self, name: &str) -> Result<String, TagRefused> {
        if self.model == TagModel::None {
            return Err(TagRefused::NoTags);
        }
        let name = name.trim();
        let wire = match self.fold {
            Fold::None => name.to_owned(),
            Fold::Lower => name.to_lowercase(),
            Fold::Slug => slug(name),
        };
        if wire.is_empty() {
            return Err(TagRefused::Empty);
        }
        if let Some(c) = wire.chars().find(|c| c.is_control() || self.forbid.contains(c)) {
            return Err(TagRefused::Forbidden(c));
        }
        let len = wire.chars().count();
        match self.max_len {
            Some(max) if len > max as usize => Err(TagRefused::TooLong { len, max }),
            _ => Ok(wire),
        }
    }
}

/// Lower-case ASCII letters and digits; any run of other characters becomes one `_`, none at the ends.
fn slug(name: &str) -> String {
    let mut out = String::new();
    for c in name.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
    }
    out.trim_end_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rules(fold: Fold, max_len: Option<u32>, forbid: &str, separator: Option<&str>) -> TagRules {
        let tags =
            Tags { model: TagModel::Name, fold, max_len, forbid: forbid.into(), separator: separator.map(Into::into), ..Tags::default() };
        TagRules::of(&tags)
    }

    #[test]
    fn names_are_folded_and_held_against_the_rules() {
        let cases: &[(TagRules, &str, Result<&str, TagRefused>)] = &[
            (rules(Fold::None, None, "", None), "  Rekomi affiliate ", Ok("Rekomi affiliate")),
            (rules(Fold::Lower, None, "", None), "Été VIP", Ok("été vip")),
            (rules(Fold::Slug, None, "", None), "Rekomi -- affiliate!", Ok("rekomi_affiliate")),
            (rules(Fold::Slug, None, "", None), "日本", Err(TagRefused::Empty)),
            (rules(Fold::None, Some(5), "", None), "абвгд", Ok("абвгд")),
            (rules(Fold::None, Some(5), "", None), "абвгде", Err(TagRefused::TooLong { len: 6, max: 5 })),
            (rules(Fold::None, None, ";", None), "a;b", Err(TagRefused::Forbidden(';'))),
            (rules(Fold::None, None, "", Some(", ")), "a,b", Err(TagRefused::Forbidden(','))),
            (rules(Fold::None, None, "", Some(", ")), "a b", Ok("a b")),
            (rules(Fold::None, None, "", None), " \t", Err(TagRefused::Empty)),
        ];
        for (rules, name, expected) in cases {
            assert_eq!(rules.wire(name), expected.clone().map(str::to_owned), "{name}");
        }
        assert_eq!(TagRules::of(&Tags::default()).wire("x"), Err(TagRefused::NoTags));
    }

    proptest! {
        #[test]
        fn what_passes_keeps_every_rule_and_passes_again(name in ".{0,40}", max in 1u32..30) {
            for fold in [Fold::None, Fold::Lower, Fold::Slug] {
                let rules = rules(fold, Some(max), ";,", None);
                if let Ok(wire) = rules.wire(&name) {
                    prop_assert!(wire.chars().count() <= max as usize);
                    prop_assert!(!wire.contains([';', ',']));
                    if fold == Fold::Slug {
                        prop_assert_eq!(rules.wire(&wire), Ok(wire));
                    }
                }
            }
        }
    }
}
