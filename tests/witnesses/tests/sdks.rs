//! Each vendor's own client library, pointed at our twin, or at what the fixtures say the vendor answered: it must understand the
//! answers, and send what our connector sends. `node/<slug>.mjs` is the script, `understood/<slug>.json` what must come out of it.

use std::fs;

use anyhow::{Context, Result, ensure};
use crm_witnesses::node::Node;
use crm_witnesses::{node, ours, places, sdk};
use serde::Deserialize;
use serde_json::{Value, json};

/// What one library must have made of the answers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    package: String,
    /// What a recorder answers, where there is no twin.
    #[serde(default)]
    fixtures: Vec<String>,
    understood: Value,
    /// The twin's contact afterwards: fields, tags, lists. Nothing where there is no twin.
    #[serde(default)]
    contact: Value,
}

async fn witnessed(node: &Node, slug: &str, expected: &Expected) -> Result<()> {
    let Expected { package, fixtures, understood, contact } = expected;
    let folder = ours::folder(slug)?;
    let session = sdk::session(node, &folder, fixtures).await?;
    let read = session.understood();
    ensure!(read == *understood, "{package} understood something else:\n{read}\ninstead of\n{understood}");
    let left = &session.contacts;
    ensure!(contact.is_null() || *left == json!([contact]), "{package} left something else at the twin: {left}");
    let wrong = session.judged(&folder, package)?;
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// The vendors whose libraries are asked: all, or the one that `CRM_WITNESS` names.
fn asked() -> Result<Vec<(String, Expected)>> {
    let mut all = Vec::new();
    for slug in places::listed("understood", "json")?.into_iter().filter(|slug| places::only().is_none_or(|only| only == *slug)) {
        let file = places::here().join("understood").join(format!("{slug}.json"));
        let expected = serde_json::from_slice(&fs::read(file)?).with_context(|| format!("understood/{slug}.json"))?;
        all.push((slug, expected));
    }
    Ok(all)
}

#[test]
fn nothing_in_the_lock_file_names_a_download_host() {
    assert!(node::lock_names_no_host().unwrap(), "`npm install --package-lock-only --omit-lockfile-registry-resolved`");
}

#[test]
fn every_script_has_its_expectation() {
    let scripts: Vec<String> = places::listed("node", "mjs").unwrap().into_iter().filter(|name| name != "common").collect();
    assert_eq!(scripts, places::listed("understood", "json").unwrap());
}

#[test]
fn every_vendors_own_client_says_the_same() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let asked = asked().unwrap();
    assert!(!asked.is_empty(), "no client library is asked");
    let wrong: Vec<String> = runtime.block_on(async {
        let node = match node::installed().await {
            Ok(node) => node,
            Err(why) => {
                asked.iter().for_each(|(_, expected)| places::skipped(&expected.package, why));
                return Vec::new();
            }
        };
        let mut wrong = Vec::new();
        for (slug, expected) in &asked {
            if let Err(error) = witnessed(node, slug, expected).await {
                wrong.push(format!("{slug}: {error:#}"));
            }
        }
        wrong
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
