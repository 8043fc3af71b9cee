//! All affiliates as a table; all that is kept of one person; erasing one person.

use axum::Json;
use axum::response::Response;
use crm_sync::context::Context;
use crm_sync::domain::AffiliateStatus;
use crm_sync::services::affiliates::{self, AffiliateFilter};
use crm_sync::services::csv_out::CsvOut;
use crm_sync::services::person::erase;
use crm_sync::services::person::export::{self, Jobs, Person};
use crm_sync::services::{ServiceError, syncs};
use serde::Serialize;

use crate::extract::{Id, JsonBody, Query, Tenant};
use crate::problem::Problem;
use crate::streamed::{self, Cut, Pieces};
use crate::types::affiliate_rows::{self, ExportQuery};
use crate::types::affiliates::Affiliate;
use crate::types::people::{EraseOrder, Erased, PersonAuditEntry, PersonContact, PersonDelivery, PersonExport};
use crate::types::syncs::SyncDetail;
use crate::types::time;

/// Affiliates read at a time.
const PAGE: usize = 500;

/// Affiliates as CSV, oldest first, one row for each membership: columns `id`, `email`, `first`, `last`, `full`, `company`, `website`, `slug`,
/// `coupon`, `campaign`, `status`, `joined`, `approved`, `created`. Cells that a spreadsheet would run as a formula begin with an
/// apostrophe. A transfer that breaks off is not the whole list.
#[utoipa::path(get, path = "/v1/affiliates/export", tag = "affiliates", params(ExportQuery),
    responses((status = 200, content_type = "text/csv", body = String)))]
pub(crate) async fn export_affiliates(tenant: Tenant, Query(query): Query<ExportQuery>) -> Result<Response, Problem> {
    let (context, organization) = (tenant.ctx().clone(), tenant.organization().to_owned());
    let status: Option<AffiliateStatus> = query.status.map(Into::into);
    let filter = AffiliateFilter { campaign: query.campaign, status, ..AffiliateFilter::default() };
    // Read before the answer begins, so that what is wrong with the request is still said properly.
    let first = affiliates::list(&context, &organization, &filter, None, PAGE).await?;
    Ok(streamed::answer("text/csv; charset=utf-8", "affiliates.csv", |pieces| async move {
        let (mut out, mut page) = (CsvOut::default(), first);
        affiliate_rows::head(&mut out);
        loop {
            for affiliate in &page.items {
                affiliate_rows::rows(&mut out, &affiliate.value, filter.campaign.as_deref(), status);
            }
            if !out.is_empty() {
                pieces.send(out.take()).await?;
            }
            let Some(next) = page.next else { return Ok(()) };
            page = affiliates::list(&context, &organization, &filter, Some(&next), PAGE).await?;
        }
    }))
}

/// Everything that is kept about one person, as one document: the record, what is known of the contact with each vendor, invitations, the
/// audit log's lines, every sync with its exact requests and answers, and webhooks that tell of them. A transfer that breaks off is not the
/// whole document.
#[utoipa::path(get, path = "/v1/affiliates/{id}/export", tag = "affiliates", params(("id" = String, Path)),
    responses((status = 200, body = PersonExport)))]
pub(crate) async fn export_affiliate(tenant: Tenant, Id(id): Id) -> Result<Response, Problem> {
    let (context, organization) = (tenant.ctx().clone(), tenant.organization().to_owned());
    let person = export::person(&context, &organization, &id).await?;
    let file = format!("{}.json", person.affiliate.id);
    Ok(streamed::answer("application/json", &file, |pieces| async move { write(&context, person, &pieces).await }))
}

/// Erases one person: the record, their syncs with all that was sent and answered, webhooks that tell of them, what is known of the contact,
/// invitations, and kept answers that mention them. Contacts at the vendors stay: the answer says where one may be left. No webhook tells of
/// it. While a sync or webhook of theirs runs, this waits up to ten seconds, then is 409 `sync_running`; sent again (under a new
/// `Idempotency-Key`), it finishes the rest. Who applies again later is a new affiliate.
#[utoipa::path(post, path = "/v1/affiliates/{id}/erase", tag = "affiliates", request_body = EraseOrder, params(("id" = String, Path)),
    responses((status = 200, body = Erased)))]
pub(crate) async fn erase_affiliate(tenant: Tenant, Id(id): Id, JsonBody(order): JsonBody<EraseOrder>) -> Result<Json<Erased>, Problem> {
    let did = erase::erase(tenant.ctx(), tenant.organization(), &id, &order.confirm).await?;
    Ok(Json(Erased::of(id, did)))
}

/// Writes a [`PersonExport`].
async fn write(context: &Context, person: Person, pieces: &Pieces) -> Result<(), Cut> {
    let Person { affiliate, contacts, invites } = person;
    let (organization, id, former) = (affiliate.organization.clone(), affiliate.id.clone(), affiliate.former_emails.clone());
    let contacts: Vec<PersonContact> = contacts.into_iter().map(Into::into).collect();
    let mut text = String::from("{");
    field(&mut text, "exported", &time(context.now()))?;
    for (name, value) in [
        ("affiliate", json(&Affiliate::from(affiliate))?),
        ("former_emails", json(&former)?),
        ("contacts", json(&contacts)?),
        ("invites", json(&invites)?),
    ] {
        text += &format!(",\"{name}\":{value}");
    }
    pieces.send(text).await?;

    let mut list = List::begin(pieces, "audit").await?;
    let mut after: Option<String> = None;
    loop {
        let page = export::entries(context, &organization, &id, after.as_deref()).await?;
        for entry in page.items {
            list.item(&PersonAuditEntry::from(entry.value)).await?;
        }
        let Some(next) = page.next else { break };
        after = Some(next);
    }
    list.end().await?;

    for (name, which) in [("syncs", Jobs::Syncs), ("deliveries", Jobs::Deliveries)] {
        let mut list = List::begin(pieces, name).await?;
        let mut before: Option<String> = None;
        loop {
            let page = export::jobs(context, &organization, &id, which, before.as_deref()).await?;
            for job in page.items {
                let detail: syncs::SyncDetail = export::detail(context, job).await?;
                match which {
                    Jobs::Syncs => list.item(&SyncDetail::from(detail)).await?,
                    Jobs::Deliveries => list.item(&PersonDelivery::from(detail)).await?,
                }
            }
            let Some(next) = page.next else { break };
            before = Some(next);
        }
        list.end().await?;
    }
    pieces.send("}").await
}

/// A list within the document, item by item.
struct List<'a> {
    pieces: &'a Pieces,
    first: bool,
}

impl<'a> List<'a> {
    async fn begin(pieces: &'a Pieces, name: &str) -> Result<Self, Cut> {
        pieces.send(format!(",\"{name}\":[")).await?;
        Ok(Self { pieces, first: true })
    }

    async fn item(&mut self, item: &(impl Serialize + Sync)) -> Result<(), Cut> {
        let comma = if std::mem::take(&mut self.first) { "" } else { "," };
        self.pieces.send(format!("{comma}{}", json(item)?)).await
    }

    async fn end(self) -> Result<(), Cut> {
        self.pieces.send("]").await
    }
}

fn field(text: &mut String, name: &str, value: &impl Serialize) -> Result<(), Cut> {
    *text += &format!("\"{name}\":{}", json(value)?);
    Ok(())
}

fn json(value: &impl Serialize) -> Result<String, Cut> {
    serde_json::to_string(value).map_err(|error| Cut::Failed(ServiceError::Damaged(error.to_string())))
}
