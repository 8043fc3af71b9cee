//! Organizations: made by the operator, changed by themselves. A pointer outside all organizations lets the operator list them.

use crm_store::model::{Kind, Put, RecordKey};

use super::records::{self, Paged, Versioned};
use super::{ServiceError, audit, campaigns, form};
use crate::context::Context;
use crate::domain::Organization;
use crate::ids::new_id;

/// What to change; everything absent stays, `Some(None)` clears.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OrganizationChange {
    pub name: Option<String>,
    pub portal_url: Option<Option<String>>,
    pub site_url: Option<Option<String>>,
}

/// Creates an organization. A test organization is one like any other; its keys say that it is for tests.
pub async fn create(context: &Context, name: &str, test: bool) -> Result<Organization, ServiceError> {
    let name = form::line("name", name, 100)?;
    let now = context.now();
    let organization = Organization { id: new_id("org", now), name, test, portal_url: None, site_url: None, created: now };
    let record = RecordKey { organization: String::new(), kind: Kind::Organization, id: organization.id.clone() };
    let pointer = Put { record, expect: Some(0), json: Some("{}".to_owned()), unique: Vec::new() };
    let log = audit::entry(context, &organization.id, "organization.created", &organization.id, &[])?;
    context.store.commit(vec![records::put(&organization, 0)?, pointer, log], Vec::new()).await?;
    Ok(organization)
}

/// All of them, oldest first.
pub async fn list(context: &Context, after: Option<&str>, limit: usize) -> Result<Paged<Organization>, ServiceError> {
    let mut found = context.store.page("", Kind::Organization, after, limit + 1).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = if more { found.last().map(|record| record.id.clone()) } else { None };
    let mut items = Vec::with_capacity(found.len());
    for pointer in found {
        items.push(get(context, &pointer.id).await?.value);
    }
    Ok(Paged { items, next })
}

pub async fn get(context: &Context, id: &str) -> Result<Versioned<Organization>, ServiceError> {
    records::load(context, id, id).await
}

/// Changes what an organization says of itself.
pub async fn update(
    context: &Context,
    id: &str,
    expect: Option<u64>,
    change: OrganizationChange,
) -> Result<Versioned<Organization>, ServiceError> {
    let before = get(context, id).await?;
    let mut value = before.value.clone();
    if let Some(name) = &change.name {
        value.name = form::line("name", name, 100)?;
    }
    if let Some(url) = &change.portal_url {
        value.portal_url = campaigns::web_address("portal_url", url.as_deref())?;
    }
    if let Some(url) = &change.site_url {
        value.site_url = campaigns::web_address("site_url", url.as_deref())?;
    }
    audit::save(context, "organization.updated", expect, before, value).await
}
