//! Logs: lines on stderr, as text for people or as JSON for collectors.
//!
//! Always stderr, so that a verb's output can be piped; never a file, since whoever runs the process (systemd, Docker, a shell) keeps logs
//! already. Colour only where somebody looks at it. One filter for all: other people's crates are held at warnings unless named.

use std::io::{self, IsTerminal};

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

/// How a log line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    #[default]
    Text,
    /// One object a line: `timestamp`, `level`, `target`, `message`, and the event's fields beside them.
    Json,
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, `trace`, or a list of `target=level`
    /// (<https://docs.rs/tracing-subscriber/0.3/tracing_subscriber/filter/struct.EnvFilter.html#directives>).
    pub filter: String,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".into() }
    }
}

/// Why logs could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("read log filter {filter:?}: {why}; want error, warn, info, debug, trace, or a list such as info,portent::source=debug")]
    Filter { filter: String, why: tracing_subscriber::filter::ParseError },
    #[error("set up logs: {0}")]
    SetUp(#[from] tracing_subscriber::util::TryInitError),
}

/// Stands before the configured filter, which can override each of these: at `debug` our own lines would drown in theirs.
const BASE_FILTER: &str = "info,h2=warn,hyper=warn,hyper_util=warn,reqwest=warn,rustls=warn,sled=warn,sqlx=warn";

/// Sends all logs of the process to stderr from now on, those of crates that use `log` too. Once a process.
///
/// # Errors
/// When the filter cannot be read, or logs are set up already.
pub fn init(settings: &LogSettings) -> Result<(), TelemetryError> {
    let colour = wants_colour(io::stderr().is_terminal(), std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty()));
    subscriber(settings, io::stderr, colour)?.try_init()?;
    Ok(())
}

/// <https://no-color.org>: any non-empty value means no.
fn wants_colour(terminal: bool, no_color: bool) -> bool {
    terminal && !no_color
}

fn subscriber<W>(settings: &LogSettings, writer: W, colour: bool) -> Result<Box<dyn Subscriber + Send + Sync>, TelemetryError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(format!("{BASE_FILTER},{}", settings.filter))
        .map_err(|why| TelemetryError::Filter { filter: settings.filter.clone(), why })?;
    // Without this a closed stderr ends in a panic: the library would report the failed write with `eprintln!`.
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).log_internal_errors(false);
    Ok(match settings.format {
        LogFormat::Text => Box::new(builder.with_ansi(colour).finish()),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).with_current_span(false).finish()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, filter: &str, colour: bool, log: impl FnOnce()) -> String {
        let sink = Sink::default();
        let made = sink.clone();
        let subscriber = subscriber(&LogSettings { format, filter: filter.into() }, move || made.clone(), colour).unwrap();
        tracing::subscriber::with_default(subscriber, log);
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn json_lines_hold_the_fields_beside_the_message() {
        let text = logged(LogFormat::Json, "info", true, || tracing::info!(watch = "disk", series = 3, "read\nall"));
        assert_eq!(text.lines().count(), 1);
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&line["message"], &line["watch"], &line["series"]), (&"read\nall".into(), &"disk".into(), &3.into()));
        assert_eq!(line["level"], "INFO");
        line["timestamp"].as_str().unwrap().parse::<crate::core::time::Timestamp>().unwrap();
    }

    #[test]
    fn colour_is_for_terminals_and_a_hostile_answer_cannot_colour_the_log() {
        assert!(wants_colour(true, false) && !wants_colour(false, false) && !wants_colour(true, true));
        let plain = logged(LogFormat::Text, "info", false, || tracing::warn!(answer = "\x1b[31mred", "got \x1b[2J{}", "\x1b]0;title\x07"));
        assert!(!plain.contains('\x1b'), "{plain:?}");
        assert!(plain.contains("WARN") && plain.contains("red"), "{plain:?}");
        assert!(logged(LogFormat::Text, "info", true, || tracing::warn!("x")).contains('\x1b'));
    }

    #[test]
    fn others_are_quiet_unless_named() {
        let log = || {
            tracing::debug!("ours");
            tracing::debug!(target: "sled::pagecache", "theirs");
        };
        assert_eq!(logged(LogFormat::Text, "info", false, log), "");
        let debug = logged(LogFormat::Text, "debug", false, log);
        assert!(debug.contains("ours") && !debug.contains("theirs"), "{debug}");
        let named = logged(LogFormat::Text, "sled=debug", false, log);
        assert!(named.contains("theirs") && !named.contains("ours"), "{named}");
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_named() {
        let settings = LogSettings { filter: "portent=loud".into(), ..LogSettings::default() };
        let error = subscriber(&settings, io::sink, false).err().unwrap().to_string();
        assert!(error.contains("portent=loud") && error.contains("debug"), "{error}");
    }
}
