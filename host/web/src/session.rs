//! Console sessions: a random cookie, and behind it, in memory only, who signed in. Every request checks that the key has
//! not been revoked since.

use std::collections::HashMap;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Redirect, Response};
use crm_sync::client::ClientAddr;
use crm_sync::context::Context;
use crm_sync::domain::{Actor, ActorKind};
use crm_sync::services::keys::{self, Principal};
use http::header;
use http::request::Parts;
use parking_lot::Mutex;
use rand::distr::{Alphanumeric, SampleString};

use crate::Site;
use crate::layout::sorry;
use crate::visitors::client_ip;

const COOKIE: &str = "console";
const LIFETIME_MS: u64 = 12 * 60 * 60 * 1_000;
const MOST: usize = 10_000;

#[derive(Default)]
pub(crate) struct Sessions {
    open: Mutex<HashMap<String, (Principal, u64)>>,
}

impl Sessions {
    /// Opens a session; answers the cookie's value. When there are too many, the oldest gives way.
    pub(crate) fn open(&self, principal: Principal, now: u64) -> String {
        // 43 letters and digits are about 256 bits.
        let id = Alphanumeric.sample_string(&mut rand::rng(), 43);
        let mut open = self.open.lock();
        if open.len() >= MOST {
            open.retain(|_, (_, until)| *until > now);
        }
        if open.len() >= MOST
            && let Some(oldest) = open.iter().min_by_key(|(_, (_, until))| *until).map(|(id, _)| id.clone())
        {
            open.remove(&oldest);
        }
        open.insert(id.clone(), (principal, now + LIFETIME_MS));
        id
    }

    fn find(&self, id: &str, now: u64) -> Option<Principal> {
        let open = self.open.lock();
        open.get(id).filter(|(_, until)| *until > now).map(|(principal, _)| principal.clone())
    }

    pub(crate) fn close(&self, id: &str) {
        self.open.lock().remove(id);
    }
}

/// The cookie of a request.
pub(crate) fn cookie(headers: &http::HeaderMap) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    all.flat_map(|line| line.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE).then(|| value.to_owned())
    })
}

/// The `Set-Cookie` that keeps (or, empty, deletes) a session.
pub(crate) fn set_cookie(id: &str, secure: bool) -> String {
    let age = if id.is_empty() { 0 } else { LIFETIME_MS / 1_000 };
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE}={id}; Path=/console; Max-Age={age}; HttpOnly; SameSite=Lax{secure}")
}

/// Someone who signed in; everyone else is sent to the sign-in page.
pub(crate) struct SignedIn {
    pub(crate) who: Principal,
    /// What services work with, on behalf of this session.
    pub(crate) ctx: Context,
}

impl FromRequestParts<Site> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Response> {
        let ctx = &site.state.ctx;
        let id = cookie(&parts.headers).ok_or_else(|| Redirect::to("/console").into_response())?;
        let principal = site.sessions.find(&id, ctx.now()).ok_or_else(|| Redirect::to("/console").into_response())?;
        match keys::still_valid(ctx, &principal).await {
            Ok(Some(who)) => {
                let ip = client_ip(&parts.extensions).and_then(ClientAddr::shown);
                let actor = Actor { kind: ActorKind::Console, id: who.key.clone(), ip, request: None };
                Ok(Self { who, ctx: ctx.by(actor) })
            }
            Ok(None) => {
                site.sessions.close(&id);
                Err(Redirect::to("/console").into_response())
            }
            Err(error) => Err(sorry(&error)),
        }
    }
}
