//! A fixture as it stands in `connectors/<slug>/fixtures/<scenario>.json`. Reads files; judges nothing but their form.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use crm_contract::types::Unanswered;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::failure::Failure;
use crate::lines::line_of;

/// One scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixture {
    /// The same as the file's name.
    pub scenario: String,
    /// Export of the world: `verify`, `list-choices`, `prepare`, `sync-contact`, `untag-contact`, `lookup-contact`.
    pub function: String,
    /// The export's arguments, merged over neutral ones, so that a fixture states only what matters to it.
    #[serde(default)]
    pub input: Value,
    #[serde(default)]
    pub exchanges: Vec<Exchange>,
    #[serde(default)]
    pub expect: Value,
    /// Further runs, one after the other.
    #[serde(default)]
    pub then: Vec<Step>,
    /// Credential slot -> what the connect form must say when it is left empty.
    #[serde(default)]
    pub missing: BTreeMap<String, Value>,
    pub provenance: Provenance,
    /// Why the fixture is as it is; for readers.
    #[serde(default)]
    pub note: String,
    /// The file as its reader knows it, and its text: a failure names the line.
    #[serde(skip)]
    pub file: String,
    #[serde(skip)]
    pub text: String,
}

/// A further run of the same scenario. What it does not state it takes from the run before.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    #[serde(default)]
    pub function: Option<String>,
    /// Merged over the input of the run before; a report's `known` is handed on.
    #[serde(default)]
    pub input: Value,
    /// `true`: a resumed attempt. Good answers of `idempotent` and `write` calls of earlier runs are reused and must not
    /// be among the exchanges again.
    #[serde(default)]
    pub resumed: bool,
    #[serde(default)]
    pub exchanges: Vec<Exchange>,
    #[serde(default)]
    pub expect: Value,
}

/// A request as the vendor sees it, authentication apart, and what came back.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    pub request: ExpectedRequest,
    #[serde(default)]
    pub response: Option<GivenResponse>,
    /// Instead of a response.
    #[serde(default)]
    pub unanswered: Option<Unanswered>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedRequest {
    pub call: String,
    pub method: String,
    #[serde(default = "api")]
    pub endpoint: String,
    /// With the endpoint's own path, encoded as on the wire.
    pub path: String,
    #[serde(default, deserialize_with = "pairs")]
    pub query: Vec<(String, String)>,
    /// Those that the guest or the call sets; names in lower case.
    #[serde(default, deserialize_with = "pairs")]
    pub headers: Vec<(String, String)>,
    /// JSON body, the manifest's constants included.
    #[serde(default)]
    pub body: Option<Value>,
    /// Form body, the manifest's constants included.
    #[serde(default, deserialize_with = "some_pairs")]
    pub form: Option<Vec<(String, String)>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenResponse {
    pub status: u16,
    #[serde(default, deserialize_with = "pairs")]
    pub headers: Vec<(String, String)>,
    /// Text as it is; anything else as JSON text.
    #[serde(default)]
    pub body: Value,
}

impl GivenResponse {
    /// The body's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        match &self.body {
            Value::Null => Vec::new(),
            Value::String(text) => text.clone().into_bytes(),
            other => other.to_string().into_bytes(),
        }
    }
}

/// Where the vendor's side of a fixture comes from. A written fixture never counts as live proof.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Provenance {
    /// Taken from a real run.
    Recorded { date: String },
    /// Written after the vendor's documentation.
    WrittenFromDocs { url: String, date: String },
}

/// What a folder of fixtures holds, and what in it cannot be used.
#[derive(Default)]
pub struct Fixtures {
    pub good: Vec<Fixture>,
    pub bad: Vec<Failure>,
}

/// Reads every `*.json` of a folder's `fixtures`, by name.
///
/// # Errors
/// When the folder cannot be read. A file that cannot be used is among [`Fixtures::bad`].
pub fn load(fixtures: &Path) -> anyhow::Result<Fixtures> {
    let mut all = Fixtures::default();
    for file in files(fixtures)? {
        let text = std::fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        all.add(&file, shortened(&file), text);
    }
    Ok(all)
}

