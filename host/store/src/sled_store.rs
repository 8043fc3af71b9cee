//! The store over sled: opening it, taking up where the last run stopped, and what the operator sees of it. The trait itself is
//! implemented in [`crate::store_impl`].

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::committer::Committer;
use crate::committer::planner::Planner;
use crate::disk::durable_sled::DurableSled;
use crate::disk::{Disk, DiskError};
use crate::faults::Faults;
use crate::limits;
use crate::model::JobState;
use crate::port::StoreError;
use crate::reads::{Barrier, Reader, STUCK};
use crate::rows::envelope::{self, Inside};
use crate::rows::tables::{self, EndedRow, LaneRow, LiveRow};
use crate::rows::{Damaged, keys};
use crate::sealing::MasterKey;
use crate::space::{Space, SpaceGate};
use crate::view::View;

/// Finished jobs looked up at a time when old ones are let go.
const EXPIRE_AT_ONCE: usize = 2048;

/// How a store is opened. No `Debug`: it holds the master key.
pub struct OpenOptions {
    /// Wraps the key of every credential.
    pub key: MasterKey,
    /// When new work is refused.
    pub free_space_gate: SpaceGate,
    /// Size of the file that is given up when a full disk keeps the store from opening. 0 = none.
    pub ballast_bytes: u64,
    /// Unix milliseconds; jobs that ran when the host stopped become due at it. `None` = the wall clock.
    pub now: Option<u64>,
    /// Opens a store whose credentials were sealed with a key that is not at hand; they stay unreadable.
    pub accept_foreign_key: bool,
    pub(crate) faults: Faults,
}

impl OpenOptions {
    pub fn new(key: MasterKey) -> Self {
        Self {
            key,
            free_space_gate: SpaceGate::Standard,
            ballast_bytes: 64 * 1024 * 1024,
            now: None,
            accept_foreign_key: false,
            faults: Faults::default(),
        }
    }

    /// Plants bugs, for showing that a checker notices them.
    #[cfg(any(test, feature = "planted-bugs"))]
    pub fn with_faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }
}

/// A [`crate::Store`] whose rows are kept by sled 0.34.7, made durable from outside.
pub struct SledStore {
    pub(crate) reader: Reader,
    pub(crate) view: Arc<View>,
    pub(crate) committer: Arc<Committer>,
    pub(crate) space: Arc<Space>,
    pub(crate) key: Arc<MasterKey>,
    interrupted: u64,
}

impl SledStore {
    /// Opens or creates the store in `dir`. Repairs what a crash may have left, counts and requeues the jobs that were running, and
    /// rebuilds the queue from one small row per unfinished job.
    ///
    /// Errors: [`StoreError::Locked`] when another process has it open; [`StoreError::NoSpace`] when the disk is too full even to open;
    /// [`StoreError::Unusable`] when the files are damaged, of another format, or sealed with another key.
    pub fn open(dir: &Path, options: OpenOptions) -> Result<Arc<Self>, StoreError> {
        let disk: Arc<dyn Disk> = Arc::new(DurableSled::open(dir, options.ballast_bytes, options.faults.clone())?);
        Self::on(disk, dir, options)
    }

    pub(crate) fn on(disk: Arc<dyn Disk>, dir: &Path, options: OpenOptions) -> Result<Arc<Self>, StoreError> {
        let now = options.now.unwrap_or_else(wall_clock);
        let space = Arc::new(Space::new(dir, options.free_space_gate));
        let mut planner = Planner::new(disk.clone(), space.clone(), options.faults.clone());
        let boot = begin(&mut planner, &options)?;
        planner.queue.epoch_floor = boot << 32;
        let running = load(&*disk, &mut planner)?;
        for job in &running {
            planner.interrupt(job, now).map_err(|halt| StoreError::Unusable(halt.to_string()))?;
        }
        let batch = planner.take_batch().map_err(|halt| StoreError::Unusable(halt.to_string()))?;
        disk.commit(&batch)?;
        let view = Arc::new(View::default());
        let touched = std::mem::take(&mut planner.queue.touched);
        view.publish(touched.into_iter().filter_map(|lane| planner.queue.summary(&lane).map(|summary| (lane, summary))));
        let barrier = Arc::new(Barrier::new(options.faults.read_unsynced()));
        let committer = Arc::new(Committer::start(planner, view.clone(), barrier.clone())?);
        Ok(Arc::new(Self {
            reader: Reader { disk, barrier },
            view,
            committer,
            space,
            key: Arc::new(options.key),
            interrupted: running.len() as u64,
        }))
    }

