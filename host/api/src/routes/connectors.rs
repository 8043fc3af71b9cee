//! The directory of connectors.

use axum::Json;
use axum::extract::State;
use crm_sync::services::connectors;

use crate::App;
use crate::extract::{Id, Tenant};
use crate::page::Page;
use crate::problem::Problem;
use crate::types::connectors::{ConnectorCard, ConnectorDetail};

/// Every connector that can be connected.
#[utoipa::path(get, path = "/v1/connectors", tag = "connectors", responses((status = 200, body = Page<ConnectorCard>)))]
pub(crate) async fn list_connectors(_tenant: Tenant, State(app): State<App>) -> Json<Page<ConnectorCard>> {
    Json(Page::new(connectors::list(&app.state.ctx).iter().map(Into::into).collect(), None))
}

/// One connector: connect form, what syncs, limits, setup page.
#[utoipa::path(get, path = "/v1/connectors/{slug}", tag = "connectors", params(("slug" = String, Path)),
    responses((status = 200, body = ConnectorDetail)))]
pub(crate) async fn get_connector(_tenant: Tenant, State(app): State<App>, Id(slug): Id) -> Result<Json<ConnectorDetail>, Problem> {
    Ok(Json((&connectors::one(&app.state.ctx, &slug)?).into()))
}
