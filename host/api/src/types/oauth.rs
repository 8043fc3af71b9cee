//! Connecting by the vendor's consent page.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::connections::Typed;

/// What a start without secrets needs.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StartQuery {
    /// Renew the consent of this connection; absent = connect a new one.
    pub(crate) connection: Option<String>,
    /// Name of the new connection.
    pub(crate) name: Option<String>,
    /// Authentication mode; defaults to the connector's first.
    pub(crate) mode: Option<String>,
    /// Where the browser goes afterwards (`https://...`, or a path on this host), with `?connection=...` or `?error=...` added.
    pub(crate) return_to: Option<String>,
}

/// Start with what the merchant typed: an own client's id and secret, settings.
// No `Debug`: it holds secrets.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StartAuthorization {
    /// Renew the consent of this connection; absent = connect a new one. Only `credentials` and `return_to` go with it.
    #[serde(default)]
    pub(crate) connection: Option<String>,
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) mode: Option<String>,
    /// By the names of the connect form.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    pub(crate) credentials: Option<Typed>,
    #[serde(default)]
    pub(crate) settings: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) default_tags: Vec<String>,
    #[serde(default)]
    pub(crate) return_to: Option<String>,
}

/// Where to send the merchant's browser.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuthorizationStarted {
    /// The vendor's consent page. Give it to the signed-in merchant only: whoever says yes there is connected here.
    pub(crate) authorize_url: String,
    /// The return must come before this.
    pub(crate) expires: String,
}

/// What the vendor appends to the redirect URI. Vendors add parameters of their own, so unknown ones are no error here.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReturnQuery {
    /// As the consent page was given it: says whose consent this is.
    #[serde(default)]
    pub(crate) state: String,
    /// Good once.
    pub(crate) code: Option<String>,
    /// The vendor's word for a no, such as `access_denied`.
    pub(crate) error: Option<String>,
}
