//! Builds guests as finished files, for benchmarks and for trying things out. Prints one path per line. Must not run
//! them.

use std::io::Write;

use crm_guests::Missing;

fn main() -> anyhow::Result<()> {
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    if names.is_empty() {
        names = ["synthetic", "hostile", "wasi", "wasip2", "wasip2-net"].map(String::from).into();
    }
    let mut out = std::io::stdout().lock();
    for name in names {
        match crm_guests::write(&name) {
            Ok(path) => writeln!(out, "{}", path.display())?,
            Err(Missing::Target) => writeln!(std::io::stderr(), "{name}: its target is not installed, left out")?,
            Err(Missing::Failed(error)) => return Err(error.context(name)),
        }
    }
    Ok(())
}
