//! Versions of connectors that come and go on a running host: records, files and the engine's pointer agree, whatever happens in between.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use async_trait::async_trait;
use crm_catalog::model::Manifest;
use crm_contract::ports::{Digest, GuestFault, GuestLog, Guests, Outbound};
use crm_contract::spool::{Spool, SpoolName};
use crm_contract::types::{Answer, Invocation};
use crm_contract::versions::{ProofStage, Proved, Refused, Versions};
use crm_simulation::world::VirtualClock;
use crm_simulation::{Behaviour, World};
use crm_store::model_store::MemoryModel;
use crm_store::{FileSpool, SpaceGate, Store};
use crm_sync::context::{Config, Context};
use crm_sync::services::ServiceError;
use crm_sync::services::releases::{self, ReleaseState, Shelf, Source, TrustRoots};
use parking_lot::Mutex;

/// An engine whose files are manifests.
#[derive(Default)]
struct Engine {
    loaded: Mutex<BTreeMap<Digest, Arc<Manifest>>>,
    active: Mutex<BTreeMap<String, Digest>>,
}

#[async_trait]
impl Versions for Engine {
    async fn prove(&self, file: Vec<u8>) -> Result<Proved, Refused> {
        let refused = |why: String| Refused::at(ProofStage::Manifest, why);
        let text = String::from_utf8(file).map_err(|_| refused("no text".into()))?;
        let manifest = crm_catalog::parse(&text, "connector.toml").map_err(|errors| refused(format!("{errors:?}")))?;
        let (digest, manifest) = (Digest(blake3::hash(text.as_bytes()).to_hex().to_string()), Arc::new(manifest));
        self.loaded.lock().insert(digest.clone(), manifest.clone());
        Ok(Proved { digest, manifest, wasi: false, fixtures: 0 })
    }

    async fn load(&self, file: Vec<u8>) -> Result<Proved, Refused> {
        self.prove(file).await
    }

    fn activate(&self, digest: &Digest) -> bool {
        let Some(manifest) = self.loaded.lock().get(digest).cloned() else { return false };
        self.active.lock().insert(manifest.connector.slug.clone(), digest.clone());
        true
    }

    fn unload(&self, digest: &Digest) -> bool {
        !self.active.lock().values().any(|active| active == digest) && self.loaded.lock().remove(digest).is_some()
    }
}

#[async_trait]
impl Guests for Engine {
    async fn call(&self, digest: &Digest, _: Invocation, _: Arc<dyn Outbound>, _: Arc<dyn GuestLog>) -> Result<Answer, GuestFault> {
        Err(GuestFault::NotLoaded(digest.0.clone()))
    }

    fn loaded(&self) -> Vec<(Digest, Arc<Manifest>)> {
        self.loaded.lock().iter().map(|(digest, manifest)| (digest.clone(), manifest.clone())).collect()
    }

    fn active(&self, slug: &str) -> Option<(Digest, Arc<Manifest>)> {
        let digest = self.active.lock().get(slug).cloned()?;
        self.manifest(&digest).map(|manifest| (digest, manifest))
    }

    fn manifest(&self, digest: &Digest) -> Option<Arc<Manifest>> {
        self.loaded.lock().get(digest).cloned()
    }
}

/// A host of which everything but store and files can be lost.
struct Host {
    store: Arc<dyn Store>,
    files: Arc<FileSpool>,
    trust: TrustRoots,
    context: Context,
    _dir: tempfile::TempDir,
}

impl Host {
    fn new(trust: TrustRoots) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let files = Arc::new(FileSpool::open(dir.path(), SpaceGate::Bytes(0))?);
        let store: Arc<dyn Store> = Arc::new(MemoryModel::new());
        let context = wired(&store, &files, &trust);
        Ok(Self { store, files, trust, context, _dir: dir })
    }

    /// The process dies; what is on disk stays.
    async fn restart(&mut self) -> Result<releases::Started> {
        self.context = wired(&self.store, &self.files, &self.trust);
        Ok(releases::start(&self.context).await?)
    }

    async fn install(&self, file: &str) -> Result<releases::Installed, ServiceError> {
        releases::install(&self.context, file.as_bytes().to_vec(), Source::Upload, None).await
    }

    /// The active version's number.
    fn active(&self) -> Option<String> {
        self.context.guests.active("acme").map(|(_, manifest)| manifest.connector.version.clone())
    }
}

fn wired(store: &Arc<dyn Store>, files: &Arc<FileSpool>, trust: &TrustRoots) -> Context {
    let engine = Arc::new(Engine::default());
    let world = World::new(1, Behaviour::default());
    let shelf = Shelf::new(engine.clone(), files.clone(), trust.clone(), 100_000);
    Context::new(store.clone(), engine, world.context.gateway.clone(), Arc::new(VirtualClock::start()), Config::default())
        .with_releases(Arc::new(shelf))
}

const ACME: &str = include_str!("../src/acme.toml");

fn version(number: &str) -> String {
    let old = ACME.lines().find(|line| line.starts_with("version = ")).expect("a version");
    ACME.replace(old, &format!("version = \"{number}\""))
}

