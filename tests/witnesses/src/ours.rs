//! What the connector sends: the requests of its fixtures, completed by what the manifest adds to each of them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use crm_catalog::model::{AuthKind, Manifest};
use crm_conformance::{Exchange, Folder};

use crate::places;
use crate::sent::{self, Body, Secrets, Sent};

/// One request of one fixture.
pub struct Ours {
    pub call: String,
    /// The fixture's name, without `.json`.
    pub fixture: String,
    pub sent: Sent,
}

/// The folder of a connector, all of whose fixtures can be read.
///
/// # Errors
/// When the folder cannot be read.
pub fn folder(slug: &str) -> Result<Folder> {
    open(&places::connector(slug))
}

/// The folders of all connectors that are asked about: all, or the one that `CRM_WITNESS` names.
///
/// # Errors
/// When one of them cannot be read.
pub fn folders() -> Result<Vec<Folder>> {
    let mut all = crm_conformance::folders(&places::connectors())?;
    all.retain(|path| places::only().is_none_or(|only| path.ends_with(only)));
    all.iter().map(|path| open(path)).collect()
}

fn open(path: &Path) -> Result<Folder> {
    let folder = Folder::open(path)?;
    if let Some(bad) = folder.unreadable.first() {
        bail!("{}: a fixture cannot be read: {bad:?}", folder.slug);
    }
    Ok(folder)
}

/// Every request that the fixtures expect, in the order of the files.
///
/// # Errors
/// When a fixture names a call that the manifest does not have.
pub fn requests(folder: &Folder) -> Result<Vec<Ours>> {
    let secrets = Secrets::of(&folder.manifest);
    let mut all = Vec::new();
    for fixture in &folder.fixtures {
        let name = std::path::Path::new(&fixture.file).file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        for exchange in fixture.exchanges.iter().chain(fixture.then.iter().flat_map(|step| &step.exchanges)) {
            let (call, sent) = expected(&folder.manifest, exchange).with_context(|| fixture.file.clone())?;
            all.push(Ours { call, fixture: name.to_owned(), sent: secrets.blank(sent) });
        }
    }
    Ok(all)
}

fn expected(manifest: &Manifest, exchange: &Exchange) -> Result<(String, Sent)> {
    let request = &exchange.request;
    // `find@us`: the same call at another of the endpoint's hosts.
    let name = request.call.split('@').next().unwrap_or_default();
    let call = manifest.call(name).with_context(|| format!("no call {name:?} in the manifest"))?;
    let endpoint = manifest.endpoint(&call.endpoint).with_context(|| format!("no endpoint {:?} in the manifest", call.endpoint))?;
    // A header with a place to fill is left out where it has no value; fixtures name the others.
    let constant = endpoint.headers.iter().filter(|(_, value)| !value.contains('{'));
    let mut headers: BTreeMap<String, String> = constant.map(|(name, value)| (name.to_lowercase(), value.clone())).collect();
    let auth = endpoint.auth.as_deref().and_then(|name| manifest.auth(name));
    headers.extend(auth.map(|auth| credentials(&auth.kind)).unwrap_or_default());
    // A signature may turn a JSON body into a form, hence what is expected decides, and the manifest only of what it names.
    match (&request.body, &request.form) {
        (None, None) => None,
        (Some(_), _) => {
            headers.insert("content-type".to_owned(), call.content_type.clone().unwrap_or_else(|| "application/json".to_owned()))
        }
        (None, Some(_)) => headers.insert("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
    };
    headers.extend(request.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())));
    let body = match (&request.body, &request.form) {
        (Some(body), _) => Body::Json(body.clone()),
        (None, Some(form)) => Body::Form(sorted(form)),
        (None, None) => Body::None,
    };
    let sent = Sent { method: request.method.clone(), path: request.path.clone(), query: sorted(&request.query), headers, body };
    Ok((name.to_owned(), sent))
}

fn sorted(pairs: &[(String, String)]) -> Vec<(String, String)> {
    let mut pairs = pairs.to_vec();
    pairs.sort();
    pairs
}

/// The headers that the host adds to show who asks, secrets as their templates.
fn credentials(kind: &AuthKind) -> Vec<(String, String)> {
    let authorization = |text: String| vec![("authorization".to_owned(), text)];
    match kind {
        AuthKind::Header { headers } => headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect(),
        AuthKind::Basic { .. } => authorization("Basic {}".to_owned()),
        AuthKind::Bearer { token } => authorization(format!("Bearer {token}")),
        AuthKind::Oauth2(oauth) => authorization(format!("{} {{}}", oauth.prefix)),
        AuthKind::Jwt(jwt) => {
            let token = sent::token(&jwt.alg, jwt.aud.as_deref().unwrap_or_default(), jwt.ttl_s.into());
            authorization(format!("{} {token}", jwt.prefix))
        }
        AuthKind::Query { .. } | AuthKind::Body { .. } | AuthKind::Signature(_) => Vec::new(),
    }
}
