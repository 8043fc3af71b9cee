//! What is wrong with a connector, so that its author finds the place: scenario, fixture file, line, JSON pointer, and the rule
//! of SPEC.md that is offended. Reads nothing and judges nothing.

use std::fmt;

use crm_catalog::scenarios::scenario_named;
use crm_contract::ports::GuestFault;

use crate::lines::line_of;
use crate::{Fixture, spec};

/// Every scenario must pass or be waived: the rule where none is closer.
const MUST_PASS: &str = "S37";

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The scenario, or `build` for what is wrong with the file itself.
    pub scenario: String,
    /// The fixture's file, where there is one.
    pub file: Option<String>,
    /// Its line, counted from 1.
    pub line: Option<usize>,
    /// JSON pointer into the fixture; empty for the whole.
    pub pointer: String,
    /// Numbers of the rules in SPEC.md.
    pub rules: Vec<String>,
    pub what: String,
}

impl Failure {
    /// Something wrong with the component file itself.
    pub(crate) fn of_file(rule: Option<&str>, what: String) -> Self {
        let rules = rule.into_iter().map(str::to_owned).collect();
        Self { scenario: "build".to_owned(), file: None, line: None, pointer: String::new(), rules, what }
    }

    /// A scenario that has no fixture, or may not have one.
    pub(crate) fn of_scenario(scenario: &str, what: String) -> Self {
        let rules = vec![MUST_PASS.to_owned()];
        Self { scenario: scenario.to_owned(), file: None, line: None, pointer: String::new(), rules, what }
    }

    pub(crate) fn of_fixture(fixture: &Fixture, found: Found) -> Self {
        let own = scenario_named(&fixture.scenario).map_or(&[][..], |scenario| scenario.rules);
        let mut rules: Vec<String> = if found.rules.is_empty() { own } else { found.rules }.iter().map(|rule| (*rule).to_owned()).collect();
        if rules.is_empty() {
            rules.push(MUST_PASS.to_owned());
        }
        let file = (!fixture.file.is_empty()).then(|| fixture.file.clone());
        let line = file.is_some().then(|| line_of(&fixture.text, &found.at));
        Self { scenario: fixture.scenario.clone(), file, line, pointer: found.at, rules, what: found.what }
    }
}

impl fmt::Display for Failure {
    /// `fixtures/sync-new.json:12: sync-new [S1 S14] /expect/done/change: ...`: as compilers write it, so that editors jump there.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(out, "{file}:")?;
            if let Some(line) = self.line {
                write!(out, "{line}:")?;
            }
            out.write_str(" ")?;
        }
        out.write_str(&self.scenario)?;
        if !self.rules.is_empty() {
            write!(out, " [{}]", self.rules.join(" "))?;
        }
        if !self.pointer.is_empty() {
            write!(out, " {}", self.pointer)?;
        }
        write!(out, ": {}", self.what)
    }
}

/// The offended rules in SPEC.md's words, each once, in order: what a list of failures ends with.
pub fn legend(failures: &[Failure]) -> Vec<String> {
    let mut numbers: Vec<&str> = failures.iter().flat_map(|failure| &failure.rules).map(String::as_str).collect();
    numbers.sort_by_key(|number| number.get(1..).and_then(|digits| digits.parse::<u32>().ok()));
    numbers.dedup();
    numbers.into_iter().filter_map(|number| Some(format!("{number}: {}", spec::rule(number)?))).collect()
}

/// One finding of a run: where in the fixture, what, and the rules if they are others than the scenario's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub at: String,
    pub what: String,
    pub rules: &'static [&'static str],
    /// The guest did not end by itself.
    pub stopped: Option<GuestFault>,
}

impl Found {
    pub(crate) fn new(at: impl Into<String>, what: impl Into<String>) -> Self {
        Self { at: at.into(), what: what.into(), rules: &[], stopped: None }
    }

    pub(crate) fn ruled(at: impl Into<String>, what: impl Into<String>, rules: &'static [&'static str]) -> Self {
        Self { rules, ..Self::new(at, what) }
    }

    /// The same, seen from further up.
    pub(crate) fn below(mut self, place: &str) -> Self {
        self.at.insert_str(0, place);
        self
    }
}
