//! Webhooks: where an organization's events go ([`endpoint`]), the secrets they are signed with ([`secrets`]), and what became of each
//! message ([`deliveries`]). A delivery is a job in the lane of its endpoint, made in the commit of the change that it tells of.

pub mod deliveries;
mod endpoint;
pub(crate) mod schedule;
pub(crate) mod secrets;

use crm_store::StoreError;
use crm_store::model::{NewJob, Purpose, Put};
use zeroize::Zeroizing;

use super::events::EventType;
use super::records::{self, Document as _, Paged};
use super::{ServiceError, Versioned, audit, form};
use crate::context::Context;
use crate::ids::new_id;

pub(crate) use endpoint::Directory;
pub use endpoint::{ALL_EVENTS, Disabled, DisabledBy, MOST_ENDPOINTS, WebhookEndpoint};
pub use schedule::planned;
pub use secrets::{OVERLAP_MS, Rotated, rotate};

/// How the lanes of deliveries begin.
pub const LANES: &str = "whe_";

/// An endpoint as typed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewEndpoint {
    pub url: String,
    pub description: Option<String>,
    /// Names of types, or [`ALL_EVENTS`].
    pub events: Vec<String>,
}

/// What to change; everything absent stays, `Some(None)` clears.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndpointChange {
    pub url: Option<String>,
    pub description: Option<Option<String>>,
    pub events: Option<Vec<String>>,
    /// Enabling also forgets why it was disabled.
    pub enabled: Option<bool>,
}

/// A new endpoint with its secret, which is shown once. No `Debug`.
pub struct Created {
    pub endpoint: Versioned<WebhookEndpoint>,
    pub secret: Zeroizing<String>,
}

/// Makes an endpoint. Events that happen after this has answered reach it.
pub async fn create(context: &Context, organization: &str, new: NewEndpoint) -> Result<Created, ServiceError> {
    let now = context.now();
    let secret = secrets::new_secret();
    let endpoint = WebhookEndpoint {
        id: new_id("whe", now),
        organization: organization.to_owned(),
        url: check_url(context, &new.url)?,
        description: form::optional_line("description", new.description.as_deref(), 300)?,
        events: check_events(&new.events)?,
        disabled: None,
        failing_since: None,
        secret_print: secrets::print(&secret),
        previous_until: None,
        rotating: None,
        created: now,
        updated: now,
    };
    secrets::seal_first(context, &endpoint, &secret).await?;
    for _ in 0..records::RACES {
        let log = audit::entry(context, organization, "webhook_endpoint.created", &endpoint.id, &[])?;
        match endpoint::write(context, &endpoint, 0, log).await {
            Ok(()) => return Ok(Created { endpoint: Versioned { value: endpoint, version: 1 }, secret }),
            // Another endpoint was made by a hair earlier.
            Err(ServiceError::Changed) => {}
            Err(error) => {
                // Nothing may stay behind of an endpoint that does not exist.
                context.store.forget(&secrets::whose(&endpoint)).await?;
                return Err(error);
            }
        }
    }
    context.store.forget(&secrets::whose(&endpoint)).await?;
    Err(ServiceError::Changed)
}

