//! Plays one history on a store and on the model, and stops at the first difference.

use std::collections::BTreeMap;
use std::sync::Arc;

use crm_contract::ports::{Digest, ShownRequest, StepKey};
use crm_contract::types::{Ending, Error, Known, Told};

use super::history::{Act, End, Expect, Wish};
use super::{Factory, block_on, job, observe};
use crate::model::*;
use crate::model_store::MemoryModel;
use crate::{Store, StoreError};

pub(super) const LANES: [(&str, &str); 5] =
    [("org_a", "con_1"), ("org_a", "con_2"), ("org_b", "con_3"), ("org_b", "con_4"), ("org_a", "whe_1")];
pub(super) const ORGANIZATIONS: [&str; 2] = ["org_a", "org_b"];
pub(super) const EMAILS: [&str; 3] = ["ann@example.com", "Bob@Example.com ", "zoë@example.com"];
pub(super) const SCOPE: &str = "dst_1";
/// Names of documents: one begins another.
pub(super) const NAMES: [&str; 3] = ["a", "ab", "b"];
pub(super) const KINDS: [Kind; 2] = [Kind::Campaign, Kind::Affiliate];
const OWNERS: [&str; 2] = ["own_1", "own_2"];

struct Game<'a> {
    factory: &'a dyn Factory,
    store: Arc<dyn Store>,
    model: MemoryModel,
    now: u64,
    jobs: Vec<(String, String)>,
    /// What the model granted, and the epoch that the store gave the same claim.
    claims: Vec<(Claim, u64)>,
    epochs: BTreeMap<String, u64>,
}

/// Plays `acts`; the error says where the store and the model part.
pub(super) fn play(factory: &dyn Factory, acts: &[Act]) -> Result<(), String> {
    block_on(async {
        let now = 1_000;
        let model = MemoryModel::new();
        model.restart(now);
        let mut game =
            Game { factory, store: factory.open(now), model, now, jobs: Vec::new(), claims: Vec::new(), epochs: BTreeMap::new() };
        let mut result = Ok(());
        for (at, act) in acts.iter().enumerate() {
            result = game.act(act).await.map_err(|why| format!("act {at}, {act:?}: {why}"));
            if result.is_err() {
                break;
            }
        }
        if result.is_ok() {
            result = game.look().await.map_err(|why| format!("at the end: {why}"));
        }
        if result.is_ok() {
            result = game.reopen().await.map_err(|why| format!("after the last reopening: {why}"));
        }
        game.store.close().await.map_err(|error| format!("close: {error}"))?;
        result
    })
}

/// Equal, up to the words of refusals that only say what a caller did wrong.
fn same<T: PartialEq + std::fmt::Debug>(what: &str, store: Result<T, StoreError>, model: Result<T, StoreError>) -> Result<(), String> {
    match (&store, &model) {
        (Err(StoreError::Unusable(_)), Err(StoreError::Unusable(_))) => Ok(()),
        _ if store == model => Ok(()),
        _ => Err(format!("{what}: the store says {store:?}, the model {model:?}")),
    }
}