impl Fixtures {
    /// `shown` is the file as its reader knows it.
    pub(crate) fn add(&mut self, file: &Path, shown: String, text: String) {
        match read(file, &text) {
            Ok(fixture) => self.good.push(Fixture { file: shown, text, ..fixture }),
            Err((line, what)) => {
                let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
                let scenario = stem.split('.').next().unwrap_or_default();
                self.bad.push(Failure { file: Some(shown), line, ..Failure::of_scenario(scenario, what) });
            }
        }
    }
}

/// Every `*.json` of a folder, by name.
pub(crate) fn files(fixtures: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(fixtures).with_context(|| format!("the fixtures folder {} cannot be read", fixtures.display()))?;
    let mut files: Vec<_> = entries.collect::<Result<Vec<_>, _>>()?.into_iter().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    Ok(files)
}

/// The way that the caller named, without the machine's part of it.
fn shortened(file: &Path) -> String {
    let current = std::env::current_dir().ok();
    current.and_then(|dir| file.strip_prefix(dir).ok().map(Path::to_path_buf)).unwrap_or_else(|| file.to_owned()).display().to_string()
}

/// A fixture of this text; else on which line, and why not.
fn read(file: &Path, text: &str) -> Result<Fixture, (Option<usize>, String)> {
    let fixture: Fixture = serde_json::from_str(text).map_err(|error| (Some(error.line()), error.to_string()))?;
    let at = |pointer: &str| Some(line_of(text, pointer));
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    // One scenario may have several fixtures: `sync-new.json`, `sync-new.without-tags.json`.
    if stem.split('.').next() != Some(fixture.scenario.as_str()) {
        return Err((at("/scenario"), format!("the file holds the scenario {:?} but is named {stem:?}", fixture.scenario)));
    }
    let (date, url) = match &fixture.provenance {
        Provenance::Recorded { date } => (date, None),
        Provenance::WrittenFromDocs { url, date } => (date, Some(url)),
    };
    let dated =
        date.len() == 10 && date.bytes().enumerate().all(|(at, b)| if matches!(at, 4 | 7) { b == b'-' } else { b.is_ascii_digit() });
    if !dated {
        return Err((at("/provenance/date"), format!("provenance.date is {date:?}, not of the form 2026-11-23")));
    }
    if url.is_some_and(|url| !url.starts_with("https://")) {
        return Err((at("/provenance/url"), "provenance.url must be the https address of the vendor's page".to_owned()));
    }
    let runs = std::iter::once((String::new(), &fixture.exchanges));
    let runs = runs.chain(fixture.then.iter().enumerate().map(|(number, step)| (format!("/then/{number}"), &step.exchanges)));
    for (place, exchanges) in runs {
        for (number, exchange) in exchanges.iter().enumerate() {
            if exchange.response.is_some() == exchange.unanswered.is_some() {
                let what = format!("the exchange of call {:?} needs either `response` or `unanswered`", exchange.request.call);
                return Err((at(&format!("{place}/exchanges/{number}")), what));
            }
        }
    }
    Ok(fixture)
}

fn api() -> String {
    "api".to_owned()
}

/// `{"a": "1", "b": ["2", "3"]}` or `[["b", "2"], ["b", "3"], ["a", "1"]]`.
fn pairs<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(String, String)>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum One {
        Text(String),
        Many(Vec<String>),
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Pairs {
        Map(BTreeMap<String, One>),
        List(Vec<(String, String)>),
    }
    Ok(match Pairs::deserialize(from)? {
        Pairs::List(list) => list,
        Pairs::Map(map) => map
            .into_iter()
            .flat_map(|(key, value)| match value {
                One::Text(text) => vec![(key, text)],
                One::Many(many) => many.into_iter().map(|text| (key.clone(), text)).collect(),
            })
            .collect(),
    })
}

fn some_pairs<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<(String, String)>>, D::Error> {
    pairs(from).map(Some)
}
