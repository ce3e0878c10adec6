//! What is told outside of the audit's lines: a message a line to each receiver that asked for such, and now and then the head alone.

use crate::config::WebhookConfig;
use crate::core::run::{Entry, Runs};
use crate::core::time::Timestamp;
use crate::daemon::state::Shared;
use crate::ledger::OutboxItem;
use crate::ledger::chain::Head;
use crate::notify::Topic;
use crate::notify::event::CONTENT_TYPE;
use crate::notify::run_event::{self, Anchor, Told};

/// Where people can say their word, below the address that the configuration gives.
const APPROVALS_PAGE: &str = "approvals";

/// The messages of each line, as `runs` stand after all of them.
pub(super) fn messages(shared: &Shared, runs: &Runs) -> impl Fn(&Entry, &Head) -> Vec<OutboxItem> + Sync {
    let config = shared.config();
    let page = config.external_url.as_ref().and_then(|url| url.join(APPROVALS_PAGE).ok());
    move |entry, head| {
        let wants = |hook: &&WebhookConfig| hook.events.iter().any(|topic| matches!(topic, Topic::Approval | Topic::Run));
        if config.webhooks().all(|hook| !wants(&hook)) {
            return Vec::new();
        }
        let run = entry.record.run().and_then(|key| runs.get(key));
        let told = run_event::of_line(entry, run, anchor_of(head), page.as_ref().map(url::Url::as_str));
        told.iter().flat_map(|told| items(&config, told)).collect()
    }
}

/// What was told of the head last: its line, and when.
pub(super) type LastHead = Option<(u64, Timestamp)>;

/// Tells the head to those who want it, if there are new lines and it is time.
pub(super) async fn head(shared: &Shared, last: &mut LastHead) {
    let config = shared.config();
    if config.webhooks().all(|hook| !hook.events.contains(&Topic::Audit)) {
        return;
    }
    let (head, now, limits) = (shared.acting.head(), shared.clock.now(), config.act.audit_head);
    let is_due = match *last {
        // After a restart nobody knows what was told last; the same head once more is the same message.
        None => head.seq > 0,
        Some((line, at)) => head.seq != line && (head.seq.abs_diff(line) >= limits.lines || now - at >= limits.every),
    };
    if !is_due {
        return;
    }
    let told = run_event::of_head(now, &anchor_of(&head));
    match shared.ledger.put(&items(&config, &told), now).await {
        Ok(()) => {
            *last = Some((head.seq, now));
            shared.outbox_wake.send_replace(());
        }
        Err(error) => tracing::warn!(%error, "could not tell the audit's head; it is tried again"),
    }
}

fn anchor_of(head: &Head) -> Anchor {
    Anchor { line: head.seq, hash: head.hash.clone() }
}

fn items(config: &crate::config::Config, told: &Told) -> Vec<OutboxItem> {
    let hooks = config.webhooks().filter(|hook| hook.events.iter().any(|topic| told.kind.is_about(*topic)));
    let item = |hook: &WebhookConfig| OutboxItem {
        event_id: told.event_id.clone(),
        target: hook.name.clone(),
        content_type: CONTENT_TYPE.to_owned(),
        payload: told.body.clone(),
    };
    hooks.map(item).collect()
}