    /// How long the committer has been at one batch; `None` while it has nothing to do. More than ten seconds is a hang: the
    /// watchdog of the host ends the process then.
    pub fn busy_for(&self) -> Option<Duration> {
        self.reader.barrier.busy_for()
    }

    /// Changes the free-space gate.
    pub fn set_free_space_gate(&self, gate: SpaceGate) {
        self.space.set(gate);
    }

    /// Bytes on disk. Grown far beyond what is live, export and import compacts it.
    pub fn size_on_disk(&self) -> u64 {
        self.reader.disk.size()
    }

    /// Deletes jobs that finished before `before` (Unix milliseconds), with their attempts and steps, in slices between which others get
    /// their turn. Answers how many. What is known of contacts stays.
    pub async fn expire(&self, before: u64) -> Result<u64, StoreError> {
        let mut gone = 0;
        loop {
            self.reader.barrier.check()?;
            let reader = self.reader.clone();
            let found = tokio::task::spawn_blocking(move || expired(&reader, before, EXPIRE_AT_ONCE));
            let found = found.await.map_err(|error| StoreError::Unusable(format!("the search was interrupted: {error}")))??;
            self.reader.barrier.settle_all().await?;
            let mut now_gone = 0;
            for slice in found.chunks(limits::SLICE) {
                let jobs = slice.to_vec();
                now_gone += self.committer.ask(|reply| crate::committer::op::Op::Expire { jobs, before, reply }).await?;
            }
            gone += now_gone;
            // Nothing gone although something was found: an index row without its job, which only a repair can bring about.
            if found.len() < EXPIRE_AT_ONCE || now_gone == 0 {
                return Ok(gone);
            }
        }
    }

    /// Checks version and checksum of every row; for the nightly scan. Answers how many rows there are, or names the first damaged one.
    pub async fn scan(&self) -> Result<u64, StoreError> {
        let reader = self.reader.clone();
        let scan = tokio::task::spawn_blocking(move || {
            let mut rows = 0u64;
            for row in reader.disk.scan(&[], None, false) {
                let (key, value) = row?;
                if let Err(damaged) = envelope::look(&key, &value) {
                    return Err(StoreError::from(damaged));
                }
                rows += 1;
            }
            Ok(rows)
        });
        scan.await.map_err(|error| StoreError::Unusable(format!("the scan was interrupted: {error}")))?
    }

    pub(crate) fn health_now(&self) -> Result<(), StoreError> {
        self.reader.barrier.check()?;
        if let Some(busy) = self.busy_for()
            && busy > STUCK
        {
            return Err(StoreError::Broken(format!("no write has completed for {} s", busy.as_secs())));
        }
        self.space.admit()
    }

    pub(crate) fn interrupted(&self) -> u64 {
        self.interrupted
    }
}

/// Format, boot generation and key ids: checked and written on.
fn begin(planner: &mut Planner, options: &OpenOptions) -> Result<u64, StoreError> {
    let stage = &mut planner.stage;
    let unusable = |halt: crate::committer::Halt| StoreError::Unusable(halt.to_string());
    match stage.payload(&keys::format())? {
        Some(format) if format == tables::FORMAT => {}
        Some(_) => {
            return Err(StoreError::Unusable(
                "the store was written by another version of the host: export with that, import with this".into(),
            ));
        }
        None => {
            if stage.disk().scan(&[], None, false).next().is_some() {
                return Err(StoreError::Unusable("the directory holds another program's data".into()));
            }
            stage.put_bytes(keys::format(), tables::FORMAT).map_err(unusable)?;
        }
    }
    let mut ids: Vec<String> = stage.read(&keys::key_ids()).map_err(unusable)?.unwrap_or_default();
    if let Some(missing) = ids.iter().find(|id| options.key.by_id(id).is_none())
        && !options.accept_foreign_key
    {
        return Err(StoreError::Unusable(format!(
            "the credentials in this store were sealed with the master key {missing}, and the one given is {}: give the right one (CRM_HOST_KEY or the key file)",
            options.key.id()
        )));
    }
    if !ids.iter().any(|id| id == options.key.id()) {
        ids.push(options.key.id().to_owned());
        stage.put(keys::key_ids(), &ids).map_err(unusable)?;
    }
    let boot: u64 = stage.read(&keys::boot()).map_err(unusable)?.unwrap_or(0) + 1;
    stage.put(keys::boot(), &boot).map_err(unusable)?;
    Ok(boot)
}

