//! Listings of jobs, newest first: a merge of several sorted ranges, so that a page costs what it shows and not what exists.
//! Finished jobs are indexed by organization, lane and state, and by affiliate; unfinished ones are found in their lane's queue rows.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::iter::Peekable;

use super::Reader;
use crate::disk::DiskError;
use crate::model::{Job, JobFilter, JobState};
use crate::port::StoreError;
use crate::rows::envelope::{self, Inside};
use crate::rows::tables::{AffiliateRow, EndedRow, LiveRow};
use crate::rows::{Damaged, keys, tables};

/// A job that may belong on the page.
struct Candidate {
    id: String,
    live: Option<LiveRow>,
}

type Found = Result<Option<Candidate>, DiskError>;
type Source = Peekable<Box<dyn Iterator<Item = Result<Candidate, DiskError>> + Send>>;

const FINAL: [JobState; 3] = [JobState::Succeeded, JobState::Failed, JobState::Cancelled];

/// One page. `lanes` are all lanes of the organization that begin as the filter says.
pub(crate) fn page(
    reader: &Reader,
    organization: &str,
    lanes: &[String],
    filter: &JobFilter,
    before: Option<&str>,
    limit: usize,
) -> Result<Vec<Job>, DiskError> {
    let mut sources = sources(reader, organization, lanes, filter, before);
    let mut heap: BinaryHeap<(String, Reverse<usize>)> = BinaryHeap::new();
    for (index, source) in sources.iter_mut().enumerate() {
        if let Some(id) = head(source)? {
            heap.push((id, Reverse(index)));
        }
    }
    let mut jobs: Vec<Job> = Vec::new();
    while jobs.len() < limit {
        let Some((id, Reverse(index))) = heap.pop() else { break };
        let Some(source) = sources.get_mut(index) else { break };
        let Some(candidate) = source.next().transpose()? else { continue };
        if let Some(id) = head(source)? {
            heap.push((id, Reverse(index)));
        }
        // Seen twice when it moved from one range to another while we read.
        if jobs.last().is_some_and(|last| last.new.id == id) {
            continue;
        }
        if let Some(job) = load(reader, candidate)?
            && job.new.organization == organization
            && matches(&job, filter)
        {
            jobs.push(job);
        }
    }
    Ok(jobs)
}

/// Whether a job is in a listing.
pub(crate) fn matches(job: &Job, filter: &JobFilter) -> bool {
    job.new.lane.starts_with(&filter.lanes)
        && filter.lane.as_ref().is_none_or(|lane| *lane == job.new.lane)
        && filter.state.is_none_or(|state| state == job.state)
        && filter.affiliate.as_ref().is_none_or(|affiliate| *affiliate == job.new.affiliate)
        && filter.campaign.as_ref().is_none_or(|campaign| *campaign == job.new.campaign)
}

fn head(source: &mut Source) -> Result<Option<String>, DiskError> {
    match source.peek() {
        None => Ok(None),
        Some(Ok(candidate)) => Ok(Some(candidate.id.clone())),
        Some(Err(error)) => Err(error.clone()),
    }
}

fn load(reader: &Reader, candidate: Candidate) -> Result<Option<Job>, DiskError> {
    let key = keys::job(&candidate.id);
    let Some(payload) = reader.disk.payload(&key)? else { return Ok(None) };
    let job: Job = tables::decode(&key, &payload)?;
    Ok(Some(match candidate.live {
        Some(live) => live.over(job),
        None => job,
    }))
}

