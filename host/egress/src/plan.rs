//! A manifest compiled for the hot path: templates parsed, header names checked, write rules built, once per manifest.
//! Holds nothing of any merchant, and touches no secret.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crm_catalog::model::{Auth, Call, Endpoint, Manifest};
use crm_catalog::writes::CallRules;
use http::{HeaderName, HeaderValue};
use parking_lot::Mutex;
use regex::Regex;

use crate::error::Refusal;
use crate::values::{Template, parse};

/// Compiled manifests kept at once.
const MAX_PLANS: usize = 256;
const DEFAULT_TIMEOUT_S: u32 = 20;
const MAX_TIMEOUT_S: u32 = 60;
const DEFAULT_KIB: u32 = 1_024;
const MAX_KIB: u32 = 8_192;

pub(crate) struct DerivedPlan {
    pub name: String,
    pub from: String,
    pub capture: Regex,
}

pub(crate) struct EndpointPlan {
    pub url: Template,
    /// Constant headers; a place without a value leaves its header out.
    pub headers: Vec<(HeaderName, Template)>,
}

pub(crate) struct CallPlan {
    /// Place in `manifest.calls`.
    pub at: usize,
    /// Place in `manifest.endpoints` and `Plan::endpoints`.
    pub endpoint: usize,
    pub path: Template,
    pub headers: Vec<HeaderName>,
    pub read_headers: Vec<HeaderName>,
    pub content_type: Option<HeaderValue>,
    pub rules: CallRules,
    /// Form keys that hold JSON text.
    pub json_keys: Vec<String>,
    /// Its path or a constant header holds a part of a secret (`{derived:..}`).
    pub derives: bool,
    /// Some other call names it as guard.
    pub is_guard: bool,
    /// Places in `manifest.limits`.
    pub limits: Vec<usize>,
    pub timeout_ms: u64,
    pub max_bytes: usize,
}

pub(crate) struct Plan {
    pub manifest: Arc<Manifest>,
    pub slug: Arc<str>,
    pub derived: Vec<DerivedPlan>,
    pub endpoints: Vec<EndpointPlan>,
    calls: HashMap<String, CallPlan>,
}

impl Plan {
    /// `Err` names a defect that the catalog's validation would have found as well.
    pub(crate) fn compile(manifest: Arc<Manifest>) -> Result<Self, String> {
        let mut derived = Vec::new();
        for d in &manifest.derived {
            let capture = Regex::new(&d.capture).map_err(|e| format!("derived {}: {e}", d.name))?;
            if capture.captures_len() != 2 {
                return Err(format!("derived {}: exactly one capture group is allowed", d.name));
            }
            derived.push(DerivedPlan { name: d.name.clone(), from: d.from.clone(), capture });
        }
        let endpoints = manifest.endpoints.iter().map(endpoint).collect::<Result<Vec<_>, _>>()?;
        let mut calls = HashMap::new();
        for (at, c) in manifest.calls.iter().enumerate() {
            calls.insert(c.name.clone(), call(&manifest, at, c)?);
        }
        let slug = Arc::from(manifest.connector.slug.as_str());
        Ok(Self { manifest, slug, derived, endpoints, calls })
    }

    pub(crate) fn call(&self, name: &str) -> Option<(&CallPlan, &Call)> {
        let plan = self.calls.get(name)?;
        Some((plan, &self.manifest.calls[plan.at]))
    }

    pub(crate) fn endpoint(&self, at: usize) -> (&EndpointPlan, &Endpoint) {
        (&self.endpoints[at], &self.manifest.endpoints[at])
    }

    /// The authentication of an endpoint in one mode. `Ok(None)` = the endpoint names none.
    pub(crate) fn auth(&self, endpoint: &Endpoint, mode: &str) -> Result<Option<&Auth>, Refusal> {
        let Some(name) = &endpoint.auth else { return Ok(None) };
        let named = || self.manifest.auth.iter().filter(|a| &a.name == name);
        // The entry of this mode, else one for all modes, else the named entry itself: an endpoint may pin one mode's auth.
        let found = named().find(|a| a.mode == mode).or_else(|| named().find(|a| a.mode.is_empty())).or_else(|| named().next());
        found.map(Some).ok_or_else(|| Refusal::Manifest(format!("auth {name:?} is not declared")))
    }
}

