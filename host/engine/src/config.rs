//! How wasmtime is set up. The part that decides what machine code looks like ([`code`]) is shared with the compile
//! worker, or an artifact would not fit the engine that loads it. Must not touch guests.

use std::collections::BTreeSet;
use std::path::PathBuf;

use wasmtime::{Config, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, WasmFeatures};

use crate::limits::Limits;

/// What an [`Engine`](crate::Engine) is made of.
#[derive(Clone)]
pub struct EngineConfig {
    /// Where compiled code is kept between starts; `None` compiles at every start. Created with mode 0700.
    pub cache_dir: Option<PathBuf>,
    /// Authenticates cached code. Derive it from the host's master key: whoever knows it can run code in this process.
    pub cache_key: [u8; 32],
    pub compiler: Compiler,
    pub limits: Limits,
    /// Slugs of connectors that may import WASI, which is then linked to an inert context.
    pub wasi_allowed: BTreeSet<String>,
}

/// Where Cranelift runs. Compile time is not covered by wasmtime's security promise, so a file from outside is only
/// ever compiled in a process that may die.
#[derive(Clone, Debug)]
pub enum Compiler {
    /// Starts `program args..`, which must end in [`compile_worker`](crate::compile_worker). One at a time.
    Child { program: PathBuf, args: Vec<String> },
    /// In this process, after the same pre-scan. Only for tests and benchmarks over files that they made themselves.
    InProcess,
}

/// Proposals that no connector needs. Each would be attack surface: most advisories of recent releases sit here.
const OFF: &[WasmFeatures] = &[
    WasmFeatures::THREADS,
    WasmFeatures::SHARED_EVERYTHING_THREADS,
    WasmFeatures::GC,
    WasmFeatures::FUNCTION_REFERENCES,
    WasmFeatures::EXCEPTIONS,
    WasmFeatures::LEGACY_EXCEPTIONS,
    WasmFeatures::TAIL_CALL,
    WasmFeatures::MULTI_MEMORY,
    WasmFeatures::MEMORY64,
    WasmFeatures::MEMORY_CONTROL,
    WasmFeatures::RELAXED_SIMD,
    WasmFeatures::STACK_SWITCHING,
    WasmFeatures::CUSTOM_PAGE_SIZES,
    WasmFeatures::WIDE_ARITHMETIC,
    WasmFeatures::CM_VALUES,
    WasmFeatures::CM_NESTED_NAMES,
    WasmFeatures::CM_ASYNC,
    WasmFeatures::CM_ASYNC_STACKFUL,
    WasmFeatures::CM_MORE_ASYNC_BUILTINS,
    WasmFeatures::CM_THREADING,
    WasmFeatures::CM_ERROR_CONTEXT,
    WasmFeatures::CM_FIXED_LENGTH_LISTS,
    WasmFeatures::CM_GC,
];

/// The settings that compiled code depends on. They take no parameter, so that worker and host always agree.
pub(crate) fn code() -> Config {
    let mut config = Config::new();
    config.wasm_component_model(true);
    for feature in OFF {
        config.wasm_features(*feature, false);
    }
    config.cranelift_opt_level(OptLevel::Speed);
    config.epoch_interruption(true);
    config.wasm_backtrace_max_frames(None);
    config.max_wasm_stack(512 << 10);
    config.async_stack_size(2 << 20);
    config.async_stack_zeroing(true);
    config.memory_init_cow(true);
    config.parallel_compilation(false);
    config
}

/// [`code`] plus the pool from which instances come. The worker must not use this: the pool reserves terabytes of
/// address space, which its limit forbids. Memory protection keys are not even compiled in: wasmtime calls them experimental.
pub(crate) fn host(limits: &Limits) -> Config {
    let mut config = code();
    // A few more than may run: a self-test may instantiate while every slot is taken.
    let runs = limits.concurrent.saturating_add(4);
    let count = |per_run: usize| runs.saturating_mul(u32::try_from(per_run).unwrap_or(u32::MAX));
    let per_component = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(runs)
        .total_core_instances(count(limits.instances))
        .total_memories(count(limits.memories))
        .total_tables(count(limits.tables))
        .total_stacks(count(2))
        .total_gc_heaps(runs)
        .max_core_instances_per_component(per_component(limits.instances))
        .max_memories_per_component(per_component(limits.memories))
        .max_tables_per_component(per_component(limits.tables))
        .max_memories_per_module(1)
        .max_tables_per_module(per_component(limits.tables))
        .max_memory_size(limits.memory_bytes)
        .table_elements(limits.table_elements);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}
