//! The model's documents, and the commits that write documents and jobs at once.

use std::collections::{BTreeMap, BTreeSet};

use super::world::World;
use crate::model::*;
use crate::port::{Ack, StoreError};

#[derive(Clone)]
pub(super) struct Doc {
    version: u64,
    json: String,
    unique: Vec<(String, String)>,
}

impl World {
    pub(super) fn record(&self, key: &RecordKey) -> Option<Record> {
        let doc = self.docs.get(key)?;
        let RecordKey { organization, kind, id } = key.clone();
        Some(Record { organization, kind, id, version: doc.version, json: doc.json.clone() })
    }

    /// Every name that is held in a namespace, with its record.
    pub(super) fn names(&self, organization: &str, kind: Kind, namespace: &str) -> BTreeMap<String, Record> {
        let docs = self.docs.iter().filter(|(key, _)| key.organization == organization && key.kind == kind);
        let names = docs.flat_map(|(key, doc)| doc.unique.iter().map(move |(space, name)| (space, name, key)));
        let names = names.filter(|(space, ..)| *space == namespace);
        names.filter_map(|(_, name, key)| Some((name.clone(), self.record(key)?))).collect()
    }

    pub(super) fn commit(&mut self, puts: Vec<Put>, jobs: Vec<NewJob>) -> Result<Vec<Ack>, StoreError> {
        self.admit(&jobs)?;
        self.put_all(puts)?;
        Ok(jobs.into_iter().map(|job| self.enqueue(job)).collect())
    }

    /// Everything that could keep one of the jobs from being taken in.
    pub(super) fn admit(&self, jobs: &[NewJob]) -> Result<(), StoreError> {
        let mut ids = BTreeSet::new();
        let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
        for job in jobs {
            if self.jobs.contains_key(&job.id) || !ids.insert(&job.id) {
                return Err(StoreError::Conflict);
            }
            let known = self.lanes.get(&job.lane).map_or("", |lane| lane.organization.as_str());
            let first = *owners.entry(&job.lane).or_insert(&job.organization);
            if (!known.is_empty() && known != job.organization) || first != job.organization {
                return Err(StoreError::Unusable(format!("the lane {} belongs to another organization", job.lane)));
            }
        }
        Ok(())
    }

    fn put_all(&mut self, puts: Vec<Put>) -> Result<(), StoreError> {
        let before = self.docs.clone();
        let result = puts.into_iter().try_for_each(|put| self.put(put));
        if result.is_err() {
            self.docs = before;
        }
        result
    }

    fn put(&mut self, put: Put) -> Result<(), StoreError> {
        let key = put.record;
        let version = self.docs.get(&key).map_or(0, |doc| doc.version);
        if put.expect.is_some_and(|expect| expect != version) {
            return Err(StoreError::Conflict);
        }
        let Some(json) = put.json else {
            self.docs.remove(&key);
            return Ok(());
        };
        for (namespace, name) in &put.unique {
            if let Some(by) = self.names(&key.organization, key.kind, namespace).remove(name)
                && by.id != key.id
            {
                return Err(StoreError::Taken { namespace: namespace.clone(), by: by.id });
            }
        }
        self.docs.insert(key, Doc { version: version + 1, json, unique: put.unique });
        Ok(())
    }

    pub(super) fn erase(
        &mut self,
        organization: &str,
        jobs: &[String],
        contacts: &[(String, String)],
        puts: Vec<Put>,
    ) -> Result<u64, StoreError> {
        let jobs: BTreeSet<&String> = jobs.iter().filter(|id| self.job(organization, id).is_some()).collect();
        if jobs.iter().any(|id| self.job(organization, id).is_some_and(|job| job.state == JobState::Running)) {
            return Err(StoreError::Conflict);
        }
        self.put_all(puts)?;
        for id in &jobs {
            self.drop_job(id);
        }
        for (lane, email) in contacts {
            let part_of = |id: &str| lane.strip_prefix(id).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            let owner =
                |(id, kept): (&String, &super::world::Lane)| part_of(id) && ![organization, ""].contains(&kept.organization.as_str());
            if !self.lanes.iter().any(owner) {
                self.contacts.remove(&(lane.clone(), crate::rows::tables::fold_email(email)));
            }
        }
        Ok(jobs.len() as u64)
    }

    /// A job with all that hangs on it.
    pub(super) fn drop_job(&mut self, id: &str) {
        self.jobs.remove(id);
        self.attempts.retain(|(job, _), _| job != id);
        self.steps.retain(|(job, ..), _| job != id);
    }
}
