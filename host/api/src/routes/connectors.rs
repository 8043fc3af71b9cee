//! The directory of connectors.

use axum::Json;
use axum::extract::State;
use crm_sync::services::connectors::{self, Search};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::App;
use crate::extract::{Id, Query, Tenant};
use crate::page::Page;
use crate::problem::Problem;
use crate::types::connectors::{ConnectorCard, ConnectorDetail};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DirectoryQuery {
    /// Words that must all stand in name, slug, category or pitch, in any case.
    #[serde(default)]
    q: String,
    /// One category, as the cards name it, in any case.
    #[serde(default)]
    category: String,
}

/// Every connector, or those that are looked for, by name.
#[utoipa::path(get, path = "/v1/connectors", tag = "connectors", params(DirectoryQuery),
    responses((status = 200, body = Page<ConnectorCard>)))]
pub(crate) async fn list_connectors(
    _tenant: Tenant,
    State(app): State<App>,
    Query(query): Query<DirectoryQuery>,
) -> Json<Page<ConnectorCard>> {
    let search = Search { words: query.q, category: query.category };
    let all = connectors::list(&app.state.ctx);
    Json(Page::new(all.iter().filter(|connector| search.finds(connector)).map(Into::into).collect(), None))
}

/// One connector: connect form, what syncs, limits, setup page.
#[utoipa::path(get, path = "/v1/connectors/{slug}", tag = "connectors", params(("slug" = String, Path)),
    responses((status = 200, body = ConnectorDetail)))]
pub(crate) async fn get_connector(_tenant: Tenant, State(app): State<App>, Id(slug): Id) -> Result<Json<ConnectorDetail>, Problem> {
    Ok(Json((&connectors::one(&app.state.ctx, &slug)?).into()))
}