fn sources(reader: &Reader, organization: &str, lanes: &[String], filter: &JobFilter, before: Option<&str>) -> Vec<Source> {
    let lanes = lanes.iter().filter(|lane| filter.lane.as_ref().is_none_or(|wanted| wanted == *lane));
    let mut sources: Vec<Source> = Vec::new();
    let campaign = filter.campaign.clone();
    for lane in lanes {
        if filter.state.is_none_or(|state| !state.is_final()) {
            let state = filter.state;
            sources.push(source(reader, &keys::live_prefix(lane), before, move |id, key, payload| {
                let live = LiveRow::decode(key, payload)?;
                let wanted = state.is_none_or(|state| state == live.state);
                Ok(wanted.then_some(Candidate { id, live: Some(live) }))
            }));
        }
        if filter.affiliate.is_some() {
            continue;
        }
        for state in FINAL.into_iter().filter(|state| filter.state.is_none_or(|wanted| wanted == *state)) {
            let campaign = campaign.clone();
            sources.push(source(reader, &keys::ended_prefix(organization, lane, state), before, move |id, key, payload| {
                if let Some(campaign) = &campaign {
                    let row: EndedRow = tables::decode(key, payload)?;
                    if row.campaign != *campaign {
                        return Ok(None);
                    }
                }
                Ok(Some(Candidate { id, live: None }))
            }));
        }
    }
    if let Some(affiliate) = &filter.affiliate {
        let (prefix, lane, state) = (filter.lanes.clone(), filter.lane.clone(), filter.state);
        sources.push(source(reader, &keys::affiliate_prefix(organization, affiliate), before, move |id, key, payload| {
            let row: AffiliateRow = tables::decode(key, payload)?;
            let wanted = row.lane.starts_with(&prefix)
                && lane.as_ref().is_none_or(|lane| *lane == row.lane)
                && state.is_none_or(|state| state == row.state)
                && campaign.as_ref().is_none_or(|campaign| *campaign == row.campaign);
            Ok(wanted.then_some(Candidate { id, live: None }))
        }));
    }
    sources
}

/// The rows of one range, newest first, that `keep` keeps.
fn source(
    reader: &Reader,
    prefix: &[u8],
    before: Option<&str>,
    keep: impl Fn(String, &[u8], &[u8]) -> Result<Option<Candidate>, Damaged> + Send + 'static,
) -> Source {
    let end = match before {
        Some(id) => Some([prefix, id.as_bytes()].concat()),
        None => keys::end_of(prefix),
    };
    let start = prefix.len();
    let rows = reader.disk.scan(prefix, end.as_deref(), true);
    let kept = rows.filter_map(move |row| {
        let found = row.and_then(|(key, value)| -> Found {
            let Inside::Whole(payload) = envelope::look(&key, &value)? else {
                return Err(Damaged::at(&key, "an index row in chunks").into());
            };
            let id = std::str::from_utf8(&key[start..]).map_err(|_| Damaged::at(&key, "an id that is no text"))?;
            Ok(keep(id.to_owned(), &key, payload)?)
        });
        found.transpose()
    });
    let boxed: Box<dyn Iterator<Item = Result<Candidate, DiskError>> + Send> = Box::new(kept);
    boxed.peekable()
}

impl Reader {
    /// A page that is of one piece: read again when a batch was applied meanwhile.
    pub(crate) async fn jobs(
        &self,
        organization: &str,
        lanes: Vec<String>,
        filter: &JobFilter,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Job>, StoreError> {
        self.barrier.check()?;
        let mut tries = 0;
        loop {
            let begun = self.barrier.begun();
            let (reader, organization, lanes) = (self.clone(), organization.to_owned(), lanes.clone());
            let (filter, before) = (filter.clone(), before.map(str::to_owned));
            // A filter that matches little may look at many rows: not on a thread that serves others.
            let found = tokio::task::spawn_blocking(move || page(&reader, &organization, &lanes, &filter, before.as_deref(), limit));
            let found = found.await.map_err(|error| StoreError::Unusable(format!("the listing was interrupted: {error}")))?;
            self.barrier.settle_all().await?;
            tries += 1;
            // Under steady writes a page of one piece may not come by itself; what moved meanwhile is then shown as found.
            if self.barrier.begun() == begun || (tries >= 4 && found.is_ok()) || tries >= 8 {
                return Ok(found?);
            }
        }
    }
}
