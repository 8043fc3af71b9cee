//! Decides what each operation writes. Runs on the committer thread only, so every check (fence, version, uniqueness,
//! deduplication) and the write it guards are one step. State in memory runs ahead of the disk by the batch being planned; if
//! that batch fails, the store is broken for good, so nothing ever has to be undone.

use std::sync::Arc;

use super::Halt;
use super::op::{Op, Reply};
use super::queue::{Queue, slot};
use super::stage::Stage;
use crate::disk::Disk;
use crate::faults::Faults;
use crate::model::{Attempt, Job, JobState, JobTrouble, NewJob, Outcome};
use crate::port::{Ack, StoreError};
use crate::rows::envelope::{self, Write};
use crate::rows::keys;
use crate::rows::tables::{self, AffiliateRow, EndedRow, LiveRow};
use crate::space::Space;
use crate::wish;

/// Answers a waiter; `Some` = the batch could not be written.
pub(crate) type Answer = Box<dyn FnOnce(Option<&StoreError>) + Send>;
pub(crate) type Planned<T> = Result<T, Halt>;

pub(crate) struct Planner {
    pub(crate) stage: Stage,
    pub(crate) queue: Queue,
    pub(crate) space: Arc<Space>,
    pub(crate) faults: Faults,
    /// Who waits for this batch.
    pub(crate) answers: Vec<Answer>,
}

impl Planner {
    pub(crate) fn new(disk: Arc<dyn Disk>, space: Arc<Space>, faults: Faults) -> Self {
        Self { stage: Stage::new(disk), queue: Queue::default(), space, faults, answers: Vec::new() }
    }

    /// Plans one operation. `Err` = the store is broken.
    pub(crate) fn plan(&mut self, op: Op) -> Result<(), String> {
        match op {
            Op::Commit { puts, jobs, reply } => {
                let result = self.commit(puts, jobs);
                self.answer(reply, result)
            }
            Op::Claim { owner, now, lease_ms, wants, reply } => {
                let result = self.claim(&owner, now, lease_ms, &wants);
                self.answer(reply, result)
            }
            Op::Renew { owner, now, lease_ms, reply } => {
                let result = self.renew(&owner, now, lease_ms);
                self.answer(reply, result)
            }
            Op::Step { lane, epoch, job, rows, reply } => {
                let result = self.step(&lane, epoch, &job, rows);
                match reply {
                    Some(reply) => self.answer(reply, result),
                    // Nobody waits: a fence shows itself at the claim's next durable operation, a failed write at every one.
                    None => match result {
                        Err(Halt::Fatal(why)) => Err(why),
                        _ => Ok(()),
                    },
                }
            }
            Op::Finish { ending, reply } => {
                let result = self.finish(*ending);
                self.answer(reply, result)
            }
            Op::Park { lane, parked, now, reply } => {
                let result = self.park(&lane, parked, now);
                self.answer(reply, result)
            }
            Op::Amend { job, expect, reply } => {
                let result = self.amend(*job, expect);
                self.answer(reply, result)
            }
            Op::List { lane, reply } => {
                let jobs = self.queue.jobs_of(&lane);
                self.answer(reply, Ok(jobs))
            }
            Op::Cancel { jobs, now, reply } => {
                let result = self.cancel(&jobs, now);
                self.answer(reply, result)
            }
            Op::Expire { jobs, before, reply } => {
                let result = self.expire(&jobs, before);
                self.answer(reply, result)
            }
            Op::Seal { prefix, rows, reply } => {
                let result = self.seal(&prefix, rows);
                self.answer(reply, result)
            }
            Op::SaveToken { key, expect, rows, reply } => {
                let result = self.save_token(&key, expect, rows);
                self.answer(reply, result)
            }
            Op::BeginRenewal { token, marker, expect, now, rows, reply } => {
                let result = self.begin_renewal(&token, &marker, expect, now, rows);
                self.answer(reply, result)
            }
            Op::EndRenewal { marker, expect, reply } => {
                let result = self.end_renewal(marker, expect);
                self.answer(reply, result)
            }
            Op::Erase { organization, jobs, contacts, puts, reply } => {
                let result = self.erase(&organization, &jobs, contacts, puts);
                self.answer(reply, result)
            }
            Op::Close { reply } => self.answer(reply, Ok(())),
        }
    }

