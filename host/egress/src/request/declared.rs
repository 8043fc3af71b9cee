//! Check 1: is the call declared, and may this stage make it? `name@choice` probes one endpoint choice, for verify only.

use crm_catalog::model::{Call, Stage};

use crate::error::{Refusal, quoted};
use crate::plan::{CallPlan, Plan};

/// A declared call, with the endpoint choice to probe.
pub(crate) struct Declared<'p, 'r> {
    pub plan: &'p CallPlan,
    pub call: &'p Call,
    pub probe: Option<&'r str>,
}

pub(crate) fn declared<'p, 'r>(plan: &'p Plan, name: &'r str, stage: Stage) -> Result<Declared<'p, 'r>, Refusal> {
    let (base, probe) = match name.split_once('@') {
        Some((base, choice)) => (base, Some(choice)),
        None => (name, None),
    };
    let Some((call_plan, call)) = plan.call(base) else { return Err(Refusal::Undeclared(quoted(name))) };
    if !call.stages.contains(&stage) {
        return Err(Refusal::WrongStage { call: call.name.clone(), stage });
    }
    if let Some(choice) = probe {
        if stage != Stage::Verify {
            return Err(Refusal::ProbeOutsideVerify(quoted(name)));
        }
        if !plan.endpoint(call_plan.endpoint).1.choices.contains_key(choice) {
            return Err(Refusal::Undeclared(quoted(name)));
        }
    }
    Ok(Declared { plan: call_plan, call, probe })
}
