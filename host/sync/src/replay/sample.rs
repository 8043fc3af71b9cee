//! A vendor and requests to it, for this room's tests.

use crm_catalog::model::Manifest;
use crm_contract::ports::{Digest, ShownRequest, StepOutcome};
use crm_contract::types::{Change, Ending, Invocation, Job, Known, Person, Response, Standing, Success};
use crm_store::model::Outcome;

use super::recorded::{Exchange, Recorded};

const TOML: &str = r#"
[connector]
slug = "acme"
name = "Acme"
version = "1.0.0"
category = "CRM"
pitch = "For tests."
docs = "https://acme.example/docs"

[[credentials]]
name = "key"
label = "Key"
help = "Anywhere."
pattern = "^[0-9a-z]{8,}-[a-z]{2}[0-9]$"

[[credentials]]
name = "second"
label = "Second key"
help = "Anywhere."
optional = true

[[derived]]
name = "dc"
from = "key"
capture = "-([a-z]{2}[0-9])$"

[[auth]]
name = "main"
type = "header"
headers = { X-Key = "{key}", X-Second = "{second}", X-Dc = "{dc}" }

[[endpoints]]
name = "api"
url = "https://{derived:dc}.acme.example/v3"
auth = "main"
allow = ["*.acme.example"]

[[calls]]
name = "account"
doc = "Names the account."
stages = ["verify"]
method = "GET"
path = "/account"
effect = "read"

[[calls]]
name = "save"
sample = { body = "{}" }
doc = "Saves the contact."
stages = ["sync"]
method = "POST"
path = "/contacts"
body = "json"
writes = ["/*"]
effect = "idempotent"

[[calls]]
name = "tag"
sample = { body = "{}" }
doc = "Tags the contact."
stages = ["sync"]
method = "POST"
path = "/tags"
body = "json"
writes = ["/*"]
effect = "idempotent"

[sync]
new = 4
existing = 4

[supports]

[setup]
key_location = ["Anywhere."]
disconnect = "Nothing stays."
"#;

pub(super) fn manifest() -> Manifest {
    crm_catalog::parse(TOML, "acme.toml").unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// As egress shows it of a live run.
pub(super) fn request(path: &str, body: &str) -> ShownRequest {
    let headers = [("content-type", "application/json"), ("x-key", "{secret:key}"), ("x-dc", "us1")];
    ShownRequest {
        method: "POST".into(),
        url: format!("https://us1.acme.example/v3{path}"),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        body: Some(body.to_owned()),
    }
}

pub(super) fn exchange(call: &str, path: &str, body: &str) -> Exchange {
    let outcome = StepOutcome::Answered(Response { status: 200, headers: Vec::new(), body: b"{}".to_vec() });
    Exchange { call: call.into(), hash: Some(format!("{call} {body}")), request: Some(request(path, body)), outcome, reused: false, at: 5 }
}

pub(super) fn recorded(exchanges: Vec<Exchange>) -> Recorded {
    let who = Person { email: "ann@example.com".into(), first: Some("Al".into()), last: Some("Quincey".into()), ..Person::default() };
    let known = Known { contact_id: Some("c7".into()), ..Known::default() };
    Recorded {
        organization: "org_1".into(),
        connection: "con_1".into(),
        sync: "job_1".into(),
        attempt: 1,
        connector: "acme".into(),
        version: "1.0.0".into(),
        digest: Digest("d".into()),
        account: None,
        choice: None,
        after_unknown: false,
        resumed: false,
        invocation: Invocation::SyncContact { job: Job { who, known, ..Job::default() } },
        exchanges,
        outcome: Outcome::Ended(Ending::Done(Success { change: Change::Created, standing: Standing::Normal, warnings: Vec::new() })),
        started: 5,
        ended: 6,
    }
}
