//! OAuth 2 beyond renewal: where a token is asked for, what is sent with it, whose allowance it uses, and who may outlive whom.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crm_catalog::model::Stage;
use crm_contract::ports::{CodeRequest, Gateway, GrantError, Mode, Scope};
use crm_contract::types::Unanswered;

use crate::support::{Book, Reply, Vault, Vendor, World, call, fast};

fn manifest(oauth: &str, more: &str) -> String {
    let field = |name: &str| format!("[[credentials]]\nname = \"{name}\"\nlabel = \"l\"\nhelp = \"h\"\n");
    format!(
        r#"
{}{}{}
[[settings]]
name = "region"
label = "Region"
kind = "choice"
choices = ["us", "eu"]
[[auth]]
name = "main"
type = "oauth2"
token_endpoint = "accounts"
token_path = "/token"
client_id = "client_id"
client_secret = "client_secret"
{oauth}
[[endpoints]]
name = "accounts"
url = "https://{{choice}}"
choices = {{ us = "accounts.acme.example", eu = "accounts.acme.eu.example" }}
choose = "setting:region"
[[endpoints]]
name = "api"
url = "https://api.acme.example"
auth = "main"
{more}
[[calls]]
name = "get"
doc = "d"
stages = ["sync"]
method = "GET"
path = "/x"
effect = "read"
limits = ["app"]
"#,
        field("client_id"),
        field("client_secret"),
        field("org_id")
    )
}

const APP: &str = "[[limits]]\nname = \"app\"\nscope = \"app\"\nrequests = 3\nper_s = 86400\n";
const ROBOT: &str = "grant = \"client_credentials\"";
const CODE: &str = "grant = \"code\"\nauthorize_url = \"https://accounts.acme.example/auth?prompt=consent\"\nscopes = [\"a\", \"b\"]";
const CLIENT: &[(&str, &str)] = &[("client_id", "the client"), ("client_secret", "shh:client+secret"), ("org_id", "77")];

