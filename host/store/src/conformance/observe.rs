//! Everything that can be seen of a store, as lines that can be compared.

use super::play::{EMAILS, KINDS, LANES, NAMES, ORGANIZATIONS, SCOPE};
use crate::model::*;
use crate::model_store::MemoryModel;
use crate::{Store, StoreError};

/// All records, names, jobs (whole, filtered and in pages), attempts, steps, counts and contacts.
pub(super) async fn everything(store: &dyn Store, jobs: &[(String, String)]) -> Result<Vec<String>, StoreError> {
    let mut lines = Vec::new();
    for organization in ORGANIZATIONS.into_iter().chain(["org_c"]) {
        for kind in KINDS {
            lines.push(format!("{organization} {kind:?}: {:?}", store.page(organization, kind, None, 100).await?));
            lines.push(format!("from doc_0: {:?}", store.page(organization, kind, Some("doc_0"), 1).await?));
            for name in NAMES {
                lines.push(format!("{name}: {:?}", store.find(organization, kind, "name", name).await?));
            }
            for (prefix, after, limit) in [("", None, 9), ("", Some("a"), 1), ("a", None, 1), ("a", Some("a"), 9), ("b", Some("a"), 9)] {
                let named = store.named(organization, kind, "name", prefix, after, limit).await?;
                lines.push(format!("{limit} of {prefix:?} after {after:?}: {named:?}"));
            }
        }
        lines.push(format!("{organization}: {:?}", store.counts(organization, "", None).await?));
        for lanes in ["con", "con_2", "w"] {
            lines.push(format!("{organization} {lanes}..: {:?}", store.counts(organization, lanes, None).await?));
        }
        for (_, lane) in LANES {
            lines.push(format!("{organization} {lane}: {:?}", store.counts(organization, "", Some(lane)).await?));
        }
        for filter in filters() {
            let mut page = store.jobs(organization, &filter, None, 3).await?;
            let mut all = Vec::new();
            while let Some(last) = page.last() {
                let last = last.new.id.clone();
                all.extend(page);
                page = store.jobs(organization, &filter, Some(&last), 3).await?;
            }
            // Whole jobs once; of the filtered listings the ids do.
            if filter == JobFilter::default() {
                lines.extend(all.iter().map(|job| format!("{job:?}")));
            }
            let ids: Vec<&str> = all.iter().map(|job| job.new.id.as_str()).collect();
            lines.push(format!("{organization} {filter:?}: {ids:?}"));
        }
    }
    for (organization, id) in jobs {
        lines.push(format!("{id}: {:?}", store.job(organization, id).await?));
        lines.push(format!("{id}: {:?}", store.attempts(organization, id).await?));
        lines.push(format!("{id}: {:?}", store.steps(organization, id).await?));
        let other = if organization == "org_a" { "org_b" } else { "org_a" };
        lines.push(format!("{id} for {other}: {:?}", store.job(other, id).await?.is_some()));
    }
    for (_, lane) in LANES {
        for (email, scope) in EMAILS.into_iter().flat_map(|email| ["", SCOPE].map(|scope| (email, scope))) {
            lines.push(format!("{lane} {scope} {email}: {:?}", store.contact(&contact_lane(lane, scope), email).await?));
        }
    }
    Ok(lines)
}

fn filters() -> Vec<JobFilter> {
    let mut filters = vec![JobFilter::default()];
    filters.extend(LANES.map(|(_, lane)| JobFilter { lane: Some(lane.into()), ..JobFilter::default() }));
    let states = [JobState::Pending, JobState::Running, JobState::Waiting, JobState::Retrying, JobState::Parked];
    let finals = [JobState::Succeeded, JobState::Failed, JobState::Cancelled];
    filters.extend(states.into_iter().chain(finals).map(|state| JobFilter { state: Some(state), ..JobFilter::default() }));
    filters.push(JobFilter { campaign: Some("cmp_1".into()), ..JobFilter::default() });
    let affiliate = Some("aff_0".to_owned());
    filters.push(JobFilter { affiliate: affiliate.clone(), ..JobFilter::default() });
    let (campaign, state, lane) = (Some("cmp_0".into()), Some(JobState::Succeeded), Some("con_1".into()));
    filters.push(JobFilter { affiliate: affiliate.clone(), campaign, state, lane, lanes: String::new() });
    filters.extend(["con", "con_1", "whe"].map(|lanes| JobFilter { lanes: lanes.into(), ..JobFilter::default() }));
    filters.push(JobFilter { lanes: "con_2".into(), affiliate, ..JobFilter::default() });
    filters
}

/// What is ready. A store may list a lane whose due jobs all wait for an `exclusive` key, and may be early with `next_due`: that costs a
/// look. It may not leave out a lane that could be claimed from.
pub(super) async fn ready(store: &dyn Store, model: &MemoryModel, now: u64) -> Result<(), String> {
    let (got, wanted) = (store.ready(now, 100), model.ready(now, 100));
    for lane in &wanted {
        match got.iter().find(|other| other.lane == lane.lane) {
            None => return Err(format!("{lane:?} is ready, and not listed: {got:?}")),
            Some(other) if (&other.organization, other.running) != (&lane.organization, lane.running) || other.due > lane.due => {
                return Err(format!("{lane:?} is listed as {other:?}"));
            }
            Some(_) => {}
        }
    }
    for lane in got.iter().filter(|lane| wanted.iter().all(|other| other.lane != lane.lane)) {
        let filter = JobFilter { lane: Some(lane.lane.clone()), ..JobFilter::default() };
        let jobs = model.jobs(&lane.organization, &filter, None, 1000).await.map_err(|error| error.to_string())?;
        let waits = |job: &Job| matches!(job.state, JobState::Pending | JobState::Waiting | JobState::Retrying) && job.due <= now;
        if !jobs.iter().any(waits) {
            return Err(format!("{lane:?} is listed without a due job"));
        }
    }
    if got.windows(2).any(|pair| pair[0].due > pair[1].due) {
        return Err(format!("not the earliest due first: {got:?}"));
    }
    match (store.next_due(), model.next_due()) {
        (None, Some(due)) => Err(format!("something is due at {due}, and nothing is said of it")),
        (Some(got), Some(due)) if got > due => Err(format!("something is due at {due}, said is {got}")),
        _ => Ok(()),
    }
}
