//! The rules of a body, by table and by property: nothing outside `writes` ever passes.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::model::{BodyKind, Effect, Method};

fn call(writes: &[&str], new_only: &[&str], fixed: Value) -> Call {
    let texts = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    let fixed = fixed.as_object().map(|m| m.iter().map(|(k, v)| (k.clone(), v.clone())).collect()).unwrap_or_default();
    let mut call: Call = serde_json::from_value(json!({
        "name": "save", "doc": "x", "stages": ["sync"], "method": "POST", "path": "/x", "effect": "idempotent",
    }))
    .unwrap();
    assert_eq!((call.method, call.effect, call.body), (Method::Post, Effect::Idempotent, BodyKind::None));
    (call.writes, call.new_only, call.fixed) = (texts(writes), texts(new_only), fixed);
    call
}

fn rules(writes: &[&str], fixed: Value) -> WriteRules {
    let settings = [("field", "rekomi/tags"), ("star", "*"), ("empty", "")];
    WriteRules::compile(&call(writes, &[], fixed), &settings, &[("id", "f_9"), ("field:a.b", "q")]).unwrap()
}

#[test]
fn a_json_leaf_passes_only_when_an_entry_covers_it() {
    let cases: &[(&[&str], Value, Option<&str>)] = &[
        (&["/email"], json!({"email": "a"}), None),
        (&["/email"], json!({"email": "a", "phone": null}), Some("/phone")),
        (&["/email"], json!({"email": {"x": 1}}), Some("/email/x")),
        (&["/email"], json!({"Email": "a"}), Some("/Email")),
        (&["/contact/email"], json!({"contact": {"email": "a"}}), None),
        (&["/contact/email"], json!({"contact": {}}), None),
        (&["/contact/email"], json!({"contact": null}), Some("/contact")),
        (&["/contact/email"], json!({"contact": "a"}), Some("/contact")),
        (&["/contact/email"], json!({"contact": [{"email": "a"}]}), Some("/contact/0/email")),
        (&["/contact/email"], json!({"contact": {"tags": []}}), Some("/contact/tags")),
        (&["/contact/email"], json!({"email": "a"}), Some("/email")),
        (&["/tags/*"], json!({"tags": ["a", "b"]}), None),
        (&["/tags/*"], json!({"tags": []}), None),
        (&["/tags/*"], json!({"tags": "a"}), Some("/tags")),
        (&["/tags/*"], json!({"tags": [["a"]]}), Some("/tags/0/0")),
        (&["/tags/*"], json!({"tags": {"x": 1}}), None),
        (&["/*/email"], json!([{"email": "a"}, {"email": "b"}]), None),
        (&["/*/email"], json!([{"email": "a"}, "b"]), Some("/1")),
        (&["/f*"], json!({"f1234": 1, "fax": 2}), None),
        (&["/f*"], json!({"f": 1}), Some("/f")),
        (&["/*__c"], json!({"Tier__c": 1}), None),
        (&["/*__c"], json!({"__c": 1}), Some("/__c")),
        (&["/*__c"], json!({"HasOptedOut": true}), Some("/HasOptedOut")),
        (&["/f#"], json!({"f1234": "x"}), None),
        (&["/f#"], json!({"fax": "x"}), Some("/fax")),
        (&["/f#"], json!({"f12a": "x"}), Some("/f12a")),
        (&["/f#"], json!({"f\u{0661}": "x"}), Some("/f\u{0661}")),
        (&["/vars/**"], json!({"vars": {"a": {"b": [1]}}}), None),
        (&["/vars/**"], json!({"vars": 1}), Some("/vars")),
        (&["/vars/**"], json!({"vars": {}}), None),
        (&["/vars/**"], json!({"varsity": {"a": 1}}), Some("/varsity/a")),
        (&["/**"], json!("anything"), None),
        (&[], json!({}), None),
        (&[], json!([]), None),
        (&[], json!("x"), Some("/")),
        (&[], json!({"a": []}), Some("/a")),
        (&["/fields/{setting:field}"], json!({"fields": {"rekomi/tags": 1}}), None),
        (&["/fields/{setting:field}"], json!({"fields": {"rekomi": {"tags": 1}}}), Some("/fields/rekomi/tags")),
        (&["/fields/{setting:star}"], json!({"fields": {"other": 1}}), Some("/fields/other")),
        (&["/fields/{setting:star}"], json!({"fields": {"*": 1}}), None),
        (&["/fields/{setting:unset}"], json!({"fields": {"": 1}}), Some("/fields/")),
        (&["/fields/{setting:empty}"], json!({"fields": {"": 1}}), Some("/fields/")),
        (&["/x_{fact:id}_#"], json!({"x_f_9_12": 1}), None),
        (&["/{fact:field:a.b}"], json!({"q": 1}), None),
        (&["/a~1b/c~0d"], json!({"a/b": {"c~d": 1}}), None),
        (&["/a~1b"], json!({"a": {"b": 1}}), Some("/a/b")),
        (&["form:email"], json!({"email": "a"}), Some("/email")),
    ];
    for (writes, body, expected) in cases {
        let found = rules(writes, json!({})).check_json(body);
        assert_eq!(found.as_ref().err().map(|e| e.path.as_str()), *expected, "{writes:?} and {body}");
    }
}

