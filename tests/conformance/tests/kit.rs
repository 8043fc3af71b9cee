//! The author's commands, as an author meets them: the program is run, and what it prints is read.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crm_test_support::{TwinOptions, TwinProcess, connector, host_bin};
use serde_json::{Value, json};

const APP_ID: &str = "2_12345_Q7wErTyUi";
const API_KEY: &str = "pLx9-_Zt4mNqVb2W";
const API_KEY_BASE64: &str = "cEx4OS1fWnQ0bU5xVmIyVw";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn component() -> PathBuf {
    connector("ontraport").unwrap_or_else(|error| panic!("{error:#}"))
}

fn host() -> Command {
    let mut command = Command::new(host_bin().unwrap_or_else(|error| panic!("{error:#}")));
    command.arg("connector");
    command
}

fn run(command: &mut Command) -> (Output, String, String) {
    let output = command.output().expect("runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    (output, out, err)
}

fn check(fixtures: &Path) -> (Output, String, String) {
    run(host().arg("check").arg(component()).arg("--fixtures").arg(fixtures))
}

/// The fixtures of the connector, to be spoiled.
fn copied(to: &Path) -> PathBuf {
    let fixtures = to.join("fixtures");
    std::fs::create_dir(&fixtures).expect("made");
    for entry in std::fs::read_dir(root().join("connectors/ontraport/fixtures")).expect("fixtures") {
        let file = entry.expect("a file").path();
        std::fs::copy(&file, fixtures.join(file.file_name().expect("named"))).expect("copied");
    }
    fixtures
}

#[test]
fn a_good_connector_ends_with_its_line_and_says_nothing_else() {
    let (output, out, err) = check(&root().join("connectors/ontraport/fixtures"));
    assert!(output.status.success(), "{out}{err}");
    let [line] = out.lines().collect::<Vec<_>>()[..] else { panic!("{out}") };
    let words: Vec<&str> = line.split(' ').collect();
    assert!(matches!(words[..], ["ok", "ontraport", _, _, "waived", _, "kB"]), "{line}");
    let (passed, asked) = words[2].split_once('/').expect("passed/scenarios");
    assert_eq!(passed, asked);
    assert!(!err.contains("INFO"), "{err}");
}

#[test]
fn a_failure_names_file_line_place_and_rule() {
    let dir = tempfile::tempdir().expect("made");
    let fixtures = copied(dir.path());
    let file = fixtures.join("sync-new.json");
    let text = std::fs::read_to_string(&file).expect("read");
    let spoilt =
        text.replace(r#""firstname": "Ann", "lastname": "Lee", "objectID""#, r#""firstname": "Ann", "lastname": "Leo", "objectID""#);
    let line = text.lines().position(|line| line.contains(r#""lastname": "Lee", "objectID""#)).expect("a line") + 1;
    std::fs::write(&file, &spoilt).expect("written");
    std::fs::write(fixtures.join("verify-ok.json"), "{\n  \"scenario\": 7\n}\n").expect("written");
    for entry in std::fs::read_dir(&fixtures).expect("listed") {
        let file = entry.expect("a file").path();
        if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("untag")) {
            std::fs::remove_file(file).expect("removed");
        }
    }
    let (output, out, _) = check(&fixtures);
    assert!(!output.status.success());
    let wanted = format!("sync-new.json:{line}: sync-new [S1 S14] /exchanges/0/request/body/lastname: ");
    assert!(out.contains(&wanted), "{wanted}\n{out}");
    assert!(out.contains("\"Lee\" instead of \"Leo\""), "{out}");
    assert!(out.contains("verify-ok.json:2: verify-ok [S37]: "), "{out}");
    assert!(out.contains("untag [S37]: no fixture"), "{out}");
    assert!(out.contains("\n  S14: It MUST add every tag"), "{out}");
    assert!(out.lines().last().is_some_and(|line| line.starts_with("FAILED ontraport ")), "{out}");
}

#[test]
fn inspect_shows_every_power_in_both_forms() {
    let (output, out, err) = run(host().arg("inspect").arg(component()));
    assert!(output.status.success(), "{err}");
    for part in ["digest ", "WIT ", "imports ", "endpoint    api  https://", "writes /email", "limit ", "credential  api_key"] {
        assert!(out.contains(part), "{part}\n{out}");
    }
    let (_, out, _) = run(host().arg("inspect").arg(component()).arg("--json"));
    let value: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((value["slug"].as_str(), value["wit"].as_str()), (Some("ontraport"), Some("0.1.0")));
    assert_eq!(value["digest"].as_str().map(str::len), Some(64));
    for key in ["imports", "endpoints", "calls", "writes", "limits", "credentials"] {
        assert!(value[key].as_array().is_some_and(|list| !list.is_empty()), "{key}");
    }
}

#[test]
fn what_is_no_connector_is_not_packed_and_the_reason_helps() {
    let dir = tempfile::tempdir().expect("made");
    let manifest = root().join("connectors/ontraport/connector.toml");
    let pack = |file: &str, bytes: &[u8], manifest: &Path| {
        let path = dir.path().join(file);
        std::fs::write(&path, bytes).expect("written");
        let (output, _, err) =
            run(host().arg("pack").arg(&path).arg("--manifest").arg(manifest).arg("-o").arg(dir.path().join("out.wasm")));
        assert!(!output.status.success() && !dir.path().join("out.wasm").exists());
        err
    };
    assert!(pack("text.wasm", b"hello", &manifest).contains("no WebAssembly file"));
    let empty = pack("empty.wasm", b"\0asm\x01\0\0\0", &manifest);
    assert!(empty.contains("empty.wasm") && empty.contains("crm_connector_sdk::export!"), "{empty}");
    let bad = dir.path().join("connector.toml");
    let text = std::fs::read_to_string(&manifest).expect("read").replacen("effect = \"read\"", "effect = \"reed\"", 1);
    let line = text.lines().position(|line| line.contains("reed")).expect("a line") + 1;
    std::fs::write(&bad, text).expect("written");
    let said = pack("empty.wasm", b"\0asm\x01\0\0\0", &bad);
    assert!(said.contains(&format!("connector.toml:{line}: ")) && said.contains("allowed: `read`"), "{said}");
}

#[test]
fn a_packed_file_carries_its_fixtures_and_is_checked_with_them() {
    let dir = tempfile::tempdir().expect("made");
    let fixtures = copied(dir.path());
    let manifest = dir.path().join("connector.toml");
    std::fs::copy(root().join("connectors/ontraport/connector.toml"), &manifest).expect("copied");
    let pack = |name: &str, more: &[&Path]| {
        let file = dir.path().join(name);
        let (output, out, err) = run(host().arg("pack").arg(component()).arg("--manifest").arg(&manifest).args(more).arg("-o").arg(&file));
        assert!(output.status.success(), "{out}{err}");
        (file, out, err)
    };
    // Those beside the manifest, unless others are named; the same bytes each time.
    let (file, out, _) = pack("once.wasm", &[]);
    let (again, ..) = pack("again.wasm", &[Path::new("--fixtures"), &fixtures]);
    let there = std::fs::read_dir(&fixtures).expect("listed").count();
    assert!(out.contains(&format!("{there} fixtures in ")), "{out}");
    assert_eq!(std::fs::read(&file).expect("read"), std::fs::read(again).expect("read"));
    let (output, out, err) = run(host().arg("check").arg(&file));
    assert!(output.status.success(), "{out}{err}");
    assert!(out.starts_with(&format!("ok ontraport {there}/")), "{out}");
    let (_, out, _) = run(host().arg("inspect").arg(&file));
    assert!(out.contains(&format!("fixtures    {there}, ")), "{out}");
    let (_, out, _) = run(host().arg("inspect").arg(&file).arg("--json"));
    assert_eq!(serde_json::from_str::<Value>(&out).expect("JSON")["fixtures"], there);
    // One that is spoiled is found in the file itself; without any there is nothing to check, and both commands say so.
    let text = std::fs::read_to_string(fixtures.join("verify-ok.json")).expect("read");
    std::fs::write(fixtures.join("verify-ok.json"), text.replacen("\"function\": \"verify\"", "\"function\": \"vanish\"", 1))
        .expect("written");
    let (spoiled, ..) = pack("spoiled.wasm", &[]);
    let (output, out, _) = run(host().arg("check").arg(spoiled));
    assert!(!output.status.success() && out.contains("fixtures/verify-ok.json:"), "{out}");
    std::fs::remove_dir_all(&fixtures).expect("removed");
    let (bare, _, err) = pack("bare.wasm", &[]);
    assert!(err.contains("packs no fixtures"), "{err}");
    let (output, _, err) = run(host().arg("check").arg(&bare));
    assert!(!output.status.success() && err.contains("packs no fixtures: name their folder"), "{err}");
    let (_, out, _) = run(host().arg("inspect").arg(&bare));
    assert!(out.contains("fixtures    none"), "{out}");
}

/// A twin, a credentials file, and a folder.
struct Bench {
    dir: tempfile::TempDir,
    twin: TwinProcess,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("made");
        let flags = [format!("--credential=app_id={APP_ID}"), format!("--credential=api_key={API_KEY}")];
        let twin = TwinProcess::start("ontraport", &TwinOptions { flags: flags.to_vec() }, &dir.path().join("twin.log"));
        let bench = Self { twin: twin.unwrap_or_else(|error| panic!("{error:#}")), dir };
        bench.file("credentials.json", &json!({ "app_id": APP_ID, "api_key": API_KEY }));
        bench
    }

    fn file(&self, name: &str, value: &Value) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, value.to_string()).expect("written");
        path
    }

    fn attempt(&self, function: &str, input: &Value, more: &[&str]) -> (Output, String, String) {
        let input = self.file("input.json", input);
        let mut command = host();
        command
            .arg("try")
            .arg(component())
            .args(["--function", function])
            .arg("--credentials")
            .arg(self.dir.path().join("credentials.json"));
        command.arg("--input").arg(input).args(["--dev-endpoint", &format!("api={}", self.twin.api_url)]).args(more);
        run(&mut command)
    }
}

