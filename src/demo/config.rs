//! The configuration that the demo's daemon runs on: an ordinary `portent.yaml`, shown to the user as the first example of one.

use std::path::Path;

use crate::core::watch::Side;

/// A watch of the demo, as far as the data's labels hang on it.
#[derive(Clone, Copy, Debug)]
pub struct DemoWatch {
    pub name: &'static str,
    pub query: &'static str,
    pub side: Side,
    pub threshold: f64,
    /// The other settings, a line each.
    settings: &'static [&'static str],
}

/// One watch for each metric of the data set that can break; the sixth asks whether a seasonal one stays quiet.
pub const WATCHES: [DemoWatch; 6] = [
    DemoWatch {
        name: "disk-filling",
        query: "disk_used_ratio",
        side: Side::Above,
        threshold: 0.9,
        settings: &[
            "horizon: 24h",
            "profile: saturating-gauge",
            r#"service: "{{instance}}""#,
            r#"title: "{{mountpoint}} on {{instance}} is filling up""#,
            "why: a full disk stops whatever writes to it, and often the host with it",
            "impact: high",
            "playbooks: [free-disk-space]",
        ],
    },
    DemoWatch {
        name: "memory-running-out",
        query: "memory_used_ratio",
        side: Side::Above,
        threshold: 0.95,
        settings: &[
            "horizon: 12h",
            "profile: saturating-gauge",
            r#"service: "{{instance}}""#,
            r#"title: "{{instance}} is running out of memory""#,
            "why: past this the kernel ends a process of its own choice",
            "impact: high",
            "playbooks: [restart-before-oom]",
        ],
    },
    DemoWatch {
        name: "traffic-over-capacity",
        query: r#"requests_per_second{service="shop"}"#,
        side: Side::Above,
        threshold: 1200.0,
        settings: &[
            "horizon: 24h",
            "profile: seasonal-traffic",
            r#"service: "{{service}}""#,
            r#"title: "{{service}} will get more requests than it can answer""#,
            "why: the load test of January broke at 1,250 requests a second",
            "impact: critical",
            "playbooks: [add-capacity]",
        ],
    },
    DemoWatch {
        name: "queue-growing",
        query: "queue_depth",
        side: Side::Above,
        threshold: 2000.0,
        settings: &[
            "horizon: 6h",
            "profile: queue-depth",
            r#"service: "{{queue}}""#,
            r#"title: "queue {{queue}} grows faster than it is worked off""#,
            "why: at 2,000 the broker begins to refuse messages",
            "impact: medium",
        ],
    },
    DemoWatch {
        name: "certificate-expiring",
        query: "certificate_expiry_seconds",
        side: Side::Below,
        threshold: 604_800.0,
        settings: &[
            "horizon: 2d",
            "profile: deadline",
            r#"service: "{{domain}}""#,
            r#"title: "the certificate of {{domain}} was not renewed""#,
            "why: renewal is automatic at thirty days; less than seven means that it broke",
            "impact: high",
        ],
    },
    DemoWatch {
        name: "cpu-saturated",
        query: "cpu_busy_ratio",
        side: Side::Above,
        threshold: 0.97,
        settings: &[
            "horizon: 6h",
            "profile: saturating-gauge",
            r#"service: "{{instance}}""#,
            r#"title: "{{instance}} has no processor time left""#,
            "impact: medium",
        ],
    },
];

/// The demo's own process, which is really acted on.
pub const SANDBOX_WATCH: DemoWatch = DemoWatch {
    name: "sandbox-leaking",
    query: "sandbox_memory_ratio",
    side: Side::Above,
    threshold: 0.9,
    settings: &[
        "horizon: 12h",
        "profile: saturating-gauge",
        r#"service: "{{service}}""#,
        r#"title: "the demo's own process is running out of memory""#,
        "why: at its limit it ends, with whatever it was doing",
        "impact: high",
        "raise: { likelihood: 0.85 }",
    ],
};

/// What lets the daemon act on that process, and on nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Acts<'a> {
    /// This program: the only one that may be started.
    pub program: &'a Path,
    /// The process' folder.
    pub sandbox: &'a Path,
}

impl Acts<'_> {
    /// A restart takes a moment of real time, which is an hour of the demo's.
    fn playbook(&self) -> String {
        format!(
            "  - name: restart-sandbox
    about: restarts the demo's own process before it runs out of memory
    when: {{ watches: [{}] }}
    mode: execute
    steps:
      - {{ name: restart, action: command, with: {{ run: [{}, sandbox, restart, {}] }}, timeout: 6h }}
    verify: {{ query: {}, success: {{ lt: 0.5 }}, within: 2h, for: 5m }}
",
            SANDBOX_WATCH.name,
            path(self.program),
            path(self.sandbox),
            SANDBOX_WATCH.query,
        )
    }

    /// The oldest samples that are acted on are older than usual: at the demo's speed a moment is a quarter of an hour.
    fn act(&self) -> String {
        format!(
            "act: {{ mode: execute, max_data_age: 6h, command: {{ allow: [{}] }} }}\ntopology: {{ services: {{ sandbox: {{ tier: low }} }} }}\n",
            path(self.program)
        )
    }
}

