//! The guests' manifests must be as good as any connector's.

#[test]
fn every_guests_manifest_is_valid() {
    for name in ["synthetic", "hostile", "wasi", "wasip2", "wasip2-net"] {
        let text = crm_guests::manifest(name).expect("the file is there");
        if let Err(errors) = crm_catalog::parse(&text, name) {
            panic!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
        }
    }
}
