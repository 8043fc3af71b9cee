//! Runs a connector's fixtures through the real engine. Must not decide what is required: that is [`crm_catalog::scenarios`].

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context;
use crm_catalog::model::Manifest;
use crm_catalog::scenarios::{SCENARIOS, required};
use crm_contract::ports::{Digest, Guests};
use crm_egress::Egress;
use crm_engine::Engine;
use serde_json::json;

use crate::compare::differences;
use crate::defaults::merged;
use crate::failure::{Failure, Found};
use crate::fixture::Fixture;
use crate::folder::Folder;
use crate::playback::Earlier;
use crate::run::Run;
use crate::{facts, host, lint};

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
    /// Fixtures there are, and scenarios that lack one.
    pub asked: usize,
    /// Scenarios that the manifest waives.
    pub waived: usize,
    /// Size of the component without its fixtures, in bytes.
    pub bytes: usize,
    pub failures: Vec<Failure>,
    /// What a reviewer would ask about; no failures.
    pub remarks: Vec<String>,
}

impl Verdict {
    /// One line: `ok <slug> <passed>/<scenarios> <waived> waived <kB> kB`.
    pub fn line(&self) -> String {
        let word = if self.failures.is_empty() { "ok" } else { "FAILED" };
        format!("{word} {} {}/{} {} waived {} kB", self.slug, self.passed, self.asked, self.waived, self.bytes.div_ceil(1000))
    }
}

impl Suite {
    /// On an engine that compiles in this process: for components of one's own build only.
    ///
    /// # Errors
    /// When the host's rooms cannot be configured on this machine. Needs a tokio runtime.
    pub fn new() -> anyhow::Result<Self> {
        Self::on(host::engine()?)
    }

    /// On an engine of the caller's, such as one that compiles foreign files in a process apart.
    ///
    /// # Errors
    /// When egress cannot be configured on this machine. Needs a tokio runtime.
    pub fn on(engine: Arc<Engine>) -> anyhow::Result<Self> {
        Ok(Self { engine, egress: host::egress()? })
    }

    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    pub(crate) fn egress(&self) -> &Arc<Egress> {
        &self.egress
    }

    /// Looks at the file, loads the component, runs every fixture of the folder, and looks what is missing. `wasi`: it may import WASI
    /// (then the engine must allow it too).
    ///
    /// # Errors
    /// When the component holds another manifest than the folder, or cannot be read at all.
    pub async fn check(&self, folder: &Folder, component: Vec<u8>, wasi: bool) -> anyhow::Result<Verdict> {
        let missing = gaps(folder);
        let bare = crm_catalog::section::without_fixtures(&component)?;
        let mut verdict = Verdict {
            slug: folder.slug.clone(),
            bytes: bare.len(),
            waived: folder.manifest.waived.len(),
            asked: folder.fixtures.len() + missing.len() + folder.unreadable.len(),
            remarks: lint::remarks(&folder.manifest),
            failures: facts::failures(&bare, wasi)?,
            ..Verdict::default()
        };
        verdict.remarks.extend(facts::hosts_in_code(&bare, &folder.manifest));
        verdict.failures.extend(folder.unreadable.iter().cloned());
        match self.engine.load(component).await {
            Ok(digest) => self.play_all(&digest, folder, &mut verdict).await?,
            // Said already, with what to do about it.
            Err(_) if verdict.failures.iter().any(|failure| failure.rules == ["S32"]) => {}
            Err(error) => verdict.failures.push(Failure::of_file(Some("S32"), format!("the component is refused: {error}"))),
        }
        verdict.failures.extend(misfiled(folder));
        verdict.failures.extend(missing);
        Ok(verdict)
    }

    /// Loads a component and leaves it loaded, beside all that were loaded before.
    ///
    /// # Errors
    /// When the engine refuses it.
    pub async fn load(&self, component: Vec<u8>) -> anyhow::Result<Digest> {
        Ok(self.engine.load(component).await?)
    }

    /// Runs one fixture through a component that is loaded. Nothing is found when it passes.
    ///
    /// # Errors
    /// When the component is not loaded.
    pub async fn run(&self, digest: &Digest, fixture: &Fixture) -> anyhow::Result<Vec<Failure>> {
        let manifest = self.engine.manifest(digest).context("no such component is loaded")?;
        let wrong = self.play(digest, &manifest, fixture).await;
        Ok(wrong.into_iter().map(|found| Failure::of_fixture(fixture, found)).collect())
    }

    async fn play_all(&self, digest: &Digest, folder: &Folder, verdict: &mut Verdict) -> anyhow::Result<()> {
        let manifest = self.engine.manifest(digest).context("the engine forgot what it loaded")?;
        if *manifest != folder.manifest {
            anyhow::bail!("{}: the component was built from another connector.toml: build it again", folder.slug);
        }
        for fixture in &folder.fixtures {
            let wrong = self.play(digest, &manifest, fixture).await;
            verdict.passed += usize::from(wrong.is_empty());
            verdict.failures.extend(wrong.into_iter().map(|found| Failure::of_fixture(fixture, found)));
        }
        Ok(())
    }

    pub(crate) async fn play(&self, digest: &Digest, manifest: &Arc<Manifest>, fixture: &Fixture) -> Vec<Found> {
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
            wrong.extend(found.into_iter().map(|found| found.below(&format!("/then/{number}"))));
        }
        wrong
    }
}

/// What the connect form says about a field that was left empty comes from the manifest, before any guest runs.
fn missing_texts(manifest: &Manifest, fixture: &Fixture) -> Vec<Found> {
    let mut wrong = Vec::new();
    for (slot, expected) in &fixture.missing {
        let said = manifest.credential(slot).and_then(|credential| credential.missing.clone());
        let found = differences(expected, &json!(said.unwrap_or_default()));
        wrong.extend(found.into_iter().map(|found| {
            let what = format!("what the manifest says when {slot:?} is left empty: {}", found.what);
            Found::ruled(format!("/missing/{slot}"), what, &["S35"])
        }));
    }
    wrong
}

/// Required scenarios without a fixture.
fn gaps(folder: &Folder) -> Vec<Failure> {
    let there: BTreeSet<&str> = folder.fixtures.iter().map(|fixture| fixture.scenario.as_str()).collect();
    // One that is there and cannot be read is reported as that.
    let unreadable: BTreeSet<&str> = folder.unreadable.iter().map(|failure| failure.scenario.as_str()).collect();
    let missing = required(&folder.manifest).into_iter().filter(|s| !there.contains(s.name) && !unreadable.contains(s.name));
    missing
        .map(|scenario| {
            let what = format!("no fixture, and not waived in connector.toml. It must show: {}", scenario.demand);
            Failure::of_scenario(scenario.name, what)
        })
        .collect()
}

/// Fixtures that claim a scenario but call another export, or whose scenario is waived.
fn misfiled(folder: &Folder) -> Vec<Failure> {
    let mut failures = Vec::new();
    for fixture in &folder.fixtures {
        let mut wrong = |at: &str, what: String| failures.push(Failure::of_fixture(fixture, Found::ruled(at, what, &["S37"])));
        let claimed = SCENARIOS.iter().find(|scenario| scenario.name == fixture.scenario);
        if let Some(scenario) = claimed
            && scenario.function != fixture.function
        {
            wrong("/function", format!("its first run calls {:?}; the scenario is about {:?}", fixture.function, scenario.function));
        }
        if folder.manifest.waived.contains_key(&fixture.scenario) {
            wrong("/scenario", "it is waived in connector.toml and yet has a fixture".to_owned());
        }
    }
    failures
}
