//! Which version new work runs, and which versions stay in memory.

use std::time::Duration;

use anyhow::Result;
use crm_simulation::world::ORGANIZATION;
use crm_store::model::{Kind, Put, RecordKey};
use crm_sync::services::ServiceError;
use crm_sync::services::releases;

use crate::host::{Host, version};

#[tokio::test(start_paused = true)]
async fn a_roll_back_leads_to_what_was_active_before_and_a_second_one_further() -> Result<()> {
    let mut host = Host::new()?;
    for number in ["1.0.0", "1.0.1", "1.0.2"] {
        host.install(&version(number)).await?;
    }
    releases::roll_back(host.context(), "acme").await?;
    assert_eq!(host.active().as_deref(), Some("1.0.1"));
    let started = host.restart().await?;
    assert_eq!((started.loaded, started.refused, started.swept), (1, 0, 0));
    assert_eq!(host.active().as_deref(), Some("1.0.1"));
    releases::roll_back(host.context(), "acme").await?;
    assert_eq!(host.active().as_deref(), Some("1.0.0"));
    let fresh = Host::new()?;
    fresh.install(&version("1.0.0")).await?;
    let nothing = releases::roll_back(fresh.context(), "acme").await;
    assert!(matches!(nothing, Err(ServiceError::Conflict { code: "nothing_before", .. })), "{nothing:?}");
    assert!(matches!(releases::roll_back(fresh.context(), "other").await, Err(ServiceError::NotFound(_))));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn old_versions_leave_memory_and_come_back_when_asked_for() -> Result<()> {
    let host = Host::new()?;
    let first = host.install(&version("1.0.0")).await?.release;
    for n in 1..6 {
        host.install(&version(&format!("1.0.{n}"))).await?;
    }
    assert_eq!(host.loaded(), ["1.0.3", "1.0.4", "1.0.5"], "what may be rolled back to at once stays");
    releases::activate(host.context(), &first.id).await?;
    assert_eq!(host.active().as_deref(), Some("1.0.0"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_version_can_be_taken_away_unless_somebody_runs_it() -> Result<()> {
    let mut host = Host::new()?;
    let gone = host.install(&version("1.0.0")).await?.release;
    let active = host.install(&version("1.0.1")).await?.release;
    releases::remove(host.context(), &gone.id).await?;
    let refused = releases::remove(host.context(), &active.id).await;
    assert!(matches!(refused, Err(ServiceError::Conflict { code: "version_active", .. })), "{refused:?}");
    assert_eq!(host.loaded(), ["1.0.1"]);
    assert_eq!(host.restart().await?.loaded, 1);
    let nothing = releases::roll_back(host.context(), "acme").await;
    assert!(matches!(nothing, Err(ServiceError::Conflict { code: "nothing_before", .. })), "{nothing:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_connection_stays_on_the_version_it_is_pinned_to_also_after_a_restart() -> Result<()> {
    let mut host = Host::new()?;
    let old = host.install(&version("1.0.0")).await?.release;
    for number in ["1.0.1", "1.0.2", "1.0.3"] {
        host.install(&version(number)).await?;
    }
    host.world.connect("con_pinned").await;
    host.world.connect("con_free").await;
    let mut connection = host.world.connection("con_pinned").await;
    connection.pinned = Some(old.id.clone());
    let record = RecordKey { organization: ORGANIZATION.into(), kind: Kind::Connection, id: "con_pinned".into() };
    let put = Put { record, expect: None, json: Some(serde_json::to_string(&connection)?), unique: Vec::new() };
    host.context().store.commit(vec![put], Vec::new()).await?;
    host.restart().await?;
    assert_eq!(host.loaded(), ["1.0.3"], "nobody asked for it yet");
    host.world.start();
    for n in 0..20 {
        let jobs = ["con_pinned", "con_free"].map(|lane| host.world.job(lane, "cmp_1", &format!("{n}@example.com")));
        host.world.enqueue(jobs.to_vec()).await;
    }
    let counts = host.world.settle(None, Duration::from_secs(60)).await;
    assert_eq!(counts.succeeded, 40, "{counts:?}");
    assert_eq!((host.ran("1.0.0"), host.ran("1.0.3")), (20, 20));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn invariant_8_a_hundred_swaps_under_load_lose_and_repeat_nothing() -> Result<()> {
    let mut host = Host::new()?;
    host.world.vendor.behaviour.lock().latency = Duration::from_millis(40);
    let mut digests = Vec::new();
    for n in 0..10 {
        digests.push(host.install(&version(&format!("1.0.{n}"))).await?.release.id);
    }
    for lane in 0..8 {
        host.world.connect(&format!("con_{lane}")).await;
    }
    host.world.start();
    for swap in 0..100_usize {
        let jobs = (0..8).map(|lane| host.world.job(&format!("con_{lane}"), "cmp_1", &format!("{swap}@example.com"))).collect();
        host.world.enqueue(jobs).await;
        // Virtual time: attempts are in flight while the pointer moves.
        tokio::time::sleep(Duration::from_millis(25)).await;
        releases::activate(host.context(), &digests[swap * 7 % digests.len()]).await?;
    }
    let counts = host.world.settle(None, Duration::from_secs(120)).await;
    assert_eq!((counts.succeeded, counts.failed), (800, 0), "{counts:?}");
    assert_eq!(host.world.vendor.resent(), 0);
    assert_eq!((0..8).map(|lane| host.world.vendor.tagged(&format!("con_{lane}"))).sum::<usize>(), 800);
    assert!((0..10).filter(|n| host.ran(&format!("1.0.{n}")) > 0).count() > 5, "{:?}", host.engine.ran.lock());
    Ok(())
}
