//! Check 13: whatever a vendor does, an exchange ends, within its size and its time, and nothing is followed.

use std::io::Write;
use std::time::{Duration, Instant};

use crm_contract::types::{Body, Request, Unanswered};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use crate::support::{Book, Reply, Vault, Vendor, World, call};

const MANIFEST: &str = r#"
[[endpoints]]
name = "api"
url = "https://api.acme.example"
[[calls]]
name = "read"
doc = "d"
stages = ["sync"]
method = "GET"
path = "/x"
effect = "read"
max_kib = 64
[[calls]]
name = "write"
doc = "d"
stages = ["sync"]
method = "POST"
path = "/x"
effect = "write"
body = "json"
writes = ["/**"]
max_kib = 64
"#;

async fn against(reply: Reply) -> (World, Vendor) {
    let vendor = Vendor::start(move |_| reply.clone()).await;
    let world = World::new(MANIFEST, Vault::new(&[]), &[("api", &vendor.url)]);
    (world, vendor)
}

fn write() -> Request {
    Request { body: Body::Json("{}".into()), ..call("write") }
}

fn head(text: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{text}\r\n\r\n").into_bytes()
}

fn encoded(name: &str, data: &[u8]) -> Reply {
    let body = match name {
        "gzip" => {
            let mut w = GzEncoder::new(Vec::new(), Compression::best());
            w.write_all(data).unwrap();
            w.finish().unwrap()
        }
        "deflate" => {
            let mut w = ZlibEncoder::new(Vec::new(), Compression::best());
            w.write_all(data).unwrap();
            w.finish().unwrap()
        }
        "raw" => {
            let mut w = DeflateEncoder::new(Vec::new(), Compression::best());
            w.write_all(data).unwrap();
            w.finish().unwrap()
        }
        _ => {
            let mut out = Vec::new();
            brotli::CompressorWriter::new(&mut out, 4_096, 9, 22).write_all(data).unwrap();
            out
        }
    };
    let name = if name == "raw" { "deflate" } else { name };
    Reply::Full(200, vec![("content-encoding".into(), name.into())], body)
}

