//! The table of `connectors/README.md`: one line a connector, read from the manifests and the fixtures, so that it cannot say what they
//! do not. `cargo xtask check` compares it; `cargo xtask check --table` writes it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use crm_catalog::model::{AuthKind, Grant, Manifest, Stage, TagModel, Witness, WitnessKind};
use serde_json::Value;

use crate::build;
use crate::workspace::Workspace;

const BEGIN: &str = "<!-- begin table -->";
const END: &str = "<!-- end table -->";
const HEAD: &str = "| vendor | auth | calls a sync: new, existing (at most) | tags | consent guard | witnesses | confidence |\n\
                    | --- | --- | --- | --- | --- | --- | --- |\n";

fn file(workspace: &Workspace) -> PathBuf {
    workspace.root.join("connectors/README.md")
}

/// Whether the table in the file is the one that the manifests make.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let (text, fresh) = (read(workspace)?, fresh(workspace)?);
    if text != fresh {
        bail!("connectors/README.md does not say what the manifests say: `cargo xtask check --table` writes its table anew");
    }
    Ok(())
}

pub(crate) fn write(workspace: &Workspace) -> Result<()> {
    let fresh = fresh(workspace)?;
    fs::write(file(workspace), fresh).context("connectors/README.md cannot be written")
}

fn read(workspace: &Workspace) -> Result<String> {
    fs::read_to_string(file(workspace)).context("connectors/README.md cannot be read")
}

/// The file as it should be: everything around the table stays.
fn fresh(workspace: &Workspace) -> Result<String> {
    let text = read(workspace)?;
    let (before, rest) = text.split_once(BEGIN).with_context(|| format!("connectors/README.md has no {BEGIN}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("connectors/README.md has no {END}"))?;
    let mut rows = Vec::new();
    for slug in build::slugs(workspace)? {
        rows.push(row(&workspace.root.join("connectors").join(slug))?);
    }
    rows.sort_by_key(|(name, _)| name.to_lowercase());
    let table: String = rows.into_iter().map(|(_, row)| row).collect();
    Ok(format!("{before}{BEGIN}\n{HEAD}{table}{END}{after}"))
}

fn row(folder: &Path) -> Result<(String, String)> {
    let path = folder.join("connector.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let manifest = crm_catalog::parse(&text, "connector.toml").map_err(|errors| anyhow::anyhow!("{}: {errors:?}", path.display()))?;
    let calls = |scenario: &str| made(&folder.join("fixtures").join(format!("{scenario}.json")));
    let (new, existing) = (calls("sync-new")?, calls("sync-existing")?);
    let most = manifest.sync.new.max(manifest.sync.existing);
    let connector = &manifest.connector;
    let cells = [
        format!("[{}]({}/connector.toml)", connector.name, connector.slug),
        auth(&manifest),
        format!("{new}, {existing} ({most})"),
        tags(manifest.tags.model).to_owned(),
        guard(&manifest),
        witnesses(&manifest.witnesses),
        confidence(&manifest.witnesses).to_owned(),
    ];
    Ok((connector.name.clone(), format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))))
}

/// How many calls the first run of a fixture makes.
fn made(path: &Path) -> Result<usize> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let fixture: Value = serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))?;
    Ok(fixture["exchanges"].as_array().map_or(0, Vec::len))
}

fn auth(manifest: &Manifest) -> String {
    let kind = |kind: &AuthKind| match kind {
        AuthKind::Header { .. } => "key in a header",
        AuthKind::Basic { .. } => "Basic",
        AuthKind::Bearer { .. } => "Bearer key",
        AuthKind::Query { .. } => "key in the query",
        AuthKind::Body { .. } => "key in the body",
        AuthKind::Jwt(_) => "signed JWT",
        AuthKind::Signature(_) => "signed request",
        AuthKind::Oauth2(oauth) => match oauth.grant {
            Grant::Code => "OAuth 2 (consent)",
            Grant::RefreshToken => "OAuth 2 (refresh token)",
            Grant::ClientCredentials => "OAuth 2 (client credentials)",
        },
    };
    let mut kinds: Vec<&str> = Vec::new();
    for auth in &manifest.auth {
        if !kinds.contains(&kind(&auth.kind)) {
            kinds.push(kind(&auth.kind));
        }
    }
    kinds.join(", ")
}

fn tags(model: TagModel) -> &'static str {
    match model {
        TagModel::Name => "tags by name",
        TagModel::Id => "tags by id",
        TagModel::List => "a list a tag",
        TagModel::Options => "options of a field",
        TagModel::Boolean => "a yes/no field a tag",
        TagModel::String => "text of a field",
        TagModel::None => "none",
    }
}

/// Which look must precede which write; "none needed" where no call can change a subscription.
fn guard(manifest: &Manifest) -> String {
    let sync = manifest.calls.iter().filter(|call| call.stages.contains(&Stage::Sync) || call.stages.contains(&Stage::Untag));
    let mut guarded = BTreeSet::new();
    for call in sync {
        if let Some(guard) = &call.guard {
            let only = if call.new_only.is_empty() { "" } else { ", new only" };
            guarded.insert(format!("`{guard}` before `{}`{only}", call.name));
        }
    }
    if guarded.is_empty() {
        "none needed: no call can change a subscription".to_owned()
    } else {
        guarded.into_iter().collect::<Vec<_>>().join("; ")
    }
}

fn witnesses(all: &[Witness]) -> String {
    let one = |witness: &Witness| {
        let kind = match witness.kind {
            WitnessKind::Description => "description",
            WitnessKind::Sdk => "client",
            WitnessKind::Software => "software",
        };
        // A description's name ends with where it is from.
        let name = witness.name.split(" (").next().unwrap_or_default();
        let explained = match witness.explained.len() {
            0 => "agreed".to_owned(),
            n => format!("{n} explained"),
        };
        format!("{kind} {name}: {} calls, {explained}", witness.calls.len())
    };
    if all.is_empty() { "none".to_owned() } else { all.iter().map(one).collect::<Vec<_>>().join("; ") }
}

/// By whose word, besides the documents, the requests are right.
fn confidence(all: &[Witness]) -> &'static str {
    let has = |kind: WitnessKind| all.iter().any(|witness| witness.kind == kind);
    match (has(WitnessKind::Software), has(WitnessKind::Description), has(WitnessKind::Sdk)) {
        (true, _, _) => "high",
        (_, true, true) => "good",
        (_, false, false) => "documents",
        _ => "fair",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_the_manifests_say() {
        check(&Workspace::find().unwrap()).unwrap();
    }

    #[test]
    fn one_witness_is_less_than_two_and_software_more_than_both() {
        let witness =
            |kind| Witness { kind, name: "x 1 (there)".to_owned(), calls: vec!["save".to_owned()], explained: Default::default() };
        let (sdk, description, software) = (witness(WitnessKind::Sdk), witness(WitnessKind::Description), witness(WitnessKind::Software));
        assert_eq!(confidence(&[]), "documents");
        assert_eq!(confidence(std::slice::from_ref(&sdk)), "fair");
        assert_eq!(confidence(&[description, sdk.clone()]), "good");
        assert_eq!(confidence(&[software]), "high");
        assert_eq!(witnesses(&[sdk]), "client x 1: 1 calls, agreed");
    }
}