/// Its remedies for made hosts are never carried out, whatever the mode: what they would do is written down.
const PLAYBOOKS: &str = r#"playbooks:
  - name: free-disk-space
    about: rotates logs now and makes room
    mode: shadow
    steps:
      - { name: rotate logs, action: command, with: { run: "logrotate --force /etc/logrotate.conf" } }
      - { name: say so, action: notify, with: { text: "{{instance}} {{mountpoint}} was cleaned" } }
  - name: restart-before-oom
    about: restarts the leaking service at a quiet moment instead of waiting for the kernel
    when: { watches: [memory-running-out] }
    mode: shadow
    steps:
      - { name: drain, action: http, with: { post: "http://{{instance}}/drain" } }
      - { name: restart, action: command, with: { run: "systemctl restart shop" } }
  - name: add-capacity
    about: adds a host before the peak
    mode: shadow
    steps:
      - { name: scale out, action: kubernetes, with: { deployment: "{{service}}", replicas: "+1" } }
"#;

/// The demo's `portent.yaml`: which server is read, where webhooks go, the key that signs them, where state is kept, and what is acted on.
pub fn config_yaml(prometheus_url: &str, hook_url: &str, secret_file: &Path, data_dir: &Path, acts: Option<Acts<'_>>) -> String {
    let mut text = format!("sources:\n  - name: demo\n    prometheus: {{ url: {} }}\nwatches:\n", quoted(prometheus_url));
    for watch in WATCHES.iter().chain(acts.is_some().then_some(&SANDBOX_WATCH)) {
        text += &format!(
            "  - name: {}\n    query: {}\n    step: 5m\n    {}: {}\n",
            watch.name,
            single_quoted(watch.query),
            watch.side.as_str(),
            watch.threshold
        );
        for setting in watch.settings {
            text += &format!("    {setting}\n");
        }
    }
    text += PLAYBOOKS;
    text += &acts.map(|acts| acts.playbook()).unwrap_or_default();
    text += &format!(
        "notify:\n  - webhook: {{ url: {}, secret_file: {}, allow_private: true, events: [prediction, approval, run] }}\n",
        quoted(hook_url),
        path(secret_file)
    );
    text += &format!("interval: 5m\ndata_dir: {}\nlisten: 127.0.0.1:0\n", path(data_dir));
    text += &acts.map_or_else(|| "act: { mode: observe }\n".to_owned(), |acts| acts.act());
    text
}

/// A JSON string is a double-quoted YAML one.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

fn single_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_yaml_and_says_what_it_was_told() {
        let text =
            config_yaml("http://127.0.0.1:1/", "http://127.0.0.1:2/hook", Path::new("/tmp/a \"b\"/key"), Path::new("/tmp/data: x"), None);
        let read: serde_json::Value = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(read["sources"][0]["prometheus"]["url"], "http://127.0.0.1:1/");
        assert_eq!(read["notify"][0]["webhook"]["secret_file"], "/tmp/a \"b\"/key");
        assert_eq!(read["data_dir"], "/tmp/data: x");
        assert_eq!(read["watches"].as_array().unwrap().len(), WATCHES.len());
        assert_eq!(read["watches"][2]["query"], r#"requests_per_second{service="shop"}"#);
        assert_eq!((&read["watches"][4]["below"], &read["watches"][2]["above"]), (&604_800.into(), &1_200.into()));
        assert_eq!(read["watches"][0]["title"], "{{mountpoint}} on {{instance}} is filling up");
        let playbooks: Vec<&str> = read["playbooks"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
        for watch in read["watches"].as_array().unwrap() {
            for name in watch["playbooks"].as_array().into_iter().flatten() {
                assert!(playbooks.contains(&name.as_str().unwrap()), "{name} is not there");
            }
        }
    }

    #[test]
    fn only_its_own_process_is_acted_on() {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("key");
        std::fs::write(&key, "whsec_ZGVtbyBrZXksIGtub3duIHRvIGV2ZXJ5Ym9keSE=").unwrap();
        let acts = Acts { program: Path::new("/usr/bin/a portent"), sandbox: Path::new("/tmp/s") };
        let text = config_yaml("http://127.0.0.1:1/", "http://127.0.0.1:2/hook", &key, dir.path(), Some(acts));
        let config = crate::config::parse(&text, "demo.yaml").unwrap_or_else(|errors| panic!("{errors}\n{text}"));
        assert_eq!(config.act.settings.mode, crate::core::gate::Mode::Execute);
        assert_eq!(
            (config.act.programs.as_slice(), config.act.hosts.len()),
            ([std::path::PathBuf::from("/usr/bin/a portent")].as_slice(), 0)
        );
        let names: Vec<&str> = config.watches.iter().map(|watch| &*watch.name).collect();
        for playbook in &config.playbooks {
            let is_for_any = names.iter().any(|name| playbook.when.watches.iter().any(|watch| watch == name));
            let is_suggested = config.watches.iter().any(|watch| watch.playbooks.contains(&playbook.name));
            let is_harmless = playbook.mode == Some(crate::core::gate::Mode::Shadow) || playbook.name == "restart-sandbox";
            assert!(is_harmless || !is_for_any && !is_suggested, "{} could be carried out", playbook.name);
        }
        assert_eq!(config.watches.len(), WATCHES.len() + 1);
    }
}
