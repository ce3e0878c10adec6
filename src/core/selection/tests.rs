//! The choice on queries as people write them, and on values that keep or break what a name promised.

use super::*;

/// The profiles as they are shipped, from the files themselves: the core does not read YAML.
fn profiles() -> &'static [Profile] {
    crate::config::profiles::all()
}

fn chosen(query: &str) -> (String, Option<f64>, Option<f64>) {
    let profile = Auto::new(query, &|_| None, profiles()).of_watch().profile;
    (profile.name, profile.lower, profile.upper)
}

const Z: Option<f64> = Some(0.0);
const ONE: Option<f64> = Some(1.0);
const HUNDRED: Option<f64> = Some(100.0);

/// Query, profile, bounds.
type Case = (&'static str, &'static str, Option<f64>, Option<f64>);

const CASES: &[Case] = &[
    // node_exporter
    ("1 - node_filesystem_avail_bytes{fstype!~\"tmpfs|overlay\"} / node_filesystem_size_bytes", "saturating-gauge", Z, ONE),
    ("100 - 100 * node_filesystem_avail_bytes / node_filesystem_size_bytes", "saturating-gauge", Z, HUNDRED),
    ("(node_filesystem_size_bytes - node_filesystem_free_bytes) / node_filesystem_size_bytes * 100", "saturating-gauge", Z, HUNDRED),
    ("1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes", "saturating-gauge", Z, ONE),
    ("node_memory_MemAvailable_bytes", "gauge", Z, None),
    ("1 - avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[5m]))", "seasonal-traffic", Z, ONE),
    ("rate(node_network_receive_bytes_total[5m])", "counter-rate", Z, None),
    ("irate(node_disk_io_time_seconds_total[1m])", "counter-rate", Z, None),
    ("node_load1", "gauge", Z, None),
    ("node_filefd_allocated / node_filefd_maximum", "saturating-gauge", Z, ONE),
    ("node_nf_conntrack_entries / node_nf_conntrack_entries_limit", "saturating-gauge", Z, ONE),
    ("node_hwmon_temp_celsius", "gauge", None, None),
    ("time() - node_boot_time_seconds", "gauge", Z, None),
    ("deriv(node_filesystem_avail_bytes[1h])", "gauge", None, None),
    ("node_textfile_scrape_error", "gauge", None, None),
    // kube-state-metrics, cAdvisor, kubelet
    ("kube_deployment_status_replicas_available", "gauge", Z, None),
    ("sum by (namespace) (kube_pod_status_phase{phase=\"Pending\"})", "gauge", None, None),
    ("increase(kube_pod_container_status_restarts_total[1h])", "counter-rate", Z, None),
    ("container_memory_working_set_bytes{container!=\"\"}", "gauge", Z, None),
    ("sum by (pod) (rate(container_cpu_usage_seconds_total[5m]))", "counter-rate", Z, None),
    (
        "sum by (pod) (container_memory_working_set_bytes) / sum by (pod) (kube_pod_container_resource_limits{resource=\"memory\"})",
        "saturating-gauge",
        Z,
        ONE,
    ),
    ("kubelet_volume_stats_used_bytes / kubelet_volume_stats_capacity_bytes", "saturating-gauge", Z, ONE),
    ("kube_resourcequota{type=\"used\"} / ignoring(type) kube_resourcequota{type=\"hard\"}", "saturating-gauge", Z, ONE),
    // blackbox_exporter, certificates
    ("probe_ssl_earliest_cert_expiry - time()", "deadline", None, None),
    ("(probe_ssl_earliest_cert_expiry - time()) / 86400", "deadline", None, None),
    ("min by (namespace, name) (certmanager_certificate_expiration_timestamp_seconds) - time()", "deadline", None, None),
    ("apiserver_client_certificate_expiration_seconds", "deadline", None, None),
    ("probe_success", "gauge", Z, ONE),
    ("avg_over_time(probe_success[1h])", "saturating-gauge", Z, ONE),
    ("1 - avg_over_time(up[5m])", "saturating-gauge", Z, ONE),
    ("probe_http_duration_seconds", "latency-quantile", Z, None),
    ("probe_duration_seconds", "latency-quantile", Z, None),
    ("up", "gauge", Z, ONE),
    // postgres_exporter
    ("sum(pg_stat_activity_count) / max(pg_settings_max_connections)", "saturating-gauge", Z, ONE),
    ("pg_stat_activity_count", "gauge", Z, None),
    ("pg_database_size_bytes", "gauge", Z, None),
    ("pg_replication_lag_seconds", "queue-depth", Z, None),
    ("rate(pg_stat_database_xact_commit[5m])", "counter-rate", Z, None),
    // rabbitmq
    ("rabbitmq_queue_messages_ready", "queue-depth", Z, None),
    ("sum by (queue) (rabbitmq_queue_messages)", "queue-depth", Z, None),
    ("rabbitmq_process_open_fds / rabbitmq_process_max_fds", "saturating-gauge", Z, ONE),
    ("rabbitmq_connections", "gauge", Z, None),
    // kafka_exporter
    ("sum by (consumergroup, topic) (kafka_consumergroup_lag)", "queue-depth", Z, None),
    ("kafka_topic_partition_under_replicated_partition", "gauge", None, None),
    ("sum(rate(kafka_topic_partition_current_offset[5m])) by (topic)", "counter-rate", Z, None),
    // services
    ("sum(rate(http_requests_total{code=~\"5..\"}[5m])) / sum(rate(http_requests_total[5m]))", "error-ratio", Z, ONE),
    ("sum(rate(grpc_server_handled_total{grpc_code!=\"OK\"}[5m])) / sum(rate(grpc_server_handled_total[5m]))", "saturating-gauge", Z, ONE),
    ("100 * sum(rate(login_failures_total[5m])) / sum(rate(login_attempts_total[5m]))", "error-ratio", Z, HUNDRED),
    ("histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))", "latency-quantile", Z, None),
    ("rate(http_request_duration_seconds_sum[5m]) / rate(http_request_duration_seconds_count[5m])", "latency-quantile", Z, None),
    ("sum(rate(http_requests_total[5m]))", "counter-rate", Z, None),
    ("job:http_inprogress_requests:sum", "gauge", Z, None),
    ("go_goroutines", "gauge", Z, None),
    ("process_open_fds / process_max_fds", "saturating-gauge", Z, ONE),
    ("jvm_memory_used_bytes{area=\"heap\"} / jvm_memory_max_bytes{area=\"heap\"}", "saturating-gauge", Z, ONE),
    ("jvm_gc_pause_seconds", "latency-quantile", Z, None),
    ("redis_memory_used_bytes / redis_memory_max_bytes", "saturating-gauge", Z, ONE),
    ("elasticsearch_filesystem_data_available_bytes / elasticsearch_filesystem_data_size_bytes", "saturating-gauge", Z, ONE),
    ("nginx_connections_waiting", "queue-depth", Z, None),
    ("windows_cpu_processor_utility_percent", "saturating-gauge", Z, HUNDRED),
    ("instance:node_cpu_utilisation:rate5m", "saturating-gauge", Z, None),
    ("app_cache_hit_ratio", "saturating-gauge", Z, ONE),
    ("bool_thing > bool 5", "gauge", Z, ONE),
    ("clamp(weird, 0, 1)", "gauge", Z, ONE),
    ("some_number", "gauge", None, None),
    ("this is not PromQL (", "gauge", None, None),
];

