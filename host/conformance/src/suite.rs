//! Runs a connector's fixtures through the real engine. Must not decide what is required: that is [`crm_catalog::scenarios`].

use std::sync::Arc;

use anyhow::Context;
use crm_catalog::model::Manifest;
use crm_catalog::scenarios::{SCENARIOS, required};
use crm_contract::ports::{Digest, Gateway, Guests, Mode};
use crm_contract::types::Answer;
use crm_egress::Egress;
use crm_engine::Engine;
use serde_json::{Value, json};

use crate::compare::differences;
use crate::defaults::{connection, invocation, merged, shown, stage};
use crate::fixture::{Exchange, Fixture};
use crate::folder::Folder;
use crate::host;
use crate::playback::{Earlier, Playback, Watched};

/// The engine on which connectors are tried. One for a whole run of the suite.
pub struct Suite {
    engine: Arc<Engine>,
    egress: Arc<Egress>,
}

/// How a connector did.
#[derive(Debug, Default)]
pub struct Verdict {
    pub slug: String,
    /// Fixtures that passed.
    pub passed: usize,
    /// Fixtures that were run.
    pub run: usize,
    /// Scenarios that the manifest waives.
    pub waived: usize,
    /// Size of the component in bytes.
    pub bytes: usize,
    pub failures: Vec<Failure>,
}

/// One thing that is wrong.
#[derive(Debug)]
pub struct Failure {
    pub scenario: String,
    pub what: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}: {}", self.scenario, self.what)
    }
}

impl Suite {
    /// Starts the host's rooms that a connector meets.
    ///
    /// # Errors
    /// When they cannot be configured on this machine. Needs a tokio runtime.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self { engine: host::engine()?, egress: host::egress()? })
    }

    /// Loads the component and runs every fixture of the folder; then looks what is missing.
    ///
    /// # Errors
    /// When the component cannot be loaded, or holds another manifest than the folder.
    pub async fn check(&self, folder: &Folder, component: Vec<u8>) -> anyhow::Result<Verdict> {
        let bytes = component.len();
        let digest = self.engine.load(component).await.with_context(|| format!("{}: the component is refused", folder.slug))?;
        let manifest = self.engine.manifest(&digest).context("the engine forgot what it loaded")?;
        let mut verdict = Verdict {
            slug: folder.slug.clone(),
            bytes,
            waived: folder.manifest.waived.len(),
            run: folder.fixtures.len(),
            ..Verdict::default()
        };
        if *manifest != folder.manifest {
            anyhow::bail!("{}: the component was built from another connector.toml: run `cargo xtask build`", folder.slug);
        }
        for fixture in &folder.fixtures {
            match self.play(&digest, &manifest, fixture).await {
                Ok(()) => verdict.passed += 1,
                Err(what) => verdict.failures.extend(what.into_iter().map(|what| Failure { scenario: fixture.scenario.clone(), what })),
            }
        }
        verdict.failures.extend(gaps(folder));
        Ok(verdict)
    }

    async fn play(&self, digest: &Digest, manifest: &Arc<Manifest>, fixture: &Fixture) -> Result<(), Vec<String>> {
        let mut wrong = missing_texts(manifest, fixture);
        let mut run = Run {
            suite: self,
            digest,
            manifest,
            function: fixture.function.clone(),
            input: fixture.input.clone(),
            earlier: Earlier::new(),
        };
        wrong.extend(run.once(&fixture.exchanges, &fixture.expect, false).await);
        for (number, step) in fixture.then.iter().enumerate() {
            if !wrong.is_empty() {
                break;
            }
            if let Some(function) = &step.function {
                run.function.clone_from(function);
            }
            run.input = merged(run.input, &step.input);
            let found = run.once(&step.exchanges, &step.expect, step.resumed).await;
            wrong.extend(found.into_iter().map(|what| format!("run {}: {what}", number + 2)));
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

struct Run<'a> {
    suite: &'a Suite,
    digest: &'a Digest,
    manifest: &'a Arc<Manifest>,
    function: String,
    input: Value,
    earlier: Earlier,
}

impl Run<'_> {
    /// Runs the export once; what it learnt is handed on to the next run.
    async fn once(&mut self, exchanges: &[Exchange], expect: &Value, resumed: bool) -> Vec<String> {
        let mode = self.manifest.auth.first().map_or_else(String::new, |auth| auth.mode.clone());
        let invocation = match invocation(&self.function, &self.input, &mode) {
            Ok(invocation) => invocation,
            Err(error) => return vec![format!("{error:#}")],
        };
        let scope = host::scope(self.manifest, connection(&invocation).clone(), stage(&invocation), self.choice());
        let playback = Playback::new(Arc::clone(self.manifest), exchanges, std::mem::take(&mut self.earlier), resumed);
        let egress = self.suite.egress.open(scope, Mode::Replay, playback.clone());
        let outbound = Arc::new(Watched { egress, playback: playback.clone() });
        let answer = self.suite.engine.call(self.digest, invocation, outbound, playback.clone()).await;
        let ended = playback.end();
        self.earlier = ended.earlier;
        let mut wrong = ended.wrong;
        let reserved = self.manifest.sync.new.max(self.manifest.sync.existing) as usize;
        if self.function == "sync-contact" && exchanges.len() > reserved {
            wrong.push(format!("{} calls in one sync; the manifest's [sync] reserves {reserved}", exchanges.len()));
        }
        match answer {
            Err(fault) => wrong.push(format!("the guest was stopped: {fault}")),
            Ok(answer) => match shown(&answer) {
                Err(error) => wrong.push(format!("{error:#}")),
                Ok(actual) => {
                    wrong.extend(differences(expect, &actual));
                    self.hand_on(&answer);
                }
            },
        }
        if !wrong.is_empty() && !ended.log.is_empty() {
            wrong.push(format!("the connector's log: {}", ended.log.join(" | ")));
        }
        wrong
    }

    /// Endpoint choice that verify found, which a fixture states beside its input.
    fn choice(&self) -> Option<String> {
        self.input.pointer("/choice").and_then(Value::as_str).map(str::to_owned)
    }

    fn hand_on(&mut self, answer: &Answer) {
        if let Answer::Report(report) = answer {
            // Replaced, not merged: what a report no longer knows is forgotten.
            self.input = merged(std::mem::take(&mut self.input), &json!({ "job": { "known": {} } }));
            self.input["job"]["known"] = json!(report.known);
        }
    }
}

