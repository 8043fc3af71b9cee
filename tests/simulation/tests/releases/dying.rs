//! A host that dies in the middle: at every single step of an install, a swap and an uninstall.

use anyhow::Result;
use crm_contract::spool::{Spool as _, SpoolName};
use crm_sync::services::releases;

use crate::host::{Host, Life, intake, version};

/// Runs `work` in a process that dies after so many steps. False = it came to its end.
async fn dies<F: Future<Output = bool> + Send + 'static>(work: F) -> bool {
    match tokio::spawn(work).await {
        Ok(done) => {
            assert!(done, "it failed instead of dying");
            false
        }
        Err(died) => {
            assert!(died.is_panic());
            true
        }
    }
}

#[tokio::test(start_paused = true)]
async fn dying_at_any_step_of_an_install_leaves_the_old_version_or_the_new_one() -> Result<()> {
    let mut seen = Vec::new();
    for steps in 0.. {
        let mut host = Host::new()?;
        host.install(&version("1.0.0")).await?;
        host.wire(Life::immortal());
        releases::start(host.context()).await?;
        host.wire(Life::of(2 + steps));
        releases::start(host.context()).await?;
        let context = host.context().clone();
        let died = dies(async move { releases::install(&context, intake(&version("1.0.1"))).await.is_ok() }).await;
        let started = host.restart().await?;
        assert_eq!((started.loaded, started.refused), (1, 0), "after {steps} steps");
        let active = host.active().expect("never neither");
        assert!(active == "1.0.0" || active == "1.0.1", "{active}");
        seen.push(active);
        let again = host.install(&version("1.0.1")).await?;
        assert!(again.active || again.known, "the same file can be sent again");
        assert_eq!(host.active().as_deref(), Some("1.0.1"));
        if !died {
            break;
        }
    }
    assert!(seen.len() > 6, "there were steps to die at: {seen:?}");
    assert!(seen.windows(2).all(|pair| pair[0] <= pair[1]), "once it is the new one, it stays the new one: {seen:?}");
    assert!(seen.contains(&"1.0.0".to_owned()));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn dying_at_any_step_of_an_uninstall_ends_with_the_connector_gone_or_untouched() -> Result<()> {
    for steps in 0.. {
        let mut host = Host::new()?;
        host.install(&version("1.0.0")).await?;
        host.install(&version("1.0.1")).await?;
        host.wire(Life::of(2 + steps));
        releases::start(host.context()).await?;
        let context = host.context().clone();
        let died = dies(async move { releases::uninstall(&context, "acme", true).await.is_ok() }).await;
        host.restart().await?;
        match host.active() {
            Some(active) => assert_eq!(active, "1.0.1"),
            None => assert!(crm_contract::spool::Spool::list(host.files.as_ref()).await?.is_empty(), "no file is left behind"),
        }
        if !died {
            assert_eq!(host.active(), None);
            break;
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_file_of_an_install_that_broke_off_is_swept_and_a_lost_one_falls_back() -> Result<()> {
    let mut host = Host::new()?;
    host.install(&version("1.0.0")).await?;
    let newest = host.install(&version("1.0.1")).await?.release;
    host.files.create(&SpoolName::new("0123abc")?).await?;
    host.files.delete(&SpoolName::new(newest.id)?).await?;
    let started = host.restart().await?;
    assert_eq!((started.loaded, started.refused, started.swept), (1, 1, 1));
    assert_eq!(host.active().as_deref(), Some("1.0.0"), "the one before it serves");
    let again = host.install(&version("1.0.1")).await?;
    assert!(again.known && again.active);
    assert_eq!(host.active().as_deref(), Some("1.0.1"), "the file is back, and so is what the record says");
    assert_eq!(host.restart().await?.refused, 0);
    Ok(())
}
