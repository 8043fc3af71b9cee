//! Makes sure that Python's packages can be had for the tests that ask Python (`tests/walk`): Debian keeps pip apart from Python, so it is
//! fetched and unpacked below `target/` where it is missing. A machine without Python is no failure here: those tests say so themselves.

use std::process::Command;

use crate::debian;
use crate::say;
use crate::workspace::{Workspace, output_of};

/// pip as one file, without a place in the system.
const PIP: &[&str] = &["python3-pip-whl"];

pub(crate) fn ensure(workspace: &Workspace) {
    let can = |words: &str| {
        let mut command = Command::new("python3");
        command.args(["-c", words]);
        output_of(command).is_some()
    };
    if !can("import venv") {
        return say::note("there is no python3 here: the tests that need it will be SKIPPED (Debian: python3)");
    }
    let root = workspace.target.join("debian-python");
    if can("import ensurepip") || root.join("usr/share/python-wheels").exists() {
        return;
    }
    say::note(&format!("fetching pip from Debian: {}", PIP.join(" ")));
    if let Err(error) = debian::unpack(&root, PIP) {
        say::note(&format!("python3 is here without pip: the tests that need it will be SKIPPED ({error:#})"));
    }
}
