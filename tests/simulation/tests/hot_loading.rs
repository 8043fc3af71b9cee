//! The host as its operator uses it: connectors come through the folder, the command and the API while syncs run, and while it is killed.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use crm_simulation::stage::{SLUG, Stage, version, wait, wider};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;

const UNSIGNED: &[&str] = &["--require-signatures", "none"];

#[test]
fn a_file_in_the_folder_is_taken_while_the_host_runs_and_half_a_file_never_is() -> Result<()> {
    let stage = Stage::set(&["--watch", "1"])?;
    assert_eq!(stage.active()?, "1.0.0");
    let next = version(1)?;
    let half = &next[..next.len() / 2];
    std::fs::write(stage.folder().join("next.wasm"), half)?;
    let refused = wait("the half file to be refused", || {
        let list = stage.operator().get("/v1/admin/refused-files")?.good()?;
        Ok(list["data"].as_array().and_then(|list| list.first().cloned()))
    })?;
    assert_eq!(refused["source"]["file"], "next.wasm", "{refused}");
    assert!(refused["why"].as_str().is_some_and(|why| why.contains("cut off")), "{refused}");
    assert_eq!(stage.active()?, "1.0.0");
    // As a careful copier does it.
    std::fs::write(stage.folder().join("next.part"), &next)?;
    std::fs::rename(stage.folder().join("next.part"), stage.folder().join("next.wasm"))?;
    wait("the whole file to be taken", || Ok((stage.active()? == "1.0.1").then_some(())))?;
    stage.approve("ann@example.com")?;
    assert_eq!(stage.settle()?, 1);
    Ok(())
}

#[test]
fn a_signed_file_is_installed_by_command_and_an_unsigned_one_is_refused() -> Result<()> {
    let keys = minisign::KeyPair::generate_unencrypted_keypair()?;
    let trusted = format!("release={}", keys.pk.to_base64());
    let stage = Stage::set(&["--trusted-key", &trusted])?;
    let file = stage.file("new.wasm", &version(1)?)?;
    let path = file.display().to_string();
    let unsigned = stage.run(&["install", &path])?;
    assert_eq!(unsigned.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unsigned.stderr).contains("not signed"), "{unsigned:?}");
    let signature = minisign::sign(None, &keys.sk, version(1)?.as_slice(), None, None)?.into_string();
    stage.file("new.wasm.minisig", signature.as_bytes())?;
    let installed = stage.run(&["install", &path])?;
    assert_eq!(installed.status.code(), Some(0), "{installed:?}");
    assert_eq!(stage.active()?, "1.0.1");
    let view = stage.operator().get(&format!("/v1/admin/connectors/{SLUG}"))?.good()?;
    assert_eq!(view["versions"][1]["signer"], "release", "{view}");
    // It may do more: it waits, and says so.
    let wide = wider(2)?;
    let file = stage.file("wide.wasm", &wide)?;
    stage.file("wide.wasm.minisig", minisign::sign(None, &keys.sk, wide.as_slice(), None, None)?.into_string().as_bytes())?;
    let waits = stage.run(&["install", &file.display().to_string()])?;
    assert_eq!(waits.status.code(), Some(2), "{waits:?}");
    let said = String::from_utf8_lossy(&waits.stdout).into_owned();
    assert!(said.contains("approve") && said.contains("more"), "{said}");
    assert_eq!(stage.active()?, "1.0.1");
    let digest = blake3::hash(&wide).to_hex();
    assert_eq!(stage.run(&["approve", &digest[..12]])?.status.code(), Some(0));
    assert_eq!(stage.active()?, "1.0.2");
    assert_eq!(stage.run(&["rollback", SLUG])?.status.code(), Some(0));
    assert_eq!(stage.active()?, "1.0.1");
    let listed = stage.run(&["versions", SLUG])?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("1.0.2") && listed.contains("release"), "{listed}");
    let used = stage.run(&["uninstall", SLUG])?;
    assert_eq!(used.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&used.stderr).contains("1 connection"), "{used:?}");
    Ok(())
}

#[test]
fn invariant_8_a_hundred_swaps_under_load_lose_duplicate_and_fail_nothing() -> Result<()> {
    let stage = Arc::new(Stage::set(UNSIGNED)?);
    let mut digests = Vec::new();
    for number in 1..=4 {
        let made = stage.install(&stage.file(&format!("{number}.wasm"), &version(number)?)?)?;
        digests.push(made["id"].as_str().context("an id")?.to_owned());
    }
    let stop = Arc::new(AtomicBool::new(false));
    let load = {
        let (stage, stop) = (stage.clone(), stop.clone());
        std::thread::spawn(move || -> Result<HashSet<String>> {
            let mut approved = HashSet::new();
            while !stop.load(Ordering::Relaxed) {
                let email = format!("swap-{}@example.com", approved.len());
                stage.approve(&email)?;
                approved.insert(email);
            }
            Ok(approved)
        })
    };
    for swap in 0..100_usize {
        let path = format!("/v1/admin/versions/{}/activate", digests[swap % digests.len()]);
        let active = stage.operator().post(&path, &Value::Null)?.good()?;
        ensure!(active["state"] == "active", "{active}");
    }
    stop.store(true, Ordering::Relaxed);
    let approved = load.join().map_err(|_| anyhow::anyhow!("the merchant panicked"))??;
    assert_eq!(stage.settle()?, approved.len() as u64);
    let state = stage.twin.look("state")?;
    assert_eq!((&state["duplicates"], &state["resubscribed"]), (&Value::from(0), &Value::from(0)), "{state}");
    let syncs = stage.merchant().get("/v1/syncs?limit=100")?.good()?;
    let again: Vec<&Value> = syncs["data"].as_array().context("syncs")?.iter().filter(|sync| sync["attempts"] != 1).collect();
    assert!(again.is_empty(), "a swap cost an attempt: {again:?}");
    assert!(approved.len() > 20, "{} syncs: too few to say anything", approved.len());
    Ok(())
}

#[test]
fn kill_nine_during_installs_leaves_the_old_version_or_the_new_one() -> Result<()> {
    let seed = 20_261_123;
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut stage = Stage::set(UNSIGNED)?;
    let (mut new, mut old) = (0, 0);
    for number in 1..=12 {
        let before = stage.active()?;
        let file = stage.file("next.wasm", &version(number)?)?;
        let mut sending = stage.command(&["install", &file.display().to_string()])?;
        let mut sending = sending.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn()?;
        // The point of the kill is what this test varies, not something it waits for.
        std::thread::sleep(Duration::from_millis(rng.random_range(5..350)));
        stage.host.kill9()?;
        sending.wait()?;
        stage.host.restart()?;
        let after = stage.active()?;
        ensure!(after == before || after == format!("1.0.{number}"), "seed {seed}, kill {number}: {before} became {after}");
        if after == before {
            old += 1
        } else {
            new += 1
        }
        stage.approve(&format!("kill-{number}@example.com"))?;
        stage.settle()?;
    }
    eprintln!("seed {seed}: {old} times the old version, {new} times the new one");
    let made = stage.install(&stage.file("last.wasm", &version(99)?)?)?;
    ensure!(made["state"] == "active", "{made}");
    Ok(())
}
