//! Accepts connections, a bounded number, and closes those that neither ask nor listen.
//!
//! axum's own `serve` sets no timeouts at all: a client that sends a byte a minute, or never reads its answer, would keep a task and a socket
//! for ever. hyper's header timeout needs a timer that `serve` does not set, and would not cover bodies and answers anyway. So the limits sit
//! below HTTP, on the socket, where all three cases are one thing: too long without the other side doing its part.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

use crate::metrics::Metrics;

/// Connections open at once; more wait in the kernel's backlog. A handful of browsers (six each), scrapers and probes fit many times, and
/// each costs some 10 kB and a descriptor of the 1,024 a process has by default.
pub const MAX_CONNECTIONS: usize = 128;

/// After an error of `accept` that is not one connection's own (out of descriptors, say): wait for some to be closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// How long a client may keep us waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Between requests, and before the first. More than the usual scrape interval of a minute, so that Prometheus can keep its connection.
    pub idle: Duration,
    /// From a request's first byte to its answer's first. Twice the time a handler has.
    pub exchange: Duration,
    /// Without reading a byte of the answer.
    pub stall: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { idle: Duration::from_secs(75), exchange: Duration::from_secs(20), stall: Duration::from_secs(10) }
    }
}

/// A TCP listener with [`MAX_CONNECTIONS`] and [`Patience`].
#[derive(Debug)]
pub struct BoundedListener {
    tcp: TcpListener,
    slots: Arc<Semaphore>,
    patience: Patience,
    metrics: Arc<Metrics>,
}

impl BoundedListener {
    pub fn new(tcp: TcpListener, patience: Patience, metrics: Arc<Metrics>) -> Self {
        Self { tcp, slots: Arc::new(Semaphore::new(MAX_CONNECTIONS)), patience, metrics }
    }
}

impl Listener for BoundedListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let slot = self.slots.clone().acquire_owned().await.expect("the semaphore is never closed");
        loop {
            match self.tcp.accept().await {
                Ok((stream, peer)) => {
                    // Small answers in one piece; waiting to fill a packet only adds latency. Failing to say so harms nothing.
                    let _ = stream.set_nodelay(true);
                    return (Connection::new(stream, self.patience, slot, self.metrics.clone()), peer);
                }
                Err(why) if is_the_clients(&why) => {}
                Err(why) => {
                    tracing::warn!(%why, "could not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// The connection was gone before it was accepted.
fn is_the_clients(why: &io::Error) -> bool {
    matches!(why.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// The client may begin a request.
    Idle,
    /// It has begun one that is not answered.
    Exchange,
    /// It is to read the answer and does not.
    Stall,
}

/// A TCP connection that fails with [`io::ErrorKind::TimedOut`] when its client is too slow.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    patience: Patience,
    turn: Turn,
    deadline: Pin<Box<Sleep>>,
    metrics: Arc<Metrics>,
    _slot: OwnedSemaphorePermit,
}

impl Connection {
    fn new(stream: TcpStream, patience: Patience, slot: OwnedSemaphorePermit, metrics: Arc<Metrics>) -> Self {
        metrics.http_connections.inc();
        let deadline = Box::pin(tokio::time::sleep(patience.idle));
        Self { stream, patience, turn: Turn::Idle, deadline, metrics, _slot: slot }
    }

    fn take_turn(&mut self, turn: Turn) {
        let patience = match turn {
            Turn::Idle => self.patience.idle,
            Turn::Exchange => self.patience.exchange,
            Turn::Stall => self.patience.stall,
        };
        self.turn = turn;
        self.deadline.as_mut().reset(Instant::now() + patience);
    }

    /// For an operation that would wait: pending until the deadline, then an error.
    fn wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        self.deadline.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    fn wrote(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(bytes)) if bytes > 0 => self.take_turn(Turn::Idle),
            Poll::Ready(_) => {}
            Poll::Pending => {
                if self.turn != Turn::Stall {
                    self.take_turn(Turn::Stall);
                }
                return self.wait(cx);
            }
        }
        written
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.metrics.http_connections.dec();
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if read.is_pending() {
            return self.wait(cx);
        }
        if buf.filled().len() > before && self.turn == Turn::Idle {
            self.take_turn(Turn::Exchange);
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(cx, written)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.wrote(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
