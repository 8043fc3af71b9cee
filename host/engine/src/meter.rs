//! Counts the CPU time of one run. Thread CPU time and not wall time, so that a busy machine does not turn an honest
//! guest into a hog. Must not decide what happens to the guest: it only says how much was used.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::ticker::TICK;

/// Which limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) limit: Duration,
}

/// Where the current stretch of guest code began. Shared with the future that a yielding guest waits on, which sets it
/// anew on the thread that goes on with the guest.
#[derive(Default)]
pub(crate) struct Mark {
    cpu_ns: AtomicU64,
    thread: AtomicUsize,
}

impl Mark {
    /// Guest code starts (again) here and now.
    pub(crate) fn set(&self) {
        self.cpu_ns.store(thread_cpu_ns(), Ordering::Relaxed);
        self.thread.store(thread_identity(), Ordering::Relaxed);
    }

    /// CPU time since [`set`](Self::set). A guest that moved to another thread unseen (a WASI wait) is charged a whole
    /// tick: dearer than the truth, so that moving is no way to hide.
    fn elapsed(&self) -> Duration {
        if self.thread.load(Ordering::Relaxed) != thread_identity() {
            return TICK;
        }
        Duration::from_nanos(thread_cpu_ns().saturating_sub(self.cpu_ns.load(Ordering::Relaxed)))
    }
}

pub(crate) struct Meter {
    mark: Arc<Mark>,
    step_limit: Duration,
    run_limit: Duration,
    /// Used since the last host call, and in the whole run.
    step: Duration,
    run: Duration,
}

impl Meter {
    pub(crate) fn start(step_limit: Duration, run_limit: Duration) -> Self {
        let mark = Arc::new(Mark::default());
        mark.set();
        Self { mark, step_limit, run_limit, step: Duration::ZERO, run: Duration::ZERO }
    }

    pub(crate) fn mark(&self) -> Arc<Mark> {
        self.mark.clone()
    }

    /// Charges the stretch since the mark and begins a new one.
    pub(crate) fn charge(&mut self) -> Result<(), Spent> {
        let used = self.mark.elapsed();
        self.mark.set();
        self.step += used;
        self.run += used;
        if self.step >= self.step_limit {
            Err(Spent { limit: self.step_limit })
        } else if self.run >= self.run_limit {
            Err(Spent { limit: self.run_limit })
        } else {
            Ok(())
        }
    }

    /// A host call begins: what was used so far is charged, and the next step starts with its full budget.
    pub(crate) fn enter_host(&mut self) -> Result<(), Spent> {
        self.charge()?;
        self.step = Duration::ZERO;
        Ok(())
    }

    /// A host call ends: its own time is not the guest's.
    pub(crate) fn leave_host(&mut self) {
        self.mark.set();
    }
}

fn thread_cpu_ns() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(now.tv_sec).unwrap_or(0).saturating_mul(1_000_000_000).saturating_add(u64::try_from(now.tv_nsec).unwrap_or(0))
}

/// Distinguishes live threads: the address of a thread-local.
fn thread_identity() -> usize {
    thread_local!(static HERE: u8 = const { 0 });
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn burn(meter: &mut Meter) -> Result<(), Spent> {
        let mut x = 1u64;
        for i in 0..2_000_000u64 {
            x = std::hint::black_box(x.wrapping_mul(31).wrapping_add(i));
        }
        std::hint::black_box(x);
        meter.charge()
    }

    #[test]
    fn burning_cpu_reaches_the_step_limit() {
        let mut meter = Meter::start(Duration::from_millis(5), Duration::from_secs(100));
        let spent = (0..100_000).find_map(|_| burn(&mut meter).err());
        assert_eq!(spent, Some(Spent { limit: Duration::from_millis(5) }));
    }

    #[test]
    fn a_host_call_renews_the_step_but_not_the_run() {
        let mut meter = Meter::start(Duration::from_secs(100), Duration::from_millis(20));
        let spent = (0..100_000).find_map(|_| {
            let burnt = burn(&mut meter);
            burnt.and_then(|()| meter.enter_host()).err()
        });
        assert_eq!(spent, Some(Spent { limit: Duration::from_millis(20) }));
        assert!(meter.step < Duration::from_millis(20));
    }

    #[test]
    fn a_move_to_another_thread_is_charged_a_whole_tick() {
        let mut meter = Meter::start(Duration::from_secs(1), Duration::from_secs(1));
        let mark = meter.mark();
        std::thread::spawn(move || mark.set()).join().expect("the thread ends");
        meter.charge().expect("one tick is within the limit");
        assert_eq!(meter.run, TICK);
    }
}
