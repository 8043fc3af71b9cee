//! `connector versions`, `approve`, `activate`, `rollback`, `uninstall`: what a running host has, and what it is told to do with it.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use reqwest::header::HeaderMap;

use super::answers::{self, Connector, Page, Uninstalled, Version};
use super::args::HostArgs;
use super::client::{Answer, Host};
use super::{say_json, words};
use crate::author::{note, say};

/// Digits of a whole digest.
const DIGEST: usize = 64;
/// Pages that are read; a host has some dozens of connectors.
const PAGES: usize = 100;

pub(super) async fn list(args: &HostArgs, slug: Option<&str>) -> Result<ExitCode> {
    let host = Host::new(args)?;
    let connectors = match slug {
        Some(slug) => {
            let answer = host.get(&format!("/v1/admin/connectors/{}", segment(slug)?)).await?;
            if !answer.good() {
                return refused(args, &answer);
            }
            if args.json {
                say_json(&answer.json)?;
                return Ok(ExitCode::SUCCESS);
            }
            vec![answers::read(&answer.json).context("the host's answer cannot be read")?]
        }
        None => match all(&host).await? {
            Ok((connectors, json)) if !args.json => {
                drop(json);
                connectors
            }
            Ok((_, json)) => {
                say_json(&json)?;
                return Ok(ExitCode::SUCCESS);
            }
            Err(answer) => return refused(args, &answer),
        },
    };
    for line in words::table(&connectors) {
        say(&line);
    }
    Ok(ExitCode::SUCCESS)
}

/// Every connector, page by page, and as they came; or the answer that was no page.
async fn all(host: &Host) -> Result<Result<(Vec<Connector>, serde_json::Value), Answer>> {
    let (mut connectors, mut came) = (Vec::new(), Vec::new());
    let mut path = "/v1/admin/connectors".to_owned();
    for _ in 0..PAGES {
        let mut answer = host.get(&path).await?;
        if !answer.good() {
            return Ok(Err(answer));
        }
        let page: Page = answers::read(&answer.json).context("the host's answer is no list of connectors")?;
        connectors.extend(page.data);
        if let Some(serde_json::Value::Array(data)) = answer.json.get_mut("data").map(serde_json::Value::take) {
            came.extend(data);
        }
        let Some(cursor) = page.next_cursor else { return Ok(Ok((connectors, came.into()))) };
        path = format!("/v1/admin/connectors?cursor={}", segment(&cursor)?);
    }
    bail!("the host's list of connectors does not end")
}

/// `approve` or `activate`.
pub(super) async fn change(args: &HostArgs, digest: &str, what: &str) -> Result<ExitCode> {
    let host = Host::new(args)?;
    let digest = match whole(&host, segment(digest)?).await? {
        Ok(digest) => digest,
        Err(answer) => return refused(args, &answer),
    };
    let answer = host.post(&format!("/v1/admin/versions/{digest}/{what}"), HeaderMap::new(), Vec::new()).await?;
    told(args, &answer)
}

pub(super) async fn roll_back(args: &HostArgs, slug: &str) -> Result<ExitCode> {
    let path = format!("/v1/admin/connectors/{}/rollback", segment(slug)?);
    let answer = Host::new(args)?.post(&path, HeaderMap::new(), Vec::new()).await?;
    told(args, &answer)
}

pub(super) async fn uninstall(args: &HostArgs, slug: &str, force: bool) -> Result<ExitCode> {
    let forced = if force { "?force=true" } else { "" };
    let answer = Host::new(args)?.delete(&format!("/v1/admin/connectors/{}{forced}", segment(slug)?)).await?;
    if !answer.good() {
        return refused(args, &answer);
    }
    if args.json {
        say_json(&answer.json)?;
        return Ok(ExitCode::SUCCESS);
    }
    let done: Uninstalled = answers::read(&answer.json).unwrap_or_default();
    say(&format!("{slug} is off this host"));
    if done.parked > 0 {
        say(&format!("{} connection(s) wait with their jobs until it is back", done.parked));
    }
    Ok(ExitCode::SUCCESS)
}

/// The digest that begins so, of those on the host; a whole one is taken as it is.
async fn whole(host: &Host, digest: &str) -> Result<Result<String, Answer>> {
    if digest.len() >= DIGEST {
        return Ok(Ok(digest.to_owned()));
    }
    let connectors = match all(host).await? {
        Ok((connectors, _)) => connectors,
        Err(answer) => return Ok(Err(answer)),
    };
    let ids = connectors.into_iter().flat_map(|connector| connector.versions).map(|version| version.id);
    let mut found: Vec<String> = ids.filter(|id| id.starts_with(digest)).collect();
    match (found.pop(), found.len()) {
        (Some(id), 0) => Ok(Ok(id)),
        (None, _) => bail!("no version on this host has a digest that begins with {digest}; see `crm-host connector versions`"),
        (Some(_), more) => bail!("{} versions have a digest that begins with {digest}: write more of it", more + 1),
    }
}

/// What a version or a connector is after the change.
fn told(args: &HostArgs, answer: &Answer) -> Result<ExitCode> {
    if !answer.good() {
        return refused(args, answer);
    }
    if args.json {
        say_json(&answer.json)?;
        return Ok(ExitCode::SUCCESS);
    }
    let version: Option<Version> = answers::read(&answer.json).filter(|version: &Version| !version.state.is_empty());
    let connector: Option<Connector> = answers::read(&answer.json);
    match (version, connector) {
        (Some(version), _) => say(&words::stands(&version)),
        (None, Some(connector)) => words::table(&[connector]).iter().for_each(|line| say(line)),
        (None, None) => say("done"),
    }
    Ok(ExitCode::SUCCESS)
}

fn refused(args: &HostArgs, answer: &Answer) -> Result<ExitCode> {
    if args.json {
        say_json(&answer.json)?;
    }
    note(&words::refused(answer));
    Ok(ExitCode::FAILURE)
}

/// A part of a path: what would lead elsewhere is no slug and no digest.
fn segment(text: &str) -> Result<&str> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        bail!("`{text}` is neither a connector's slug nor a digest");
    }
    Ok(text)
}
