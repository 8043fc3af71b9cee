//! The summary: what host and twin say of the run, and what of it is a failure.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use anyhow::Result;
use crm_test_support::TwinProcess;
use serde::Serialize;
use serde_json::Value;

use super::merchant::{Counts, Sync, text};

/// The tag that every contact of ours bears.
const SYSTEM_TAG: &str = "Rekomi affiliate";

/// What the run itself knows.
pub(crate) struct Facts {
    pub(crate) approved: u64,
    pub(crate) took: Duration,
    pub(crate) calls_per_sync: u64,
    /// Contacts who had opted out before.
    pub(crate) opted_out: usize,
    /// Attempts that the kill cut short.
    pub(crate) interrupted: u64,
    pub(crate) ended: Counts,
}

/// The keys of `--json`, in this order.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Numbers {
    pub(crate) approved: u64,
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    /// Syncs that needed more than one attempt.
    pub(crate) retried: u64,
    /// Approved, and neither a tagged contact nor reported as failed.
    pub(crate) lost: u64,
    pub(crate) contacts: u64,
    pub(crate) duplicates: u64,
    pub(crate) resubscribed: u64,
    pub(crate) saves_resent_after_tag_failure: u64,
    pub(crate) calls_resent_after_kill: u64,
    /// Calls that the interrupted attempts may have made without its being known.
    pub(crate) in_flight_at_kill: u64,
    pub(crate) syncs_per_second: f64,
    #[serde(skip)]
    tag_failures: u64,
    #[serde(skip)]
    wiped: u64,
    #[serde(skip)]
    seconds: f64,
}

impl Numbers {
    pub(crate) fn gather(facts: Facts, syncs: &[Sync], twin: &TwinProcess) -> Result<Self> {
        let contacts = twin.look("contacts?limit=10000")?;
        let state = twin.look("state")?;
        let verdict = twin.look("verdict?mark=kill")?;
        Ok(Self::of(&facts, syncs, contacts["contacts"].as_array().map(Vec::as_slice).unwrap_or_default(), &state, &verdict))
    }

    fn of(facts: &Facts, syncs: &[Sync], contacts: &[Value], state: &Value, verdict: &Value) -> Self {
        let tagged: HashSet<String> = contacts.iter().filter(|c| bears_tag(c)).map(|c| text(c, "email").trim().to_lowercase()).collect();
        let mut arrived: HashMap<&str, bool> = HashMap::new();
        for sync in syncs {
            let here = sync.state == "failed" || (sync.state == "succeeded" && tagged.contains(&sync.email.trim().to_lowercase()));
            *arrived.entry(&sync.email).or_default() |= here;
        }
        let accounted = arrived.values().filter(|here| **here).count() as u64;
        let opted_out_now = contacts.iter().filter(|c| c["opted_out"] == true).count();
        let count = |from: &Value, name: &str| from[name].as_u64().unwrap_or(0);
        let seconds = facts.took.as_secs_f64();
        Self {
            approved: facts.approved,
            succeeded: facts.ended.succeeded,
            failed: facts.ended.failed,
            retried: syncs.iter().filter(|sync| sync.attempts > 1).count() as u64,
            lost: facts.approved.saturating_sub(accounted),
            contacts: contacts.len() as u64,
            duplicates: count(state, "duplicates"),
            resubscribed: count(state, "resubscribed").max(facts.opted_out.saturating_sub(opted_out_now) as u64),
            saves_resent_after_tag_failure: count(verdict, "saves_resent_after_tag_failure"),
            calls_resent_after_kill: count(verdict, "calls_resent_after_mark"),
            in_flight_at_kill: facts.interrupted * facts.calls_per_sync,
            syncs_per_second: (facts.ended.succeeded as f64 / seconds.max(0.001) * 10.0).round() / 10.0,
            tag_failures: count(verdict, "tag_failures"),
            wiped: count(state, "wiped_fields"),
            seconds,
        }
    }

    pub(crate) fn json(&self) -> String {
        // Numbers alone: this cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let row = |name: &str, value: String| format!("{name:<34} {value:>8}");
        vec![
            row("approved", self.approved.to_string()),
            row("succeeded", self.succeeded.to_string()),
            row("failed", self.failed.to_string()),
            row("retried", format!("{}", self.retried)),
            row("lost", self.lost.to_string()),
            row("contacts in the twin", self.contacts.to_string()),
            row("duplicates", self.duplicates.to_string()),
            row("re-subscribed", self.resubscribed.to_string()),
            row("tag calls that failed", self.tag_failures.to_string()),
            row("saves re-sent after one of those", self.saves_resent_after_tag_failure.to_string()),
            row("calls re-sent after the kill", format!("{} (of {} in flight)", self.calls_resent_after_kill, self.in_flight_at_kill)),
            row("syncs/s", format!("{:.1} ({:.1} s with the kill)", self.syncs_per_second, self.seconds)),
        ]
    }

