//! `cargo xtask tidy`: the house rules of `tests/tidy`, which also runs them as a test.

use anyhow::{Result, bail};

use crate::say;
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let findings = crm_tidy::check(&workspace.root)?;
    for finding in &findings {
        say::result(&finding.to_string());
    }
    if !findings.is_empty() {
        bail!("{} breaches of the house rules", findings.len());
    }
    say::note("tidy");
    Ok(())
}
