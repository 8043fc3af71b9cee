//! Every twin by its connector's slug, and what a program must know to connect a host to it.

use std::collections::BTreeMap;
use std::io;

use serde_json::{Map, Value, json};

use crate::core::{Core, Vendor};
use crate::server::{self, Running};
use crate::window::Allowance;

/// What a twin is started with.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Instead of the twin's own credentials: slot -> value.
    pub credentials: BTreeMap<String, String>,
    /// Instead of the vendor's limits: so many calls a minute; 0 = unlimited.
    pub per_minute: Option<u32>,
    /// 0 = the system chooses.
    pub port: u16,
}

impl Setup {
    /// A credential: the one given, or the twin's own.
    pub fn credential(&self, slot: &str, own: &str) -> String {
        self.credentials.get(slot).cloned().unwrap_or_else(|| own.to_owned())
    }

    /// A window: the vendor's, unless another is asked for.
    pub fn allowance(&self, vendors: Allowance) -> Option<Allowance> {
        match self.per_minute {
            None => Some(vendors),
            Some(0) => None,
            Some(calls) => Some(Allowance::per_minute(calls)),
        }
    }
}

/// How a host is connected to a twin.
#[derive(Clone, Debug, Default)]
pub struct Connecting {
    /// Endpoint of the manifest -> path below the twin's base URL (empty or beginning with `/`).
    pub endpoints: Vec<(&'static str, &'static str)>,
    /// Slot -> what the merchant types.
    pub credentials: BTreeMap<String, String>,
    /// Setting -> value, where the merchant must choose.
    pub settings: BTreeMap<String, String>,
    /// Picker -> id, where the merchant must pick.
    pub picked: BTreeMap<String, String>,
}

/// A vendor that can be started by its slug.
pub trait Stand: Vendor + Sized {
    fn stand(setup: &Setup) -> Self;
    fn connecting(&self) -> Connecting;
}

/// The slugs of the twins that there are.
pub const SLUGS: &[&str] =
    &["activecampaign", "constant-contact", "customer-io", "klaviyo", "mailchimp", "ontraport", "sailthru", "sendgrid"];

/// A twin of any vendor.
pub struct Standing {
    /// What to tell whoever asked for it.
    pub ready: Value,
    /// `http://127.0.0.1:PORT`.
    pub base_url: String,
    running: Box<dyn Runs>,
}

impl Standing {
    /// Serves until the listener fails.
    pub async fn forever(self) {
        self.running.task().await;
    }
}

trait Runs: Send {
    fn task(self: Box<Self>) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
}

impl<V: Vendor> Runs for Running<V> {
    fn task(self: Box<Self>) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self.forever())
    }
}

/// Starts the twin of `slug`.
///
/// # Errors
/// When there is none, or the port is taken.
pub async fn start(slug: &str, setup: &Setup) -> io::Result<Standing> {
    match slug {
        "mailchimp" => stand::<crate::mailchimp::Mailchimp>(setup).await,
        "customer-io" => stand::<crate::customer_io::CustomerIo>(setup).await,
        "sailthru" => stand::<crate::sailthru::Sailthru>(setup).await,
        "sendgrid" => stand::<crate::sendgrid::Sendgrid>(setup).await,
        "activecampaign" => stand::<crate::activecampaign::ActiveCampaign>(setup).await,
        "klaviyo" => stand::<crate::klaviyo::Klaviyo>(setup).await,
        "constant-contact" => stand::<crate::constant_contact::ConstantContact>(setup).await,
        "ontraport" => stand::<crate::ontraport::Ontraport>(setup).await,
        _ => Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no twin of `{slug}`"))),
    }
}

async fn stand<V: Stand>(setup: &Setup) -> io::Result<Standing> {
    let vendor = V::stand(setup);
    let connecting = vendor.connecting();
    let running = server::serve(Core::new(vendor), setup.port).await?;
    let base_url = running.base_url.clone();
    let endpoints: Map<String, Value> =
        connecting.endpoints.iter().map(|(name, path)| ((*name).to_owned(), json!(format!("{base_url}{path}")))).collect();
    let api = endpoints.get("api").or_else(|| endpoints.values().next()).cloned();
    let ready = json!({
        "event": "ready", "url": base_url, "api": api, "endpoints": endpoints,
        "connect": { "credentials": connecting.credentials, "settings": connecting.settings, "picked": connecting.picked },
    });
    Ok(Standing { ready, base_url, running: Box::new(running) })
}
