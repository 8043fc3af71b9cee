//! Which buckets a call draws on, and what an answer teaches them. Between the manifest's words and [`crate::limit`].

use std::sync::Arc;

use crm_catalog::model::{Alters, Call, Counts, LimitScope, Oauth2};
use crm_contract::ports::Scope;
use crm_contract::types::Throttle;
use http::HeaderMap;
use parking_lot::Mutex;
use std::collections::HashMap;
use tokio::time::{Duration, Instant};

use crate::error::Stop;
use crate::limit::{Admission, Cell, Key, Ledger, Permit, Reservation, Shape, changed, retry_after, words};
use crate::plan::{CallPlan, Plan};
use crate::session::Core;
use crate::unsealed::Unsealed;

/// Known fingerprints of credentials; forgotten all at once when too many.
const MAX_FINGERPRINTS: usize = 65_536;
/// Longest sleep between two looks at a limit.
const LOOK_MS: u64 = 50;

/// The buckets of one call, with the limit's place in the manifest (none for the host's own).
pub(crate) struct Drawn {
    pub cells: Vec<Arc<Cell>>,
    limits: Vec<(usize, Arc<Cell>)>,
    pause: Arc<Cell>,
}

pub(crate) struct Limits {
    pub ledger: Ledger,
    fingerprints: Mutex<HashMap<(String, String), Known>>,
}

/// What is known of a connection's credentials: enough to tell equal ones.
struct Known {
    all: String,
    /// Of the OAuth client alone.
    client: Option<String>,
}

impl Drawn {
    /// What to tell a run that these limits hold back.
    pub(crate) fn throttle(&self, now: u64) -> Throttle {
        let waits = self.cells.iter().filter_map(|c| c.with(|b| b.ready(1, false, now)).err().map(|until| (until, c)));
        let Some((until, cell)) = waits.max_by_key(|(until, _)| *until) else { return Throttle { after_seconds: Some(1), limit: None } };
        let seconds = until.map_or(1, |u| u.saturating_sub(now).div_ceil(1_000).max(1));
        Throttle { after_seconds: Some(u32::try_from(seconds).unwrap_or(u32::MAX)), limit: cell.name.clone() }
    }
}

impl Limits {
    pub(crate) fn new(ledger: Ledger) -> Self {
        Self { ledger, fingerprints: Mutex::default() }
    }

    /// Two connections with equal credentials share limits of scope `credential`, and two with the same OAuth client those of `app`.
    pub(crate) fn learn_credential(&self, scope: &Scope, open: &Unsealed) {
        let key = (scope.organization.clone(), scope.connection.clone());
        let mut known = self.fingerprints.lock();
        if known.len() >= MAX_FINGERPRINTS {
            known.clear();
        }
        if known.get(&key).is_none_or(|k| k.all != open.fingerprint) {
            known.insert(key, Known { all: open.fingerprint.clone(), client: open.client.clone() });
        }
    }

    fn sharer(&self, scope: &Scope, who: LimitScope) -> String {
        let connection = || format!("c:{}/{}", scope.organization, scope.connection);
        match who {
            LimitScope::Connection => connection(),
            LimitScope::Account => scope.account.as_ref().map_or_else(connection, |a| format!("a:{a}")),
            LimitScope::Credential => {
                let key = (scope.organization.clone(), scope.connection.clone());
                self.fingerprints.lock().get(&key).map_or_else(connection, |k| format!("k:{}", k.all))
            }
            // A merchant who brings an own client has its allowance alone; all others are one app to the vendor.
            LimitScope::App => {
                let key = (scope.organization.clone(), scope.connection.clone());
                let client = self.fingerprints.lock().get(&key).and_then(|k| k.client.clone());
                client.map_or_else(|| "all".into(), |c| format!("app:{c}"))
            }
            LimitScope::HostIp => "all".into(),
        }
    }

    pub(crate) fn cell(&self, plan: &Plan, scope: &Scope, at: usize, now: u64) -> Arc<Cell> {
        let limit = &plan.manifest.limits[at];
        let key = Key { slug: plan.slug.clone(), limit: limit.name.clone(), sharer: self.sharer(scope, limit.scope) };
        self.ledger.cell(key, Some(&limit.name), &Shape::of(limit), now)
    }

    /// The connection's own pause, for throttling that belongs to no declared limit.
    pub(crate) fn pause(&self, plan: &Plan, scope: &Scope, now: u64) -> Arc<Cell> {
        let key = Key { slug: plan.slug.clone(), limit: "\u{1}pause".into(), sharer: self.sharer(scope, LimitScope::Account) };
        self.ledger.cell(key, None, &Shape::pause(), now)
    }

    pub(crate) fn drawn(&self, plan: &Plan, scope: &Scope, call_plan: &CallPlan, call: &Call, now: u64) -> Drawn {
        let limits: Vec<(usize, Arc<Cell>)> = call_plan.limits.iter().map(|at| (*at, self.cell(plan, scope, *at, now))).collect();
        let pause = self.pause(plan, scope, now);
        let mut cells: Vec<Arc<Cell>> = limits.iter().map(|(_, c)| c.clone()).collect();
        cells.push(pause.clone());
        if let Some(what) = call.exclusive {
            let limit = if what == Alters::Contact { "\u{1}contact" } else { "\u{1}account" };
            let key = Key { slug: plan.slug.clone(), limit: limit.into(), sharer: self.sharer(scope, LimitScope::Account) };
            cells.push(self.ledger.cell(key, None, &Shape::exclusive(), now));
        }
        Drawn { cells, limits, pause }
    }

