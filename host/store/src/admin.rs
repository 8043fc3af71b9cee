//! Export and import: the backup, the way to another back end, and what compacts a store that has grown. JSON lines, one row each; every
//! line carries a checksum over itself and all lines before it, and the last line is a BLAKE3 digest of everything, so that a
//! cut or changed file is refused, naming the line. Sealed rows stay sealed.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::disk::Disk;
use crate::disk::durable_sled::DurableSled;
use crate::faults::Faults;
use crate::model::*;
use crate::port::StoreError;
use crate::reads::Reader;
use crate::rows::envelope::{self, Write as RowWrite};
use crate::rows::tables::{self, AffiliateRow, DocRow, EndedRow, LaneRow, LiveRow};
use crate::rows::{Damaged, keys};
use crate::sealing::SealedRow;
use crate::sled_store::SledStore;

const FORMAT: &str = "crm-store export 1";
/// A step of the largest size, with its body as a list of numbers.
const LINE_BYTES: u64 = 32 * 1024 * 1024;
/// Rows written at a time.
const BATCH: usize = 1000;

/// One line of the export. Indexes and counts are not exported: import makes them anew.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Head { format: String, boot: u64, keys: Vec<String> },
    Lane { lane: String, organization: String, parked: bool },
    Document { record: Record, unique: Vec<(String, String)> },
    Job { job: Box<Job>, follow: Option<Box<NewJob>>, cancel: bool, claimed: u64 },
    Attempt(Attempt),
    Step { job: String, step: Step },
    Contact(Contact),
    Secret { organization: String, connection: String, name: String, row: SealedRow },
}

#[derive(Serialize, Deserialize)]
struct End {
    rows: u64,
    blake3: String,
}

fn io(what: &str, error: std::io::Error) -> StoreError {
    StoreError::Unusable(format!("{what}: {error}"))
}

/// Writes lines and keeps both checksums.
struct Writer<W> {
    out: W,
    chain: blake3::Hasher,
    all: blake3::Hasher,
    rows: u64,
}

impl<W: Write> Writer<W> {
    fn line(&mut self, line: &Line) -> Result<(), StoreError> {
        let row = serde_json::to_string(line).map_err(|error| StoreError::Unusable(format!("a row cannot be written: {error}")))?;
        let text = format!("{{\"sum\":\"{}\",\"row\":{row}}}\n", link(&mut self.chain, &row));
        self.all.update(text.as_bytes());
        self.rows += 1;
        self.out.write_all(text.as_bytes()).map_err(|error| io("the export cannot be written", error))
    }
}

/// The next link of the chain of checksums.
fn link(chain: &mut blake3::Hasher, row: &str) -> String {
    chain.update(&(row.len() as u64).to_be_bytes());
    chain.update(row.as_bytes());
    chain.finalize().to_hex()[..16].to_owned()
}

impl SledStore {
    /// Writes everything. The store must be at rest: if something is written meanwhile the export fails and is to be thrown away.
    /// Answers the number of rows.
    pub fn export(&self, out: impl Write) -> Result<u64, StoreError> {
        let reader = &self.reader;
        reader.barrier.check()?;
        let moved = || StoreError::Unusable("the store was written to during the export; let it rest and export again".into());
        let begun = reader.barrier.begun();
        if !reader.barrier.at_rest() {
            return Err(moved());
        }
        let mut writer = Writer { out, chain: blake3::Hasher::new(), all: blake3::Hasher::new(), rows: 0 };
        let meta = |key: Vec<u8>| reader.disk.payload(&key).map(|payload| payload.map(|p| (key, p)));
        let boot = match meta(keys::boot())? {
            Some((key, payload)) => tables::decode(&key, &payload)?,
            None => 0,
        };
        let ids = match meta(keys::key_ids())? {
            Some((key, payload)) => tables::decode(&key, &payload)?,
            None => Vec::new(),
        };
        writer.line(&Line::Head { format: FORMAT.into(), boot, keys: ids })?;
        for table in [keys::LANE, keys::DOC, keys::JOB, keys::ATTEMPT, keys::STEP, keys::CONTACT, keys::SECRET] {
            for row in reader.rows(&[table]) {
                writer.line(&shown(reader, table, row?)?)?;
            }
        }
        if reader.barrier.begun() != begun {
            return Err(moved());
        }
        let end = End { rows: writer.rows, blake3: writer.all.finalize().to_hex().to_string() };
        let end = serde_json::to_string(&end).map_err(|error| StoreError::Unusable(error.to_string()))?;
        writeln!(writer.out, "{{\"end\":{end}}}")
            .and_then(|()| writer.out.flush())
            .map_err(|error| io("the export cannot be written", error))?;
        Ok(writer.rows)
    }
}

