//! What was found against what the manifest says of it: nothing unexplained, no explanation left over.

use std::collections::{BTreeMap, BTreeSet};

use crm_catalog::model::{Manifest, Witness, WitnessKind};

/// What one witness had to say.
#[derive(Default)]
pub struct Heard {
    /// Calls of which at least one request could be compared.
    pub calls: BTreeSet<String>,
    /// `CALL: WHERE` -> what differs there, once.
    pub differences: BTreeMap<String, String>,
}

impl Heard {
    /// Notes a difference of a call.
    pub fn differs(&mut self, call: &str, place: &str, what: impl Into<String>) {
        self.differences.entry(format!("{call}: {place}")).or_insert_with(|| what.into());
    }
}

/// The only witness of this kind that the manifest names.
pub fn named(manifest: &Manifest, kind: WitnessKind) -> Result<&Witness, String> {
    let mut of_kind = manifest.witnesses.iter().filter(|witness| witness.kind == kind);
    match (of_kind.next(), of_kind.next()) {
        (Some(witness), None) => Ok(witness),
        (None, _) => Err(format!("{}: no [[witnesses]] of kind {kind:?}", manifest.connector.slug)),
        (Some(_), Some(_)) => Err(format!("{}: more than one [[witnesses]] of kind {kind:?}", manifest.connector.slug)),
    }
}

/// Everything that is wrong, one line each.
pub fn judge(witness: &Witness, heard: &Heard) -> Vec<String> {
    let name = &witness.name;
    let named: BTreeSet<&String> = witness.calls.iter().collect();
    let mut wrong = Vec::new();
    for call in heard.calls.iter().filter(|call| !named.contains(call)) {
        wrong.push(format!("{name}: `{call}` was compared, but is not among its `calls`"));
    }
    for call in named.iter().filter(|call| !heard.calls.contains(**call)) {
        wrong.push(format!("{name}: `{call}` is among its `calls`, but nothing was compared"));
    }
    for (place, what) in heard.differences.iter().filter(|(place, _)| !witness.explained.contains_key(*place)) {
        wrong.push(format!("{name}: not explained: {place:?}: {what}"));
    }
    for place in witness.explained.keys().filter(|place| !heard.differences.contains_key(*place)) {
        wrong.push(format!("{name}: {place:?} is explained, but does not differ: remove the explanation"));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn witness(calls: &[&str], explained: &[&str]) -> Witness {
        Witness {
            kind: WitnessKind::Sdk,
            name: "x 1".to_owned(),
            calls: calls.iter().map(|call| (*call).to_owned()).collect(),
            explained: explained.iter().map(|place| ((*place).to_owned(), "because".to_owned())).collect(),
        }
    }

    fn heard() -> Heard {
        let mut heard = Heard { calls: ["save".to_owned()].into(), ..Heard::default() };
        heard.differs("save", "body /skip", "true instead of nothing");
        heard
    }

    #[test]
    fn an_explained_difference_is_accepted() {
        assert!(judge(&witness(&["save"], &["save: body /skip"]), &heard()).is_empty());
    }

    #[test]
    fn an_unexplained_difference_a_stale_explanation_and_an_unheard_call_are_not() {
        let wrong = judge(&witness(&["save", "tag"], &["save: path"]), &heard());
        assert_eq!(wrong.len(), 3, "{wrong:?}");
    }
}
