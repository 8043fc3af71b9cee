//! Ontraport's twin over HTTP: what the documents promise, each as a statement. It must not touch the host.

use crm_twins::ontraport::{RunningTwin, Twin, TwinConfig};
use crm_twins::{Allowance, Fault, Rule, Script, When};
use serde_json::{Value, json};

const SAVE: &str = "POST /1/objects/saveorupdate";
const TAG: &str = "PUT /1/objects/tagByName";

/// A twin on a runtime of its own, and a client with good credentials.
struct Bench {
    twin: RunningTwin,
    agent: ureq::Agent,
    _runtime: tokio::runtime::Runtime,
}

struct Answer {
    status: u16,
    headers: http::HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("absent")
    }
}

impl Bench {
    fn new(allowance: Option<Allowance>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("runtime");
        let twin = runtime.block_on(Twin::start(TwinConfig { allowance, ..TwinConfig::default() })).expect("starts");
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        Self { twin, agent, _runtime: runtime }
    }

    fn unlimited() -> Self {
        Self::new(None)
    }

    fn try_send(&self, endpoint: &str, body: Option<&str>, content_type: &str, with: &[(&str, &str)]) -> Result<Answer, ureq::Error> {
        let (method, path) = endpoint.split_once(' ').expect("METHOD /path");
        let mut request = http::Request::builder().method(method).uri(format!("{}{path}", self.twin.base_url));
        for (name, value) in with {
            request = request.header(*name, *value);
        }
        let mut response = match body {
            Some(body) => {
                let request = request.header("content-type", content_type).body(body.to_owned()).expect("request");
                let request = self.agent.configure_request(request).allow_non_standard_methods(true).build();
                self.agent.run(request)?
            }
            None => self.agent.run(request.body(()).expect("request"))?,
        };
        let text = response.body_mut().read_to_string()?;
        Ok(Answer { status: response.status().as_u16(), headers: response.headers().clone(), text })
    }

    fn send(&self, endpoint: &str, body: Option<&str>, content_type: &str) -> Result<Answer, ureq::Error> {
        let config = TwinConfig::default();
        self.try_send(endpoint, body, content_type, &[("api-appid", &config.app_id), ("API-KEY", &config.api_key)])
    }

    fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path}"), None, "").expect("answered")
    }

    fn json(&self, endpoint: &str, body: &Value) -> Answer {
        self.send(endpoint, Some(&body.to_string()), "application/json").expect("answered")
    }

    fn form(&self, endpoint: &str, body: &str) -> Answer {
        self.send(endpoint, Some(body), "application/x-www-form-urlencoded").expect("answered")
    }

    fn save(&self, body: &Value) -> Answer {
        let mut full = json!({ "objectID": 0 });
        for (key, value) in body.as_object().expect("object") {
            full[key] = value.clone();
        }
        self.json(SAVE, &full)
    }

    fn fields(&self, n: usize) -> Value {
        use crm_twins::core::Vendor;
        self.twin.control.vendor.contacts(n, 1)[0].clone()
    }

    fn fault(&self, endpoint: &str, nth: u64, when: When, fault: Fault) {
        let rule = Rule { endpoint: endpoint.into(), nth: vec![nth], p: 0.0, at_most: None, when, fault };
        self.twin.control.set_faults(Script { seed: 1, rules: vec![rule] });
    }
}

#[test]
fn each_header_is_needed_and_the_refusal_says_nothing_more() {
    let bench = Bench::unlimited();
    let config = TwinConfig::default();
    let cases: [&[(&str, &str)]; 4] =
        [&[], &[("Api-Key", &config.api_key)], &[("Api-Appid", &config.app_id)], &[("Api-Appid", &config.app_id), ("Api-Key", "wrong")]];
    let mut texts = Vec::new();
    for with in cases {
        let answer = bench.try_send("GET /1/objects/getInfo?objectID=0", None, "", with).expect("answered");
        assert_eq!(answer.status, 401, "{with:?}");
        texts.push(answer.text);
    }
    assert!(texts.iter().all(|text| *text == texts[0]), "the vendor does not tell the cases apart");
    assert_eq!(bench.twin.control.count("unauthorized"), 4);
    let info = bench.get("/1/objects/getInfo?objectID=0").json();
    assert_eq!((&info["code"], &info["data"]["count"]), (&json!(0), &json!("0")));
    assert!(info["account_id"].is_u64());
}

#[test]
fn an_upsert_matches_e_mail_in_any_case_and_answers_in_two_shapes() {
    let bench = Bench::unlimited();
    let created = bench.save(&json!({ "email": "Ann@Example.com", "firstname": "Ann" })).json();
    assert_eq!(created["data"]["id"], "1");
    assert!(created["data"]["attrs"].is_null());
    let updated = bench.save(&json!({ "email": "ann@example.COM", "firstname": "Anna", "nonsense": "x" })).json();
    assert!(updated["data"]["id"].is_null());
    assert_eq!(updated["data"]["attrs"], json!({ "firstname": "Anna", "id": "1" }));
    assert_eq!((bench.twin.control.count("contacts"), bench.twin.control.count("duplicates")), (1, 0));
}

