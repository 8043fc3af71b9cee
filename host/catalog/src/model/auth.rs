//! How a request is authenticated, as data. No secret is ever held here, only the names of slots.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bearer;

/// How a request is authenticated, as data. `{slot}` stands for a credential, a split part or a derived part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]

pub struct Auth {
    pub name: String,
    /// The credential mode this belongs to; empty = the only one.
    #[serde(default)]
    pub mode: String,
    #[serde(flatten)]
    pub kind: AuthKind,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum AuthKind {
    /// Several headers, each a template such as `Acme-API-Key {key}`.
    Header {
        headers: BTreeMap<String, String>,
    },
    Basic {
        user: String,
        password: String,
    },
    Bearer {
        token: String,
    },
    Query {
        params: BTreeMap<String, String>,
    },
    /// Fields added to the JSON or form body.
    Body {
        fields: BTreeMap<String, String>,
    },
    Oauth2(Oauth2),
    Jwt(Jwt),
    Signature(Signature),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    Code,
    RefreshToken,
    ClientCredentials,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuth {
    #[default]
    Basic,
    Form,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Oauth2 {
    pub grant: Grant,
    /// Endpoint (by name) of the token call, and its path.
    pub token_endpoint: String,
    pub token_path: String,
    #[serde(default)]
    pub authorize_url: Option<String>,
    #[serde(default)]
    pub pkce: bool,
    #[serde(default)]
    pub scopes: Vec<String>,
    #[serde(default)]
    pub client_auth: ClientAuth,
    /// Slot, by bare name (`client_id`, no braces); so are `client_secret` and `refresh_token`.
    pub client_id: String,
    #[serde(default)]
    pub client_secret: Option<String>,
    #[serde(default)]
    pub refresh_token: Option<String>,
    /// Word before the token in `Authorization`; default `Bearer`.
    #[serde(default = "bearer")]
    pub prefix: String,
    /// The refresh token changes with each use.
    #[serde(default)]
    pub rotates: bool,
    /// Used when the answer states no `expires_in`.
    #[serde(default)]
    pub lifetime_s: Option<u32>,
    /// JSON key of the token answer that names the API's base URL.
    #[serde(default)]
    pub base_from: Option<String>,
    #[serde(default)]
    pub revoke_path: Option<String>,
    /// Further form fields of a client-credentials token request: name -> template.
    #[serde(default)]
    pub token_params: BTreeMap<String, String>,
    /// Limits, by name, that calls to the token endpoint draw on.
    #[serde(default)]
    pub limits: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyEncoding {
    #[default]
    Text,
    Hex,
    Base64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Jwt {
    /// `HS256`.
    pub alg: String,
    /// Slot of the key, by bare name.
    pub key: String,
    #[serde(default)]
    pub key_encoding: KeyEncoding,
    /// Slot template of the key id header.
    #[serde(default)]
    pub kid: Option<String>,
    #[serde(default)]
    pub aud: Option<String>,
    pub ttl_s: u32,
    #[serde(default = "bearer")]
    pub prefix: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureKind {
    /// MD5 hex of secret + all parameter values in byte order.
    Md5SortedValues,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signature {
    pub kind: SignatureKind,
    /// Slots, by bare name.
    pub key: String,
    pub secret: String,
    /// Parameter names on the wire.
    pub key_param: String,
    pub signature_param: String,
    /// Constant parameters that are signed too, such as `format = "json"`.
    #[serde(default)]
    pub constants: BTreeMap<String, String>,
    /// The guest's JSON body becomes this one parameter.
    #[serde(default)]
    pub json_param: Option<String>,
}