    /// What makes the run a failure.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        let mut complain = |count: u64, what: &str| {
            if count > 0 {
                complaints.push(format!("{count} {what}"));
            }
        };
        complain(u64::from(self.approved == 0), "approvals: there were none");
        complain(self.lost, "lost");
        complain(self.failed, "failed");
        complain(self.duplicates, "duplicates");
        complain(self.resubscribed, "re-subscribed against their will");
        complain(self.wiped, "fields wiped by blanks");
        complain(self.saves_resent_after_tag_failure, "saves re-sent after a failed tag call");
        complain(
            self.calls_resent_after_kill.saturating_sub(self.in_flight_at_kill),
            "calls re-sent after the kill beyond those in flight",
        );
        complaints
    }
}

fn bears_tag(contact: &Value) -> bool {
    contact["tags"].as_array().is_some_and(|tags| tags.iter().any(|tag| tag == SYSTEM_TAG))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn numbers(syncs: &[(&str, &str)], contacts: &Value, verdict: &Value) -> Numbers {
        let syncs: Vec<Sync> =
            syncs.iter().map(|(email, state)| Sync { email: (*email).into(), state: (*state).into(), attempts: 1 }).collect();
        let ended = Counts { succeeded: syncs.len() as u64, ..Counts::default() };
        let facts = Facts { approved: 2, took: Duration::from_secs(2), calls_per_sync: 2, opted_out: 1, interrupted: 1, ended };
        Numbers::of(&facts, &syncs, contacts.as_array().map(Vec::as_slice).unwrap_or_default(), &json!({}), verdict)
    }

    fn contact(email: &str, tag: &str, opted_out: bool) -> Value {
        json!({ "email": email, "tags": [tag], "opted_out": opted_out })
    }

    #[test]
    fn a_good_run_has_no_complaint_and_the_json_has_the_promised_keys() {
        let contacts = json!([contact("A@b.co", SYSTEM_TAG, true), contact("c@d.co", SYSTEM_TAG, false)]);
        let good = numbers(&[("a@b.co", "succeeded"), ("c@d.co", "succeeded")], &contacts, &json!({ "calls_resent_after_mark": 2 }));
        assert_eq!(good.complaints(), Vec::<String>::new());
        let json: Value = serde_json::from_str(&good.json()).expect("json");
        let keys: Vec<&str> = json.as_object().expect("object").keys().map(String::as_str).collect();
        assert_eq!(
            keys.join(" "),
            "approved succeeded failed retried lost contacts duplicates resubscribed saves_resent_after_tag_failure \
             calls_resent_after_kill in_flight_at_kill syncs_per_second"
        );
        assert_eq!((good.in_flight_at_kill, good.syncs_per_second), (2, 1.0));
    }

    #[test]
    fn a_success_without_a_tagged_contact_is_a_loss() {
        let contacts = json!([contact("a@b.co", SYSTEM_TAG, true), contact("c@d.co", "another", false)]);
        assert_eq!(numbers(&[("a@b.co", "succeeded"), ("c@d.co", "succeeded")], &contacts, &json!({})).lost, 1);
        assert_eq!(numbers(&[("a@b.co", "succeeded")], &contacts, &json!({})).lost, 1, "a sync that is not there");
        assert_eq!(
            numbers(&[("a@b.co", "succeeded"), ("c@d.co", "failed")], &contacts, &json!({})).lost,
            0,
            "a failure is reported, not lost"
        );
    }

    #[test]
    fn needless_sends_and_broken_opt_outs_are_complained_of() {
        let contacts = json!([contact("a@b.co", SYSTEM_TAG, false), contact("c@d.co", SYSTEM_TAG, false)]);
        let verdict = json!({ "calls_resent_after_mark": 3, "saves_resent_after_tag_failure": 1 });
        let bad = numbers(&[("a@b.co", "succeeded"), ("c@d.co", "succeeded")], &contacts, &verdict);
        assert_eq!(bad.complaints().len(), 3, "{:?}", bad.complaints());
    }
}