#[test]
fn an_update_by_id_moves_the_contact_to_a_free_address() {
    let bench = Bench::unlimited();
    let update = |body: Value| bench.json("PUT /1/objects", &body);
    bench.save(&json!({ "email": "ann@example.com", "firstname": "Ann" }));
    bench.save(&json!({ "email": "bob@example.com" }));
    let moved = update(json!({ "objectID": 0, "id": "1", "email": "ann.lee@example.com" }));
    assert_eq!(moved.json()["data"], json!({ "attrs": { "email": "ann.lee@example.com", "id": "1" } }));
    assert_eq!((&bench.fields(0)["email"], &bench.fields(0)["fields"]["firstname"]), (&json!("ann.lee@example.com"), &json!("Ann")));
    assert_eq!(bench.get("/1/object/getByEmail?objectID=0&email=ann%40example.com").status, 404);
    assert_eq!(bench.get("/1/object/getByEmail?objectID=0&email=ann.lee%40example.com").json()["data"]["id"], "1");
    assert_eq!(update(json!({ "objectID": 0, "id": "1", "email": "bob@example.com" })).status, 422, "it is somebody else's");
    assert_eq!(update(json!({ "objectID": 0, "id": "9", "email": "new@example.com" })).status, 404);
    assert_eq!(update(json!({ "objectID": 0, "email": "new@example.com" })).status, 400, "which one?");
    assert_eq!((bench.twin.control.count("contacts"), bench.twin.control.count("duplicates")), (2, 0));
}

#[test]
fn blanks_wipe_unless_they_are_ignored() {
    let bench = Bench::unlimited();
    bench.save(&json!({ "email": "a@b.co", "firstname": "Ann", "lastname": "Lee" }));
    bench.save(&json!({ "email": "a@b.co", "firstname": "", "ignore_blanks": true }));
    assert_eq!(bench.fields(0)["fields"]["firstname"], "Ann");
    bench.save(&json!({ "email": "a@b.co", "lastname": "" }));
    assert_eq!(bench.fields(0)["fields"]["lastname"], "");
    assert_eq!(bench.twin.control.count("wiped_fields"), 1);
}

#[test]
fn a_plain_create_makes_duplicates_and_they_are_counted() {
    let bench = Bench::unlimited();
    for _ in 0..3 {
        bench.json("POST /1/Contacts", &json!({ "objectID": 0, "email": "a@b.co" }));
    }
    assert_eq!((bench.twin.control.count("contacts"), bench.twin.control.count("duplicates")), (3, 2));
    let all = bench.get("/1/object/getByEmail?objectID=0&email=A%40b.co&all=1").json();
    assert_eq!(all["data"]["ids"], json!(["1", "2", "3"]));
}

#[test]
fn a_bad_e_mail_is_422_and_a_bad_body_400() {
    let bench = Bench::unlimited();
    for email in ["no-at-sign", "two@@b.co", "a@nodot", "a b@c.de", "@b.co", "a@b..co"] {
        assert_eq!(bench.save(&json!({ "email": email })).status, 422, "{email}");
    }
    assert_eq!(bench.send(SAVE, Some("{\"objectID\":0,"), "application/json").expect("answered").status, 400);
    assert_eq!(bench.json(SAVE, &json!({ "email": "a@b.co" })).status, 400, "objectID is missing");
    assert_eq!(bench.json(SAVE, &json!({ "objectID": 7, "email": "a@b.co" })).status, 404);
    assert_eq!(bench.twin.control.count("contacts"), 0);
}

#[test]
fn tags_by_name_are_created_attached_and_detached() {
    let bench = Bench::unlimited();
    bench.save(&json!({ "email": "a@b.co" }));
    let attach = json!({ "objectID": 0, "ids": ["1"], "add_names": ["Rekomi affiliate", "VIP"] });
    assert_eq!(bench.json(TAG, &attach).json()["code"], 0);
    assert_eq!(bench.fields(0)["tags"], json!(["Rekomi affiliate", "VIP"]));
    let detach = json!({ "objectID": 0, "ids": [1], "remove_names": ["VIP", "never seen"] });
    assert_eq!(bench.json("DELETE /1/objects/tagByName", &detach).status, 200);
    assert_eq!(bench.fields(0)["tags"], json!(["Rekomi affiliate"]));
    assert_eq!(bench.twin.control.count("tags"), 2, "an unknown name is not created when detached");
    let holders = bench.get("/1/objects/tag?objectID=0&tag_name=Rekomi%20affiliate").json();
    assert_eq!(holders["data"][0]["email"], "a@b.co");
    assert_eq!(bench.get("/1/Contact?id=1").json()["data"]["contact_cat"], "*/*1*/*");
}

