//! Guests for tests, built from source on first use, and the doubles that stand for the rest of the host. Used by the
//! tests of every room that runs guests. Must not be linked by the product.
//!
//! [`guest`] gives a finished connector file. The guests live under `guests/`, a workspace of its own for wasm:
//! `synthetic` behaves well and uses the whole contract, `hostile` does not, `wasi` imports WASI by hand, `wasip2` and
//! `wasip2-net` are built with a WASI standard library and exist only where that target is installed.

mod build;
pub mod doubles;
pub mod files;

pub use build::{Missing, component, guest, manifest, try_guest, write};