#[test]
fn a_form_field_passes_only_when_an_entry_covers_it() {
    type Case = (&'static [&'static str], &'static [(&'static str, &'static str)], Option<&'static str>);
    let cases: &[Case] = &[
        (&["form:email"], &[("email", "a"), ("email", "b")], None),
        (&["form:email"], &[("email", "a"), ("phone", "")], Some("form:phone")),
        (&["form:p[#"], &[("p[1", "a")], None),
        (&["form:json#/vars/*"], &[("json", r#"{"vars":{"a":1}}"#)], None),
        (&["form:json#/vars/*"], &[("json", r#"{"vars":{"a":1},"email":"x"}"#)], Some("form:json#/email")),
        (&["form:json#/vars/*"], &[("json", "not json")], Some("form:json")),
        (&["form:json", "form:json#/vars/*"], &[("json", r#"{"email":"x"}"#)], Some("form:json#/email")),
        (&["/email"], &[("email", "a")], Some("form:email")),
    ];
    for (writes, pairs, expected) in cases {
        let found = rules(writes, json!({})).check_form(pairs);
        assert_eq!(found.as_ref().err().map(|e| e.path.as_str()), *expected, "{writes:?} and {pairs:?}");
    }
}

#[test]
fn constants_are_set_and_cannot_be_changed() {
    let rules = rules(&["/email", "/rows/*/name"], json!({"/kind": 0, "/opts/quiet": true, "/rows/*/new": false}));
    let mut body = json!({"email": "a", "rows": [{"name": "x"}, {"name": "y", "new": false}]});
    rules.apply_fixed(&mut body).unwrap();
    assert_eq!(
        body,
        json!({"email": "a", "kind": 0, "opts": {"quiet": true}, "rows": [{"name": "x", "new": false}, {"name": "y", "new": false}]})
    );
    rules.check_json(&body).unwrap();

    for (body, path) in [
        (json!({"kind": 1}), "/kind"),
        (json!({"kind": "0"}), "/kind"),
        (json!({"opts": {"quiet": false}}), "/opts/quiet"),
        (json!({"opts": "x"}), "/opts"),
        (json!({"rows": [{"new": true}]}), "/rows/0/new"),
        (json!({"rows": [1]}), "/rows/0"),
        (json!([1]), "/kind"),
    ] {
        assert_eq!(rules.apply_fixed(&mut body.clone()).unwrap_err().path, path, "{body}");
    }
    // Held even by a caller who forgets to apply them.
    assert_eq!(rules.check_json(&json!({"kind": 1})), Err(FieldRefused { path: "/kind".into(), why: Why::Fixed }));
    assert_eq!(rules.check_json(&json!({"opts": {"quiet": true, "loud": 1}})).unwrap_err().path, "/opts/loud");
}

#[test]
fn a_wildcard_does_not_free_a_constant() {
    let rules = rules(&["/**"], json!({"/opts/resubscribe": false}));
    rules.check_json(&json!({"a": 1, "opts": {"x": 1, "resubscribe": false}})).unwrap();
    assert_eq!(rules.check_json(&json!({"opts": {"resubscribe": true}})).unwrap_err().why, Why::Fixed);
}

#[test]
fn constants_of_a_form_are_set_and_cannot_be_changed() {
    let rules = rules(&["form:email"], json!({"form:mode": "add", "form:n": 3, "form:json#/quiet": true}));
    let own = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<_>>();
    let mut pairs = own(&[("email", "a"), ("n", "3")]);
    rules.apply_fixed_form(&mut pairs).unwrap();
    let shown: BTreeSet<String> = pairs.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(shown, ["email=a", r#"json={"quiet":true}"#, "mode=add", "n=3"].map(str::to_owned).into());
    let borrowed: Vec<(&str, &str)> = pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    rules.check_form(&borrowed).unwrap();
    for bad in [("mode", "replace"), ("json", r#"{"quiet":false}"#), ("json", "x")] {
        assert!(rules.apply_fixed_form(&mut own(&[bad])).is_err(), "{bad:?}");
        assert!(rules.check_form(&[bad]).is_err(), "{bad:?}");
    }
    assert!(rules.apply_fixed_form(&mut own(&[("mode", "add"), ("mode", "replace")])).is_err());
}

#[test]
fn fields_for_new_contacts_are_found() {
    let rules = WriteRules::compile(&call(&["/**"], &["/status", "/lists/*", "/a/{setting:f}"], json!({})), &[("f", "x")], &[]).unwrap();
    for (body, expected) in [
        (json!({"email": "a"}), None),
        (json!({"status": "subscribed"}), Some("/status")),
        (json!({"status": null}), Some("/status")),
        (json!({"status": {"deep": 1}}), Some("/status")),
        (json!({"lists": []}), Some("/lists")),
        (json!({"lists": [1]}), Some("/lists/0")),
        (json!({"a": {}}), None),
        (json!({"a": {"y": 1, "x": 1}}), Some("/a/x")),
    ] {
        assert_eq!(rules.new_only_in_json(&body).as_deref(), expected, "{body}");
    }
    let form = WriteRules::compile(&call(&[], &["form:status", "form:json#/optin"], json!({})), &[], &[]).unwrap();
    assert_eq!(form.new_only_in_form(&[("email", "a"), ("status", "")]).as_deref(), Some("form:status"));
    assert_eq!(form.new_only_in_form(&[("json", r#"{"optin":1}"#)]).as_deref(), Some("form:json#/optin"));
    assert_eq!(form.new_only_in_form(&[("json", "?")]).as_deref(), Some("form:json"));
    assert_eq!(form.new_only_in_form(&[("json", "{}")]), None);
}

#[test]
fn what_is_never_sent_is_refused_in_any_spelling_and_below_any_pattern() {
    let rules = CallRules::of(&Call { never: vec!["/data/*/Email_Opt_Out".into()], ..call(&["/data/*/*"], &[], json!({})) }).unwrap();
    let rules = rules.bind(|_| None, |_| None);
    assert_eq!(rules.check_json(&json!({"data": [{"Affiliate_Code": "x"}]})), Ok(()));
    for key in ["Email_Opt_Out", "email_opt_out", "EMAIL_OPT_OUT"] {
        let refused = rules.check_json(&json!({"data": [{"Affiliate_Code": "x"}, {key: false}]})).unwrap_err();
        assert_eq!((refused.path.as_str(), refused.why), ("/data/1/email_opt_out", Why::Never), "{key}");
    }
    let form = CallRules::of(&Call { never: vec!["form:optout".into()], ..call(&["form:*"], &[], json!({})) }).unwrap();
    let form = form.bind(|_| None, |_| None);
    assert_eq!(form.check_form(&[("vars", "x")]), Ok(()));
    assert!(form.check_form(&[("OptOut", "x")]).is_err());
}

#[test]
fn entries_that_could_meet_overlap() {
    for (a, b, expected) in [
        ("/status", "/status", true),
        ("/status", "/**", true),
        ("/status", "/*", true),
        ("/status", "/st*", true),
        ("/status", "/status/x", true),
        ("/status", "/states", false),
        ("/f#", "/first", false),
        ("/f#", "/f12", true),
        ("/*__c", "/Tier__c", true),
        ("/*__c", "/HasOptedOut", false),
        ("/*__c", "/T*", true),
        ("/*__c", "/*__r", false),
        ("/*__c", "/f#", false),
        ("/{setting:x}", "/status", true),
        ("/p_{setting:x}", "/status", false),
        ("form:a", "/a", false),
        ("form:a", "form:a#/b", true),
    ] {
        assert_eq!(rules_overlap(a, b), expected, "{a} and {b}");
        assert_eq!(rules_overlap(b, a), expected, "{b} and {a}");
    }
}

/// What `check_json` should say, worked out the slow way: every leaf's path against every entry, step by step.
fn oracle(entries: &[Vec<&str>], body: &Value) -> bool {
    fn leaves(value: &Value, path: Vec<String>, out: &mut Vec<(Vec<String>, bool)>) {
        let children: Vec<(String, &Value)> = match value {
            Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), v)).collect(),
            Value::Array(list) => list.iter().enumerate().map(|(i, v)| (i.to_string(), v)).collect(),
            _ => Vec::new(),
        };
        if children.is_empty() {
            out.push((path, value.is_object() || value.is_array()));
            return;
        }
        for (key, child) in children {
            leaves(child, path.iter().cloned().chain([key]).collect(), out);
        }
    }
    let step = |entry: &str, key: &str| match entry {
        "*" => true,
        "f#" => key.len() > 1 && key.starts_with('f') && key[1..].chars().all(|c| c.is_ascii_digit()),
        "a*" => key.len() > 1 && key.starts_with('a'),
        _ => entry == key,
    };
    let covers = |entry: &[&str], path: &[String], empty: bool| match entry.split_last() {
        Some((&"**", stem)) => (path.len() > stem.len() || empty) && stem.iter().zip(path).all(|(e, k)| step(e, k)),
        _ => (entry.len() == path.len() || empty && entry.len() > path.len()) && entry.iter().zip(path).all(|(e, k)| step(e, k)),
    };
    let mut all = Vec::new();
    leaves(body, Vec::new(), &mut all);
    all.iter().all(|(path, empty)| {
        let whole = path.is_empty() && (*empty || entries.iter().any(|e| e == &["**"]));
        whole || (!path.is_empty() && entries.iter().any(|e| covers(e, path, *empty)))
    })
}

fn body() -> impl Strategy<Value = Value> {
    let key = prop::sample::select(vec!["a", "b", "ab", "f", "f1", "f12", "fx", "0", "*", "a/b"]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i8>().prop_map(Value::from),
        "[a-z]{0,3}".prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..4).prop_map(|m| m.into_iter().collect::<Value>()),
        ]
    })
}

fn entry() -> impl Strategy<Value = Vec<&'static str>> {
    let step = prop::sample::select(vec!["a", "b", "ab", "f", "f1", "0", "*", "f#", "a*"]);
    (prop::collection::vec(step, 0..4), any::<bool>()).prop_map(|(mut steps, rest)| {
        if rest || steps.is_empty() {
            steps.push("**");
        }
        steps
    })
}

proptest! {
    #[test]
    fn nothing_outside_writes_ever_passes(entries in prop::collection::vec(entry(), 0..4), body in body()) {
        let texts: Vec<String> = entries.iter().map(|e| format!("/{}", e.join("/"))).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let found = rules(&texts, json!({})).check_json(&body);
        prop_assert_eq!(found.is_ok(), oracle(&entries, &body), "{:?} and {}: {:?}", texts, body, found);
    }

    #[test]
    fn what_was_fixed_is_fixed(entries in prop::collection::vec(entry(), 0..3), mut body in body(), constant in any::<bool>()) {
        let texts: Vec<String> = entries.iter().map(|e| format!("/{}", e.join("/"))).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let rules = rules(&texts, json!({"/a/quiet": constant}));
        if rules.apply_fixed(&mut body).is_ok() {
            prop_assert_eq!(body.pointer("/a/quiet"), Some(&Value::from(constant)));
            let mut twice = body.clone();
            prop_assert!(rules.apply_fixed(&mut twice).is_ok());
            prop_assert_eq!(&twice, &body);
        }
    }

    #[test]
    fn a_new_only_field_that_is_sent_is_found(body in body(), only in entry()) {
        let text = format!("/{}", only.join("/"));
        let rules = WriteRules::compile(&call(&["/**"], &[&text], json!({})), &[], &[]).unwrap();
        // A body of this field alone, with something in it.
        let alone = WriteRules::compile(&call(&[&text], &[], json!({})), &[], &[]).unwrap();
        if alone.check_json(&body).is_ok() && (body.is_object() || body.is_array()) && body_has_scalar(&body) {
            prop_assert!(rules.new_only_in_json(&body).is_some(), "{} and {}", text, body);
        }
    }

    #[test]
    fn arbitrary_entries_are_read_or_refused(text in ".{0,30}", other in "[/a*#{}:~form]{0,20}") {
        for text in [text, other] {
            let compiled = CallRules::of(&call(&[&text], &[], json!({ &text: 1 })));
            prop_assert!(compiled.is_ok() || compiled.is_err());
            let _: bool = rules_overlap(&text, "/a");
        }
    }
}

fn body_has_scalar(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.values().any(body_has_scalar),
        Value::Array(list) => list.iter().any(body_has_scalar),
        _ => true,
    }
}
