//! Imports from file to end: nothing before the start, who joins and who is turned away, what is told and what is kept.

use axum::body::Body;
use crm_api_tests::World;
use crm_store::model::Kind;
use http::{Method, StatusCode};
use serde_json::{Value, json};

fn counts(rows: u64, created: u64, joined: u64, duplicates: u64, errors: u64) -> Value {
    json!({ "rows": rows, "created": created, "joined": joined, "duplicates": duplicates, "errors": errors })
}

/// What the audit log says of one thing, oldest first.
async fn actions(world: &World, target: &str) -> anyhow::Result<Vec<String>> {
    let records = world.ctx.store.page(&world.ann.organization, Kind::Audit, None, 500).await?;
    let entries = records.iter().map(|r| serde_json::from_str::<Value>(&r.json)).collect::<Result<Vec<_>, _>>()?;
    // The log is kept newest first.
    Ok(entries.iter().rev().filter(|e| e["target"] == target).map(|e| e["action"].as_str().unwrap_or_default().to_owned()).collect())
}

#[tokio::test]
async fn a_check_says_what_would_happen_and_waits_for_its_start() -> anyhow::Result<()> {
    let world = World::new().await?;
    let campaign = world.campaign("friends", &[]).await?;
    let id = world.checked(&format!("campaign={campaign}"), "Email,Token\na@example.com,aaa\nnobody,bbb\nA@example.com,ccc\n").await?;
    let import = world.get(&format!("/v1/imports/{id}")).await?;
    assert_eq!((&import["state"], &import["check"]), (&json!("checked"), &counts(3, 1, 0, 1, 1)));
    assert_eq!(import["first_errors"][0]["row"], 3);
    assert_eq!(import["bytes_done"], import["bytes_total"]);
    assert_eq!(world.rows(&id).await?[0], ["2", "created", "", "", ""], "nobody has an id yet");
    world.settle().await?;
    assert_eq!(world.get("/v1/affiliates").await?["data"], json!([]));
    world.start(&id).await?;
    let import = world.get(&format!("/v1/imports/{id}")).await?;
    assert_eq!((&import["state"], &import["counts"]), (&json!("finished"), &counts(3, 1, 0, 1, 1)));
    let rows = world.rows(&id).await?;
    assert!(rows[0][2].starts_with("aff_"));
    assert_eq!(rows[2][1..3], ["duplicate".to_owned(), rows[0][2].clone()]);
    assert_eq!(actions(&world, &id).await?, ["import.created", "import.started", "import.finished"]);
    assert_eq!(world.files().await?, [format!("{id}_results")], "the uploaded file is gone");
    for (path, code) in [("start", "import_ended"), ("cancel", "import_ended")] {
        let answer = world.ann(Method::POST, &format!("/v1/imports/{id}/{path}"), Value::Null).await?;
        assert_eq!((answer.problem(path).as_str(), answer.status), (code, StatusCode::CONFLICT));
    }
    Ok(())
}

#[tokio::test]
async fn an_import_may_be_told_to_start_before_it_is_checked() -> anyhow::Result<()> {
    let world = World::new().await?;
    let campaign = world.campaign("friends", &[]).await?;
    let id = world.checked(&format!("campaign={campaign}&start=true"), "Email,Token\na@example.com,aaa\n").await?;
    assert_eq!(world.get(&format!("/v1/imports/{id}")).await?["state"], "finished");
    let answer = world.upload(&format!("campaign={campaign}"), "text/csv", Body::from("Email,Token\nb@example.com,bbb\n")).await?.json();
    assert_eq!(answer["state"], "checking");
    let id = answer["id"].as_str().expect("an id");
    world.start(id).await?;
    let import = world.get(&format!("/v1/imports/{id}")).await?;
    assert_eq!(
        (&import["state"], &import["check"], &import["counts"]),
        (&json!("finished"), &counts(1, 1, 0, 0, 0), &counts(1, 1, 0, 0, 0))
    );
    Ok(())
}

#[tokio::test]
async fn a_cancelled_import_leaves_no_file_and_is_not_taken_up_again() -> anyhow::Result<()> {
    let world = World::new().await?;
    let campaign = world.campaign("friends", &[]).await?;
    let id = world.checked(&format!("campaign={campaign}"), "Email,Token\na@example.com,aaa\n").await?;
    for _ in 0..2 {
        let answer = world.ann(Method::POST, &format!("/v1/imports/{id}/cancel"), Value::Null).await?;
        assert_eq!((answer.status, &answer.json()["state"]), (StatusCode::OK, &json!("cancelled")));
    }
    world.settle().await?;
    assert_eq!(world.files().await?, Vec::<String>::new());
    assert_eq!(world.rows(&id).await?, Vec::<[String; 5]>::new());
    assert_eq!(actions(&world, &id).await?, ["import.created", "import.cancelled"]);
    let listed = world.get(&format!("/v1/imports?state=cancelled&campaign={campaign}")).await?;
    assert_eq!(listed["data"][0]["id"], id.as_str());
    assert_eq!(world.get("/v1/imports?state=finished").await?["data"], json!([]));
    Ok(())
}

