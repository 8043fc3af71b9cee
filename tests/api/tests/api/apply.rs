//! The application page: what people see and type, and what comes of it.

use crm_api_tests::{PUBLIC_URL, World, look, post, send, site, site_with, stamp};
use crm_sync::domain::ActorKind;
use crm_sync::quota::Rate;
use crm_web::Welcoming;
use http::Method;
use serde_json::{Value, json};

const FROM: &str = "192.0.2.7";
const ZOE: [(&str, &str); 2] = [("email", "zoe@example.com"), ("consent", "yes")];

async fn affiliates(world: &World) -> anyhow::Result<Value> {
    Ok(world.ann(Method::GET, "/v1/affiliates", Value::Null).await?.json()["data"].clone())
}

#[tokio::test]
async fn an_application_needs_no_script_and_waits_for_the_merchant() -> anyhow::Result<()> {
    let world = World::new().await?;
    let site = site(&world);
    let campaign = world.campaign("spring", &[]).await?;
    let change = json!({ "name": "Spring Sale", "description": "Sell with us.\n\nWe pay <well>.", "terms_url": "https://ann.example/terms",
        "cookie_window_days": 60, "attribution": "first_touch",
        "commission": { "model": "hybrid", "amount": "250", "currency": "USD", "continuation_percent": "5" } });
    assert_eq!(world.ann(Method::PATCH, &format!("/v1/campaigns/{campaign}"), change).await?.status, 200);

    let page = look(&site, "/p/Spring").await?;
    assert_eq!((page.status.as_u16(), page.header("cache-control")), (200, "no-store"));
    for words in [
        "<h1>Spring Sale</h1>",
        "Ann&#39;s shop",
        "<p class=\"text\">Sell with us.</p><p class=\"text\">We pay &lt;well&gt;.</p>",
        "250 USD per sale, then 5 % of what follows",
        "60 days",
        "The first affiliate link that a customer follows counts.",
        "href=\"https://ann.example/terms\"",
        "action=\"/p/spring\"",
    ] {
        assert!(page.text.contains(words) || page.text.contains(&words.replace("&#39;", "'")), "{words} in {}", page.text);
    }
    assert!(!page.text.contains("<script") && !page.text.contains("style=") && !page.text.contains("/console"));
    assert!(page.header("content-security-policy").contains("default-src 'none'") && page.header("set-cookie").is_empty());
    for name in ["email", "full", "company", "website", "promotes", "slug", "consent"] {
        assert!(page.text.contains(&format!("<label for=\"{name}\"")) && page.text.contains(&format!("id=\"{name}\"")), "{name}");
    }

    let typed = [
        ("email", " Zoe@Example.com "),
        ("full", "Zoë Müller"),
        ("company", "Zoë Ltd"),
        ("website", "zoe.example"),
        ("promotes", "My blog.\r\nMy list."),
        ("slug", "zoe-m"),
        ("consent", "yes"),
        ("topic", ""),
    ];
    let sent = world.apply(&site, "spring", FROM, &typed).await?;
    assert_eq!((sent.status.as_u16(), sent.header("location")), (303, "/p/spring/thanks"), "{}", sent.text);
    let thanks = look(&site, sent.header("location")).await?;
    assert!(thanks.status == 200 && thanks.text.contains("Spring Sale") && !thanks.text.contains("zoe@"), "{}", thanks.text);

    let kept = affiliates(&world).await?[0].clone();
    let expected = [
        ("email", "Zoe@Example.com"),
        ("full", "Zoë Müller"),
        ("company", "Zoë Ltd"),
        ("website", "zoe.example"),
        ("promotes", "My blog.\r\nMy list."),
        ("slug", "zoe-m"),
        ("source", "page"),
    ];
    for (field, value) in expected {
        assert_eq!(kept[field], value, "{field}");
    }
    assert_eq!((&kept["campaigns"][0]["status"], &kept["campaigns"][0]["campaign"]), (&json!("pending"), &json!(campaign)));
    let consent = &kept["consent"];
    assert_eq!((&consent["source"], &consent["ip"]), (&json!(format!("{PUBLIC_URL}/p/spring")), &json!(FROM)));
    assert!(consent["at"].as_u64().is_some_and(|at| (1_790_000_005..1_790_000_010).contains(&at)), "{consent}");
    let audit = world.audit().await?;
    let applied = audit.iter().find(|e| e.action == "affiliate.applied").expect("an entry");
    assert_eq!((applied.actor.kind, applied.actor.ip.as_deref()), (ActorKind::Public, Some(FROM)));
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_stands_beside_its_field_and_what_was_typed_stays() -> anyhow::Result<()> {
    let world = World::new().await?;
    let site = site(&world);
    world.campaign("spring", &[]).await?;
    let odd = "\"><script>alert(1)</script><img src=x onerror='x'>";
    let names = ["email", "full", "company", "website", "promotes", "slug"];
    let typed: Vec<(&str, &str)> = names.iter().map(|name| (*name, odd)).collect();
    let page = world.apply(&site, "spring", FROM, &typed).await?;
    assert_eq!(page.status, 422);
    assert!(!page.text.contains("<script") && !page.text.contains("<img"), "{}", page.text);
    let escaped = "&gt;&lt;script&gt;alert(1)&lt;/script&gt;";
    assert_eq!(page.text.matches(escaped).count(), names.len(), "{}", page.text);
    for field in ["email", "slug", "consent"] {
        assert!(page.text.contains(&format!("<p class=\"wrong\" id=\"{field}-wrong\">")), "{field} in {}", page.text);
        assert!(page.text.contains(&format!("<a href=\"#{field}\">")), "{field}");
    }
    assert!(page.text.contains("aria-describedby=\"slug-hint slug-wrong\" aria-invalid=\"true\""), "{}", page.text);
    assert!(page.text.contains("role=\"alert\"") && page.text.contains("<title>Error: spring</title>"));
    assert_eq!(affiliates(&world).await?, json!([]));

    // Without the box nothing is taken, however good the rest is; the page can be sent again as it is.
    let unticked = world.apply(&site, "spring", FROM, &[("email", "zoe@example.com"), ("full", "Zoë"), ("promotes", "\n\nx")]).await?;
    assert_eq!(unticked.status, 422);
    assert!(unticked.text.contains("value=\"zoe@example.com\"") && unticked.text.contains("value=\"Zoë\""), "{}", unticked.text);
    assert!(unticked.text.contains(">\n\n\nx</textarea>"), "{}", unticked.text);
    assert!(!unticked.text.contains("id=\"email-wrong\"") && unticked.text.contains("id=\"consent-wrong\""));
    let stamp = stamp(&unticked);
    let sent = post(&site, "/p/spring", FROM, &[ZOE[0], ZOE[1], ("stamp", &stamp)]).await?;
    assert_eq!(sent.status, 303, "{}", sent.text);
    Ok(())
}

#[tokio::test]
async fn what_merchants_write_is_no_markup_either() -> anyhow::Result<()> {
    let world = World::new().await?;
    let site = site(&world);
    let campaign = world.campaign("spring", &[]).await?;
    let odd = "<b onclick=\"x\">'bold'</b>";
    let change = json!({ "name": odd, "description": odd });
    assert_eq!(world.ann(Method::PATCH, &format!("/v1/campaigns/{campaign}"), change).await?.status, 200);
    for path in ["/p/spring", "/p/spring/thanks", "/p/spring/joined"] {
        let page = look(&site, path).await?;
        assert!(page.status == 200 && page.text.contains("&lt;b onclick") && !page.text.contains("<b "), "{path}: {}", page.text);
    }
    let script = json!({ "terms_url": "javascript:alert(1)" });
    assert_eq!(world.ann(Method::PATCH, &format!("/v1/campaigns/{campaign}"), script).await?.status, 422);
    Ok(())
}

#[tokio::test]
async fn a_form_of_another_process_or_an_old_page_is_sent_once_more() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (before, site) = (site(&world), site(&world));
    world.campaign("spring", &[]).await?;
    world.campaign("autumn", &[]).await?;
    let of_before = stamp(&look(&before, "/p/spring").await?);
    let of_another = stamp(&look(&site, "/p/autumn").await?);
    let old = stamp(&look(&site, "/p/spring").await?);
    world.later(25 * 60 * 60 * 1_000);
    for stamp_sent in ["", "made-up", &of_before, &of_another, &old] {
        let page = post(&site, "/p/spring", FROM, &[ZOE[0], ZOE[1], ("stamp", stamp_sent)]).await?;
        assert_eq!(page.status, 422, "{stamp_sent}");
        assert!(page.text.contains("Send the form once more") || page.text.contains("send the form once more"), "{}", page.text);
        assert!(page.text.contains("value=\"zoe@example.com\"") && page.text.contains(" checked"), "{}", page.text);
        assert_eq!(affiliates(&world).await?, json!([]));
    }
    let page = post(&site, "/p/spring", FROM, &ZOE).await?;
    // At once: who sends it again needs no time.
    let sent = post(&site, "/p/spring", FROM, &[ZOE[0], ZOE[1], ("stamp", &stamp(&page))]).await?;
    assert_eq!(sent.status, 303, "{}", sent.text);
    assert_eq!(affiliates(&world).await?.as_array().map(Vec::len), Some(1));
    Ok(())
}