#[tokio::test]
async fn compressed_answers_are_read_and_bombs_are_not() {
    for name in ["gzip", "deflate", "raw", "br"] {
        let (world, vendor) = against(encoded(name, br#"{"id":"1"}"#)).await;
        assert_eq!(world.send(call("read")).await.unwrap().body, br#"{"id":"1"}"#, "{name}");
        assert_eq!(vendor.last().header("accept-encoding"), Some("gzip, deflate, br"));
        let (world, _) = against(encoded(name, &vec![0; 16 * 1_024 * 1_024])).await;
        assert_eq!(world.send(call("read")).await, Err(Unanswered::TooLarge), "{name}");
    }
}

/// What a reader gets, and what a writer gets, from each bad answer.
#[tokio::test]
async fn every_bad_answer_ends_in_time_with_its_own_word() {
    let many = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect::<String>();
    let wide = format!("x-big: {}", "v".repeat(70_000));
    let chunked = head("transfer-encoding: chunked");
    let huge = b"10000\r\n".iter().copied().chain(std::iter::repeat_n(b'x', 0x10000)).chain(*b"\r\n").collect::<Vec<u8>>();
    let cases: Vec<(&str, Reply, &[Unanswered])> = vec![
        ("too large by its own word", Reply::Hang(head("content-length: 10000000")), &[Unanswered::TooLarge]),
        ("too large in fact", Reply::Full(200, vec![], vec![b'x'; 70_000]), &[Unanswered::TooLarge]),
        ("endless chunks", Reply::Endless(chunked.clone(), huge), &[Unanswered::TooLarge]),
        ("endless headers", Reply::Endless(b"HTTP/1.1 200 OK\r\n".to_vec(), b"x-more: yes\r\n".to_vec()), &[Unanswered::Unreachable]),
        (
            "too many headers",
            Reply::Raw(format!("HTTP/1.1 200 OK\r\n{many}content-length: 0\r\n\r\n").into_bytes()),
            &[Unanswered::Unreachable],
        ),
        ("headers too wide", Reply::Raw(head(&format!("{wide}\r\ncontent-length: 0"))), &[Unanswered::TooLarge, Unanswered::Unreachable]),
        ("silence", Reply::Hang(vec![]), &[Unanswered::TimedOut]),
        ("half a head", Reply::Hang(b"HTTP/1.1 200 OK\r\ncont".to_vec()), &[Unanswered::TimedOut]),
        ("half a body", Reply::Hang([head("content-length: 100"), b"abc".to_vec()].concat()), &[Unanswered::TimedOut]),
        ("cut before a word", Reply::Raw(vec![]), &[Unanswered::Unreachable]),
        ("cut in the head", Reply::Raw(b"HTTP/1.1 20".to_vec()), &[Unanswered::Unreachable]),
        ("cut in the body", Reply::Raw([head("content-length: 100"), b"abc".to_vec()].concat()), &[Unanswered::Unreachable]),
        ("cut in a chunk", Reply::Raw([chunked, b"5\r\nab".to_vec()].concat()), &[Unanswered::Unreachable]),
        ("no HTTP", Reply::Raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n".to_vec()), &[Unanswered::Unreachable]),
        ("HTTP/0.9", Reply::Raw(b"<html>hello</html>".to_vec()), &[Unanswered::Unreachable]),
        ("two lengths", Reply::Raw(head("content-length: 1\r\ncontent-length: 2")), &[Unanswered::Unreachable]),
        ("unknown encoding", Reply::Full(200, vec![("content-encoding".into(), "zstd".into())], vec![1, 2, 3]), &[Unanswered::Unreachable]),
        (
            "stacked encodings",
            Reply::Full(200, vec![("content-encoding".into(), "gzip, gzip".into())], vec![1, 2, 3]),
            &[Unanswered::Unreachable],
        ),
        (
            "false encoding",
            Reply::Full(200, vec![("content-encoding".into(), "gzip".into())], b"plain".to_vec()),
            &[Unanswered::Unreachable],
        ),
    ];
    for (name, reply, wanted) in cases {
        let (world, vendor) = against(reply).await;
        let started = Instant::now();
        let got = world.send(call("read")).await.unwrap_err();
        assert!(wanted.contains(&got), "{name}: {got:?}");
        assert!(started.elapsed() < Duration::from_secs(3), "{name} took {:?}", started.elapsed());
        assert_eq!(world.send(write()).await, Err(Unanswered::UnknownOutcome), "{name}: a write that was sent is unknown");
        assert_eq!(vendor.requests(), 2, "{name}: nothing is repeated by itself");
    }
}

#[tokio::test]
async fn a_refused_connection_is_unreachable_for_a_write_as_well() {
    let world = World::new(MANIFEST, Vault::new(&[]), &[("api", "http://127.0.0.1:1")]);
    assert_eq!(world.send(call("read")).await, Err(Unanswered::Unreachable));
    let book = Book::new();
    assert_eq!(world.open(&book).send(write()).await, Err(Unanswered::Unreachable), "no byte left, so it may be sent again");
    assert!(book.intents.lock().is_empty(), "the intent is settled");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_never_followed() {
    let elsewhere = Vendor::start(|_| Reply::json(200, "{}")).await;
    for status in [301, 302, 303, 307, 308] {
        let to = elsewhere.url.clone();
        let vendor = Vendor::start(move |_| Reply::json(status, "{}").with("location", &to)).await;
        let world = World::new(MANIFEST, Vault::new(&[]), &[("api", &vendor.url)]);
        assert_eq!(world.send(call("read")).await.unwrap().status, status);
    }
    assert_eq!(elsewhere.sockets.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[tokio::test]
async fn connections_are_kept_and_reused() {
    let (world, vendor) = against(Reply::json(200, "{}")).await;
    let run = world.open(&Book::new());
    for _ in 0..20 {
        run.send(call("read")).await.unwrap();
    }
    assert_eq!(vendor.sockets.load(std::sync::atomic::Ordering::SeqCst), 1);
}
