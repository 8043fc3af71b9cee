//! Who may depend on whom, as data: the rooms of DESIGN.md. Development dependencies are free.

/// What one room may use of this repository, and what it may never use.
pub(crate) struct Room {
    pub(crate) name: &'static str,
    /// Crates of this repository that it may name.
    pub(crate) may: &'static [&'static str],
    /// Crates that it may not name itself.
    pub(crate) not_directly: &'static [&'static str],
    /// Crates that it may not reach by any way.
    pub(crate) never: &'static [&'static str],
}

pub(crate) const ROOMS: &[Room] = &[
    Room { name: "crm-catalog", may: &[], not_directly: &[], never: &["tokio", "reqwest", "hyper", "axum", "sled", "wasmtime"] },
    Room { name: "crm-contract", may: &["crm-catalog"], not_directly: &[], never: &["reqwest", "hyper", "axum", "sled", "wasmtime"] },
    Room { name: "crm-engine", may: &["crm-contract", "crm-catalog"], not_directly: &[], never: &["reqwest", "hyper", "axum", "sled"] },
    Room { name: "crm-egress", may: &["crm-contract", "crm-catalog"], not_directly: &[], never: &["sled", "wasmtime", "axum"] },
    Room { name: "crm-store", may: &["crm-contract", "crm-catalog"], not_directly: &[], never: &["wasmtime", "axum", "reqwest", "hyper"] },
    Room {
        name: "crm-sync",
        may: &["crm-contract", "crm-catalog", "crm-store"],
        // It knows the store by its trait; sled stays behind it.
        not_directly: &["sled"],
        never: &["axum", "reqwest", "hyper", "wasmtime"],
    },
    Room {
        name: "crm-api",
        may: &["crm-contract", "crm-catalog", "crm-store", "crm-sync"],
        not_directly: &["sled"],
        never: &["wasmtime", "reqwest"],
    },
    Room {
        name: "crm-web",
        may: &["crm-contract", "crm-catalog", "crm-store", "crm-sync"],
        not_directly: &["sled"],
        never: &["wasmtime", "reqwest"],
    },
    Room {
        name: "crm-app",
        may: &[
            "crm-contract",
            "crm-catalog",
            "crm-engine",
            "crm-egress",
            "crm-store",
            "crm-sync",
            "crm-api",
            "crm-web",
            "crm-conformance",
            "crm-pack",
            "crm-registry",
        ],
        not_directly: &["sled", "wasmtime"],
        never: &[],
    },
    Room { name: "crm-pack", may: &["crm-catalog"], not_directly: &[], never: &["tokio", "reqwest", "hyper", "axum", "sled", "wasmtime"] },
    Room { name: "crm-registry", may: &[], not_directly: &[], never: &["axum", "sled", "wasmtime"] },
    Room {
        name: "crm-conformance",
        may: &["crm-contract", "crm-catalog", "crm-engine", "crm-egress", "crm-pack"],
        not_directly: &["wasmtime", "reqwest"],
        never: &["axum", "sled"],
    },
    Room {
        name: "crm-connector-sdk",
        may: &[],
        not_directly: &[],
        never: &["tokio", "reqwest", "hyper", "axum", "sled", "wasmtime", "rand", "getrandom"],
    },
    Room {
        name: "xtask",
        may: &["crm-catalog", "crm-pack", "crm-test-support", "crm-tidy"],
        not_directly: &[],
        never: &["wasmtime", "sled", "reqwest"],
    },
    Room { name: "crm-test-support", may: &[], not_directly: &[], never: &["wasmtime", "sled", "axum"] },
    // A twin that shared code with what it tests would prove nothing.
    Room { name: "crm-twins", may: &[], not_directly: &[], never: &["wasmtime", "sled", "reqwest"] },
];

/// Every `connector-*`.
pub(crate) const CONNECTOR: Room = Room {
    name: "a connector",
    may: &["crm-connector-sdk"],
    not_directly: &["wit-bindgen"],
    never: &["tokio", "reqwest", "hyper", "axum", "sled", "wasmtime", "rand", "getrandom", "chrono", "jiff", "wasi"],
};
