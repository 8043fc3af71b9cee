//! Files that would hurt a host that trusted them: compile bombs and files that are broken or foreign. Each is refused
//! for its own reason, in a child process where it comes to compiling, and the active version is untouched.

mod common;

use common::made::{MISTYPED, PAGE, custom, each, repeat, slow_to_compile, whole};
use common::{call, config, engine, load, report};
use crm_contract::ports::{GuestFault, Guests};
use crm_engine::{CompileFault, LoadError, ScanFault};
use crm_guests::doubles::{World, sync};
use crm_guests::files::{component, connector, embed, embed_as, wat};

type Judge = fn(&LoadError) -> bool;
type Case = (&'static str, Vec<u8>, Judge);

macro_rules! is {
    ($pattern:pat $(if $guard:expr)?) => {
        |error: &LoadError| matches!(error, $pattern $(if $guard)?)
    };
}

fn bombs() -> Vec<Case> {
    let blocks = format!("(func (local {}) {})", repeat("i32 ", 49_000), repeat("(block (local.set 7 (local.get 9)))", 5_000));
    let branch = |n: usize| format!("(br_table {} 0 (i32.const 1))", repeat("0 ", n));
    let doubling = format!(
        "(component (component $c0 (core module $m) (core instance (instantiate $m))) {} (instance (instantiate $c14)) {MISTYPED})",
        each(14, |i| format!("(component $c{} (instance (instantiate $c{i})) (instance (instantiate $c{i})))", i + 1))
    );
    vec![
        ("49,000 locals and 5,000 blocks", connector(&blocks), is!(LoadError::Scan(ScanFault::TooManyLocals { .. }))),
        (
            "501 locals",
            connector(&format!("(func (local {}))", repeat("i64 ", 501))),
            is!(LoadError::Scan(ScanFault::TooManyLocals { found: 501, limit: 500 })),
        ),
        ("a huge function", connector(&format!("(func {})", repeat("nop ", 70_000))), is!(LoadError::Scan(ScanFault::HugeFunction { .. }))),
        (
            "a wide br_table",
            connector(&format!("(func (block {}))", branch(5_000))),
            is!(LoadError::Scan(ScanFault::WideBranch { found: 5_000, limit: 1_024 })),
        ),
        (
            "many br_tables",
            connector(&repeat(&format!("(func {})", repeat(&format!("(block {})", branch(1_000)), 10)), 8)),
            is!(LoadError::Scan(ScanFault::TooManyBranches { .. })),
        ),
        (
            "deep blocks",
            connector(&format!("(func {} {})", repeat("(block ", 600), repeat(")", 600))),
            is!(LoadError::Scan(ScanFault::DeepBlocks { .. })),
        ),
        ("too many functions", connector(&repeat("(func)", 20_001)), is!(LoadError::Scan(ScanFault::TooManyFunctions { .. }))),
        (
            "too many modules",
            whole(&format!("(component {})", repeat("(core module)", 17))),
            is!(LoadError::Scan(ScanFault::TooManyModules { found: 17, limit: 16 })),
        ),
        (
            "too many components",
            whole(&format!("(component {})", repeat("(component)", 17))),
            is!(LoadError::Scan(ScanFault::TooManyComponents { found: 17, limit: 16 })),
        ),
        (
            "deep components",
            whole(&format!("{} {}", repeat("(component ", 7), repeat(")", 7))),
            is!(LoadError::Scan(ScanFault::DeepComponents { found: 5, limit: 4 })),
        ),
        (
            "too many instances",
            whole(&format!("(component (core module $m) {})", repeat("(core instance (instantiate $m))", 65))),
            is!(LoadError::Scan(ScanFault::TooManyInstances { .. })),
        ),
        ("instances that double fourteen times", whole(&doubling), is!(LoadError::Compile(_) | LoadError::ImportShape(_))),
        (
            "too many types",
            connector(&each(20_001, |i| {
                format!("(type (func (param {})))", each(16, |b| if i >> b & 1 == 1 { "i32 ".into() } else { "i64 ".into() }))
            })),
            is!(LoadError::Scan(ScanFault::TooManyItems { what: "types", .. })),
        ),
        (
            "a wide function type",
            connector(&format!("(type (func (param {})))", repeat("i32 ", 101))),
            is!(LoadError::Scan(ScanFault::TooManyParams { found: 101, limit: 100 })),
        ),
        (
            "too many globals",
            connector(&repeat("(global i32 (i32.const 0))", 20_001)),
            is!(LoadError::Scan(ScanFault::TooManyItems { what: "globals", .. })),
        ),
        (
            "too many exports",
            connector(&format!("(func $x) {}", each(20_001, |i| format!("(export \"e{i}\" (func $x))")))),
            is!(LoadError::Scan(ScanFault::TooManyItems { what: "exports", .. })),
        ),
        (
            "a memory that starts too large",
            embed(&component("(memory (export \"memory\") 1025)", "")),
            is!(LoadError::Scan(ScanFault::BigMemory { found: 67_174_400, limit: 67_108_864 })),
        ),
        (
            "a table that starts too large",
            connector("(table 10001 funcref)"),
            is!(LoadError::Scan(ScanFault::BigTable { found: 10_001, limit: 10_000 })),
        ),
        (
            "too many tables",
            connector(&repeat("(table 1 funcref)", 5)),
            is!(LoadError::Scan(ScanFault::TooManyItems { what: "tables", .. })),
        ),
        (
            "too many table entries",
            connector(&format!("(table 1 funcref) (func $x) (elem func {})", repeat("$x ", 20_001))),
            is!(LoadError::Scan(ScanFault::TooManyItems { what: "table entries", .. })),
        ),
        (
            "too many data segments",
            connector(&repeat("(data (i32.const 0) \"\")", 20_001)),
            is!(LoadError::Scan(ScanFault::TooManyItems { what: "segments", .. })),
        ),
        (
            "slow to compile",
            slow_to_compile(),
            is!(LoadError::Compile(CompileFault::OutOfCpu { .. } | CompileFault::OutOfTime { .. } | CompileFault::OutOfMemory { .. })),
        ),
    ]
}

fn broken() -> Vec<Case> {
    let good = connector("");
    let bare = component(PAGE, "");
    let manifest = crm_guests::manifest("hostile").unwrap_or_else(|e| panic!("{e:#}"));
    let with_manifest = |text: &str| crm_catalog::section::embed(&bare, text, "0.1.0").unwrap_or_else(|e| panic!("{e}"));
    let manifest_section = custom(crm_catalog::section::MANIFEST_SECTION, manifest.as_bytes());
    let version_section = |v: &[u8]| custom(crm_catalog::section::WIT_SECTION, v);
    let mut flipped = good.clone();
    flipped[0] ^= 1;
    let import = |text: &str| whole(&format!("(component {text} {MISTYPED})"));
    vec![
        ("nothing", vec![], is!(LoadError::Scan(ScanFault::NotWasm))),
        ("text", b"#!/bin/sh\nexit 0\n".to_vec(), is!(LoadError::Scan(ScanFault::NotWasm))),
        ("wrong magic", flipped, is!(LoadError::Scan(ScanFault::NotWasm))),
        ("a core module", wat("(module)"), is!(LoadError::Scan(ScanFault::CoreModule))),
        ("cut in half", good[..good.len() / 2].to_vec(), is!(LoadError::Section(_) | LoadError::Scan(ScanFault::Malformed(_)))),
        ("one byte short", good[..good.len() - 1].to_vec(), is!(LoadError::Section(_) | LoadError::Scan(ScanFault::Malformed(_)))),
        (
            "a tail of garbage",
            [good.as_slice(), &[0xff; 9]].concat(),
            is!(LoadError::Section(_) | LoadError::Scan(ScanFault::Malformed(_))),
        ),
        (
            "a section of unknown kind",
            [good.as_slice(), &[99, 1, 0]].concat(),
            is!(LoadError::Section(_) | LoadError::Scan(ScanFault::Malformed(_))),
        ),
        ("five megabytes", [bare.clone(), custom("pad", &vec![0; 5 << 20])].concat(), is!(LoadError::TooLarge { .. })),
        ("no manifest", bare.clone(), is!(LoadError::Section(crm_catalog::section::SectionError::Missing(_)))),
        (
            "no contract version",
            [bare.clone(), manifest_section.clone()].concat(),
            is!(LoadError::Section(crm_catalog::section::SectionError::Missing(_))),
        ),
        (
            "two manifests",
            [good.clone(), manifest_section.clone()].concat(),
            is!(LoadError::Section(crm_catalog::section::SectionError::Repeated(_))),
        ),
        (
            "a manifest too large",
            [bare.clone(), custom(crm_catalog::section::MANIFEST_SECTION, &vec![b'#'; 2 << 20]), version_section(b"0.1.0")].concat(),
            is!(LoadError::Section(crm_catalog::section::SectionError::TooLarge { .. })),
        ),
        (
            "a manifest that is no text",
            [bare.clone(), custom(crm_catalog::section::MANIFEST_SECTION, &[0xff, 0xfe]), version_section(b"0.1.0")].concat(),
            is!(LoadError::Section(crm_catalog::section::SectionError::NotText(_))),
        ),
        ("no TOML", with_manifest("{ \"json\": true }"), is!(LoadError::Manifest(_))),
        (
            "a manifest with a mistake",
            with_manifest(&manifest.replace("effect = \"read\"", "effect = \"none\"")),
            is!(LoadError::Manifest(errors) if !errors.is_empty()),
        ),
        (
            "a version that is none",
            [bare.clone(), manifest_section, version_section(b"latest")].concat(),
            is!(LoadError::Section(crm_catalog::section::SectionError::BadVersion(_))),
        ),
        (
            "another contract version",
            embed_as(&bare, "0.2.0"),
            is!(LoadError::WitVersion { found, supported: "0.1.0" } if found == "0.2.0"),
        ),
        (
            "an import of wasi:http",
            import("(import \"wasi:http/outgoing-handler@0.2.0\" (instance))"),
            is!(LoadError::Scan(ScanFault::NetworkImport { .. })),
        ),
        (
            "an import of wasi:sockets",
            import("(import \"wasi:sockets/tcp@0.2.0\" (instance))"),
            is!(LoadError::Scan(ScanFault::NetworkImport { .. })),
        ),
        (
            "an import of WASI",
            import("(import \"wasi:clocks/wall-clock@0.2.0\" (instance))"),
            is!(LoadError::Scan(ScanFault::WasiNotAllowed { .. })),
        ),
        (
            "an import of its own",
            import("(import \"acme:tools/shell@1.0.0\" (instance))"),
            is!(LoadError::Scan(ScanFault::ForeignImport { .. })),
        ),
        ("an import of a function", import("(import \"exec\" (func))"), is!(LoadError::Scan(ScanFault::ForeignImport { .. }))),
        (
            "an import of a resource",
            import("(import \"handle\" (type (sub resource)))"),
            is!(LoadError::Scan(ScanFault::ForeignImport { .. })),
        ),
        ("no exports", whole("(component)"), is!(LoadError::Scan(ScanFault::MissingExport { name: "verify" }))),
        (
            "one export missing",
            whole(&format!("(component {})", MISTYPED.replace("(export \"untag-contact\" (func $f))", ""))),
            is!(LoadError::Scan(ScanFault::MissingExport { name: "untag-contact" })),
        ),
        ("exports of a wrong type", whole(&format!("(component {MISTYPED})")), is!(LoadError::ExportShape(_))),
        (
            "an import of a wrong type",
            import("(import \"rekomi:crm-connector/log@0.1.0\" (instance (export \"line\" (func))))"),
            is!(LoadError::ImportShape(_)),
        ),
        (
            "a start function that loops",
            connector("(start $s) (func $s (loop (br 0)))"),
            is!(LoadError::SelfTest(GuestFault::OutOfCpu { limit_ms: 250 })),
        ),
        ("a start function that traps", connector("(start $s) (func $s unreachable)"), is!(LoadError::SelfTest(GuestFault::Trapped(_)))),
        (
            "a start function that recurses",
            connector("(start $s) (func $s (call $s))"),
            is!(LoadError::SelfTest(GuestFault::Trapped(why)) if why.contains("deeply")),
        ),
        ("data outside the memory", connector("(data (i32.const 65536) \"x\")"), is!(LoadError::SelfTest(GuestFault::Trapped(_)))),
        (
            "entries outside the table",
            connector("(table 1 funcref) (elem (i32.const 1) $x) (func $x)"),
            is!(LoadError::SelfTest(GuestFault::Trapped(_))),
        ),
        (
            "shared memory",
            whole(&format!("(component (core module (memory 1 1 shared)) {MISTYPED})")),
            is!(LoadError::Compile(CompileFault::Invalid(_))),
        ),
        (
            "a 64-bit memory",
            whole(&format!("(component (core module (memory i64 1)) {MISTYPED})")),
            is!(LoadError::Compile(CompileFault::Invalid(_))),
        ),
        (
            "two memories in a module",
            whole(&format!("(component (core module (memory 1) (memory 1)) {MISTYPED})")),
            is!(LoadError::Compile(CompileFault::Invalid(_))),
        ),
        (
            "tail calls",
            whole(&format!("(component (core module (func $t return_call $t)) {MISTYPED})")),
            is!(LoadError::Compile(CompileFault::Invalid(_))),
        ),
        ("exceptions", whole(&format!("(component (core module (tag)) {MISTYPED})")), is!(LoadError::Compile(CompileFault::Invalid(_)))),
        (
            "collected types",
            whole(&format!("(component (core module (type (struct))) {MISTYPED})")),
            is!(LoadError::Compile(CompileFault::Invalid(_))),
        ),
        (
            "a body that does not type-check",
            whole(&format!("(component (core module (func (result i32))) {MISTYPED})")),
            is!(LoadError::Compile(CompileFault::Invalid(_))),
        ),
    ]
}

/// Peak of this process's resident memory, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_else(|e| panic!("{e}"));
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or_else(|| panic!("no VmHWM in {status}"));
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_else(|e| panic!("{e}")) << 10
}