/// Rebuilds the queue. Answers which jobs were running.
fn load(disk: &dyn Disk, planner: &mut Planner) -> Result<Vec<Arc<str>>, StoreError> {
    let text =
        |key: &[u8], bytes: &[u8]| std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Damaged::at(key, "an id that is no text"));
    let start = [keys::LANE];
    for row in disk.scan(&start, keys::end_of(&start).as_deref(), false) {
        let (key, value) = row?;
        let payload = whole(&key, &value)?;
        let row: LaneRow = tables::decode(&key, payload)?;
        planner.queue.load_lane(&text(&key, &key[1..])?, row);
    }
    let mut running = Vec::new();
    let start = [keys::LIVE];
    // Rows come lane by lane.
    let mut lane: Arc<str> = "".into();
    let mut jobs = Vec::new();
    for row in disk.scan(&start, keys::end_of(&start).as_deref(), false) {
        let (key, value) = row?;
        let live = LiveRow::decode(&key, whole(&key, &value)?)?;
        let mut rest = &key[1..];
        let lane_id = keys::take_part(&mut rest).ok_or_else(|| Damaged::at(&key, "not a queue key"))?;
        let id: Arc<str> = std::str::from_utf8(rest).map_err(|_| Damaged::at(&key, "an id that is no text"))?.into();
        if *lane != *lane_id {
            planner.queue.load_jobs(&lane, std::mem::take(&mut jobs));
            lane = planner.queue.lane_for(lane_id, "");
        }
        if live.state == JobState::Running {
            running.push(id.clone());
        }
        jobs.push((id, live));
    }
    planner.queue.load_jobs(&lane, jobs);
    Ok(running)
}

fn whole<'a>(key: &[u8], value: &'a [u8]) -> Result<&'a [u8], Damaged> {
    match envelope::look(key, value)? {
        Inside::Whole(payload) => Ok(payload),
        Inside::Chunked { .. } => Err(Damaged::at(key, "a small row in chunks")),
    }
}

/// Ids of jobs that finished before a time. Rows of a lane are ordered by when the job was made, so a lane is left once many in a row are
/// too young.
fn expired(reader: &Reader, before: u64, limit: usize) -> Result<Vec<String>, DiskError> {
    const YOUNG: usize = 1000;
    let mut found = Vec::new();
    let mut start = vec![keys::ENDED];
    let end = keys::end_of(&start);
    'lanes: loop {
        let (mut young, mut group) = (0, Vec::new());
        for row in reader.disk.scan(&start, end.as_deref(), false) {
            if found.len() >= limit {
                break 'lanes;
            }
            let (key, value) = row?;
            let mut rest = &key[1..];
            let bad = || Damaged::at(&key, "not an index key");
            keys::take_part(&mut rest).and_then(|_| keys::take_part(&mut rest)).ok_or_else(bad)?;
            let (_, id) = rest.split_first().ok_or_else(bad)?;
            let ended: EndedRow = tables::decode(&key, whole(&key, &value)?)?;
            if ended.finished < before {
                found.push(std::str::from_utf8(id).map_err(|_| bad())?.to_owned());
                continue;
            }
            let own = &key[..key.len() - id.len()];
            if group != own {
                (young, group) = (0, own.to_vec());
            }
            young += 1;
            if young > YOUNG {
                match keys::end_of(own) {
                    Some(next) => start = next,
                    None => break 'lanes,
                }
                continue 'lanes;
            }
        }
        break;
    }
    Ok(found)
}

#[expect(clippy::disallowed_methods, reason = "read once, at open, when the caller gave no time")]
fn wall_clock() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
