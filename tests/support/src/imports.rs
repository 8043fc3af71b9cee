//! A large import into the host as a process, killed on the way: generates the file, kills with SIGKILL at random points, and holds the end
//! against what the file says. The suite runs it small, `cargo xtask bench import` with a million rows.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::{Client, HostOptions, HostProcess, create_organization};

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct ImportRun {
    /// A multiple of 100.
    pub rows: u64,
    /// SIGKILLs while it is checked, and while it is imported.
    pub check_kills: u32,
    pub kills: u32,
    pub seed: u64,
}

/// What was measured.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub rows: u64,
    pub file_bytes: u64,
    pub upload: Duration,
    /// From the upload's answer to the end of the check, restarts included.
    pub check: Duration,
    /// From the start to the end, restarts included.
    pub import: Duration,
    /// Rows done at each kill.
    pub killed_at: Vec<u64>,
    /// Peak resident memory of each process of the host, in KiB, first to last.
    pub peaks_kib: Vec<u64>,
    /// Bytes that the data folder holds at the end.
    pub data_bytes: u64,
}

/// Rows after which the file's irregularities repeat.
const PATTERN: u64 = 100;
/// Rows of this one in each pattern are affiliates of another campaign already, up to so many rows.
const KNOWN: (u64, u64) = (90, 20_000);
const LOOK: Duration = Duration::from_millis(20);
/// Longest that any phase may take: turns a hang into a failure.
const LONGEST: Duration = Duration::from_secs(3_600);

impl ImportRun {
    /// Runs it with a new data folder in `dir`.
    pub fn run(&self, dir: &Path, options: HostOptions) -> Result<Report> {
        ensure!(self.rows.is_multiple_of(PATTERN) && self.rows > 0, "the rows must be a multiple of {PATTERN}");
        let file = dir.join("affiliates.csv");
        let mut report = Report { rows: self.rows, file_bytes: self.write(&file)?, ..Report::default() };
        let key = create_organization(&options, "import")?.key;
        let mut run = Run { host: HostProcess::start(options)?, key, rng: SmallRng::seed_from_u64(self.seed), peak_kib: 0 };
        let (old, new) = (run.campaign("old")?, run.campaign("new")?);
        run.known(&old, self.rows.min(KNOWN.1))?;
        let began = Instant::now();
        let answer = run.client().post_file(&format!("/v1/imports?campaign={new}"), "text/csv", &file)?.good().context("upload")?;
        let id = answer["id"].as_str().context("the import has no id")?.to_owned();
        report.upload = began.elapsed();
        let began = Instant::now();
        run.phase(&id, "checking", self.check_kills, self.rows, &mut report)?;
        report.check = began.elapsed();
        let checked = run.import(&id)?;
        ensure!(checked["state"] == "checked", "{checked}");
        self.expect(&checked["check"]).context("the check")?;
        let began = Instant::now();
        run.client().post(&format!("/v1/imports/{id}/start"), &Value::Null)?.good().context("start")?;
        run.phase(&id, "running", self.kills, self.rows, &mut report)?;
        report.import = began.elapsed();
        let done = run.import(&id)?;
        ensure!(done["state"] == "finished", "{done}");
        self.expect(&done["counts"]).context("the import")?;
        self.every_row_once(&run.client(), &id, &new)?;
        run.look();
        report.peaks_kib.push(run.peak_kib);
        ensure!(run.host.sigterm()?.success(), "the host did not stop in order");
        report.data_bytes = size(&dir.join("data"))?;
        Ok(report)
    }

    /// Writes the file; answers its length. Every [`PATTERN`] rows: 95 good ones, an address that is none, a slug that is none, an address of
    /// nearby and one of far before, and a slug of somebody else.
    fn write(&self, path: &Path) -> Result<u64> {
        let mut out = BufWriter::new(File::create(path).with_context(|| format!("cannot write {}", path.display()))?);
        out.write_all("ID,First Name,Last Name,Email,Token,State,Company,Created At\r\n".as_bytes())?;
        for n in 0..self.rows {
            let (mut email, mut slug) = (address(n), format!("slug-{n}"));
            match n % PATTERN {
                7 => email = format!("nobody {n}"),
                23 => slug = format!("no slug {n}"),
                41 => email = address(n - 40).to_uppercase(),
                59 => email = address(n / 2 / PATTERN * PATTERN + 1),
                77 => slug = format!("SLUG-{}", n - 76),
                _ => {}
            }
            let state = if n % PATTERN == 3 { "disabled" } else { "active" };
            writeln!(out, "{n},Zoë {n},\"O'Neil, the \"\"{n}th\"\"\",{email},{slug},{state},\"Two\nlines {n}\",2024-0{}-01\r", n % 9 + 1)?;
        }
        out.flush()?;
        Ok(std::fs::metadata(path)?.len())
    }

    fn expect(&self, counts: &Value) -> Result<()> {
        let patterns = self.rows / PATTERN;
        let joined = patterns.min(KNOWN.1 / PATTERN);
        let expected = json!({
            "rows": self.rows,
            "created": patterns * 95 - joined,
            "joined": joined,
            "duplicates": patterns * 2,
            "errors": patterns * 3,
        });
        ensure!(*counts == expected, "counts {counts}, expected {expected}");
        Ok(())
    }

