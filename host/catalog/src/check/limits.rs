//! Checks of `[[limits]]`.

use super::Check;
use crate::error::At;
use crate::model::{AuthKind, Limit, Reset};
use crate::shape;

const DAY: u64 = 86_400;

pub(super) fn check(check: &mut Check<'_, '_>) {
    let m = check.m;
    check.names("limits", m.limits.iter().map(|l| l.name.as_str()));
    for (i, limit) in m.limits.iter().enumerate() {
        let at = At::item("limits", i, &limit.name);
        one(check, &at, limit);
        let by_tokens = m.auth.iter().any(|a| matches!(&a.kind, AuthKind::Oauth2(o) if o.limits.contains(&limit.name)));
        if !by_tokens && !m.calls.iter().any(|c| c.limits.contains(&limit.name)) {
            check.add(&at, "name", "is drawn on by no call: name it in their `limits`, or in those of an oauth2 [[auth]]");
        }
    }
}

fn one(check: &mut Check<'_, '_>, at: &At, l: &Limit) {
    match (l.requests, l.per_s) {
        (Some(_), None) => check.add(at, "per_s", "is needed with `requests`"),
        (None, Some(_)) => check.add(at, "requests", "is needed with `per_s`"),
        (None, None) if l.concurrency.is_none() => check.add(at, "", "limits nothing: it needs `requests` and `per_s`, or `concurrency`"),
        _ => {}
    }
    if l.reset != Reset::Rolling && l.per_s != Some(DAY) {
        check.add(at, "reset", "a reset at midnight belongs to a window of one day: `per_s = 86400`");
    }
    if let Some(headers) = &l.headers {
        let at = at.child("headers");
        let names = [("limit", &headers.limit), ("remaining", &headers.remaining), ("reset", &headers.reset)];
        if names.iter().all(|(_, n)| n.is_none()) {
            check.add(&at, "", "names no header: at least one of `limit`, `remaining`, `reset`");
        }
        for (key, name) in names {
            if let Some(name) = name
                && !shape::is_header_name(name)
            {
                check.add(&at, key, format!("`{name}` is no header name"));
            }
        }
    }
}
