//! From a file over a registry to a host.

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crm_test_support::RegistryProcess;
use serde_json::json;

use crate::server::Server;
use crate::{command, ends, run, stdout, text};

const POST: &str = "POST /v1/admin/connectors";
/// `ann`, with the password below.
const USERS: &str = "ann:$2b$04$SJmVYRXBet.aj926V1rEz.zBOfBlMWf5mDy2sPp7qmqHH18vuenre\n";
const PASSWORD: &str = "a test password";

fn server() -> Server {
    Server::new(vec![(POST, 201, json!({ "id": "ab", "connector": "acme", "version": "1.0.0", "state": "active" }))])
}

#[test]
fn what_was_published_is_installed_with_its_signature_and_the_exact_place_it_came_from() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let Some(registry) = RegistryProcess::start(folder.path(), None)? else { return Ok(()) };
    let file = folder.path().join("acme.wasm");
    std::fs::copy(crm_test_support::some_connector()?, &file)?;
    let bytes = std::fs::read(&file)?;
    let keys = minisign::KeyPair::generate_unencrypted_keypair()?;
    let signature = minisign::sign(None, &keys.sk, bytes.as_slice(), None, None)?.into_string();
    std::fs::write(folder.path().join("acme.wasm.minisig"), &signature)?;

    let tag = format!("oci://{}/crm/acme:1.0.0", registry.address);
    let published = run(&["publish", text(&file), &tag]);
    assert!(ends(&published, 0).contains("with its signature"));
    let pinned = stdout(&published).trim().to_owned();
    assert!(pinned.starts_with(&format!("oci://{}/crm/acme@sha256:", registry.address)), "{pinned}");

    for reference in [&tag, &pinned] {
        let host = server();
        ends(&run(&["install", reference, "--host", &host.url]), 0);
        let sent = host.request();
        assert!(sent.body == bytes, "{reference}: other bytes were sent");
        assert_eq!(sent.header("x-connector-source"), Some(pinned.as_str()));
        let header = sent.header("x-connector-signature").context("a signature")?;
        assert_eq!(STANDARD.decode(header)?, signature.as_bytes());
    }
    let host = server();
    let absent = run(&["install", &format!("{tag}-none"), "--host", &host.url]);
    assert!(ends(&absent, 1).contains("no such tag"));
    assert!(host.requests().is_empty(), "nothing was sent");
    Ok(())
}

#[test]
fn a_login_comes_from_the_environment_or_from_dockers_config() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let Some(registry) = RegistryProcess::start(folder.path(), Some(USERS))? else { return Ok(()) };
    let file = crm_test_support::some_connector()?;
    let tag = format!("oci://{}/acme:1.0.0", registry.address);
    let refused = ends(&run(&["publish", text(&file), &tag]), 1);
    assert!(refused.contains("CRM_HOST_REGISTRY_USER"), "{refused}");
    let mut publish = command(&["publish", text(&file), &tag]);
    let published = publish.env("CRM_HOST_REGISTRY_USER", "ann").env("CRM_HOST_REGISTRY_PASSWORD", PASSWORD).output()?;
    assert!(ends(&published, 0).contains("without a signature"));

    let auth = STANDARD.encode(format!("ann:{PASSWORD}"));
    let config = json!({ "auths": { registry.address.clone(): { "auth": auth } } });
    let docker = folder.path().join(".docker");
    std::fs::create_dir(&docker)?;
    std::fs::write(docker.join("config.json"), config.to_string())?;
    for (name, value) in [("HOME", folder.path()), ("DOCKER_CONFIG", &docker)] {
        let host = server();
        let mut install = command(&["install", &tag, "--host", &host.url]);
        ends(&install.env(name, value).output()?, 0);
        assert!(host.request().header("x-connector-source").is_some(), "{name}");
    }
    Ok(())
}
