//! The journal's exact rule (DESIGN.md): may a recorded answer stand in for sending? Pure.

use crm_catalog::model::Effect;
use crm_contract::ports::{Recall, StepOutcome, StepRecord};
use crm_contract::types::Unanswered;

/// What else the rule looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    pub effect: Effect,
    /// This is a resumed run.
    pub resumed: bool,
    /// Some call names this one as its guard.
    pub is_guard: bool,
    /// An earlier attempt, or an earlier call of this run, ended with an unknown outcome.
    pub after_unknown: bool,
    pub fresh_s: Option<u32>,
    pub now: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Decision {
    Send,
    Reuse(Box<StepRecord>),
    /// It was sent and nobody knows what came of it.
    Unknown,
}

pub(crate) fn decide(recall: Recall, c: Circumstances) -> Decision {
    match recall {
        Recall::Nothing => Decision::Send,
        // Only a `write` is announced. Anything else is safe to send again.
        Recall::Intent => {
            if c.effect == Effect::Write {
                Decision::Unknown
            } else {
                Decision::Send
            }
        }
        Recall::Record(record) => match &record.outcome {
            StepOutcome::Unanswered(Unanswered::UnknownOutcome) if c.effect == Effect::Write => Decision::Unknown,
            StepOutcome::Unanswered(_) => Decision::Send,
            StepOutcome::Answered(_) => {
                let reuse = record.good
                    && !c.is_guard
                    && match c.effect {
                        Effect::Write | Effect::Idempotent => c.resumed,
                        Effect::Read => {
                            let age = c.now.saturating_sub(record.at);
                            // A record from the future was made under another clock: how old it is cannot be said.
                            let fresh = c.fresh_s.is_some_and(|s| record.at <= c.now && age <= u64::from(s) * 1_000);
                            fresh && !c.resumed && !c.after_unknown
                        }
                    };
                if reuse { Decision::Reuse(record) } else { Decision::Send }
            }
        },
    }
}

#[cfg(test)]
#[path = "reuse_tests.rs"]
mod tests;