#[tokio::test]
async fn a_mapping_comes_in_the_query_or_as_a_part_before_the_file() -> anyhow::Result<()> {
    let world = World::new().await?;
    let campaign = world.campaign("friends", &[]).await?;
    let mapping = json!({ "Adresse": "email", "Kürzel": "slug", "Stand": "status" }).to_string();
    let encoded: String = mapping.bytes().map(|b| format!("%{b:02X}")).collect();
    let file = "Stand;Kürzel;Adresse;Notiz\npaused;anna;anna@example.com;x\n";
    let import = world.import(&format!("campaign={campaign}&mapping={encoded}"), file).await?;
    assert_eq!(import["counts"], counts(1, 1, 0, 0, 0));
    assert_eq!((&import["layout"], &import["ignored_columns"]), (&json!("custom"), &json!(["Notiz"])));
    assert_eq!(import["mapping"]["Kürzel"], "slug");
    let part = |name: &str, text: &str| format!("--cut\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n");
    let query = format!("campaign={campaign}&format=custom");
    let body = part("mapping", &mapping) + &part("file", "Adresse,Kürzel,Stand\nbert@example.com,bert,active\n") + "--cut--\r\n";
    let answer = world.upload(&query, "multipart/form-data; boundary=cut", Body::from(body)).await?;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
    let body = part("file", "Email\nc@example.com\n") + &part("mapping", &mapping) + "--cut--\r\n";
    let answer = world.upload(&query, "multipart/form-data; boundary=cut", Body::from(body)).await?;
    assert_eq!(answer.problem("mapping after the file"), "validation_failed");
    for bad in ["[]", "{\"a\":1}", "{\"a\":\"first\"}", "{\"a\":\"shoe\"}", "x"] {
        let encoded: String = bad.bytes().map(|b| format!("%{b:02X}")).collect();
        let answer = world.upload(&format!("campaign={campaign}&mapping={encoded}"), "text/csv", Body::from("a\n")).await?;
        assert_eq!((answer.problem(bad).as_str(), &answer.json()["field"]), ("validation_failed", &json!("mapping")));
    }
    Ok(())
}

#[tokio::test]
async fn who_was_active_is_approved_with_syncs_when_that_is_wanted() -> anyhow::Result<()> {
    let world = World::new().await?;
    world.connect().await?;
    let campaign = world.campaign("friends", &["Friend"]).await?;
    let file = "Email,First Name,Token,State\na@example.com,Ann,aaa,active\nb@example.com,Bo,,active\nc@example.com,Cy,ccc,disabled\nd@example.com,Di,ddd,pending\n";
    let import = world.import(&format!("campaign={campaign}&approve=true"), file).await?;
    assert_eq!(import["counts"], counts(4, 4, 0, 0, 0));
    let listed = world.get("/v1/affiliates").await?;
    let of = |email: &str| listed["data"].as_array().expect("a list").iter().find(|a| a["email"] == email).cloned().expect(email);
    for (email, status) in
        [("a@example.com", "approved"), ("b@example.com", "approved"), ("c@example.com", "paused"), ("d@example.com", "pending")]
    {
        assert_eq!(of(email)["campaigns"][0]["status"], status, "{email}");
        assert_eq!(of(email)["source"], "import");
    }
    assert_eq!(of("b@example.com")["slug"].as_str().map(|s| s.starts_with("bo")), Some(true), "approved people have a link");
    let syncs = world.get("/v1/syncs").await?;
    let mut to: Vec<&str> = syncs["data"].as_array().expect("a list").iter().filter_map(|s| s["email"].as_str()).collect();
    to.sort_unstable();
    assert_eq!(to, ["a@example.com", "b@example.com"]);
    Ok(())
}

#[tokio::test]
async fn people_of_other_campaigns_join_and_keep_what_is_known_of_them() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (old, new) = (world.campaign("old-one", &[]).await?, world.campaign("new-one", &[]).await?);
    world
        .import(&format!("campaign={old}"), "Email,First Name,Token,Company\na@example.com,Ann,ann,\nb@example.com,Bo,bob,Bo Ltd\n")
        .await?;
    let file = "Email,First Name,Token,Company,State\nA@Example.com,Other,other,Acme,disabled\nb@example.com,,BOB,,\nb@example.com,,,,\n";
    let import = world.import(&format!("campaign={new}"), file).await?;
    assert_eq!(import["counts"], counts(3, 0, 2, 1, 0));
    let rows = world.rows(import["id"].as_str().expect("an id")).await?;
    assert_eq!(
        rows[0][1..],
        ["joined".to_owned(), rows[0][2].clone(), "Token".into(), "already has another referral slug, which stays".into()]
    );
    assert_eq!((rows[1][1].as_str(), rows[1][4].as_str()), ("joined", ""));
    let found = world.get("/v1/affiliates?email=a@example.com").await?;
    let ann = &found["data"][0];
    assert_eq!((&ann["first"], &ann["slug"], &ann["company"]), (&json!("Ann"), &json!("ann"), &json!("Acme")));
    let standing: Vec<(&Value, &Value)> =
        ann["campaigns"].as_array().expect("a list").iter().map(|m| (&m["campaign"], &m["status"])).collect();
    assert_eq!(standing, [(&json!(old), &json!("pending")), (&json!(new), &json!("paused"))]);
    Ok(())
}

