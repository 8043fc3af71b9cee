//! A connector that is taken off the host, and comes back.

use std::time::Duration;

use anyhow::Result;
use crm_store::model::{Kind, NewJob, Purpose, Put, RecordKey};
use crm_sync::domain::{Connection, ConnectionState};
use crm_sync::services::{ServiceError, connections, releases};

use crate::host::{Host, version};

/// A connection of an organization that the operator made.
async fn connect(host: &Host, organization: &str, id: &str) -> Result<()> {
    let connection = Connection::new(id, organization, "acme", id, 1);
    let record = RecordKey { organization: organization.to_owned(), kind: Kind::Connection, id: id.to_owned() };
    let put = Put { record, expect: None, json: Some(serde_json::to_string(&connection)?), unique: Vec::new() };
    host.context().store.commit(vec![put], Vec::new()).await?;
    Ok(())
}

async fn enqueue(host: &Host, organization: &str, lane: &str, email: &str) -> Result<()> {
    let job = host.world.job(lane, "cmp_1", email);
    let job = NewJob { organization: organization.to_owned(), purpose: Purpose::Sync, ..job };
    host.context().store.commit(Vec::new(), vec![job]).await?;
    Ok(())
}

async fn state(host: &Host, organization: &str, id: &str) -> Result<ConnectionState> {
    Ok(connections::get(host.context(), organization, id).await?.value.state)
}

#[tokio::test(start_paused = true)]
async fn a_connector_in_use_stays_unless_forced_and_its_jobs_wait_until_it_is_back() -> Result<()> {
    let mut host = Host::new()?;
    host.install(&version("1.0.0")).await?;
    let organization = host.organization().await?;
    connect(&host, &organization, "con_a").await?;
    let refused = releases::uninstall(host.context(), "acme", false).await;
    assert!(
        matches!(&refused, Err(ServiceError::Conflict { code: "connector_in_use", message }) if message.starts_with("1 ")),
        "{refused:?}"
    );
    let done = releases::uninstall(&host.operator(), "acme", true).await?;
    assert_eq!((done.versions, done.parked), (1, 1));
    assert_eq!((host.active(), host.loaded().len()), (None, 0));
    assert_eq!(state(&host, &organization, "con_a").await?, ConnectionState::NeedsConnector);
    host.world.start();
    enqueue(&host, &organization, "con_a", "ann@example.com").await?;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    let counts = host.context().store.counts(&organization, "con_", None).await?;
    assert_eq!((counts.succeeded, counts.failed), (0, 0), "it waits: {counts:?}");
    assert!(matches!(releases::uninstall(host.context(), "acme", true).await, Err(ServiceError::NotFound(_))));
    host.restart().await?;
    assert_eq!(state(&host, &organization, "con_a").await?, ConnectionState::NeedsConnector, "a restart changes nothing");
    host.world.start();
    assert!(host.install(&version("1.0.0")).await?.active, "the number is free again");
    assert_eq!(state(&host, &organization, "con_a").await?, ConnectionState::Live);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(host.context().store.counts(&organization, "con_", None).await?.succeeded, 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_connector_that_nobody_uses_goes_at_once() -> Result<()> {
    let mut host = Host::new()?;
    host.install(&version("1.0.0")).await?;
    host.install(&version("1.0.1")).await?;
    assert_eq!(releases::uninstall(host.context(), "acme", false).await?.versions, 2);
    let started = host.restart().await?;
    assert_eq!((started.loaded, started.refused, started.swept), (0, 0, 0));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_version_that_a_connection_is_pinned_to_is_not_taken_away() -> Result<()> {
    let host = Host::new()?;
    let old = host.install(&version("1.0.0")).await?.release;
    host.install(&version("1.0.1")).await?;
    let organization = host.organization().await?;
    let connection = Connection { pinned: Some(old.id.clone()), ..Connection::new("con_a", &organization, "acme", "a", 1) };
    let record = RecordKey { organization, kind: Kind::Connection, id: "con_a".to_owned() };
    let put = Put { record, expect: None, json: Some(serde_json::to_string(&connection)?), unique: Vec::new() };
    host.context().store.commit(vec![put], Vec::new()).await?;
    let refused = releases::remove(host.context(), &old.id).await;
    assert!(matches!(refused, Err(ServiceError::Conflict { code: "version_pinned", .. })), "{refused:?}");
    Ok(())
}
