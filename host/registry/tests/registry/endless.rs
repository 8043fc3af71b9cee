//! A registry that sends more than it said, and does not stop.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use anyhow::Result;
use crm_registry::{Login, RegistryError};
use serde_json::json;

/// What it says that the file has.
const SAID: u64 = 1_000;

/// Answers one request. The endless ones end when nobody reads any more.
fn answer(mut stream: TcpStream, endless_manifest: bool) -> std::io::Result<()> {
    let mut line = String::new();
    let mut reader = BufReader::new(stream.try_clone()?);
    reader.read_line(&mut line)?;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    if line.contains("/blobs/") || (line.contains("/manifests/") && endless_manifest) {
        let kind = "application/vnd.oci.image.manifest.v1+json";
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n")?;
        loop {
            write!(stream, "400\r\n{}\r\n", "x".repeat(0x400))?;
        }
    }
    let digest = format!("sha256:{}", "0".repeat(64));
    let manifest = json!({
        "schemaVersion": 2,
        "config": { "mediaType": "application/vnd.wasm.config.v0+json", "digest": digest, "size": 2 },
        "layers": [{ "mediaType": "application/wasm", "digest": digest, "size": SAID }],
    });
    let body = if line.contains("/manifests/") { manifest.to_string() } else { "{}".to_owned() };
    let kind = "application/vnd.oci.image.manifest.v1+json";
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn pull(endless_manifest: bool) -> Result<RegistryError> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let place = format!("oci://{}/acme:1", listener.local_addr()?).parse()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // It fails as soon as the other side has heard enough.
            std::thread::spawn(move || drop(answer(stream, endless_manifest)));
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(crm_registry::pull(&place, &Login::Nobody, 4 << 20)).map(drop).map_or_else(Ok, |()| anyhow::bail!("it was taken"))
}

#[test]
fn a_file_without_end_is_cut_off_at_the_size_that_was_said() -> Result<()> {
    match pull(false)? {
        RegistryError::TooLarge { most, bytes, .. } => assert!(most == SAID && bytes > SAID),
        other => panic!("{other:?}"),
    }
    Ok(())
}

#[test]
fn a_manifest_without_end_is_cut_off() -> Result<()> {
    match pull(true)? {
        RegistryError::TooLarge { what, .. } => assert_eq!(what, "the manifest"),
        other => panic!("{other:?}"),
    }
    Ok(())
}
