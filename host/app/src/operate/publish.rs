//! `connector publish`: a file and its signature go to a registry.

use std::process::ExitCode;

use anyhow::Result;
use crm_registry::{Labels, Reference};

use super::args::PublishArgs;
use super::parcel;
use crate::author::{File, note, say};

pub(super) async fn run(args: &PublishArgs) -> Result<ExitCode> {
    let to: Reference = args.to.parse()?;
    let file = File::read(&args.file)?;
    let signature = parcel::signature_of(&args.file, args.signature.as_deref())?;
    let identity = &file.manifest.connector;
    let labels = Labels {
        slug: identity.slug.clone(),
        title: identity.name.clone(),
        version: identity.version.clone(),
        description: identity.pitch.clone(),
        documentation: identity.docs.clone(),
    };
    let published = crm_registry::push(&to, &parcel::login(&args.registry, &to)?, file.bytes, &labels, signature.as_deref()).await?;
    let signed = if signature.is_some() { "with its signature" } else { "without a signature: hosts that ask for one will refuse it" };
    note(&format!("{} {} lies at {to}, {signed}. By its digest, which no later push changes:", identity.slug, identity.version));
    say(&published.to_string());
    Ok(ExitCode::SUCCESS)
}
