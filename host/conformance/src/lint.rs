//! What a reviewer would ask about a manifest that is valid: SHOULD rules that the text alone can show. Remarks, no failures.

use crm_catalog::model::{Manifest, Stage};

/// A waiver that says less than this says nothing.
const REASON: usize = 20;

/// One line each, with the rule.
pub(crate) fn remarks(manifest: &Manifest) -> Vec<String> {
    let mut remarks = Vec::new();
    let mut remark = |rule: &str, what: String| remarks.push(format!("[{rule}] {what}"));
    for call in &manifest.calls {
        if call.source.is_empty() {
            remark("S36", format!("call {:?} names no `source`: the vendor's page about it", call.name));
        }
        let changes = call.stages.iter().any(|stage| matches!(stage, Stage::Sync | Stage::Untag));
        if changes && call.limits.is_empty() && !manifest.limits.is_empty() {
            remark("S26", format!("call {:?} draws on none of the `[[limits]]`", call.name));
        }
    }
    for limit in &manifest.limits {
        if limit.source.is_empty() {
            remark("S36", format!("limit {:?} names no `source`", limit.name));
        }
    }
    for credential in manifest.credentials.iter().filter(|credential| credential.secret && !credential.optional) {
        if credential.missing.is_none() {
            remark("S35", format!("credential {:?} has no `missing` text", credential.name));
        }
    }
    if manifest.setup.troubleshooting.is_empty() {
        remark("S35", "`[[setup.troubleshooting]]` is empty: which troubles are usual with this vendor?".to_owned());
    }
    for (scenario, reason) in &manifest.waived {
        if reason.chars().count() < REASON {
            remark("S37", format!("the waiver of {scenario:?} gives no reason that can be judged: {reason:?}"));
        }
    }
    remarks
}