fn lines(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn maria() -> Value {
    json!({ "job": {
        "who": { "email": "Maria.Garcia@shop.test", "first": "Maria", "last": "Garcia" },
        "set": ["Rekomi affiliate"], "all": ["Rekomi affiliate"],
    } })
}

/// As text and hexadecimal.
fn spellings(secret: &str) -> Vec<String> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    vec![secret.to_owned(), hex.to_uppercase(), hex]
}

#[test]
fn a_try_prints_each_call_and_the_result_and_no_secret() {
    let bench = Bench::new();
    let (output, out, err) = bench.attempt("sync-contact", &maria(), &[]);
    assert!(output.status.success(), "{out}{err}");
    let lines = lines(&out);
    let calls: Vec<&str> = lines.iter().filter_map(|line| line["call"].as_str()).collect();
    assert_eq!(calls, ["save", "tag"]);
    assert_eq!(lines[0]["headers"]["api-key"], "{secret:api_key}");
    assert_eq!((lines[0]["status"].as_u64(), lines[0]["method"].as_str()), (Some(200), Some("POST")));
    assert!(lines[0]["url"].as_str().is_some_and(|url| url.starts_with(&bench.twin.api_url)) && lines[0]["ms"].is_u64());
    assert_eq!(lines[2]["result"]["done"]["change"], "created");
    for spelled in spellings(API_KEY).into_iter().chain(spellings(APP_ID)).chain([API_KEY_BASE64.to_owned()]) {
        assert!(!out.contains(&spelled) && !err.contains(&spelled), "{spelled}");
    }
}