impl Game<'_> {
    async fn act(&mut self, act: &Act) -> Result<(), String> {
        // Every act takes a moment, so that times tell states apart.
        self.now += 1;
        match act {
            Act::Put { organization, kind, id, expect, json, names } => {
                let put = self.put(*organization, *kind, *id, *expect, json.map(|n| format!("{{\"n\":{n}}}")), names).await?;
                same("put", self.store.commit(vec![put.clone()], vec![]).await, self.model.commit(vec![put], vec![]).await)
            }
            Act::TwoPuts { organization, ids, names, expect } => {
                let first = self.put(*organization, 0, ids.0, Expect::Whatever, Some("{}".into()), &[names.0]).await?;
                let second = self.put(*organization, 0, ids.1, *expect, Some("[]".into()), &[names.1]).await?;
                let puts = vec![first, second];
                same("two puts", self.store.commit(puts.clone(), vec![]).await, self.model.commit(puts, vec![]).await)
            }
            Act::Enqueue { wish, with_put, wrong_lane } => {
                let new = self.wish(wish, *wrong_lane);
                let puts =
                    if *with_put { vec![self.put(0, 0, wish.person, Expect::Whatever, Some("1".into()), &[]).await?] } else { vec![] };
                self.enqueue(puts, vec![new]).await
            }
            Act::EnqueueTwo { lane, emails } => {
                let jobs = vec![self.new_job(*lane, emails.0), self.new_job(*lane, emails.1)];
                self.enqueue(vec![], jobs).await
            }
            Act::Pass(time) => {
                self.now += u64::from(*time);
                Ok(())
            }
            Act::Hold { lane, time } => {
                let until = self.now + u64::from(*time);
                self.store.hold(LANES[usize::from(*lane)].1, until);
                self.model.hold(LANES[usize::from(*lane)].1, until);
                Ok(())
            }
            Act::Park { lane, parked } => {
                let lane = LANES[usize::from(*lane)].1;
                same("park", self.store.park(lane, *parked, self.now).await, self.model.park(lane, *parked, self.now).await)
            }
            Act::Claim { owner, lanes, lease } => self.claim(*owner, lanes, *lease).await,
            Act::Renew { owner, lease } => {
                let owner = OWNERS[usize::from(*owner)];
                let lease = u64::from(*lease);
                same("renew", self.store.renew(owner, self.now, lease).await, self.model.renew(owner, self.now, lease).await)
            }
            Act::Step { claim, number, durable, size } => {
                if self.claims.is_empty() {
                    return Ok(());
                }
                let (claim, epoch) = claim.get(&self.claims).clone();
                let step = a_step(&claim, *number, usize::from(*size), self.now);
                let id = claim.job.new.id.as_str();
                let store = self.store.step(&claim.lane, epoch, id, step.clone(), *durable).await;
                same("step", store, self.model.step(&claim.lane, claim.epoch, id, step, *durable).await)
            }
            Act::Finish { claim, end, attempt, known, late, jobs, wrong_lane } => {
                if self.claims.is_empty() {
                    return Ok(());
                }
                // Mostly the newest claims, sometimes one whose time is over.
                let at = if *late { claim.index(self.claims.len()) } else { self.claims.len() - 1 - claim.index(self.claims.len().min(3)) };
                let (claim, epoch) = self.claims[at].clone();
                let jobs = jobs.iter().map(|wish| self.wish(wish, *wrong_lane)).collect();
                let finish = Finish { jobs, ..a_finish(&claim, *end, *attempt, *known, self.now) };
                let store = self.store.finish(&claim.lane, epoch, finish.clone()).await;
                same("finish", store, self.model.finish(&claim.lane, claim.epoch, finish).await)
            }
            Act::Amend { job, end, stale } => {
                if self.jobs.is_empty() {
                    return Ok(());
                }
                let (organization, id) = job.get(&self.jobs).clone();
                let found = self.model.job(&organization, &id).await.map_err(|error| error.to_string())?;
                let Some(mut job) = found else { return Ok(()) };
                let expect = if *stale { job.updated.wrapping_sub(1) } else { job.updated };
                ended(&mut job, *end, self.now);
                same("amend", self.store.amend(job.clone(), expect).await, self.model.amend(job, expect).await)
            }
            Act::CancelLane { lane } => {
                let lane = LANES[usize::from(*lane)].1;
                same("cancel", self.store.cancel_lane(lane, self.now).await, self.model.cancel_lane(lane, self.now).await)
            }
            Act::Erase { organization, jobs, contacts, id, expect } => {
                let mut ids = vec!["job_nobody".to_owned()];
                if !self.jobs.is_empty() {
                    ids.extend(jobs.iter().map(|job| job.get(&self.jobs).1.clone()));
                }
                let contacts: Vec<(String, String)> = contacts
                    .iter()
                    .map(|(lane, email, scoped)| {
                        let lane = contact_lane(LANES[usize::from(*lane)].1, if *scoped { SCOPE } else { "" });
                        (lane, EMAILS[usize::from(*email)].to_owned())
                    })
                    .collect();
                let put = self.put(*organization, 1, *id, *expect, Some("9".into()), &[*id]).await?;
                let organization = ORGANIZATIONS[usize::from(*organization)];
                let store = self.store.erase(organization, &ids, &contacts, vec![put.clone()]).await;
                same("erase", store, self.model.erase(organization, &ids, &contacts, vec![put]).await)
            }
            Act::Expire { age } => {
                let before = self.now.saturating_sub(u64::from(*age));
                match self.factory.expire(&self.store, before) {
                    Some(gone) => same("expire", Ok(gone), Ok(self.model.expire(before))),
                    None => Ok(()),
                }
            }
            Act::Reopen => self.reopen().await,
            Act::Look => self.look().await,
        }
    }

    async fn put(&self, organization: u8, kind: u8, id: u8, expect: Expect, json: Option<String>, names: &[u8]) -> Result<Put, String> {
        let record = RecordKey {
            organization: ORGANIZATIONS[usize::from(organization)].into(),
            kind: KINDS[usize::from(kind)],
            id: format!("doc_{id}"),
        };
        let version = self.model.get(&record).await.map_err(|error| error.to_string())?.map_or(0, |record| record.version);
        let expect = match expect {
            Expect::Whatever => None,
            Expect::Current => Some(version),
            Expect::Absent => Some(0),
            Expect::Wrong => Some(version + 7),
        };
        let unique = names.iter().map(|name| ("name".to_owned(), NAMES[usize::from(*name)].to_owned())).collect();
        Ok(Put { record, expect, json, unique })
    }

    fn new_job(&mut self, lane: u8, email: u8) -> NewJob {
        let (organization, lane) = LANES[usize::from(lane)];
        let n = self.jobs.len() as u64;
        let new = NewJob { created: self.now, due: self.now, ..job(n, organization, lane, EMAILS[usize::from(email)]) };
        self.jobs.push((organization.to_owned(), new.id.clone()));
        new
    }

    fn wish(&mut self, wish: &Wish, wrong_lane: bool) -> NewJob {
        let email = wish.email.unwrap_or(wish.person);
        let mut new = self.new_job(wish.lane, email);
        new.campaign = format!("cmp_{}", wish.campaign);
        new.affiliate = format!("aff_{}", wish.person);
        new.dedupe = format!("{}/{}/{}", new.lane, new.campaign, wish.person);
        new.exclusive = if wish.shared { format!("account/{email}") } else { format!("{}/{email}", new.lane) };
        new.due = self.now + u64::from(wish.after);
        new.purpose = [Purpose::Sync, Purpose::Untag, Purpose::Webhook][usize::from(wish.purpose)];
        new.payload = (new.purpose == Purpose::Webhook).then(|| format!("{{\"at\":{}}}", self.now));
        new.who.previous_email = wish.previous.map(|email| EMAILS[usize::from(email)].to_owned());
        if wish.clear {
            new.clear = vec!["old".into()];
        }
        if wish.scoped {
            new.scope = SCOPE.into();
        }
        if wrong_lane {
            new.organization = "org_c".into();
        }
        new
    }

    async fn enqueue(&mut self, puts: Vec<Put>, jobs: Vec<NewJob>) -> Result<(), String> {
        same("enqueue", self.store.commit(puts.clone(), jobs.clone()).await, self.model.commit(puts, jobs).await)
    }

    async fn claim(&mut self, owner: u8, lanes: &[(u8, u8)], lease: u16) -> Result<(), String> {
        let owner = OWNERS[usize::from(owner)];
        let wants: Vec<(String, u32)> = lanes.iter().map(|(lane, n)| (LANES[usize::from(*lane)].1.to_owned(), u32::from(*n))).collect();
        let store = self.store.claim(owner, self.now, u64::from(lease), &wants).await.map_err(|error| format!("claim: {error}"))?;
        let model = self.model.claim(owner, self.now, u64::from(lease), &wants).await.map_err(|error| error.to_string())?;
        if store.len() != model.len() {
            let ids = |claims: &[Claim]| claims.iter().map(|c| c.job.new.id.clone()).collect::<Vec<_>>();
            return Err(format!("the store granted {:?}, the model {:?}", ids(&store), ids(&model)));
        }
        for (got, wanted) in store.into_iter().zip(model) {
            let last = self.epochs.insert(got.lane.clone(), got.epoch);
            if last.is_some_and(|last| last > got.epoch) {
                return Err(format!("the epoch of {} fell to {}", got.lane, got.epoch));
            }
            let epoch = got.epoch;
            let got = Claim { epoch: wanted.epoch, ..got };
            if got != wanted {
                return Err(format!("the store granted {got:?}, the model {wanted:?}"));
            }
            self.claims.push((wanted, epoch));
        }
        Ok(())
    }

    async fn reopen(&mut self) -> Result<(), String> {
        self.store.close().await.map_err(|error| format!("close: {error}"))?;
        self.store = self.factory.open(self.now);
        self.model.restart(self.now);
        let (store, model) = (self.store.interrupted_at_open(), self.model.interrupted_at_open());
        if store != model {
            return Err(format!("{store} jobs were interrupted, the model says {model}"));
        }
        self.look().await
    }

    async fn look(&self) -> Result<(), String> {
        observe::ready(&*self.store, &self.model, self.now).await?;
        let store = observe::everything(&*self.store, &self.jobs).await;
        let model = observe::everything(&self.model, &self.jobs).await;
        let (store, model) = (store.map_err(|e| format!("looking: {e}"))?, model.map_err(|e| e.to_string())?);
        match store.iter().zip(&model).find(|(store, model)| store != model) {
            Some((store, model)) => Err(format!("the store shows\n  {store}\nthe model\n  {model}")),
            None if store.len() != model.len() => Err("one shows more than the other".into()),
            None => Ok(()),
        }
    }
}

