//! What a run went by, besides its steps. A guest is pure: with its arguments and the answers to its calls it can be run again, on its own
//! version or on another one, and nothing need be sent. Holds no secret, as no invocation ever does.

use crm_contract::types::{Invocation, Response, Unanswered};
use serde::{Deserialize, Serialize};

/// The largest body that is kept of an answer that a guest could not use.
pub const UNUSABLE: usize = 8 * 1024;

/// The arguments of an attempt, and the answers that no step of it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    pub invocation: Invocation,
    /// The vendor's account, and the endpoint choice, that its scope named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<String>,
    /// An earlier attempt of the job had ended with an unknown outcome.
    #[serde(default, skip_serializing_if = "is_false")]
    pub after_unknown: bool,
    /// Earlier attempts had left steps to go on from.
    #[serde(default, skip_serializing_if = "is_false")]
    pub resumed: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unkept: Vec<Unkept>,
    /// The answer that the guest could not use, where its step no longer holds it: that became an unknown outcome for the attempts to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unusable: Option<Response>,
}

/// A call that was turned away without a step: by a limit that was spent, by a check, or because an earlier attempt's outcome is unknown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unkept {
    /// How many steps of the attempt came before it.
    pub after: u32,
    pub call: String,
    pub why: Unanswered,
}

impl Asked {
    /// Of a run of which nothing else is to be said.
    pub fn new(invocation: Invocation) -> Self {
        Self { invocation, account: None, choice: None, after_unknown: false, resumed: false, unkept: Vec::new(), unusable: None }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference over")]
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use crm_contract::ports::Digest;
    use crm_contract::types::{Job, Person, Unanswered};

    use super::*;
    use crate::limits;
    use crate::model::{Attempt, NewJob, Outcome, Purpose};
    use crate::rows::tables::{decode, encode};

    /// An attempt's row as it was written before its arguments were kept.
    #[derive(Serialize)]
    struct Older {
        job: String,
        number: u32,
        connector: String,
        version: String,
        digest: Digest,
        started: u64,
        ended: u64,
        outcome: Outcome,
        log: Vec<String>,
    }

    fn attempt(asked: Option<Box<Asked>>) -> Attempt {
        Attempt {
            job: "job_1".into(),
            number: 1,
            connector: "acme".into(),
            version: "1.0.0".into(),
            digest: Digest("d".into()),
            started: 5,
            ended: 6,
            outcome: Outcome::Interrupted,
            log: Vec::new(),
            asked,
        }
    }

    #[test]
    fn an_older_row_is_read_and_one_without_arguments_is_written_as_it_was() {
        let Attempt { job, number, connector, version, digest, started, ended, outcome, log, .. } = attempt(None);
        let older = encode(&Older { job, number, connector, version, digest, started, ended, outcome, log }).expect("it is written");
        assert_eq!(decode::<Attempt>(b"k", &older).expect("it is read"), attempt(None));
        assert_eq!(encode(&attempt(None)).expect("it is written"), older);
    }

    #[test]
    fn what_was_asked_is_read_as_it_was_written() {
        let plain = Asked::new(Invocation::UntagContact { job: Job::default() });
        let unkept = vec![Unkept { after: 2, call: "tag".into(), why: Unanswered::UnknownOutcome }];
        let unusable = Some(Response { status: 200, headers: Vec::new(), body: vec![0, 255] });
        let full = Asked {
            account: Some("a".into()),
            choice: Some("eu".into()),
            after_unknown: true,
            resumed: true,
            unkept,
            unusable,
            ..plain.clone()
        };
        for asked in [plain, full] {
            let row = attempt(Some(Box::new(asked)));
            assert_eq!(decode::<Attempt>(b"k", &encode(&row).expect("it is written")).expect("it is read"), row);
        }
    }

    /// The largest wish that a job may hold, the largest connection and override with it, and all that a guest may log.
    #[test]
    fn the_largest_job_still_fits_its_attempts() {
        let text = |bytes: usize| "x".repeat(bytes);
        let who = Person { company: Some(text(limits::JOB_BYTES - 1_000)), ..Person::default() };
        let new = NewJob { who: who.clone(), ..NewJob::new("job_1".into(), "org_1", "con_1", Purpose::Sync, 5) };
        let size = encode(&crate::model::Job::newborn(new)).expect("it is written").len();
        assert!(size <= limits::JOB_BYTES && size > limits::JOB_BYTES - 1_000, "{size}");
        let mut job = Job { who, ..Job::default() };
        job.on.mode = text(2 * limits::DOCUMENT_BYTES);
        job.known.memo = Some(text(limits::DOCUMENT_BYTES));
        let unusable = Some(Response { status: 200, headers: Vec::new(), body: vec![255; UNUSABLE] });
        let asked = Asked { unusable, ..Asked::new(Invocation::SyncContact { job }) };
        let row = Attempt { log: vec![text(64 * 1024)], ..attempt(Some(Box::new(asked))) };
        let size = encode(&row).expect("it is written").len();
        assert!(size <= limits::ATTEMPT_BYTES, "{size}");
    }
}
