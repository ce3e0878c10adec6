//! A server for faults that a real one can't show on demand: it answers with exactly the bytes and pauses a test writes down.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    /// First line.
    pub line: String,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
    pub form: HashMap<String, String>,
}

/// A part of an answer.
#[derive(Debug, Clone)]
pub enum Piece {
    Bytes(Vec<u8>),
    Pause(Duration),
}

type Handler = Arc<dyn Fn(&Received, usize) -> Vec<Piece> + Send + Sync>;

pub struct Fake {
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    task: JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fake {
    /// `handler` gets each request and how many came before it.
    pub async fn start(handler: impl Fn(&Received, usize) -> Vec<Piece> + Send + Sync + 'static) -> Self {
        Self::serve(None, Arc::new(handler)).await
    }

    pub async fn start_tls(tls: TlsAcceptor, handler: impl Fn(&Received, usize) -> Vec<Piece> + Send + Sync + 'static) -> Self {
        Self::serve(Some(tls), Arc::new(handler)).await
    }

    async fn serve(tls: Option<TlsAcceptor>, handler: Handler) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let log = received.clone();
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (handler, log, tls) = (handler.clone(), log.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => answer(socket, handler, log).await,
                        Some(tls) => {
                            if let Ok(socket) = tls.accept(socket).await {
                                answer(socket, handler, log).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, received, task }
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

async fn answer(mut socket: impl AsyncRead + AsyncWrite + Unpin, handler: Handler, log: Arc<Mutex<Vec<Received>>>) {
    let Some(request) = read(&mut socket).await else { return };
    let before = {
        let mut log = log.lock().unwrap();
        log.push(request.clone());
        log.len() - 1
    };
    for piece in handler(&request, before) {
        match piece {
            Piece::Pause(time) => tokio::time::sleep(time).await,
            Piece::Bytes(bytes) => {
                if socket.write_all(&bytes).await.is_err() {
                    return;
                }
                let _ = socket.flush().await;
            }
        }
    }
    let _ = socket.shutdown().await;
}

async fn read(socket: &mut (impl AsyncRead + Unpin)) -> Option<Received> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let n = socket.read(&mut buffer).await.ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&buffer[..n]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let mut lines = head.lines();
        let line = lines.next()?.to_owned();
        let headers: HashMap<_, _> = lines.filter_map(|l| l.split_once(": ")).map(|(n, v)| (n.to_lowercase(), v.to_owned())).collect();
        let length: usize = headers.get("content-length").map_or(0, |l| l.parse().unwrap());
        if body.len() >= length {
            let form = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
            return Some(Received { line, headers, form });
        }
    }
}

/// A whole answer with its length stated.
pub fn reply(status: u16, headers: &str, body: &str) -> Vec<Piece> {
    let text = format!("HTTP/1.1 {status} Whatever\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}", body.len());
    vec![Piece::Bytes(text.into_bytes())]
}

pub fn json(body: &str) -> Vec<Piece> {
    reply(200, "content-type: application/json\r\n", body)
}

/// A matrix over the grid that was asked for: `rows` series, each point's value its time in minutes plus the row.
pub fn matrix(request: &Received, rows: usize, extra: &str) -> String {
    let number = |name: &str| request.form[name].parse::<f64>().unwrap();
    let (start, end, step) = (number("start"), number("end"), number("step"));
    let mut series = Vec::new();
    for row in 0..rows {
        let mut values = Vec::new();
        let mut at = start;
        while at <= end {
            values.push(format!("[{at},\"{}\"]", at / 60.0 + row as f64));
            at += step;
        }
        series.push(format!(r#"{{"metric":{{"row":"{row}"}},"values":[{}]}}"#, values.join(",")));
    }
    format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{}]}}{extra}}}"#, series.join(","))
}