#[test]
fn a_try_that_fails_says_so_and_a_wrong_form_is_refused_before_anything_leaves() {
    let bench = Bench::new();
    bench.file("credentials.json", &json!({ "app_id": APP_ID, "api_key": "another-key-0123" }));
    let (output, out, _) = bench.attempt("verify", &json!({}), &[]);
    assert!(!output.status.success());
    assert!(lines(&out).last().is_some_and(|line| line["result"]["error"]["credentials"]["trouble"] == "invalid"), "{out}");
    bench.file("credentials.json", &json!({ "app_id": APP_ID }));
    let (output, out, err) = bench.attempt("verify", &json!({}), &[]);
    assert!(!output.status.success() && out.is_empty() && err.contains("credentials.api_key"), "{out}{err}");
    bench.file("credentials.json", &json!({ "app_id": APP_ID, "api_kee": API_KEY }));
    let (_, _, err) = bench.attempt("verify", &json!({}), &[]);
    assert!(err.contains("\"api_kee\"") && !err.contains(API_KEY), "{err}");
}

#[test]
fn a_recorded_run_passes_and_names_nobody() {
    let bench = Bench::new();
    let fixtures = bench.dir.path().join("recorded");
    let record = ["--record", fixtures.to_str().expect("text")];
    let (output, out, err) = bench.attempt("sync-contact", &maria(), &record);
    assert!(output.status.success(), "{out}{err}");
    let file = fixtures.join("sync-new.recorded.json");
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{error}: {err}"));
    for real in ["Maria", "Garcia", "shop.test"] {
        assert!(!text.contains(real), "{real}\n{text}");
    }
    let fixture: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(fixture["exchanges"][0]["request"]["body"]["email"], "ann@example.com");
    assert_eq!(fixture["exchanges"][0]["request"]["path"], "/1/objects/saveorupdate");
    assert_eq!(fixture["provenance"]["kind"], "recorded");
    // A second recording takes another name: what an author has edited is never lost.
    bench.attempt("sync-contact", &maria(), &record);
    assert!(fixtures.join("sync-existing.recorded.json").exists());
    bench.attempt("sync-contact", &maria(), &record);
    assert!(fixtures.join("sync-existing.recorded-2.json").exists());
    let (_, out, _) = check(&fixtures);
    assert!(!out.contains(".recorded"), "a recorded fixture fails:\n{out}");
    assert!(out.contains("FAILED ontraport 3/"), "the other scenarios are missing:\n{out}");
}

#[test]
fn a_recording_that_would_hold_a_secret_is_refused() {
    let bench = Bench::new();
    let fixtures = bench.dir.path().join("recorded");
    let record = ["--record", fixtures.to_str().expect("text")];
    // In the clear, and in other spellings as a part of something else.
    for tag in [API_KEY.to_owned(), format!("key-{}", spellings(API_KEY)[2]), format!("key {API_KEY_BASE64}")] {
        let mut input = maria();
        input["job"]["set"] = json!([tag]);
        let (output, out, err) = bench.attempt("sync-contact", &input, &record);
        assert!(!output.status.success() && err.contains("would hold a secret"), "{err}");
        assert!(!out.contains(&tag) && !err.contains(&tag), "{out}{err}");
    }
    assert!(!fixtures.exists() || std::fs::read_dir(&fixtures).expect("listed").next().is_none());
}
