//! What time and crashes leave behind: uploads that broke off with the host, checks that nobody started, results past their days, and files
//! that belong to no import any more.

use crm_store::model::{Kind, Put};

use super::board::Which;
use super::document::{Import, ImportState, Pointer};
use super::upload::discard;
use super::{DAY_MS, results_name, source_name};
use crate::context::Context;
use crate::services::records::{self, Document};
use crate::services::{ServiceError, Versioned};

/// A check that is not started within this is cancelled, and its file deleted.
const UNSTARTED_DAYS: u64 = 7;
const PAGE: usize = 500;

/// Called once, before any upload can begin: clears what a crash left, and has the runner go on with what is unfinished.
pub async fn adopt(context: &Context) -> Result<(), ServiceError> {
    let mut unfinished: Vec<Which> = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = records::page::<Pointer>(context, "", after.as_deref(), PAGE, |pointer| pointer.until.is_none()).await?;
        for Versioned { value: pointer, .. } in page.items {
            match load(context, &pointer).await?.map(|import| import.state) {
                Some(ImportState::Receiving) => {
                    discard(context, &pointer.organization, &pointer.id, &source_name(&pointer.id)?).await;
                }
                Some(ImportState::Checking | ImportState::Running) => {
                    unfinished.push(Which { organization: pointer.organization, id: pointer.id });
                }
                _ => {}
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    delete_strays(context).await?;
    for which in unfinished {
        tracing::info!(import = which.id, "an unfinished import goes on");
        context.imports.post(which);
    }
    Ok(())
}

/// Called now and then: cancels checks that nobody started, and deletes results past their days. A failure is told and tried again.
pub async fn sweep(context: &Context) {
    if let Err(error) = clear_up(context).await {
        tracing::warn!(%error, "old imports could not be cleared up");
    }
}

async fn clear_up(context: &Context) -> Result<(), ServiceError> {
    let now = context.now();
    let mut after: Option<String> = None;
    loop {
        let page = records::page::<Pointer>(context, "", after.as_deref(), PAGE, |_| true).await?;
        for Versioned { value: pointer, .. } in page.items {
            match pointer.until {
                Some(until) if until <= now => {
                    context.spool()?.delete(&results_name(&pointer.id)?).await.map_err(super::spool_error)?;
                    let put = Put::delete(pointer.key(), None);
                    context.store.commit(vec![put], Vec::new()).await?;
                }
                Some(_) => {}
                None => cancel_unstarted(context, &pointer, now).await?,
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

async fn cancel_unstarted(context: &Context, pointer: &Pointer, now: u64) -> Result<(), ServiceError> {
    let Some(import) = load(context, pointer).await? else { return Ok(()) };
    if import.state == ImportState::Checked && import.created + UNSTARTED_DAYS * DAY_MS <= now {
        // On nobody's behalf.
        let host = Context { actor: None, ..context.clone() };
        super::cancel(&host, &pointer.organization, &pointer.id).await?;
    }
    Ok(())
}

/// Files of imports that have ended, and of none.
async fn delete_strays(context: &Context) -> Result<(), ServiceError> {
    let Some(spool) = &context.spool else { return Ok(()) };
    for file in spool.list().await.map_err(super::spool_error)? {
        let name = file.name.as_str();
        let id = name.strip_suffix("_results").or_else(|| name.strip_suffix("_check")).unwrap_or(name);
        let needed = match context.load::<Pointer>("", Kind::Import, id).await? {
            None => false,
            Some((pointer, _)) => pointer.until.is_none() || name.ends_with("_results"),
        };
        if !needed {
            spool.delete(&file.name).await.map_err(super::spool_error)?;
        }
    }
    Ok(())
}

async fn load(context: &Context, pointer: &Pointer) -> Result<Option<Import>, ServiceError> {
    match super::get(context, &pointer.organization, &pointer.id).await {
        Ok(Versioned { value, .. }) => Ok(Some(value)),
        Err(ServiceError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
