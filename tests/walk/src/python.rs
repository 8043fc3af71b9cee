//! Python and its packages: an environment of its own below the target directory, with exactly what `requirements.txt` pins, made once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use crm_test_support::run_logged;

const INSTALL: Duration = Duration::from_secs(300);
const LOOK: Duration = Duration::from_secs(20);
/// The oldest that the scripts and their packages run on.
const OLDEST: &str = "import sys; sys.exit(sys.version_info < (3, 9))";

/// An interpreter that has the packages.
pub struct Python {
    program: PathBuf,
}

impl Python {
    /// The environment, made if it is not there yet. `Err` says in words why there is none on this machine.
    pub fn installed() -> Result<&'static Self, &'static str> {
        static PYTHON: OnceLock<Result<Python, String>> = OnceLock::new();
        PYTHON.get_or_init(|| prepare().map_err(|error| format!("{error:#}"))).as_ref().map_err(String::as_str)
    }

    /// `python SCRIPT` in the scripts' folder. It leaves no compiled files there, and meets no proxy on its way to loopback.
    pub fn script(&self, name: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(scripts().join(name)).current_dir(scripts()).env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUNBUFFERED", "1");
        command
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn prepare() -> Result<Python> {
    let home = crm_test_support::target_dir()?.join("walk");
    fs::create_dir_all(&home).with_context(|| format!("{} cannot be made", home.display()))?;
    let log = home.join("install.log");
    let mut version = Command::new("python3");
    version.args(["-c", OLDEST]);
    run_logged(version, &log, LOOK).context("there is no python3 of 3.9 or newer")?;
    let environment = home.join("venv");
    let python = Python { program: environment.join("bin/python") };
    let (asked, stamp) = (fs::read(scripts().join("requirements.txt"))?, environment.join("installed.txt"));
    if fs::read(&stamp).is_ok_and(|held| held == asked) && python.program.exists() {
        return Ok(python);
    }
    if environment.exists() {
        fs::remove_dir_all(&environment).context("an unfinished environment cannot be removed")?;
    }
    let mut pip = match make(&environment, &[], &log) {
        Ok(()) => Command::new(&python.program),
        // Debian keeps pip apart; `cargo xtask test` unpacks it.
        Err(without) => {
            let wheel = unpacked_pip()?.with_context(|| format!("pip is missing: {without:#}"))?;
            make(&environment, &["--without-pip"], &log)?;
            let mut pip = Command::new(&python.program);
            pip.env("PYTHONPATH", wheel);
            pip
        }
    };
    // Wheels only: nothing that is fetched runs while it is installed.
    pip.args(["-m", "pip", "install", "--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check", "--quiet"]);
    pip.args(["--retries", "2", "--timeout", "30", "-r"]).arg(scripts().join("requirements.txt"));
    run_logged(pip, &log, INSTALL).context("pip install")?;
    fs::write(stamp, asked).context("the environment cannot be finished")?;
    Ok(python)
}

fn make(environment: &Path, flags: &[&str], log: &Path) -> Result<()> {
    let mut command = Command::new("python3");
    command.args(["-m", "venv", "--clear"]).args(flags).arg(environment);
    run_logged(command, log, INSTALL).context("python3 -m venv")
}

/// The wheel of pip that `cargo xtask test` fetched from Debian, if it had to.
fn unpacked_pip() -> Result<Option<PathBuf>> {
    let Ok(entries) = fs::read_dir(crm_test_support::target_dir()?.join("debian-python/usr/share/python-wheels")) else { return Ok(None) };
    for entry in entries {
        let file = entry.context("the unpacked wheels cannot be listed")?.path();
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with("pip-") && name.ends_with(".whl") {
            return Ok(Some(file));
        }
    }
    bail!("what Debian calls python3-pip-whl holds no pip")
}
