//! Running a recorded sync once more, on its own version or on another one: its arguments and the answers that it was given are all that a
//! guest goes by, so the same version asks for the same, and what another one asks for differently is what it would do differently.
//!
//! Everything here goes through egress in its replay mode: all checks, no sending. No credential is opened, so parts of a URL that are cut
//! from one are not compared. Must not change a job, and must not call anybody.

mod compare;
mod gate;
mod json;
mod newest;
mod offline;
mod parts;
mod recorded;
mod run;
mod tape;
mod unknowable;

#[cfg(test)]
mod sample;

pub use compare::{Compared, Verdict};
pub use gate::{Differs, Gate, MOST, Place, gate};
pub use newest::{Newest, recorded};
pub use offline::NoCredentials;
pub use parts::{At, Part};
pub use recorded::{Exchange, LineError, Recorded, read_lines};
pub use run::{Replayed, of_sync, replay};
