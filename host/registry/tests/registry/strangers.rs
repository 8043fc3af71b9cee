//! What is not there, not for everybody, no connector, too large, or not what it says.

use anyhow::{Context as _, Result};
use crm_registry::{Login, RegistryError};
use serde_json::json;

use crate::{MOST, World};

/// `ann`, with the password below.
const USERS: &str = "ann:$2b$04$SJmVYRXBet.aj926V1rEz.zBOfBlMWf5mDy2sPp7qmqHH18vuenre\n";
const PASSWORD: &str = "a test password";

#[test]
fn what_is_not_there_is_told_apart_from_a_registry_that_is_not_there() -> Result<()> {
    let Some(world) = World::new(None)? else { return Ok(()) };
    world.push(&world.at("acme:1.0.0")?, &Login::Nobody, None)?;
    let absent = world.at("acme:9.9.9")?;
    assert_eq!(world.pull(&absent), Err(RegistryError::NoSuchTag(absent.to_string())));
    let digest = world.at(&format!("acme@sha256:{}", "0".repeat(64)))?;
    assert_eq!(world.pull(&digest), Err(RegistryError::NoSuchTag(digest.to_string())));
    let free = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let nowhere = format!("oci://{free}/acme:1.0.0").parse()?;
    match world.pull(&nowhere) {
        Err(RegistryError::Unreachable { registry, .. }) => assert_eq!(registry, free.to_string()),
        other => panic!("{other:?}"),
    }
    Ok(())
}

#[test]
fn a_registry_that_asks_for_a_login_gets_it_and_refuses_others_by_name() -> Result<()> {
    let Some(world) = World::new(Some(USERS))? else { return Ok(()) };
    let login = |user: &str, password: &str| Login::Password { user: user.to_owned(), password: password.to_owned() };
    let (ann, eve) = (login("ann", PASSWORD), login("eve", PASSWORD));
    let place = world.at("acme:1.0.0")?;
    let refused = |result: Result<(), RegistryError>, who: &str| match result {
        Err(RegistryError::NotAuthorised { whom, .. }) => assert!(whom.contains(who), "{whom}"),
        other => panic!("{who}: {other:?}"),
    };
    refused(world.push(&place, &Login::Nobody, None).map(drop), "not logged in");
    refused(world.push(&place, &eve, None).map(drop), "eve");
    world.push(&place, &ann, None)?;
    refused(world.pull(&place).map(drop), "not logged in");
    refused(world.pull_as(&place, &Login::Helper("desktop".to_owned()), MOST).map(drop), "desktop");
    refused(world.pull_as(&place, &login("ann", "wrong"), MOST).map(drop), "ann");
    assert!(world.pull_as(&place, &ann, MOST)?.file == world.file);
    Ok(())
}

#[test]
fn what_is_no_connector_is_refused_by_the_type_that_it_has() -> Result<()> {
    let Some(world) = World::new(None)? else { return Ok(()) };
    world.push(&world.at("acme:1.0.0")?, &Login::Nobody, None)?;
    let manifest = world.manifest("acme", "1.0.0")?;
    let oci = "application/vnd.oci.image.manifest.v1+json";
    let found = |tag: &str| match world.pull(&world.at(&format!("acme:{tag}"))?) {
        Err(RegistryError::NotAConnector { found, .. }) => Ok(found),
        other => Err(anyhow::anyhow!("{tag}: {other:?}")),
    };
    let mut image = manifest.clone();
    image["config"]["mediaType"] = json!("application/vnd.oci.image.config.v1+json");
    image["layers"][0]["mediaType"] = json!("application/vnd.oci.image.layer.v1.tar+gzip");
    world.put_manifest("acme", "image", oci, &image)?;
    assert!(found("image")?.contains("`application/vnd.oci.image.config.v1+json`"));
    image["config"] = manifest["config"].clone();
    world.put_manifest("acme", "layer", oci, &image)?;
    assert!(found("layer")?.contains("`application/vnd.oci.image.layer.v1.tar+gzip`"));
    let mut two = manifest.clone();
    two["layers"] = json!([manifest["layers"][0], manifest["layers"][0]]);
    world.put_manifest("acme", "two", oci, &two)?;
    assert!(found("two")?.contains("2 layers"));
    let index = "application/vnd.oci.image.index.v1+json";
    world.put_manifest("acme", "index", index, &json!({ "schemaVersion": 2, "mediaType": index, "manifests": [] }))?;
    assert!(found("index")?.contains(index));
    Ok(())
}

#[test]
fn a_file_above_the_limit_is_refused_before_a_byte_of_it_is_asked_for() -> Result<()> {
    let Some(world) = World::new(None)? else { return Ok(()) };
    let place = world.at("acme:1.0.0")?;
    world.push(&place, &Login::Nobody, None)?;
    let layer = world.manifest("acme", "1.0.0")?["layers"][0]["digest"].as_str().context("a layer")?.to_owned();
    // Whoever asked for it would hear that it is gone.
    std::fs::remove_file(world.registry.blob(&layer))?;
    let bytes = world.file.len() as u64;
    match world.pull_as(&place, &Login::Nobody, bytes - 1) {
        Err(RegistryError::TooLarge { bytes: found, most, .. }) => assert_eq!((found, most), (bytes, bytes - 1)),
        other => panic!("{other:?}"),
    }
    assert!(!matches!(world.pull_as(&place, &Login::Nobody, bytes), Err(RegistryError::TooLarge { .. })), "exactly the limit is taken");
    Ok(())
}

#[test]
fn a_file_that_is_larger_than_its_manifest_says_is_refused() -> Result<()> {
    let Some(world) = World::new(None)? else { return Ok(()) };
    world.push(&world.at("acme:1.0.0")?, &Login::Nobody, None)?;
    let mut manifest = world.manifest("acme", "1.0.0")?;
    manifest["layers"][0]["size"] = json!(10);
    world.put_manifest("acme", "small", "application/vnd.oci.image.manifest.v1+json", &manifest)?;
    match world.pull(&world.at("acme:small")?) {
        Err(RegistryError::TooLarge { bytes, most, .. }) => assert_eq!((bytes, most), (world.file.len() as u64, 10)),
        other => panic!("{other:?}"),
    }
    Ok(())
}

#[test]
fn what_was_tampered_with_in_the_registry_is_refused_by_its_digest() -> Result<()> {
    let Some(world) = World::new(None)? else { return Ok(()) };
    let place = world.at("acme:1.0.0")?;
    let pushed = world.push(&place, &Login::Nobody, None)?;
    let layer = world.manifest("acme", "1.0.0")?["layers"][0]["digest"].as_str().context("a layer")?.to_owned();
    let mut other = world.file.clone();
    let last = other.len() - 1;
    other[last] ^= 1;
    std::fs::write(world.registry.blob(&layer), &other)?;
    match world.pull(&place) {
        Err(RegistryError::Digest { wanted, found, .. }) => assert!(wanted == layer && found != layer, "{wanted} {found}"),
        other => panic!("{other:?}"),
    }
    // The manifest of a digest, too.
    std::fs::write(world.registry.blob(&layer), &world.file)?;
    let digest = pushed.digest().context("a digest")?;
    let path = world.registry.blob(digest);
    let changed = std::fs::read_to_string(&path)?.replace("Newsletters", "newsletters");
    std::fs::write(&path, changed)?;
    assert!(world.pull(&pushed).is_err(), "a manifest that was changed is not that of its digest");
    Ok(())
}
