//! CSV imports: each file of `data/imports` with what must come of it, sent in one piece and in many, raw and as a form.

use std::path::Path;

use axum::body::{Body, Bytes};
use crm_api_tests::World;
use http::StatusCode;
use serde_json::{Value, json};

/// A body that comes in pieces of this size.
fn pieces(bytes: &[u8], size: usize) -> Body {
    let pieces: Vec<Result<Bytes, std::io::Error>> = bytes.chunks(size).map(|c| Ok(Bytes::copy_from_slice(c))).collect();
    Body::from_stream(futures_util::stream::iter(pieces))
}

fn form(bytes: &[u8]) -> (String, Body) {
    let mut body = b"--cut\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhi\r\n--cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\nContent-Type: text/csv\r\n\r\n".to_vec();
    body.extend_from_slice(bytes);
    body.extend_from_slice(b"\r\n--cut--\r\n");
    ("multipart/form-data; boundary=cut".to_owned(), Body::from(body))
}

#[tokio::test]
async fn every_file_gives_what_is_written_beside_it() -> anyhow::Result<()> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/imports");
    let mut files = 0;
    for entry in std::fs::read_dir(&dir)? {
        let path = entry?.path();
        if path.extension().is_none_or(|e| e != "csv") {
            continue;
        }
        files += 1;
        let bytes = std::fs::read(&path)?;
        let expected: Value = serde_json::from_str(&std::fs::read_to_string(path.with_extension("json"))?)?;
        let (form_kind, form_body) = form(&bytes);
        let ways = [
            ("text/csv; charset=utf-8".to_owned(), Body::from(bytes.clone())),
            ("text/csv".to_owned(), pieces(&bytes, if bytes.len() > 10_000 { 4_096 } else { 1 })),
            (form_kind, form_body),
        ];
        for (kind, body) in ways {
            check(&expected, &kind, body, &format!("{} as {kind}", path.display())).await?;
        }
    }
    assert!(files >= 18, "{files} files");
    Ok(())
}

/// Imports one file into a new world: checked first, then for good, and both must say the same.
async fn check(expected: &Value, kind: &str, body: Body, what: &str) -> anyhow::Result<()> {
    let world = World::new().await?;
    let campaign = world.campaign("friends", &[]).await?;
    let format = expected["format"].as_str().expect("a format");
    let answer = world.upload(&format!("campaign={campaign}&format={format}"), kind, body).await?;
    if let Some(code) = expected["problem"].as_str() {
        assert_eq!(answer.problem(what), code);
        world.at_rest().await;
        assert_eq!(world.get("/v1/imports").await?["data"], json!([]), "{what}: nothing stays of a file that was refused");
        return Ok(());
    }
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{what}: {}", answer.text);
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(answer.header("location"), format!("/v1/imports/{id}"));
    world.settle().await?;
    let checked = world.get(&format!("/v1/imports/{id}")).await?;
    if expected["state"] == "failed" {
        assert_eq!((&checked["state"], &checked["trouble"]), (&expected["state"], &expected["trouble"]), "{what}");
        return Ok(());
    }
    assert_eq!(checked["state"], "checked", "{what}: {checked}");
    assert_eq!(world.get("/v1/affiliates").await?["data"], json!([]), "{what}: a check writes nothing");
    let foretold = world.rows(&id).await?;
    world.start(&id).await?;
    let done = world.get(&format!("/v1/imports/{id}")).await?;
    assert_eq!(done["state"], "finished", "{what}: {done}");
    assert_eq!((&checked["check"], &checked["counts"]), (&done["counts"], &done["counts"]), "{what}: the check foretold it");
    for (key, value) in expected.as_object().expect("an object") {
        match key.as_str() {
            "format" | "results" | "statuses" | "slugs" => {}
            "rows" | "created" | "joined" | "duplicates" | "errors" => assert_eq!(&done["counts"][key], value, "{what}: {key}"),
            _ => assert_eq!(&done[key], value, "{what}: {key} in {done}"),
        }
    }
    let rows = world.rows(&id).await?;
    let short = |rows: &[[String; 5]]| -> Vec<Value> {
        rows.iter().map(|[row, result, _, column, _]| json!([row.parse::<u64>().unwrap_or(0), result, column])).collect()
    };
    assert_eq!(short(&foretold), short(&rows), "{what}");
    if !expected["results"].is_null() {
        assert_eq!(Value::from(short(&rows)), expected["results"], "{what}");
    }
    people(&world, &campaign, expected, what).await
}

