//! How far it is, on a terminal only, and Ctrl-C, which ends the work and keeps what there is.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::watch;

use crate::cli::Failure;

/// Steps of the bar.
const STEPS: u64 = 1_000;

/// A bar on stderr; nothing where that is no terminal.
pub struct Progress(ProgressBar);

impl Progress {
    pub fn new() -> Self {
        // indicatif draws nothing where stderr is no terminal.
        let bar = ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent:>3} %  {elapsed} gone, {eta} to go") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// From 0 to 1.
    pub fn at(&self, done: f64) {
        self.0.set_position((done.clamp(0.0, 1.0) * STEPS as f64) as u64);
    }

    pub fn end(&self) {
        self.0.finish_and_clear();
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