#[tokio::test]
async fn a_bot_is_thanked_like_everyone_and_nothing_is_written() -> anyhow::Result<()> {
    let world = World::new().await?;
    let site = site(&world);
    world.campaign("spring", &[]).await?;
    let before = world.kept().await?;
    let stamp = stamp(&look(&site, "/p/spring").await?);
    let too_fast = post(&site, "/p/spring", FROM, &[ZOE[0], ZOE[1], ("stamp", &stamp)]).await?;
    let trapped = world.apply(&site, "spring", FROM, &[ZOE[0], ZOE[1], ("topic", "seo")]).await?;
    assert_eq!(world.kept().await?, before);
    let person = world.apply(&site, "spring", FROM, &ZOE).await?;
    assert_ne!(world.kept().await?, before);
    for bot in [too_fast, trapped] {
        assert_eq!((bot.status, bot.text, bot.headers), (person.status, person.text.clone(), person.headers.clone()));
    }
    Ok(())
}

#[tokio::test]
async fn too_many_applications_wait_their_turn() -> anyhow::Result<()> {
    let world = World::new().await?;
    let few =
        Welcoming { address: Rate { amount: 2, window_s: 600 }, program: Rate { amount: 4, window_s: 3_600 }, ..Welcoming::default() };
    let site = site_with(&world, few);
    world.campaign("spring", &[]).await?;
    world.campaign("autumn", &[]).await?;
    let apply = async |program: &str, from: &str, n: u32| {
        let email = format!("p{n}@example.com");
        world.apply(&site, program, from, &[("email", &email), ("consent", "yes"), ("full", "Zoë")]).await
    };
    // What is wrong anyway is not counted.
    for _ in 0..5 {
        assert_eq!(world.apply(&site, "spring", FROM, &[("email", "odd")]).await?.status, 422);
    }
    assert_eq!(apply("spring", FROM, 1).await?.status, 303);
    assert_eq!(apply("autumn", FROM, 2).await?.status, 303);
    let held = apply("spring", FROM, 3).await?;
    assert_eq!(
        (held.status.as_u16(), held.text.contains("value=\"p3@example.com\""), held.text.contains("value=\"Zoë\"")),
        (429, true, true)
    );
    assert!(held.header("retry-after").parse::<u32>().is_ok_and(|s| (1..=300).contains(&s)), "{:?}", held.headers);
    assert_eq!(apply("spring", "192.0.2.8", 4).await?.status, 303, "another address");
    world.later(300_000);
    assert_eq!(apply("spring", FROM, 3).await?.status, 303, "later");
    assert_eq!(apply("spring", "192.0.2.9", 5).await?.status, 303);
    assert_eq!(apply("spring", "192.0.2.10", 6).await?.status, 429, "the program has had its share");
    assert_eq!(apply("autumn", "192.0.2.10", 6).await?.status, 303);
    let emails: Vec<Value> = affiliates(&world).await?.as_array().into_iter().flatten().map(|a| a["email"].clone()).collect();
    assert_eq!(emails, [1, 2, 4, 3, 5, 6].map(|n| json!(format!("p{n}@example.com"))));
    Ok(())
}