async fn people(world: &World, campaign: &str, expected: &Value, what: &str) -> anyhow::Result<()> {
    let listed = world.get(&format!("/v1/affiliates?campaign={campaign}&limit=100")).await?;
    let listed = listed["data"].as_array().cloned().unwrap_or_default();
    assert_eq!(Some(listed.len() as u64), expected["created"].as_u64(), "{what}");
    for (status, count) in expected["statuses"].as_object().into_iter().flatten() {
        let have = listed.iter().filter(|a| a["campaigns"][0]["status"] == *status).count() as u64;
        assert_eq!(Some(have), count.as_u64(), "{what}: {status}");
    }
    if let Some(slugs) = expected["slugs"].as_array() {
        let mut have: Vec<&Value> = listed.iter().map(|a| &a["slug"]).collect();
        let mut want: Vec<&Value> = slugs.iter().collect();
        have.sort_by_key(|v| v.to_string());
        want.sort_by_key(|v| v.to_string());
        assert_eq!(have, want, "{what}");
    }
    Ok(())
}

#[tokio::test]
async fn importing_a_file_twice_makes_duplicates_and_no_second_affiliates() -> anyhow::Result<()> {
    let world = World::new().await?;
    let campaign = world.campaign("friends", &[]).await?;
    let mut file = String::from("Email,First Name,Token\n");
    for n in 0..2_300 {
        file.push_str(&format!("p{n}@example.com,P{n},token-{n}\n"));
    }
    let first = world.import(&format!("campaign={campaign}"), &file).await?;
    assert_eq!(first["counts"], json!({ "rows": 2300, "created": 2300, "joined": 0, "duplicates": 0, "errors": 0 }));
    let second = world.import(&format!("campaign={campaign}"), &file).await?;
    assert_eq!(second["counts"], json!({ "rows": 2300, "created": 0, "joined": 0, "duplicates": 2300, "errors": 0 }));
    let rows = world.rows(second["id"].as_str().expect("an id")).await?;
    assert!(rows.len() == 2_300 && rows.iter().all(|row| row[2].starts_with("aff_")), "each names the affiliate it repeats");
    Ok(())
}

#[tokio::test]
async fn states_of_the_old_platform_keep_people_from_being_approved_with_all() -> anyhow::Result<()> {
    let world = World::new().await?;
    let campaign = world.campaign("friends", &[]).await?;
    let file = "Email,Token,State\na@example.com,aaa,active\nb@example.com,bbb,disabled\nc@example.com,ccc,\n";
    world.import(&format!("campaign={campaign}"), file).await?;
    let did = world.ann(http::Method::POST, "/v1/affiliates/approve", json!({ "campaign": campaign, "all": true })).await?.json();
    assert_eq!(did["changed"], 2);
    let paused = world.get("/v1/affiliates?status=paused").await?;
    assert_eq!(paused["data"][0]["email"], "b@example.com");
    Ok(())
}

#[tokio::test]
async fn a_file_over_the_limit_and_a_broken_form_are_refused_and_leave_nothing() -> anyhow::Result<()> {
    let limits = crm_api::Limits { file_bytes: 1_000, ..crm_api::Limits::default() };
    let world = World::with(limits).await?;
    let campaign = world.campaign("friends", &[]).await?;
    let query = format!("campaign={campaign}&format=custom");
    let file = format!("Email\n{}", "x@example.com\n".repeat(200));
    let answer = world.upload(&query, "text/csv", Body::from(file)).await?;
    assert_eq!((answer.problem("large").as_str(), answer.status), ("body_too_large", StatusCode::PAYLOAD_TOO_LARGE));
    let (kind, body) = form("Email\n".repeat(500).as_bytes());
    assert_eq!(world.upload(&query, &kind, body).await?.problem("large form"), "body_too_large");
    let (kind, _) = form(b"");
    let answer = world.upload(&query, &kind, Body::from("--cut\r\nnothing")).await?;
    answer.problem("broken form");
    assert_eq!(world.upload(&query, "multipart/form-data", Body::empty()).await?.problem("no boundary"), "bad_request");
    let broken: Vec<Result<Bytes, std::io::Error>> = vec![Ok(Bytes::from("Email\na@example.com\n")), Err(std::io::Error::other("gone"))];
    let body = Body::from_stream(futures_util::stream::iter(broken));
    assert_eq!(world.upload(&query, "text/csv", body).await?.problem("broken off"), "bad_request");
    world.at_rest().await;
    assert_eq!(world.get("/v1/imports").await?["data"], json!([]));
    assert_eq!(world.files().await?, Vec::<String>::new());
    Ok(())
}
