//! One run of one export, played from a fixture and compared with it. Decides nothing about the connector as a whole.

use std::sync::Arc;

use crm_catalog::model::Manifest;
use crm_contract::ports::{Digest, Gateway, GuestFault, Guests, Mode};
use crm_contract::types::Answer;
use serde_json::{Value, json};

use crate::compare::differences;
use crate::defaults::{connection, invocation, merged, shown, stage};
use crate::failure::Found;
use crate::fixture::Exchange;
use crate::host;
use crate::playback::{Earlier, Playback, Watched};
use crate::suite::Suite;

/// A connector and where a scenario has come to.
pub(crate) struct Run<'a> {
    pub suite: &'a Suite,
    pub digest: &'a Digest,
    pub manifest: &'a Arc<Manifest>,
    pub function: String,
    pub input: Value,
    pub earlier: Earlier,
}

impl Run<'_> {
    /// Runs the export once; what it learnt is handed on to the next run. Places are seen from this run's part of the fixture.
    pub(crate) async fn once(&mut self, exchanges: &[Exchange], expect: &Value, resumed: bool) -> Vec<Found> {
        let mode = self.manifest.auth.first().map_or_else(String::new, |auth| auth.mode.clone());
        let invocation = match invocation(&self.function, &self.input, &mode) {
            Ok(invocation) => invocation,
            Err(error) => return vec![Found::new("/input", format!("{error:#}"))],
        };
        let scope = host::scope(self.manifest, connection(&invocation).clone(), stage(&invocation), self.choice());
        let playback = Playback::new(Arc::clone(self.manifest), exchanges, std::mem::take(&mut self.earlier), resumed);
        let egress = self.suite.egress().open(scope, Mode::Replay, playback.clone());
        let outbound = Arc::new(Watched { egress, playback: playback.clone() });
        let answer = self.suite.engine().call(self.digest, invocation, outbound, playback.clone()).await;
        let ended = playback.end();
        self.earlier = ended.earlier;
        let mut wrong = ended.wrong;
        let most = self.manifest.sync.new.max(self.manifest.sync.existing) as usize;
        if self.function == "sync-contact" && exchanges.len() > most {
            let what = format!("{} calls in one sync; the manifest's [sync] allows {most}", exchanges.len());
            wrong.push(Found::ruled("/exchanges", what, &["S24"]));
        }
        match answer {
            Err(fault) => {
                let rules: &[&str] = if matches!(fault, GuestFault::Trapped(_)) { &["S28"] } else { &[] };
                let stopped = Found::ruled("", format!("the guest was stopped: {fault}"), rules);
                wrong.push(Found { stopped: Some(fault), ..stopped });
            }
            Ok(answer) => match shown(&answer) {
                Err(error) => wrong.push(Found::new("", format!("{error:#}"))),
                Ok(actual) => {
                    wrong.extend(differences(expect, &actual).into_iter().map(|found| found.below("/expect")));
                    self.hand_on(&answer);
                }
            },
        }
        if !wrong.is_empty() && !ended.log.is_empty() {
            wrong.push(Found::new("", format!("the connector's log: {}", ended.log.join(" | "))));
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
