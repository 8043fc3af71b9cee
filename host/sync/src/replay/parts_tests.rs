//! What counts as a difference between two requests, and what does not.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::sample::{manifest, request};
use super::*;

fn diff(before: &ShownRequest, after: &ShownRequest) -> Vec<Part> {
    differences(&manifest(), "save", before, after)
}

fn ats(before: &ShownRequest, after: &ShownRequest) -> Vec<At> {
    diff(before, after).into_iter().map(|part| part.at).collect()
}

/// The same as egress shows it where no credential is opened.
fn blind(request: &ShownRequest) -> ShownRequest {
    let mut blind = request.clone();
    blind.url = blind.url.replace("us1.", "{derived:dc}.");
    blind.headers.retain(|(name, _)| name != "x-dc");
    blind.headers.push(("x-second".into(), "{secret:second}".into()));
    blind
}

#[test]
fn what_only_a_credential_could_tell_is_no_difference() {
    let live = request("/contacts?a=1", "{}");
    assert_eq!(diff(&live, &blind(&live)), []);
    // A place stands for something, and for no path.
    let other = ShownRequest { url: "https://us1.acme.example/v4/contacts?a=1".into(), ..live.clone() };
    assert_eq!(ats(&other, &blind(&live)), [At::Path]);
    let nowhere = ShownRequest { url: "https://us1.else.example/v3/contacts?a=1".into(), ..live.clone() };
    assert_eq!(ats(&nowhere, &blind(&live)), [At::Host]);
    let token = ShownRequest { url: "{token.base}/contacts?a=1".into(), ..live.clone() };
    assert_eq!(diff(&live, &token), []);
    assert_eq!(ats(&ShownRequest { url: "https://x.example/people".into(), ..live }, &token).len(), 3, "host, path and parameter");
}

#[test]
fn another_secret_or_a_secret_elsewhere_is_a_difference() {
    let before = request("/contacts", "{}");
    let swap = |name: &str, value: &str| {
        let mut after = before.clone();
        after.headers[1] = (name.to_owned(), value.to_owned());
        ats(&before, &after)
    };
    assert_eq!(swap("x-key", "{secret:second}"), [At::Header("x-key".into())]);
    assert_eq!(swap("x-other", "{secret:key}"), [At::Header("x-key".into()), At::Header("x-other".into())]);
    assert_eq!(swap("X-Key", "{secret:key}"), [], "names of headers have no case");
}

#[test]
fn a_server_that_stood_in_for_the_vendor_is_no_other_host() {
    let before = ShownRequest { url: "http://127.0.0.1:4711/twin/contacts".into(), ..request("/contacts", "{}") };
    assert_eq!(diff(&before, &blind(&request("/contacts", "{}"))), []);
    assert_eq!(ats(&before, &blind(&request("/people", "{}"))), [At::Path]);
}

#[test]
fn bodies_are_compared_by_value_and_named_by_place() {
    let before = request("/contacts", r#"{"a": 1, "b": {"x/y": [1, 2]}, "c": null}"#);
    assert_eq!(diff(&before, &request("/contacts", r#"{"c":null,"b":{"x/y":[1,2]},"a":1}"#)), []);
    let found = diff(&before, &request("/contacts", r#"{"a":"1","b":{"x/y":[1,3,4]}}"#));
    let part = |at: &str, before: Option<&str>, after: Option<&str>| Part {
        at: At::Body(at.into()),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
    };
    let wanted = [
        part("/a", Some("1"), Some("\"1\"")),
        part("/b/x~1y/1", Some("2"), Some("3")),
        part("/b/x~1y/2", None, Some("4")),
        part("/c", Some("null"), None),
    ];
    assert_eq!(found, wanted, "a null that is sent is not the same as nothing");
}

#[test]
fn forms_are_compared_by_pairs_and_json_inside_them_by_value() {
    let form = |body: &str| {
        let mut request = request("/contacts", body);
        request.headers[0].1 = "application/x-www-form-urlencoded".into();
        request
    };
    let before = form("a=1&t=x&t=y&json=%7B%22v%22%3A%7B%22n%22%3A1%7D%7D");
    assert_eq!(diff(&before, &form("t=x&json=%7B+%22v%22%3A+%7B%22n%22%3A1%7D%7D&a=1&t=y")), []);
    let after = form("a=1&t=y&t=x&json=%7B%22v%22%3A%7B%22n%22%3A2%7D%7D");
    assert_eq!(ats(&before, &after), [At::Form("json".into(), "/v/n".into()), At::Form("t".into(), String::new())]);
    assert_eq!(ats(&before, &request("/contacts", "{}")), [At::Header("content-type".into()), At::Body(String::new())]);
}

#[test]
fn a_parameter_that_comes_goes_or_changes_is_named() {
    let before = request("/contacts?a=1&b=2&c=3", "{}");
    let found = diff(&before, &request("/contacts?d=4&c=3&a=9", "{}"));
    let names: Vec<String> = found.iter().map(|part| part.at.to_string()).collect();
    assert_eq!(names, ["query `a`", "query `b`", "query `d`"]);
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z]{0,6}".prop_map(Value::from),
        Just(Value::Null)
    ];
    let object = |inner: BoxedStrategy<Value>| {
        prop::collection::btree_map("[a-z~/]{1,4}", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect()))
    };
    let inner = leaf.prop_recursive(3, 24, 4, move |inner| {
        let list = prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from);
        prop_oneof![list, object(inner.boxed())]
    });
    object(inner.boxed())
}

/// Every place that holds no further place.
fn leaves(at: String, value: &Value, all: &mut Vec<String>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            map.iter().for_each(|(key, value)| leaves(format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), value, all));
        }
        Value::Array(list) if !list.is_empty() => list.iter().enumerate().for_each(|(n, value)| leaves(format!("{at}/{n}"), value, all)),
        _ => all.push(at),
    }
}

