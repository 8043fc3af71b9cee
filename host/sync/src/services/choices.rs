//! The choices of a picker: known from the manifest, typed by hand, or read live from the merchant's account.

use crm_catalog::model::{Picker, Stage};
use crm_contract::types::{Answer, Choice, Invocation, Page, find};

use super::connections::{self, usable, wrong_answer};
use super::{ServiceError, form};
use crate::context::Context;
use crate::domain::Connection;

/// One page of choices of a connection's picker. A search that the vendor cannot do is done here, within the page.
pub async fn list(
    context: &Context,
    organization: &str,
    connection: &str,
    picker: &str,
    search: Option<&str>,
    cursor: Option<String>,
) -> Result<Page, ServiceError> {
    let (connection, _, manifest) = usable(context, organization, connection).await?;
    let picker = manifest.picker(picker).ok_or(ServiceError::NotFound("picker"))?;
    let search = form::optional_line("search", search, 200)?;
    page(context, &connection.value, picker, search, cursor).await
}

pub(crate) async fn page(
    context: &Context,
    connection: &Connection,
    picker: &Picker,
    search: Option<String>,
    cursor: Option<String>,
) -> Result<Page, ServiceError> {
    let (digest, manifest) = context
        .version_for(connection)
        .await
        .ok_or_else(|| ServiceError::conflict("connector_not_loaded", "the connector of this connection is not loaded at the moment"))?;
    if let Some(parent) = &picker.depends_on
        && find(&connection.picked, parent).is_none()
    {
        return Err(ServiceError::invalid(format!("picked.{parent}"), format!("pick {parent} first: {} depends on it", picker.label)));
    }
    let needle = search.as_ref().map(|s| s.to_lowercase());
    let fits = |choice: &Choice| needle.as_ref().is_none_or(|n| choice.name.to_lowercase().contains(n) || choice.id.to_lowercase() == *n);
    if !picker.r#static.is_empty() {
        let items = picker.r#static.iter().map(|s| Choice {
            id: s.id.clone(),
            name: s.name.clone(),
            detail: None,
            selectable: true,
            facts: Vec::new(),
        });
        return Ok(Page { items: items.filter(fits).collect(), next: None });
    }
    if picker.typed {
        return Ok(Page::default());
    }
    let asked = if picker.searchable { search.clone() } else { None };
    let invocation = Invocation::ListChoices { on: connection.for_guest(), picker: picker.name.clone(), search: asked, cursor };
    let credentials = context.store.credentials(&connection.whose());
    match connections::call(context, &digest, &manifest, connection, Stage::Pick, credentials, invocation).await? {
        Answer::Page(Ok(mut page)) => {
            if !picker.searchable {
                page.items.retain(fits);
            }
            Ok(page)
        }
        Answer::Page(Err(error)) => Err(ServiceError::Vendor { error }),
        _ => Err(wrong_answer()),
    }
}
