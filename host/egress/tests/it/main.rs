//! Egress from outside: the gateway as `app` builds it, against vendors on loopback. No network beyond loopback, no sleeps.

mod auth_kinds;
mod bounds;
mod checks;
mod echoes;
mod grants;
mod journal;
mod limits;
mod oauth;
mod ssrf;
mod support;
mod targets;
mod vendor;
mod webhooks;
