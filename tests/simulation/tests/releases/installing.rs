//! Files that are taken, that wait, and that are refused.

use anyhow::Result;
use crm_contract::ports::Guests as _;
use crm_sync::services::ServiceError;
use crm_sync::services::releases::{self, Installed, Intake, SignaturePolicy, Source, Standing, TrustRoots};

use crate::host::{Host, intake, other, version, wider};

fn code<T>(result: Result<T, ServiceError>) -> String {
    match result {
        Err(ServiceError::Conflict { code, .. }) => code.to_owned(),
        Err(other) => other.to_string(),
        Ok(_) => "done".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_version_and_one_that_may_do_no_more_become_active_at_once() -> Result<()> {
    let host = Host::new()?;
    assert!(host.install(&version("1.0.0")).await?.active);
    assert_eq!(host.active().as_deref(), Some("1.0.0"));
    let second = host.install(&version("1.0.1")).await?;
    assert!(second.active && !second.known, "{second:?}");
    assert_eq!(second.release.by, "key_operator");
    assert_eq!(host.active().as_deref(), Some("1.0.1"));
    let again = host.install(&version("1.0.1")).await?;
    assert!(again.known && again.active, "the same file again changes nothing");
    let view = releases::one(host.context(), "acme").await?;
    assert_eq!(view.versions.iter().map(|v| v.standing).collect::<Vec<_>>(), [Standing::Ready, Standing::Active]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_version_that_may_do_more_waits_for_a_yes_and_shows_what_it_may() -> Result<()> {
    let host = Host::new()?;
    host.install(&version("1.0.0")).await?;
    let wide = host.install(&wider("1.1.0")).await?;
    assert!(!wide.active, "{wide:?}");
    assert_eq!(host.active().as_deref(), Some("1.0.0"));
    let view = releases::version(host.context(), &wide.release.id).await?;
    assert_eq!(view.standing, Standing::WaitingForApproval);
    assert!(view.changes.iter().any(|change| change.words.contains("more")), "{view:?}");
    assert_eq!(code(releases::activate(host.context(), &wide.release.id).await), "not_approved");
    assert!(!releases::pinnable(host.context(), "acme", &wide.release.id).await?, "what may not be active may not be pinned either");
    let approved = releases::approve(&host.operator(), &wide.release.id, true).await?;
    assert_eq!(approved.approved.map(|yes| yes.by).as_deref(), Some("key_operator"));
    assert_eq!(host.active().as_deref(), Some("1.1.0"));
    assert!(!host.install(&version("1.2.0")).await?.release.connector.is_empty());
    assert_eq!(host.active().as_deref(), Some("1.2.0"), "narrowing goes through");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_version_can_be_approved_and_kept_ready() -> Result<()> {
    let host = Host::new()?;
    host.install(&version("1.0.0")).await?;
    let wide = host.install(&wider("1.1.0")).await?.release;
    releases::approve(host.context(), &wide.id, false).await?;
    assert_eq!(host.active().as_deref(), Some("1.0.0"));
    assert!(releases::pinnable(host.context(), "acme", &wide.id).await?);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_older_number_is_kept_ready_and_never_made_active_by_itself() -> Result<()> {
    let host = Host::new()?;
    host.install(&version("1.10.0")).await?;
    let older = host.install(&version("1.9.0")).await?;
    assert!(!older.active);
    assert_eq!(host.active().as_deref(), Some("1.10.0"));
    releases::activate(host.context(), &older.release.id).await?;
    assert_eq!(host.active().as_deref(), Some("1.9.0"), "the operator may");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn versions_that_come_at_the_same_time_are_taken_one_after_the_other() -> Result<()> {
    let host = Host::new()?;
    let files = [version("1.0.0"), version("1.0.1"), version("1.0.2"), version("1.0.3")];
    let [a, b, c, d] = &files;
    let (a, b, c, d) = tokio::join!(host.install(a), host.install(b), host.install(c), host.install(d));
    assert!(a?.active && b?.active && c?.active && d?.active, "each in its turn");
    assert_eq!(host.active().as_deref(), Some("1.0.3"));
    let again = tokio::join!(host.install(&files[3]), host.install(&files[3]));
    assert!(again.0?.known && again.1?.known);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_number_stands_for_one_file() -> Result<()> {
    let host = Host::new()?;
    host.install(&version("1.0.0")).await?;
    let taken = host.install(&other("1.0.0")).await;
    assert_eq!(code(taken), "version_taken");
    assert_eq!(host.active().as_deref(), Some("1.0.0"));
    assert_eq!(host.engine.loaded().len(), 1, "what was refused is not kept");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_refused_file_is_written_down_with_its_reason_once() -> Result<()> {
    let host = Host::new()?;
    host.install(&version("1.0.0")).await?;
    for _ in 0..2 {
        let refused = host.install(b"this is no manifest").await;
        assert!(matches!(refused, Err(ServiceError::Invalid(_))), "{refused:?}");
    }
    let file = releases::install(host.context(), Intake { file: vec![b'#'; 100_001], ..intake(b"") }).await;
    assert!(file.is_err_and(|error| error.to_string().contains("at most 100000")));
    let list = releases::refused(host.context()).await?;
    assert_eq!(list.len(), 2, "{list:?}");
    assert!(list.iter().any(|file| file.by == "key_operator" && !file.why.is_empty() && file.bytes == 19), "{list:?}");
    assert_eq!(host.active().as_deref(), Some("1.0.0"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn refusals_are_remembered_to_a_bound() -> Result<()> {
    let host = Host::new()?;
    for n in 0..120 {
        assert!(host.install(format!("no manifest {n}").as_bytes()).await.is_err());
    }
    assert_eq!(releases::refused(host.context()).await?.len(), 100);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_file_must_be_signed_by_a_key_that_is_trusted_unless_it_lies_in_the_hosts_folder() -> Result<()> {
    let (ours, theirs) = (minisign::KeyPair::generate_unencrypted_keypair()?, minisign::KeyPair::generate_unencrypted_keypair()?);
    let key = ours.pk.to_base64();
    let trust = |policy| TrustRoots::new([("release", key.as_str())], policy);
    let host = Host::trusting(trust(SignaturePolicy::Remote)?)?;
    let file = version("1.0.0");
    let sign = |pair: &minisign::KeyPair, text: &[u8]| minisign::sign(None, &pair.sk, text, None, None).map(|boxed| boxed.into_string());
    let send = async |signature: Option<&str>| {
        releases::install(host.context(), Intake { signature: signature.map(str::to_owned), ..intake(&file) }).await
    };
    let says = |result: Result<Installed, ServiceError>| result.map(|_| ()).map_err(|error| error.to_string());
    assert!(says(send(None).await).is_err_and(|why| why.contains("not signed")));
    assert!(says(send(Some("nonsense")).await).is_err_and(|why| why.contains("no minisign signature")));
    assert!(says(send(Some(&sign(&theirs, &file)?)).await).is_err_and(|why| why.contains("no key that this host trusts")));
    assert!(says(send(Some(&sign(&ours, b"another file")?)).await).is_err_and(|why| why.contains("not over this file")));
    assert_eq!(host.active(), None);
    assert!(host.engine.loaded().is_empty(), "nothing of it was parsed");
    let good = send(Some(&sign(&ours, &file)?)).await?;
    assert_eq!(good.release.signer.as_deref(), Some("release"));
    let folder = |number: &str| Intake { source: Source::Folder { file: "acme.wasm".into() }, ..intake(&version(number)) };
    let local = releases::install(host.context(), folder("1.0.1")).await?;
    assert!(local.active && local.release.signer.is_none());
    let strict = Host::trusting(trust(SignaturePolicy::All)?)?;
    assert!(says(releases::install(strict.context(), folder("1.0.1")).await).is_err_and(|why| why.contains("not signed")));
    let nobody = Host::trusting(TrustRoots::default())?;
    assert!(says(nobody.install(&file).await).is_err_and(|why| why.contains("--trusted-key")));
    Ok(())
}
