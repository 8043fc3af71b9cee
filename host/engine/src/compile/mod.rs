//! Compiling a file from outside. [`parent`] starts the worker, watches it and buries it; [`worker`] is the process
//! that may die; [`frame`] is what they say to each other. Must not look at manifests.

mod frame;
mod parent;
mod worker;

pub(crate) use parent::Foundry;
pub use worker::compile_worker;

/// Address space of the worker, in bytes.
const MEMORY: u64 = 1_500_000_000;
/// CPU seconds of the worker.
const CPU_S: u64 = 10;
/// Wall seconds that the worker gets. Far more than its CPU seconds: it stands back while syncs want the machine.
const WALL_S: u64 = 60;
/// How far it stands back: an install may take longer, a merchant's sync may not.
const NICE: i32 = 10;
/// Bytes of compiled code. Cranelift makes 2 to 4 bytes of one; a memory image adds at most 16 MiB per module.
pub(crate) const MAX_CODE: u64 = 48 << 20;
/// The worker's exit code when it refuses; the reason is on its stderr.
const REFUSED: i32 = 3;