    /// The buckets of a call to the token endpoint. It has a pause of its own: the API's throttling says nothing about it.
    pub(crate) fn drawn_by_tokens(&self, plan: &Plan, scope: &Scope, oauth: &Oauth2, now: u64) -> Drawn {
        let places = oauth.limits.iter().filter_map(|name| plan.manifest.limits.iter().position(|l| &l.name == name));
        let limits: Vec<(usize, Arc<Cell>)> = places.map(|at| (at, self.cell(plan, scope, at, now))).collect();
        let key = Key { slug: plan.slug.clone(), limit: "\u{1}tokens".into(), sharer: self.sharer(scope, LimitScope::Connection) };
        let pause = self.ledger.cell(key, None, &Shape::pause(), now);
        let cells = limits.iter().map(|(_, c)| c.clone()).chain([pause.clone()]).collect();
        Drawn { cells, limits, pause }
    }

    /// How much `calls` more calls of the scope's stage could draw on each limit, at most.
    pub(crate) fn wants(&self, plan: &Plan, scope: &Scope, calls: u32, now: u64) -> Vec<(Arc<Cell>, u64)> {
        let staged: Vec<&Call> = plan.manifest.calls.iter().filter(|c| c.stages.contains(&scope.stage)).collect();
        let mut wants = vec![(self.pause(plan, scope, now), 0)];
        for (at, limit) in plan.manifest.limits.iter().enumerate() {
            let mut costs: Vec<u64> = staged
                .iter()
                .filter(|c| c.limits.contains(&limit.name))
                .map(|c| if limit.counts == Counts::Cost { u64::from(c.cost.max(1)) } else { 1 })
                .collect();
            let Some(dearest) = costs.iter().copied().max() else { continue };
            costs.sort_unstable_by(|a, b| b.cmp(a));
            // A stage with fewer declared calls than `calls` repeats some: count those at the dearest.
            let repeated = if staged.len() < calls as usize { u64::from(calls).saturating_sub(costs.len() as u64) * dearest } else { 0 };
            let units = costs.iter().take(calls as usize).sum::<u64>() + repeated;
            let counted = limit.requests.is_some();
            wants.push((self.cell(plan, scope, at, now), if counted { units } else { 0 }));
        }
        wants
    }
}

impl Core {
    /// Check 9: waits for all limits of the call, two seconds at most.
    pub(crate) async fn acquire(&self, drawn: &Drawn, cost: u64, promised: Option<&Reservation>) -> Result<Permit, Stop> {
        let deadline = Instant::now() + self.timeouts.limiter;
        loop {
            let now = self.clock.now_ms();
            let (until, cell) = match self.limits.ledger.admit(&drawn.cells, cost, promised, now) {
                Admission::Go(permit) => return Ok(permit),
                Admission::Wait { until, cell } => (until, cell),
            };
            let left = deadline.saturating_duration_since(Instant::now());
            let wait = until.map(|u| u.saturating_sub(now).max(1));
            if left.is_zero() || wait.is_some_and(|ms| Duration::from_millis(ms) > left) {
                let seconds = wait.map_or(1, |ms| ms.div_ceil(1_000));
                let after_seconds = Some(u32::try_from(seconds).unwrap_or(u32::MAX));
                return Err(Stop::Throttled(Throttle { after_seconds, limit: cell.name.clone() }));
            }
            let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1);
            changed(&cell, wait.unwrap_or(LOOK_MS).min(LOOK_MS).min(left)).await;
        }
    }

    /// Check 15: what the answer says about limits.
    pub(crate) fn learn(&self, plan: &Plan, drawn: &Drawn, status: u16, headers: &HeaderMap) {
        let now = self.clock.now_ms();
        let mut hit = Vec::new();
        let mut unknown = Vec::new();
        for (at, cell) in &drawn.limits {
            let word = plan.manifest.limits[*at].headers.as_ref().and_then(|names| words(names, headers, now));
            match &word {
                Some(w) if w.remaining == Some(0) => hit.push((cell, w.reset_at)),
                Some(w) if w.remaining.is_some() => {}
                _ => unknown.push((cell, word.as_ref().and_then(|w| w.reset_at))),
            }
            if let Some(word) = &word {
                cell.with(|b| b.hear(word, now));
            }
        }
        let after = retry_after(headers, now);
        if status == 429 || (status == 503 && after.is_some()) {
            metrics::counter!("egress_vendor_throttled_total", "connector" => plan.slug.to_string()).increment(1);
            // The limit that says it is spent; else those that say nothing; else the connection as a whole.
            let struck = if hit.is_empty() { unknown } else { hit };
            if struck.is_empty() {
                drawn.pause.with(|b| b.struck(after, now));
            }
            for (cell, reset_at) in struck {
                let wait = after.or(reset_at.map(|at| at.saturating_sub(now)));
                cell.with(|b| b.struck(wait, now));
            }
        } else if status < 500 {
            drawn.cells.iter().for_each(|c| c.with(|b| b.calm()));
        }
    }
}