    /// Every row has one result, and the affiliates that the results name are those that the campaign has.
    fn every_row_once(&self, client: &Client, id: &str, campaign: &str) -> Result<()> {
        let mut results = csv::Reader::from_reader(client.download(&format!("/v1/imports/{id}/results"))?);
        let mut named: HashMap<String, u64> = HashMap::new();
        let mut row = 1;
        let mut tally: HashMap<String, u64> = HashMap::new();
        for record in results.records() {
            let record = record?;
            row += 1;
            ensure!(record[0] == *row.to_string(), "row {row} has the result of row {}", &record[0]);
            *tally.entry(record[1].to_owned()).or_default() += 1;
            if matches!(&record[1], "created" | "joined") {
                ensure!(named.insert(record[2].to_owned(), row).is_none(), "two rows made {}", &record[2]);
            }
        }
        ensure!(row == self.rows + 1, "results of {} rows, expected {}", row - 1, self.rows);
        let mut people = csv::Reader::from_reader(client.download(&format!("/v1/affiliates/export?campaign={campaign}"))?);
        let mut emails = HashSet::new();
        for record in people.records() {
            let record = record?;
            ensure!(named.remove(&record[0]).is_some(), "no row made {}", &record[0]);
            ensure!(emails.insert(record[1].to_lowercase()), "{} is there twice", &record[1]);
        }
        ensure!(named.is_empty(), "{} affiliates of the results are not in the campaign", named.len());
        eprintln!("results by kind: {tally:?}");
        Ok(())
    }
}

fn address(n: u64) -> String {
    format!("person{n}@import.example")
}

struct Run {
    host: HostProcess,
    key: String,
    rng: SmallRng,
    /// Of the present process, as far as it was looked at.
    peak_kib: u64,
}

impl Run {
    fn client(&self) -> Client {
        self.host.client().with_key(&self.key)
    }

    fn campaign(&self, slug: &str) -> Result<String> {
        let body = json!({ "name": slug, "slug": slug, "commission": { "model": "rev_share", "percent": "10" } });
        let made = self.client().post("/v1/campaigns", &body)?.good().context("a campaign")?;
        Ok(made["id"].as_str().context("a campaign without an id")?.to_owned())
    }

    /// People whom the organization knows before.
    fn known(&mut self, campaign: &str, rows: u64) -> Result<()> {
        let mut file = String::from("Email\n");
        for n in (KNOWN.0..rows).step_by(PATTERN as usize) {
            file.push_str(&format!("{}\n", address(n)));
        }
        let path = format!("/v1/imports?campaign={campaign}&format=custom&start=true");
        let made = self.client().post_text(&path, "text/csv", &file)?.good().context("the first import")?;
        let id = made["id"].as_str().context("an import without an id")?.to_owned();
        self.await_end(&id, &["finished"])
    }

    fn import(&self, id: &str) -> Result<Value> {
        self.client().get(&format!("/v1/imports/{id}"))?.good()
    }

    /// Waits until a phase is over; kills the host on the way at so many random points of its progress.
    fn phase(&mut self, id: &str, phase: &str, kills: u32, rows: u64, report: &mut Report) -> Result<()> {
        let began = Instant::now();
        for kill in 0..kills {
            // Somewhere in the share of the work that is this kill's, and then a little later.
            let (from, to) = (rows * u64::from(kill) / u64::from(kills), rows * (u64::from(kill) + 1) / u64::from(kills));
            let point = self.rng.random_range(from + (to - from) / 10..from + (to - from) * 9 / 10);
            let mut done;
            loop {
                let import = self.import(id)?;
                done = import["counts"]["rows"].as_u64().unwrap_or(0);
                if import["state"] != phase || done >= point {
                    break;
                }
                self.look();
                ensure!(began.elapsed() < LONGEST, "{phase} takes too long");
                sleep(LOOK);
            }
            // The point of the kill is what is varied here, not something that is waited for.
            sleep(Duration::from_millis(self.rng.random_range(0..40)));
            self.look();
            report.peaks_kib.push(std::mem::take(&mut self.peak_kib));
            report.killed_at.push(done);
            self.host.kill9()?;
            self.host.restart()?;
        }
        self.await_end(id, if phase == "checking" { &["checked"] } else { &["finished"] })
    }

    fn await_end(&mut self, id: &str, states: &[&str]) -> Result<()> {
        let began = Instant::now();
        loop {
            let import = self.import(id)?;
            let state = import["state"].as_str().unwrap_or_default();
            if states.contains(&state) {
                return Ok(());
            }
            ensure!(matches!(state, "checking" | "running"), "{import}");
            ensure!(began.elapsed() < LONGEST, "takes too long: {import}");
            self.look();
            sleep(LOOK);
        }
    }

    /// Takes the present process's peak memory down, as the kernel knows it.
    fn look(&mut self) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.host.pid())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|rest| rest.split_whitespace().next()).and_then(|n| n.parse().ok()).unwrap_or(0);
        self.peak_kib = self.peak_kib.max(kib);
    }
}

fn size(dir: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { size(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = |took: Duration| self.rows as f64 / took.as_secs_f64().max(0.001);
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        writeln!(f, "import: {} rows, {:.0} MiB, killed with SIGKILL at rows {:?}", self.rows, mib(self.file_bytes), self.killed_at)?;
        writeln!(f, "upload       {:.1} s ({:.0} MiB/s)", self.upload.as_secs_f64(), mib(self.file_bytes) / self.upload.as_secs_f64())?;
        writeln!(f, "check        {:.1} s ({:.0} rows/s, restarts included)", self.check.as_secs_f64(), per(self.check))?;
        writeln!(f, "import       {:.1} s ({:.0} rows/s, restarts included)", self.import.as_secs_f64(), per(self.import))?;
        let peaks: Vec<String> = self.peaks_kib.iter().map(|kib| format!("{:.0}", *kib as f64 / 1024.0)).collect();
        writeln!(f, "peak memory  {} MiB, one figure for each process of the host", peaks.join(", "))?;
        write!(f, "data folder  {:.0} MiB at the end", mib(self.data_bytes))
    }
}
