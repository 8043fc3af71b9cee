//! The scenes before the affiliates sync, each shown in a few lines.

use anyhow::{Context, Result, ensure};
use crm_test_support::{Client, TwinProcess};
use serde_json::{Value, json};

use super::SLUG;
use super::merchant::{Merchant, id, text};
use crate::say;

/// What the twin's program takes for good credentials.
const APP_ID: &str = "2_AppID_12345678";
const API_KEY: &str = "k3yForTheTwin15";

const SAVE: &str = "POST /1/objects/saveorupdate";
const TAG: &str = "PUT /1/objects/tagByName";

/// Tags that the merchant's account holds already: more than two of the vendor's pages.
const TAGS: usize = 120;
/// Contacts that the account holds already, and how many of them opted out.
const EARLIER: usize = 6;
const OPTED_OUT: usize = 3;

pub(crate) fn fill_account(twin: &TwinProcess) -> Result<()> {
    let names: Vec<String> = (1..=TAGS).map(|n| format!("Course {n:03}")).collect();
    twin.steer("tags", &json!({ "names": names })).map(drop)
}

/// A merchant forgets the App ID: the answer must name the header and the field.
pub(crate) fn refused_connection(merchant: &Merchant) -> Result<()> {
    say::heading("connect with the App ID left out");
    let answer = merchant.connect(SLUG, &json!({ "api_key": API_KEY }))?;
    let problem = answer.json();
    let field = problem["field"].as_str().or(problem["errors"][0]["field"].as_str()).unwrap_or_default();
    let detail = problem["errors"][0]["detail"].as_str().unwrap_or(problem["detail"].as_str().unwrap_or_default());
    say::note(&format!("{} {} at `{field}`: {detail}", answer.status, text(&problem, "code")));
    ensure!((400..500).contains(&answer.status), "a connection without App ID was answered {}", answer.status);
    ensure!(field.contains("app_id"), "the error does not name the field app_id: {problem}");
    Ok(())
}

pub(crate) fn connection(merchant: &Merchant) -> Result<String> {
    say::heading("connect");
    let answer = merchant.connect(SLUG, &json!({ "app_id": APP_ID, "api_key": API_KEY }))?.good().context("connect")?;
    let key = answer["credentials"]["api_key"].as_str().unwrap_or_default();
    let account = answer["account"]["name"].as_str().or(answer["account"]["id"].as_str()).unwrap_or("?");
    say::note(&format!("connection {} is {}, account {account}, key ending in {key}", text(&answer, "id"), text(&answer, "state")));
    id(&answer)
}

pub(crate) fn tags_picker(merchant: &Merchant, connection: &str) -> Result<()> {
    say::heading("tags picker");
    let (names, pages) = merchant.choices(connection, "tags")?;
    let shown: Vec<&str> = names.iter().map(String::as_str).take(3).collect();
    say::note(&format!("{} tags in {pages} pages: {} ...", names.len(), shown.join(", ")));
    ensure!(names.len() == TAGS, "the picker shows {} of {TAGS} tags", names.len());
    Ok(())
}

pub(crate) fn campaign(merchant: &Merchant) -> Result<String> {
    merchant.create_campaign("Course launch", "course-launch", &["Course launch affiliate"])
}

pub(crate) fn import(merchant: &Merchant, campaign: &str, csv: &str) -> Result<()> {
    say::heading("import demo/rewardful.csv");
    let checked = merchant.check_import(campaign, csv)?;
    say::note(&format!("checked, and nothing written: {}", counts(&checked["check"])));
    for error in checked["first_errors"].as_array().into_iter().flatten().take(4) {
        say::note(&format!("  row {} {}: {}", error["row"], text(error, "column"), text(error, "message")));
    }
    let done = merchant.start_import(&id(&checked)?)?;
    say::note(&format!("imported: {}", counts(&done["counts"])));
    ensure!(done["counts"]["created"].as_u64() > Some(0), "nothing was imported: {done}");
    ensure!(done["counts"] == checked["check"], "the check foretold something else: {checked}, {done}");
    Ok(())
}

fn counts(counts: &Value) -> String {
    let of = |name: &str| counts[name].as_u64().unwrap_or(0);
    format!("{} rows: {} created, {} duplicates, {} bad", of("rows"), of("created"), of("duplicates"), of("errors"))
}

/// Some affiliates have been contacts for long, with data of their own, and some of those have opted out.
/// Answers how many opted out.
pub(crate) fn earlier_contacts(merchant: &Merchant, twin: &TwinProcess, campaign: &str) -> Result<usize> {
    let vendor = Client::new(&twin.base_url);
    let (_, path) = SAVE.split_once(' ').context("METHOD /path")?;
    let headers = [("api-appid", APP_ID), ("api-key", API_KEY), ("content-type", "application/json")];
    for (n, affiliate) in merchant.affiliates(campaign, "pending", EARLIER)?.iter().enumerate() {
        let email = text(affiliate, "email");
        let body = json!({ "objectID": 0, "email": email, "lastname": "Earlier", "company": "Kept Ltd", "bulk_mail": 1 });
        vendor.send("POST", path, &headers, Some(&body.to_string()))?.good().context("fill the twin")?;
        if n < OPTED_OUT {
            let email: String =
                email.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect();
            twin.steer(&format!("opt-out?email={email}"), &Value::Null)?;
        }
    }
    Ok(OPTED_OUT)
}

/// Shows the exact requests of one sync; answers how many they are.
pub(crate) fn preview(merchant: &Merchant, connection: &str, campaign: &str) -> Result<u64> {
    say::heading("preview of one sync: nothing is sent");
    let affiliates = merchant.affiliates(campaign, "pending", EARLIER + 1)?;
    let affiliate = affiliates.last().context("no affiliate is pending")?;
    let preview = merchant.preview(connection, &text(affiliate, "id"))?;
    let requests = preview["requests"].as_array().cloned().unwrap_or_default();
    for row in &requests {
        let request = &row["request"];
        say::note(&format!("{} {}", text(request, "method"), text(request, "url")));
        if let Some(body) = request["body"].as_str() {
            say::note(&format!("    {body}"));
        }
    }
    ensure!(!requests.is_empty(), "the preview shows no request: {preview}");
    ensure!(!preview.to_string().contains(API_KEY), "the preview shows a secret");
    Ok(requests.len() as u64)
}

/// A tenth of the tag calls fail, half of them after the vendor has done its work; some connections are cut.
pub(crate) fn bad_weather(twin: &TwinProcess) -> Result<()> {
    let script = json!({ "seed": 20_261_123, "rules": [
        { "endpoint": TAG, "p": 0.05, "fault": { "status": { "code": 503, "body": "Service unavailable." } } },
        { "endpoint": TAG, "p": 0.05, "when": "after", "fault": { "status": { "code": 502, "body": "Bad gateway." } } },
        { "endpoint": TAG, "nth": [60, 200], "when": "after", "fault": "cut_midway" },
        { "endpoint": SAVE, "nth": [30, 130, 230], "when": "after", "fault": "cut" },
        { "endpoint": SAVE, "nth": [80, 180], "fault": "cut" },
    ]});
    twin.steer("faults", &script).map(drop)
}
