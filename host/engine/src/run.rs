//! One run of one guest: a fresh store, its limits, and the two host functions. Nothing of it survives the run. Must
//! not know what an answer means: it runs a guest and says why it stopped.

use std::sync::Arc;
use std::time::Duration;

use crm_contract::ports::{GuestFault, GuestLog, Outbound};
use wasmtime::{ResourceLimiter, Store, Trap, UpdateDeadline};

use crate::bindings::rekomi::crm_connector::{egress, log, types};
use crate::convert;
use crate::limits::Limits;
use crate::log::{LogGate, printable};
use crate::meter::{Meter, Spent};
use crate::wasi::{Seed, Wasi};

/// What a store holds.
pub(crate) struct Run {
    outbound: Arc<dyn Outbound>,
    log: LogGate,
    meter: Meter,
    memory: MemoryGuard,
    calls: u32,
    call_limit: u32,
    hostcall_bytes: usize,
    handles: usize,
    /// Set by whoever stops the guest, because an error that crosses wasm frames says less.
    fault: Option<GuestFault>,
    seed: Seed,
    wasi: Option<Box<Wasi>>,
}

impl Run {
    /// The inert WASI context, made when first asked for.
    pub(crate) fn wasi(&mut self) -> &mut Wasi {
        self.wasi.get_or_insert_with(|| Box::new(Wasi::inert(&self.seed, self.handles)))
    }

    fn stop(&mut self, fault: GuestFault) -> wasmtime::Error {
        let error = wasmtime::Error::msg(fault.to_string());
        self.fault = Some(fault);
        error
    }

    fn out_of_cpu(&mut self, spent: Spent) -> wasmtime::Error {
        self.stop(GuestFault::OutOfCpu { limit_ms: millis(spent.limit) })
    }

    /// Why the guest stopped, given what wasmtime saw of it.
    fn explain(&mut self, error: &wasmtime::Error) -> GuestFault {
        if let Some(fault) = self.fault.take() {
            return fault;
        }
        if self.memory.denied {
            return GuestFault::OutOfMemory { limit_bytes: self.memory.limit as u64 };
        }
        if error.downcast_ref::<wasmtime::PoolConcurrencyLimitError>().is_some() {
            return GuestFault::Busy;
        }
        if let Some(trap) = error.downcast_ref::<Trap>() {
            return GuestFault::Trapped(match trap {
                Trap::StackOverflow => "it called itself too deeply".into(),
                Trap::UnreachableCodeReached => "it panicked".into(),
                trap => trap.to_string(),
            });
        }
        let cause = error.root_cause().to_string();
        if cause.contains("fuel allocated for hostcalls") {
            return GuestFault::OutOfMemory { limit_bytes: self.hostcall_bytes as u64 };
        }
        GuestFault::Trapped(printable(&cause, 300))
    }
}

/// Grants memory and tables, and remembers that it once said no: a guest that is refused memory traps somewhere else.
struct MemoryGuard {
    limit: usize,
    used: usize,
    table_elements: usize,
    instances: usize,
    memories: usize,
    tables: usize,
    denied: bool,
}

impl ResourceLimiter for MemoryGuard {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.used.saturating_add(desired.saturating_sub(current));
        if total > self.limit {
            self.denied = true;
            return Ok(false);
        }
        self.used = total;
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let granted = desired <= self.table_elements;
        self.denied |= !granted;
        Ok(granted)
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.tables
    }

    fn memories(&self) -> usize {
        self.memories
    }
}

/// A store with every limit set.
pub(crate) fn open(
    engine: &wasmtime::Engine,
    limits: &Limits,
    outbound: Arc<dyn Outbound>,
    log: Arc<dyn GuestLog>,
    seed: Seed,
) -> Store<Run> {
    let run = Run {
        outbound,
        log: LogGate::new(log, limits),
        meter: Meter::start(limits.cpu_step, limits.cpu_run),
        memory: MemoryGuard {
            limit: limits.memory_bytes,
            used: 0,
            table_elements: limits.table_elements,
            instances: limits.instances,
            memories: limits.memories,
            tables: limits.tables,
            denied: false,
        },
        calls: 0,
        call_limit: limits.calls,
        hostcall_bytes: limits.hostcall_bytes,
        handles: limits.handles,
        fault: None,
        seed,
        wasi: None,
    };
    let mut store = Store::new(engine, run);
    store.limiter(|run| &mut run.memory);
    store.set_hostcall_fuel(limits.hostcall_bytes);
    store.set_max_component_handles(limits.handles);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut store| {
        let run = store.data_mut();
        if let Err(spent) = run.meter.charge() {
            return Err(run.out_of_cpu(spent));
        }
        // Others get their turn on this thread; the mark is set anew where the guest goes on.
        let mark = run.meter.mark();
        let turn = async move {
            tokio::task::yield_now().await;
            mark.set();
        };
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(turn)))
    });
    store
}

/// Drives `work` over `store` within the wall limit.
pub(crate) async fn drive<T>(
    store: &mut Store<Run>,
    limits: &Limits,
    work: impl AsyncFnOnce(&mut Store<Run>) -> wasmtime::Result<T>,
) -> Result<T, GuestFault> {
    match tokio::time::timeout(limits.wall_run, work(store)).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(store.data_mut().explain(&error)),
        Err(_) => Err(GuestFault::OutOfTime { limit_ms: millis(limits.wall_run) }),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl types::Host for Run {}

impl egress::Host for Run {
    async fn send(&mut self, request: egress::Request) -> wasmtime::Result<Result<egress::Response, egress::Unanswered>> {
        self.meter.enter_host().map_err(|spent| self.out_of_cpu(spent))?;
        self.calls += 1;
        if self.calls > self.call_limit {
            return Err(self.stop(GuestFault::TooManyCalls { limit: self.call_limit }));
        }
        let answer = self.outbound.send(convert::request(request)).await;
        self.meter.leave_host();
        Ok(answer.map(convert::response).map_err(convert::unanswered))
    }
}

impl log::Host for Run {
    fn line(&mut self, level: log::Level, text: String) -> wasmtime::Result<()> {
        self.log.line(convert::level(level), &text);
        Ok(())
    }
}