/// The same, and it may call its vendor more often.
fn wider(number: &str) -> String {
    let old = ACME.lines().find(|line| line.trim_start().starts_with("new = ")).map(str::to_owned);
    let text = version(number);
    match old {
        Some(line) => text.replace(&line, "new = 9"),
        None => text + "\n[sync]\nnew = 9\n",
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_version_and_one_that_may_do_no_more_become_active_at_once() -> Result<()> {
    let host = Host::new(TrustRoots::default())?;
    assert!(host.install(&version("1.0.0")).await?.active);
    assert_eq!(host.active().as_deref(), Some("1.0.0"));
    let second = host.install(&version("1.0.1")).await?;
    assert!(second.active && !second.known && second.release.changes.is_empty(), "{second:?}");
    assert_eq!(host.active().as_deref(), Some("1.0.1"));
    assert!(host.install(&version("1.0.1")).await?.known, "the same file again changes nothing");
    assert_eq!(releases::list(&host.context, Some("acme")).await?.len(), 2);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_version_that_may_do_more_waits_for_a_yes() -> Result<()> {
    let host = Host::new(TrustRoots::default())?;
    host.install(&version("1.0.0")).await?;
    let wide = host.install(&wider("1.1.0")).await?;
    assert!(!wide.active && wide.release.state == ReleaseState::WaitingForApproval, "{wide:?}");
    assert!(wide.release.changes.iter().any(|change| change.wider), "{wide:?}");
    assert_eq!(host.active().as_deref(), Some("1.0.0"));
    let early = releases::activate(&host.context, &wide.release.id).await;
    assert!(matches!(early, Err(ServiceError::Conflict { code: "not_approved", .. })), "{early:?}");
    releases::approve(&host.context, &wide.release.id).await?;
    assert_eq!(host.active().as_deref(), Some("1.1.0"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_number_belongs_to_one_file_for_ever() -> Result<()> {
    let host = Host::new(TrustRoots::default())?;
    host.install(&version("1.0.0")).await?;
    let other = host.install(&(version("1.0.0") + "\n# another file\n")).await;
    assert!(matches!(other, Err(ServiceError::Conflict { code: "version_taken", .. })), "{other:?}");
    assert_eq!(host.active().as_deref(), Some("1.0.0"));
    assert_eq!(host.context.guests.loaded().len(), 1, "what was refused is not kept");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_roll_back_leads_to_what_was_active_before_and_a_restart_stays_there() -> Result<()> {
    let mut host = Host::new(TrustRoots::default())?;
    for number in ["1.0.0", "1.0.1", "1.0.2"] {
        host.install(&version(number)).await?;
    }
    releases::roll_back(&host.context, "acme").await?;
    assert_eq!(host.active().as_deref(), Some("1.0.1"));
    let started = host.restart().await?;
    assert_eq!((started.loaded, started.refused, started.swept), (3, 0, 0));
    assert_eq!(host.active().as_deref(), Some("1.0.1"));
    let gone = releases::list(&host.context, None).await?.into_iter().find(|release| release.version == "1.0.0").expect("it is there");
    releases::remove(&host.context, &gone.id).await?;
    let active = host.context.guests.active("acme").expect("active").0;
    assert!(matches!(releases::remove(&host.context, &active.0).await, Err(ServiceError::Conflict { code: "version_active", .. })));
    assert_eq!(host.restart().await?.loaded, 2);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_file_of_an_install_that_broke_off_is_swept_and_a_lost_one_falls_back() -> Result<()> {
    let mut host = Host::new(TrustRoots::default())?;
    host.install(&version("1.0.0")).await?;
    let newest = host.install(&version("1.0.1")).await?.release;
    let stray = SpoolName::new("0123abc")?;
    host.files.create(&stray).await?;
    host.files.delete(&SpoolName::new(newest.id)?).await?;
    let started = host.restart().await?;
    assert_eq!((started.loaded, started.refused, started.swept), (1, 1, 1));
    assert_eq!(host.active().as_deref(), Some("1.0.0"), "the one before it serves");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_file_must_be_signed_by_a_key_that_is_trusted_unless_it_lies_in_the_hosts_folder() -> Result<()> {
    let (ours, theirs) = (minisign::KeyPair::generate_unencrypted_keypair()?, minisign::KeyPair::generate_unencrypted_keypair()?);
    let host = Host::new(TrustRoots::new([("release", ours.pk.to_base64().as_str())], true)?)?;
    let file = version("1.0.0");
    let sign =
        |pair: &minisign::KeyPair, text: &str| minisign::sign(None, &pair.sk, text.as_bytes(), None, None).map(|boxed| boxed.into_string());
    let send = async |signature: Option<&str>| releases::install(&host.context, file.as_bytes().to_vec(), Source::Upload, signature).await;
    let says = |result: Result<releases::Installed, ServiceError>| result.map(|_| ()).map_err(|error| error.to_string());
    assert!(says(send(None).await).is_err_and(|why| why.contains("not signed")));
    assert!(says(send(Some("nonsense")).await).is_err_and(|why| why.contains("no minisign signature")));
    assert!(says(send(Some(&sign(&theirs, &file)?)).await).is_err_and(|why| why.contains("no key that this host trusts")));
    assert!(says(send(Some(&sign(&ours, "another file")?)).await).is_err_and(|why| why.contains("not over this file")));
    assert_eq!(host.active(), None);
    let good = send(Some(&sign(&ours, &file)?)).await?;
    assert_eq!(good.release.signer.as_deref(), Some("release"));
    let folder = Source::Folder { file: "acme.wasm".into() };
    let local = releases::install(&host.context, version("1.0.1").into_bytes(), folder, None).await?;
    assert!(local.active && local.release.signer.is_none());
    Ok(())
}
