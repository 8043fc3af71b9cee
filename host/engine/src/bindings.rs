//! The contract as wasmtime sees it, generated from the WIT. Must hold no behaviour: conversions live in `convert`
//! and `lift`, host functions in `run`.
#![allow(unreachable_pub, reason = "the macro makes its items public")]

wasmtime::component::bindgen!({
    path: "../../wit/since-v0.1.0",
    world: "connector",
    imports: {
        "rekomi:crm-connector/egress@0.1.0.send": async | trappable,
        default: trappable,
    },
    exports: { default: async },
});
