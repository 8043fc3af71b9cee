//! A host of which everything but store and files can be lost: the real services over the store's model and real files, with an engine whose
//! connector files hold a manifest and no code.

use std::sync::Arc;

use anyhow::Result;
use async_trait::async_trait;
use crm_contract::ports::Guests as _;
use crm_contract::spool::{Spool, SpoolError, SpoolName, Spooled};
pub(crate) use crm_simulation::engine::Life;
use crm_simulation::engine::{Engine, connector_file};
use crm_simulation::{Behaviour, World};
use crm_store::{FileSpool, SpaceGate};
use crm_sync::context::Context;
use crm_sync::domain::{Actor, ActorKind};
use crm_sync::services::releases::{self, Installed, Intake, Release, Shelf, Source, TrustRoots};
use crm_sync::services::{ServiceError, organizations};

/// The files of a process that may die before and after each of them is touched.
struct Mortal {
    files: Arc<FileSpool>,
    life: Arc<Life>,
}

#[async_trait]
impl Spool for Mortal {
    async fn create(&self, name: &SpoolName) -> Result<(), SpoolError> {
        self.life.step();
        self.files.create(name).await
    }

    async fn append(&self, name: &SpoolName, bytes: Vec<u8>) -> Result<u64, SpoolError> {
        self.life.step();
        // A process may die with half a file written.
        let half = bytes.len() / 2;
        self.files.append(name, bytes[..half].to_vec()).await?;
        self.life.step();
        self.files.append(name, bytes[half..].to_vec()).await
    }

    async fn sync(&self, name: &SpoolName) -> Result<(), SpoolError> {
        self.life.step();
        self.files.sync(name).await?;
        self.life.step();
        Ok(())
    }

    async fn read(&self, name: &SpoolName, offset: u64, most: usize) -> Result<Vec<u8>, SpoolError> {
        self.files.read(name, offset, most).await
    }

    async fn length(&self, name: &SpoolName) -> Result<u64, SpoolError> {
        self.files.length(name).await
    }

    async fn truncate(&self, name: &SpoolName, length: u64) -> Result<(), SpoolError> {
        self.files.truncate(name, length).await
    }

    async fn delete(&self, name: &SpoolName) -> Result<(), SpoolError> {
        self.life.step();
        self.files.delete(name).await
    }

    async fn list(&self) -> Result<Vec<Spooled>, SpoolError> {
        self.files.list().await
    }
}

/// A host over one store and one folder of files, in a world with a vendor.
pub(crate) struct Host {
    pub(crate) world: World,
    pub(crate) files: Arc<FileSpool>,
    pub(crate) engine: Arc<Engine>,
    trust: TrustRoots,
    _dir: tempfile::TempDir,
}

impl Host {
    pub(crate) fn new() -> Result<Self> {
        Self::trusting(TrustRoots::new([], releases::SignaturePolicy::None)?)
    }

    pub(crate) fn trusting(trust: TrustRoots) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let files = Arc::new(FileSpool::open(dir.path(), SpaceGate::Bytes(0))?);
        let world = World::new(1, Behaviour::default());
        let engine = engine(&world, Life::immortal());
        let mut host = Self { world, files, engine, trust, _dir: dir };
        host.wire(Life::immortal());
        Ok(host)
    }

    /// A process with nothing in memory, over what is on disk.
    pub(crate) fn wire(&mut self, life: Arc<Life>) {
        self.engine = engine(&self.world, life.clone());
        let files = Arc::new(Mortal { files: self.files.clone(), life });
        let shelf = Arc::new(Shelf::new(self.engine.clone(), files, self.trust.clone(), 100_000));
        self.world.context = Context { guests: self.engine.clone(), ..self.world.context.clone() }.with_releases(shelf);
    }

    pub(crate) fn context(&self) -> &Context {
        &self.world.context
    }

    /// On behalf of the operator.
    pub(crate) fn operator(&self) -> Context {
        self.context().by(Actor { kind: ActorKind::Operator, id: "key_operator".into(), ip: None, request: None })
    }

    /// The process dies; what is on disk stays.
    pub(crate) async fn restart(&mut self) -> Result<releases::Started> {
        self.world.crash().await;
        self.wire(Life::immortal());
        Ok(releases::start(self.context()).await?)
    }

    pub(crate) async fn install(&self, file: &[u8]) -> Result<Installed, ServiceError> {
        releases::install(&self.operator(), intake(file)).await
    }

    /// Kept, and not made active.
    pub(crate) async fn keep(&self, file: &[u8]) -> Result<Release, ServiceError> {
        let intake = Intake { activate: false, ..intake(file) };
        releases::install(&self.operator(), intake).await.map(|installed| installed.release)
    }

    /// The active version's number.
    pub(crate) fn active(&self) -> Option<String> {
        self.engine.active("acme").map(|(_, manifest)| manifest.connector.version.clone())
    }

    /// Numbers of the versions in memory.
    pub(crate) fn loaded(&self) -> Vec<String> {
        let mut numbers: Vec<String> = self.engine.loaded().iter().map(|(_, m)| m.connector.version.clone()).collect();
        numbers.sort();
        numbers
    }

    pub(crate) fn ran(&self, version: &str) -> u32 {
        self.engine.ran.lock().get(version).copied().unwrap_or_default()
    }

    /// An organization whose connections can be found by their connector.
    pub(crate) async fn organization(&self) -> Result<String> {
        Ok(organizations::create(self.context(), "Merchant", false).await?.id)
    }
}

fn engine(world: &World, life: Arc<Life>) -> Arc<Engine> {
    Arc::new(Engine::over(world.vendor.clone(), life))
}

pub(crate) fn intake(file: &[u8]) -> Intake {
    Intake { file: file.to_vec(), source: Source::Upload, signature: None, activate: true }
}

const ACME: &str = include_str!("../../src/acme.toml");

fn manifest(number: &str) -> String {
    ACME.replace("version = \"1.0.0\"", &format!("version = \"{number}\""))
}

/// A connector file of this number.
pub(crate) fn version(number: &str) -> Vec<u8> {
    connector_file(&manifest(number))
}

/// Another file of the same number.
pub(crate) fn other(number: &str) -> Vec<u8> {
    connector_file(&(manifest(number) + "\n# another file\n"))
}

/// The same, and it may do more: it has a further call.
pub(crate) fn wider(number: &str) -> Vec<u8> {
    let call = "[[calls]]\nname = \"more\"\nsample = { body = \"{}\" }\ndoc = \"More.\"\nstages = [\"sync\"]\nmethod = \"GET\"\npath = \"/more\"\neffect = \"read\"\n";
    let text = manifest(number);
    let at = text.find("[[calls]]").unwrap_or(text.len());
    connector_file(&format!("{}{call}\n{}", &text[..at], &text[at..]))
}
