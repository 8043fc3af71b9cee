//! A vendor on loopback that answers as it is told, counts its sockets and keeps what it saw.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as the vendor saw it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// What the vendor does.
#[derive(Clone)]
pub(crate) enum Reply {
    Full(u16, Vec<(String, String)>, Vec<u8>),
    /// These bytes, then the connection closes.
    Raw(Vec<u8>),
    /// These bytes, then silence with the connection open.
    Hang(Vec<u8>),
    /// The bytes again and again until the other side leaves.
    Endless(Vec<u8>, Vec<u8>),
}

impl Reply {
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::Full(status, vec![("content-type".into(), "application/json".into())], body.as_bytes().to_vec())
    }

    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        match self {
            Self::Full(status, mut headers, body) => {
                headers.push((name.into(), value.into()));
                Self::Full(status, headers, body)
            }
            other => other,
        }
    }
}

type Handler = dyn Fn(&Seen) -> Reply + Send + Sync;

/// A vendor on loopback.
pub(crate) struct Vendor {
    pub(crate) url: String,
    pub(crate) port: u16,
    pub(crate) sockets: Arc<AtomicUsize>,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
}

impl Vendor {
    pub(crate) async fn start(handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sockets, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let handler: Arc<Handler> = Arc::new(handler);
        let (count, log) = (sockets.clone(), seen.clone());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(socket, handler.clone(), log.clone()));
            }
        });
        Self { url: format!("http://127.0.0.1:{port}"), port, sockets, seen }
    }

    pub(crate) fn requests(&self) -> usize {
        self.seen.lock().len()
    }

    pub(crate) fn last(&self) -> Seen {
        self.seen.lock().last().cloned().unwrap_or_default()
    }
}

async fn serve(mut socket: TcpStream, handler: Arc<Handler>, log: Arc<Mutex<Vec<Seen>>>) {
    let mut buffer = Vec::new();
    loop {
        let Some(seen) = request(&mut socket, &mut buffer).await else { return };
        log.lock().push(seen.clone());
        match handler(&seen) {
            Reply::Full(status, headers, body) => {
                let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
                for (name, value) in headers {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                head.push_str("\r\n");
                // One write: two would wait for each other's acknowledgement.
                if socket.write_all(&[head.into_bytes(), body].concat()).await.is_err() {
                    return;
                }
            }
            Reply::Raw(bytes) => {
                drop(socket.write_all(&bytes).await);
                return;
            }
            Reply::Hang(bytes) => {
                drop(socket.write_all(&bytes).await);
                std::future::pending::<()>().await;
            }
            Reply::Endless(head, piece) => {
                drop(socket.write_all(&head).await);
                while socket.write_all(&piece).await.is_ok() {}
                return;
            }
        }
    }
}

async fn request(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Seen> {
    loop {
        if let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            let mut lines = head.split("\r\n");
            let mut first = lines.next()?.split(' ');
            let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
            let headers: Vec<(String, String)> =
                lines.filter_map(|l| l.split_once(':')).map(|(n, v)| (n.to_lowercase(), v.trim().to_owned())).collect();
            let length = headers.iter().find(|(n, _)| n == "content-length").and_then(|(_, v)| v.parse().ok()).unwrap_or(0);
            if buffer.len() >= end + 4 + length {
                let body = String::from_utf8_lossy(&buffer[end + 4..end + 4 + length]).into_owned();
                buffer.drain(..end + 4 + length);
                return Some(Seen { method, target, headers, body });
            }
        }
        let mut chunk = [0u8; 8_192];
        match socket.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(n) => buffer.extend_from_slice(&chunk[..n]),
        }
    }
}
