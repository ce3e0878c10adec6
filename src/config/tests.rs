//! Good and bad configurations under `tests/fixtures/config`, each bad one beside the text it is answered with.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::*;
use crate::core::gate::Mode;
use crate::core::labels::Labels;
use crate::core::time::Span;
use crate::core::watch::{Impact, Side, Threshold};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Paths inside a fixture's answer are relative to its folder, wherever the tests run.
fn without_folder(text: &str) -> String {
    text.replace(&format!("{ROOT}/tests/fixtures/config/"), "")
}

fn fixtures(suffix: &str, but_not: &str) -> Vec<PathBuf> {
    let dir = Path::new(ROOT).join("tests/fixtures/config");
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|f| f.to_string_lossy().ends_with(suffix) && (but_not.is_empty() || !f.to_string_lossy().ends_with(but_not)));
    files.sort();
    files
}

fn load_ok(path: &Path) -> Config {
    load(path).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn every_bad_fixture_is_answered_with_the_text_beside_it() {
    let bad = fixtures(".bad.yaml", "");
    assert!(bad.len() >= 12, "found {} fixtures", bad.len());
    let mut differences = String::new();
    for file in bad {
        let errors = load(&file).expect_err(&format!("{} is taken", file.display()));
        let answer = without_folder(&errors.to_string()) + "\n";
        let beside = file.with_extension("txt");
        if std::env::var_os("PORTENT_BLESS").is_some() {
            std::fs::write(&beside, &answer).unwrap();
        }
        let expected = std::fs::read_to_string(&beside).unwrap_or_default();
        if answer != expected {
            write!(differences, "--- {}\n{expected}+++ answered\n{answer}", beside.display()).unwrap();
        }
    }
    assert!(differences.is_empty(), "{differences}\nif the new answers are right: PORTENT_BLESS=1");
}

#[test]
fn every_good_fixture_is_taken() {
    for file in fixtures(".yaml", ".bad.yaml") {
        load_ok(&file);
    }
}

#[test]
fn a_playbook_file_with_faults_is_refused_whole_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir(folder.path().join("books")).unwrap();
    let steps = "steps: [{ name: a, action: log, with: { text: a } }]\n";
    put("books/a-good.yaml", &format!("name: good\nabout: x\n{steps}"));
    put("books/b-faulty.yaml", "name: expand-volume\nabuot: x\nmode: always\nsteps: []\n");
    put("books/c-twice.yaml", &format!("name: good\nabout: y\n{steps}"));
    put("books/d-broken.yaml", "name: [x\n");
    put("books/e-empty.yaml", "# nothing\n");
    put("books/.f-hidden.yaml", "no: playbook\n");
    put(
        "portent.yaml",
        "sources: [{ name: a, prometheus: { url: 'http://h:1' } }]\nplaybooks_dir: books\nplaybooks:\n  - gone.yaml\nwatches:\n  - { name: w, query: up, playbooks: [expand-volume] }\n",
    );
    let config = load_ok(&folder.path().join("portent.yaml"));
    let names: Vec<&str> = config.playbooks.iter().map(|p| p.name.as_str()).collect();
    assert!(names.contains(&"good") && names.contains(&"free-disk-space"));
    assert!(!names.contains(&"expand-volume"), "the embedded one is not what was meant by that name");
    assert_eq!(config.playbooks.iter().find(|p| p.name == "good").unwrap().about, "x", "the first counts");
    assert_eq!(config.books.files["good"], folder.path().join("books/a-good.yaml"));
    let said: Vec<String> =
        config.books.refused.iter().map(|e| e.to_string().replace(&format!("{}/", folder.path().display()), "")).collect();
    let starts = [
        "books/b-faulty.yaml:1:1",
        "books/b-faulty.yaml:2:1",
        "books/b-faulty.yaml:3:7",
        "books/b-faulty.yaml:4:8",
        "books/c-twice.yaml:1:7",
        "books/d-broken.yaml:",
        "books/e-empty.yaml:1:1",
        "portent.yaml:4:5",
    ];
    assert_eq!(said.len(), starts.len(), "{said:#?}");
    assert!(said.iter().zip(starts).all(|(said, start)| said.starts_with(start)), "{said:#?}");
    assert_eq!(config.books.refused_files, 5);
}

