//! A child process whose output goes to a file, so that it outlives any reader and can be shown after a kill.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Longest that a process may take to say it is ready.
const READY: Duration = Duration::from_secs(60);
/// How often the output is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(5);

pub struct Process {
    child: Option<Child>,
    pid: u32,
    log: PathBuf,
}

impl Process {
    /// Starts it and waits for a line of standard output that is JSON with `"event": "ready"`, which is returned. Standard output
    /// and error are appended to `log`.
    pub fn start(mut command: Command, log: &Path) -> Result<(Self, Value)> {
        let output = OpenOptions::new().create(true).append(true).open(log).with_context(|| format!("cannot write {}", log.display()))?;
        let from = usize::try_from(length(&output)?).unwrap_or(0);
        let errors = output.try_clone().context("cannot share the log file")?;
        let child = command.stdin(Stdio::null()).stdout(output).stderr(errors).spawn();
        let child = child.with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))?;
        let mut process = Self { pid: child.id(), child: Some(child), log: log.to_owned() };
        let ready = process.await_ready(from)?;
        Ok((process, ready))
    }

    fn await_ready(&mut self, from: usize) -> Result<Value> {
        let started = Instant::now();
        loop {
            // Before looking at the output: what it wrote last must not be missed.
            let ended = self.ended()?;
            let text = self.output();
            if let Some(ready) = text.get(from..).unwrap_or_default().lines().find_map(ready_line) {
                return Ok(ready);
            }
            if let Some(status) = ended {
                bail!("process {} ended before it was ready ({status}):\n{}", self.pid, text.get(from..).unwrap_or_default());
            }
            if started.elapsed() > READY {
                bail!("process {} was not ready after {} s:\n{text}", self.pid, READY.as_secs());
            }
            sleep(LOOK);
        }
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// All it has written so far, over all starts with this log.
    pub fn output(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.as_mut().map_or(Ok(None), |child| child.try_wait().context("cannot look at the process"))
    }

    /// SIGKILL, and waits until it is gone. Nothing of it gets to run afterwards.
    pub fn kill9(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().context("cannot kill the process")?;
            child.wait().context("cannot wait for the process")?;
        }
        Ok(())
    }

    /// SIGTERM, and waits for its end.
    pub fn sigterm(&mut self) -> Result<ExitStatus> {
        let mut child = self.child.take().context("the process has ended already")?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("the process id is out of range")?;
        kill_process(pid, Signal::TERM).context("cannot signal the process")?;
        child.wait().context("cannot wait for the process")
    }

    /// Lets it run on after this program; answers its process id.
    pub fn leave(mut self) -> u32 {
        self.child = None;
        self.pid
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A test that failed must not leave processes behind; one that is gone already is as good.
        drop(self.kill9());
    }
}

fn ready_line(line: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(line).ok()?;
    (value["event"] == "ready").then_some(value)
}

fn length(file: &File) -> Result<u64> {
    Ok(file.metadata().context("cannot look at the log file")?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY_LINE: &str = r#"echo '{"event":"ready","url":"http://127.0.0.1:1"}'"#;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn the_ready_line_is_found_among_other_output() {
        let dir = tempfile::tempdir().expect("temp dir");
        let log = dir.path().join("log");
        let (mut process, ready) =
            Process::start(shell(&format!("echo booting; {READY_LINE}; echo oops >&2; exec sleep 60")), &log).expect("starts");
        assert_eq!(ready["url"], "http://127.0.0.1:1");
        process.kill9().expect("killed");
        assert!(process.ended().expect("looked").is_none(), "a killed process is gone");
        assert!(process.output().starts_with("booting\n"));
    }

    #[test]
    fn a_second_start_does_not_take_the_first_ones_ready_line() {
        let dir = tempfile::tempdir().expect("temp dir");
        let log = dir.path().join("log");
        drop(Process::start(shell(&format!("{READY_LINE}; exec sleep 60")), &log).expect("starts"));
        let refused = Process::start(shell("echo no luck; exit 3"), &log).err().expect("fails").to_string();
        assert!(refused.contains("no luck") && refused.contains('3') && !refused.contains("ready\""), "{refused}");
    }

    #[test]
    fn sigterm_lets_it_end_by_itself() {
        let dir = tempfile::tempdir().expect("temp dir");
        let script = format!("trap 'echo bye; exit 7' TERM; {READY_LINE}; while :; do sleep 0.01; done");
        let (mut process, _) = Process::start(shell(&script), &dir.path().join("log")).expect("starts");
        assert_eq!(process.sigterm().expect("ends").code(), Some(7));
        assert!(process.output().contains("bye"));
    }
}