fn shown(reader: &Reader, table: u8, row: (Vec<u8>, Vec<u8>)) -> Result<Line, StoreError> {
    let key = row.0.clone();
    let bad = || Damaged::at(&key, "not a key of its table");
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| bad());
    let mut rest = &key[1..];
    Ok(match table {
        keys::LANE => {
            let (_, row): (_, LaneRow) = reader.decode(row)?;
            Line::Lane { lane: text(rest)?, organization: row.organization, parked: row.parked }
        }
        keys::DOC => {
            let organization = keys::take_part(&mut rest).ok_or_else(bad)?.to_owned();
            let (kind, id) = rest.split_first().ok_or_else(bad)?;
            let kind = keys::kind_of(*kind).ok_or_else(bad)?;
            let id = text(id)?;
            let (_, row): (_, DocRow) = reader.decode(row)?;
            Line::Document { record: Record { organization, kind, id, version: row.version, json: row.json }, unique: row.unique }
        }
        keys::JOB => {
            let (_, job): (_, Job) = reader.decode(row)?;
            let live_key = keys::live(&job.new.lane, &job.new.id);
            let Some(live) = reader.disk.payload(&live_key)? else {
                return Ok(Line::Job { job: Box::new(job), follow: None, cancel: false, claimed: 0 });
            };
            let live = LiveRow::decode(&live_key, &live)?;
            let follow_key = keys::follow(&job.new.id);
            let follow = match reader.disk.payload(&follow_key)? {
                Some(payload) => Some(Box::new(tables::decode(&follow_key, &payload)?)),
                None => None,
            };
            Line::Job { cancel: live.cancel, claimed: live.claimed, job: Box::new(live.over(job)), follow }
        }
        keys::ATTEMPT => Line::Attempt(reader.decode(row)?.1),
        keys::STEP => {
            let job = keys::take_part(&mut rest).ok_or_else(bad)?.to_owned();
            Line::Step { job, step: reader.decode(row)?.1 }
        }
        keys::CONTACT => Line::Contact(reader.decode(row)?.1),
        _ => {
            let organization = keys::take_part(&mut rest).ok_or_else(bad)?.to_owned();
            let connection = keys::take_part(&mut rest).ok_or_else(bad)?.to_owned();
            Line::Secret { organization, connection, name: text(rest)?, row: reader.decode(row)?.1 }
        }
    })
}

/// Reads an export into a new store in `dir`, which must not exist or be empty. Nothing is left there unless all of it was good.
/// Answers the number of rows.
pub fn import(dir: &Path, input: impl BufRead) -> Result<u64, StoreError> {
    let occupied = fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
    if occupied {
        return Err(StoreError::Unusable(format!("{} is not empty: an import makes a new store", dir.display())));
    }
    let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let fresh = dir.with_file_name(format!("{name}.importing"));
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(|error| io("what an earlier import left cannot be removed", error))?;
    }
    let rows = fill(&fresh, input).and_then(|rows| {
        fs::rename(&fresh, dir).map_err(|error| io("the new store cannot be put in place", error))?;
        let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::File::open(parent).and_then(|parent| parent.sync_all()).map_err(|error| io("the new store cannot be synced", error))?;
        Ok(rows)
    });
    if rows.is_err()
        && let Err(error) = fs::remove_dir_all(&fresh)
    {
        tracing::warn!(%error, "what a refused import left cannot be removed");
    }
    rows
}

fn fill(dir: &Path, mut input: impl BufRead) -> Result<u64, StoreError> {
    let disk = DurableSled::open(dir, 0, Faults::default())?;
    let mut store = Filling { disk: &disk, rows: Vec::new(), lanes: BTreeMap::new() };
    let (mut chain, mut all) = (blake3::Hasher::new(), blake3::Hasher::new());
    let mut number = 0u64;
    loop {
        number += 1;
        let refused = |why: &str| StoreError::Unusable(format!("line {number} of the export: {why}"));
        let mut text = String::new();
        let read = input.by_ref().take(LINE_BYTES).read_line(&mut text).map_err(|error| refused(&error.to_string()))?;
        if read == 0 {
            return Err(refused("missing: the export was cut off"));
        }
        let Some(line) = text.strip_suffix('\n') else { return Err(refused("cut off, or far too long")) };
        if let Some(end) = line.strip_prefix("{\"end\":").and_then(|rest| rest.strip_suffix('}')) {
            let end: End = serde_json::from_str(end).map_err(|_| refused("not the end of an export"))?;
            if end.rows != number - 1 || end.blake3 != all.finalize().to_hex().as_str() {
                return Err(refused("the digest does not fit what came before"));
            }
            let mut more = [0u8; 1];
            if input.read(&mut more).map_err(|error| refused(&error.to_string()))? != 0 {
                return Err(StoreError::Unusable(format!("line {} of the export: after its end", number + 1)));
            }
            store.finish()?;
            disk.close()?;
            return Ok(end.rows);
        }
        all.update(text.as_bytes());
        let (sum, row) = split(line).ok_or_else(|| refused("not a line of an export"))?;
        if link(&mut chain, row) != sum {
            return Err(refused("its checksum does not fit: it, or the lines before it, were changed"));
        }
        let line: Line = serde_json::from_str(row).map_err(|error| refused(&error.to_string()))?;
        if (number == 1) != matches!(line, Line::Head { .. }) {
            return Err(refused("an export begins with its head, and has only one"));
        }
        store.take(line).map_err(|error| refused(&error.to_string()))?;
    }
}

