//! The trait over the committer (everything that writes), the view (what is ready) and the reader (everything else). What costs
//! time and needs no state, such as encoding and sealing, happens here on the caller's thread.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use crm_contract::ports::CredentialSource;
use crm_contract::secrets::Token;
use crm_contract::types::Known;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::checks::{births, check_erase, check_job, check_puts, short};
use crate::committer::CLOSED;
use crate::committer::op::{Ending, Granted, Op};
use crate::limits;
use crate::model::*;
use crate::port::{Ack, Store, StoreError, Whose};
use crate::reads::documents::record;
use crate::rows::envelope::{self, Write};
use crate::rows::tables::{self, DocRow, LiveRow, fold_email};
use crate::rows::{Damaged, keys};
use crate::sealing::handle::{self, Handle};
use crate::sealing::{self};
use crate::sled_store::SledStore;

#[async_trait]
impl Store for SledStore {
    async fn get(&self, key: &RecordKey) -> Result<Option<Record>, StoreError> {
        let row: Option<DocRow> = self.reader.read(&keys::doc(&key.organization, key.kind, &key.id)).await?;
        Ok(row.map(|row| record(key.clone(), row)))
    }

    async fn page(&self, organization: &str, kind: Kind, after: Option<&str>, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.reader.page(organization, kind, after, limit).await
    }

    async fn find(&self, organization: &str, kind: Kind, namespace: &str, name: &str) -> Result<Option<Record>, StoreError> {
        if namespace.len() > keys::MAX_PART || name.len() > keys::MAX_PART {
            return Ok(None);
        }
        let key = keys::unique(organization, kind, namespace, name);
        let Some(id) = self.reader.read::<String>(&key).await? else { return Ok(None) };
        self.get(&RecordKey { organization: organization.to_owned(), kind, id }).await
    }

    async fn named(
        &self,
        organization: &str,
        kind: Kind,
        namespace: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Record)>, StoreError> {
        self.reader.named(organization, kind, namespace, (prefix, after), limit).await
    }

    async fn commit(&self, puts: Vec<Put>, jobs: Vec<NewJob>) -> Result<Vec<Ack>, StoreError> {
        let jobs = births(jobs)?;
        check_puts(&puts, &jobs)?;
        self.committer.ask(|reply| Op::Commit { puts, jobs, reply }).await
    }

    fn ready(&self, now: u64, limit: usize) -> Vec<ReadyLane> {
        if self.reader.barrier.check().is_err() { Vec::new() } else { self.view.ready(now, limit) }
    }

    fn next_due(&self) -> Option<u64> {
        self.view.next_due()
    }

