//! The corpus of hostile hosts, URLs and addresses (`ssrf/hostile.txt`) and of honest ones (`ssrf/good.txt`): `position value`
//! a line. Positions: `url` an outbound webhook; `host` a merchant's own host, any public one; `bound` one under a pattern;
//! `label` a part of a host; `derived` a part cut from a secret; `base` a token's base URL; `path` a path value; `dns` what a
//! name resolves to. Names asked and sockets opened are counted.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crm_contract::types::{Pair, Request, Unanswered};
use crm_egress::guard::{GuardError, check_url};
use crm_egress::net::{OwnAddresses, check_url_text};
use proptest::prelude::*;

use crate::support::{Names, Reply, Vault, Vendor, World, call};

const MANIFEST: &str = r#"
[[credentials]]
name = "api_key"
label = "Key"
help = "h"
[[credentials]]
name = "host"
label = "Host"
help = "h"
secret = false
[[credentials]]
name = "client"
label = "Client"
help = "h"
[[derived]]
name = "dc"
from = "api_key"
capture = "^key-(.*)$"
[[auth]]
name = "main"
type = "oauth2"
grant = "client_credentials"
token_endpoint = "accounts"
token_path = "/token"
client_id = "client"
base_from = "api"
[[endpoints]]
name = "accounts"
url = "https://accounts.acme.example"
[[endpoints]]
name = "host"
url = "https://{credential:host}"
public_host = true
keep_path = true
[[endpoints]]
name = "bound"
url = "https://{credential:host}"
allow = ["*.acme.example"]
[[endpoints]]
name = "label"
url = "https://{credential:host}.acme.example/v1"
allow = ["*.acme.example"]
[[endpoints]]
name = "derived"
url = "https://{derived:dc}.acme.example/v1"
allow = ["*.acme.example"]
[[endpoints]]
name = "base"
url = "{token.base}"
auth = "main"
allow = ["*.acme.example"]
[[endpoints]]
name = "path"
url = "https://api.acme.example/v1"
[[endpoints]]
name = "dns"
url = "https://api.acme.example:PORT"
"#;

fn text(port: u16) -> String {
    let mut text = MANIFEST.replace("PORT", &port.to_string());
    for name in ["host", "bound", "label", "derived", "base", "path", "dns"] {
        let path = if name == "path" { "/people/{id}" } else { "/people" };
        text.push_str(&format!("[[calls]]\nname = \"{name}\"\ndoc = \"d\"\nstages = [\"sync\"]\nendpoint = \"{name}\"\nmethod = \"GET\"\npath = \"{path}\"\neffect = \"read\"\n"));
    }
    text
}

fn lines(text: &'static str) -> Vec<(&'static str, &'static str)> {
    text.lines().filter_map(|l| l.split_once(' ')).map(|(p, v)| (p, if v == "(empty)" { "" } else { v })).collect()
}

fn addresses(value: &str) -> Vec<IpAddr> {
    value.split(',').map(|a| a.parse().unwrap()).collect()
}

fn prepare(position: &str, value: &str, port: u16) -> (World, Request) {
    let secret = if position == "derived" { format!("key-{value}") } else { "key-us1".into() };
    let mut vault = Vault::new(&[("api_key", &secret), ("client", "client-1")]);
    if position == "base" {
        // As an older version might have stored it: the use is checked, not only the saving.
        vault = vault.with_token("access-token-1", None, None, Some(value));
    }
    let world = World::new(&text(port), vault, &[]).setting("host", value);
    let mut request = call(position);
    if position == "path" {
        request.path = vec![Pair::new("id", value)];
    }
    if position == "dns" {
        world.names.known.lock().insert("api.acme.example".into(), addresses(value));
    }
    (world, request)
}