#[test]
fn tags_by_id_are_form_data_and_never_a_post() {
    let bench = Bench::unlimited();
    bench.save(&json!({ "email": "a@b.co" }));
    let tag = bench.json("POST /1/Tags", &json!({ "tag_name": "VIP" })).json()["data"]["tag_id"].clone();
    assert_eq!(tag, "1");
    assert_eq!(bench.form("PUT /1/objects/tag", "objectID=0&ids=1&add_list=1").status, 200);
    assert_eq!(bench.fields(0)["tags"], json!(["VIP"]));
    assert_eq!(bench.form("PUT /1/objects/tag", "objectID=0&ids=1&add_list=1,99").status, 404, "no such tag");
    assert_eq!(bench.form("DELETE /1/objects/tag", "objectID=0&ids=1&remove_list=1").status, 200);
    assert_eq!(bench.fields(0)["tags"], json!([]));
    assert_eq!(bench.form("POST /1/objects/tag", "objectID=0&ids=1&add_list=1").status, 405);
    assert_eq!(bench.json(TAG, &json!({ "objectID": 0, "ids": [9], "add_names": ["x"] })).status, 404, "no such contact");
    assert_eq!(bench.json("POST /1/Tags", &json!({ "tag_name": "VIP" })).json()["data"]["tag_id"], "2");
    assert_eq!(bench.twin.control.count("duplicate_tags"), 1);
}

#[test]
fn pages_hold_at_most_fifty_whatever_is_asked() {
    let bench = Bench::unlimited();
    use crm_twins::core::Vendor;
    bench.twin.control.vendor.add_tags(&(0..120).map(|n| format!("Tag {n:03}")).collect::<Vec<_>>());
    let sizes: Vec<usize> = [0, 50, 100, 150]
        .iter()
        .map(|start| bench.get(&format!("/1/Tags?start={start}&range=500")).json()["data"].as_array().map_or(0, Vec::len))
        .collect();
    assert_eq!(sizes, [50, 50, 20, 0]);
    let condition = r#"[{"field":{"field":"tag_name"},"op":"=","value":{"value":"Tag 077"}}]"#;
    let condition: String = url::form_urlencoded::byte_serialize(condition.as_bytes()).collect();
    let rows = bench.get(&format!("/1/Tags?condition={condition}")).json();
    assert_eq!(rows["data"], json!([{ "tag_id": "78", "tag_name": "Tag 077", "object_type_id": "0" }]));
}

#[test]
fn a_lookup_of_no_one_is_404() {
    let bench = Bench::unlimited();
    assert_eq!(bench.get("/1/object/getByEmail?objectID=0&email=no%40one.co").status, 404);
    assert_eq!(bench.get("/1/Contact?id=3").status, 404);
    assert_eq!(bench.get("/1/nowhere").status, 404);
}

#[test]
fn a_re_subscription_is_counted_and_an_opt_out_survives_a_polite_save() {
    let bench = Bench::unlimited();
    use crm_twins::core::Vendor;
    bench.save(&json!({ "email": "a@b.co" }));
    assert!(bench.twin.control.vendor.opt_out("A@B.co"));
    bench.save(&json!({ "email": "a@b.co", "firstname": "Ann" }));
    assert_eq!((bench.fields(0)["opted_out"].clone(), bench.twin.control.count("resubscribed")), (json!(true), 0));
    bench.save(&json!({ "email": "a@b.co", "bulk_mail": 1 }));
    assert_eq!((bench.fields(0)["opted_out"].clone(), bench.twin.control.count("resubscribed")), (json!(false), 1));
}

#[test]
fn the_limit_is_told_on_every_answer_and_kept() {
    let bench = Bench::new(Some(Allowance::per_minute(3)));
    for left in ["2", "1", "0"] {
        let answer = bench.get("/1/objects/getInfo?objectID=0");
        assert_eq!((answer.status, answer.header("X-Rate-Limit-Limit"), answer.header("X-Rate-Limit-Remaining")), (200, "3", left));
    }
    let refused = bench.get("/1/objects/getInfo?objectID=0");
    assert_eq!((refused.status, refused.header("X-Rate-Limit-Remaining")), (429, "0"));
    assert!(refused.header("X-Rate-Limit-Reset").parse::<u64>().is_ok_and(|s| (1..=60).contains(&s)));
    assert_eq!(bench.twin.control.count("rate_limited"), 1);
    bench.twin.control.set_allowance(None);
    assert_eq!(bench.get("/1/objects/getInfo?objectID=0").status, 200);
}