/// What the connect form says about a field that was left empty comes from the manifest, before any guest runs.
fn missing_texts(manifest: &Manifest, fixture: &Fixture) -> Vec<String> {
    let mut wrong = Vec::new();
    for (slot, expected) in &fixture.missing {
        let said = manifest.credential(slot).and_then(|credential| credential.missing.clone());
        let found = differences(expected, &json!(said.unwrap_or_default()));
        wrong.extend(found.into_iter().map(|what| format!("what the manifest says when {slot:?} is left empty: {what}")));
    }
    wrong
}

/// Required scenarios without a fixture, and fixtures that claim a scenario but call another export.
fn gaps(folder: &Folder) -> Vec<Failure> {
    let mut failures = Vec::new();
    for scenario in required(&folder.manifest) {
        if !folder.fixtures.iter().any(|fixture| fixture.scenario == scenario.name) {
            let what = format!("no fixture, and not waived in connector.toml. It must show: {}", scenario.demand);
            failures.push(Failure { scenario: scenario.name.to_owned(), what });
        }
    }
    for fixture in &folder.fixtures {
        let claimed = SCENARIOS.iter().find(|scenario| scenario.name == fixture.scenario);
        if claimed.is_some_and(|scenario| scenario.function != fixture.function) {
            failures.push(Failure { scenario: fixture.scenario.clone(), what: format!("its first run calls {:?}", fixture.function) });
        }
        if folder.manifest.waived.contains_key(&fixture.scenario) {
            failures.push(Failure {
                scenario: fixture.scenario.clone(),
                what: "it is waived in connector.toml and yet has a fixture".to_owned(),
            });
        }
    }
    failures
}
