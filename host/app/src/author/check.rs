//! `connector check`: the verdict, one line a failure, the offended rules in words, and the line that scripts read. The suite judges.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use crm_conformance::{Folder, Suite, legend};

use super::{File, note, runtime, say};

pub(super) fn run(path: &Path, fixtures: Option<&Path>, allow_wasi: bool) -> Result<ExitCode> {
    let file = File::read(path)?;
    let folder = Folder::packed(&file.bytes, &file.shown, fixtures)?;
    let verdict = runtime()?.block_on(async {
        let suite = Suite::on(file.engine(allow_wasi)?)?;
        suite.check(&folder, file.bytes, allow_wasi).await
    })?;
    for failure in &verdict.failures {
        say(&failure.to_string());
    }
    for rule in legend(&verdict.failures) {
        say(&format!("  {rule}"));
    }
    for remark in &verdict.remarks {
        note(&format!("remark: {remark}"));
    }
    say(&verdict.line());
    Ok(if verdict.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
