//! The folders of `connectors/`: manifest, fixtures, and where the built component lies. Reads files.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use crm_catalog::model::Manifest;

use crate::failure::Failure;
use crate::fixture::{Fixture, load};
use crate::packed;

/// One connector on disk.
pub struct Folder {
    /// The folder's name, which is the manifest's slug.
    pub slug: String,
    pub manifest: Manifest,
    pub fixtures: Vec<Fixture>,
    /// Files among the fixtures that cannot be used.
    pub unreadable: Vec<Failure>,
}

impl Folder {
    /// Reads a connector's folder.
    ///
    /// # Errors
    /// When the manifest or a fixture is missing or malformed.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let slug = path.file_name().and_then(|name| name.to_str()).context("the folder has no name")?.to_owned();
        let file = path.join("connector.toml");
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let manifest = parsed(&text, &file.display().to_string())?;
        if manifest.connector.slug != slug {
            bail!("{}: the slug is {:?}, the folder {slug:?}", file.display(), manifest.connector.slug);
        }
        let fixtures = load(&path.join("fixtures"))?;
        Ok(Self { slug, manifest, fixtures: fixtures.good, unreadable: fixtures.bad })
    }

    /// A connector file, which holds its manifest, and the fixtures of a folder or, without one, those that it packs.
    ///
    /// # Errors
    /// When the file is no connector file, or there are no fixtures.
    pub fn packed(bytes: &[u8], shown: &str, fixtures: Option<&Path>) -> anyhow::Result<Self> {
        let embedded = crm_catalog::section::read(bytes).with_context(|| format!("{shown} is no connector file"))?;
        let manifest = parsed(&embedded.manifest_text, &format!("{shown} (connector.toml)"))?;
        let fixtures = match fixtures {
            Some(folder) => load(folder)?,
            None => match crm_catalog::section::read_fixtures(bytes).with_context(|| shown.to_owned())? {
                Some(packed) => packed::unpacked(&packed),
                None => bail!("{shown} packs no fixtures: name their folder with --fixtures"),
            },
        };
        Ok(Self { slug: manifest.connector.slug.clone(), manifest, fixtures: fixtures.good, unreadable: fixtures.bad })
    }

    /// The component that `cargo xtask build` made of it, in the directory where that puts components.
    ///
    /// # Errors
    /// When it is not there: the text says how to make it.
    pub fn component(&self, built: &Path) -> anyhow::Result<Vec<u8>> {
        let file = built.join(format!("{}.wasm", self.slug));
        std::fs::read(&file).with_context(|| format!("{} is not built: run `cargo xtask build` first", file.display()))
    }
}

/// Every folder of `connectors/` that holds a manifest or a crate, by name.
///
/// # Errors
/// When `connectors` cannot be listed.
pub fn folders(connectors: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(connectors).with_context(|| connectors.display().to_string())?;
    let mut found: Vec<PathBuf> = entries.collect::<Result<Vec<_>, _>>()?.into_iter().map(|entry| entry.path()).collect();
    found.retain(|path| path.join("connector.toml").exists() || path.join("Cargo.toml").exists());
    found.sort();
    Ok(found)
}

fn parsed(text: &str, shown: &str) -> anyhow::Result<Manifest> {
    crm_catalog::parse(text, shown).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}", lines.join("\n"))
    })
}