#[tokio::test]
async fn bombs_and_broken_files_are_refused_each_for_its_own_reason() {
    let (bombs, broken) = (bombs(), broken());
    assert!(bombs.len() >= 12 && broken.len() >= 20);
    let engine = engine(config());
    let active = load(&engine, "hostile").await;
    let before = peak();
    let mut wrong = Vec::new();
    for (name, file, judge) in bombs.into_iter().chain(broken) {
        match engine.load(file).await {
            Ok(_) => wrong.push(format!("{name}: was loaded")),
            Err(error) if !judge(&error) => wrong.push(format!("{name}: {error:?}")),
            Err(error) => assert!(!error.to_string().is_empty(), "{name}"),
        }
        assert_eq!(engine.active("hostile").map(|a| a.0), Some(active.clone()), "{name} touched the active version");
        report(call(&engine, &active, sync("nothing"), World::refuses()).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let grown = peak().saturating_sub(before);
    assert!(grown < 128 << 20, "the host grew by {grown} bytes");
}

#[tokio::test]
async fn a_file_made_by_hand_that_keeps_the_rules_is_loaded() {
    let engine = engine(config());
    let digest = engine.load(connector("(func (local i32 i32))")).await.unwrap_or_else(|e| panic!("{e}"));
    // Its functions do nothing but trap.
    assert!(matches!(call(&engine, &digest, sync(""), World::refuses()).await, Err(GuestFault::Trapped(_))));
}
