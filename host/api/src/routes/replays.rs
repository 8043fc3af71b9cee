//! What a version would do differently, and the record from which that is known: the operator's alone.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use crm_sync::services::{journal, releases};

use crate::extract::{Id, Ids, OperatorAuth, Query};
use crate::problem::Problem;
use crate::types::replays::{JournalQuery, ReplayQuery, SyncReplay};
use crate::{App, streamed};

/// The most lines of one journal file.
const MOST: u32 = 10_000;
const USUAL: u32 = 200;
const NDJSON: &str = "application/x-ndjson";

/// The last recorded run of one sync, run again on a version: what it would send differently, call by call, with every value. Nothing is sent.
#[utoipa::path(get, path = "/v1/admin/versions/{digest}/replay", tag = "admin", security(("operator_key" = [])),
    params(("digest" = String, Path), ReplayQuery), responses((status = 200, body = SyncReplay), (status = 409)))]
pub(crate) async fn replay_sync(
    operator: OperatorAuth,
    State(app): State<App>,
    Id(digest): Id,
    Query(query): Query<ReplayQuery>,
) -> Result<Json<SyncReplay>, Problem> {
    let (recorded, replayed) = releases::replay_sync(&operator.ctx(&app), &digest, &query.organization, &query.sync).await?;
    Ok(Json(SyncReplay::new(recorded, replayed)))
}

/// A journal file: the newest recorded runs of a connector, one JSON text a line, for `crm-host connector replay` and `connector fixture`. It
/// holds people's data, and no secret; each reading leaves a line in the audit log.
#[utoipa::path(get, path = "/v1/admin/connectors/{slug}/journal", tag = "admin", security(("operator_key" = [])),
    params(("slug" = String, Path), JournalQuery), responses((status = 200, body = String, content_type = "application/x-ndjson"), (status = 422)))]
pub(crate) async fn connector_journal(
    operator: OperatorAuth,
    State(app): State<App>,
    Id(slug): Id,
    Query(query): Query<JournalQuery>,
) -> Result<Response, Problem> {
    let most = query.most.unwrap_or(USUAL);
    if !(1..=MOST).contains(&most) {
        return Err(Problem::invalid("most", format!("must be 1 to {MOST}")));
    }
    let context = operator.ctx(&app);
    releases::one(&context, &slug).await?;
    Ok(streamed::answer(NDJSON, &format!("{slug}.jsonl"), |pieces| async move {
        let mut lines = journal::of_connector(&context, &slug, most as usize).await?;
        while let Some(line) = lines.next().await? {
            pieces.send(line).await?;
        }
        Ok(())
    }))
}

/// A journal file with the last recorded run of one sync.
#[utoipa::path(get, path = "/v1/admin/organizations/{id}/syncs/{sync}/journal", tag = "admin", security(("operator_key" = [])),
    params(("id" = String, Path), ("sync" = String, Path)),
    responses((status = 200, body = String, content_type = "application/x-ndjson"), (status = 409)))]
pub(crate) async fn sync_journal(
    operator: OperatorAuth,
    State(app): State<App>,
    Ids(organization, sync): Ids,
) -> Result<Response, Problem> {
    let line = journal::of_sync(&operator.ctx(&app), &organization, &sync).await?;
    Ok(streamed::answer(NDJSON, &format!("{sync}.jsonl"), |pieces| async move { pieces.send(line).await }))
}
