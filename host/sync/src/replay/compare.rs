//! What a run asked for when it was recorded against what it asks for now, call by call. Pure.

use crm_catalog::model::Manifest;
use crm_contract::ports::{ShownRequest, StepOutcome};
use crm_contract::types::Unanswered;
use serde::Serialize;

use super::parts::{self, Part};
use super::recorded::Exchange;
use super::tape::{self, Made};

/// One call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    pub call: String,
    #[serde(flatten)]
    pub verdict: Verdict,
    /// It comes earlier or later among the others than it did.
    pub moved: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "verdict")]
pub enum Verdict {
    Same,
    Changed {
        parts: Vec<Part>,
    },
    /// Not recorded. There is no answer for it, so what follows may be another way than the run would take.
    New {
        request: ShownRequest,
    },
    /// Recorded, and not made any more; `None` = it had been turned away before it was shown.
    Missing {
        request: Option<ShownRequest>,
    },
    /// Egress would not let it out.
    Refused {
        why: String,
    },
}

impl Compared {
    pub fn is_same(&self) -> bool {
        self.verdict == Verdict::Same && !self.moved
    }
}

/// Every call that is made or was recorded: first those that are made, in their order, then those that are missing.
pub(super) fn calls(manifest: &Manifest, recorded: &[Exchange], made: &[Made]) -> Vec<Compared> {
    let pairs = paired(manifest, recorded, made);
    let steady = rising(&pairs);
    let mut calls = Vec::with_capacity(made.len());
    for (at, one) in made.iter().enumerate() {
        let verdict = match (&one.asked, pairs[at].map(|from| &recorded[from])) {
            (Err(why), None) => Verdict::Refused { why: why.clone() },
            (Ok(request), None) => Verdict::New { request: request.clone() },
            (Err(_), Some(_)) => Verdict::Same,
            (Ok(request), Some(exchange)) => {
                let before = exchange.request.as_ref();
                let parts = before.map_or_else(Vec::new, |before| parts::differences(manifest, &one.call, before, request));
                if parts.is_empty() { Verdict::Same } else { Verdict::Changed { parts } }
            }
        };
        calls.push(Compared { call: one.call.clone(), verdict, moved: pairs[at].is_some() && !steady[at] });
    }
    let unmade = recorded.iter().enumerate().filter(|(at, _)| !pairs.contains(&Some(*at)));
    calls.extend(unmade.map(|(_, exchange)| Compared {
        call: exchange.call.clone(),
        verdict: Verdict::Missing { request: exchange.request.clone() },
        moved: false,
    }));
    calls
}

/// Which recorded exchange each made call stands for: first those that are the same in every part, in order; then those whose answer it
/// got; then what is left of the same call.
fn paired(manifest: &Manifest, recorded: &[Exchange], made: &[Made]) -> Vec<Option<usize>> {
    let mut pairs: Vec<Option<usize>> = vec![None; made.len()];
    let mut taken = vec![false; recorded.len()];
    let fit = |made: &Made, exchange: &Exchange| match (&made.asked, &exchange.request) {
        (Ok(asked), Some(request)) => parts::differences(manifest, &made.call, request, asked).is_empty(),
        (Err(why), None) => matches!(&exchange.outcome, StepOutcome::Unanswered(Unanswered::Refused(words)) if words == why),
        // It was turned away before it was shown: any request may have been it.
        (Ok(_), None) => tape::answers(exchange),
        (Err(_), Some(_)) => false,
    };
    // Shown ones are paired first: one that was not shown fits anything.
    for shown in [true, false] {
        for (at, one) in made.iter().enumerate() {
            let free = |place: &usize| {
                !taken[*place]
                    && recorded[*place].call == one.call
                    && recorded[*place].request.is_some() == shown
                    && fit(one, &recorded[*place])
            };
            if pairs[at].is_none()
                && let Some(place) = (0..recorded.len()).find(free)
            {
                taken[place] = true;
                pairs[at] = Some(place);
            }
        }
    }
    for (at, one) in made.iter().enumerate().filter(|(_, one)| one.asked.is_ok()) {
        if pairs[at].is_some() {
            continue;
        }
        let free = |place: &usize| !taken[*place] && recorded[*place].call == one.call && recorded[*place].request.is_some();
        if let Some(place) = one.from.filter(|place| free(place)).or_else(|| (0..recorded.len()).find(free)) {
            taken[place] = true;
            pairs[at] = Some(place);
        }
    }
    pairs
}

/// Which of the pairs keep their order: a longest rising row of places. The others have moved.
fn rising(pairs: &[Option<usize>]) -> Vec<bool> {
    let mut best: Vec<(usize, Option<usize>)> = Vec::with_capacity(pairs.len());
    for (at, place) in pairs.iter().enumerate() {
        let before = (0..at).filter(|earlier| place.is_some() && pairs[*earlier].is_some() && pairs[*earlier] < *place);
        let longest = before.max_by_key(|earlier| (best[*earlier].0, std::cmp::Reverse(*earlier)));
        best.push((longest.map_or(0, |earlier| best[earlier].0) + usize::from(place.is_some()), longest));
    }
    let mut steady = vec![false; pairs.len()];
    let mut at = (0..pairs.len()).filter(|at| pairs[*at].is_some()).max_by_key(|at| (best[*at].0, std::cmp::Reverse(*at)));
    while let Some(place) = at {
        steady[place] = true;
        at = best[place].1;
    }
    steady
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
