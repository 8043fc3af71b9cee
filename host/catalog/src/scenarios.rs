//! The names of the conformance suite's scenarios: what a fixture is filed under, and what `[waived]` may name. What each
//! one demands is written in SPEC.md; the suite runs them.

use crate::model::Manifest;

/// When a scenario is asked of a connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Always,
    /// With two secret credentials or more that every merchant must type.
    TwoCredentials,
    /// With a picker that the vendor fills.
    Picker,
    /// With `supports.prepare`.
    Prepare,
    /// With `[later]`.
    Later,
    /// With a required picker.
    Destination,
    /// With `supports.untag`.
    Untag,
    /// With `supports.lookup`.
    Lookup,
}

/// One scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// The fixture's file name without `.json`.
    pub name: &'static str,
    /// The export that it calls.
    pub function: &'static str,
    pub asked: Asked,
    /// The rules of SPEC.md that it holds: what a connector offends that fails it. None of its own: S37 alone.
    pub rules: &'static [&'static str],
    /// What must hold.
    pub demand: &'static str,
}

const fn scenario(
    name: &'static str,
    function: &'static str,
    asked: Asked,
    rules: &'static [&'static str],
    demand: &'static str,
) -> Scenario {
    Scenario { name, function, asked, rules, demand }
}

/// All scenarios, in the order of a connector's life.
pub const SCENARIOS: &[Scenario] = &[
    scenario("verify-ok", "verify", Asked::Always, &[], "Good credentials give an account, with its id where the vendor has one."),
    scenario("verify-bad-credentials", "verify", Asked::Always, &["S25"], "Refused credentials end in `credentials`."),
    scenario(
        "verify-missing-credential",
        "verify",
        Asked::TwoCredentials,
        &["S35"],
        "Each credential left empty is named, as is the vendor's way to say so.",
    ),
    scenario("choices-two-pages", "list-choices", Asked::Picker, &["S19"], "A picker is read to its last page, without repeats."),
    scenario("prepare-nothing-missing", "prepare", Asked::Prepare, &[], "In a prepared account nothing is created."),
    scenario("prepare-creates", "prepare", Asked::Prepare, &["S15"], "With `apply` what is missing is created; without, it is named."),
    scenario(
        "sync-new",
        "sync-contact",
        Asked::Always,
        &["S1", "S14"],
        "A new contact is created with names, destination and tags; its id is reported.",
    ),
    scenario(
        "sync-existing",
        "sync-contact",
        Asked::Always,
        &["S1", "S6"],
        "A contact that is there is updated: nothing overwritten with a blank, consent untouched.",
    ),
    scenario("sync-opted-out", "sync-contact", Asked::Always, &["S10", "S12"], "A contact who opted out is not re-subscribed."),
    scenario("sync-blank-names", "sync-contact", Asked::Always, &["S4"], "Without names nothing blank is sent."),
    scenario("sync-unicode", "sync-contact", Asked::Always, &["S7"], "Names, tags and addresses in several scripts arrive as they are."),
    scenario(
        "sync-resume-after-failed-step",
        "sync-contact",
        Asked::Always,
        &["S2"],
        "When a later call fails the id is kept, and a resumed run sends only the rest.",
    ),
    scenario(
        "sync-later",
        "sync-contact",
        Asked::Later,
        &["S29"],
        "Work that the vendor finishes later ends in `later`, and the next look ends it.",
    ),
    scenario("rate-limited", "sync-contact", Asked::Always, &["S26"], "Throttling, however it is said, ends in `rate-limited`."),
    scenario("server-error", "sync-contact", Asked::Always, &["S28"], "A vendor's failure ends in `retryable`."),
    scenario(
        "rejected-e-mail",
        "sync-contact",
        Asked::Always,
        &["S27"],
        "An address that the vendor refuses ends in `rejected` with the field.",
    ),
    scenario(
        "destination-missing",
        "sync-contact",
        Asked::Destination,
        &["S20"],
        "A destination that is gone ends in `destination-missing`.",
    ),
    scenario(
        "untag",
        "untag-contact",
        Asked::Untag,
        &["S3", "S6", "S9", "S18"],
        "Our tags are taken off; the contact and its other tags stay.",
    ),
    scenario("lookup-found", "lookup-contact", Asked::Lookup, &[], "The contact is found with its id."),
    scenario("lookup-absent", "lookup-contact", Asked::Lookup, &["S31"], "A contact that is not there is `none`, not an error."),
];

/// The scenario of this name.
pub fn scenario_named(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|s| s.name == name)
}

/// What the suite asks of this connector: every scenario that applies and is not waived.
pub fn required(manifest: &Manifest) -> Vec<&'static Scenario> {
    SCENARIOS.iter().filter(|s| applies(manifest, s.asked) && !manifest.waived.contains_key(s.name)).collect()
}

/// Whether a scenario of this kind can be asked of the connector at all.
pub fn applies(manifest: &Manifest, asked: Asked) -> bool {
    let supports = &manifest.supports;
    match asked {
        Asked::Always => true,
        Asked::TwoCredentials => manifest.credentials.iter().filter(|c| c.secret && !c.optional && c.modes.is_empty()).count() > 1,
        Asked::Picker => manifest.pickers.iter().any(|p| p.r#static.is_empty() && !p.typed),
        Asked::Prepare => supports.prepare,
        Asked::Later => manifest.later.is_some(),
        Asked::Destination => manifest.pickers.iter().any(|p| p.required),
        Asked::Untag => supports.untag,
        Asked::Lookup => supports.lookup,
    }
}
