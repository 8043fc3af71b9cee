//! WASI without a world behind it, for connectors whose toolchain cannot do without: no files, no environment, no
//! arguments, no sockets, no standard streams. Clocks and randomness are computed from the run itself, so that equal
//! inputs give equal requests (replay). Must not read the host's clock or entropy.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crm_contract::types::Invocation;
use rand::TryRng;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView as _};
use wasmtime_wasi::p2::bindings;
use wasmtime_wasi::random::{WasiRandom, WasiRandomView as _};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxView, WasiView};

use crate::run::Run;

/// Bytes of randomness that one call may ask for.
const MAX_RANDOM: u64 = 64 << 10;
/// What each look at a clock moves it on by: time passes, and no loop that waits for it runs for ever.
const NANOS_PER_LOOK: u64 = 1_000;
/// The clock's start for runs that carry no time of their own: 2026-01-01T00:00:00Z.
const START: u64 = 1_767_225_600;

/// The state of one run's WASI.
pub(crate) struct Wasi {
    ctx: WasiCtx,
    table: ResourceTable,
}

/// From what a run's clocks and randomness are computed.
#[derive(Clone, Default)]
pub(crate) struct Seed {
    key: [u8; 32],
    start: u64,
}

impl Seed {
    /// Equal for equal version and inputs, and for nothing else.
    pub(crate) fn new(digest: &str, invocation: &Invocation) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("crm-engine wasi seed v1");
        hasher.update(digest.as_bytes());
        // Plain data: it cannot fail, and a run without its input in the seed would still be deterministic.
        hasher.update(&serde_json::to_vec(invocation).unwrap_or_default());
        let start = match invocation {
            Invocation::SyncContact { job } | Invocation::UntagContact { job } => job.who.approved_at,
            Invocation::LookupContact { who, .. } => who.approved_at,
            Invocation::Verify { .. } | Invocation::ListChoices { .. } | Invocation::Prepare { .. } => START,
        };
        Self { key: *hasher.finalize().as_bytes(), start }
    }
}

impl Wasi {
    pub(crate) fn inert(seed: &Seed, handles: usize) -> Self {
        let looks = Arc::new(AtomicU64::new(0));
        let stream = |purpose: &str| Stream(blake3::Hasher::new_keyed(&seed.key).update(purpose.as_bytes()).finalize_xof());
        let mut insecure_seed = [0; 16];
        stream("insecure-seed").0.fill(&mut insecure_seed);
        let ctx = WasiCtx::builder()
            .wall_clock(Clock { start: Duration::from_secs(seed.start), looks: looks.clone() })
            .monotonic_clock(Clock { start: Duration::ZERO, looks })
            .secure_random(stream("secure"))
            .insecure_random(stream("insecure"))
            .insecure_random_seed(u128::from_le_bytes(insecure_seed))
            .max_random_size(MAX_RANDOM)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .build();
        let mut table = ResourceTable::new();
        table.set_max_capacity(handles);
        Self { ctx, table }
    }
}

/// Both clocks: a start plus the number of looks, shared so that they agree.
struct Clock {
    start: Duration,
    looks: Arc<AtomicU64>,
}

impl Clock {
    fn look(&self) -> Duration {
        let looks = self.looks.fetch_add(1, Ordering::Relaxed);
        self.start.saturating_add(Duration::from_nanos(looks.saturating_mul(NANOS_PER_LOOK)))
    }
}

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(NANOS_PER_LOOK)
    }

    fn now(&self) -> Duration {
        self.look()
    }
}

impl HostMonotonicClock for Clock {
    fn resolution(&self) -> u64 {
        NANOS_PER_LOOK
    }

    fn now(&self) -> u64 {
        u64::try_from(self.look().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// BLAKE3's output as randomness: the same on every machine and with every release of any library.
struct Stream(blake3::OutputReader);

impl TryRng for Stream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl WasiView for Run {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi();
        WasiCtxView { ctx: &mut wasi.ctx, table: &mut wasi.table }
    }
}

/// Links what `world::check_import` lets pass, interface by interface: sockets are not here, so that a file which got
/// past the scan still finds no network.
pub(crate) fn link(linker: &mut Linker<Run>) -> wasmtime::Result<()> {
    use bindings::{cli, filesystem, random};

    // Streams, polling, both clocks, randomness and the three standard streams.
    wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(linker)?;
    random::insecure::add_to_linker::<Run, WasiRandom>(linker, Run::random)?;
    random::insecure_seed::add_to_linker::<Run, WasiRandom>(linker, Run::random)?;
    filesystem::preopens::add_to_linker::<Run, WasiFilesystem>(linker, Run::filesystem)?;
    filesystem::types::add_to_linker::<Run, WasiFilesystem>(linker, Run::filesystem)?;
    cli::exit::add_to_linker::<Run, WasiCli>(linker, Run::cli)?;
    cli::environment::add_to_linker::<Run, WasiCli>(linker, Run::cli)?;
    cli::terminal_input::add_to_linker::<Run, WasiCli>(linker, Run::cli)?;
    cli::terminal_output::add_to_linker::<Run, WasiCli>(linker, Run::cli)?;
    cli::terminal_stdin::add_to_linker::<Run, WasiCli>(linker, Run::cli)?;
    cli::terminal_stdout::add_to_linker::<Run, WasiCli>(linker, Run::cli)?;
    cli::terminal_stderr::add_to_linker::<Run, WasiCli>(linker, Run::cli)
}