#[tokio::test]
async fn where_the_campaign_says_so_who_applies_is_approved_at_once() -> anyhow::Result<()> {
    let world = World::new().await?;
    let site = site(&world);
    world.connect().await?;
    let campaign = world.campaign("spring", &["Spring"]).await?;
    world.ann(Method::PATCH, &format!("/v1/campaigns/{campaign}"), json!({ "auto_approve": true })).await?;
    assert_eq!(world.apply(&site, "spring", FROM, &[ZOE[0], ZOE[1], ("full", "Zoë Müller")]).await?.status, 303);
    let kept = affiliates(&world).await?[0].clone();
    assert_eq!((&kept["campaigns"][0]["status"], &kept["slug"]), (&json!("approved"), &json!("zoe-muller")));
    let syncs = world.ann(Method::GET, "/v1/syncs", Value::Null).await?.json();
    assert_eq!((syncs["data"].as_array().map(Vec::len), &syncs["data"][0]["affiliate"]), (Some(1), &kept["id"]), "{syncs}");
    Ok(())
}

#[tokio::test]
async fn a_closed_program_says_so_and_takes_nothing() -> anyhow::Result<()> {
    let world = World::new().await?;
    let site = site(&world);
    let campaign = world.campaign("spring", &[]).await?;
    let stamp = stamp(&look(&site, "/p/spring").await?);
    world.later(5_000);
    world.ann(Method::PATCH, &format!("/v1/campaigns/{campaign}"), json!({ "open": false })).await?;
    for page in [look(&site, "/p/spring").await?, post(&site, "/p/spring", FROM, &[ZOE[0], ZOE[1], ("stamp", &stamp)]).await?] {
        assert_eq!(page.status, 200);
        assert!(page.text.contains("takes no applications") && !page.text.contains("<form"), "{}", page.text);
    }
    assert_eq!(affiliates(&world).await?, json!([]));
    Ok(())
}