#[test]
fn a_fault_before_the_effect_leaves_nothing_and_one_after_leaves_everything() {
    let bench = Bench::unlimited();
    let down = || Fault::Status { code: 503, body: "down".into(), headers: [("retry-after".to_owned(), "2".to_owned())].into() };
    bench.fault(SAVE, 1, When::Before, down());
    let answer = bench.save(&json!({ "email": "a@b.co" }));
    assert_eq!((answer.status, answer.text.as_str(), answer.header("retry-after")), (503, "down", "2"));
    assert_eq!(bench.twin.control.count("contacts"), 0);
    bench.fault(SAVE, 1, When::After, down());
    assert_eq!(bench.save(&json!({ "email": "a@b.co" })).status, 503);
    assert_eq!(bench.twin.control.count("contacts"), 1);
    let log = bench.twin.control.log(0, 10);
    assert_eq!(
        log.iter().map(|e| (e.ok, e.applied, e.subject.as_ref())).collect::<Vec<_>>(),
        [(false, false, "a@b.co"), (false, true, "a@b.co")]
    );
}

#[test]
fn a_cut_connection_is_an_error_to_the_client_with_or_without_a_head() {
    let bench = Bench::unlimited();
    let body = json!({ "objectID": 0, "email": "a@b.co" }).to_string();
    for fault in [Fault::Cut, Fault::CutMidway] {
        bench.fault(SAVE, 1, When::After, fault.clone());
        assert!(bench.send(SAVE, Some(&body), "application/json").is_err(), "{fault:?}");
        assert_eq!(bench.send(SAVE, Some(&body), "application/json").expect("answered").status, 200);
    }
    let statuses: Vec<u16> = bench.twin.control.log(0, 10).iter().map(|e| e.status).collect();
    assert_eq!(statuses, [0, 200, 200, 200]);
    assert_eq!(bench.twin.control.log(0, 10).iter().filter(|e| e.ok).count(), 2);
}

#[test]
fn garbage_and_delay_do_as_told() {
    let bench = Bench::unlimited();
    bench.fault("*", 1, When::Before, Fault::Garbage);
    let answer = bench.get("/1/objects/getInfo?objectID=0");
    assert_eq!((answer.status, answer.json()), (200, Value::Null));
    bench.fault("*", 1, When::Before, Fault::DelayMs(20));
    let before = std::time::Instant::now();
    assert_eq!(bench.get("/1/objects/getInfo?objectID=0").json()["code"], 0);
    assert!(before.elapsed() >= std::time::Duration::from_millis(20));
}

#[test]
fn another_process_can_steer_and_judge_it() {
    let bench = Bench::unlimited();
    let control = |endpoint: &str, body: Option<Value>| {
        bench.try_send(endpoint, body.map(|b| b.to_string()).as_deref(), "application/json", &[]).expect("answered")
    };
    assert_eq!(control("POST /_twin/tags", Some(json!({ "names": ["VIP"] }))).status, 204);
    let script = json!({ "seed": 1, "rules": [{ "endpoint": TAG, "nth": [1], "fault": { "status": { "code": 500 } } }] });
    assert_eq!(control("POST /_twin/faults", Some(script)).status, 204);
    let attach = json!({ "objectID": 0, "ids": [1], "add_names": ["VIP"] });
    bench.save(&json!({ "email": "a@b.co" }));
    assert_eq!(bench.json(TAG, &attach).status, 500);
    assert_eq!(control("POST /_twin/mark?name=kill", None).json()["at"], 2);
    bench.save(&json!({ "email": "a@b.co" }));
    assert_eq!(bench.json(TAG, &attach).status, 200);
    let verdict = control("GET /_twin/verdict?mark=kill", None).json();
    let expected =
        json!({ "saves_resent_after_tag_failure": 1, "calls_resent_after_mark": 1, "answered_before_mark": 1, "tag_failures": 1 });
    assert_eq!(verdict, expected);
    let state = control("GET /_twin/state", None).json();
    assert_eq!((&state["calls"][SAVE], &state["calls"][TAG], &state["tags"]), (&json!(2), &json!(2), &json!(1)));
    assert_eq!(control("GET /_twin/log?since=2", None).json()["entries"].as_array().map(Vec::len), Some(2));
    assert_eq!(control("GET /_twin/contacts?limit=5", None).json()["contacts"][0]["tags"], json!(["VIP"]));
    assert_eq!(control("POST /_twin/opt-out?email=a@b.co", None).status, 204);
    assert_eq!(control("POST /_twin/remove?email=a@b.co", None).status, 204);
    assert_eq!(control("POST /_twin/opt-out?email=a@b.co", None).status, 404);
    assert_eq!(control("POST /_twin/limit", Some(json!({ "requests": 1, "span_ms": 60000 }))).status, 204);
    assert_eq!(control("POST /_twin/reset", None).status, 204);
    assert_eq!(bench.twin.control.count("calls_total"), 0);
}
