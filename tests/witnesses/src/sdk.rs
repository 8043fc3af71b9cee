//! One vendor's client library against our connector: it talks to the twin, says what it understood, and its requests are
//! compared with those of the fixtures for the same contact.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use crm_catalog::model::WitnessKind;
use crm_conformance::{Fixture, Folder};
use crm_test_support::Client;
use crm_twins::Recorded;
use crm_twins::fleet::{self, SLUGS, Setup};
use serde_json::{Value, json};

use crate::compare::differences;
use crate::node::Node;
use crate::ours::{self, Ours};
use crate::recorder::Recorder;
use crate::sent::{Body, Secrets, Sent, pairs};
use crate::verdict::{Heard, judge, named};

/// A key that nobody typed.
const OPTIONAL: &str = "00112233445566778899aabbccddeeff";

/// What a library sent, and what it made of the answers.
pub struct Session {
    requests: Vec<Recorded>,
    steps: Vec<Said>,
    /// The twin's contacts afterwards; nothing where a recorder stood in.
    pub contacts: Value,
}

/// One line of a script: a call of the connector that it made as well.
struct Said {
    call: String,
    /// The fixture in which the connector makes it.
    fixture: String,
    understood: Value,
    /// What the twin called something -> what the fixture calls it.
    same: BTreeMap<String, String>,
}

/// Runs a vendor's script against its twin, or against what `fixtures` answer where there is none.
///
/// # Errors
/// When the script fails, or nothing can be started.
pub async fn session(node: &Node, folder: &Folder, fixtures: &[String]) -> Result<Session> {
    let slug = folder.slug.as_str();
    if !SLUGS.contains(&slug) {
        let found: Vec<&Fixture> = fixtures.iter().map(|name| fixture(folder, name)).collect::<Result<_>>()?;
        let recorder = Recorder::start(&found).await?;
        let lines = run(node, slug, &recorder.base_url, &json!({})).await?;
        return Ok(Session { requests: recorder.requests(), steps: steps(lines)?, contacts: Value::Null });
    }
    // A twin tells the keys that a merchant must type; a library is given those that he may leave out as well.
    let optional = folder.manifest.credentials.iter().filter(|slot| slot.optional && slot.secret).map(|slot| slot.name.clone());
    let optional: BTreeMap<String, String> = optional.map(|slot| (slot, OPTIONAL.to_owned())).collect();
    let twin = fleet::start(slug, &Setup { per_minute: Some(0), credentials: optional.clone(), ..Setup::default() }).await?;
    let (url, mut connect) = (twin.base_url.clone(), twin.ready["connect"].clone());
    optional.into_iter().for_each(|(slot, value)| connect["credentials"][slot] = json!(value));
    let serving = tokio::spawn(twin.forever());
    let ask = |method: &'static str, path: &'static str| {
        let client = Client::new(&url);
        tokio::task::spawn_blocking(move || match method {
            "POST" => client.post(path, &json!(true))?.good(),
            _ => client.get(path)?.good(),
        })
    };
    ask("POST", "/_twin/record").await??;
    let lines = run(node, slug, &url, &connect).await;
    let requests = serde_json::from_value::<Vec<Kept>>(ask("GET", "/_twin/requests").await??["requests"].take())?;
    let contacts = ask("GET", "/_twin/contacts").await??["contacts"].take();
    serving.abort();
    Ok(Session { requests: requests.into_iter().map(Kept::recorded).collect(), steps: steps(lines?)?, contacts })
}

async fn run(node: &Node, slug: &str, url: &str, connect: &Value) -> Result<Vec<Value>> {
    node.run(slug, &[("TWIN_URL", url.to_owned()), ("TWIN_CONNECT", connect.to_string())]).await
}

/// A request as the twin's control page shows it.
#[derive(serde::Deserialize)]
struct Kept {
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Kept {
    fn recorded(self) -> Recorded {
        let Self { method, path, query, headers, body } = self;
        Recorded { method, path, query, headers, body }
    }
}

fn fixture<'f>(folder: &'f Folder, name: &str) -> Result<&'f Fixture> {
    let file = format!("{name}.json");
    folder.fixtures.iter().find(|fixture| fixture.file.ends_with(&format!("/{file}"))).with_context(|| format!("no fixture {file}"))
}

fn steps(lines: Vec<Value>) -> Result<Vec<Said>> {
    let step = |line: Value| {
        let text = |key: &str| line[key].as_str().map(str::to_owned);
        let same =
            line["same"].as_object().into_iter().flatten().filter_map(|(twin, ours)| Some((twin.clone(), ours.as_str()?.to_owned())));
        Ok(Said {
            call: text("call").context("a line without a call")?,
            fixture: text("fixture").context("a line without a fixture")?,
            understood: line["understood"].clone(),
            same: same.collect(),
        })
    };
    lines.into_iter().map(step).collect()
}

impl Session {
    /// What the library made of the answers: `[[call, understood], ...]`.
    pub fn understood(&self) -> Value {
        self.steps.iter().map(|step| json!([step.call, step.understood])).collect()
    }

    /// Everything that is wrong between the library, the connector and what the manifest says of them.
    ///
    /// # Errors
    /// When requests and steps do not belong together.
    pub fn judged(&self, folder: &Folder, package: &str) -> Result<Vec<String>> {
        let (asked, said) = (self.requests.len(), self.steps.len());
        ensure!(asked == said, "{said} steps, but {asked} requests: {:?}", self.requests);
        let witness = named(&folder.manifest, WitnessKind::Sdk).map_err(anyhow::Error::msg)?;
        let name = format!("{package} {}", crate::node::version(package)?);
        ensure!(witness.name == name, "the manifest names {:?}, asked was {name:?}", witness.name);
        let (secrets, ours, mut heard) = (Secrets::of(&folder.manifest), ours::requests(folder)?, Heard::default());
        for (step, request) in self.steps.iter().zip(&self.requests) {
            let theirs = secrets.blank(sent(request, &step.same));
            let of_call = ours.iter().filter(|ours| ours.call == step.call && ours.fixture == step.fixture);
            let closest = of_call.map(|Ours { sent, .. }| differences(sent, &theirs)).min_by_key(BTreeMap::len);
            let found = closest.with_context(|| format!("{}.json makes no call {:?}", step.fixture, step.call))?;
            for (place, what) in found {
                heard.differs(&step.call, &place, format!("{what} ({})", step.fixture));
            }
            heard.calls.insert(step.call.clone());
        }
        Ok(judge(witness, &heard))
    }
}

/// A recorded request, the twin's names for things replaced by the fixture's.
fn sent(request: &Recorded, same: &BTreeMap<String, String>) -> Sent {
    let renamed = |text: &str| same.iter().fold(text.to_owned(), |text, (twin, ours)| text.replace(twin, ours));
    let text = renamed(&request.body);
    let form = request.headers.get("content-type").is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
    let body = match serde_json::from_str(&text) {
        _ if text.is_empty() => Body::None,
        _ if form => Body::Form(pairs(&request.body).into_iter().map(|(name, value)| (name, renamed(&value))).collect()),
        Ok(value) => Body::Json(value),
        Err(_) => Body::Other(text),
    };
    let query = pairs(&request.query).into_iter().map(|(name, value)| (name, renamed(&value))).collect();
    Sent { method: request.method.clone(), path: renamed(&request.path), query, headers: request.headers.clone(), body }
}