#[tokio::test]
async fn what_is_not_the_pages_own_form_is_refused_with_a_page() -> anyhow::Result<()> {
    let world = World::new().await?;
    let site = site(&world);
    world.campaign("spring", &[]).await?;
    for path in ["/p/nothing", "/p/nothing/thanks", "/p/nothing/joined", "/p/x", "/p/%ff", "/p/a%00b", "/p/..%2fspring"] {
        let page = look(&site, path).await?;
        assert!(page.status == 404 && page.text.contains("<h1>"), "{path}: {} {}", page.status, page.text);
    }
    assert_eq!(post(&site, "/p/nothing", FROM, &ZOE).await?.status, 404);
    for fetched_from in ["cross-site", "same-site"] {
        let mut request = crm_api_tests::form_request("/p/spring", &ZOE);
        request.headers_mut().insert("sec-fetch-site", fetched_from.parse()?);
        assert_eq!(send(&site, request).await?.status, 403, "{fetched_from}");
    }
    let mut request = crm_api_tests::form_request("/p/spring", &ZOE);
    request.headers_mut().insert("content-type", "application/json".parse()?);
    assert_eq!(send(&site, request).await?.status, 415);
    let long = "x".repeat(64 * 1024);
    assert_eq!(world.apply(&site, "spring", FROM, &[ZOE[0], ZOE[1], ("promotes", &long)]).await?.status, 413);
    assert_eq!(affiliates(&world).await?, json!([]));
    Ok(())
}
