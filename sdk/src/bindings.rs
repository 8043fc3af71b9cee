//! The code that `wit-bindgen` derives from `wit/since-v0.1.0`. Hidden: connectors use [`crate::types`], so that a
//! change of generator changes no connector.
#![allow(missing_docs, unreachable_pub, unsafe_code, reason = "generated code: the canonical ABI passes raw pointers")]
#![allow(clippy::all, reason = "generated code")]

wit_bindgen::generate!({
    path: "../wit/since-v0.1.0",
    world: "connector",
    pub_export_macro: true,
    export_macro_name: "export_component",
    default_bindings_module: "crm_connector_sdk::bindings",
    additional_derives: [PartialEq],
});
