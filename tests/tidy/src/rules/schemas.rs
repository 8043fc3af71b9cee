//! Names of the API's types: in the OpenAPI document every schema of a name is the same one, so that of two types that are called alike one
//! is lost without a word, and clients are told the other's fields.

use std::collections::BTreeMap;

use regex::Regex;

use crate::{Finding, Repo};

const WHERE: &str = "host/api/";
/// Attributes and comments may stand between the derive and the type.
const TYPE: &str =
    r"(?m)^#\[derive\([^\]]*\bToSchema\b[^\]]*\)\]\s*(?:^\s*(?:#\[.*|//.*)\s*)*^\s*(?:pub(?:\([a-z]+\))? )?(?:struct|enum) (\w+)";
const RENAMED: &str = r"#\[schema\(as = (\w+)";

pub(crate) fn check(repo: &Repo, findings: &mut Vec<Finding>) {
    let (Ok(kind), Ok(renamed)) = (Regex::new(TYPE), Regex::new(RENAMED)) else { return };
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for source in repo.sources.iter().filter(|s| s.is_rust() && s.path.starts_with(WHERE)) {
        for found in kind.captures_iter(&source.text) {
            let (whole, own) = (found[0].to_owned(), found[1].to_owned());
            let name = renamed.captures(&whole).map_or(own, |as_name| as_name[1].to_owned());
            let before = found.get(0).map_or(0, |all| all.end());
            let line = source.text[..before].lines().count();
            if let Some(other) = known.insert(name.clone(), source.path.clone()) {
                let say = format!("the schema `{name}` is also in {other}: in /openapi.json one of them is lost");
                findings.push(Finding { path: source.path.clone(), line, rule: "schemas", say });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::repo_of;

    fn lines(files: &[(&str, &str)]) -> Vec<usize> {
        let mut findings = Vec::new();
        check(&repo_of(files), &mut findings);
        findings.iter().map(|f| f.line).collect()
    }

    #[test]
    fn two_schemas_of_one_name_are_found_and_other_types_may_share_theirs() {
        let a = "//! a\n#[derive(Debug, Serialize, ToSchema)]\npub(crate) struct Counts {\n";
        let b = "//! b\n#[derive(Serialize, ToSchema)]\n#[serde(tag = \"x\")]\n// Why.\nenum Counts {\n";
        assert_eq!(lines(&[("host/api/src/a.rs", a), ("host/api/src/b.rs", b)]), [5]);
        assert!(lines(&[("host/api/src/a.rs", a), ("host/sync/src/b.rs", b)]).is_empty());
        let plain = "//! b\n#[derive(Serialize)]\nstruct Counts;\n#[derive(ToSchema)]\nstruct Others;\n";
        assert!(lines(&[("host/api/src/a.rs", a), ("host/api/src/b.rs", plain)]).is_empty());
        let renamed = "//! b\n#[derive(ToSchema)]\n#[schema(as = Totals)]\nstruct Counts;\n";
        assert!(lines(&[("host/api/src/a.rs", a), ("host/api/src/b.rs", renamed)]).is_empty());
    }
}
