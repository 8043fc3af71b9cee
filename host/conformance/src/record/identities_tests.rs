//! Real people go in, invented ones come out, and what belongs together stays together.

use serde_json::{Value, json};

use super::*;

fn manifest() -> Manifest {
    let text = include_str!("../../../catalog/tests/good/full.toml");
    crm_catalog::parse(text, "full.toml").expect("a manifest")
}

fn taken() -> Taken {
    let input = json!({ "job": {
        "who": { "email": "Maria.Garcia@shop.test", "first": "Maria", "last": "Garcia", "company": "Garcia Import" },
        "set": ["Rekomi affiliate"], "known": { "contact_id": "84512345" },
    } });
    let answer = json!({ "known": { "contact_id": "84512345" }, "done": { "change": "updated" } });
    Taken { function: "sync-contact".to_owned(), input, steps: Vec::new(), answer }
}

fn answered(body: Value) -> Heard {
    let headers = vec![("link".to_owned(), "<https://api.acme.example/c/84512345>".to_owned())];
    Heard { call: "save".to_owned(), answer: Ok(GivenResponse { status: 200, headers, body }) }
}

fn replaced(body: Value) -> (Value, Value, String) {
    let (taken, heard) = (taken(), answered(body));
    let mut identities = Identities::default();
    identities.learn(&taken, std::slice::from_ref(&heard), &manifest());
    let input = identities.input(&taken.input);
    let given = identities.heard(heard, &taken.function).answer.expect("answered");
    let header = given.headers[0].1.clone();
    (input, given.body, header)
}

#[test]
fn a_person_is_the_same_invented_one_everywhere() {
    let (input, body, header) = replaced(json!({
        "contact": { "id": 84_512_345, "email": "maria.garcia@shop.test", "firstName": "Maria", "lastName": "Garcia", "phone": "+34 600 1" },
        "owner": { "email": "boss@shop.test", "name": "Big Boss" },
        "note": "Maria Garcia <maria.garcia@shop.test> joined", "href": "https://api.acme.example/contacts/84512345/tags",
    }));
    assert_eq!(input["job"]["who"], json!({ "email": "ann@example.com", "first": "Ann", "last": "Lee", "company": "Example" }));
    assert_eq!(input["job"]["known"]["contact_id"], "10000001");
    let contact = json!({ "id": 10_000_001, "email": "ann@example.com", "firstName": "Ann", "lastName": "Lee", "phone": "+15550100" });
    assert_eq!(body["contact"], contact);
    assert_eq!(body["owner"], json!({ "email": "ben@example.com", "name": "Example 2" }));
    assert_eq!(body["note"], "Ann Lee <ann@example.com> joined");
    assert_eq!(body["href"], "https://api.acme.example/contacts/10000001/tags");
    assert_eq!(header, "<https://api.acme.example/c/10000001>");
}

#[test]
fn tags_lists_and_short_ids_stay() {
    let given = json!({ "tags": [{ "name": "Rekomi affiliate", "id": "7" }], "lists": [{ "name": "Newsletter", "status_id": 1 }] });
    let (input, body, _) = replaced(given.clone());
    assert_eq!(body, given);
    assert_eq!(input["job"]["set"], json!(["Rekomi affiliate"]));
}

#[test]
fn a_hash_of_the_address_follows_the_address() {
    let (_, body, _) =
        replaced(json!({ "id": hash("maria.garcia@shop.test"), "url": format!("/members/{}", hash("maria.garcia@shop.test")) }));
    assert_eq!(body["url"], format!("/members/{}", hash("ann@example.com")));
    assert_eq!(body["id"], hash("ann@example.com"));
}

#[test]
fn a_real_address_that_is_left_is_found() {
    let identities = Identities::default();
    assert_eq!(identities.left_over(r#"{"a": "joe@shop.test"}"#).as_deref(), Some("joe@shop.test"));
    assert_eq!(identities.left_over(r#"{"a": "ann@example.com"}"#), None);
}

#[test]
fn what_was_typed_for_an_address_and_is_none_is_replaced_by_something_as_wrong() {
    let mut taken = taken();
    taken.input["job"]["who"]["email"] = json!("Maria.Garcia@@shoptest");
    let heard = answered(json!({ "error": "maria.garcia@@shoptest is not valid", "link": "/c?mail=Maria.Garcia%40%40shoptest" }));
    let mut identities = Identities::default();
    identities.learn(&taken, std::slice::from_ref(&heard), &manifest());
    assert_eq!(identities.input(&taken.input)["job"]["who"]["email"], "ann.example@@example");
    let body = identities.heard(heard, &taken.function).answer.expect("answered").body;
    assert_eq!(body, json!({ "error": "ann.example@@example is not valid", "link": "/c?mail=ann.example%40%40example" }));
}
