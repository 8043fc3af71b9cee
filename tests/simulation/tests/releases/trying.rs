//! A version on trial on a part of the connections.

use std::time::Duration;

use anyhow::Result;
use crm_sync::services::ServiceError;
use crm_sync::services::releases::{self, CanaryOrder};

use crate::host::{Host, version};

const LANES: usize = 40;

/// A host with forty connections, one active version, and another one kept ready.
async fn host(trial: &str) -> Result<(Host, CanaryOrder)> {
    let host = Host::new()?;
    host.install(&version("1.0.0")).await?;
    let kept = host.keep(&version(trial)).await?;
    assert_eq!(host.active().as_deref(), Some("1.0.0"));
    for lane in 0..LANES {
        host.world.connect(&format!("con_{lane}")).await;
    }
    Ok((host, CanaryOrder { version: kept.id, percent: 30, margin: 5, attempts: 20 }))
}

async fn work(host: &mut Host, rounds: usize) -> Result<()> {
    host.world.start();
    for round in 0..rounds {
        let jobs = (0..LANES).map(|lane| host.world.job(&format!("con_{lane}"), "cmp_1", &format!("{round}@example.com"))).collect();
        host.world.enqueue(jobs).await;
    }
    host.world.settle(None, Duration::from_secs(600)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_part_of_the_connections_runs_the_version_on_trial_and_each_stays_on_its_side() -> Result<()> {
    let (mut host, order) = host("1.1.0").await?;
    releases::set_canary(&host.operator(), "acme", order.clone()).await?;
    work(&mut host, 5).await?;
    let (old, new) = (host.ran("1.0.0"), host.ran("1.1.0"));
    assert_eq!(old + new, 200);
    assert_eq!((old % 5, new % 5), (0, 0), "every connection ran one version only: {old} {new}");
    assert!((5 * 5..5 * 20).contains(&new), "{new}");
    let view = releases::one(host.context(), "acme").await?.canary.expect("a trial");
    assert_eq!((view.trial.attempts, view.trial.failed, view.active.attempts), (u64::from(new), 0, u64::from(old)));
    host.restart().await?;
    work(&mut host, 2).await?;
    assert_eq!(host.ran("1.1.0") * 5, new * 2, "the same connections after a restart");
    releases::stop_canary(host.context(), "acme").await?;
    let before = host.ran("1.1.0");
    work(&mut host, 1).await?;
    assert_eq!(host.ran("1.1.0"), before);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_fails_more_often_ends_by_itself_and_nothing_is_lost() -> Result<()> {
    let (mut host, order) = host("1.1.666").await?;
    releases::set_canary(host.context(), "acme", order).await?;
    work(&mut host, 10).await?;
    let view = releases::one(host.context(), "acme").await?;
    assert_eq!(view.canary, None);
    let ended = view.ended.expect("it is said why");
    assert!(ended.why.contains("failed on the trial"), "{ended:?}");
    assert_eq!(host.active().as_deref(), Some("1.0.0"));
    let counts = host.world.counts(None).await;
    assert_eq!((counts.succeeded, counts.failed), (10 * LANES as u64, 0), "what failed on the trial was retried on the active version");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_job_that_a_trial_stopped_goes_on_with_the_active_version() -> Result<()> {
    let (mut host, order) = host("1.1.666").await?;
    // Never judged: the trial goes on for ever.
    releases::set_canary(host.context(), "acme", CanaryOrder { attempts: u32::MAX, ..order }).await?;
    work(&mut host, 5).await?;
    let counts = host.world.counts(None).await;
    assert_eq!((counts.succeeded, counts.failed), (5 * LANES as u64, 0), "{counts:?}");
    assert!(host.ran("1.1.666") > 0 && releases::one(host.context(), "acme").await?.canary.is_some());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn promoting_ends_the_trial_and_so_does_rolling_back() -> Result<()> {
    let (host, order) = host("1.1.0").await?;
    releases::set_canary(host.context(), "acme", order.clone()).await?;
    let refused = releases::remove(host.context(), &order.version).await;
    assert!(matches!(refused, Err(ServiceError::Conflict { code: "version_on_trial", .. })), "{refused:?}");
    releases::activate(host.context(), &order.version).await?;
    let view = releases::one(host.context(), "acme").await?;
    assert_eq!((view.active, view.canary), (Some(order.version.clone()), None));
    let again = releases::set_canary(host.context(), "acme", order).await;
    assert!(matches!(again, Err(ServiceError::Conflict { code: "version_active", .. })), "{again:?}");
    releases::roll_back(host.context(), "acme").await?;
    assert_eq!(host.active().as_deref(), Some("1.0.0"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_order_that_makes_no_sense_is_refused() -> Result<()> {
    let (host, order) = host("1.1.0").await?;
    for (wrong, field) in [
        (CanaryOrder { percent: 0, ..order.clone() }, "percent"),
        (CanaryOrder { percent: 101, ..order.clone() }, "percent"),
        (CanaryOrder { margin: 101, ..order.clone() }, "margin"),
        (CanaryOrder { attempts: 0, ..order.clone() }, "attempts"),
    ] {
        let refused = releases::set_canary(host.context(), "acme", wrong).await;
        assert!(matches!(&refused, Err(ServiceError::Invalid(fields)) if fields[0].field == field), "{refused:?}");
    }
    let other = releases::set_canary(host.context(), "other", order).await;
    assert!(matches!(&other, Err(ServiceError::Invalid(fields)) if fields[0].field == "version"), "{other:?}");
    Ok(())
}
