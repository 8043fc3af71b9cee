//! What is pushed is what is pulled: bytes, signature, place.

use anyhow::Result;
use crm_registry::{Login, RegistryError, SIGNATURE, SLUG};

use crate::World;

#[test]
fn a_file_and_its_signature_come_back_by_tag_and_by_digest_as_they_went() -> Result<()> {
    let Some(world) = World::new(None)? else { return Ok(()) };
    let keys = minisign::KeyPair::generate_unencrypted_keypair()?;
    let signature = minisign::sign(None, &keys.sk, world.file.as_slice(), Some("acme 1.2.0"), None)?.into_string();
    let tag = world.at("crm/acme:1.2.0")?;
    let pushed = world.push(&tag, &Login::Nobody, Some(&signature))?;
    assert!(pushed.to_string().starts_with(&format!("oci://{}/crm/acme@sha256:", world.registry.address)), "{pushed}");
    for reference in [&tag, &pushed] {
        let pulled = world.pull(reference)?;
        assert!(pulled.file == world.file, "{reference}: other bytes came back");
        assert_eq!((&pulled.source, pulled.signature.as_deref()), (&pushed, Some(signature.as_str())), "{reference}");
        let trusted = minisign_verify::PublicKey::from_base64(&keys.pk.to_base64())?;
        trusted.verify(&pulled.file, &minisign_verify::Signature::decode(&pulled.signature.unwrap_or_default())?, false)?;
    }
    Ok(())
}

#[test]
fn what_lies_in_the_registry_has_the_form_that_other_tools_know() -> Result<()> {
    let Some(world) = World::new(None)? else { return Ok(()) };
    world.push(&world.at("acme:1.2.0")?, &Login::Nobody, Some("a signature"))?;
    let manifest = world.manifest("acme", "1.2.0")?;
    assert_eq!(manifest["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.wasm.config.v0+json");
    assert_eq!(manifest["layers"].as_array().map(Vec::len), Some(1));
    assert_eq!(manifest["layers"][0]["mediaType"], "application/wasm");
    let said = &manifest["annotations"];
    assert_eq!((&said["org.opencontainers.image.title"], &said["org.opencontainers.image.version"]), (&"Acme".into(), &"1.2.0".into()));
    assert_eq!((&said[SLUG], &said[SIGNATURE]), (&"acme".into(), &"a signature".into()));
    assert_eq!(said["org.opencontainers.image.documentation"], serde_json::Value::Null, "what is not known is not said");
    let config: serde_json::Value =
        serde_json::from_slice(&std::fs::read(world.registry.blob(manifest["config"]["digest"].as_str().unwrap_or_default()))?)?;
    assert_eq!((&config["os"], &config["architecture"]), (&"wasip2".into(), &"wasm".into()));
    assert_eq!(config["layerDigests"][0], manifest["layers"][0]["digest"]);
    let names = |what: &str| config["component"][what].as_array().cloned().unwrap_or_default();
    assert!(
        names("imports").iter().any(|name| name.as_str().is_some_and(|name| name.starts_with("rekomi:crm-connector/egress@"))),
        "{config}"
    );
    assert!(!names("exports").is_empty(), "{config}");
    Ok(())
}

#[test]
fn the_same_file_pushed_again_has_the_same_digest_and_another_signature_another() -> Result<()> {
    let Some(world) = World::new(None)? else { return Ok(()) };
    let digest = |tag: &str, signature| {
        anyhow::Ok(world.push(&world.at(&format!("acme:{tag}"))?, &Login::Nobody, signature)?.digest().map(str::to_owned))
    };
    let first = digest("a", None)?;
    assert_eq!(first, digest("b", None)?);
    assert_ne!(first, digest("c", Some("signed"))?);
    assert_eq!(world.pull(&world.at("acme:a")?)?.signature, None);
    Ok(())
}

#[test]
fn a_push_needs_a_tag_and_a_component() -> Result<()> {
    let Some(mut world) = World::new(None)? else { return Ok(()) };
    let pushed = world.push(&world.at("acme:1")?, &Login::Nobody, None)?;
    assert!(matches!(world.push(&pushed, &Login::Nobody, None), Err(RegistryError::Reference { .. })));
    let long = "x".repeat(5_000);
    assert!(matches!(world.push(&world.at("acme:2")?, &Login::Nobody, Some(&long)), Err(RegistryError::NotPushable(_))));
    world.file = b"\0asm\x01\0\0\0".to_vec();
    assert!(matches!(world.push(&world.at("acme:2")?, &Login::Nobody, None), Err(RegistryError::NotPushable(_))));
    assert_eq!(world.pull(&world.at("acme:2")?), Err(RegistryError::NoSuchTag(world.at("acme:2")?.to_string())));
    Ok(())
}
