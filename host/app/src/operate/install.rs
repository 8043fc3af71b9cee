//! `connector install`: a file goes to a running host, and what became of it is said in words.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use super::answers::{self, Version};
use super::args::InstallArgs;
use super::client::Host;
use super::parcel::Parcel;
use super::{WAITING, say_json, words};
use crate::author::{note, say};

/// Base64 of the whole `.minisig`.
const SIGNATURE: HeaderName = HeaderName::from_static("x-connector-signature");
/// Where it was pulled from.
const SOURCE: HeaderName = HeaderName::from_static("x-connector-source");

pub(super) async fn run(args: &InstallArgs) -> Result<ExitCode> {
    // First what costs nothing to see.
    let host = Host::new(&args.host)?;
    let parcel = Parcel::of(&args.what, args.signature.as_deref(), &args.registry).await?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/wasm"));
    if let Some(signature) = &parcel.signature {
        headers.insert(SIGNATURE, HeaderValue::from_str(&STANDARD.encode(signature)).context("the signature")?);
    }
    if let Some(source) = &parcel.source {
        headers.insert(SOURCE, HeaderValue::from_str(&source.to_string()).context("the reference")?);
    }
    if parcel.file.is_empty() {
        bail!("{} is empty", args.what);
    }
    let answer = host.post("/v1/admin/connectors", headers, parcel.file).await?;
    if args.host.json {
        say_json(&answer.json)?;
    }
    if !answer.good() {
        note(&words::refused(&answer));
        return Ok(ExitCode::FAILURE);
    }
    let version: Version = answers::read(&answer.json).context("the host took the file, and its answer cannot be read")?;
    if !args.host.json {
        for line in words::installed(&version) {
            say(&line);
        }
    }
    Ok(if version.waits() { ExitCode::from(WAITING) } else { ExitCode::SUCCESS })
}