    /// Notes the answer until the batch is on disk: a refusal may rest on a write that is not there yet, too.
    fn answer<T: Send + 'static>(&mut self, reply: Reply<T>, result: Planned<T>) -> Result<(), String> {
        let (result, fatal) = match result {
            Ok(value) => (Ok(value), Ok(())),
            Err(Halt::Refuse(error)) => (Err(error), Ok(())),
            Err(Halt::Fatal(why)) => (Err(StoreError::Broken(why.clone())), Err(why)),
        };
        self.answers.push(Box::new(move |broken: Option<&StoreError>| {
            // A caller that stopped waiting is no error of ours.
            drop(reply.send(broken.map_or(result, |error| Err(error.clone()))));
        }));
        fatal
    }

    /// The batch so far, with one row for each lane whose totals changed.
    pub(crate) fn take_batch(&mut self) -> Planned<Vec<Write>> {
        for lane in std::mem::take(&mut self.queue.changed_rows) {
            let row = self.queue.lane_row(&lane);
            self.stage.put(keys::lane(&lane), &row)?;
        }
        Ok(self.stage.take())
    }

    /// The stored job with its moving part on top.
    pub(crate) fn job(&self, id: &str) -> Planned<Option<Job>> {
        let job: Option<Job> = self.stage.read(&keys::job(id))?;
        Ok(match (job, self.queue.live.get(id)) {
            (Some(job), Some(live)) => Some(live.row.over(job)),
            (job, _) => job,
        })
    }

    /// Whether anything is known of a contact, this batch included.
    pub(crate) fn knows(&self, lane: &str, email: &str) -> Planned<bool> {
        Ok(self.stage.exists(&keys::contact(lane, &tables::fold_email(email)))?)
    }

    /// Puts a new job into its lane.
    pub(crate) fn enqueue(&mut self, new: NewJob, rows: Vec<Write>, dedupe: u128, exclusive: u128) -> Planned<Ack> {
        let lane = self.queue.lane_for(&new.lane, &new.organization);
        let row = LiveRow {
            state: JobState::Pending,
            follow: false,
            cancel: false,
            due: new.due,
            updated: new.created,
            claimed: 0,
            dedupe,
            exclusive,
        };
        self.stage.put_wrapped(rows)?;
        self.stage.put_bytes(keys::live(&lane, &new.id), &row.encode())?;
        self.queue.insert(new.id.as_str().into(), lane, row);
        Ok(Ack::Enqueued)
    }

    fn enqueue_follow_up(&mut self, new: NewJob) -> Planned<()> {
        if self.stage.exists(&keys::job(&new.id))? {
            // The same wish was enqueued again under its own id meanwhile.
            return Ok(());
        }
        let rows = envelope::wrap(keys::job(&new.id), &tables::encode(&Job::newborn(new.clone()))?);
        let dedupe = tables::digest(&[&new.lane, &new.dedupe]);
        let exclusive = tables::exclusive_digest(&new.exclusive);
        self.enqueue(new, rows, dedupe, exclusive).map(|_| ())
    }

    /// Writes a job that does not run (any more) in the state it now has. `rows` is the job's row if it was encoded already. Reads come
    /// first, so that a damaged row changes nothing.
    pub(crate) fn settle(&mut self, mut job: Job, rows: Option<Vec<Write>>) -> Planned<()> {
        let id = job.new.id.clone();
        let live = self.queue.live.get(id.as_str()).map(|live| live.row.clone());
        let mut changed = rows.is_none();
        let follow: Option<NewJob> = match &live {
            Some(row) if row.follow => self.stage.read(&keys::follow(&id))?,
            _ => None,
        };
        if let Some(row) = &live
            && job.updated <= row.updated
        {
            job.updated = row.updated + 1;
            changed = true;
        }
        if live.as_ref().is_some_and(|row| row.cancel) && !job.state.is_final() {
            job.state = JobState::Cancelled;
            changed = true;
        }
        let parked = self.queue.lanes.get(job.new.lane.as_str()).is_some_and(|lane| lane.parked);
        if job.state == JobState::Parked && !parked {
            // The lane was unparked while this attempt ran: nobody would ever wake it.
            job.state = JobState::Retrying;
            changed = true;
        }
        if job.state.is_final() != job.finished.is_some() {
            job.finished = job.state.is_final().then_some(job.updated);
            changed = true;
        }
        let (fold, mut after) = match job.state {
            state if state.is_final() => (None, follow),
            JobState::Waiting => (None, None),
            _ => (follow, None),
        };
        let folded = fold.is_some();
        if let Some(newer) = fold {
            wish::take_wish(&mut job, newer, |lane, email| self.knows(lane, email))?;
            changed = true;
        }
        if let Some(newer) = &mut after
            && job.state != JobState::Succeeded
        {
            // What this job was to do for the contact was not done.
            wish::inherit(&job.new, newer, |lane, email| self.knows(lane, email))?;
        } else if let Some(newer) = &mut after {
            wish::carry_on(&job.new, newer);
        }
        let rows = match rows {
            Some(rows) if !changed => rows,
            _ => envelope::wrap(keys::job(&id), &tables::encode(&job)?),
        };
        self.stage.put_wrapped(rows)?;
        if folded || after.is_some() {
            self.stage.delete(keys::follow(&id))?;
        }
        if job.state.is_final() {
            self.bury(&job)?;
        } else {
            self.revive(&job, live, folded)?;
        }
        match after {
            Some(new) => self.enqueue_follow_up(new),
            None => Ok(()),
        }
    }

    /// A finished job: out of the queue, into the indexes.
    fn bury(&mut self, job: &Job) -> Planned<()> {
        let new = &job.new;
        if self.queue.remove(&new.id).is_some() {
            self.stage.delete(keys::live(&new.lane, &new.id))?;
        }
        let ended =
            EndedRow { finished: job.finished.unwrap_or(job.updated), campaign: new.campaign.clone(), affiliate: new.affiliate.clone() };
        self.stage.put(keys::ended(&new.organization, &new.lane, job.state, &new.id), &ended)?;
        let by = AffiliateRow { state: job.state, lane: new.lane.clone(), campaign: new.campaign.clone() };
        self.stage.put(keys::by_affiliate(&new.organization, &new.affiliate, &new.id), &by)?;
        self.count_ended(&new.lane, job.state, 1);
        Ok(())
    }

    /// Takes a finished job out of the indexes again.
    pub(crate) fn unbury(&mut self, job: &Job) -> Planned<()> {
        let new = &job.new;
        self.stage.delete(keys::ended(&new.organization, &new.lane, job.state, &new.id))?;
        self.stage.delete(keys::by_affiliate(&new.organization, &new.affiliate, &new.id))?;
        self.count_ended(&new.lane, job.state, -1);
        Ok(())
    }

    fn count_ended(&mut self, lane: &str, state: JobState, by: i64) {
        let Some((id, _)) = self.queue.lanes.get_key_value(lane) else { return };
        let id = id.clone();
        if let Some(lane) = self.queue.lanes.get_mut(&id) {
            let count = slot(&mut lane.counts, state);
            *count = count.saturating_add_signed(by);
        }
        self.queue.changed_rows.insert(id.clone());
        self.queue.touched.insert(id);
    }

    /// An unfinished job (back) into the queue.
    fn revive(&mut self, job: &Job, live: Option<LiveRow>, folded: bool) -> Planned<()> {
        let new = &job.new;
        let row = LiveRow {
            state: job.state,
            follow: live.as_ref().is_some_and(|row| row.follow) && !folded,
            cancel: false,
            due: job.due,
            updated: job.updated,
            claimed: 0,
            dedupe: live.as_ref().map_or_else(|| tables::digest(&[&new.lane, &new.dedupe]), |row| row.dedupe),
            exclusive: match &live {
                Some(row) if !folded => row.exclusive,
                _ => tables::exclusive_digest(&new.exclusive),
            },
        };
        self.stage.put_bytes(keys::live(&new.lane, &new.id), &row.encode())?;
        if live.is_some() {
            self.queue.change(&new.id, |old| *old = row);
        } else {
            let lane = self.queue.lane_for(&new.lane, &new.organization);
            self.queue.insert(new.id.as_str().into(), lane, row);
        }
        Ok(())
    }

    /// An attempt that nobody will end: the job is due again at `now`, its number is used up, and a fault is counted.
    pub(crate) fn interrupt(&mut self, id: &str, now: u64) -> Planned<()> {
        let claimed = self.queue.live.get(id).map_or(now, |live| live.row.claimed);
        let Some(mut job) = self.job(id)? else {
            return Err(Halt::Fatal(format!("the body of the running job {id} is missing")));
        };
        job.attempts += 1;
        job.faults += 1;
        job.trouble = Some(JobTrouble::Interrupted);
        job.state = JobState::Retrying;
        job.due = now;
        job.updated = job.updated.max(now);
        let attempt = Attempt {
            job: id.to_owned(),
            number: job.attempts,
            connector: String::new(),
            version: String::new(),
            digest: crm_contract::ports::Digest(String::new()),
            started: claimed,
            ended: now.max(claimed),
            outcome: Outcome::Interrupted,
            log: Vec::new(),
            asked: None,
        };
        self.stage.put(keys::attempt(id, attempt.number), &attempt)?;
        self.settle(job, None)
    }
}
