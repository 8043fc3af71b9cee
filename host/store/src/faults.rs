//! Bugs that can be planted at open, so that the checkers (conformance, kill -9, power loss) can be shown to notice them. Compiled
//! in only for tests and with the feature `planted-bugs`; without it every question here is answered "no" at compile time.

#[cfg(any(test, feature = "planted-bugs"))]
mod planted {
    use std::path::Path;
    use std::sync::Arc;

    /// Is told the engine's directory.
    type OnSync = dyn Fn(&Path) + Send + Sync;

    /// Which bugs to plant. The default plants none.
    #[derive(Clone, Default)]
    pub struct Faults {
        /// Flushes, but never syncs the file: the power-loss check must fail.
        pub skip_fsync: bool,
        /// Neither flushes nor syncs: the kill -9 check must fail.
        pub skip_flush: bool,
        /// Accepts steps and ends from whoever sends them.
        pub skip_fence: bool,
        /// Answers before the batch is written.
        pub ack_before_flush: bool,
        /// Hands out a job that is running already.
        pub double_claim: bool,
        /// Shows readers what is not on disk yet.
        pub read_unsynced: bool,
        /// The commit after this many fails with an I/O error.
        pub fail_after: Option<u64>,
        /// Called with the engine's directory after each successful sync, on the committer thread: all that has been
        /// acknowledged before must be in what the file holds now.
        pub on_sync: Option<Arc<OnSync>>,
        /// Called after the batch is applied and before it is synced.
        pub before_sync: Option<Arc<dyn Fn() + Send + Sync>>,
    }

    impl Faults {
        pub(crate) fn synced(&self, data: &Path) {
            if let Some(hook) = &self.on_sync {
                hook(data);
            }
        }

        pub(crate) fn about_to_sync(&self) {
            if let Some(hook) = &self.before_sync {
                hook();
            }
        }

        pub(crate) fn skip_fsync(&self) -> bool {
            self.skip_fsync
        }

        pub(crate) fn skip_flush(&self) -> bool {
            self.skip_flush
        }

        pub(crate) fn skip_fence(&self) -> bool {
            self.skip_fence
        }

        pub(crate) fn ack_before_flush(&self) -> bool {
            self.ack_before_flush
        }

        pub(crate) fn double_claim(&self) -> bool {
            self.double_claim
        }

        pub(crate) fn read_unsynced(&self) -> bool {
            self.read_unsynced
        }

        pub(crate) fn fail_now(&self, commits: u64) -> bool {
            self.fail_after.is_some_and(|after| commits >= after)
        }
    }
}

#[cfg(any(test, feature = "planted-bugs"))]
pub use planted::Faults;

#[cfg(not(any(test, feature = "planted-bugs")))]
mod none {
    use std::path::Path;

    /// No bug can be planted in this build.
    #[derive(Clone, Default)]
    pub(crate) struct Faults {}

    impl Faults {
        pub(crate) fn synced(&self, _: &Path) {}

        pub(crate) fn about_to_sync(&self) {}

        pub(crate) const fn skip_fsync(&self) -> bool {
            false
        }

        pub(crate) const fn skip_flush(&self) -> bool {
            false
        }

        pub(crate) const fn skip_fence(&self) -> bool {
            false
        }

        pub(crate) const fn ack_before_flush(&self) -> bool {
            false
        }

        pub(crate) const fn double_claim(&self) -> bool {
            false
        }

        pub(crate) const fn read_unsynced(&self) -> bool {
            false
        }

        pub(crate) const fn fail_now(&self, _: u64) -> bool {
            false
        }
    }
}

#[cfg(not(any(test, feature = "planted-bugs")))]
pub(crate) use none::Faults;
