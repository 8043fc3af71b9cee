//! From a file to a version that may be swapped in. The checks go from cheap to dear and from outside in; each failure
//! has its own words, and none of them touches what is active. Must not swap: that is `Engine::activate`.

use std::sync::Arc;

use async_trait::async_trait;
use crm_catalog::model::Manifest;
use crm_contract::ports::{Digest, GuestLog, LogLevel, Outbound};
use crm_contract::types::{Request, Response, Unanswered};
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use crate::bindings::{Connector, ConnectorPre};
use crate::cache::Found;
use crate::code::Trusted;
use crate::engine::Engine;
use crate::error::{CompileFault, LoadError};
use crate::registry::Version;
use crate::run;
use crate::scan::{self, Outline};
use crate::wasi::Seed;
use crate::world;

/// A version that passed every check and is not active yet.
pub struct Proven {
    pub(crate) version: Arc<Version>,
    from_cache: bool,
}

impl Proven {
    pub fn digest(&self) -> &Digest {
        &self.version.digest
    }

    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.version.manifest
    }

    /// Its code was not compiled now: it came from the cache and its MAC held, or the version was loaded already.
    pub fn from_cache(&self) -> bool {
        self.from_cache
    }
}

/// A file with its name, after everything that can be known without compiling.
struct Candidate {
    file: Arc<[u8]>,
    hash: blake3::Hash,
    manifest: Manifest,
    outline: Outline,
}

impl Engine {
    /// Checks a file completely and leaves what is active untouched. In order: size, manifest section, contract
    /// version, manifest, structure, imports and exports, compilation (or a cached artifact), types, one
    /// instantiation under a guest's limits. A file that is loaded has passed them all, under these very limits: it is not
    /// proved again.
    pub async fn prove(&self, file: Vec<u8>) -> Result<Proven, LoadError> {
        let limit = self.limits.scan.file_bytes;
        if file.len() > limit {
            return Err(LoadError::TooLarge { bytes: file.len(), limit });
        }
        let (file, hash) = on_blocking_thread(move || {
            let hash = blake3::hash(&file);
            (file, hash)
        })
        .await?;
        if let Some(version) = self.registry.get(&Digest(hash.to_hex().to_string())) {
            return Ok(Proven { version, from_cache: true });
        }
        let candidate = self.inspect(file, hash).await?;
        let (component, from_cache) = self.obtain(&candidate).await?;
        let linker = if candidate.outline.wasi { &self.with_wasi } else { &self.plain };
        // The names were compared before compiling; what wasmtime understood of the file must be the same.
        for (name, item) in component.component_type().imports(&self.wasm) {
            if matches!(item.ty, ComponentItem::Type(_)) {
                continue;
            }
            world::check_import(name, candidate.outline.wasi)?;
        }
        let linked = linker.instantiate_pre(&component).map_err(|error| LoadError::ImportShape(misfit(&error)))?;
        let pre = ConnectorPre::new(linked).map_err(|error| LoadError::ExportShape(misfit(&error)))?;
        let version = Version {
            digest: Digest(candidate.hash.to_hex().to_string()),
            manifest: Arc::new(candidate.manifest),
            pre,
            wasi: candidate.outline.wasi,
        };
        self.self_test(&version).await?;
        Ok(Proven { version: Arc::new(version), from_cache })
    }

    async fn inspect(&self, file: Vec<u8>, hash: blake3::Hash) -> Result<Candidate, LoadError> {
        let (limits, allowed) = (self.limits.clone(), self.wasi_allowed.clone());
        // Linear in the file, but megabytes of it: not on a thread that serves requests.
        on_blocking_thread(move || {
            scan::check_magic(&file)?;
            let embedded = crm_catalog::section::read(&file)?;
            if embedded.wit_version != world::WIT_VERSION {
                return Err(LoadError::WitVersion { found: embedded.wit_version, supported: world::WIT_VERSION });
            }
            let manifest = crm_catalog::parse(&embedded.manifest_text, "connector.toml").map_err(LoadError::Manifest)?;
            let outline = scan::scan(&file, &limits, allowed.contains(&manifest.connector.slug))?;
            Ok(Candidate { hash, file: file.into(), manifest, outline })
        })
        .await?
    }

    /// The component's code: from the cache when its MAC holds and it fits this engine, else compiled and kept.
    async fn obtain(&self, candidate: &Candidate) -> Result<(Component, bool), LoadError> {
        let hash = candidate.hash;
        if let Some(cache) = self.cache.clone() {
            let found = on_blocking_thread(move || cache.get(&hash)).await?;
            let result = match found {
                Found::Code(code) => match self.map(code).await? {
                    Ok((component, _)) => {
                        metrics::counter!("crm_engine_code_cache_total", "result" => "hit").increment(1);
                        return Ok((component, true));
                    }
                    Err(why) => {
                        tracing::warn!(component = %hash, why, "cached code does not fit this engine; compiling anew");
                        "unfit"
                    }
                },
                Found::Absent => "absent",
                Found::Damaged(why) => {
                    tracing::warn!(component = %hash, why, "cached code refused; compiling anew");
                    "refused"
                }
            };
            metrics::counter!("crm_engine_code_cache_total", "result" => result).increment(1);
        }
        let code = self.foundry.compile(candidate.file.clone()).await?;
        let (component, code) = self.map(code).await?.map_err(CompileFault::Worker)?;
        if let Some(cache) = self.cache.clone() {
            let kept = on_blocking_thread(move || cache.put(&hash, &code)).await?;
            if let Err(error) = kept {
                // The connector works all the same; the next start compiles again.
                tracing::warn!(component = %hash, %error, "compiled code could not be kept");
            }
        }
        Ok((component, false))
    }

    async fn map(&self, code: Trusted) -> Result<Result<(Component, Trusted), String>, LoadError> {
        let wasm = self.wasm.clone();
        on_blocking_thread(move || match code.load(&wasm) {
            Ok(component) => Ok((component, code)),
            Err(error) => Err(format!("{error:#}")),
        })
        .await
    }

    async fn self_test(&self, version: &Version) -> Result<(), LoadError> {
        let mut store = run::open(&self.wasm, &self.limits, Arc::new(Nowhere), Arc::new(Nowhere), Seed::default());
        let instance = run::drive(&mut store, &self.limits, async |store| version.pre.instance_pre().instantiate_async(store).await)
            .await
            .map_err(LoadError::SelfTest)?;
        // Looks every export up with its type.
        Connector::new(&mut store, &instance).map(drop).map_err(|error| LoadError::ExportShape(misfit(&error)))
    }
}

fn misfit(error: &wasmtime::Error) -> String {
    crate::log::printable(&format!("{error:#}"), 500)
}

async fn on_blocking_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, LoadError> {
    tokio::task::spawn_blocking(work).await.map_err(|e| LoadError::Host(e.to_string()))
}

/// The outside world during a self-test: there is none.
struct Nowhere;

#[async_trait]
impl Outbound for Nowhere {
    async fn send(&self, _request: Request) -> Result<Response, Unanswered> {
        Err(Unanswered::Refused("a self-test makes no calls".into()))
    }
}

impl GuestLog for Nowhere {
    fn line(&self, _level: LogLevel, _text: &str) {}
}
