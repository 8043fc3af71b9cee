//! CSV imports: each file of `data/imports` with what must come of it, sent in one piece and in many, raw and as a form.

use std::path::Path;

use axum::body::{Body, Bytes};
use crm_api_tests::{Answer, World};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

async fn send(world: &World, campaign: &str, kind: &str, body: Body) -> anyhow::Result<Answer> {
    let request = Request::post(format!("/v1/affiliates/import?campaign={campaign}&format=rewardful"));
    let request = request.header("authorization", format!("Bearer {}", world.ann.key)).header("content-type", kind);
    world.send(request.body(body)?).await
}

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
            let world = World::new().await?;
            let campaign = world.campaign("friends", &[]).await?;
            let answer = send(&world, &campaign, &kind, body).await?;
            check(&answer, &expected, &format!("{} as {kind}", path.display()));
            let listed = world.ann(Method::GET, &format!("/v1/affiliates?campaign={campaign}&limit=100"), Value::Null).await?.json();
            assert_eq!(listed["data"].as_array().map(Vec::len), Some(expected["created"].as_u64().unwrap_or(0) as usize));
        }
    }
    assert!(files >= 10, "{files} files");
    Ok(())
}

fn check(answer: &Answer, expected: &Value, what: &str) {
    if let Some(code) = expected["problem"].as_str() {
        assert_eq!(answer.problem(what), code);
        return;
    }
    assert_eq!(answer.status, StatusCode::OK, "{what}: {}", answer.text);
    let got = answer.json();
    for (key, value) in expected.as_object().expect("an object") {
        if key == "remarks" {
            let trimmed: Vec<Value> = got["remarks"]
                .as_array()
                .expect("remarks")
                .iter()
                .map(|r| json!({ "row": r["row"], "outcome": r["outcome"], "column": r["column"] }))
                .collect();
            assert_eq!(&Value::from(trimmed), value, "{what}");
        } else {
            assert_eq!(&got[key], value, "{what}: {key} in {}", answer.text);
        }
    }
}

#[tokio::test]
async fn importing_a_file_twice_makes_duplicates_and_no_second_affiliates() -> anyhow::Result<()> {
    let world = World::new().await?;
    let campaign = world.campaign("friends", &[]).await?;
    let mut file = String::from("Email,First Name,Token\n");
    for n in 0..700 {
        file.push_str(&format!("p{n}@example.com,P{n},token-{n}\n"));
    }
    let first = send(&world, &campaign, "text/csv", Body::from(file.clone())).await?.json();
    assert_eq!((first["created"].as_u64(), first["errors"].as_u64()), (Some(700), Some(0)));
    let second = send(&world, &campaign, "text/csv", Body::from(file)).await?.json();
    assert_eq!((second["created"].as_u64(), second["duplicates"].as_u64()), (Some(0), Some(700)));
    assert!(second["remarks"][0]["duplicate_of"].as_str().is_some_and(|id| id.starts_with("aff_")));
    Ok(())
}

#[tokio::test]
async fn states_of_the_old_platform_keep_people_from_being_approved_with_all() -> anyhow::Result<()> {
    let world = World::new().await?;
    let campaign = world.campaign("friends", &[]).await?;
    let file = "Email,State\na@example.com,active\nb@example.com,disabled\nc@example.com,\n";
    send(&world, &campaign, "text/csv", Body::from(file)).await?;
    let did = world.ann(Method::POST, "/v1/affiliates/approve", json!({ "campaign": campaign, "all": true })).await?.json();
    assert_eq!(did["approved"], 2);
    let paused = world.ann(Method::GET, "/v1/affiliates?status=paused", Value::Null).await?.json();
    assert_eq!(paused["data"][0]["email"], "b@example.com");
    Ok(())
}

#[tokio::test]
async fn a_file_over_the_limit_and_a_broken_form_are_refused() -> anyhow::Result<()> {
    let limits = crm_api::Limits { file_bytes: 1_000, ..crm_api::Limits::default() };
    let world = World::with(limits).await?;
    let campaign = world.campaign("friends", &[]).await?;
    let file = format!("Email\n{}", "x@example.com\n".repeat(200));
    let answer = send(&world, &campaign, "text/csv", Body::from(file)).await?;
    assert_eq!((answer.problem("large").as_str(), answer.status), ("body_too_large", StatusCode::PAYLOAD_TOO_LARGE));
    let (kind, body) = form("Email\n".repeat(500).as_bytes());
    assert_eq!(send(&world, &campaign, &kind, body).await?.problem("large form"), "body_too_large");
    let (kind, _) = form(b"");
    let answer = send(&world, &campaign, &kind, Body::from("--cut\r\nnothing")).await?;
    answer.problem("broken form");
    assert_eq!(send(&world, &campaign, "multipart/form-data", Body::empty()).await?.problem("no boundary"), "bad_request");
    Ok(())
}