/// Checksum and row of a line.
fn split(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix("{\"sum\":\"")?;
    let (sum, rest) = rest.split_at_checked(16)?;
    Some((sum, rest.strip_prefix("\",\"row\":")?.strip_suffix('}')?))
}

struct Filling<'a> {
    disk: &'a dyn Disk,
    rows: Vec<RowWrite>,
    lanes: BTreeMap<String, LaneRow>,
}

impl Filling<'_> {
    fn put<T: Serialize>(&mut self, key: Vec<u8>, value: &T) -> Result<(), StoreError> {
        self.rows.extend(envelope::wrap(key, &tables::encode(value)?));
        Ok(())
    }

    fn take(&mut self, line: Line) -> Result<(), StoreError> {
        match line {
            Line::Head { format, boot, keys: ids } => {
                if format != FORMAT {
                    return Err(StoreError::Unusable(format!("it is of the format {format:?}, this host reads {FORMAT:?}")));
                }
                self.rows.extend(envelope::wrap(keys::format(), tables::FORMAT));
                self.put(keys::boot(), &boot)?;
                self.put(keys::key_ids(), &ids)?;
            }
            Line::Lane { lane, organization, parked } => {
                let row = self.lanes.entry(lane).or_default();
                (row.organization, row.parked) = (organization, parked);
            }
            Line::Document { record, unique } => {
                for (namespace, name) in &unique {
                    self.put(keys::unique(&record.organization, record.kind, namespace, name), &record.id)?;
                }
                let key = keys::doc(&record.organization, record.kind, &record.id);
                self.put(key, &DocRow { version: record.version, json: record.json, unique })?;
            }
            Line::Job { job, follow, cancel, claimed } => self.job(&job, follow.as_deref(), cancel, claimed)?,
            Line::Attempt(attempt) => self.put(keys::attempt(&attempt.job, attempt.number), &attempt)?,
            Line::Step { job, step } => self.put(keys::step(&job, step.attempt, step.number), &step)?,
            Line::Contact(contact) => self.put(keys::contact(&contact.lane, &contact.email), &contact)?,
            Line::Secret { organization, connection, name, row } => self.put(keys::secret(&organization, &connection, &name), &row)?,
        }
        if self.rows.len() >= BATCH { self.write() } else { Ok(()) }
    }

    fn job(&mut self, job: &Job, follow: Option<&NewJob>, cancel: bool, claimed: u64) -> Result<(), StoreError> {
        let new = &job.new;
        self.put(keys::job(&new.id), job)?;
        let lane = self.lanes.entry(new.lane.clone()).or_default();
        lane.organization.clone_from(&new.organization);
        match job.state {
            JobState::Succeeded => lane.succeeded += 1,
            JobState::Failed => lane.failed += 1,
            JobState::Cancelled => lane.cancelled += 1,
            state => {
                let row = LiveRow {
                    state,
                    follow: follow.is_some(),
                    cancel,
                    due: job.due,
                    updated: job.updated,
                    claimed,
                    dedupe: tables::digest(&[&new.lane, &new.dedupe]),
                    exclusive: tables::exclusive_digest(&new.exclusive),
                };
                self.rows.extend(envelope::wrap(keys::live(&new.lane, &new.id), &row.encode()));
                return match follow {
                    Some(follow) => self.put(keys::follow(&new.id), follow),
                    None => Ok(()),
                };
            }
        }
        let finished = job.finished.unwrap_or(job.updated);
        let ended = EndedRow { finished, campaign: new.campaign.clone(), affiliate: new.affiliate.clone() };
        self.put(keys::ended(&new.organization, &new.lane, job.state, &new.id), &ended)?;
        let by = AffiliateRow { state: job.state, lane: new.lane.clone(), campaign: new.campaign.clone() };
        self.put(keys::by_affiliate(&new.organization, &new.affiliate, &new.id), &by)
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        for (lane, row) in std::mem::take(&mut self.lanes) {
            self.put(keys::lane(&lane), &row)?;
        }
        self.write()
    }

    fn write(&mut self) -> Result<(), StoreError> {
        Ok(self.disk.commit(&std::mem::take(&mut self.rows))?)
    }
}
