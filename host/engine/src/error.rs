//! Why a file is not loaded, in words that its author can act on. Pure data; must not touch wasmtime.

use crm_contract::ports::GuestFault;

/// Why an engine could not be made. The host cannot start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("wasmtime refused its configuration: {0}")]
    Configuration(String),
    #[error("the thread that measures guests' CPU time could not be started: {0}")]
    Ticker(std::io::Error),
    #[error("the cache directory {path} cannot be used: {why}")]
    CacheDir { path: String, why: String },
}

/// Why a component file was not taken. Whatever was active stays active.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("the file is {bytes} bytes; a connector has at most {limit}")]
    TooLarge { bytes: usize, limit: usize },
    /// No manifest, two manifests, or no contract version in the file.
    #[error("{0}")]
    Section(#[from] crm_catalog::section::SectionError),
    #[error("the file was built for contract version {found}; this host speaks {supported}")]
    WitVersion { found: String, supported: &'static str },
    #[error("the manifest has {} mistake(s): {}", .0.len(), join(.0))]
    Manifest(Vec<crm_catalog::ManifestError>),
    #[error("{0}")]
    Scan(#[from] ScanFault),
    #[error("{0}")]
    Compile(#[from] CompileFault),
    /// An import has the right name and the wrong type.
    #[error("the component's imports do not fit the contract: {0}")]
    ImportShape(String),
    /// An export has the right name and the wrong type.
    #[error("the component's exports do not fit the contract: {0}")]
    ExportShape(String),
    /// It was instantiated once, as a test, and was stopped.
    #[error("the component failed its self-test: {0}")]
    SelfTest(GuestFault),
    /// Not the file's fault.
    #[error("the host could not finish the check: {0}")]
    Host(String),
}

fn join(errors: &[crm_catalog::ManifestError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// What the structural scan refuses, before a compiler sees the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanFault {
    #[error("the file is not WebAssembly")]
    NotWasm,
    #[error("the file is a core module, not a component: build it with `cargo xtask build`")]
    CoreModule,
    #[error("the file is damaged or cut off: {0}")]
    Malformed(String),
    #[error("{found} core modules; at most {limit}")]
    TooManyModules { found: u32, limit: u32 },
    #[error("{found} components inside the component; at most {limit}")]
    TooManyComponents { found: u32, limit: u32 },
    #[error("components nest {found} deep; at most {limit}")]
    DeepComponents { found: u32, limit: u32 },
    #[error("{found} instances; at most {limit}")]
    TooManyInstances { found: u32, limit: u32 },
    #[error("{found} functions; at most {limit}")]
    TooManyFunctions { found: u32, limit: u32 },
    #[error("a function body of {found} bytes; at most {limit}")]
    HugeFunction { found: u32, limit: u32 },
    #[error("a function with {found} locals; at most {limit}")]
    TooManyLocals { found: u32, limit: u32 },
    #[error("a function type with {found} parameters or results; at most {limit}")]
    TooManyParams { found: u32, limit: u32 },
    #[error("blocks nest {found} deep; at most {limit}")]
    DeepBlocks { found: u32, limit: u32 },
    #[error("a br_table with {found} targets; at most {limit}")]
    WideBranch { found: u32, limit: u32 },
    #[error("{found} br_table targets in all; at most {limit}")]
    TooManyBranches { found: u32, limit: u32 },
    #[error("{found} {what}; at most {limit}")]
    TooManyItems { what: &'static str, found: u32, limit: u32 },
    #[error("a memory that starts with {found} bytes; at most {limit}")]
    BigMemory { found: u64, limit: u64 },
    #[error("a table that starts with {found} elements; at most {limit}")]
    BigTable { found: u64, limit: u64 },
    #[error("it imports `{name}`, which is no part of the contract")]
    ForeignImport { name: String },
    #[error("it imports `{name}`: WASI is off for this connector unless the operator allows it")]
    WasiNotAllowed { name: String },
    #[error("it imports `{name}`: no connector gets its own way to the network")]
    NetworkImport { name: String },
    #[error("it does not export `{name}`")]
    MissingExport { name: &'static str },
}

/// What went wrong while compiling.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileFault {
    #[error("the component is invalid: {0}")]
    Invalid(String),
    #[error("compiling it took more than {seconds} s of CPU time")]
    OutOfCpu { seconds: u64 },
    #[error("compiling it took longer than {seconds} s")]
    OutOfTime { seconds: u64 },
    #[error("compiling it needs more than {bytes} bytes of memory")]
    OutOfMemory { bytes: u64 },
    #[error("its compiled code is larger than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the compiler died of it (signal {signal})")]
    Died { signal: i32 },
    /// Not the file's fault: the worker could not be started or broke its protocol.
    #[error("the compile worker does not work: {0}")]
    Worker(String),
}
