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
        let read = session.understood();
        assert!(read == *understood, "{package} understood something else:\n{read}\ninstead of\n{understood}");
        let left = &session.contacts;
        assert!(contact.is_null() || *left == json!([contact]), "{package} left something else at the twin: {left}");
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
        understood: json!([
            ["account", ["Twin Ltd", "owner"]],
            ["list_audiences", [["a1b2c3d4e5", "Affiliates"]]],
            ["list_fields", [["FNAME", "text"], ["LNAME", "text"], ["COMPANY", "text"]]],
            ["save", ["257c57037d384ae37ea27a07e8a01665", "subscribed", { "FNAME": "Ann", "LNAME": "Lee" }]],
            ["tag", null],
            ["list_tags", ["Rekomi affiliate", "Launch"]],
            ["member", ["257c57037d384ae37ea27a07e8a01665", "subscribed", ["Rekomi affiliate", "Launch"]]],
            ["untag", null],
            ["member_tags", ["Launch"]],
        ]),
        contact: json!({
            "email": "ann@example.com", "fields": { "FNAME": "Ann", "LNAME": "Lee" },
            "tags": ["Launch"], "lists": ["a1b2c3d4e5"], "opted_out": false,
        }),
    });
}

#[test]
fn klaviyos_client_says_the_same() {
    witnessed(&Expected {
        slug: "klaviyo",
        package: "klaviyo-api",
        fixtures: &[],
        understood: json!([
            ["account", "Twin Shop"],
            ["lists", (1..=10).map(|n| json!([format!("OLD{n:03}"), format!("Old list {n}"), "single_opt_in"])).collect::<Vec<_>>()],
            ["find", 0],
            ["save", ["ann@example.com", "Ann", "Lee", "NEVER_SUBSCRIBED"]],
            ["subscribe", null],
            ["find", "SUBSCRIBED"],
            ["join", null],
            ["member", true],
            ["untag", null],
            ["leave", null],
        ]),
        contact: json!({
            "email": "ann@example.com", "fields": { "first_name": "Ann", "last_name": "Lee", "rekomi_tags": [] },
            "tags": [], "lists": [], "opted_out": false,
        }),
    });
}

#[test]
fn customer_ios_client_says_the_same() {
    witnessed(&Expected {
        slug: "customer-io",
        package: "customerio-node",
        fixtures: &[],
        understood: json!([
            ["find", 0],
            ["save_new", null],
            ["find", ["ann@example.com"]],
            ["attributes", ["Ann", false]],
            ["retag", null],
        ]),
        contact: json!({
            "email": "ann@example.com",
            "fields": { "first_name": "Ann", "last_name": "Lee", "created_at": 1767323045, "rekomi_tags": "Rekomi affiliate" },
            "tags": ["Rekomi affiliate"], "lists": [], "opted_out": false,
        }),
    });
}

#[test]
fn sailthrus_client_says_the_same() {
    witnessed(&Expected {
        slug: "sailthru",
        package: "sailthru-client",
        fixtures: &[],
        understood: json!([
            ["settings", 4711],
            ["lists", ["Affiliates", "Newsletter"]],
            ["list", "Affiliates"],
            ["save", [true, "ann@example.com", "none"]],
            ["person", ["Ann", ["Rekomi affiliate", "Summer"], ["Affiliates"]]],
            ["retag", true],
        ]),
        contact: json!({
            "email": "ann@example.com",
            "fields": { "first_name": "Ann", "last_name": "Lee", "rekomi_affiliate_status": "removed", "rekomi_tags": [] },
            "tags": [], "lists": ["l1"], "opted_out": false,
        }),
    });
}

#[test]
fn sendgrids_client_says_the_same() {
    witnessed(&Expected {
        slug: "sendgrid",
        package: "@sendgrid/client",
        fixtures: &[],
        understood: json!([
            ["lists", ["Affiliates"]],
            ["create_list", "Rekomi affiliate"],
            ["find", 404],
            ["save", "string"],
            ["import", true],
            ["find", ["ann@example.com", "Ann", "Lee"]],
            ["optout", {}],
            ["fields", ["e1_T"]],
            ["username", "twin"],
            ["leave", "string"],
        ]),
        contact: json!({
            "email": "ann@example.com", "fields": { "email": "ann@example.com", "first_name": "Ann", "last_name": "Lee" },
            "tags": ["Affiliates"], "lists": [], "opted_out": false,
        }),
    });
}

#[test]
fn hubspots_client_says_the_same() {
    witnessed(&Expected {
        slug: "hubspot",
        package: "@hubspot/api-client",
        fixtures: &["choices-two-pages", "choices-fields", "prepare-creates", "sync-new", "untag", "lookup-found"],
        understood: json!([
            ["lists", ["77", "78"]],
            ["properties", ["affiliate_code", "text"]],
            ["make_property", ["rekomi_tags", "checkbox", 2]],
            ["find", 404],
            ["create", ["51", "ann@example.com", "Rekomi affiliate;Launch"]],
            ["join", ["51"]],
            ["read", ["51", "By hand;Rekomi affiliate;Launch"]],
            ["untag", ["51", "By hand"]],
            ["memberships", ["12", "77"]],
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
        understood: json!([
            ["site", ["Acme Weekly", "5.130"]],
            ["list_newsletters", [["Weekly", "active"], ["Partners", "active"]]],
            ["find", 0],
            ["create", ["623199bfe8bc4d3097caefe0", "ann@example.com", ["Rekomi affiliate", "Launch"]]],
            ["read", ["623199bfe8bc4d3097caefe0", "ann@example.com"]],
            ["update", ["623199bfe8bc4d3097caefe0", ["VIP", "Launch"]]],
        ]),
        contact: Value::Null,
    });
}

#[test]
fn pipedrives_client_says_the_same() {
    witnessed(&Expected {
        slug: "pipedrive",
        package: "pipedrive",
        fixtures: &["verify-ok", "choices-two-pages", "choices-owners", "prepare-creates", "sync-new", "untag"],
        understood: json!([
            ["me", ["Me", "acme"]],
            ["fields", "name"],
            ["users", [1, "Ann Lee"]],
            ["field", "label_ids"],
            ["add_label", [{ "id": 7, "label": "Rekomi affiliate" }]],
            ["search", 0],
            ["create", [1, "Ann Lee", [7, 9]]],
            ["person", [5, "Ann Lee"]],
            ["untag", 5],
        ]),
        contact: Value::Null,
    });
}