fn endpoint(e: &Endpoint) -> Result<EndpointPlan, String> {
    let headers = e.headers.iter().map(|(name, value)| Ok((header(name)?, parse(value)?))).collect::<Result<Vec<_>, String>>()?;
    Ok(EndpointPlan { url: parse(&e.url)?, headers })
}

fn call(manifest: &Manifest, at: usize, c: &Call) -> Result<CallPlan, String> {
    let wrong = |what: &str| format!("call {}: {what}", c.name);
    let endpoint = manifest.endpoints.iter().position(|e| e.name == c.endpoint).ok_or_else(|| wrong("its endpoint is not declared"))?;
    let limits = c.limits.iter().map(|n| manifest.limits.iter().position(|l| &l.name == n)).collect::<Option<Vec<_>>>();
    let rules = CallRules::of(c).map_err(|e| wrong(&e.to_string()))?;
    let inner = |rule: &String| Some(rule.strip_prefix("form:")?.split_once('#')?.0.to_owned());
    let content_type =
        c.content_type.as_deref().map(HeaderValue::from_str).transpose().map_err(|_| wrong("its content type is malformed"))?;
    Ok(CallPlan {
        at,
        endpoint,
        path: parse(&c.path)?,
        headers: c.headers.iter().map(|h| header(h)).collect::<Result<_, _>>()?,
        read_headers: c.read_headers.iter().map(|h| header(h)).collect::<Result<_, _>>()?,
        content_type,
        rules,
        json_keys: c.writes.iter().chain(&c.new_only).chain(c.fixed.keys()).filter_map(inner).collect(),
        derives: c.path.contains("{derived:") || manifest.endpoints[endpoint].headers.values().any(|v| v.contains("{derived:")),
        is_guard: manifest.calls.iter().any(|other| other.guard.as_deref() == Some(c.name.as_str())),
        limits: limits.ok_or_else(|| wrong("a limit is not declared"))?,
        timeout_ms: u64::from(c.timeout_s.unwrap_or(DEFAULT_TIMEOUT_S).clamp(1, MAX_TIMEOUT_S)) * 1_000,
        max_bytes: c.max_kib.unwrap_or(DEFAULT_KIB).clamp(1, MAX_KIB) as usize * 1_024,
    })
}

fn header(name: &str) -> Result<HeaderName, String> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{name:?} is no header name"))
}

/// A plan, or why there is none; with the turn in which it was last used.
type Kept = (u64, Arc<Result<Plan, String>>);

/// Plans by manifest. The plan holds its manifest, so an address is never reused while its plan is kept.
#[derive(Default)]
pub(crate) struct Plans {
    kept: Mutex<HashMap<usize, Kept>>,
    turn: AtomicU64,
}

impl Plans {
    pub(crate) fn of(&self, manifest: &Arc<Manifest>) -> Arc<Result<Plan, String>> {
        let key = Arc::as_ptr(manifest) as usize;
        let mut kept = self.kept.lock();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        if let Some((used, plan)) = kept.get_mut(&key)
            && plan.as_ref().as_ref().is_ok_and(|p| Arc::ptr_eq(&p.manifest, manifest))
        {
            *used = turn;
            return plan.clone();
        }
        // A defective manifest is compiled again each time: it is not kept, so its address may be reused.
        let plan = Arc::new(Plan::compile(manifest.clone()));
        if plan.is_ok() {
            if kept.len() >= MAX_PLANS
                && let Some(oldest) = kept.iter().min_by_key(|(_, (t, _))| *t).map(|(k, _)| *k)
            {
                kept.remove(&oldest);
            }
            kept.insert(key, (turn, plan.clone()));
        }
        plan
    }
}
