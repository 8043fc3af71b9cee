//! Looks at a component's structure before any compiler does: linear time, no recursion, nothing allocated by the
//! file's word. It bounds what the worker is asked to do and gives the reasons that authors read; the worker still
//! validates everything. Must not compile or instantiate.

use wasmparser::{
    ComponentTypeRef, CompositeInnerType, ElementItems, Encoding, FunctionBody, MemorySectionReader, Operator, Parser, Payload,
    TableSectionReader, TypeBounds, TypeSectionReader,
};

use crate::error::ScanFault;
use crate::limits::Limits;
use crate::world;

const WASM_PAGE: u64 = 65_536;

/// What the component asks of its host.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outline {
    /// It imports WASI and needs the inert context.
    pub(crate) wasi: bool,
}

/// Tells a component from other files, cheaply, so that the first reason an author reads is the right one.
pub(crate) fn check_magic(file: &[u8]) -> Result<(), ScanFault> {
    if !Parser::is_component(file) {
        return Err(if Parser::is_core_wasm(file) { ScanFault::CoreModule } else { ScanFault::NotWasm });
    }
    Ok(())
}

/// Checks structure, imports and exports.
pub(crate) fn scan(file: &[u8], limits: &Limits, wasi_allowed: bool) -> Result<Outline, ScanFault> {
    check_magic(file)?;
    let mut scan = Scan { limits, wasi_allowed, wasi: false, exports: Vec::new(), open: Vec::new(), sums: Sums::default() };
    for payload in Parser::new(0).parse_all(file) {
        scan.payload(payload?)?;
    }
    world::check_exports(&scan.exports)?;
    Ok(Outline { wasi: scan.wasi })
}

impl From<wasmparser::BinaryReaderError> for ScanFault {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self::Malformed(error.to_string())
    }
}

#[derive(Default)]
struct Sums {
    modules: u32,
    components: u32,
    instances: u32,
    functions: u32,
    branches: u32,
    memories: u32,
    tables: u32,
    types: u32,
    imports: u32,
    exports: u32,
    globals: u32,
    segments: u32,
    elements: u32,
    aliases: u32,
    canonical: u32,
}

struct Scan<'a> {
    limits: &'a Limits,
    wasi_allowed: bool,
    wasi: bool,
    /// Names that the outermost component exports.
    exports: Vec<String>,
    /// The encoding of every part that is open, outermost first.
    open: Vec<Encoding>,
    sums: Sums,
}