/// The same value with its keys the other way round, and air in between.
fn aired(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let inside: Vec<String> =
                map.iter().rev().map(|(key, value)| format!("{} :  {}", Value::from(key.as_str()), aired(value))).collect();
            format!("{{ {} }}", inside.join(" , "))
        }
        Value::Array(list) => format!("[ {} ]", list.iter().map(aired).collect::<Vec<_>>().join(" , ")),
        other => other.to_string(),
    }
}

proptest! {
    #[test]
    fn spelling_is_no_difference(body in json(), query in prop::collection::btree_map("[a-z]{1,5}", "[ -~]{0,8}", 0..5)) {
        let text = |pairs: &mut dyn Iterator<Item = (&String, &String)>| form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let before = request(&format!("/contacts?{}", text(&mut query.iter())), &body.to_string());
        let mut after = request(&format!("/contacts?{}", text(&mut query.iter().rev())), &aired(&body));
        after.headers.reverse();
        after.headers.iter_mut().for_each(|(name, _)| *name = name.to_uppercase());
        prop_assert_eq!(diff(&before, &after), vec![]);
        let mut blind = blind(&before);
        blind.body = after.body;
        prop_assert_eq!(diff(&before, &blind), vec![]);
    }

    #[test]
    fn one_changed_value_is_one_difference_at_its_place(body in json(), pick in any::<prop::sample::Index>()) {
        let mut all = Vec::new();
        leaves(String::new(), &body, &mut all);
        let at = pick.get(&all).clone();
        let mut changed = body.clone();
        *changed.pointer_mut(&at).expect("it is there") = json!("CHANGED");
        let found = diff(&request("/contacts", &body.to_string()), &request("/contacts", &changed.to_string()));
        prop_assert_eq!(found.len(), 1);
        prop_assert_eq!(&found[0].at, &At::Body(at.clone()));
        let back = diff(&request("/contacts", &changed.to_string()), &request("/contacts", &body.to_string()));
        prop_assert_eq!((&back[0].before, &back[0].after), (&found[0].after, &found[0].before), "the other way round");
    }

    #[test]
    fn any_two_requests_can_be_compared(before in ".{0,60}", after in ".{0,60}", body in ".{0,40}") {
        let made = |url: &str| ShownRequest { method: "GET".into(), url: url.into(), headers: vec![(body.clone(), url.into())], body: Some(url.into()) };
        prop_assert_eq!(diff(&made(&before), &made(&before)), vec![]);
        prop_assert!(diff(&made(&before), &made(&after)).len() <= MOST);
    }
}

#[test]
fn the_root_of_a_body_that_became_something_else_is_named() {
    assert_eq!(ats(&request("/contacts", "{}"), &request("/contacts", "[]")), [At::Body(String::new())]);
    let none = ShownRequest { body: None, ..request("/contacts", "{}") };
    assert_eq!(ats(&request("/contacts", "{}"), &none), [At::Body(String::new())]);
}
