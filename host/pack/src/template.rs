//! The connector that a new author begins with: `sdk/template`, inside the program, so that it needs no checkout. Stamps texts; writes no file.

use std::fmt;
use std::path::PathBuf;

const LONGEST_SLUG: usize = 40;
const LONGEST_NAME: usize = 60;

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../sdk/template/", $path, ".tmpl")))),*]
    };
}

/// Path in the new folder and text.
const FILES: &[(&str, &str)] = files![
    "connector.toml",
    "lib.rs",
    "fixtures/choices-two-pages.json",
    "fixtures/destination-missing.json",
    "fixtures/lookup-absent.json",
    "fixtures/lookup-found.json",
    "fixtures/rate-limited.json",
    "fixtures/rejected-e-mail.json",
    "fixtures/server-error.json",
    "fixtures/sync-blank-names.json",
    "fixtures/sync-existing.json",
    "fixtures/sync-new.json",
    "fixtures/sync-opted-out.json",
    "fixtures/sync-resume-after-failed-step.json",
    "fixtures/sync-unicode.json",
    "fixtures/untag.json",
    "fixtures/verify-bad-credentials.json",
    "fixtures/verify-ok.json",
];
const IN_WORKSPACE: &str = include_str!("../../../sdk/template/Cargo.toml.tmpl");
const ALONE: &str = include_str!("../../../sdk/template/Cargo.alone.toml.tmpl");

/// Where the new crate stands.
#[derive(Clone, Copy, Debug)]
pub enum Home<'a> {
    /// In `connectors/` of the repository.
    Workspace,
    /// On its own, with the SDK from there: a git address, or a folder.
    Alone { sdk: &'a str },
}

/// Choose another slug or name: the text says what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadName(String);

impl fmt::Display for BadName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for BadName {}

/// The files of a new connector, by their path in its folder. Without a name the slug's words serve.
///
/// # Errors
/// When slug or name cannot be used.
pub fn stamp(slug: &str, name: Option<&str>, home: Home<'_>) -> Result<Vec<(PathBuf, String)>, BadName> {
    check_slug(slug)?;
    let name = name.map_or_else(|| titled(slug), str::to_owned);
    check_name(&name)?;
    let filled = |text: &str| text.replace("{{slug}}", slug).replace("{{name}}", &name);
    let cargo = match home {
        Home::Workspace => filled(IN_WORKSPACE),
        Home::Alone { sdk } => filled(ALONE).replace("{{sdk}}", &source(sdk)),
    };
    let mut files = vec![(PathBuf::from("Cargo.toml"), cargo)];
    files.extend(FILES.iter().map(|(path, text)| (PathBuf::from(path), filled(text))));
    Ok(files)
}

/// A dependency as Cargo.toml writes it.
fn source(sdk: &str) -> String {
    let is_address = sdk.contains("://") || sdk.starts_with("git@");
    format!("{{ {} = {sdk:?} }}", if is_address { "git" } else { "path" })
}

fn check_slug(slug: &str) -> Result<(), BadName> {
    let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let begins = slug.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    if slug.len() > LONGEST_SLUG || !begins || !slug.split('-').all(word) {
        return Err(BadName(format!(
            "`{slug}` is no slug: a lower-case letter first, then lower-case letters and digits in words joined by `-`, at most \
             {LONGEST_SLUG} in all, such as `acme-mail`"
        )));
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), BadName> {
    let bad = |c: char| c.is_control() || matches!(c, '"' | '\\' | '{' | '}');
    if name.trim().is_empty() || name.chars().count() > LONGEST_NAME || name.contains(bad) {
        return Err(BadName(format!(
            "the name {name:?} cannot be used: 1 to {LONGEST_NAME} characters, without quotes, backslashes and braces"
        )));
    }
    Ok(())
}

/// `acme-mail` -> `Acme Mail`.
fn titled(slug: &str) -> String {
    let word = |word: &str| {
        let mut chars = word.chars();
        chars.next().map(|first| first.to_uppercase().chain(chars).collect::<String>()).unwrap_or_default()
    };
    slug.split('-').map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_list_is_the_folder() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/template");
        let mut there = BTreeSet::new();
        for dir in ["", "fixtures"] {
            for entry in std::fs::read_dir(root.join(dir)).expect("the template") {
                let file = entry.expect("a file").path();
                let stem = file.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".tmpl"));
                there.extend(stem.filter(|stem| !stem.starts_with("Cargo.")).map(|stem| Path::new(dir).join(stem)));
            }
        }
        assert_eq!(FILES.iter().map(|(path, _)| PathBuf::from(path)).collect::<BTreeSet<_>>(), there);
    }

    #[test]
    fn every_place_is_filled_in_both_homes_and_the_manifest_is_good() {
        for home in [Home::Workspace, Home::Alone { sdk: "https://git.example/crm" }] {
            let files = stamp("acme-mail", None, home).expect("stamped");
            assert!(files.iter().all(|(_, text)| !text.contains("{{")), "{files:?}");
            let (_, manifest) = files.iter().find(|(path, _)| path.ends_with("connector.toml")).expect("a manifest");
            let manifest = crm_catalog::parse(manifest, "connector.toml").expect("good");
            assert_eq!((manifest.connector.slug.as_str(), manifest.connector.name.as_str()), ("acme-mail", "Acme Mail"));
        }
        assert_eq!(source("../sdk"), r#"{ path = "../sdk" }"#);
        assert_eq!(source("https://git.example/crm"), r#"{ git = "https://git.example/crm" }"#);
    }

    #[test]
    fn a_bad_slug_or_name_is_refused() {
        for bad in ["", "Acme", "acme_mail", "-acme", "acme-", "a--b", "9lives", "../up", "ünï", &"a".repeat(41)] {
            assert!(stamp(bad, None, Home::Workspace).expect_err(bad).to_string().contains("no slug"), "{bad}");
        }
        for bad in [" ", "a\"b", "a{b", &"x".repeat(61)] {
            assert!(stamp("acme", Some(bad), Home::Workspace).is_err(), "{bad}");
        }
    }
}
