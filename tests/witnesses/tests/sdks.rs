//! Each vendor's own client library, pointed at our twin: it must understand the twin, and send what our connector sends.

use crm_witnesses::{node, ours, places, sdk};
use serde_json::{Value, json};

/// What one library must have made of the answers.
struct Expected {
    slug: &'static str,
    package: &'static str,
    /// What a recorder answers, where there is no twin.
    fixtures: &'static [&'static str],
    understood: Value,
    /// The twin's contact afterwards: fields, tags, lists.
    contact: Value,
}

#[expect(clippy::disallowed_methods, reason = "a test's own runtime")]
fn witnessed(expected: &Expected) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let Expected { slug, package, fixtures, understood, contact } = expected;
        let node = match node::installed().await {
            Ok(node) => node,
            Err(why) => return places::skipped(package, why),
        };
        let folder = ours::folder(slug).unwrap();
        let session = sdk::session(node, &folder, fixtures).await.unwrap();
        assert_eq!(&session.understood(), understood, "{package} understood something else");
        if !contact.is_null() {
            assert_eq!(session.contacts, json!([contact]), "{package} left something else at the twin");
        }
        let wrong = session.judged(&folder, package).unwrap();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

#[test]
fn nothing_in_the_lock_file_names_a_download_host() {
    assert!(node::lock_names_no_host().unwrap(), "`npm install --package-lock-only --omit-lockfile-registry-resolved`");
}

#[test]
fn mailchimps_client_says_the_same() {
    witnessed(&Expected {
        slug: "mailchimp",
        package: "@mailchimp/mailchimp_marketing",
        fixtures: &[],
        understood: json!([]),
        contact: json!({}),
    });
}

#[test]
fn klaviyos_client_says_the_same() {
    witnessed(&Expected { slug: "klaviyo", package: "klaviyo-api", fixtures: &[], understood: json!([]), contact: json!({}) });
}

#[test]
fn customer_ios_client_says_the_same() {
    witnessed(&Expected { slug: "customer-io", package: "customerio-node", fixtures: &[], understood: json!([]), contact: json!({}) });
}

#[test]
fn sailthrus_client_says_the_same() {
    witnessed(&Expected { slug: "sailthru", package: "sailthru-client", fixtures: &[], understood: json!([]), contact: json!({}) });
}

#[test]
fn sendgrids_client_says_the_same() {
    witnessed(&Expected { slug: "sendgrid", package: "@sendgrid/client", fixtures: &[], understood: json!([]), contact: json!({}) });
}

#[test]
fn hubspots_client_says_the_same() {
    witnessed(&Expected {
        slug: "hubspot",
        package: "@hubspot/api-client",
        fixtures: &["sync-new", "untag"],
        understood: json!([
            ["find", 404],
            ["create", ["51", "ann@example.com", "Rekomi affiliate;Launch"]],
            ["join", ["51"]],
            ["read", ["51", "By hand;Rekomi affiliate;Launch"]],
            ["untag", ["51", "By hand"]],
        ]),
        contact: Value::Null,
    });
}

#[test]
fn ghosts_client_says_the_same() {
    witnessed(&Expected {
        slug: "ghost",
        package: "@tryghost/admin-api",
        fixtures: &["verify-ok", "choices-newsletter", "sync-new", "untag"],
        understood: json!([]),
        contact: Value::Null,
    });
}

#[test]
fn pipedrives_client_says_the_same() {
    witnessed(&Expected {
        slug: "pipedrive",
        package: "pipedrive",
        fixtures: &["verify-ok", "prepare-creates", "sync-new", "untag"],
        understood: json!([]),
        contact: Value::Null,
    });
}
