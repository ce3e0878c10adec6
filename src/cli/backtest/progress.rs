//! How far it is, on a terminal only, and Ctrl-C, which ends the work and keeps what there is.

use std::cell::Cell;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use tokio::sync::watch;

use crate::backtest::Done;
use crate::cli::Failure;
use crate::core::time::Span;

/// Steps of the bar.
const STEPS: u64 = 1_000;

/// A bar on stderr; nothing where that is no terminal.
pub struct Progress {
    bar: ProgressBar,
    /// Samples gone over, of all pieces of work so far.
    samples: Arc<AtomicU64>,
    /// The piece of work that is under way, once one is, and the samples of those before it.
    piece: Cell<Option<(usize, u64)>>,
}

impl Progress {
    pub fn new() -> Self {
        // indicatif draws nothing where stderr is no terminal.
        let bar = ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::stderr());
        bar.set_style(ProgressStyle::with_template("reading files: {msg}").unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, samples: Arc::default(), piece: Cell::new(None) }
    }

    /// While files are read, before anything is gone over.
    pub fn reading(&self, rows: u64) {
        self.bar.set_message(format!("{} rows", HumanCount(rows)));
    }

    /// How far it is with the `number`th of `of` pieces of work.
    pub fn at(&self, done: Done, (number, of): (usize, usize)) {
        let before = match self.piece.get() {
            None => {
                self.begin();
                0
            }
            Some((same, before)) if same == number => before,
            Some(_) => self.samples.load(Ordering::Relaxed),
        };
        self.piece.set(Some((number, before)));
        self.samples.store(before + done.samples, Ordering::Relaxed);
        let piece = if of > 1 { format!("{} of {of}: ", number + 1) } else { String::new() };
        let days = |span: Span| span.as_secs_f64() / Span::DAY.as_secs_f64();
        let (series, gone, whole) = (HumanCount(done.series as u64), days(done.gone), days(done.of));
        self.bar.set_message(format!("{piece}{series} series, day {gone:.1} of {whole:.1}"));
        let part = (number as f64 + done.part.clamp(0.0, 1.0)) / of.max(1) as f64;
        self.bar.set_position((part * STEPS as f64) as u64);
    }

    fn begin(&self) {
        let samples = self.samples.clone();
        let rate = move |state: &ProgressState, out: &mut dyn Write| {
            let seconds = state.elapsed().as_secs_f64().max(1e-3);
            // Nothing is lost when a screen cannot be written to.
            let _ = write!(out, "{} samples/s", HumanCount((samples.load(Ordering::Relaxed) as f64 / seconds) as u64));
        };
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}, {rate}, {eta} left") {
            self.bar.set_style(style.with_key("rate", rate));
            self.bar.reset_elapsed();
            self.bar.reset_eta();
        }
    }

    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// Whether somebody has asked for an end.
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Listens for Ctrl-C from now on, on a thread of its own: the work itself does not wait for anything.
    pub fn on_ctrl_c() -> Result<Self, Failure> {
        let (asked, receiver) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::spawn(move || {
            runtime.block_on(async {
                if tokio::signal::ctrl_c().await.is_ok() {
                    asked.send_replace(true);
                }
                // The sender lives on, or those who wait for it would be told of an end that nobody asked for.
                std::future::pending::<()>().await;
            });
        });
        Ok(Self(receiver))
    }

    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Ends when somebody has asked.
    pub async fn asked(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
