//! Inviting the people of a CSV file, row by row.

use axum::body::Body;
use crm_api_tests::{Answer, World, look, site};
use http::{Method, Request};
use serde_json::{Value, json};

async fn send(world: &World, query: &str, kind: &str, key: &str, file: impl Into<Body>) -> anyhow::Result<Answer> {
    let mut request = Request::post(format!("/v1/invites/csv?{query}")).header("authorization", format!("Bearer {}", world.ann.key));
    if !key.is_empty() {
        request = request.header("idempotency-key", key);
    }
    world.send(request.header("content-type", kind).body(file.into())?).await
}

#[tokio::test]
async fn rows_that_cannot_be_used_keep_nobody_else_from_being_invited() -> anyhow::Result<()> {
    let world = World::new().await?;
    let campaign = world.campaign("spring", &[]).await?;
    let known = world.affiliate(&campaign, "known@example.com").await?;
    let file = b"\xef\xbb\xbfPhone;E-Mail;Full Name\r\n1;zoe@example.com;\"Zo\xc3\xab; M\"\r\n;;\r\n2;odd;Odd\r\n3;known@example.com;\r\n\
        4;ZOE@example.com;\r\n5;b\xff@example.com;\r\n6;max@example.com\r\n";
    let query = format!("campaign={campaign}&approve=false&expires_days=3&note=Fair");
    let answer = send(&world, &query, "text/csv; charset=utf-8", "", file.to_vec()).await?;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let made = answer.json();
    assert_eq!((&made["invited"], &made["already"], &made["repeated"], &made["errors"]), (&json!(2), &json!(1), &json!(1), &json!(2)));
    assert_eq!(made["ignored_columns"], json!(["Phone"]));
    let rows: Vec<(u64, String)> = made["results"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|r| (r["place"].as_u64().unwrap_or_default(), r["outcome"].as_str().unwrap_or_default().to_owned()))
        .collect();
    let of = |row: u64, outcome: &str| (row, outcome.to_owned());
    assert_eq!(rows, [of(2, "invited"), of(4, "error"), of(5, "already"), of(6, "repeated"), of(7, "error"), of(8, "invited")]);
    assert_eq!((&made["results"][1]["errors"][0]["field"], &made["results"][2]["affiliate"]), (&json!("email"), &json!(known)));
    assert_eq!(
        (&made["results"][3]["repeats"], &made["results"][4]["errors"][0]["detail"]),
        (&json!(2), &json!("holds what is no text; save the file as UTF-8"))
    );
    let id = made["results"][0]["invite"].as_str().unwrap_or_default();
    let kept = world.ann(Method::GET, &format!("/v1/invites/{id}"), Value::Null).await?.json();
    assert_eq!((&kept["name"], &kept["approve"], &kept["note"]), (&json!("Zoë; M"), &json!(false), &json!("Fair")));
    let way = made["results"][0]["link"].as_str().and_then(|l| l.strip_prefix("https://crm.example")).unwrap_or_default().to_owned();
    assert_eq!(look(&site(&world), &way).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_file_that_cannot_be_used_invites_nobody() -> anyhow::Result<()> {
    let world = World::new().await?;
    let campaign = world.campaign("spring", &[]).await?;
    let query = format!("campaign={campaign}");
    let rows = |n: usize| "Email\n".to_owned() + &(0..n).map(|n| format!("p{n}@example.com\n")).collect::<String>();
    for (kind, file, code) in [
        ("text/csv", String::new(), "validation_failed"),
        ("text/csv", "Name\nZoë\n".to_owned(), "validation_failed"),
        ("text/csv", format!("Email\n\"{}", "x,y\n".repeat(100_000)), "validation_failed"),
        ("text/csv", rows(10_001), "validation_failed"),
        ("text/csv", format!("Email\n{}", "\n".repeat(4 * 1024 * 1024)), "body_too_large"),
        ("application/json", "{}".to_owned(), "unsupported_media_type"),
    ] {
        let shown: String = file.chars().take(20).collect();
        for key in ["", "a-key"] {
            let key =
                if key.is_empty() { String::new() } else { format!("{key}-{shown:?}-{}", file.len()).replace(|c: char| !c.is_ascii(), "") };
            let answer = send(&world, &query, kind, &key, file.clone()).await?;
            assert_eq!(answer.problem(&shown), code, "{shown}");
        }
    }
    assert_eq!(send(&world, "campaign=cmp_nothing", "text/csv", "", "Email\n").await?.problem("campaign"), "not_found");
    assert_eq!(send(&world, &format!("{query}&days=3"), "text/csv", "", "Email\n").await?.problem("query"), "invalid_query");
    assert_eq!(world.ann(Method::GET, "/v1/invites", Value::Null).await?.json()["data"], json!([]));
    Ok(())
}

#[tokio::test]
async fn ten_thousand_rows_go_through_once_with_a_key() -> anyhow::Result<()> {
    let world = World::new().await?;
    let campaign = world.campaign("spring", &[]).await?;
    // Larger than JSON may be.
    let name = "n".repeat(200);
    let file = "Email,Name\n".to_owned() + &(0..10_000).map(|n| format!("p{n}@example.com,{name}\n")).collect::<String>();
    assert!(file.len() > 2 * 1024 * 1024);
    let query = format!("campaign={campaign}");
    let first = send(&world, &query, "text/csv", "k1", file.clone()).await?;
    assert_eq!((first.status.as_u16(), &first.json()["invited"]), (201, &json!(10_000)));
    assert_eq!(send(&world, &query, "text/csv", "k1", file).await?.problem("again"), "idempotency_answered");
    let again = send(&world, &query, "text/csv", "k1", "Email\n").await?;
    assert_eq!(again.problem("other file"), "idempotency_mismatch");
    Ok(())
}
