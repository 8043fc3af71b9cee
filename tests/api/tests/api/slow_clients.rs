//! Slow clients over real sockets, with small timeouts: no header, half a header, half a body, silence after an answer, and
//! an answer that nobody reads. Each is let go in time, and a good client is served meanwhile.

use std::time::Duration;

use crm_api::{Limits, Serving, Shutdown, Timeouts};
use crm_api_tests::World;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

const SMALL: Duration = Duration::from_millis(300);
/// Far beyond every timeout under test: reaching it means that the client was not let go.
const NEVER: Duration = Duration::from_secs(20);

struct Server {
    address: std::net::SocketAddr,
    world: World,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
}

async fn server(connections: usize) -> anyhow::Result<Server> {
    let world = World::with(Limits { body: SMALL, file_total: SMALL * 4, ..Limits::default() }).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let timeouts = Timeouts { header: SMALL, idle: SMALL, write: SMALL, connections };
    let shutdown = Shutdown::on(async move {
        let _either_way = stopped.await;
    })
    .grace(Duration::from_secs(5));
    let served = tokio::spawn(crm_api::serve_with(listener, world.router.clone(), Serving { timeouts, ..Serving::default() }, shutdown));
    Ok(Server { address, world, stop: Some(stop), served })
}

/// Everything until the server closes.
async fn until_closed(stream: &mut TcpStream) -> anyhow::Result<String> {
    let mut all = Vec::new();
    let _reset_is_closed_too = timeout(NEVER, stream.read_to_end(&mut all)).await?;
    Ok(String::from_utf8_lossy(&all).into_owned())
}

#[tokio::test]
async fn clients_that_send_no_header_or_half_of_one_are_let_go() -> anyhow::Result<()> {
    let server = server(64).await?;
    for text in ["", "GET /healthz HTTP/1.1\r\nhost: x\r\n"] {
        let mut stream = TcpStream::connect(server.address).await?;
        stream.write_all(text.as_bytes()).await?;
        let answer = until_closed(&mut stream).await?;
        assert!(!answer.contains("200 OK"), "{answer}");
    }
    // One byte at a time does not help either.
    let stream = TcpStream::connect(server.address).await?;
    let (mut reader, mut writer) = stream.into_split();
    let drip = tokio::spawn(async move {
        let mut tick = tokio::time::interval(SMALL / 10);
        for byte in "GET /healthz HTTP/1.1\r\nx-slow: ".bytes().chain(std::iter::repeat(b'a')) {
            tick.tick().await;
            if writer.write_all(&[byte]).await.is_err() {
                return;
            }
        }
    });
    let began = Instant::now();
    let mut all = Vec::new();
    let _reset_is_closed_too = timeout(NEVER, reader.read_to_end(&mut all)).await?;
    assert!(began.elapsed() < NEVER);
    timeout(NEVER, drip).await??;
    Ok(())
}

#[tokio::test]
async fn clients_that_send_half_a_body_are_answered_408() -> anyhow::Result<()> {
    let server = server(64).await?;
    let key = server.world.ann.key.clone();
    let campaign = server.world.campaign("friends", &[]).await?;
    for (path, kind) in [("/v1/campaigns".to_owned(), "application/json"), (format!("/v1/imports?campaign={campaign}"), "text/csv")] {
        let mut stream = TcpStream::connect(server.address).await?;
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-type: {kind}\r\ncontent-length: 100\r\n\r\nEmail"
        );
        stream.write_all(head.as_bytes()).await?;
        let answer = until_closed(&mut stream).await?;
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(answer.contains("application/problem+json") && answer.contains("request_timeout"), "{answer}");
    }
    Ok(())
}

#[tokio::test]
async fn silent_clients_are_let_go_and_free_their_places_for_good_ones() -> anyhow::Result<()> {
    let server = server(4).await?;
    let mut silent = Vec::new();
    for _ in 0..16 {
        silent.push(TcpStream::connect(server.address).await?);
    }
    let mut good = TcpStream::connect(server.address).await?;
    good.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await?;
    // Answered once the silent ones before it are gone; then it goes silent itself and is let go too.
    let answer = until_closed(&mut good).await?;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for mut stream in silent {
        until_closed(&mut stream).await?;
    }
    Ok(())
}

#[tokio::test]
async fn shutting_down_finishes_requests_under_way_and_takes_no_new_ones() -> anyhow::Result<()> {
    let mut server = server(64).await?;
    let key = server.world.ann.key.clone();
    let mut stream = TcpStream::connect(server.address).await?;
    let body = r#"{"name":"n","slug":"spring","commission":{"model":"rev_share","percent":"25"}}"#;
    let head = format!(
        "POST /v1/campaigns HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    let mut start = [0u8; 25];
    timeout(NEVER, stream.read_exact(&mut start)).await??;
    assert!(start.starts_with(b"HTTP/1.1 100"), "the handler waits for the body");
    if let Some(stop) = server.stop.take() {
        let _gone_is_fine = stop.send(());
    }
    stream.write_all(body.as_bytes()).await?;
    let answer = until_closed(&mut stream).await?;
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    timeout(NEVER, server.served).await???;
    assert!(TcpStream::connect(server.address).await.is_err());
    Ok(())
}
