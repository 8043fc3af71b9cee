//! The operator's commands as a person meets them: what is sent to a host, what is printed, how it ends. The host is a server that notes
//! what it gets and answers what it is told; the registry is a real one.

mod install;
mod registry;
mod server;
mod versions;

use std::path::Path;
use std::process::{Command, Output};

const KEY: &str = "rk_op_a_key_that_nobody_may_see";

/// `crm-host connector ...` with the key and nothing else of this machine's environment.
fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crm-host"));
    command.arg("connector").args(args).env_clear().env("CRM_HOST_OPERATOR_KEY", KEY);
    command
}

fn run(args: &[&str]) -> Output {
    command(args).output().expect("runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("utf-8")
}

/// The exit code, and everything that was printed on the way; the key is in none of it.
#[track_caller]
fn ends(output: &Output, code: i32) -> String {
    let all = format!("{}{}", stdout(output), stderr(output));
    assert!(!all.contains(KEY), "the key was printed: {all}");
    assert_eq!(output.status.code(), Some(code), "{all}");
    all
}