#[test]
fn no_answer_repeats_a_secret() {
    let errors = load(&Path::new(ROOT).join("tests/fixtures/config/secrets.bad.yaml")).unwrap_err();
    assert!(!errors.to_string().contains("hunter2"), "{errors}");
    let text = "sources: [{ name: a, prometheus: { url: 'http://h:1', bearer_token: hunter2 } }]\npacks: [node]\n";
    let config = parse(text, "x.yaml").unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    let Auth::Bearer(SecretSource::Inline(secret)) = &config.sources[0].prometheus.auth else { panic!("no token") };
    assert_eq!(secret.expose(), "hunter2");
}

/// Section 7 of the design, to the letter.
const DESIGN: &str = r#"
sources:
  - name: prod
    prometheus: { url: http://127.0.0.1:9090, tenant: team-a, bearer_token_file: /run/secrets/prom, tls: { ca_file: ca.pem } }
packs: [node, kubernetes]
watches:
  - name: disk-filling
    query: 1 - node_filesystem_avail_bytes{fstype!~"tmpfs|overlay"} / node_filesystem_size_bytes
    step: 1m
    above: 0.9            # what is bad; leave out to look for anomalies only
    horizon: 24h
    baseline: { window: 7d, sigma: 3 }
    service: "{{instance}}"
    impact: high
    playbooks: [expand-volume]
notify: [ { webhook: { url: https://ops.example/hook, secret_file: hook.key } } ]   # loopback and private addresses need `allow_private: true`
interval: 30s             # the tick
data_dir: ./portent-data  # sled store, ledger, charts
listen: 127.0.0.1:9273
act: { mode: observe }    # observe | shadow | ask | execute; observe is the default, and nothing raises it but this line
"#;

#[test]
fn the_documented_example_means_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("prom");
    for file in [token.clone(), folder.path().join("ca.pem"), folder.path().join("hook.key")] {
        std::fs::write(file, "x").unwrap();
    }
    let file = folder.path().join("portent.yaml");
    std::fs::write(&file, DESIGN.replace("/run/secrets/prom", &token.display().to_string())).unwrap();
    let config = load_ok(&file);
    let source = &config.sources[0];
    assert_eq!((&*source.name, source.prometheus.url.as_str()), ("prod", "http://127.0.0.1:9090/"));
    assert_eq!(source.prometheus.tenant.as_deref(), Some("team-a"));
    assert!(matches!(&source.prometheus.auth, Auth::Bearer(SecretSource::File(path)) if *path == token));
    assert_eq!(source.prometheus.tls.ca_file, Some(folder.path().join("ca.pem")));
    assert!(!source.prometheus.tls.insecure_skip_verify && source.prometheus.proxy.is_none());
    let watch = &config.watches[0];
    let limit = watch.limit.as_ref().unwrap();
    assert_eq!((&*watch.name, &*watch.source, watch.step, watch.horizon), ("disk-filling", "prod", Span::MINUTE, Span::DAY));
    assert_eq!((limit.side, &limit.threshold), (Side::Above, &Threshold::Value(0.9)));
    assert_eq!((watch.baseline.window, watch.baseline.sigma, watch.impact), (Span::WEEK, 3.0, Impact::High));
    assert_eq!(watch.service.fill(&Labels::from_pairs([("instance", "db-1")]).unwrap()), "db-1");
    assert_eq!((watch.playbooks.as_slice(), watch.code.as_str()), (["expand-volume".to_owned()].as_slice(), "disk-filling"));
    assert!(config.watches.iter().any(|w| &*w.name == "node-memory") && config.watches.iter().any(|w| w.name.starts_with("kubernetes-")));
    let NotifyConfig::Webhook(hook) = &config.notify[0] else { panic!("{:?}", config.notify) };
    assert_eq!((hook.secret_file.clone(), hook.allow_private), (Some(folder.path().join("hook.key")), false));
    assert_eq!((config.interval, config.listen.port(), config.act.settings.mode), (Span::from_secs(30), 9273, Mode::Observe));
    assert_eq!(config.data_dir, folder.path().join("./portent-data"));
    assert_eq!(config.chart_dir, Some(folder.path().join("./portent-data/charts")));
}

#[test]
fn a_file_that_is_missing_is_named_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portent.yaml");
    let errors = parse(DESIGN, &file.display().to_string()).unwrap_err();
    let said: Vec<(usize, bool)> = errors.0.iter().map(|e| (e.line, e.message.ends_with("no such file"))).collect();
    let keys = ["bearer_token_file", "ca_file", "secret_file"];
    assert!(said.iter().all(|s| s.1) && said.len() == keys.len(), "{errors}");
    assert!(keys.iter().zip(&errors.0).all(|(key, e)| e.message.starts_with(key)), "{errors}");
}

#[test]
fn the_example_file_is_taken_and_its_written_defaults_are_the_defaults() {
    let config = load_ok(&Path::new(ROOT).join("portent.example.yaml"));
    assert_eq!(config.limits, LimitsConfig::default());
    let least = load_ok(&Path::new(ROOT).join("tests/fixtures/config/minimal.yaml"));
    assert_eq!((config.interval, config.listen, config.log), (least.interval, least.listen, least.log));
    assert_eq!(config.sources[0].prometheus.timeout, least.sources[0].prometheus.timeout);
    let (watch, plain) = (&config.watches[0], &config.watches[1]);
    // The value range is the profile's, and theirs differ.
    let settings = |watch: &crate::core::watch::Watch| {
        let score = portent_models::score::Settings { lower: None, upper: None, ..watch.baseline.score };
        crate::core::watch::BaselineSettings { score, ..watch.baseline }
    };
    assert_eq!((watch.step, watch.horizon, settings(watch)), (plain.step, plain.horizon, settings(plain)));
    assert_eq!(watch.hysteresis, plain.hysteresis);
    assert!(plain.limit.is_none() && matches!(config.watches[2].limit.as_ref().unwrap().threshold, Threshold::Query(_)));
    let chart_dir = config.chart_dir.clone().unwrap();
    assert_eq!(chart_dir, config.data_dir.join("charts"));
    assert!(config.restart_keys(&least).contains(&"data_dir") && config.restart_keys(&config).is_empty());
}

#[test]
fn a_pack_on_two_sources_gets_names_of_its_own_and_a_written_watch_replaces_a_packs() {
    let config = load_ok(&Path::new(ROOT).join("tests/fixtures/config/two-sources.yaml"));
    let mut names: Vec<&str> = config.watches.iter().map(|w| &*w.name).collect();
    assert!(names.contains(&"tls-certificate-expiry.eu") && names.contains(&"tls-certificate-expiry.us"));
    assert!(names.contains(&"node-cpu") && !names.contains(&"node-cpu.us"));
    names.sort_unstable();
    assert!(names.windows(2).all(|w| w[0] != w[1]), "{names:?}");
    let memory: Vec<_> = config.watches.iter().filter(|w| w.name.starts_with("node-memory")).collect();
    assert_eq!(memory.len(), 1);
    assert_eq!(memory[0].limit.as_ref().unwrap().threshold, Threshold::Value(0.8));
    assert_eq!(config.sources[0].prometheus.url.as_str(), "https://eu.example/prometheus/", "a path prefix is kept when joined");
}

#[test]
fn a_users_playbook_is_read_and_its_arguments_keep_their_types() {
    let config = load_ok(&Path::new(ROOT).join("tests/fixtures/config/with-playbooks.yaml"));
    let own = config.playbooks.iter().find(|p| p.name == "restart-web").unwrap();
    assert_eq!((own.when.watches.as_slice(), own.when.labels.get("job").map(String::as_str)), (["a".to_owned()].as_slice(), Some("web")));
    let want = serde_json::json!({"run": ["systemctl", "restart", "web"], "tries": 2, "force": true, "wait": 1.5, "note": null});
    assert_eq!(serde_json::to_value(&own.steps[0].does.with).unwrap(), want);
    assert!(config.playbooks.iter().any(|p| p.name == "expand-volume"), "the embedded ones are there too");
}

#[test]
fn a_url_alone_is_a_configuration_that_asks_for_every_pack() {
    let config = Config::for_url("http://127.0.0.1:9090/prometheus").unwrap();
    assert_eq!(config.sources[0].prometheus.url.as_str(), "http://127.0.0.1:9090/prometheus/");
    assert!(config.packs.iter().all(|used| used.probe) && config.packs.len() == crate::packs::all().len());
    for bad in ["localhost:9090", "", "http://", "http://a:b@h", "http://h/?q=1"] {
        let errors = Config::for_url(bad).unwrap_err().to_string();
        assert!(errors.starts_with("--prometheus: URL: "), "{bad}: {errors}");
    }
}

#[test]
fn chart_dir_off_draws_none() {
    let text = "sources: [{ name: a, prometheus: { url: 'http://h:1' } }]\npacks: [node]\nchart_dir: off\n";
    assert_eq!(parse(text, "x.yaml").unwrap().chart_dir, None);
}

#[test]
fn hostile_texts_end_soon_and_without_a_panic() {
    let many_errors = format!("sources: [{}]", "{ a: b }, ".repeat(5_000));
    let errors = parse(&many_errors, "x.yaml").unwrap_err();
    assert!(errors.0.len() == error::MAX_ERRORS + 1 && errors.to_string().contains("first 100 faults"));
    let large = format!("a: {}", "x".repeat(2 << 20));
    assert!(parse(&large, "x.yaml").unwrap_err().to_string().contains("bytes"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("latin1.yaml");
    std::fs::write(&file, b"# fine\nname: M\xfcller\n").unwrap();
    assert!(load(&file).unwrap_err().to_string().contains("not UTF-8 on line 2"));
    let endless = load(Path::new("/dev/zero")).unwrap_err().to_string();
    assert!(endless.contains("larger than"), "{endless}");
    assert!(load(folder.path()).is_err() && load(&folder.path().join("none")).unwrap_err().to_string().contains("no such file"));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]
    /// One line of the example changed at random: an answer, never a panic.
    #[test]
    fn a_damaged_configuration_is_answered(line in 0_usize..100, at in 0_usize..60, put in "[\\[\\]{}:,&*#\"'|>\\- 0-9a-z]{0,4}") {
        let text = include_str!("../../portent.example.yaml");
        let mut lines: Vec<String> = text.lines().map(Into::into).collect();
        let line = line % lines.len();
        let cut = lines[line].char_indices().nth(at).map_or(lines[line].len(), |(i, _)| i);
        lines[line].insert_str(cut, &put);
        if let Err(errors) = parse(&lines.join("\n"), "x.yaml") {
            proptest::prop_assert!(!errors.0.is_empty());
        }
    }
}

#[test]
fn one_source_needs_no_list_and_a_file_that_is_no_file_is_not_waited_for() {
    let text = "sources: { name: only, prometheus: { url: 'http://h:1' } }\nwatches: { name: a, query: up }\n";
    assert_eq!(&*parse(text, "x.yaml").unwrap().watches[0].source, "only");
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.yaml");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let text = "sources: [{ name: a, prometheus: { url: 'http://h:1', bearer_token_file: pipe.yaml } }]\npacks: [node]\nplaybooks_dir: .\n";
    let errors = parse(text, &folder.path().join("portent.yaml").display().to_string()).unwrap_err();
    assert_eq!(errors.0.len(), 2, "{errors}");
    assert!(errors.0.iter().all(|e| e.message.contains("not a regular file")), "{errors}");
}

#[test]
fn what_is_learned_and_what_is_held_out_have_bounds() {
    let read = |act: &str| {
        let text = format!("sources: [{{ name: a, prometheus: {{ url: \"http://127.0.0.1:9090\" }} }}]\npacks: [node]\nact: {act}\n");
        let file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
        std::fs::write(file.path(), text).unwrap();
        load(file.path()).map(|config| config.act.settings).map_err(|errors| errors.to_string())
    };
    let usual = read("{ mode: ask }").unwrap();
    assert_eq!((usual.hold_out, usual.learning.lower_likelihood), (0.0, 0.0), "off, and never below what is configured");
    let set = read("{ hold_out: 5%, learn: { half_life: 14d, raise_likelihood: 0.2, lower_likelihood: 0.05 } }").unwrap();
    assert_eq!((set.hold_out, set.learning.half_life), (0.05, Span::DAY.times(14)));
    assert_eq!((set.learning.raise_likelihood, set.learning.lower_likelihood), (0.2, 0.05));
    for bad in [
        "{ hold_out: 60% }",
        "{ hold_out: -1% }",
        "{ hold_out: some }",
        "{ learn: { raise_likelihood: 0.5 } }",
        "{ learn: { half_live: 1d } }",
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
}
