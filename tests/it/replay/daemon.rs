//! The real daemon lives through a made world as fast as it can, and what it wrote down is read.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use portent::clock::Clock;
use portent::core::engine::Effect;
use portent::core::prediction::Prediction;
use portent::core::time::{Span, Timestamp};
use portent::daemon::{Daemon, LEDGER_FILE, Options, TOO_LATE};
use portent::demo::server::DemoServer;
use portent::ledger::{Filter, Ledger};
use portent::source::replay::DataSet;
use tokio::sync::{Notify, mpsc};

use super::world;

/// Time stands still while anybody works, and leaps to what is waited for once nobody does. Every tick comes at the very moment it is due,
/// however slow the machine: two runs have the same ticks.
struct LeapingClock {
    now: Mutex<Timestamp>,
    woken: Mutex<Vec<Timestamp>>,
    end: Timestamp,
    /// Who would wake in here sleeps until it is over: a machine that was suspended.
    suspended: Range<Timestamp>,
    ended: Notify,
}

impl Clock for LeapingClock {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    fn sleep_until(&self, time: Timestamp) -> BoxFuture<'_, ()> {
        async move {
            if time > self.end {
                self.ended.notify_one();
                std::future::pending::<()>().await;
            }
            let wakes = if self.suspended.contains(&time) { self.suspended.end } else { time };
            let mut now = self.now.lock().unwrap();
            *now = wakes.max(*now);
            self.woken.lock().unwrap().push(*now);
        }
        .boxed()
    }
}

/// How a daemon is run.
pub struct Life {
    /// Of the engine, and of the runtime.
    pub threads: usize,
    pub interval: Span,
    pub end: Timestamp,
    pub suspended: Range<Timestamp>,
}

/// What a daemon left behind.
pub struct Lived {
    /// When it ticked.
    pub ticks: Vec<Timestamp>,
    /// What an onlooker saw.
    pub effects: Vec<Effect>,
    /// The ledger: for every prediction all that was written down about it, each with the tick's time and kind.
    pub ledger: Vec<(Timestamp, &'static str, Prediction)>,
}

pub fn live(data: Arc<DataSet>, life: Life) -> Lived {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(life.threads).enable_all().build().unwrap();
    runtime.block_on(live_through(data, life))
}

async fn live_through(data: Arc<DataSet>, life: Life) -> Lived {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(LeapingClock {
        now: Mutex::new(world::begin()),
        woken: Mutex::default(),
        end: life.end,
        suspended: life.suspended,
        ended: Notify::new(),
    });
    let hand = clock.clone();
    let server = DemoServer::start(data, Arc::new(move || hand.now())).await.unwrap();
    let (onlooker, mut seen) = mpsc::unbounded_channel();
    let workers = rayon::ThreadPoolBuilder::new().num_threads(life.threads).build().unwrap();
    let daemon = Daemon::start(Options {
        config: world::config(&server.url(), dir.path(), life.interval),
        config_file: None,
        clock: clock.clone(),
        too_late: TOO_LATE,
        onlooker: Some(onlooker),
        workers: Some(Arc::new(workers)),
    })
    .await
    .unwrap();
    let (_hangup, hangups) = mpsc::channel(1);
    daemon.run(clock.ended.notified(), hangups).await.unwrap();

    let mut effects = Vec::new();
    while let Ok(effect) = seen.try_recv() {
        effects.push(effect);
    }
    let ledger = Ledger::open(&dir.path().join(LEDGER_FILE)).await.unwrap();
    let mut written = Vec::new();
    for prediction in ledger.predictions(&Filter::default()).await.unwrap() {
        let events = ledger.events(&prediction.id).await.unwrap();
        assert_eq!(events.last().map(|event| &event.prediction), Some(&prediction), "the last event is how it stands");
        written.extend(events.into_iter().map(|event| (event.at, event.kind.as_str(), event.prediction)));
    }
    ledger.close().await.unwrap();
    let ticks = clock.woken.lock().unwrap().clone();
    Lived { ticks, effects, ledger: written }
}
