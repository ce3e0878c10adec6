//! From what the configuration says to what the adapters take: they know nothing of each other.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use bytes::Bytes;

use crate::config::{self, Config};
use crate::core::time::Timestamp;
use crate::ledger::{Ledger, LedgerError};
use crate::notify::{AlertmanagerSettings, Outbox, Pending, WebhookSettings};
use crate::source::prometheus::PrometheusSettings;
use std::sync::Arc;

/// Settings of a source's client.
pub fn prometheus_settings(source: &config::PrometheusConfig, limits: &config::LimitsConfig) -> PrometheusSettings {
    source.settings(limits)
}

/// Settings of every webhook. A target without a key of its own signs with the data directory's, which is made at the first need.
///
/// # Errors
/// When that key can neither be read nor made.
pub fn webhook_settings(config: &Config) -> std::io::Result<Vec<WebhookSettings>> {
    config
        .webhooks()
        .map(|hook| {
            let secret_file = match &hook.secret_file {
                Some(file) => file.clone(),
                None => own_key(&config.data_dir)?,
            };
            Ok(WebhookSettings {
                name: hook.name.clone(),
                url: hook.url.clone(),
                secret_file,
                headers: hook.headers.iter().cloned().collect::<BTreeMap<_, _>>(),
                ca_file: None,
                timeout: hook.timeout,
                allow_private: hook.allow_private,
            })
        })
        .collect()
}

/// Settings of every Alertmanager.
pub fn alertmanager_settings(config: &Config) -> Vec<AlertmanagerSettings> {
    let settings = |one: &config::AlertmanagerConfig| AlertmanagerSettings {
        name: one.name.clone(),
        url: one.url.clone(),
        headers: one.headers.iter().cloned().collect(),
        timeout: one.timeout,
        allow_private: one.allow_private,
        resend: one.resend,
    };
    config.alertmanagers().map(settings).collect()
}

/// `webhook.key` in the data directory: a random Standard Webhooks secret, readable by its owner only.
pub fn own_key(data_dir: &Path) -> std::io::Result<PathBuf> {
    let path = data_dir.join("webhook.key");
    if path.exists() {
        return Ok(path);
    }
    let key: [u8; 32] = rand::random();
    let text = format!("whsec_{}\n", base64::engine::general_purpose::STANDARD.encode(key));
    let half = data_dir.join("webhook.key.tmp");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&half)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(half, &path)?;
    tracing::info!(path = %path.display(), "made a key that webhooks without a secret_file are signed with");
    Ok(path)
}

/// The ledger's outbox as delivery workers see it.
#[derive(Debug)]
pub struct LedgerOutbox(pub Arc<Ledger>);

impl Outbox for LedgerOutbox {
    type Error = LedgerError;

    async fn due(&self, now: Timestamp, target: &str, limit: usize) -> Result<Vec<Pending>, LedgerError> {
        let due = self.0.due(now, target, limit).await?;
        let pending = |d: crate::ledger::Delivery| Pending {
            event_id: d.event_id,
            body: Bytes::from(d.payload),
            created_at: d.created_at,
            attempts: d.attempts,
        };
        Ok(due.into_iter().map(pending).collect())
    }

    async fn next_due(&self, target: &str) -> Result<Option<Timestamp>, LedgerError> {
        self.0.next_due(target).await
    }

    async fn mark_delivered(&self, event_id: &str, target: &str, at: Timestamp) -> Result<(), LedgerError> {
        self.0.mark_delivered(event_id, target, at).await
    }

    async fn mark_failed(&self, event_id: &str, target: &str, error: &str, next: Timestamp) -> Result<(), LedgerError> {
        self.0.mark_failed(event_id, target, error, next).await
    }

    async fn mark_dead(&self, event_id: &str, target: &str, error: &str) -> Result<(), LedgerError> {
        self.0.mark_dead(event_id, target, error).await
    }
}