    // Not an `async fn`: the waiter is registered when the future is made, before its caller looks.
    fn woken<'life, 'wait>(&'life self) -> Pin<Box<dyn Future<Output = ()> + Send + 'wait>>
    where
        'life: 'wait,
        Self: 'wait,
    {
        Box::pin(self.view.woken())
    }

    fn hold(&self, lane: &str, until: u64) {
        self.view.hold(lane, until);
    }

    async fn park(&self, lane: &str, parked: bool, now: u64) -> Result<(), StoreError> {
        short(lane)?;
        let lane = lane.to_owned();
        self.committer.ask(|reply| Op::Park { lane, parked, now, reply }).await
    }

    async fn claim(&self, owner: &str, now: u64, lease_ms: u64, wants: &[(String, u32)]) -> Result<Vec<Claim>, StoreError> {
        let (owner, wants) = (owner.into(), wants.to_vec());
        let granted = self.committer.ask(|reply| Op::Claim { owner, now, lease_ms, wants, reply }).await?;
        let mut claims = Vec::with_capacity(granted.len());
        for grant in granted {
            let job = grant.job.clone();
            match self.claimed(grant).await {
                Ok(claim) => claims.push(claim),
                Err(error @ StoreError::Unusable(_)) => {
                    // One damaged row must not keep the others from running; this job's lease runs out.
                    tracing::error!(job = &*job, %error, "a claimed job cannot be read");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(claims)
    }

    async fn renew(&self, owner: &str, now: u64, lease_ms: u64) -> Result<Vec<String>, StoreError> {
        let owner = owner.into();
        self.committer.ask(|reply| Op::Renew { owner, now, lease_ms, reply }).await
    }

    async fn step(&self, lane: &str, epoch: u64, job: &str, step: Step, durable: bool) -> Result<(), StoreError> {
        let rows = wrap(keys::step(job, step.attempt, step.number), &step, limits::STEP_BYTES)?;
        let (lane, job) = (lane.to_owned(), job.to_owned());
        if durable {
            self.committer.ask(|reply| Op::Step { lane, epoch, job, rows, reply: Some(reply) }).await
        } else {
            self.committer.send(Op::Step { lane, epoch, job, rows, reply: None }).await
        }
    }

    async fn finish(&self, lane: &str, epoch: u64, finish: Finish) -> Result<(), StoreError> {
        let Finish { job, attempt, known, jobs } = finish;
        if job.state == JobState::Running {
            return Err(StoreError::Unusable("an attempt cannot end with its job running".into()));
        }
        check_job(&job.new)?;
        let id = &job.new.id;
        let job_rows = wrap(keys::job(id), &job, limits::JOB_BYTES)?;
        let attempt_rows = match &attempt {
            Some(attempt) => wrap(keys::attempt(id, attempt.number), attempt, limits::ATTEMPT_BYTES)?,
            None => Vec::new(),
        };
        let contact_rows = match known {
            Some(known) => {
                let (lane, email) = (job.new.contact_lane(), fold_email(&job.new.who.email));
                let key = keys::contact(&lane, &email);
                wrap(key, &Contact { lane, email, known, updated: job.updated }, limits::DOCUMENT_BYTES)?
            }
            None => Vec::new(),
        };
        let jobs = births(jobs)?;
        check_puts(&[], &jobs)?;
        let ending = Box::new(Ending { lane: lane.to_owned(), epoch, job, job_rows, attempt_rows, contact_rows, jobs });
        self.committer.ask(|reply| Op::Finish { ending, reply }).await
    }

    async fn job(&self, organization: &str, id: &str) -> Result<Option<Job>, StoreError> {
        let mut tries = 0;
        loop {
            let begun = self.reader.barrier.begun();
            let Some(job) = self.reader.read::<Job>(&keys::job(id)).await? else { return Ok(None) };
            if job.new.organization != organization {
                return Ok(None);
            }
            let key = keys::live(&job.new.lane, id);
            let live = self.reader.payload(&key).await?;
            tries += 1;
            // Two rows, read one after the other: again, if a batch came between them.
            if self.reader.barrier.begun() != begun && tries < 8 {
                continue;
            }
            return match live {
                Some(payload) => Ok(Some(LiveRow::decode(&key, &payload)?.over(job))),
                None => Ok(Some(job)),
            };
        }
    }

    async fn jobs(&self, organization: &str, filter: &JobFilter, before: Option<&str>, limit: usize) -> Result<Vec<Job>, StoreError> {
        let lanes = self.view.lanes_of(organization, &filter.lanes);
        self.reader.jobs(organization, lanes, filter, before, limit).await
    }

    async fn attempts(&self, organization: &str, job: &str) -> Result<Vec<Attempt>, StoreError> {
        if self.job(organization, job).await?.is_none() {
            return Ok(Vec::new());
        }
        Ok(self.reader.all(&keys::attempts_prefix(job)).await?.into_iter().map(|(_, attempt)| attempt).collect())
    }

    async fn steps(&self, organization: &str, job: &str) -> Result<Vec<Step>, StoreError> {
        if self.job(organization, job).await?.is_none() {
            return Ok(Vec::new());
        }
        Ok(self.reader.all(&keys::steps_prefix(job)).await?.into_iter().map(|(_, step)| step).collect())
    }

    async fn counts(&self, organization: &str, lanes: &str, lane: Option<&str>) -> Result<JobCounts, StoreError> {
        self.reader.barrier.check()?;
        Ok(self.view.counts(organization, lanes, lane))
    }

    async fn contact(&self, lane: &str, email: &str) -> Result<Option<Contact>, StoreError> {
        self.reader.read(&keys::contact(lane, &fold_email(email))).await
    }

    async fn contacts(&self, lane: &str, emails: &[String]) -> Result<Vec<Contact>, StoreError> {
        self.reader.contacts(lane, emails).await
    }

    async fn amend(&self, job: Job, expect: u64) -> Result<(), StoreError> {
        if job.state == JobState::Running {
            return Err(StoreError::Unusable("a job begins to run by being claimed".into()));
        }
        check_job(&job.new)?;
        wrap(Vec::new(), &job, limits::JOB_BYTES)?;
        let job = Box::new(job);
        self.committer.ask(|reply| Op::Amend { job, expect, reply }).await
    }

    async fn cancel_lane(&self, lane: &str, now: u64) -> Result<u64, StoreError> {
        let lane = lane.to_owned();
        let jobs = self.committer.ask(|reply| Op::List { lane, reply }).await?;
        let mut cancelled = 0;
        for slice in jobs.chunks(limits::SLICE) {
            let jobs = slice.to_vec();
            cancelled += self.committer.ask(|reply| Op::Cancel { jobs, now, reply }).await?;
        }
        Ok(cancelled)
    }

    async fn erase(&self, organization: &str, jobs: &[String], contacts: &[(String, String)], puts: Vec<Put>) -> Result<u64, StoreError> {
        check_erase(jobs, contacts, &puts)?;
        // Longer than any contact's: nothing is kept there.
        let contacts = contacts.iter().filter(|(lane, _)| lane.len() <= limits::CONTACT_LANE);
        let contacts = contacts.map(|(lane, email)| (lane.clone(), fold_email(email))).collect();
        let (organization, jobs) = (organization.to_owned(), jobs.to_vec());
        self.committer.ask(|reply| Op::Erase { organization, jobs, contacts, puts, reply }).await
    }

    async fn seal_with(&self, whose: &Whose, slots: BTreeMap<String, String>, tokens: BTreeMap<String, Token>) -> Result<(), StoreError> {
        let slots: Vec<(String, Zeroizing<String>)> = slots.into_iter().map(|(slot, value)| (slot, Zeroizing::new(value))).collect();
        check_whose(whose)?;
        let mut rows = Vec::with_capacity(slots.len());
        for (slot, value) in &slots {
            short(slot)?;
            if value.len() > limits::SECRET_BYTES {
                return Err(StoreError::TooLarge { bytes: value.len(), limit: limits::SECRET_BYTES });
            }
            let name = sealing::slot_name(slot);
            let row = sealing::seal(&self.key, whose, &name, 0, value.as_bytes())?;
            rows.push(wrap(keys::secret(&whose.organization, &whose.connection, &name), &row, envelope::MAX_VALUE)?);
        }
        for (auth, token) in &tokens {
            short(auth)?;
            rows.push(handle::token_rows(&self.key, whose, auth, token, token.version)?.1);
        }
        let prefix = keys::secrets_prefix(&whose.organization, &whose.connection);
        self.committer.ask(|reply| Op::Seal { prefix, rows, reply }).await
    }

    async fn forget(&self, whose: &Whose) -> Result<(), StoreError> {
        check_whose(whose)?;
        let prefix = keys::secrets_prefix(&whose.organization, &whose.connection);
        self.committer.ask(|reply| Op::Seal { prefix, rows: Vec::new(), reply }).await
    }

    fn credentials(&self, whose: &Whose) -> Arc<dyn CredentialSource> {
        Arc::new(Handle { whose: whose.clone(), reader: self.reader.clone(), committer: self.committer.clone(), key: self.key.clone() })
    }

    fn health(&self) -> Result<(), StoreError> {
        self.health_now()
    }

    fn interrupted_at_open(&self) -> u64 {
        self.interrupted()
    }

    async fn close(&self) -> Result<(), StoreError> {
        match self.committer.ask(|reply| Op::Close { reply }).await {
            Ok(()) => {}
            Err(StoreError::Broken(why)) if why == CLOSED => return Ok(()),
            Err(error) => {
                // Nothing more is written, but the files are let go.
                self.reader.disk.close()?;
                return Err(error);
            }
        }
        let (committer, disk) = (self.committer.clone(), self.reader.disk.clone());
        let closed = tokio::task::spawn_blocking(move || {
            committer.join();
            disk.close()
        });
        Ok(closed.await.map_err(|error| StoreError::Broken(format!("closing was interrupted: {error}")))??)
    }
}

impl SledStore {
    /// Reads what a worker needs to run the job it was granted.
    async fn claimed(&self, grant: Granted) -> Result<Claim, StoreError> {
        let Granted { lane, epoch, lease_until, job: id, due, updated } = grant;
        let key = keys::job(&id);
        let Some(mut job) = self.reader.read::<Job>(&key).await? else {
            return Err(Damaged::at(&key, "missing").into());
        };
        job.state = JobState::Running;
        job.due = due;
        job.updated = updated;
        let steps = if job.attempts == 0 {
            // A first attempt has nothing to look back on.
            Vec::new()
        } else {
            let steps: Vec<(Vec<u8>, Step)> = self.reader.all(&keys::steps_prefix(&id)).await?;
            steps.into_iter().map(|(_, step)| step).filter(|step| step.attempt > job.forget_before).collect()
        };
        let contacts = job.new.contact_lane();
        let known = match self.contact(&contacts, &job.new.who.email).await? {
            Some(contact) => contact.known,
            // An address that changed: what was learnt under the old one still names the contact.
            None => match &job.new.who.previous_email {
                Some(previous) => self.contact(&contacts, previous).await?.map(|contact| contact.known).unwrap_or_default(),
                None => Known::default(),
            },
        };
        Ok(Claim { lane, epoch, job, steps, known, lease_until })
    }
}

fn wrap<T: Serialize>(key: Vec<u8>, value: &T, limit: usize) -> Result<Vec<Write>, StoreError> {
    let payload = tables::encode(value)?;
    if payload.len() > limit {
        return Err(StoreError::TooLarge { bytes: payload.len(), limit });
    }
    Ok(envelope::wrap(key, &payload))
}

fn check_whose(whose: &Whose) -> Result<(), StoreError> {
    [&whose.organization, &whose.connection, &whose.connector, &whose.host].into_iter().try_for_each(|part| short(part))
}
