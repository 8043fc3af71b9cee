//! A server that notes every request and answers what it is told, on loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Method and target.
    pub(crate) line: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

pub(crate) struct Server {
    pub(crate) url: String,
    noted: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// `answers`: method and target, status, body. What is not in it is answered with a 404.
    pub(crate) fn new(answers: Vec<(&'static str, u16, Value)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let noted = Arc::new(Mutex::new(Vec::new()));
        let (notes, own) = (noted.clone(), url.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that went away is no matter here: the test looks at what was noted.
                drop(serve(stream, &answers, &notes, &own));
            }
        });
        Self { url, noted }
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.noted.lock().expect("no thread panicked").clone()
    }

    /// The only one.
    #[track_caller]
    pub(crate) fn request(&self) -> Request {
        let all = self.requests();
        assert_eq!(all.len(), 1, "{all:?}");
        all.into_iter().next().expect("one")
    }
}

fn serve(mut stream: TcpStream, answers: &[(&'static str, u16, Value)], noted: &Mutex<Vec<Request>>, own: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let line = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let told = answers.iter().find(|(asked, _, _)| *asked == line);
    noted.lock().expect("no thread panicked").push(Request { line, headers, body });
    let (status, answer) = told.map_or((404, Value::Null), |(_, status, answer)| (*status, answer.clone()));
    let answer = if answer.is_null() { String::new() } else { answer.to_string() };
    let length = answer.len();
    write!(stream, "HTTP/1.1 {status} x\r\nlocation: {own}/elsewhere\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{answer}")
}