/// The endpoints of an organization, oldest first.
pub async fn list(
    context: &Context,
    organization: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Paged<Versioned<WebhookEndpoint>>, ServiceError> {
    let (directory, _) = endpoint::open(context, organization).await?;
    let mut left = directory.ids().filter(|id| after.is_none_or(|after| *id > after));
    let mut items = Vec::new();
    for id in left.by_ref().take(limit) {
        match get(context, organization, id).await {
            Ok(endpoint) => items.push(endpoint),
            // Deleted since the directory was read.
            Err(ServiceError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    let next = if left.next().is_some() { items.last().map(|last| last.value.id.clone()) } else { None };
    Ok(Paged { items, next })
}

pub async fn get(context: &Context, organization: &str, id: &str) -> Result<Versioned<WebhookEndpoint>, ServiceError> {
    records::load(context, organization, id).await
}

/// Changes an endpoint. Disabling keeps its open deliveries waiting; enabling lets them go on.
pub async fn update(
    context: &Context,
    organization: &str,
    id: &str,
    expect: Option<u64>,
    change: EndpointChange,
) -> Result<Versioned<WebhookEndpoint>, ServiceError> {
    for _ in 0..records::RACES {
        let Versioned { value: before, version } = get(context, organization, id).await?;
        let mut after = before.clone();
        apply(context, &mut after, &change)?;
        records::expected(expect, version)?;
        if after == before {
            return Ok(Versioned { value: before, version });
        }
        after.updated = context.now();
        let log = audit::entry(context, organization, "webhook_endpoint.updated", id, &[("fields", audit::changed(&before, &after)?)])?;
        match endpoint::write(context, &after, version, log).await {
            Ok(()) => {
                if after.disabled.is_none() {
                    // What waited goes on without waiting longer.
                    context.store.hold(id, 0);
                }
                return Ok(Versioned { value: after, version: version + 1 });
            }
            Err(ServiceError::Changed) => {}
            Err(error) => return Err(error),
        }
    }
    Err(ServiceError::Changed)
}

fn apply(context: &Context, endpoint: &mut WebhookEndpoint, change: &EndpointChange) -> Result<(), ServiceError> {
    if let Some(url) = &change.url {
        let url = check_url(context, url)?;
        if url != endpoint.url {
            endpoint.url = url;
            // How the old address did says nothing about this one.
            endpoint.failing_since = None;
        }
    }
    if let Some(description) = &change.description {
        endpoint.description = form::optional_line("description", description.as_deref(), 300)?;
    }
    if let Some(events) = &change.events {
        endpoint.events = check_events(events)?;
    }
    match change.enabled {
        Some(true) if endpoint.disabled.is_some() => {
            endpoint.disabled = None;
            endpoint.failing_since = None;
        }
        Some(false) if endpoint.disabled.is_none() => {
            endpoint.disabled = Some(Disabled { by: DisabledBy::Merchant, at: context.now() });
        }
        _ => {}
    }
    Ok(())
}

/// Deletes an endpoint with its secrets; its open deliveries are cancelled. Finished ones stay to be looked at. Breaking off half-way
/// leaves an endpoint that can be deleted again, or deliveries that the workers cancel.
pub async fn delete(context: &Context, organization: &str, id: &str, expect: Option<u64>) -> Result<(), ServiceError> {
    for _ in 0..records::RACES {
        let Versioned { value, version } = get(context, organization, id).await?;
        records::expected(expect, version)?;
        context.store.forget(&secrets::whose(&value)).await?;
        let (mut directory, listed) = endpoint::open(context, organization).await?;
        directory.leave(id);
        let gone = Put::delete(value.key(), Some(version));
        let log = audit::entry(context, organization, "webhook_endpoint.deleted", id, &[])?;
        match context.store.commit(vec![gone, directory.put(organization, listed)?, log], Vec::new()).await {
            Ok(_) => {
                context.store.cancel_lane(id, context.now()).await?;
                return Ok(());
            }
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ServiceError::Changed)
}

/// The host's own word that an endpoint is not to be used any more: its open deliveries are cancelled. `false` = it was disabled before.
pub(crate) async fn give_up(context: &Context, organization: &str, id: &str, by: DisabledBy) -> Result<bool, ServiceError> {
    for _ in 0..records::RACES {
        let Versioned { mut value, version } = match get(context, organization, id).await {
            Ok(found) => found,
            Err(ServiceError::NotFound(_)) => return Ok(false),
            Err(error) => return Err(error),
        };
        if value.disabled.is_some() {
            return Ok(false);
        }
        let now = context.now();
        value.disabled = Some(Disabled { by, at: now });
        value.updated = now;
        let log = audit::entry(context, organization, "webhook_endpoint.disabled", id, &[("reason", by.word().to_owned())])?;
        match endpoint::write(context, &value, version, log).await {
            Ok(()) => {
                tracing::warn!(organization, endpoint = id, reason = by.word(), "a webhook endpoint was disabled");
                metrics::counter!("crm_webhook_endpoints_disabled_total", "reason" => by.word()).increment(1);
                context.store.cancel_lane(id, now).await?;
                return Ok(true);
            }
            Err(ServiceError::Changed) => {}
            Err(error) => return Err(error),
        }
    }
    Err(ServiceError::Changed)
}

/// What every event asks.
pub(crate) async fn directory(context: &Context, organization: &str) -> Result<Directory, ServiceError> {
    Ok(endpoint::open(context, organization).await?.0)
}

/// One event as it is sent: `id` is its `webhook-id`, the same on every endpoint and at every try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) body: String,
}

/// The job that brings a message to an endpoint. Two deliveries of one message to one endpoint that are both open are one.
pub(crate) fn delivery(context: &Context, organization: &str, endpoint: &str, message: Message) -> NewJob {
    let now = context.now();
    NewJob {
        dedupe: message.id,
        due: now + schedule::first_wait(&context.config),
        payload: Some(message.body),
        ..NewJob::new(new_id("dlv", now), organization, endpoint, Purpose::Webhook, now)
    }
}

/// Longest address of an endpoint, in characters.
const LONGEST_URL: usize = 2_048;
/// Types that may be named, repeats included.
const MOST_EVENTS: usize = 100;

fn check_url(context: &Context, url: &str) -> Result<String, ServiceError> {
    if url.chars().count() > LONGEST_URL {
        return Err(ServiceError::invalid("url", format!("must be at most {LONGEST_URL} characters")));
    }
    let url = url.trim();
    context.webhooks.check_url(url).map_err(|why| ServiceError::invalid("url", why))?;
    Ok(url.to_owned())
}

/// Names without repeats, in the catalogue's order; with `*` among them, `*` alone.
fn check_events(events: &[String]) -> Result<Vec<String>, ServiceError> {
    if events.is_empty() {
        return Err(ServiceError::invalid("events", "choose one type at least, or \"*\" for all"));
    }
    if events.len() > MOST_EVENTS {
        return Err(ServiceError::invalid("events", format!("at most {MOST_EVENTS} types can be named; \"*\" names them all")));
    }
    let unknown = |at: usize| ServiceError::invalid(format!("events[{at}]"), "there is no such type: see GET /v1/event-types");
    if let Some(at) = events.iter().position(|e| e != ALL_EVENTS && EventType::parse(e).is_none()) {
        return Err(unknown(at));
    }
    if events.iter().any(|e| e == ALL_EVENTS) {
        return Ok(vec![ALL_EVENTS.to_owned()]);
    }
    Ok(EventType::ALL.into_iter().map(EventType::word).filter(|word| events.iter().any(|e| e == word)).map(str::to_owned).collect())
}
