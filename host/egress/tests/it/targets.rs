//! Check 5: choices by setting, hosts by what a merchant typed, and what stays refused until a choice is made.

use std::sync::atomic::Ordering;

use crm_catalog::model::Stage;
use crm_contract::ports::{Gateway, Mode};
use crm_egress::DevEndpoints;

use crate::support::{Book, Vault, World, call, refusal};

const MANIFEST: &str = r#"
[[settings]]
name = "region"
label = "Region"
kind = "choice"
choices = ["us", "eu"]
[[credentials]]
name = "site"
label = "Site"
help = "h"
secret = false
[[credentials]]
name = "api_key"
label = "Key"
help = "h"
[[derived]]
name = "dc"
from = "api_key"
capture = "-([a-z]+[0-9]+)$"
[[endpoints]]
name = "api"
url = "https://{choice}/v1"
choices = { us = "us.acme.example", eu = "eu.acme.example" }
choose = "setting:region"
[[endpoints]]
name = "own"
url = "https://{credential:site}/wp-json"
public_host = true
keep_path = true
[[endpoints]]
name = "dc"
url = "https://{derived:dc}.api.acme.example/3.0"
allow = ["*.api.acme.example"]
[[calls]]
name = "ping"
doc = "d"
stages = ["sync"]
method = "GET"
path = "/ping"
effect = "read"
[[calls]]
name = "own"
doc = "d"
stages = ["sync"]
endpoint = "own"
method = "GET"
path = "/people/{setting:region}/"
effect = "read"
[[calls]]
name = "dc"
doc = "d"
stages = ["sync"]
endpoint = "dc"
method = "GET"
path = "/centres/{derived:dc}/ping.json"
effect = "read"
"#;

async fn shown(world: &World, name: &str) -> String {
    let book = Book::new();
    world.egress.open(world.scope(Stage::Sync), Mode::Preview, book.clone()).send(call(name)).await.unwrap();
    book.steps.lock()[0].request.url.clone()
}

#[tokio::test]
async fn the_url_is_made_of_choice_typed_host_and_derived_part() {
    let world = World::new(MANIFEST, Vault::new(&[("api_key", "abcdef0123-us21")]), &[])
        .setting("region", "eu")
        .setting("site", "https://Shop.Example/blog/");
    assert_eq!(shown(&world, "ping").await, "https://eu.acme.example/v1/ping");
    assert_eq!(shown(&world, "own").await, "https://shop.example/blog/wp-json/people/eu/");
    assert_eq!(shown(&world, "dc").await, "https://us21.api.acme.example/3.0/centres/us21/ping.json");
    assert_eq!(world.names.asked.load(Ordering::SeqCst), 0, "a preview looks nothing up");
}

#[tokio::test]
async fn without_a_choice_a_host_or_a_part_there_is_no_url() {
    let world = World::new(MANIFEST, Vault::new(&[("api_key", "no-centre-in-here")]), &[]);
    assert!(refusal(world.send(call("ping")).await).contains("no choice is made yet"));
    let world = world.setting("region", "moon");
    assert!(refusal(world.send(call("ping")).await).contains("not one of the manifest's"));
    assert!(refusal(world.send(call("own")).await).contains("site"));
    assert!(refusal(world.send(call("dc")).await).contains("dc"));
    assert_eq!(world.names.asked.load(Ordering::SeqCst), 0);
}

#[test]
fn a_development_endpoint_is_http_on_loopback_and_nothing_else() {
    let bad = [
        "https://127.0.0.1:1",
        "http://10.0.0.1",
        "http://localhost:80",
        "http://api.acme.example",
        "http://user@127.0.0.1",
        "http://127.0.0.1/?x",
        "127.0.0.1:80",
        "http://0.0.0.0:80",
        "http://[::]:80",
        "http://169.254.169.254",
        "ftp://127.0.0.1",
        "http://127.0.0.1#x",
    ];
    for url in bad {
        assert!(DevEndpoints::new().with("acme", "api", url).is_err(), "{url}");
    }
    for url in ["http://127.0.0.1:8080", "http://127.0.0.1:8080/v1/", "http://[::1]:9/x", "http://127.9.9.9:1"] {
        assert!(DevEndpoints::new().with("acme", "api", url).is_ok(), "{url}");
    }
    assert!(DevEndpoints::parse(&["acme.api=http://127.0.0.1:1/v1", "acme.api@eu=http://[::1]:2"]).is_ok());
    for word in ["acme.api", "acme=http://127.0.0.1:1", "acme.api=https://api.acme.example", ""] {
        assert!(DevEndpoints::parse(&[word]).is_err(), "{word}");
    }
}