#[tokio::test]
async fn a_link_that_somebody_has_is_never_given_to_another() -> anyhow::Result<()> {
    let world = World::new().await?;
    let campaign = world.campaign("friends", &[]).await?;
    world.import(&format!("campaign={campaign}"), "Email,Token\nowner@example.com,mine\n").await?;
    // In the store, in the same batch, and a batch later.
    let mut file = String::from("Email,Token\nthief@example.com,MINE\nfirst@example.com,ours\nsecond@example.com,Ours\n");
    for n in 0..1_100 {
        file.push_str(&format!("p{n}@example.com,p-{n}\n"));
    }
    file.push_str("third@example.com,ours\nagain@example.com,p-7\n");
    let import = world.import(&format!("campaign={campaign}"), &file).await?;
    assert_eq!(import["counts"], counts(1_105, 1_101, 0, 0, 4));
    assert_eq!(import["check"], import["counts"], "the check knew");
    let found = world.get("/v1/affiliates?slug=mine").await?;
    assert_eq!(found["data"][0]["email"], "owner@example.com");
    let columns: Vec<&Value> = import["first_errors"].as_array().expect("a list").iter().map(|e| &e["column"]).collect();
    assert_eq!(columns, ["Token"; 4]);
    Ok(())
}

#[tokio::test]
async fn results_hold_no_address_and_nothing_that_a_spreadsheet_would_run() -> anyhow::Result<()> {
    let world = World::new().await?;
    let campaign = world.campaign("friends", &[]).await?;
    let file = "=Email,+Token,@State\nann@secret.example,ann,active\nann@secret.example,xyz,active\n=cmd|' /C calc'!A0,bbb,active\nbo@secret.example,cy@secret.example,active\ndi@secret.example,ddd,=1+1\neve@secret@example,eee,\n";
    let id = world.checked(&format!("campaign={campaign}&format=rewardful&start=true"), file).await?;
    let answer = world.ann(Method::GET, &format!("/v1/imports/{id}/results"), Value::Null).await?;
    assert_eq!(answer.header("content-disposition"), format!("attachment; filename=\"{id}.csv\""));
    assert!(!answer.text.contains("secret") && !answer.text.contains("cmd") && !answer.text.contains("1+1"), "{}", answer.text);
    let mut cells = 0;
    for line in answer.text.lines() {
        for cell in line.split(',') {
            cells += 1;
            assert!(!cell.trim_start_matches('"').starts_with(['=', '+', '-', '@', '\t']), "{line}");
        }
    }
    assert!(cells >= 35);
    assert!(answer.text.contains("'=Email") && answer.text.contains("'+Token") && answer.text.contains("'@State"), "{}", answer.text);
    let import = world.ann(Method::GET, &format!("/v1/imports/{id}"), Value::Null).await?;
    assert!(!import.text.contains("secret") && !import.text.contains("cmd"), "{}", import.text);
    assert_eq!(import.json()["counts"], counts(6, 1, 0, 1, 4));
    Ok(())
}

#[tokio::test]
async fn the_date_of_joining_comes_along_and_approval_is_ours() -> anyhow::Result<()> {
    let world = World::new().await?;
    let campaign = world.campaign("friends", &[]).await?;
    let file = "Email,Token,Created At\na@example.com,aaa,2021-02-03\nb@example.com,bbb,2199-01-01\nc@example.com,ccc,soon\n";
    world.import(&format!("campaign={campaign}&approve=true"), file).await?;
    for (email, year) in [("a@example.com", "2021"), ("b@example.com", "2026"), ("c@example.com", "2026")] {
        let found = world.get(&format!("/v1/affiliates?email={email}")).await?;
        let membership = &found["data"][0]["campaigns"][0];
        let starts = |key: &str, year: &str| membership[key].as_str().is_some_and(|at| at.starts_with(year));
        assert!(starts("joined", year), "{email}: a date of the future, or one that cannot be read, counts as today: {membership}");
        assert!(starts("approved", "2026"), "{email}: {membership}");
    }
    Ok(())
}

#[tokio::test]
async fn imports_that_never_end_are_bounded() -> anyhow::Result<()> {
    let world = World::new().await?;
    let campaign = world.campaign("friends", &[]).await?;
    let query = format!("campaign={campaign}&format=custom");
    let mut last = String::new();
    for _ in 0..20 {
        last = world.checked(&query, "Email\na@example.com\n").await?;
    }
    let answer = world.upload(&query, "text/csv", Body::from("Email\na@example.com\n")).await?;
    assert_eq!((answer.problem("too many").as_str(), answer.status), ("too_many_imports", StatusCode::CONFLICT));
    world.start(&last).await?;
    world.checked(&query, "Email\na@example.com\n").await?;
    Ok(())
}
