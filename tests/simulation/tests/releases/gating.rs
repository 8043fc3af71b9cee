//! A version that is run on what its connector did last, before it may become active.

use std::time::Duration;

use anyhow::Result;
use crm_store::model::{Kind, NewJob, Put, RecordKey};
use crm_sync::domain::Connection;
use crm_sync::services::releases::{self, Standing};

use crate::host::{Host, version};

/// A host that has synced so many people with version 1.0.0.
async fn host(syncs: usize) -> Result<Host> {
    let mut host = Host::new()?;
    host.install(&version("1.0.0")).await?;
    let organization = host.organization().await?;
    let connection = Connection::new("con_a", &organization, "acme", "a", 1);
    let record = RecordKey { organization: organization.clone(), kind: Kind::Connection, id: "con_a".to_owned() };
    let put = Put { record, expect: None, json: Some(serde_json::to_string(&connection)?), unique: Vec::new() };
    let jobs =
        (0..syncs).map(|n| NewJob { organization: organization.clone(), ..host.world.job("con_a", "cmp_1", &format!("{n}@example.com")) });
    host.context().store.commit(vec![put], jobs.collect()).await?;
    host.world.start();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let counts = host.context().store.counts(&organization, "con_", None).await?;
    assert_eq!(counts.succeeded, syncs as u64, "{counts:?}");
    Ok(host)
}

#[tokio::test(start_paused = true)]
async fn a_version_that_would_have_sent_the_same_becomes_active_and_nothing_was_sent_again() -> Result<()> {
    let host = host(30).await?;
    let calls = host.world.vendor.calls();
    let installed = host.install(&version("1.0.1")).await?;
    let gate = installed.release.gate.expect("it was run on them");
    assert_eq!((gate.replayed, gate.same, installed.active), (30, 30, true), "{gate:?}");
    assert_eq!(host.world.vendor.calls(), calls);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_version_that_would_have_sent_something_else_waits_and_shows_what() -> Result<()> {
    let host = host(3).await?;
    let installed = host.install(&version("1.0.555")).await?;
    assert!(!installed.active);
    assert_eq!(host.active().as_deref(), Some("1.0.0"));
    let gate = installed.release.gate.clone().expect("it was run on them");
    assert_eq!((gate.replayed, gate.same, gate.different.len()), (3, 0, 3), "{gate:?}");
    assert!(gate.places.iter().any(|place| place.call == "save"), "{gate:?}");
    assert!(!serde_json::to_string(&gate)?.contains("@example.com"), "nobody is named in what is kept");
    let view = releases::version(host.context(), &installed.release.id).await?;
    assert_eq!(view.standing, Standing::WaitingForApproval);
    let one = &gate.different[0];
    let (_, replayed) = releases::replay_sync(host.context(), &installed.release.id, &one.organization, &one.sync).await?;
    assert!(format!("{replayed:?}").contains("elsewhere"), "the operator sees every value: {replayed:?}");
    releases::approve(host.context(), &installed.release.id, true).await?;
    assert_eq!(host.active().as_deref(), Some("1.0.555"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_connector_that_has_done_nothing_yet_has_nothing_to_be_run_on() -> Result<()> {
    let host = Host::new()?;
    assert_eq!(host.install(&version("1.0.0")).await?.release.gate, None, "nothing was active");
    let next = host.install(&version("1.0.1")).await?;
    assert_eq!(next.release.gate.map(|gate| gate.replayed), Some(0));
    assert!(next.active);
    Ok(())
}
