//! Starts the worker, feeds it, reads at most so much of its answer, and buries it whatever happens. Must not trust a
//! word of a worker that did not end well.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;

use super::{CPU_S, MAX_CODE, MEMORY, REFUSED, WALL_S, frame};
use crate::code::Trusted;
use crate::config::Compiler;
use crate::error::CompileFault;
use crate::log::printable;

/// Bytes of a refusal that are read.
const MAX_WORDS: u64 = 4 << 10;
const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;
const SIGXCPU: i32 = 24;

/// Compiles one component at a time.
pub(crate) struct Foundry {
    compiler: Compiler,
    engine: wasmtime::Engine,
    turn: Semaphore,
}

impl Foundry {
    pub(crate) fn new(compiler: Compiler, engine: wasmtime::Engine) -> Self {
        Self { compiler, engine, turn: Semaphore::new(1) }
    }

    pub(crate) async fn compile(&self, component: Arc<[u8]>) -> Result<Trusted, CompileFault> {
        let _turn = self.turn.acquire().await.map_err(|e| CompileFault::Worker(e.to_string()))?;
        let code = match &self.compiler {
            Compiler::Child { program, args } => {
                let mut command = Command::new(program);
                command.args(args);
                in_child(command, &component).await?
            }
            Compiler::InProcess => {
                let engine = self.engine.clone();
                tokio::task::spawn_blocking(move || engine.precompile_component(&component))
                    .await
                    .map_err(|e| CompileFault::Worker(e.to_string()))?
                    .map_err(|e| CompileFault::Invalid(words(&format!("{e:#}"))))?
            }
        };
        Ok(Trusted::vouched(code))
    }
}

async fn in_child(mut command: Command, component: &[u8]) -> Result<Vec<u8>, CompileFault> {
    let broken = |e: std::io::Error| CompileFault::Worker(e.to_string());
    let mut child = command
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Should this future be dropped, the worker goes with it.
        .kill_on_drop(true)
        .spawn()
        .map_err(broken)?;
    let answer = tokio::time::timeout(Duration::from_secs(WALL_S), talk(&mut child, component)).await;
    if !matches!(answer, Ok(Ok(_))) {
        // Also reaps it. An error means that it is gone already.
        drop(child.kill().await);
    }
    let (status, code, said) = answer.map_err(|_| CompileFault::OutOfTime { seconds: WALL_S })?.map_err(broken)?;
    judge(status, code, &said)
}

async fn talk(child: &mut Child, component: &[u8]) -> std::io::Result<(ExitStatus, Vec<u8>, Vec<u8>)> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A worker that dies early closes the pipe; its exit status tells more than this error.
            if stdin.write_all(&frame::head(frame::COMPONENT, component.len())).await.is_ok() {
                drop(stdin.write_all(component).await);
            }
        }
    };
    let ((), code, said) = tokio::join!(feed, read_some(stdout, MAX_CODE + frame::HEAD as u64), read_some(stderr, MAX_WORDS));
    let (code, said) = (code?, said?);
    Ok((child.wait().await?, code, said))
}

/// Reads up to one byte more than `max`: enough to see that it is too much. The pipe is then closed, which ends a
/// worker that would write on.
async fn read_some(pipe: Option<impl AsyncRead + Unpin>, max: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(max + 1).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

fn judge(status: ExitStatus, code: Vec<u8>, said: &[u8]) -> Result<Vec<u8>, CompileFault> {
    if code.len() as u64 > MAX_CODE {
        return Err(CompileFault::TooLarge { limit: MAX_CODE });
    }
    match (status.code(), status.signal()) {
        (Some(0), _) => frame::open(frame::CODE, code).ok_or_else(|| CompileFault::Worker("its answer is cut off".into())),
        (Some(REFUSED), _) => {
            let refusal = frame::open(frame::CODE, said.to_vec()).unwrap_or_default();
            let refusal = String::from_utf8_lossy(&refusal);
            match refusal.split_once(": ") {
                Some(("invalid", why)) => Err(CompileFault::Invalid(words(why))),
                _ => Err(CompileFault::Worker(words(&refusal))),
            }
        }
        (_, Some(SIGXCPU | SIGKILL)) => Err(CompileFault::OutOfCpu { seconds: CPU_S }),
        // Rust aborts when an allocation fails, and says so.
        (_, Some(SIGABRT)) if String::from_utf8_lossy(said).contains("memory allocation") => {
            Err(CompileFault::OutOfMemory { bytes: MEMORY })
        }
        (_, Some(signal)) => Err(CompileFault::Died { signal }),
        (code, None) => Err(CompileFault::Worker(format!("it ended with {code:?}: {}", words(&String::from_utf8_lossy(said))))),
    }
}

fn words(text: &str) -> String {
    printable(text.trim(), 500)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn a_worker_that_ends_oddly_is_told_apart() {
        type Case = (&'static str, fn(&CompileFault) -> bool);
        let cases: [Case; 6] = [
            ("exit 0", |f| matches!(f, CompileFault::Worker(_))),
            ("cat >/dev/null; printf CRMCODE1; exit 0", |f| matches!(f, CompileFault::Worker(_))),
            ("kill -XCPU $$", |f| *f == CompileFault::OutOfCpu { seconds: CPU_S }),
            ("echo memory allocation of 9 bytes failed >&2; kill -ABRT $$", |f| *f == CompileFault::OutOfMemory { bytes: MEMORY }),
            ("kill -SEGV $$", |f| *f == CompileFault::Died { signal: 11 }),
            ("exit 7", |f| matches!(f, CompileFault::Worker(why) if why.contains('7'))),
        ];
        for (script, expected) in cases {
            let fault = in_child(shell(script), &[7; 200_000]).await.expect_err(script);
            assert!(expected(&fault), "{script}: {fault:?}");
        }
    }

    #[tokio::test]
    async fn the_worker_sees_no_environment_and_a_program_that_is_missing_is_said() {
        let fault = in_child(shell("test -z \"$HOME$USER\" && exit 9; exit 8"), &[]).await.expect_err("no frame");
        assert!(matches!(fault, CompileFault::Worker(why) if why.contains('9')));
        let fault = in_child(Command::new("/nowhere/at-all"), &[]).await.expect_err("no program");
        assert!(matches!(fault, CompileFault::Worker(_)));
    }
}
