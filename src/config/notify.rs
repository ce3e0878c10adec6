//! Reads one receiver of notifications.

use url::Url;

use super::fields::Fields;
use super::http;
use super::reader::Cx;
use super::tree::Node;
use super::valid::{AlertmanagerConfig, NotifyConfig, WebhookConfig};
use crate::core::time::Span;
use crate::notify::Topic;

/// A receiver that only takes an event in answers at once; ten seconds leave room for a far and busy one.
const DEFAULT_TIMEOUT: Span = Span::from_secs(10);
/// A receiver that needs longer than a minute to say "got it" should answer 202 and work on its own time.
const LONGEST_TIMEOUT: Span = Span::MINUTE;
/// As Prometheus resends alerts.
const DEFAULT_RESEND: Span = Span::MINUTE;
/// Alertmanager forgets an alert after four of them; longer ones would leave what is over standing for hours.
const LONGEST_RESEND: Span = Span::HOUR;

pub fn read(node: &Node, cx: &mut Cx) -> Option<NotifyConfig> {
    let mut fields = Fields::of(node, "a receiver", cx)?;
    let read = match fields.take("alertmanager") {
        Some(node) => read_alertmanager(node, cx).map(NotifyConfig::Alertmanager),
        None => fields.need("webhook", cx).and_then(|n| read_webhook(n, cx)).map(NotifyConfig::Webhook),
    };
    fields.done(cx);
    read
}

/// Everything that is needed to reach one.
struct Reach {
    name: String,
    url: Url,
    headers: Vec<(String, String)>,
    allow_private: bool,
    timeout: Span,
}

fn reach(fields: &mut Fields<'_>, read_url: impl FnOnce(&Node, &mut Cx) -> Option<Url>, what: &str, cx: &mut Cx) -> Option<Reach> {
    let url_node = fields.need("url", cx);
    let url = url_node.and_then(|n| read_url(n, cx));
    let name = fields.take("name").and_then(|n| cx.name(n, "name"));
    let headers = fields.take("headers").map(|n| http::headers(n, cx)).unwrap_or_default();
    let allow_private = fields.take("allow_private").and_then(|n| cx.flag(n, "allow_private")).unwrap_or(false);
    let timeout = fields.take("timeout").and_then(|n| cx.span(n, "timeout", Span::SECOND, LONGEST_TIMEOUT)).unwrap_or(DEFAULT_TIMEOUT);
    let url = url?;
    if let Some(node) = url_node.filter(|_| !allow_private && http::is_private(&url)) {
        let message = format!("url: {} is a loopback or private address", url.host_str().unwrap_or_default());
        cx.error_hint(node.at, message, format!("if you mean it, add `allow_private: true` to this {what}"));
    }
    let name = name.unwrap_or_else(|| name_of(&url));
    Some(Reach { name, url, headers, allow_private, timeout })
}

fn read_alertmanager(node: &Node, cx: &mut Cx) -> Option<AlertmanagerConfig> {
    let mut fields = Fields::of(node, "an alertmanager", cx)?;
    let reach = reach(&mut fields, |n, cx| http::base_url(n, "url", cx), "alertmanager", cx);
    let resend = fields.take("resend").and_then(|n| cx.span(n, "resend", Span::SECOND, LONGEST_RESEND)).unwrap_or(DEFAULT_RESEND);
    fields.done(cx);
    let Reach { name, url, headers, allow_private, timeout } = reach?;
    Some(AlertmanagerConfig { name, url, headers, allow_private, timeout, resend })
}

fn read_webhook(node: &Node, cx: &mut Cx) -> Option<WebhookConfig> {
    let mut fields = Fields::of(node, "a webhook", cx)?;
    let reach = reach(&mut fields, |n, cx| http::url(n, "url", &["http", "https"], cx), "webhook", cx);
    let secret_file = fields.take("secret_file").and_then(|n| http::file(n, "secret_file", cx));
    let events = fields.take("events").map_or_else(|| Topic::USUAL.to_vec(), |n| read_events(n, cx));
    fields.done(cx);
    let Reach { name, url, headers, allow_private, timeout } = reach?;
    Some(WebhookConfig { name, url, secret_file, headers, allow_private, timeout, events })
}

/// Kinds of events, at least one: a receiver of nothing is a slip.
fn read_events(node: &Node, cx: &mut Cx) -> Vec<Topic> {
    let mut events: Vec<Topic> = node.items().iter().filter_map(|item| cx.one_of(item, "events", &Topic::ALL)).collect();
    if node.items().is_empty() {
        cx.wrong(node, "events", "at least one of prediction, approval, run, audit");
    }
    events.sort_unstable();
    events.dedup();
    events
}

/// Longest name made of a URL.
const LONGEST_DERIVED: usize = 80;

/// Host, port and path, with what no name may hold replaced. The query stays out: it may be a secret.
fn name_of(url: &Url) -> String {
    let port = url.port().map(|port| format!("-{port}")).unwrap_or_default();
    let text = format!("{}{port}{}", url.host_str().unwrap_or_default(), url.path());
    let safe: String = text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).take(LONGEST_DERIVED).collect();
    safe.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_name_holds_no_secret_and_no_odd_letter() {
        let url = Url::parse("https://ops.example:8443/hook/a?token=secret").unwrap();
        assert_eq!(name_of(&url), "ops.example-8443-hook-a");
        assert_eq!(name_of(&Url::parse("http://[::1]/").unwrap()), "::1".replace(':', "-").trim_matches('-'));
    }

    #[test]
    fn receivers_say_what_they_want_and_predictions_are_what_they_get_unless_they_do() {
        let text = "sources: [{ name: a, prometheus: { url: 'http://h:1' } }]\npacks: [node]\nnotify:\n\
                    - webhook: { url: 'https://a.example/' }\n\
                    - webhook: { url: 'https://b.example/', events: [audit, run, audit] }\n\
                    - alertmanager: { url: 'https://am.example/prefix', headers: { Authorization: x }, resend: 30s }\n\
                    act: { audit_head: { every: 5m } }\n";
        let config = crate::config::parse(text, "x.yaml").unwrap();
        let events: Vec<&[Topic]> = config.webhooks().map(|hook| hook.events.as_slice()).collect();
        assert_eq!(events, [&[Topic::Prediction][..], &[Topic::Run, Topic::Audit]]);
        let one = config.alertmanagers().next().unwrap();
        assert_eq!((one.name.as_str(), one.url.as_str()), ("am.example-prefix", "https://am.example/prefix/"));
        assert_eq!((one.resend, one.headers.len(), one.allow_private), (Span::from_secs(30), 1, false));
        assert_eq!((config.act.audit_head.every, config.act.audit_head.lines), (Span::from_secs(300), 100));
    }
}
