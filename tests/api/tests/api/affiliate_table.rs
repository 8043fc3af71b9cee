//! Affiliates as CSV: everyone once per membership, page by page, harmless in a spreadsheet.

use crm_api_tests::World;
use http::{Method, StatusCode};
use serde_json::{Value, json};

const HEAD: &str = "id,email,first,last,full,company,website,slug,coupon,campaign,status,joined,approved,created";

async fn table(world: &World, query: &str) -> anyhow::Result<Vec<String>> {
    let answer = world.ann(Method::GET, &format!("/v1/affiliates/export{query}"), Value::Null).await?;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "text/csv; charset=utf-8"), "{}", answer.text);
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"affiliates.csv\"");
    let mut lines = answer.text.split("\r\n").map(str::to_owned).collect::<Vec<_>>();
    assert_eq!((lines.remove(0).as_str(), lines.pop().as_deref()), (HEAD, Some("")), "a head, and a last line that is ended");
    Ok(lines)
}

#[tokio::test]
async fn there_is_a_row_for_each_membership_that_is_asked_for() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (one, two) = (world.campaign("one-one", &[]).await?, world.campaign("two-two", &[]).await?);
    assert_eq!(table(&world, "").await?, Vec::<String>::new(), "nobody yet: a head alone");
    let new = json!({ "campaign": one, "email": "ann@x.example", "first": "Ann", "last": "O'Neil", "company": "=cmd|' /C calc'!A0",
        "website": "https://ann.example", "slug": "ann-o", "coupon": "+10,OFF", "approve": true });
    let ann = world.ann(Method::POST, "/v1/affiliates", new).await?.json();
    let bob = world.affiliate(&one, "bob@x.example").await?;
    let ann_id = ann["id"].as_str().unwrap_or_default();
    world.ann(Method::POST, &format!("/v1/affiliates/{ann_id}/campaigns"), json!({ "campaign": two })).await?;
    let rows = table(&world, "").await?;
    assert_eq!(rows.len(), 3);
    let joined = ann["campaigns"][0]["joined"].as_str().unwrap_or_default();
    let created = ann["created"].as_str().unwrap_or_default();
    let row = format!(
        "{ann_id},ann@x.example,Ann,O'Neil,,'=cmd|' /C calc'!A0,https://ann.example,ann-o,\"'+10,OFF\",{one},approved,{joined},{joined},{created}"
    );
    assert_eq!(rows[0], row);
    assert!(rows[1].contains(&format!(",{two},pending,")) && rows[1].starts_with(ann_id), "{}", rows[1]);
    assert!(rows[2].starts_with(&bob) && rows[2].contains(",Zoë,"), "{}", rows[2]);
    for (query, count) in [
        (format!("?campaign={one}"), 2),
        (format!("?campaign={two}"), 1),
        ("?status=approved".to_owned(), 1),
        ("?status=pending".to_owned(), 2),
        (format!("?campaign={two}&status=approved"), 0),
        (format!("?campaign={one}&status=pending"), 1),
    ] {
        assert_eq!(table(&world, &query).await?.len(), count, "{query}");
    }
    assert_eq!(world.ann(Method::GET, "/v1/affiliates/export?status=odd", Value::Null).await?.problem("odd"), "invalid_query");
    assert_eq!(world.ann(Method::GET, "/v1/affiliates/export?campaign=cmp_0", Value::Null).await?.problem("none"), "not_found");
    // The word is a route of its own and no id; nobody else's affiliates are in it.
    assert_eq!(world.ann(Method::PATCH, "/v1/affiliates/export", json!({})).await?.problem("no id"), "method_not_allowed");
    let bobs = world.bob(Method::GET, "/v1/affiliates/export", Value::Null).await?;
    assert_eq!(bobs.text, format!("{HEAD}\r\n"));
    Ok(())
}

#[tokio::test]
async fn many_pages_come_whole_and_once() -> anyhow::Result<()> {
    let world = World::new().await?;
    let campaign = world.campaign("many", &[]).await?;
    for n in 0..1_203 {
        world.affiliate(&campaign, &format!("p{n}@x.example")).await?;
    }
    for query in [String::new(), format!("?campaign={campaign}"), format!("?campaign={campaign}&status=pending")] {
        let rows = table(&world, &query).await?;
        let emails: std::collections::BTreeSet<&str> = rows.iter().filter_map(|row| row.split(',').nth(1)).collect();
        assert_eq!((rows.len(), emails.len()), (1_203, 1_203), "{query}");
        assert!(rows.is_sorted(), "oldest first");
    }
    Ok(())
}
