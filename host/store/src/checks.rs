//! What is refused for its shape alone, before anything is looked up: ids that no key can hold, and values that are too large.

use crate::committer::op::Birth;
use crate::committer::plan_docs;
use crate::limits;
use crate::model::{NewJob, Put};
use crate::port::StoreError;
use crate::rows::keys;

pub(crate) fn short(text: &str) -> Result<(), StoreError> {
    if text.len() > keys::MAX_PART { Err(StoreError::TooLarge { bytes: text.len(), limit: keys::MAX_PART }) } else { Ok(()) }
}

fn check_put(put: &Put) -> Result<(), StoreError> {
    short(&put.record.organization)?;
    short(&put.record.id)?;
    for (namespace, name) in &put.unique {
        short(namespace)?;
        short(name)?;
    }
    if put.unique.len() > limits::UNIQUE_NAMES {
        return Err(StoreError::TooLarge { bytes: put.unique.len(), limit: limits::UNIQUE_NAMES });
    }
    match &put.json {
        Some(json) if json.len() > limits::DOCUMENT_BYTES => Err(StoreError::TooLarge { bytes: json.len(), limit: limits::DOCUMENT_BYTES }),
        _ => Ok(()),
    }
}

/// Every put, and how much of everything there is.
pub(crate) fn check_puts(puts: &[Put], jobs: &[Birth]) -> Result<(), StoreError> {
    puts.iter().try_for_each(check_put)?;
    let bytes = puts.iter().map(|put| put.json.as_ref().map_or(64, String::len)).sum::<usize>()
        + jobs.iter().flat_map(|job| &job.rows).map(|(_, value)| value.as_ref().map_or(0, Vec::len)).sum::<usize>();
    if bytes > limits::COMMIT_BYTES { Err(StoreError::TooLarge { bytes, limit: limits::COMMIT_BYTES }) } else { Ok(()) }
}

pub(crate) fn births(jobs: Vec<NewJob>) -> Result<Vec<Birth>, StoreError> {
    jobs.into_iter().map(|job| check_job(&job).and_then(|()| plan_docs::birth(job))).collect()
}

pub(crate) fn check_job(job: &NewJob) -> Result<(), StoreError> {
    [&job.id, &job.organization, &job.lane, &job.affiliate, &job.campaign, &job.scope].into_iter().try_for_each(|part| short(part))?;
    if job.id.is_empty() || job.lane.is_empty() || job.organization.is_empty() {
        return Err(StoreError::Unusable("a job needs an id, a lane and an organization".into()));
    }
    Ok(())
}

pub(crate) fn check_erase(jobs: &[String], contacts: &[(String, String)], puts: &[Put]) -> Result<(), StoreError> {
    let most = jobs.len().max(contacts.len());
    if most > limits::ERASE {
        return Err(StoreError::TooLarge { bytes: most, limit: limits::ERASE });
    }
    check_puts(puts, &[])
}
