//! Every bound of the store in one place: what it refuses to take, and how much it lets queue.

/// JSON of a document, in bytes.
pub const DOCUMENT_BYTES: usize = 8 * 1024;
/// A job as stored, in bytes.
pub const JOB_BYTES: usize = 128 * 1024;
/// An attempt with its log lines, in bytes.
pub const ATTEMPT_BYTES: usize = 256 * 1024;
/// A step with its request and response body, in bytes.
pub const STEP_BYTES: usize = crate::rows::envelope::MAX_VALUE;
/// Puts and jobs of one commit, in bytes.
pub const COMMIT_BYTES: usize = 16 * 1024 * 1024;
/// One sealed value, in bytes.
pub const SECRET_BYTES: usize = 64 * 1024;
/// Unique names that one document may hold.
pub const UNIQUE_NAMES: usize = 48;

/// Jobs, or contacts, that are erased at once.
pub const ERASE: usize = 10_000;
/// The longest name under which contacts are kept, in bytes: a lane, a stroke and a scope.
pub(crate) const CONTACT_LANE: usize = 2 * crate::rows::keys::MAX_PART + 1;

/// Operations that may wait for the committer.
pub(crate) const QUEUE: usize = 4096;
/// Operations in one batch.
pub(crate) const BATCH: usize = 512;
/// Rows after which a batch takes in no further operation: until it is written the engine keeps every page it touches, several
/// times over (20 MB for 4,000 rows).
pub(crate) const BATCH_ROWS: usize = 2048;
/// KiB that waiting operations may hold; beyond it callers wait.
pub(crate) const QUEUE_KIB: u32 = 64 * 1024;
/// Jobs that one planning step of a lane-wide cancel or of retention touches, so that others get their turn in between.
pub(crate) const SLICE: usize = 256;
