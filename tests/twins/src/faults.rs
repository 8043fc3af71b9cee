//! The fault script: what goes wrong, at which call, before or after the effect. Random faults come from a seeded
//! generator, so that a run can be repeated.

use std::collections::BTreeMap;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

/// Rules in order; the first that strikes wins. Each rule counts the calls it watches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    #[serde(default)]
    pub seed: u64,
    #[serde(default)]
    pub rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// `PUT /1/objects/tagByName`, or `*` for every call.
    pub endpoint: String,
    /// Strikes at these calls of the endpoint, counted from 1 since the script was set.
    #[serde(default)]
    pub nth: Vec<u64>,
    /// Strikes with this probability (0 to 1) besides.
    #[serde(default)]
    pub p: f64,
    /// Strikes at most so often; absent = without end.
    #[serde(default)]
    pub at_most: Option<u64>,
    #[serde(default)]
    pub when: When,
    pub fault: Fault,
}

/// Whether the vendor has done its work when the fault strikes. `after` is the nasty one: done, but not said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    #[default]
    Before,
    After,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// This answer instead of the real one.
    Status {
        code: u16,
        #[serde(default)]
        body: String,
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    /// The real answer, this much later.
    DelayMs(u64),
    /// The connection is closed without an answer.
    Cut,
    /// Half of the answer, then the connection is closed.
    CutMidway,
    /// 200 with a body that is not what was asked for.
    Garbage,
}

impl Fault {
    /// The word the log uses.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::DelayMs(_) => "delay",
            Self::Cut => "cut",
            Self::CutMidway => "cut_midway",
            Self::Garbage => "garbage",
        }
    }
}

/// A script at work.
pub(crate) struct Faults {
    script: Script,
    seen: Vec<u64>,
    struck: Vec<u64>,
    random: SmallRng,
}

impl Faults {
    pub(crate) fn new(script: Script) -> Self {
        let rules = script.rules.len();
        Self { seen: vec![0; rules], struck: vec![0; rules], random: SmallRng::seed_from_u64(script.seed), script }
    }

    /// Decides the fate of one call.
    pub(crate) fn strike(&mut self, endpoint: &str) -> Option<(When, Fault)> {
        let mut chosen = None;
        for (i, rule) in self.script.rules.iter().enumerate() {
            if rule.endpoint != "*" && rule.endpoint != endpoint {
                continue;
            }
            self.seen[i] += 1;
            // The dice are thrown for every watched call, so that one rule's fate does not shift another's.
            let dice = rule.p > 0.0 && self.random.random_bool(rule.p.min(1.0));
            let spent = rule.at_most.is_some_and(|most| self.struck[i] >= most);
            if chosen.is_none() && !spent && (dice || rule.nth.contains(&self.seen[i])) {
                self.struck[i] += 1;
                chosen = Some((rule.when, rule.fault.clone()));
            }
        }
        chosen
    }

    pub(crate) fn struck(&self) -> u64 {
        self.struck.iter().sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.script.rules.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(endpoint: &str, nth: &[u64], p: f64) -> Rule {
        Rule { endpoint: endpoint.into(), nth: nth.to_vec(), p, at_most: None, when: When::Before, fault: Fault::Cut }
    }

    #[test]
    fn a_rule_strikes_exactly_at_the_calls_it_names() {
        let mut faults = Faults::new(Script { seed: 1, rules: vec![rule("GET /a", &[2, 4], 0.0)] });
        let fates: Vec<bool> = (0..5).map(|_| faults.strike("GET /a").is_some()).collect();
        assert_eq!(fates, [false, true, false, true, false]);
        assert!(faults.strike("GET /b").is_none());
    }

    #[test]
    fn equal_seeds_give_equal_fates() {
        let fates = |seed| {
            let mut faults = Faults::new(Script { seed, rules: vec![rule("*", &[], 0.3)] });
            (0..200).map(|_| faults.strike("x").is_some()).collect::<Vec<_>>()
        };
        assert_eq!(fates(7), fates(7));
        assert_ne!(fates(7), fates(8));
        let share = fates(7).iter().filter(|hit| **hit).count();
        assert!((30..=90).contains(&share), "{share} of 200 at p = 0.3");
    }

    #[test]
    fn at_most_ends_a_rule() {
        let mut faults = Faults::new(Script { seed: 0, rules: vec![Rule { at_most: Some(2), ..rule("*", &[], 1.0) }] });
        assert_eq!((0..10).filter(|_| faults.strike("x").is_some()).count(), 2);
        assert_eq!(faults.struck(), 2);
    }

    #[test]
    fn a_script_reads_as_documented() {
        let text = r#"{"seed":3,"rules":[
            {"endpoint":"PUT /1/objects/tagByName","p":0.1,"fault":{"status":{"code":503}}},
            {"endpoint":"*","nth":[9],"when":"after","fault":"cut"},
            {"endpoint":"*","nth":[2],"fault":{"delay_ms":50}}]}"#;
        let script: Script = serde_json::from_str(text).expect("parses");
        assert_eq!(script.rules.len(), 3);
        assert_eq!(script.rules[1].when, When::After);
        assert!(serde_json::from_str::<Script>(r#"{"rulez":[]}"#).is_err());
    }
}
