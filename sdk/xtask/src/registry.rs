//! Makes sure that an OCI registry can be had for the tests that push to one: Debian's, fetched and unpacked below `target/` where it is not
//! installed. A machine that cannot fetch it is no failure here: those tests say so themselves.

use std::process::Command;

use crate::debian;
use crate::say;
use crate::workspace::{Workspace, output_of};

const PACKAGES: &[&str] = &["docker-registry"];

pub(crate) fn ensure(workspace: &Workspace) {
    let mut command = Command::new("docker-registry");
    command.arg("--version");
    let root = workspace.target.join("debian-registry");
    if output_of(command).is_some() || root.join("usr/bin").exists() {
        return;
    }
    say::note(&format!("fetching a registry from Debian: {}", PACKAGES.join(" ")));
    if let Err(error) = debian::unpack(&root, PACKAGES) {
        say::note(&format!("there is no OCI registry here: the tests that need it will be SKIPPED ({error:#})"));
    }
}
