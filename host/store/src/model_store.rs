//! The store as a model in memory: small, slow, obviously right. It is the oracle of the conformance suite and a stand-in for tests of other
//! rooms. It is no back end: nothing survives the process, and secrets lie in the clear.

mod documents;
mod hands;
mod secrets;
mod world;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use crm_contract::ports::CredentialSource;
use crm_contract::secrets::Token;
use parking_lot::Mutex;
use tokio::sync::Notify;

use self::world::World;
use crate::checks::{births, check_erase, check_puts};
use crate::model::*;
use crate::port::{Ack, Store, StoreError, Whose};

/// The model. Clones share one world.
#[derive(Clone, Default)]
pub struct MemoryModel {
    world: Arc<Mutex<World>>,
    woken: Arc<Notify>,
}

impl MemoryModel {
    pub fn new() -> Self {
        Self::default()
    }

    /// What a crash and a new start at `now` do: running jobs are due again, leases and holds are gone, epochs have risen.
    pub fn restart(&self, now: u64) {
        self.world.lock().restart(now);
    }

    /// Retention, as the back ends do it.
    pub fn expire(&self, before: u64) -> u64 {
        self.world.lock().expire(before)
    }

    /// A change that may make work ready.
    fn change<T>(&self, act: impl FnOnce(&mut World) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let result = self.quietly(act);
        self.woken.notify_waiters();
        self.woken.notify_one();
        result
    }

    /// A change that cannot.
    fn quietly<T>(&self, act: impl FnOnce(&mut World) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut world = self.world.lock();
        if world.closed { Err(StoreError::Broken("the store is closed".into())) } else { act(&mut world) }
    }

    fn look<T>(&self, look: impl FnOnce(&World) -> T) -> Result<T, StoreError> {
        let world = self.world.lock();
        if world.closed { Err(StoreError::Broken("the store is closed".into())) } else { Ok(look(&world)) }
    }
}

#[async_trait]
impl Store for MemoryModel {
    async fn get(&self, key: &RecordKey) -> Result<Option<Record>, StoreError> {
        self.look(|world| world.record(key))
    }

    async fn page(&self, organization: &str, kind: Kind, after: Option<&str>, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.look(|world| {
            let keys = world.docs.keys().filter(|key| key.organization == organization && key.kind == kind);
            let keys = keys.filter(|key| after.is_none_or(|after| key.id.as_str() > after));
            keys.take(limit).filter_map(|key| world.record(key)).collect()
        })
    }

    async fn find(&self, organization: &str, kind: Kind, namespace: &str, name: &str) -> Result<Option<Record>, StoreError> {
        self.look(|world| world.names(organization, kind, namespace).remove(name))
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
        self.look(|world| {
            let names = world.names(organization, kind, namespace).into_iter();
            let names = names.filter(|(name, _)| name.starts_with(prefix) && after.is_none_or(|after| name.as_str() > after));
            names.take(limit).collect()
        })
    }

    async fn commit(&self, puts: Vec<Put>, jobs: Vec<NewJob>) -> Result<Vec<Ack>, StoreError> {
        check_puts(&puts, &births(jobs.clone())?)?;
        self.change(|world| world.commit(puts, jobs))
    }

    fn ready(&self, now: u64, limit: usize) -> Vec<ReadyLane> {
        let mut lanes = self.world.lock().ready(now);
        lanes.truncate(limit);
        lanes
    }

    fn next_due(&self) -> Option<u64> {
        self.world.lock().next_due()
    }

