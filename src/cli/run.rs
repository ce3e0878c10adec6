//! `portent run`: the daemon.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use tokio::sync::mpsc;

use super::{Failure, Outcome};
use crate::clock::SystemClock;
use crate::config::{self, Config};
use crate::daemon::{Daemon, Options, TOO_LATE};
use crate::telemetry::{self, LogFormat, LogSettings};

const EXAMPLES: &str = "Examples:
  portent run -c portent.yaml
  portent run --prometheus http://127.0.0.1:9090     asks the server which packs have data there, and watches those
  kill -HUP PID                                      reads the configuration again; a bad one keeps the old";

/// Watches, predicts and tells, until it is stopped.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Run {
    /// Configuration file; portent.yaml in the current folder if neither this nor --prometheus is given
    #[arg(short, long, value_name = "FILE", conflicts_with = "prometheus")]
    config: Option<PathBuf>,
    /// A Prometheus to watch without any configuration
    #[arg(long, value_name = "URL")]
    prometheus: Option<String>,
    /// Where state is kept, instead of the configured folder
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where the HTTP server listens, instead of the configured address
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<std::net::SocketAddr>,
    /// error, warn, info, debug, trace, or target=level pairs
    #[arg(long, value_name = "FILTER", env = "PORTENT_LOG")]
    log: Option<String>,
}

impl Run {
    pub fn run(self) -> Outcome {
        let (mut config, file) = self.configuration()?;
        if let Some(data_dir) = self.data_dir {
            let default_charts = config.data_dir.join("charts");
            if config.chart_dir.as_ref() == Some(&default_charts) {
                config.chart_dir = Some(data_dir.join("charts"));
            }
            config.data_dir = data_dir;
        }
        if let Some(listen) = self.listen {
            config.listen = listen;
        }
        let format = match config.log.format {
            config::LogFormat::Text => LogFormat::Text,
            config::LogFormat::Json => LogFormat::Json,
        };
        telemetry::init(&LogSettings { format, filter: self.log.unwrap_or_else(|| config.log.level.as_str().to_owned()) })?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(serve(config, file))?;
        Ok(ExitCode::SUCCESS)
    }

    fn configuration(&self) -> Result<(Config, Option<PathBuf>), Failure> {
        if let Some(url) = &self.prometheus {
            return Ok((Config::for_url(url).map_err(super::config_failure)?, None));
        }
        let file = self.config.clone().unwrap_or_else(|| PathBuf::from(config::DEFAULT_FILE));
        Ok((config::load(&file).map_err(super::config_failure)?, Some(file)))
    }
}

async fn serve(config: Config, config_file: Option<PathBuf>) -> Result<(), Failure> {
    let clock = Arc::new(SystemClock::new());
    let daemon = Daemon::start(Options { config, config_file, clock, too_late: TOO_LATE, onlooker: None, workers: None }).await?;
    let (hangup, hangups) = mpsc::channel(1);
    #[cfg(unix)]
    {
        let mut signals = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?;
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                // Full: a reload is under way and will read the newest file.
                let _ = hangup.try_send(());
            }
        });
    }
    daemon.run(super::stopped(), hangups).await?;
    Ok(())
}
