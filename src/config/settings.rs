//! Reads the settings that stand alone: chart folder, address, log, acting, limits.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::DEFAULT_LISTEN;
use super::fields::Fields;
use super::reader::{Cx, quoted};
use super::tree::{Node, Value};
use super::valid::{LimitsConfig, LogConfig, LogFormat, LogLevel};

pub fn chart_dir(fields: &mut Fields<'_>, data_dir: &Path, cx: &mut Cx) -> Option<PathBuf> {
    let Some(node) = fields.take("chart_dir") else { return Some(data_dir.join("charts")) };
    if matches!(&node.value, Value::Scalar { text, plain: true } if text == "off" || text == "false") {
        return None;
    }
    cx.text(node, "chart_dir").map(|text| cx.path(&text))
}

pub fn listen(node: &Node, cx: &mut Cx) -> Option<SocketAddr> {
    let text = cx.text(node, "listen")?;
    let numeric = text.strip_prefix("localhost:").map_or_else(|| text.clone(), |port| format!("127.0.0.1:{port}"));
    let address = numeric.parse().ok();
    if address.is_none() {
        let message = format!("listen: found {}, want ADDRESS:PORT such as {DEFAULT_LISTEN}", quoted(&text));
        match text.strip_prefix(':') {
            Some(port) => {
                cx.error_hint(node.at, message, format!("for every interface write 0.0.0.0:{port}, and make logins (server.tokens)"));
            }
            None => cx.error(node.at, message),
        }
    }
    address
}

/// Unless configured: text of level info.
pub const DEFAULT_LOG: LogConfig = LogConfig { format: LogFormat::Text, level: LogLevel::Info };

pub fn log(node: &Node, cx: &mut Cx) -> Option<LogConfig> {
    let levels = [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace].map(|level| (level.as_str(), level));
    let mut fields = Fields::of(node, "log", cx)?;
    let format = fields.take("format").and_then(|n| cx.one_of(n, "format", &[("text", LogFormat::Text), ("json", LogFormat::Json)]));
    let level = fields.take("level").and_then(|n| cx.one_of(n, "level", &levels));
    fields.done(cx);
    Some(LogConfig { format: format.unwrap_or(DEFAULT_LOG.format), level: level.unwrap_or(DEFAULT_LOG.level) })
}

pub fn limits(node: &Node, cx: &mut Cx) -> Option<LimitsConfig> {
    let default = LimitsConfig::default();
    let mut fields = Fields::of(node, "limits", cx)?;
    let mut size = |key: &'static str, lowest: u64, highest: u64, default: usize, cx: &mut Cx| {
        let value = fields.take(key).and_then(|n| cx.whole(n, key, lowest, highest));
        value.and_then(|v| usize::try_from(v).ok()).unwrap_or(default)
    };
    let series_per_watch = size("series_per_watch", 1, 5_000_000, default.series_per_watch, cx);
    let queries = size("queries", 1, 64, default.queries, cx);
    let answer_bytes = fields.take("answer_bytes").and_then(|n| cx.whole(n, "answer_bytes", 1 << 16, 1 << 33));
    fields.done(cx);
    Some(LimitsConfig { series_per_watch, queries, answer_bytes: answer_bytes.unwrap_or(default.answer_bytes) })
}
