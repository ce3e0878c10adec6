//! Reads one receiver of notifications.

use url::Url;

use super::fields::Fields;
use super::http;
use super::reader::Cx;
use super::tree::Node;
use super::valid::{NotifyConfig, WebhookConfig};
use crate::core::time::Span;

/// A receiver that only takes an event in answers at once; ten seconds leave room for a far and busy one.
const DEFAULT_TIMEOUT: Span = Span::from_secs(10);
/// A receiver that needs longer than a minute to say "got it" should answer 202 and work on its own time.
const LONGEST_TIMEOUT: Span = Span::MINUTE;

pub fn read(node: &Node, cx: &mut Cx) -> Option<NotifyConfig> {
    let mut fields = Fields::of(node, "a receiver", cx)?;
    let webhook = fields.need("webhook", cx).and_then(|n| read_webhook(n, cx));
    fields.done(cx);
    webhook.map(NotifyConfig::Webhook)
}

fn read_webhook(node: &Node, cx: &mut Cx) -> Option<WebhookConfig> {
    let mut fields = Fields::of(node, "a webhook", cx)?;
    let url_node = fields.need("url", cx);
    let url = url_node.and_then(|n| http::url(n, "url", &["http", "https"], cx));
    let name = fields.take("name").and_then(|n| cx.name(n, "name"));
    let secret_file = fields.take("secret_file").and_then(|n| http::file(n, "secret_file", cx));
    let headers = fields.take("headers").map(|n| http::headers(n, cx)).unwrap_or_default();
    let allow_private = fields.take("allow_private").and_then(|n| cx.flag(n, "allow_private")).unwrap_or(false);
    let timeout = fields.take("timeout").and_then(|n| cx.span(n, "timeout", Span::SECOND, LONGEST_TIMEOUT)).unwrap_or(DEFAULT_TIMEOUT);
    fields.done(cx);
    let url = url?;
    if let Some(node) = url_node.filter(|_| !allow_private && http::is_private(&url)) {
        let message = format!("url: {} is a loopback or private address", url.host_str().unwrap_or_default());
        cx.error_hint(node.at, message, "if you mean it, add `allow_private: true` to this webhook");
    }
    let name = name.unwrap_or_else(|| name_of(&url));
    Some(WebhookConfig { name, url, secret_file, headers, allow_private, timeout })
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
}
