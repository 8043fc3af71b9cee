//! Embedding and reading, against real components and broken ones.

use proptest::prelude::*;
use wasm_encoder::{Component, ComponentSectionId, Module, ModuleSection, RawSection};

use super::*;

fn custom(name: &str, data: &[u8]) -> CustomSection<'static> {
    CustomSection { name: name.to_owned().into(), data: data.to_vec().into() }
}

fn empty() -> Vec<u8> {
    Component::new().finish()
}

#[test]
fn what_was_embedded_is_read_back() {
    let component = wat::parse_str("(component (core module (func (export \"f\"))))").unwrap();
    let out = embed(&component, "slug = \"é\"", "0.1.0").unwrap();
    assert_eq!(read(&out).unwrap(), Embedded { manifest_text: "slug = \"é\"".into(), wit_version: "0.1.0".into() });
    assert!(out.starts_with(&component));
    wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all()).validate_all(&out).unwrap();
}

#[test]
fn embedding_again_replaces() {
    let once = embed(&empty(), "old", "0.1.0").unwrap();
    let twice = embed(&once, "new", "0.2.0").unwrap();
    assert_eq!(read(&twice).unwrap(), Embedded { manifest_text: "new".into(), wit_version: "0.2.0".into() });
    assert_eq!(twice, embed(&empty(), "new", "0.2.0").unwrap());
}

#[test]
fn sections_of_nested_modules_and_components_do_not_count() {
    let mut module = Module::new();
    module.section(&custom(MANIFEST_SECTION, b"forged"));
    module.section(&custom(WIT_SECTION, b"9.9.9"));
    let inner = embed(&empty(), "forged too", "9.9.9").unwrap();
    let mut outer = Component::new();
    outer.section(&ModuleSection(&module));
    outer.section(&RawSection { id: ComponentSectionId::Component.into(), data: &inner });
    let outer = outer.finish();
    assert_eq!(read(&outer), Err(SectionError::Missing(WIT_SECTION)));
    let out = embed(&outer, "true", "0.1.0").unwrap();
    assert_eq!(read(&out).unwrap().manifest_text, "true");
}

#[test]
fn files_that_are_no_connectors_are_refused_by_name() {
    let with = |sections: &[(&str, &[u8])]| {
        let mut component = Component::new();
        for (name, data) in sections {
            component.section(&custom(name, data));
        }
        component.finish()
    };
    let big = vec![b'#'; MAX_MANIFEST_BYTES + 1];
    let cases: Vec<(Vec<u8>, SectionError)> = vec![
        (Vec::new(), SectionError::NotWasm),
        (b"\0as".to_vec(), SectionError::NotWasm),
        (b"hello world".to_vec(), SectionError::NotWasm),
        (b"\0asm\x0d\0".to_vec(), SectionError::Truncated(6)),
        (Module::new().finish(), SectionError::CoreModule),
        (b"\0asm\x0c\0\x01\0".to_vec(), SectionError::UnknownEncoding),
        (empty(), SectionError::Missing(WIT_SECTION)),
        (with(&[(WIT_SECTION, b"0.1.0")]), SectionError::Missing(MANIFEST_SECTION)),
        (with(&[(MANIFEST_SECTION, b"a"), (MANIFEST_SECTION, b"a")]), SectionError::Repeated(MANIFEST_SECTION)),
        (with(&[(WIT_SECTION, b"0.1.0"), (WIT_SECTION, b"0.1.0")]), SectionError::Repeated(WIT_SECTION)),
        (with(&[(MANIFEST_SECTION, b"\xff")]), SectionError::NotText(MANIFEST_SECTION)),
        (
            with(&[(MANIFEST_SECTION, &big)]),
            SectionError::TooLarge { name: MANIFEST_SECTION, size: MAX_MANIFEST_BYTES + 1, max: MAX_MANIFEST_BYTES },
        ),
        (with(&[(MANIFEST_SECTION, b"a"), (WIT_SECTION, b"v1")]), SectionError::BadVersion("v1".into())),
        (with(&[(MANIFEST_SECTION, b"a"), (WIT_SECTION, b"0.1.0-rc.1")]), SectionError::BadVersion("0.1.0-rc.1".into())),
    ];
    for (bytes, expected) in cases {
        assert_eq!(read(&bytes), Err(expected));
    }
    assert!(matches!(embed(&Module::new().finish(), "a", "0.1.0"), Err(SectionError::CoreModule)));
    assert!(matches!(embed(&empty(), "a", "one"), Err(SectionError::BadVersion(_))));
    assert!(matches!(embed(&empty(), &"#".repeat(MAX_MANIFEST_BYTES + 1), "0.1.0"), Err(SectionError::TooLarge { .. })));
}

#[test]
fn every_cut_of_a_connector_is_refused() {
    let whole = embed(&wat::parse_str("(component (core module))").unwrap(), "text", "0.1.0").unwrap();
    for length in 0..whole.len() {
        assert!(read(&whole[..length]).is_err(), "{length}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0usize..100, byte in any::<u8>()) {
        let component = [b"\0asm\x0d\0\x01\0".as_slice(), &bytes].concat();
        prop_assert!(read(&bytes).is_err());
        prop_assert!(read(&component).is_err());
        if let Ok(out) = embed(&component, "a", "0.1.0") {
            prop_assert!(read(&out).is_ok());
        }
        let mut bent = embed(&empty(), "text", "0.1.0").unwrap();
        if let Some(slot) = bent.get_mut(at) {
            *slot = byte;
        }
        if let Ok(read) = read(&bent) {
            prop_assert!(read.manifest_text.len() <= MAX_MANIFEST_BYTES);
        }
    }

    #[test]
    fn any_text_survives(text in ".{0,300}", major in 0u16..99) {
        let version = format!("{major}.0.1");
        let out = embed(&empty(), &text, &version).unwrap();
        prop_assert_eq!(read(&out).unwrap(), Embedded { manifest_text: text, wit_version: version });
    }
}
