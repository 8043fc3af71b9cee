//! Cached code is believed only when its MAC holds over every byte; anything else is recompiled and never executed.

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{call, config, engine, report};
use crm_engine::{Compiler, Engine, EngineConfig, EngineError};
use crm_guests::doubles::{World, sync};

const HEADER: usize = 104;

/// Compiling in this process keeps hundreds of recompilations short; the cache's code is the same.
fn cached(dir: &Path) -> EngineConfig {
    EngineConfig { cache_dir: Some(dir.to_owned()), compiler: Compiler::InProcess, ..config() }
}

/// A connector that compiles fast.
fn file() -> Vec<u8> {
    crm_guests::files::connector("")
}

async fn from_cache(engine: &Engine) -> bool {
    engine.prove(file()).await.unwrap_or_else(|e| panic!("{e}")).from_cache()
}

fn entry(dir: &Path) -> PathBuf {
    let entries: Vec<_> = fs::read_dir(dir).unwrap_or_else(|e| panic!("{e}")).filter_map(|e| Some(e.ok()?.path())).collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries[0].clone()
}

struct Bench {
    dir: tempfile::TempDir,
    engine: Arc<Engine>,
    entry: PathBuf,
    good: Vec<u8>,
}

async fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"));
    let engine = engine(cached(dir.path()));
    assert!(!from_cache(&engine).await);
    assert!(from_cache(&engine).await);
    let entry = entry(dir.path());
    let good = fs::read(&entry).unwrap_or_else(|e| panic!("{e}"));
    Bench { dir, engine, entry, good }
}

impl Bench {
    /// Puts `bytes` in the entry's place: they must be refused, and a good entry must stand there afterwards.
    async fn refuses(&self, bytes: &[u8], what: &str) {
        fs::write(&self.entry, bytes).unwrap_or_else(|e| panic!("{e}"));
        assert!(!from_cache(&self.engine).await, "{what} was believed");
        assert!(from_cache(&self.engine).await, "{what} was not replaced");
    }
}

#[tokio::test]
async fn another_start_takes_the_code_from_the_cache_and_it_runs() {
    let dir = tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"));
    let guest = crm_guests::guest("synthetic");
    let first = engine(EngineConfig { cache_dir: Some(dir.path().to_owned()), ..config() });
    assert!(!first.prove(guest.clone()).await.unwrap_or_else(|e| panic!("{e}")).from_cache());
    drop(first);
    // A worker that cannot be started proves that nothing is compiled.
    let compiler = Compiler::Child { program: "/nowhere/worker".into(), args: vec![] };
    let second = engine(EngineConfig { compiler, ..cached(dir.path()) });
    let proven = second.prove(guest).await.unwrap_or_else(|e| panic!("{e}"));
    assert!(proven.from_cache());
    let digest = second.activate(proven);
    report(call(&second, &digest, sync("idle"), World::refuses()).await);
}

#[tokio::test]
async fn every_flipped_byte_of_the_header_is_noticed() {
    let bench = bench().await;
    for at in 0..HEADER {
        let mut bytes = bench.good.clone();
        bytes[at] ^= 1 << (at % 8);
        bench.refuses(&bytes, &format!("byte {at}")).await;
    }
}

#[tokio::test]
async fn flipped_bytes_of_the_code_are_noticed() {
    let bench = bench().await;
    let step = (bench.good.len() - HEADER) / 40;
    for at in (HEADER..bench.good.len()).step_by(step) {
        let mut bytes = bench.good.clone();
        bytes[at] ^= 0x40;
        bench.refuses(&bytes, &format!("byte {at}")).await;
    }
}

#[tokio::test]
async fn cut_off_lengthened_and_empty_entries_are_refused() {
    let bench = bench().await;
    for len in [0, 1, HEADER - 1, HEADER, bench.good.len() - 1] {
        bench.refuses(&bench.good[..len], &format!("{len} bytes")).await;
    }
    bench.refuses(&[bench.good.as_slice(), b"x"].concat(), "a byte too many").await;
    bench.refuses(&bench.good[HEADER..], "code without a header").await;
}

#[tokio::test]
async fn an_entry_of_another_key_or_component_is_refused() {
    let bench = bench().await;
    let other = engine(EngineConfig { cache_key: [8; 32], ..cached(bench.dir.path()) });
    assert!(!from_cache(&other).await, "another host's entry was believed");
    assert!(!from_cache(&bench.engine).await, "the other host's entry was believed here");
    // A good entry of one component under the name of another.
    let twin = crm_guests::files::connector("(func)");
    drop(bench.engine.prove(twin.clone()).await.unwrap_or_else(|e| panic!("{e}")));
    let entries: Vec<_> = fs::read_dir(bench.dir.path()).unwrap_or_else(|e| panic!("{e}")).filter_map(|e| Some(e.ok()?.path())).collect();
    for other in entries.iter().filter(|path| **path != bench.entry) {
        fs::copy(&bench.entry, other).unwrap_or_else(|e| panic!("{e}"));
    }
    assert!(!bench.engine.prove(twin).await.unwrap_or_else(|e| panic!("{e}")).from_cache());
}

#[tokio::test]
async fn a_symbolic_link_is_not_followed_even_to_a_good_entry() {
    let bench = bench().await;
    let elsewhere = tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"));
    let moved = elsewhere.path().join("good");
    fs::rename(&bench.entry, &moved).unwrap_or_else(|e| panic!("{e}"));
    symlink(&moved, &bench.entry).unwrap_or_else(|e| panic!("{e}"));
    assert!(!from_cache(&bench.engine).await);
    assert!(!fs::symlink_metadata(&bench.entry).unwrap_or_else(|e| panic!("{e}")).is_symlink(), "the link was written through");
    assert_eq!(fs::read(&moved).unwrap_or_else(|e| panic!("{e}")), bench.good);
}

#[tokio::test]
async fn a_directory_or_a_pipe_in_the_entrys_place_hurts_nothing() {
    let bench = bench().await;
    fs::remove_file(&bench.entry).unwrap_or_else(|e| panic!("{e}"));
    fs::create_dir(&bench.entry).unwrap_or_else(|e| panic!("{e}"));
    assert!(!from_cache(&bench.engine).await);
}

#[tokio::test]
async fn the_cache_directory_is_made_private() {
    let dir = tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"));
    let path = dir.path().join("code");
    fs::create_dir(&path).unwrap_or_else(|e| panic!("{e}"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap_or_else(|e| panic!("{e}"));
    drop(engine(cached(&path)));
    let mode = fs::metadata(&path).unwrap_or_else(|e| panic!("{e}")).permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let link = dir.path().join("link");
    symlink(&path, &link).unwrap_or_else(|e| panic!("{e}"));
    assert!(matches!(Engine::new(cached(&link)), Err(EngineError::CacheDir { .. })));
}
