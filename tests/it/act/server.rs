//! A server that writes down what it gets, byte for byte, and answers what a test says. No HTTP library lies in between that would put right
//! what is wrong.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What it does with a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A status and a body.
    Status(u16, String),
    /// A redirect.
    MovedTo(u16, String),
    /// Reads the request and closes.
    Closes,
    /// Reads the request and says nothing.
    Hangs,
    /// A good status, then bytes without end.
    Endless,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Got {
    pub line: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Got {
    /// # Panics
    /// When it stands there twice.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(n, _)| n == name);
        let first = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} stands twice in {self:?}");
        first
    }
}

#[derive(Debug)]
pub struct Server {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Server {
    pub fn start(answer: Answer) -> Self {
        Self::start_at("127.0.0.1:0", answer)
    }

    /// Listens until the tests end.
    pub fn start_at(address: &str, answer: Answer) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let server = Self { address, connections: Arc::default(), got: Arc::default() };
        let (connections, got) = (server.connections.clone(), server.got.clone());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                connections.fetch_add(1, SeqCst);
                let (answer, got) = (answer.clone(), got.clone());
                thread::spawn(move || serve(stream, &answer, &got));
            }
        });
        server
    }

    pub fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

fn serve(mut stream: TcpStream, answer: &Answer, got: &Mutex<Vec<Got>>) {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let Some(request) = read(&mut stream) else { return };
    got.lock().unwrap().push(request);
    let text = match answer {
        Answer::Status(status, body) => format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()),
        Answer::MovedTo(status, to) => format!("HTTP/1.1 {status} X\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
        Answer::Closes => return,
        Answer::Hangs => {
            thread::sleep(Duration::from_secs(20));
            return;
        }
        Answer::Endless => "HTTP/1.1 200 X\r\nconnection: close\r\n\r\n".to_owned(),
    };
    // Whoever hangs up has what it wanted.
    let mut is_there = stream.write_all(text.as_bytes()).is_ok();
    while is_there && matches!(answer, Answer::Endless) {
        is_there = stream.write_all(&[b'x'; 8_192]).is_ok();
    }
}

/// One request, whole; nothing where whoever sent it hung up before its end.
pub fn read(stream: &mut TcpStream) -> Option<Got> {
    let (mut all, mut bite) = (Vec::new(), [0; 8_192]);
    let end = loop {
        if let Some(end) = all.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        let count = stream.read(&mut bite).ok().filter(|count| *count > 0)?;
        all.extend_from_slice(&bite[..count]);
    };
    let head = String::from_utf8(all[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let line = lines.next()?.to_owned();
    let headers: Vec<(String, String)> =
        lines.map(|line| line.split_once(':').unwrap()).map(|(n, v)| (n.to_lowercase(), v.trim().to_owned())).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = all.split_off(end + 4);
    while body.len() < length {
        let count = stream.read(&mut bite).ok().filter(|count| *count > 0)?;
        body.extend_from_slice(&bite[..count]);
    }
    Some(Got { line, headers, body })
}
