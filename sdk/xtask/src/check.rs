//! `cargo xtask check [slug...]`: build, pack, and the verdict of `crm-host connector check` for each connector, by the program that
//! authors without this repository run. What is checked is that program's business. With all of them, the table of connectors/README.md.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::build;
use crate::say;
use crate::table;
use crate::workspace::{Workspace, run as run_command, setting};

#[derive(Args)]
pub(crate) struct Flags {
    /// Only these connectors; all if left out
    slugs: Vec<String>,
    /// Write the table of connectors/README.md anew, and check nothing
    #[arg(long, conflicts_with = "slugs")]
    table: bool,
}

pub(crate) fn run(workspace: &Workspace, flags: &Flags) -> Result<()> {
    if flags.table {
        return table::write(workspace);
    }
    let slugs = build::chosen(workspace, &flags.slugs)?;
    let host = host(workspace)?;
    let mut lines = Vec::new();
    let mut failed = 0usize;
    for (slug, built) in build::each(workspace, &slugs)? {
        let verdict = match built {
            Ok(file) => verdict(workspace, &host, &slug, &file)?,
            Err(error) => Verdict { good: false, told: vec![format!("{error:#}")], line: format!("FAILED {slug} does not build") },
        };
        failed += usize::from(!verdict.good);
        verdict.told.iter().for_each(|line| say::result(line));
        lines.push(verdict.line);
    }
    lines.iter().for_each(|line| say::result(line));
    if failed > 0 {
        bail!("{failed} of {} connectors failed", slugs.len());
    }
    // An author's own connector is not to blame for a table.
    if flags.slugs.is_empty() { table::check(workspace) } else { Ok(()) }
}

struct Verdict {
    good: bool,
    /// What is wrong, line by line.
    told: Vec<String>,
    line: String,
}

fn verdict(workspace: &Workspace, host: &Path, slug: &str, file: &Path) -> Result<Verdict> {
    let mut command = Command::new(host);
    // Paths as the author has them before them.
    command.current_dir(&workspace.root).args(["connector", "check"]).arg(file);
    command.arg("--fixtures").arg(Path::new("connectors").join(slug).join("fixtures"));
    let output = command.output().with_context(|| format!("cannot start {}", host.display()))?;
    let mut told: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    let line = told.pop().unwrap_or_else(|| format!("FAILED {slug} without a verdict"));
    told.extend(String::from_utf8_lossy(&output.stderr).lines().map(str::to_owned));
    Ok(Verdict { good: output.status.success(), told, line })
}

/// `CRM_HOST_BIN`, or the test host, built now.
fn host(workspace: &Workspace) -> Result<PathBuf> {
    if let Some(path) = setting("CRM_HOST_BIN") {
        return Ok(path.into());
    }
    let mut command = workspace.cargo();
    command.args(["build", "--quiet", "-p", "crm-app", "--features", "crm-app/dev-endpoints"]);
    run_command("cargo build (host)", command)?;
    Ok(workspace.target.join("debug/crm-host"))
}
