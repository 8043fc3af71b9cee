//! The conformance suite: every folder of `connectors/` against its fixtures, as the real component in the real engine.
//!
//! A fixture is one JSON file a scenario: input, the exchanges with the vendor, the expected result, and where the
//! vendor's side of it comes from. Requests are compared as the vendor would see them: method, endpoint, path, sorted
//! query, headers, body. Egress itself makes them, in its replay mode: it checks all that it would check before sending, and
//! sends nothing. Exchanges that are not used and calls that no exchange expects fail the scenario.
//!
//! Authors run the suite where connectors are made ([`Suite`]); a host runs a file's own fixtures before it lets the file in ([`Proving`]).
//!
//! This room must not reach a network, hold a real credential, or know any vendor.

mod compare;
mod defaults;
mod facts;
mod failure;
mod fixture;
mod folder;
mod host;
mod lines;
mod lint;
mod packed;
mod playback;
mod proving;
pub mod record;
mod run;
mod smoke;
pub mod spec;
mod suite;
mod wire;

/// Which scenarios a connector must have is the manifest's to say.
pub use crm_catalog::scenarios::{SCENARIOS, Scenario, required};
pub use defaults::{FUNCTIONS, connection, invocation, shown, stage};
pub use facts::MAX_BYTES;
pub use failure::{Failure, legend};
pub use fixture::{Exchange, Fixture, Fixtures, Provenance, Step, load};
pub use folder::{Folder, folders};
pub use packed::gather;
pub use proving::Proving;
pub use smoke::{Smoke, SmokeError};
pub use suite::{Suite, Verdict};
