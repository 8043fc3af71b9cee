//! The table of bad files: how each is made, which check says no, and what the person who sent it reads. Whatever is sent in, the version
//! that was active answers as before and nothing of the file stays; the same file a second time fares no better.

mod common;

use std::sync::Arc;

use common::made::{MISTYPED, PAGE, custom, repeat, slow_to_compile, whole};
use common::{call, config, engine, report};
use crm_catalog::section::{FIXTURES_SECTION, MANIFEST_SECTION, PackedFixture, WIT_SECTION, embed, embed_fixtures};
use crm_conformance::Proving;
use crm_contract::ports::{Digest, Guests};
use crm_contract::versions::{ProofStage, Versions};
use crm_engine::Engine;
use crm_guests::doubles::{World, sync};
use crm_guests::files::{component, connector, embed as embed_file, embed_as, wat};
use serde_json::{Value, json};

/// What is wrong with it, the file, who notices, and words of the reason.
type Row = (&'static str, Vec<u8>, ProofStage, &'static [&'static str]);

fn fixture(name: &str, behave: &str, expect: &Value) -> PackedFixture {
    let text = json!({
        "scenario": name.split('.').next(),
        "function": "sync-contact",
        "input": { "job": { "on": { "settings": [{ "key": "behave", "value": behave }] } } },
        "expect": expect,
        "provenance": { "kind": "recorded", "date": "2026-11-23" },
    });
    PackedFixture { name: name.to_owned(), text: serde_json::to_string_pretty(&text).unwrap_or_else(|e| panic!("{e}")) }
}

/// What the guest `hostile` reports when it is left in peace.
fn peace() -> Value {
    json!({ "known": { "tags": [] }, "done": { "change": "unchanged", "standing": "normal", "warnings": [] } })
}

fn good() -> PackedFixture {
    fixture("sync-existing.json", "nothing", &peace())
}

/// The guest `hostile` with these fixtures.
fn packing(fixtures: &[PackedFixture]) -> Vec<u8> {
    embed_fixtures(&crm_guests::guest("hostile"), fixtures).unwrap_or_else(|e| panic!("{e}"))
}

/// With one good fixture, and one during which the guest behaves so.
fn misbehaving(behave: &str) -> Vec<u8> {
    packing(&[good(), fixture("sync-new.json", behave, &peace())])
}

/// A file whose section of fixtures holds these very bytes.
fn holding(packed: &[u8]) -> Vec<u8> {
    [connector(""), custom(FIXTURES_SECTION, packed)].concat()
}

/// A zlib stream of stored blocks, made by hand, so that no limit of the packer stands in the way.
fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let mut rest = bytes.chunks(0xffff).peekable();
    while let Some(chunk) = rest.next() {
        let length = u16::try_from(chunk.len()).unwrap_or(u16::MAX);
        out.push(u8::from(rest.peek().is_none()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(chunk);
    }
    let (mut a, mut b) = (1u32, 0u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    out.extend((b << 16 | a).to_be_bytes());
    out
}

/// Five megabytes of nothing in five kilobytes: one stored zero, then copies of it by the longest match, which is one bit and no distance.
fn bomb() -> Vec<u8> {
    let mut bits = Bits::default();
    // One last block with fixed codes: literal 0, then length 258 at distance 1, over and over.
    bits.put(0b011, 3);
    bits.code(0x30, 8);
    for _ in 0..(5 << 20) / 258 {
        bits.code(0b1100_0101, 8);
        bits.code(0, 5);
    }
    bits.code(0, 7);
    [vec![0x78, 0x01], bits.bytes, vec![0; 4]].concat()
}

/// Bits as DEFLATE packs them: from the lowest up, and codes from their highest.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: usize,
}

impl Bits {
    fn put(&mut self, value: u32, count: usize) {
        for at in 0..count {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= u8::from(value >> at & 1 == 1) << (self.used % 8);
            }
            self.used += 1;
        }
    }

    fn code(&mut self, value: u32, count: usize) {
        (0..count).rev().for_each(|at| self.put(value >> at & 1, 1));
    }
}

/// The first place of `find` in a file becomes `put`.
fn changed(mut file: Vec<u8>, find: &[u8], put: &[u8]) -> Vec<u8> {
    let at = file.windows(find.len()).position(|window| window == find).unwrap_or_else(|| panic!("{find:?} is not there"));
    file[at..at + put.len()].copy_from_slice(put);
    file
}

fn forms() -> Vec<Row> {
    use ProofStage::{Manifest, Section, Size, Structure, WitVersion};
    let (whole, bare) = (connector(""), component(PAGE, ""));
    let manifest = crm_guests::manifest("hostile").unwrap_or_else(|e| panic!("{e:#}"));
    let manifest_section = custom(MANIFEST_SECTION, manifest.as_bytes());
    let with_manifest = |text: &str| embed(&bare, text, "0.1.0").unwrap_or_else(|e| panic!("{e}"));
    let mistakes = manifest.replace("effect = \"read\"", "effect = \"none\"").replace("method = \"GET\"", "method = \"FETCH\"");
    let adds = connector("(func (result i32) i32.const 7 drop i32.const 1)");
    vec![
        ("nothing", vec![], Structure, &["not WebAssembly"]),
        ("text", b"#!/bin/sh\nexit 0\n".to_vec(), Structure, &["not WebAssembly"]),
        ("a core module", wat("(module)"), Structure, &["core module", "cargo xtask build"]),
        ("cut in its first word", whole[..6].to_vec(), Structure, &["not WebAssembly"]),
        ("cut in half", whole[..whole.len() / 2].to_vec(), Section, &["cut off or damaged at byte"]),
        ("one byte short", whole[..whole.len() - 1].to_vec(), Section, &["cut off or damaged at byte"]),
        ("a tail of garbage", [whole.as_slice(), &[0xff; 9]].concat(), Section, &["cut off or damaged at byte"]),
        ("a byte of code that is no instruction", changed(adds, &[0x41, 7, 0x1a], &[0x41, 7, 0xff]), Structure, &["damaged or cut off"]),
        ("five megabytes", [bare.clone(), custom("pad", &vec![0; 5 << 20])].concat(), Size, &["bytes; a connector has at most 4194304"]),
        ("no manifest", bare.clone(), Section, &["holds no section"]),
        ("two manifests", [whole.clone(), manifest_section.clone()].concat(), Section, &[MANIFEST_SECTION, "more than once"]),
        (
            "a manifest that is no text",
            [bare.clone(), custom(MANIFEST_SECTION, &[0xff]), custom(WIT_SECTION, b"0.1.0")].concat(),
            Section,
            &["no UTF-8"],
        ),
        ("a manifest with two mistakes", with_manifest(&mistakes), Manifest, &["connector.toml:", "`effect`", "`method`"]),
        ("another contract version", embed_as(&bare, "0.2.0"), WitVersion, &["0.2.0", "speaks 0.1.0"]),
        (
            "a contract version that is none",
            [bare, manifest_section, custom(WIT_SECTION, b"latest")].concat(),
            Section,
            &["`latest` is no WIT version"],
        ),
    ]
}

fn powers() -> Vec<Row> {
    use ProofStage::{Exports, Imports};
    let import = |text: &str| whole(&format!("(component {text} {MISTYPED})"));
    let without_untag = MISTYPED.replace("(export \"untag-contact\" (func $f))", "");
    vec![
        ("WASI", import("(import \"wasi:clocks/wall-clock@0.2.0\" (instance))"), Imports, &["wasi:clocks/wall-clock", "operator allows"]),
        ("wasi:http", import("(import \"wasi:http/outgoing-handler@0.2.0\" (instance))"), Imports, &["wasi:http", "way to the network"]),
        ("a socket", import("(import \"wasi:sockets/tcp@0.2.0\" (instance))"), Imports, &["wasi:sockets/tcp", "way to the network"]),
        ("an interface of its own", import("(import \"acme:tools/shell@1.0.0\" (instance))"), Imports, &["acme:tools/shell"]),
        ("a foreign function", import("(import \"exec\" (func))"), Imports, &["`exec`", "no part of the contract"]),
        (
            "an import of a wrong type",
            import("(import \"rekomi:crm-connector/log@0.1.0\" (instance (export \"line\" (func))))"),
            Imports,
            &["imports do not fit the contract"],
        ),
        ("exports of a wrong type", import(""), Exports, &["exports do not fit the contract"]),
        ("an export missing", whole(&format!("(component {without_untag})")), Exports, &["does not export `untag-contact`"]),
    ]
}

fn bombs() -> Vec<Row> {
    use ProofStage::{Compile, Instantiate, Structure};
    let branch = |n: usize| format!("(func (block (br_table {} 0 (i32.const 1))))", repeat("0 ", n));
    let adds = connector("(func (result i32) i32.const 7 drop i32.const 1)");
    let locals = format!("(func (local {}) {})", repeat("i32 ", 49_000), repeat("(block (local.set 7 (local.get 9)))", 5_000));
    let greedy = "(start $s) (func $s (if (i32.eq (memory.grow (i32.const 4096)) (i32.const -1)) (then unreachable)))";
    vec![
        ("locals and blocks", connector(&locals), Structure, &["49000 locals; at most 500"]),
        ("a wide br_table", connector(&branch(5_000)), Structure, &["br_table with 5000 targets"]),
        ("many br_tables", connector(&repeat(&branch(1_000), 70)), Structure, &["br_table targets in all"]),
        ("a huge function", connector(&format!("(func {})", repeat("nop ", 70_000))), Structure, &["function body of 700"]),
        ("20,001 functions", connector(&repeat("(func)", 20_001)), Structure, &["functions; at most 20000"]),
        ("within every limit and slow to compile", slow_to_compile(), Compile, &["compiling it"]),
        ("a body that is no program", changed(adds, &[0x41, 7, 0x1a], &[0x41, 7, 0x6a]), Compile, &["invalid"]),
        (
            "a memory that starts too large",
            embed_file(&component("(memory (export \"memory\") 1025)", "")),
            Structure,
            &["a memory that starts"],
        ),
        ("a table that starts too large", connector("(table 10001 funcref)"), Structure, &["a table that starts"]),
        ("memory wanted at its start", connector(greedy), Instantiate, &["self-test", "67108864 bytes"]),
        ("a loop at its start", connector("(start $s) (func $s (loop (br 0)))"), Instantiate, &["self-test", "CPU"]),
        ("a trap at its start", connector("(start $s) (func $s unreachable)"), Instantiate, &["self-test", "panicked"]),
        ("depth at its start", connector("(start $s) (func $s (call $s))"), Instantiate, &["self-test", "too deeply"]),
    ]
}

fn fixtures() -> Vec<Row> {
    use ProofStage::{Section, Smoke};
    let named = |name: &str, text: &str| PackedFixture { name: name.into(), text: text.into() };
    let wrong = json!({ "known": { "tags": ["Vip"] }, "done": { "change": "created", "standing": "normal", "warnings": [] } });
    let escaping = zlib(br#"[{"name": "../../evil.json", "text": "{}"}]"#);
    vec![
        ("a bomb for fixtures", holding(&bomb()), Section, &["more than 4194304 bytes", "pack fewer"]),
        ("fixtures that are not compressed", holding(b"[]"), Section, &["no whole zlib stream"]),
        ("fixtures that are no list", holding(&zlib(b"{\"sync-new\": 1}")), Section, &["no list of fixtures"]),
        ("a fixture whose name leads elsewhere", holding(&escaping), Section, &["../../evil.json", "no name of a fixture"]),
        ("a section of fixtures too large", holding(&vec![0; 300 << 10]), Section, &[FIXTURES_SECTION, "at most 262144"]),
        ("two sections of fixtures", [packing(&[good()]), custom(FIXTURES_SECTION, b"")].concat(), Section, &["more than once"]),
        (
            "a fixture that is no JSON",
            packing(&[good(), named("sync-new.json", "{\n  nope")]),
            Smoke,
            &["fixtures/sync-new.json:2", "fails 1 of"],
        ),
        ("a fixture of another scenario", packing(&[named("untag.json", &good().text)]), Smoke, &["fixtures/untag.json", "sync-existing"]),
        (
            "a fixture that fails",
            packing(&[good(), fixture("sync-new.json", "nothing", &wrong)]),
            Smoke,
            &["packs 2 fixtures", "fixtures/sync-new.json:", "[S1 S14]", "/expect/", "instead of"],
        ),
        ("a loop in a fixture", misbehaving("loop"), Smoke, &["fixtures/sync-new.json", "stopped", "CPU"]),
        ("a panic in a fixture", misbehaving("panic"), Smoke, &["[S28]", "stopped", "panicked"]),
        ("a wild pointer in a fixture", misbehaving("out-of-bounds"), Smoke, &["[S28]", "out of bounds"]),
        ("memory wanted in a fixture", misbehaving("allocate"), Smoke, &["stopped", "67108864 bytes"]),
        ("calls without end in a fixture", misbehaving("many-calls"), Smoke, &["stopped", "32"]),
        ("an answer too large in a fixture", misbehaving("giant-answer-over-fuel"), Smoke, &["stopped", "8388608 bytes"]),
        ("a call that it never declared", misbehaving("undeclared-call"), Smoke, &["delete-everything"]),
        ("a call that no fixture expects", misbehaving("wait"), Smoke, &["the guest made the call \"find\""]),
    ]
}

struct Host {
    engine: Arc<Engine>,
    versions: Proving,
    active: Digest,
}

impl Host {
    /// Serves one version of the connector that the bad files claim to be.
    async fn serving() -> Self {
        let engine = engine(config());
        let versions = Proving::over(engine.clone()).unwrap_or_else(|e| panic!("{e:#}"));
        let proved = versions.prove(packing(&[good()])).await.unwrap_or_else(|e| panic!("{e}"));
        assert!(versions.activate(&proved.digest));
        Self { engine, versions, active: proved.digest }
    }

    /// Nothing but the active version is loaded, and it works.
    async fn is_as_before(&self, after: &str) {
        let loaded: Vec<Digest> = self.engine.loaded().into_iter().map(|(digest, _)| digest).collect();
        assert_eq!(loaded, std::slice::from_ref(&self.active), "after {after}");
        assert_eq!(self.engine.active("hostile").map(|(digest, _)| digest), Some(self.active.clone()), "after {after}");
        report(call(&self.engine, &self.active, sync("nothing"), World::refuses()).await);
    }
}

#[tokio::test]
async fn every_bad_file_is_refused_by_the_right_check_with_its_reason_and_changes_nothing() {
    let host = Host::serving().await;
    let rows: Vec<Row> = [forms(), powers(), bombs(), fixtures()].into_iter().flatten().collect();
    assert!(rows.len() >= 50);
    let mut wrong = Vec::new();
    for (name, file, stage, words) in rows {
        let digest = Digest(blake3::hash(&file).to_hex().to_string());
        for time in ["first", "second"] {
            match host.versions.prove(file.clone()).await {
                Ok(_) => wrong.push(format!("{name}: was taken the {time} time")),
                Err(refused) => {
                    let told = words.iter().all(|word| refused.why.contains(word));
                    if refused.stage != stage || !told || refused.why.len() > 4_000 {
                        wrong.push(format!("{name}, the {time} time: {} not {stage}, {words:?}: {}", refused.stage, refused.why));
                    }
                }
            }
            assert_eq!(host.engine.manifest(&digest), None, "{name} stayed");
            host.is_as_before(name).await;
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A download that broke off, wherever it did.
#[tokio::test]
async fn a_file_cut_anywhere_is_refused_before_anything_dear() {
    let host = Host::serving().await;
    let file = packing(&[good()]);
    for length in (0..file.len()).step_by(997).chain([7, 8, 9, file.len() - 1]) {
        let refused = host.versions.prove(file[..length].to_vec()).await.expect_err("a part");
        assert!(matches!(refused.stage, ProofStage::Structure | ProofStage::Section), "{length}: {} {}", refused.stage, refused.why);
        assert!(!refused.hosts_fault);
    }
    host.is_as_before("every cut").await;
}
