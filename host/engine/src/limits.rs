//! Every figure that bounds a guest, in one place. Pure data; must not touch wasmtime.
//!
//! The figures come from measurements of compile bombs and from what other hosts of foreign code allow; they are sized
//! for connectors, which build a few requests and read a few answers.

use std::time::Duration;

/// What one run of one export may use. Hitting a limit ends that run and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory of one run, all memories together, in bytes.
    pub memory_bytes: usize,
    /// Elements of one table.
    pub table_elements: usize,
    /// Core instances inside one component; wit-component makes three of a plain guest.
    pub instances: usize,
    /// Memories inside one component.
    pub memories: usize,
    /// Tables inside one component.
    pub tables: usize,
    /// Live component-model handles.
    pub handles: usize,
    /// Bytes that one call across the boundary may copy out of the guest.
    pub hostcall_bytes: usize,
    /// CPU time between two host calls.
    pub cpu_step: Duration,
    /// CPU time of a whole run.
    pub cpu_run: Duration,
    /// Wall time of a whole run, waiting for answers included.
    pub wall_run: Duration,
    /// Calls through `egress.send` in one run.
    pub calls: u32,
    /// Log lines kept of one run; the rest is counted.
    pub log_lines: u32,
    /// Bytes of one log line; the rest is cut.
    pub log_line_bytes: usize,
    /// Bytes of all log lines of one run.
    pub log_bytes: usize,
    /// Runs at once; one more is answered `Busy`.
    pub concurrent: u32,
    /// What a component file may look like.
    pub scan: ScanLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 64 << 20,
            table_elements: 10_000,
            instances: 8,
            memories: 2,
            tables: 4,
            handles: 1_000,
            hostcall_bytes: 8 << 20,
            cpu_step: Duration::from_millis(250),
            cpu_run: Duration::from_secs(2),
            wall_run: Duration::from_secs(60),
            calls: 32,
            log_lines: 64,
            log_line_bytes: 4 << 10,
            log_bytes: 64 << 10,
            concurrent: 256,
            scan: ScanLimits::default(),
        }
    }
}

/// Structure that is refused before a compiler sees it. Size alone does not bound compile time: 338 kB of locals and
/// blocks cost 33 s and 6.6 GB in Cranelift.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanLimits {
    /// Bytes of the whole file.
    pub file_bytes: usize,
    /// Core modules.
    pub modules: u32,
    /// Components inside the component, and how deep they nest.
    pub components: u32,
    pub component_depth: u32,
    /// Instances that the component makes (core and component level).
    pub instances: u32,
    /// Functions over all modules.
    pub functions: u32,
    /// Bytes of one function body.
    pub body_bytes: u32,
    /// Locals of one function, parameters not counted.
    pub locals: u32,
    /// Parameters and results of one function type.
    pub params: u32,
    /// Open blocks at one place.
    pub nesting: u32,
    /// Targets of one `br_table`.
    pub branch_targets: u32,
    /// Targets of all `br_table`s.
    pub branch_targets_total: u32,
    /// Types, imports, exports, globals, aliases and segments, each over the whole file.
    pub items: u32,
}

impl Default for ScanLimits {
    fn default() -> Self {
        Self {
            file_bytes: 4 << 20,
            modules: 16,
            components: 16,
            component_depth: 4,
            instances: 64,
            functions: 20_000,
            body_bytes: 64 << 10,
            locals: 500,
            params: 100,
            nesting: 500,
            branch_targets: 1_024,
            branch_targets_total: 64 << 10,
            items: 20_000,
        }
    }
}