#[test]
fn names_and_forms_as_people_write_them() {
    let wrong: Vec<String> = CASES
        .iter()
        .filter_map(|&(query, name, lower, upper)| {
            let found = chosen(query);
            (found != (name.to_owned(), lower, upper)).then(|| format!("{query}\n   is {found:?}, want {name} {lower:?} {upper:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), CASES.len(), wrong.join("\n"));
}

fn seen(low: f64, high: f64) -> Behaviour {
    Behaviour { extremes: Extremes { low, high }, ..Behaviour::default() }
}

fn of(query: &str, behaviour: &Behaviour) -> Selection {
    Auto::new(query, &|_| None, profiles()).select(&Labels::named("x"), behaviour)
}

fn kinds(selection: &Selection) -> Vec<&'static str> {
    selection.reasons.iter().map(Reason::kind).collect()
}

#[test]
fn no_bound_is_chosen_that_past_values_lie_beyond() {
    let queries = CASES.iter().map(|case| case.0);
    for query in queries {
        for (low, high) in [(-3.0, -1.0), (-1e-9, 0.5), (0.0, 1.0), (0.2, 1.3), (0.0, 57.0), (4.0, 250.0), (1e9, 2e9)] {
            let Selection { profile, .. } = of(query, &seen(low, high));
            assert!(profile.lower.is_none_or(|lower| low >= lower), "{query}: {low} is below {:?}", profile.lower);
            assert!(profile.upper.is_none_or(|upper| high <= upper), "{query}: {high} is above {:?}", profile.upper);
        }
    }
    let over = of("container_memory_working_set_bytes / kube_pod_container_resource_limits", &seen(0.1, 1.3));
    assert_eq!((over.profile.lower, over.profile.upper), (Z, None));
    assert_eq!(over.reasons.last(), Some(&Reason::Beyond { value: 1.3, bound: 1.0 }));
    // Rounding is no breach of a bound.
    assert_eq!(of("a_ratio", &seen(0.0, 1.000_000_01)).profile.upper, ONE);
}

#[test]
fn a_percentage_and_a_share_are_told_apart() {
    let name = "instance:node_cpu_utilisation:rate5m";
    assert_eq!(of(name, &seen(0.05, 0.93)).profile.upper, ONE);
    let percent = of(name, &seen(3.0, 93.0));
    assert_eq!((percent.profile.upper, kinds(&percent)), (HUNDRED, vec!["name", "between"]));
    assert_eq!(of(name, &seen(3.0, 393.0)).profile.upper, None);
    // Called a percentage, and low: nothing says that it ends at one.
    assert_eq!(of("disk_used_percent", &seen(0.2, 0.4)).profile.upper, HUNDRED);
    // Called a ratio, and past ten: a percentage in disguise.
    assert_eq!(of("cache_hit_ratio", &seen(60.0, 99.0)).profile.upper, HUNDRED);
    assert_eq!(of("cache_hit_ratio", &seen(0.9, 1.2)).profile.upper, None);
}

#[test]
fn clocks_sawteeth_and_rhythms_are_seen() {
    let hours = |f: &dyn Fn(i32) -> f64| (0..100).map(f).collect::<Vec<f64>>();
    let behaviour = |values: &[f64]| Behaviour::of_values(values, 3600.0, values.iter().copied().collect());
    let falling = hours(&|i| 2.6e6 - 3600.0 * f64::from(i));
    let clock = of("license_left", &behaviour(&falling));
    assert_eq!((clock.profile.name.as_str(), kinds(&clock)), ("deadline", vec!["counts_down"]));
    // Named a countdown, and stands.
    let standing = of("token_ttl_seconds", &behaviour(&[600.0; 100]));
    assert_eq!((standing.profile.name.as_str(), kinds(&standing)), ("gauge", vec!["name", "does_not_count_down"]));
    // Falls as fast, but a step of it was another: no clock.
    let mut renewed = falling.clone();
    renewed[50..].iter_mut().for_each(|v| *v += 1e6);
    assert_eq!(of("license_left", &behaviour(&renewed)).profile.name, "gauge");
    assert_eq!(of("x_expiry - time()", &behaviour(&renewed)).profile.name, "deadline");
    let teeth = of("app_heap_bytes", &behaviour(&hours(&|i| f64::from(i % 20))));
    assert!(teeth.profile.resets && kinds(&teeth).contains(&"falls_back"));
    let jumpy = behaviour(&hours(&|i| f64::from(i / 10 % 2)));
    assert!(!jumpy.falls_back, "up and down alike");
    let rhythm = Behaviour { is_seasonal: true, ..seen(10.0, 900.0) };
    assert_eq!(of("rate(http_requests_total[5m])", &rhythm).profile.name, "seasonal-traffic");
    assert!(of("errors_total / requests_total", &rhythm).profile.seasonal);
}

#[test]
fn the_servers_type_says_what_a_name_does_not() {
    let types = |name: &str| match name {
        "mysql_global_status_questions" => Some(MetricType::Counter),
        "billing_total" => Some(MetricType::Gauge),
        _ => None,
    };
    let select = |query: &str| Auto::new(query, &types, profiles()).of_watch();
    let counter = select("mysql_global_status_questions");
    assert_eq!((counter.profile.lower, counter.profile.resets), (Z, true));
    assert_eq!(kinds(&counter), ["type"]);
    assert_eq!(counter.reasons[0].to_string(), "the server calls mysql_global_status_questions a counter");
    assert!(!select("billing_total").profile.resets, "a gauge that is called a total starts never again");
}

#[test]
fn a_series_own_name_counts_where_the_query_says_nothing() {
    let auto = Auto::new("{__name__=~\".+\"}", &|_| None, profiles());
    let select = |name: &str| auto.select(&Labels::named(name), &seen(1.0, 60.0)).profile;
    assert_eq!((select("DiskUsedPercent").name, select("DiskUsedPercent").upper), ("saturating-gauge".into(), HUNDRED));
    assert_eq!(select("orders_backlog").name, "queue-depth");
    assert_eq!((select("y").name, select("y").lower), ("gauge".into(), None));
    assert!(auto.select(&Labels::named("y"), &seen(1.0, 2.0)).reasons[0] == Reason::NothingKnown);
}