impl Scan<'_> {
    fn payload(&mut self, payload: Payload<'_>) -> Result<(), ScanFault> {
        let scan = &self.limits.scan;
        let sums = &mut self.sums;
        match payload {
            Payload::Version { encoding, .. } => self.enter(encoding)?,
            Payload::End(_) => {
                self.open.pop();
            }
            Payload::TypeSection(types) => self.types(types)?,
            Payload::ImportSection(s) => items(&mut sums.imports, s.count(), "imports", scan.items)?,
            Payload::ExportSection(s) => items(&mut sums.exports, s.count(), "exports", scan.items)?,
            Payload::GlobalSection(s) => items(&mut sums.globals, s.count(), "globals", scan.items)?,
            Payload::DataSection(s) => items(&mut sums.segments, s.count(), "segments", scan.items)?,
            Payload::ElementSection(s) => {
                items(&mut sums.segments, s.count(), "segments", scan.items)?;
                for element in s {
                    let count = match element?.items {
                        ElementItems::Functions(f) => f.count(),
                        ElementItems::Expressions(_, e) => e.count(),
                    };
                    items(&mut sums.elements, count, "table entries", scan.items)?;
                }
            }
            Payload::TableSection(s) => self.tables(s)?,
            Payload::MemorySection(s) => self.memories(s)?,
            Payload::FunctionSection(s) => add(&mut sums.functions, s.count(), scan.functions)
                .map_err(|found| ScanFault::TooManyFunctions { found, limit: scan.functions })?,
            Payload::CodeSectionEntry(body) => self.function(&body)?,
            Payload::InstanceSection(s) => {
                for instance in s {
                    if matches!(instance?, wasmparser::Instance::Instantiate { .. }) {
                        self.instance()?;
                    }
                }
            }
            Payload::ComponentInstanceSection(s) => {
                for instance in s {
                    if matches!(instance?, wasmparser::ComponentInstance::Instantiate { .. }) {
                        self.instance()?;
                    }
                }
            }
            // Component types nest; they are counted and not walked, so that this scan needs no stack.
            Payload::CoreTypeSection(s) => items(&mut sums.types, s.count(), "types", scan.items)?,
            Payload::ComponentTypeSection(s) => items(&mut sums.types, s.count(), "types", scan.items)?,
            Payload::ComponentAliasSection(s) => items(&mut sums.aliases, s.count(), "aliases", scan.items)?,
            Payload::ComponentCanonicalSection(s) => items(&mut sums.canonical, s.count(), "adapters", scan.items)?,
            Payload::ComponentImportSection(s) => {
                items(&mut sums.imports, s.count(), "imports", scan.items)?;
                if self.open.len() == 1 {
                    for import in s {
                        let import = import?;
                        // A type that equals another one is a name and no power.
                        if matches!(import.ty, ComponentTypeRef::Type(TypeBounds::Eq(_))) {
                            continue;
                        }
                        let name = import.name.name;
                        world::check_import(name, self.wasi_allowed)?;
                        self.wasi |= world::is_wasi(name);
                    }
                }
            }
            Payload::ComponentExportSection(s) => {
                items(&mut sums.exports, s.count(), "exports", scan.items)?;
                if self.open.len() == 1 {
                    for export in s {
                        self.exports.push(export?.name.name.to_owned());
                    }
                }
            }
            Payload::UnknownSection { id, .. } => return Err(ScanFault::Malformed(format!("a section of unknown kind {id}"))),
            _ => {}
        }
        Ok(())
    }

    fn enter(&mut self, encoding: Encoding) -> Result<(), ScanFault> {
        let scan = &self.limits.scan;
        match encoding {
            Encoding::Module => {
                add(&mut self.sums.modules, 1, scan.modules).map_err(|found| ScanFault::TooManyModules { found, limit: scan.modules })?
            }
            // The outermost component is not one inside a component.
            Encoding::Component if self.open.is_empty() => {}
            Encoding::Component => add(&mut self.sums.components, 1, scan.components)
                .map_err(|found| ScanFault::TooManyComponents { found, limit: scan.components })?,
        }
        self.open.push(encoding);
        let found = u32::try_from(self.open.len() - 1).unwrap_or(u32::MAX);
        if found > scan.component_depth {
            return Err(ScanFault::DeepComponents { found, limit: scan.component_depth });
        }
        Ok(())
    }

    fn instance(&mut self) -> Result<(), ScanFault> {
        let limit = self.limits.scan.instances;
        add(&mut self.sums.instances, 1, limit).map_err(|found| ScanFault::TooManyInstances { found, limit })
    }

    fn types(&mut self, types: TypeSectionReader<'_>) -> Result<(), ScanFault> {
        let scan = &self.limits.scan;
        items(&mut self.sums.types, types.count(), "types", scan.items)?;
        for group in types {
            let group = group?;
            // A recursion group may hold many types under a count of one.
            let more = u32::try_from(group.types().len()).unwrap_or(u32::MAX).saturating_sub(1);
            items(&mut self.sums.types, more, "types", scan.items)?;
            for ty in group.types() {
                if let CompositeInnerType::Func(f) = &ty.composite_type.inner {
                    let found = u32::try_from(f.params().len().max(f.results().len())).unwrap_or(u32::MAX);
                    if found > scan.params {
                        return Err(ScanFault::TooManyParams { found, limit: scan.params });
                    }
                }
            }
        }
        Ok(())
    }

    fn memories(&mut self, memories: MemorySectionReader<'_>) -> Result<(), ScanFault> {
        let most = u32::try_from(self.limits.memories).unwrap_or(u32::MAX);
        items(&mut self.sums.memories, memories.count(), "memories", most)?;
        let limit = self.limits.memory_bytes as u64;
        for memory in memories {
            let found = memory?.initial.saturating_mul(WASM_PAGE);
            if found > limit {
                return Err(ScanFault::BigMemory { found, limit });
            }
        }
        Ok(())
    }

    fn tables(&mut self, tables: TableSectionReader<'_>) -> Result<(), ScanFault> {
        let most = u32::try_from(self.limits.tables).unwrap_or(u32::MAX);
        items(&mut self.sums.tables, tables.count(), "tables", most)?;
        let limit = self.limits.table_elements as u64;
        for table in tables {
            let found = table?.ty.initial;
            if found > limit {
                return Err(ScanFault::BigTable { found, limit });
            }
        }
        Ok(())
    }

    fn function(&mut self, body: &FunctionBody<'_>) -> Result<(), ScanFault> {
        let scan = &self.limits.scan;
        let found = u32::try_from(body.as_bytes().len()).unwrap_or(u32::MAX);
        if found > scan.body_bytes {
            return Err(ScanFault::HugeFunction { found, limit: scan.body_bytes });
        }
        let mut locals = 0u32;
        for group in body.get_locals_reader()? {
            add(&mut locals, group?.0, scan.locals).map_err(|found| ScanFault::TooManyLocals { found, limit: scan.locals })?;
        }
        let mut depth = 0u32;
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            match operators.read()? {
                Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } | Operator::Try { .. } | Operator::TryTable { .. } => {
                    add(&mut depth, 1, scan.nesting).map_err(|found| ScanFault::DeepBlocks { found, limit: scan.nesting })?;
                }
                Operator::End => depth = depth.saturating_sub(1),
                Operator::BrTable { targets } => {
                    let found = targets.len();
                    if found > scan.branch_targets {
                        return Err(ScanFault::WideBranch { found, limit: scan.branch_targets });
                    }
                    add(&mut self.sums.branches, found, scan.branch_targets_total)
                        .map_err(|found| ScanFault::TooManyBranches { found, limit: scan.branch_targets_total })?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Adds to a sum; `Err` carries the sum that is over the limit.
fn add(sum: &mut u32, more: u32, limit: u32) -> Result<(), u32> {
    *sum = sum.saturating_add(more);
    if *sum > limit { Err(*sum) } else { Ok(()) }
}

fn items(sum: &mut u32, more: u32, what: &'static str, limit: u32) -> Result<(), ScanFault> {
    add(sum, more, limit).map_err(|found| ScanFault::TooManyItems { what, found, limit })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn other_files_are_told_apart() {
        let limits = Limits::default();
        assert_eq!(scan(b"", &limits, false), Err(ScanFault::NotWasm));
        assert_eq!(scan(b"PK\x03\x04 a zip file", &limits, false), Err(ScanFault::NotWasm));
        assert_eq!(scan(b"\0asm\x01\0\0\0", &limits, false), Err(ScanFault::CoreModule));
        assert_eq!(scan(b"\0asm\x0d\0\x01\0", &limits, false), Err(ScanFault::MissingExport { name: "verify" }));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_scan_panic(tail in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut file = b"\0asm\x0d\0\x01\0".to_vec();
            file.extend(tail);
            prop_assert!(scan(&file, &Limits::default(), true).is_err());
        }
    }
}