fn a_step(claim: &Claim, number: u8, size: usize, now: u64) -> Step {
    let key = StepKey { call: "save".into(), hash: format!("{number}"), occurrence: 0 };
    let body = Some("x".repeat(size));
    let request = ShownRequest { method: "POST".into(), url: "https://acme.example/".into(), headers: Vec::new(), body };
    Step { attempt: claim.job.attempts + 1, number: u32::from(number), kept: KeptStep::Intent { key, request, at: now } }
}

fn ended(job: &mut Job, end: End, now: u64) {
    job.updated = now;
    job.finished = None;
    match end {
        End::Succeeded => (job.state, job.finished) = (JobState::Succeeded, Some(now)),
        // The store fills in when it finished.
        End::Failed => job.state = JobState::Failed,
        End::Cancelled => (job.state, job.finished) = (JobState::Cancelled, Some(now)),
        End::Retrying(after) => (job.state, job.due) = (JobState::Retrying, now + u64::from(after)),
        End::Waiting(after) => (job.state, job.due) = (JobState::Waiting, now + u64::from(after)),
        End::Parked => (job.state, job.due) = (JobState::Parked, now),
        End::Pending => (job.state, job.due) = (JobState::Pending, now),
    }
}

fn a_finish(claim: &Claim, end: End, attempt: bool, known: bool, now: u64) -> Finish {
    let mut job = claim.job.clone();
    job.attempts += 1;
    ended(&mut job, end, now);
    let told = Told { code: "500".into(), text: "no".into() };
    let attempt = attempt.then(|| Attempt {
        job: job.new.id.clone(),
        number: job.attempts,
        connector: "acme".into(),
        version: "1.0.0".into(),
        digest: Digest("00".into()),
        started: now,
        ended: now,
        outcome: Outcome::Ended(Ending::Failed(Error::Retryable(told))),
        log: vec!["a line".into()],
        asked: Some(Box::new(super::asked(claim))),
    });
    let known = known.then(|| Known { contact_id: Some(format!("{now}")), tags: vec!["tag".into()], memo: None });
    Finish { job, attempt, known, jobs: Vec::new() }
}