async fn vendor() -> Vendor {
    Vendor::start(|seen| {
        if seen.target == "/token" {
            Reply::json(200, r#"{"access_token":"access-token","refresh_token":"refresh-token","expires_in":3600}"#)
        } else {
            Reply::json(200, "{}")
        }
    })
    .await
}

fn ask() -> CodeRequest {
    CodeRequest { redirect_uri: "https://crm.example/cb".into(), state: "the-state".into(), verifier: "the-verifier".to_owned().into() }
}

#[tokio::test]
async fn the_token_endpoint_follows_the_chosen_region_and_gets_its_own_fields() {
    let (us, eu) = (vendor().await, vendor().await);
    let oauth = format!("{ROBOT}\nclient_auth = \"form\"\ntoken_params = {{ soid = \"acme.{{org_id}}\" }}");
    let endpoints = [("accounts@us", us.url.as_str()), ("accounts@eu", eu.url.as_str()), ("api", us.url.as_str())];
    let world = World::new(&manifest(&oauth, APP), Vault::new(CLIENT), &endpoints).setting("region", "eu");
    world.send(call("get")).await.unwrap();
    assert_eq!((us.requests(), eu.requests()), (1, 1), "the call to one, the token from the other");
    assert_eq!(eu.last().body, "grant_type=client_credentials&soid=acme.77&client_id=the+client&client_secret=shh%3Aclient%2Bsecret");
}

#[tokio::test]
async fn client_id_and_secret_are_encoded_before_they_are_joined() {
    let vendor = vendor().await;
    let world = World::new(&manifest(ROBOT, APP), Vault::new(CLIENT), &[("accounts", &vendor.url), ("api", &vendor.url)]);
    world.send(call("get")).await.unwrap();
    let first = vendor.seen.lock()[0].clone();
    // the+client:shh%3Aclient%2Bsecret
    assert_eq!(first.header("authorization"), Some("Basic dGhlK2NsaWVudDpzaGglM0FjbGllbnQlMkJzZWNyZXQ="));
}

#[tokio::test]
async fn the_consent_page_is_asked_for_what_the_manifest_says_and_nothing_is_sent() {
    let vendor = vendor().await;
    let world = World::new(&manifest(CODE, APP), Vault::new(CLIENT), &[("api", &vendor.url)]).setting("region", "us");
    let scope = world.scope(Stage::Verify);
    let url = world.egress.authorize_url(&scope, "main", &ask()).await.unwrap();
    let wanted = "https://accounts.acme.example/auth?prompt=consent&response_type=code&client_id=the+client\
                  &redirect_uri=https%3A%2F%2Fcrm.example%2Fcb&scope=a+b&state=the-state";
    assert_eq!(url, wanted, "without `pkce` there is no challenge: some vendors refuse it");
    assert_eq!(vendor.requests(), 0);
    let world = World::new(&manifest(&format!("{CODE}\npkce = true"), APP), Vault::new(CLIENT), &[]);
    let url = world.egress.authorize_url(&world.scope(Stage::Verify), "main", &ask()).await.unwrap();
    // SHA-256 of `the-verifier`, as base64url, made with openssl.
    assert!(url.ends_with("&code_challenge=sP6XQ2T7IHwj7eBkdcI9xyC8WxEik0RMQk0tVGDKZPI&code_challenge_method=S256"), "{url}");
    let world = World::new(&manifest(ROBOT, APP), Vault::new(CLIENT), &[]);
    let refused = world.egress.authorize_url(&world.scope(Stage::Verify), "main", &ask()).await;
    assert!(matches!(refused, Err(GrantError::Unsupported(_))), "{refused:?}");
}

#[tokio::test]
async fn a_code_becomes_a_token_that_is_kept_over_the_one_before() {
    let vendor = vendor().await;
    let vault = Vault::new(CLIENT).with_token("old-access-token", Some("old-refresh"), Some(1), None);
    let endpoints = [("accounts", vendor.url.as_str()), ("api", vendor.url.as_str())];
    let world = World::new(&manifest(CODE, APP), vault, &endpoints);
    world.egress.redeem(&world.scope(Stage::Verify), "main", "c/1", &ask()).await.unwrap();
    assert_eq!(vendor.last().body, "grant_type=authorization_code&code=c%2F1&redirect_uri=https%3A%2F%2Fcrm.example%2Fcb");
    assert_eq!(*world.vault.saves.lock(), ["access-token/refresh-token"]);
    world.vault.disk_dead.store(true, Ordering::SeqCst);
    let lost = world.egress.redeem(&world.scope(Stage::Verify), "main", "c/2", &ask()).await;
    assert_eq!(lost, Err(GrantError::Unreachable));
}

/// Another merchant's run on the same connector.
fn of(world: &World, organization: &str, vault: Vault) -> Scope {
    Scope {
        organization: organization.into(),
        connection: format!("con-{organization}"),
        credentials: Arc::new(vault),
        ..world.scope(Stage::Sync)
    }
}

async fn spend(world: &World, scope: &Scope) -> Result<u16, Unanswered> {
    world.egress.open(scope.clone(), Mode::Live, Book::new()).send(call("get")).await.map(|r| r.status)
}

#[tokio::test]
async fn a_limit_of_the_app_is_shared_by_all_merchants_of_one_client_and_by_no_other() {
    let vendor = vendor().await;
    let world = World::new(&manifest(ROBOT, APP), Vault::new(CLIENT), &[("accounts", &vendor.url), ("api", &vendor.url)]);
    for organization in ["ann", "bob", "cid"] {
        spend(&world, &of(&world, organization, Vault::new(CLIENT))).await.unwrap();
    }
    let fourth = spend(&world, &of(&world, "dan", Vault::new(CLIENT))).await;
    assert!(matches!(&fourth, Err(Unanswered::Throttled(t)) if t.limit.as_deref() == Some("app")), "{fourth:?}");
    let own = Vault::new(&[("client_id", "own client"), ("client_secret", "own-secret"), ("org_id", "78")]);
    spend(&world, &of(&world, "eve", own)).await.unwrap();
}

#[tokio::test]
async fn a_limit_of_the_app_is_shared_by_all_merchants_where_there_is_no_client() {
    let vendor = vendor().await;
    let text = "[[credentials]]\nname = \"key\"\nlabel = \"l\"\nhelp = \"h\"\n[[auth]]\nname = \"main\"\ntype = \"bearer\"\ntoken = \"{key}\"\n\
                [[endpoints]]\nname = \"api\"\nurl = \"https://api.acme.example\"\nauth = \"main\"\n";
    let calls = "[[calls]]\nname = \"get\"\ndoc = \"d\"\nstages = [\"sync\"]\nmethod = \"GET\"\npath = \"/x\"\neffect = \"read\"\nlimits = [\"app\"]\n";
    let world = World::new(&format!("{text}{APP}{calls}"), Vault::new(&[("key", "ann-key")]), &[("api", &vendor.url)]);
    for organization in ["ann", "bob", "cid"] {
        spend(&world, &of(&world, organization, Vault::new(&[("key", organization)]))).await.unwrap();
    }
    assert!(matches!(spend(&world, &of(&world, "dan", Vault::new(&[("key", "dan-key")]))).await, Err(Unanswered::Throttled(_))));
}

#[tokio::test]
async fn a_run_that_is_stopped_does_not_take_its_renewal_with_it() {
    let vendor = Vendor::start(|seen| {
        if seen.target == "/token" {
            std::thread::sleep(Duration::from_millis(150));
            return Reply::json(200, r#"{"access_token":"access-token","refresh_token":"rotated","expires_in":3600}"#);
        }
        Reply::json(200, "{}")
    })
    .await;
    let vault = Vault::new(CLIENT).with_token("stale", Some("single-use"), Some(1), None);
    let endpoints = [("accounts", vendor.url.as_str()), ("api", vendor.url.as_str())];
    let world = Arc::new(World::timed(&manifest(CODE, APP), vault, &endpoints, fast()));
    let running = world.clone();
    let run = tokio::spawn(async move { running.send(call("get")).await });
    while vendor.requests() == 0 {
        tokio::task::yield_now().await;
    }
    run.abort();
    for _ in 0..200 {
        if !world.vault.saves.lock().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(*world.vault.saves.lock(), ["access-token/rotated"], "the only good refresh token was lost");
}

#[tokio::test]
async fn an_older_grants_base_url_outlives_an_answer_that_names_none() {
    let vendor = vendor().await;
    let oauth = "grant = \"refresh_token\"\nrefresh_token = \"org_id\"\nbase_from = \"api_domain\"";
    let vault = Vault::new(CLIENT).with_token("stale", Some("r"), Some(1), Some("https://kept.acme.example"));
    let world = World::new(&manifest(oauth, APP), vault, &[("accounts", &vendor.url), ("api", &vendor.url)]);
    world.send(call("get")).await.unwrap();
    let kept = world.scope(Stage::Sync).credentials.token("main").await.ok().flatten().unwrap();
    assert_eq!((kept.access.as_str(), kept.base.as_deref()), ("access-token", Some("https://kept.acme.example")));
}