#[tokio::test]
async fn invariant_4_no_hostile_place_is_ever_looked_up_or_dialled() {
    let listener = Vendor::start(|_| Reply::json(200, "{}")).await;
    let hostile = lines(include_str!("ssrf/hostile.txt"));
    assert!(hostile.len() >= 300, "{}", hostile.len());
    let mut wrong = Vec::new();
    for (position, value) in &hostile {
        if *position == "url" {
            let names = Arc::new(Names::default());
            let result = check_url(names.clone(), Arc::new(OwnAddresses::new(vec![])), value).await;
            if !matches!(result, Err(GuardError::Url(_))) || names.asked.load(Ordering::SeqCst) > 0 {
                wrong.push(format!("{position} {value}: {result:?}"));
            }
            continue;
        }
        let (world, request) = prepare(position, value, listener.port);
        let result = world.send(request).await;
        let asked = world.names.asked.load(Ordering::SeqCst);
        let allowed_questions = usize::from(*position == "dns");
        if !matches!(result, Err(Unanswered::Refused(_))) || asked > allowed_questions {
            wrong.push(format!("{position} {value}: {result:?}, {asked} names asked"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} got through:\n{}", wrong.len(), hostile.len(), wrong.join("\n"));
    assert_eq!(listener.sockets.load(Ordering::SeqCst), 0, "a socket was opened");
}

#[tokio::test]
async fn honest_places_are_never_refused() {
    let good = lines(include_str!("ssrf/good.txt"));
    assert!(good.len() >= 50, "{}", good.len());
    let mut wrong = Vec::new();
    for (position, value) in &good {
        let own = Arc::new(OwnAddresses::new(vec![]));
        match *position {
            "url" => {
                if let Err(why) = check_url_text(value, None) {
                    wrong.push(format!("{position} {value}: {why}"));
                }
            }
            "dns" => {
                let names = Arc::new(Names::default());
                names.known.lock().insert("hooks.acme.example".into(), addresses(value));
                match check_url(names, own, "https://hooks.acme.example/x").await {
                    Ok(pinned) if pinned.addresses.len() == addresses(value).len() => {}
                    other => wrong.push(format!("{position} {value}: {other:?}")),
                }
            }
            _ => {
                // The resolver knows no names here: "unreachable" means that every check was passed.
                let (world, request) = prepare(position, value, 443);
                let result = world.send(request).await;
                if result != Err(Unanswered::Unreachable) || world.names.asked.load(Ordering::SeqCst) != 1 {
                    wrong.push(format!("{position} {value}: {result:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} were refused:\n{}", wrong.len(), good.len(), wrong.join("\n"));
}

#[tokio::test]
async fn an_address_of_this_machine_is_refused_even_when_it_is_public() {
    let own: IpAddr = "93.184.215.14".parse().unwrap();
    let names = Arc::new(Names::default());
    names.known.lock().insert("hooks.acme.example".into(), vec![own]);
    let result = check_url(names, Arc::new(OwnAddresses::new(vec![own])), "https://hooks.acme.example/x").await;
    assert!(matches!(result, Err(GuardError::Address(_))), "{result:?}");
}

/// A name whose second lookup points inside: the check and the dial share one lookup, so the second never happens.
#[tokio::test]
async fn a_rebinding_name_is_looked_up_once_per_connection() {
    let listener = Vendor::start(|_| Reply::json(200, "{}")).await;
    let (world, request) = prepare("dns", "127.0.0.1", listener.port);
    assert!(matches!(world.send(request).await, Err(Unanswered::Refused(_))));
    assert_eq!(world.names.asked.load(Ordering::SeqCst), 1);
    assert_eq!(listener.sockets.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn more_than_sixteen_answers_are_all_checked_and_cut() {
    let mut many: Vec<IpAddr> = (0..40u8).map(|n| IpAddr::from([93, 184, 215, n])).collect();
    let names = Arc::new(Names::default());
    names.known.lock().insert("hooks.acme.example".into(), many.clone());
    let own = || Arc::new(OwnAddresses::new(vec![]));
    assert_eq!(check_url(names.clone(), own(), "https://hooks.acme.example/").await.unwrap().addresses.len(), 16);
    many.push("10.0.0.1".parse().unwrap());
    names.known.lock().insert("hooks.acme.example".into(), many);
    assert!(matches!(check_url(names, own(), "https://hooks.acme.example/").await, Err(GuardError::Address(_))));
}

proptest! {
    #[test]
    fn no_text_passes_with_a_host_that_is_an_address_or_has_no_dot(text in "https://[a-z0-9.:@\\[\\]x%/#?-]{0,30}|https://[0-9a-fx.]{1,20}/?|.{0,40}") {
        if let Ok(checked) = check_url_text(&text, None) {
            prop_assert!(checked.host.parse::<IpAddr>().is_err());
            prop_assert!(checked.host.contains('.'));
            prop_assert_eq!(checked.port, 443);
            prop_assert_eq!(checked.url.scheme(), "https");
            prop_assert_eq!(checked.url.host_str(), Some(checked.host.as_str()));
            prop_assert!(checked.url.username().is_empty() && checked.url.password().is_none());
        }
    }
}
