//! When a delivery is tried. Pure.

use crm_store::model::Job;

use crate::context::Config;

/// How long a new delivery waits for its first try, in milliseconds.
pub(crate) fn first_wait(config: &Config) -> u64 {
    config.webhook_schedule_s.first().map_or(0, |seconds| u64::from(*seconds) * 1_000)
}

/// How long to wait after so many failed tries, in milliseconds; `None` = the list has ended. `jitter` in -1.0..=1.0 spreads it by
/// `config.jitter_percent`; an endpoint's own wish wins where it is longer.
pub(crate) fn wait(config: &Config, failed: u32, retry_after_s: Option<u32>, jitter: f64) -> Option<u64> {
    let base = f64::from(*config.webhook_schedule_s.get(failed as usize)?) * 1_000.0;
    let spread = base * f64::from(config.jitter_percent) / 100.0 * jitter.clamp(-1.0, 1.0);
    let asked = u64::from(retry_after_s.unwrap_or(0).min(config.max_retry_after_s)) * 1_000;
    // Cast: far below 2^53, and a negative wait is cut to zero.
    Some(((base + spread).max(0.0) as u64).max(asked))
}

/// When the tries that are left would be made if all of them failed: the next one exactly, later ones within the spread.
pub fn planned(config: &Config, job: &Job) -> Vec<u64> {
    if job.state.is_final() {
        return Vec::new();
    }
    let mut at = job.due;
    let later = config.webhook_schedule_s.iter().skip(job.burnt as usize + 1).map(|seconds| {
        at += u64::from(*seconds) * 1_000;
        at
    });
    std::iter::once(job.due).chain(later.collect::<Vec<_>>()).collect()
}