    // Not an `async fn`: the waiter is registered when the future is made, before its caller looks.
    fn woken<'life, 'wait>(&'life self) -> Pin<Box<dyn Future<Output = ()> + Send + 'wait>>
    where
        'life: 'wait,
        Self: 'wait,
    {
        Box::pin(self.woken.notified())
    }

    fn hold(&self, lane: &str, until: u64) {
        if let Some(lane) = self.world.lock().lanes.get_mut(lane) {
            lane.hold = until;
        }
    }

    async fn park(&self, lane: &str, parked: bool, now: u64) -> Result<(), StoreError> {
        self.change(|world| {
            world.park(lane, parked, now);
            Ok(())
        })
    }

    async fn claim(&self, owner: &str, now: u64, lease_ms: u64, wants: &[(String, u32)]) -> Result<Vec<Claim>, StoreError> {
        self.quietly(|world| Ok(world.claim(owner, now, now.saturating_add(lease_ms), wants)))
    }

    async fn renew(&self, owner: &str, now: u64, lease_ms: u64) -> Result<Vec<String>, StoreError> {
        self.change(|world| Ok(world.renew(owner, now, now.saturating_add(lease_ms))))
    }

    async fn step(&self, lane: &str, epoch: u64, job: &str, step: Step, durable: bool) -> Result<(), StoreError> {
        let bytes = crate::rows::tables::encode(&step)?.len();
        if bytes > crate::limits::STEP_BYTES {
            return Err(StoreError::TooLarge { bytes, limit: crate::limits::STEP_BYTES });
        }
        let written = self.quietly(|world| {
            world.fence(lane, epoch, job)?;
            world.steps.insert((job.to_owned(), step.attempt, step.number), step);
            Ok(())
        });
        // Without durability the caller does not wait for the answer; a fence shows itself later.
        if durable { written } else { Ok(()) }
    }

    async fn finish(&self, lane: &str, epoch: u64, finish: Finish) -> Result<(), StoreError> {
        if finish.job.state == JobState::Running {
            return Err(StoreError::Unusable("an attempt cannot end with its job running".into()));
        }
        check_puts(&[], &births(finish.jobs.clone())?)?;
        self.change(|world| world.finish(lane, epoch, finish))
    }

    async fn job(&self, organization: &str, id: &str) -> Result<Option<Job>, StoreError> {
        self.look(|world| world.job(organization, id).cloned())
    }

    async fn jobs(&self, organization: &str, filter: &JobFilter, before: Option<&str>, limit: usize) -> Result<Vec<Job>, StoreError> {
        self.look(|world| {
            let jobs = world.jobs.values().rev().map(|kept| &kept.job).filter(|job| job.new.organization == organization);
            let jobs = jobs.filter(|job| before.is_none_or(|before| job.new.id.as_str() < before));
            jobs.filter(|job| crate::reads::listing::matches(job, filter)).take(limit).cloned().collect()
        })
    }

    async fn attempts(&self, organization: &str, job: &str) -> Result<Vec<Attempt>, StoreError> {
        self.look(|world| match world.job(organization, job) {
            None => Vec::new(),
            Some(_) => world.attempts.iter().filter(|((id, _), _)| id == job).map(|(_, attempt)| attempt.clone()).collect(),
        })
    }

    async fn steps(&self, organization: &str, job: &str) -> Result<Vec<Step>, StoreError> {
        self.look(|world| match world.job(organization, job) {
            None => Vec::new(),
            Some(_) => world.steps_of(job),
        })
    }

    async fn counts(&self, organization: &str, lanes: &str, lane: Option<&str>) -> Result<JobCounts, StoreError> {
        self.look(|world| {
            let mut counts = JobCounts::default();
            let jobs = world.jobs.values().map(|kept| &kept.job).filter(|job| job.new.organization == organization);
            let jobs = jobs.filter(|job| job.new.lane.starts_with(lanes));
            for job in jobs.filter(|job| lane.is_none_or(|lane| lane == job.new.lane)) {
                *crate::committer::queue::slot(&mut counts, job.state) += 1;
            }
            counts
        })
    }

    async fn contact(&self, lane: &str, email: &str) -> Result<Option<Contact>, StoreError> {
        self.look(|world| world.contact(lane, email))
    }

    async fn contacts(&self, lane: &str, emails: &[String]) -> Result<Vec<Contact>, StoreError> {
        let emails: Vec<String> = emails.iter().map(|email| crate::rows::tables::fold_email(email)).collect();
        let part = format!("{lane}/");
        self.look(|world| {
            let found = world.contacts.values().filter(|contact| contact.lane == lane || contact.lane.starts_with(&part));
            found.filter(|contact| emails.contains(&contact.email)).cloned().collect()
        })
    }

    async fn amend(&self, job: Job, expect: u64) -> Result<(), StoreError> {
        if job.state == JobState::Running {
            return Err(StoreError::Unusable("a job begins to run by being claimed".into()));
        }
        self.change(|world| world.amend(job, expect))
    }

    async fn cancel_lane(&self, lane: &str, now: u64) -> Result<u64, StoreError> {
        self.change(|world| Ok(world.cancel_lane(lane, now)))
    }

    async fn erase(&self, organization: &str, jobs: &[String], contacts: &[(String, String)], puts: Vec<Put>) -> Result<u64, StoreError> {
        check_erase(jobs, contacts, &puts)?;
        self.change(|world| world.erase(organization, jobs, contacts, puts))
    }

    async fn seal_with(&self, whose: &Whose, slots: BTreeMap<String, String>, tokens: BTreeMap<String, Token>) -> Result<(), StoreError> {
        self.change(|world| {
            world.secrets.put(whose, slots, tokens);
            Ok(())
        })
    }

    async fn forget(&self, whose: &Whose) -> Result<(), StoreError> {
        self.change(|world| {
            world.secrets.forget(whose);
            Ok(())
        })
    }

    fn credentials(&self, whose: &Whose) -> Arc<dyn CredentialSource> {
        Arc::new(secrets::Handle { whose: whose.clone(), model: self.clone() })
    }

    fn health(&self) -> Result<(), StoreError> {
        self.look(|_| ())
    }

    fn interrupted_at_open(&self) -> u64 {
        self.world.lock().interrupted
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.world.lock().closed = true;
        Ok(())
    }
}
