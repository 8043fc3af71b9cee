//! The wanted tags as far as this connection's vendor can take them. A campaign's tags are typed without a vendor in mind: one that
//! is too long for this vendor must not keep the contact from arriving with the others.

use crm_catalog::model::{Manifest, TagModel};
use crm_catalog::tags::TagRules;
use crm_contract::types::{Remark, Warning};

/// What goes to the guest, and what is said of the rest.
pub(crate) struct Fitted {
    pub(crate) set: Vec<String>,
    pub(crate) all: Vec<String>,
    pub(crate) warnings: Vec<Warning>,
}

pub(crate) fn fit(manifest: &Manifest, set: &[String], all: &[String]) -> Fitted {
    if manifest.tags.model == TagModel::None {
        return Fitted { set: set.to_vec(), all: all.to_vec(), warnings: Vec::new() };
    }
    let rules = TagRules::of(&manifest.tags);
    let taken = |tags: &[String]| tags.iter().filter(|tag| rules.wire(tag).is_ok()).cloned().collect();
    let refused = set.iter().filter_map(|tag| Some((tag, rules.wire(tag).err()?)));
    let warnings = refused.map(|(tag, why)| Warning { what: Remark::DroppedField, subject: format!("tag {tag:?}: {why}") });
    Fitted { set: taken(set), all: taken(all), warnings: warnings.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_that_the_vendor_cannot_take_is_dropped_and_said() {
        let mut manifest: Manifest = serde_json::from_value(serde_json::json!({
            "connector": { "slug": "acme", "name": "Acme", "version": "1.0.0", "category": "CRM", "pitch": "x", "docs": "https://acme.example" },
            "endpoints": [], "calls": [], "supports": {}, "setup": { "key_location": ["x"], "disconnect": "x" },
        }))
        .expect("a manifest");
        (manifest.tags.model, manifest.tags.max_len) = (TagModel::Name, Some(20));
        let tags: Vec<String> = ["Rekomi affiliate", "A campaign with a very long name"].map(str::to_owned).into();
        let fitted = fit(&manifest, &tags, &tags);
        assert_eq!((fitted.set.as_slice(), fitted.all.as_slice()), (&tags[..1], &tags[..1]));
        assert!(fitted.warnings[0].subject.contains("very long name"), "{:?}", fitted.warnings);
        manifest.tags.model = TagModel::None;
        assert_eq!(fit(&manifest, &tags, &tags).set, tags);
    }
}
