//! The process that compiles and may die of it. It binds itself to its limits before it reads the first byte of the
//! file. Must not touch anything but its three standard streams.

use std::io::{stderr, stdin, stdout};

use rustix::process::{Resource, Rlimit, nice, setrlimit};

use super::{CPU_S, MEMORY, NICE, REFUSED, frame};
use crate::config;

/// Larger inputs are refused unread; the host's own limit is far below.
const MAX_COMPONENT: u64 = 64 << 20;

/// The body of `crm-host compile-worker`: a component on stdin, its compiled code on stdout, a refusal on stderr. The
/// return value is the exit code. Call it first in `main`, before a runtime starts threads that would eat the limits.
#[must_use]
pub fn compile_worker() -> i32 {
    match work() {
        Ok(()) => 0,
        Err(refusal) => {
            // The exit code says it too, should nobody listen on stderr any more.
            drop(frame::write(stderr().lock(), frame::CODE, refusal.as_bytes()));
            REFUSED
        }
    }
}

fn work() -> Result<(), String> {
    bind()?;
    let component = frame::read(stdin().lock(), frame::COMPONENT, MAX_COMPONENT).map_err(|e| format!("protocol: {e}"))?;
    let engine = wasmtime::Engine::new(&config::code()).map_err(|e| format!("protocol: {e:#}"))?;
    let code = engine.precompile_component(&component).map_err(|e| format!("invalid: {e:#}"))?;
    frame::write(stdout().lock(), frame::CODE, &code).map_err(|e| format!("protocol: {e}"))
}

fn bind() -> Result<(), String> {
    let limits = [
        // The soft CPU limit kills with SIGXCPU, which names the reason; the hard one is for a process that ignores it.
        (Resource::Cpu, CPU_S, CPU_S + 2),
        (Resource::As, MEMORY, MEMORY),
        // A core dump would hold the component.
        (Resource::Core, 0, 0),
        // It has no business writing files; pipes are not counted.
        (Resource::Fsize, 0, 0),
    ];
    for (what, current, maximum) in limits {
        setrlimit(what, Rlimit { current: Some(current), maximum: Some(maximum) })
            .map_err(|e| format!("protocol: no limit can be set: {e}"))?;
    }
    // Where this is forbidden, compiling takes its share like everybody.
    let _stands_back = nice(NICE).is_ok();
    Ok(())
}
