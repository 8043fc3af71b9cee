//! Which scenarios a connector must have. Adding a connector edits no list: what applies follows from its manifest.

use crm_catalog::model::{Call, Manifest, Stage};

/// One required scenario.
pub struct Scenario {
    /// The fixture's file name without `.json`.
    pub name: &'static str,
    /// The export that its first run calls.
    pub function: &'static str,
    /// What it proves.
    pub demand: &'static str,
    /// Whether the vendor can show it at all.
    pub applies: fn(&Manifest) -> bool,
}

const fn scenario(name: &'static str, function: &'static str, applies: fn(&Manifest) -> bool, demand: &'static str) -> Scenario {
    Scenario { name, function, demand, applies }
}

/// All of them, in the order of a connector's life.
pub const SCENARIOS: &[Scenario] = &[
    scenario("verify-ok", "verify", always, "Good credentials give an account, with its id where the vendor has one."),
    scenario("verify-bad-credentials", "verify", always, "Refused credentials end in `credentials`."),
    scenario("verify-missing-credential", "verify", two_credentials, "Each credential left empty is named, as is the vendor's way to say so."),
    scenario("choices-two-pages", "list-choices", picks, "A picker is read to its last page, without repeats."),
    scenario("prepare-nothing-missing", "prepare", prepares, "In a prepared account nothing is created."),
    scenario("prepare-creates", "prepare", prepares, "With `apply` what is missing is created; without, it is named."),
    scenario("sync-new", "sync-contact", always, "A new contact is created with names, destination and tags; its id is reported."),
    scenario("sync-existing", "sync-contact", always, "A contact that is there is updated: nothing overwritten with a blank, consent untouched."),
    scenario("sync-opted-out", "sync-contact", always, "A contact who opted out is not re-subscribed."),
    scenario("sync-blank-names", "sync-contact", always, "Without names nothing blank is sent."),
    scenario("sync-unicode", "sync-contact", always, "Names, tags and addresses in several scripts arrive as they are."),
    scenario("sync-resume-after-failed-step", "sync-contact", always, "When a later call fails the id is kept, and a resumed run sends only the rest."),
    scenario("sync-later", "sync-contact", later, "Work that the vendor finishes later ends in `later`, and the next look ends it."),
    scenario("rate-limited", "sync-contact", always, "Throttling, however it is said, ends in `rate-limited`."),
    scenario("server-error", "sync-contact", always, "A vendor's failure ends in `retryable`."),
    scenario("rejected-e-mail", "sync-contact", always, "An address that the vendor refuses ends in `rejected` with the field."),
    scenario("destination-missing", "sync-contact", destined, "A destination that is gone ends in `destination-missing`."),
    scenario("untag", "untag-contact", untags, "Our tags are taken off; the contact and its other tags stay."),
    scenario("lookup-found", "lookup-contact", looks_up, "The contact is found with its id."),
    scenario("lookup-absent", "lookup-contact", looks_up, "A contact that is not there is `none`, not an error."),
];

/// What the suite asks of this connector: everything that applies and is not waived with a reason.
pub fn required(manifest: &Manifest) -> Vec<&'static Scenario> {
    SCENARIOS.iter().filter(|scenario| (scenario.applies)(manifest) && !manifest.waived.contains_key(scenario.name)).collect()
}

fn always(_: &Manifest) -> bool {
    true
}

fn two_credentials(manifest: &Manifest) -> bool {
    manifest.credentials.iter().filter(|credential| credential.secret && !credential.optional && credential.modes.is_empty()).count() > 1
}

/// A picker that is asked of the vendor, by a call that takes a place to go on from.
fn picks(manifest: &Manifest) -> bool {
    let asked = manifest.pickers.iter().any(|picker| picker.r#static.is_empty() && !picker.typed);
    asked && manifest.calls.iter().any(|call: &Call| call.stages.contains(&Stage::Pick))
}

fn prepares(manifest: &Manifest) -> bool {
    manifest.supports.prepare
}

fn later(manifest: &Manifest) -> bool {
    manifest.later.is_some()
}

fn destined(manifest: &Manifest) -> bool {
    manifest.pickers.iter().any(|picker| picker.required)
}

fn untags(manifest: &Manifest) -> bool {
    manifest.supports.untag
}

fn looks_up(manifest: &Manifest) -> bool {
    manifest.supports.lookup
}
