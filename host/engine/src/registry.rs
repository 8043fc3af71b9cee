//! Which versions are loaded, and which one of each connector is active. Swapped as a whole, so that a reader never
//! sees half a change and never waits. Must not load or run anything.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arc_swap::ArcSwap;
use crm_catalog::model::Manifest;
use crm_contract::ports::Digest;

use crate::bindings::ConnectorPre;
use crate::run::Run;

/// One proven version of a connector. Runs hold it, so that it outlives its removal until they end.
pub(crate) struct Version {
    pub(crate) digest: Digest,
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) pre: ConnectorPre<Run>,
    /// It imports WASI: runs need a seed.
    pub(crate) wasi: bool,
}

#[derive(Clone, Default)]
struct Table {
    versions: HashMap<Digest, Arc<Version>>,
    /// Digests by slug in the order of activation, newest last. A version on trial is not among them.
    order: BTreeMap<String, Vec<Digest>>,
    active: BTreeMap<String, Digest>,
}

#[derive(Default)]
pub(crate) struct Registry(ArcSwap<Table>);

impl Registry {
    pub(crate) fn get(&self, digest: &Digest) -> Option<Arc<Version>> {
        self.0.load().versions.get(digest).cloned()
    }

    pub(crate) fn active(&self, slug: &str) -> Option<Arc<Version>> {
        let table = self.0.load();
        table.versions.get(table.active.get(slug)?).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Version>> {
        let table = self.0.load();
        table.order.values().flatten().filter_map(|digest| table.versions.get(digest).cloned()).collect()
    }

    /// Lets `version` be found by its digest, and by nothing else.
    pub(crate) fn admit(&self, version: Arc<Version>) {
        self.0.rcu(|table| {
            let mut table = Table::clone(table);
            table.versions.entry(version.digest.clone()).or_insert_with(|| version.clone());
            table
        });
    }

    /// Forgets a version that was admitted and not kept since.
    pub(crate) fn dismiss(&self, digest: &Digest) {
        self.0.rcu(|table| {
            let mut table = Table::clone(table);
            if !table.order.values().flatten().any(|kept| kept == digest) {
                table.versions.remove(digest);
            }
            table
        });
    }

    /// Keeps `version` loaded, and leaves what is active.
    pub(crate) fn keep(&self, version: Arc<Version>) {
        let slug = version.manifest.connector.slug.clone();
        self.0.rcu(|table| {
            let mut table = Table::clone(table);
            table.versions.entry(version.digest.clone()).or_insert_with(|| version.clone());
            let order = table.order.entry(slug.clone()).or_default();
            if !order.contains(&version.digest) {
                order.push(version.digest.clone());
            }
            table
        });
    }

    /// Makes `version` the active one of its connector; others stay loaded.
    pub(crate) fn activate(&self, version: Arc<Version>) {
        let slug = version.manifest.connector.slug.clone();
        self.0.rcu(|table| {
            let mut table = Table::clone(table);
            let order = table.order.entry(slug.clone()).or_default();
            order.retain(|digest| *digest != version.digest);
            order.push(version.digest.clone());
            table.active.insert(slug.clone(), version.digest.clone());
            table.versions.insert(version.digest.clone(), version.clone());
            table
        });
    }

    /// Leaves a connector without an active version.
    pub(crate) fn retire(&self, slug: &str) {
        self.0.rcu(|table| {
            let mut table = Table::clone(table);
            table.active.remove(slug);
            table
        });
    }

    /// Forgets a version that is not active. False when it is active or not loaded.
    pub(crate) fn remove(&self, digest: &Digest) -> bool {
        let mut removed = false;
        self.0.rcu(|table| {
            let mut table = Table::clone(table);
            let active = table.active.values().any(|d| d == digest);
            removed = !active && table.versions.remove(digest).is_some();
            if removed {
                for order in table.order.values_mut() {
                    order.retain(|d| d != digest);
                }
            }
            table
        });
        removed
    }
}
