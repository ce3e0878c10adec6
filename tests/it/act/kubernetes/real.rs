//! Against a real API server: `make test-kubernetes`. With `KUBECONFIG` set it is that cluster, in a namespace that is made and deleted; otherwise
//! one that is started here. The actuator has the account and the rights of `docs/kubernetes-rbac.yaml` and no more, so the example is tested too.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use portent::act::kubernetes::{Access, ClusterSettings, Kubernetes};
use portent::act::{Actuator as _, Job};
use portent::core::playbook::StepEnd;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::super::now;
use super::{is, job, patiently, tried};
use crate::support::ControlPlane;

/// Controllers take a second or two; on a busy machine ten times as long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody who may do anything, and the namespace that it all happens in.
struct Cluster {
    client: reqwest::Client,
    server: String,
    authority: Vec<Vec<u8>>,
    token: Option<String>,
    namespace: String,
    is_ours: bool,
    folder: TempDir,
    _plane: Option<ControlPlane>,
}

impl Cluster {
    async fn start() -> Self {
        let plane = match std::env::var_os("KUBECONFIG") {
            Some(_) => None,
            None => {
                let programs =
                    std::env::var_os("PORTENT_KUBERNETES").expect("run it by `make test-kubernetes`, which builds an API server");
                Some(ControlPlane::start(Path::new(&programs)))
            }
        };
        let file = plane.as_ref().map_or_else(|| PathBuf::from(std::env::var_os("KUBECONFIG").unwrap()), ControlPlane::kubeconfig);
        let kubeconfig = kube::config::Kubeconfig::read_from(&file).unwrap();
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &kube::config::KubeConfigOptions::default()).await.unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let authority = config.root_cert.unwrap();
        let roots = authority.iter().map(|der| reqwest::Certificate::from_der(der).unwrap());
        let mut builder = reqwest::Client::builder().tls_certs_only(roots).no_proxy().timeout(Duration::from_secs(30));
        let auth = config.auth_info;
        if let (Some(certificate), Some(key)) = (&auth.client_certificate_data, &auth.client_key_data) {
            let decoded = |text: &str| BASE64_STANDARD.decode(text).unwrap();
            let pem = [decoded(certificate), b"\n".to_vec(), decoded(key.expose_secret())].concat();
            builder = builder.identity(reqwest::Identity::from_pem(&pem).unwrap());
        }
        let token = auth.token.map(|token| token.expose_secret().to_owned());
        let namespace = format!("portent-test-{}", std::process::id());
        let is_ours = plane.is_some();
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let folder = tempfile::tempdir().unwrap();
        Self { client: builder.build().unwrap(), server, authority, token, namespace, is_ours, folder, _plane: plane }
    }

    async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.ask_as(self.token.as_deref(), method, path, body).await
    }

    async fn ask_as(&self, token: Option<&str>, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let mut request = self.client.request(method.parse().unwrap(), format!("{}{path}", self.server));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
            request = request.header("content-type", kind).body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
    }

    async fn make(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask("POST", path, Some(body)).await;
        assert!(status < 300, "POST {path}: {answer}");
        answer
    }

    /// Keeps an answer for the tests that have no API server, where `PORTENT_RECORD` says so.
    fn record(&self, name: &str, answer: &Value) {
        if std::env::var_os("PORTENT_RECORD").is_some() {
            let text = serde_json::to_string_pretty(answer).unwrap().replace(&self.namespace, "shop");
            std::fs::write(super::recorded::path(name), text + "\n").unwrap();
        }
    }

    fn in_it(&self, path: &str) -> String {
        path.replace("NS", &self.namespace)
    }

    async fn object(&self, path: &str) -> Value {
        let (status, answer) = self.ask("GET", &self.in_it(path), None).await;
        assert_eq!(status, 200, "GET {path}: {answer}");
        answer
    }

    async fn deployment(&self) -> Value {
        self.object("/apis/apps/v1/namespaces/NS/deployments/web").await
    }

    async fn patch(&self, path: &str, body: Value) {
        let (status, answer) = self.ask("PATCH", &self.in_it(path), Some(&body)).await;
        assert!(status < 300, "PATCH {path}: {answer}");
    }

    /// Until the controller has taken up the newest change and there are so many ReplicaSets.
    async fn settled(&self, sets: usize) {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let web = self.deployment().await;
            let all = self.object("/apis/apps/v1/namespaces/NS/replicasets").await["items"].as_array().unwrap().len();
            let is_seen = web["status"]["observedGeneration"].as_i64() == web["metadata"]["generation"].as_i64();
            if is_seen && all == sets {
                return;
            }
            assert!(tokio::time::Instant::now() < end, "{all} ReplicaSets, want {sets}: {web}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn pods(&self) -> Vec<Value> {
        let all = self.object("/api/v1/namespaces/NS/pods").await["items"].as_array().unwrap().clone();
        all.into_iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).collect()
    }

    /// The namespace and everything in docs/kubernetes-rbac.yaml.
    async fn prepare(&self) {
        self.make("/api/v1/namespaces", &json!({ "metadata": { "name": self.namespace } })).await;
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/kubernetes-rbac.yaml")).unwrap();
        for text in text.split("\n---\n") {
            let mut object: Value =
                serde_saphyr::from_str(&text.replace("namespace: shop", &format!("namespace: {}", self.namespace))).unwrap();
            object["metadata"]["name"] = json!(object["metadata"]["name"].as_str().unwrap().replace("portent-nodes", &self.cluster_wide()));
            if object["kind"] == "ClusterRoleBinding" {
                object["roleRef"]["name"] = json!(self.cluster_wide());
            }
            if object["kind"] == "ServiceAccount"
                || object["kind"].as_str().unwrap().starts_with("Cluster")
                || object["kind"].as_str().unwrap().starts_with("Role")
            {
                let plural = format!("{}s", object["kind"].as_str().unwrap().to_lowercase());
                let rbac = "/apis/rbac.authorization.k8s.io/v1";
                let path = match object["kind"].as_str().unwrap() {
                    "ServiceAccount" => self.in_it("/api/v1/namespaces/NS/serviceaccounts"),
                    kind if kind.starts_with("Cluster") => format!("{rbac}/{plural}"),
                    _ => self.in_it(&format!("{rbac}/namespaces/NS/{plural}")),
                };
                if self.is_ours || !path.contains("cluster") {
                    self.make(&path, &object).await;
                }
            }
        }
        self.make(&self.in_it("/api/v1/namespaces/NS/serviceaccounts"), &json!({ "metadata": { "name": "nobody" } })).await;
    }

    fn cluster_wide(&self) -> String {
        format!("{}-nodes", self.namespace)
    }

    async fn token(&self, account: &str) -> String {
        let path = self.in_it(&format!("/api/v1/namespaces/NS/serviceaccounts/{account}/token"));
        let request = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": { "expirationSeconds": 3600 } });
        self.make(&path, &request).await["status"]["token"].as_str().unwrap().to_owned()
    }

    /// With an account of the namespace.
    async fn actuator(&self, account: &str) -> Kubernetes {
        let token = self.token(account).await;
        let pem = |der: &Vec<u8>| {
            let text = BASE64_STANDARD.encode(der);
            let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
            format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
        };
        let authority: String = self.authority.iter().map(pem).collect();
        let file = self.folder.path().join(account);
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "clusters": [{ "name": "it", "cluster": { "server": self.server, "certificate-authority-data": BASE64_STANDARD.encode(authority) } }],
            "users": [{ "name": "it", "user": { "token": token } }],
            "contexts": [{ "name": "it", "context": { "cluster": "it", "user": "it" } }],
        });
        std::fs::write(&file, config.to_string()).unwrap();
        let access = Access::Kubeconfig { file, context: None };
        let namespaces = [self.namespace.clone()].into();
        Kubernetes::new(Some(ClusterSettings { access, namespaces, nodes: true, timeout: Duration::from_secs(20) }), now())
    }

    fn job(&self, id: &str, mut with: Value) -> Job {
        if with["verb"] != "drain" && with["kind"] != "node" {
            with["namespace"] = json!(self.namespace);
        }
        job(id, with)
    }

    async fn delete(&self) {
        if self.is_ours {
            return;
        }
        self.ask("DELETE", &self.in_it("/api/v1/namespaces/NS"), None).await;
    }
}

fn web(replicas: i64) -> Value {
    let limits = json!({ "limits": { "memory": "64Mi" } });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
        "spec": {
            "replicas": replicas, "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "terminationGracePeriodSeconds": 0, "containers": [{ "name": "app", "image": "pause:v1", "resources": limits }] },
            },
        },
    })
}

fn image(web: &Value) -> &str {
    web["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an API server: make test-kubernetes"]
async fn a_real_api_server_is_acted_on_as_it_is_said() {
    let cluster = Cluster::start().await;
    cluster.prepare().await;
    cluster.make(&cluster.in_it("/apis/apps/v1/namespaces/NS/deployments"), &web(2)).await;
    cluster.settled(1).await;
    let actuator = &cluster.actuator("portent").await;
    let undo = |run: &str| cluster.job(&format!("{run}.0.undo"), json!({ "verb": "undo" }));

    // Dry run, scale, probe, undo.
    let scale = cluster.job("r1.0.do", json!({ "verb": "scale", "replicas": "+1" }));
    let said = tried(actuator, &scale).await;
    assert!(said.contains("replicas 2 -> 3") && said.contains("dry run took it"), "{said}");
    assert_eq!(cluster.deployment().await["spec"]["replicas"], 2);
    is(&actuator.probe(&scale).await, StepEnd::Failed, "does not have the step's mark");
    for _ in 0..2 {
        is(&patiently(actuator, &scale).await, StepEnd::Succeeded, "");
    }
    assert_eq!(cluster.deployment().await["spec"]["replicas"], 3);
    is(&actuator.probe(&scale).await, StepEnd::Succeeded, "has the step's mark");
    is(&patiently(actuator, &undo("r1")).await, StepEnd::Succeeded, "back to");
    assert_eq!(cluster.deployment().await["spec"]["replicas"], 2);

    // Limits there and back; another revision each time.
    let limits = json!({ "verb": "patch_limits", "resource": "memory", "factor": 1.5, "max": "1Gi" });
    is(&patiently(actuator, &cluster.job("r2.0.do", limits)).await, StepEnd::Succeeded, "64Mi -> 96Mi");
    cluster.settled(2).await;
    is(&patiently(actuator, &undo("r2")).await, StepEnd::Succeeded, "64Mi");
    cluster.settled(2).await;

    // Rollout restart.
    is(
        &patiently(actuator, &cluster.job("r3.0.do", json!({ "verb": "rollout_restart" }))).await,
        StepEnd::Succeeded,
        "one after the other",
    );
    cluster.settled(3).await;

    // Rollback, and back again.
    cluster
        .patch(
            "/apis/apps/v1/namespaces/NS/deployments/web",
            json!({ "spec": { "template": { "spec": { "containers": [{ "name": "app", "image": "pause:v2" }] } } } }),
        )
        .await;
    cluster.settled(4).await;
    cluster.record("deployment", &cluster.deployment().await);
    cluster.record("replicasets", &cluster.object("/apis/apps/v1/namespaces/NS/replicasets").await);
    let back = cluster.job("r4.0.do", json!({ "verb": "rollback" }));
    assert!(tried(actuator, &back).await.contains("the template of revision"));
    assert_eq!(image(&cluster.deployment().await), "pause:v2");
    is(&patiently(actuator, &back).await, StepEnd::Succeeded, "the template of revision");
    assert_eq!(image(&cluster.deployment().await), "pause:v1");
    cluster.settled(4).await;
    is(&patiently(actuator, &undo("r4")).await, StepEnd::Succeeded, "back to the template of");
    assert_eq!(image(&cluster.deployment().await), "pause:v2");
    cluster.settled(4).await;
    let annotate = json!({ "verb": "annotate", "annotations": { "ops.example/why": "{{pod}} \"leaks\"" } });
    is(&patiently(actuator, &cluster.job("r5.0.do", annotate)).await, StepEnd::Succeeded, "1 annotations");

    restart_pod(&cluster, actuator).await;
    refusals(&cluster, actuator).await;
    conflicts(&cluster, actuator).await;
    if cluster.is_ours {
        drain(&cluster, actuator).await;
    }
    cluster.delete().await;
}

async fn restart_pod(cluster: &Cluster, actuator: &Kubernetes) {
    let pods = cluster.pods().await;
    let (name, uid) = (pods[0]["metadata"]["name"].clone(), pods[0]["metadata"]["uid"].clone());
    let path = format!("/api/v1/namespaces/NS/pods/{}", name.as_str().unwrap());
    cluster.record("pod", &cluster.object(&path).await);
    let restart = cluster.job("r6.0.do", json!({ "verb": "restart_pod", "name": name }));
    assert!(tried(actuator, &restart).await.contains("would be ended"));
    assert!(cluster.pods().await.iter().any(|pod| pod["metadata"]["uid"] == uid));
    is(&patiently(actuator, &restart).await, StepEnd::Succeeded, "is being ended");
    assert!(!cluster.pods().await.iter().any(|pod| pod["metadata"]["uid"] == uid));
    is(&actuator.probe(&restart).await, StepEnd::Succeeded, "");
}

/// What is not allowed, not there, or not right.
async fn refusals(cluster: &Cluster, actuator: &Kubernetes) {
    let scale = cluster.job("r7.0.do", json!({ "verb": "scale", "replicas": "+1" }));
    let nobody = cluster.actuator("nobody").await;
    is(&nobody.start(&scale).await, StepEnd::Failed, "RBAC");
    is(&nobody.probe(&scale).await, StepEnd::Unknown, "403");
    assert!(nobody.dry_run(&scale).await.unwrap_err().contains("403"));
    // Who may look and not write is stopped by the dry run.
    let rules = json!([{ "apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"] }]);
    let rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/NS";
    cluster.make(&cluster.in_it(&format!("{rbac}/roles")), &json!({ "metadata": { "name": "looks" }, "rules": rules })).await;
    let subjects = json!([{ "kind": "ServiceAccount", "name": "nobody", "namespace": cluster.namespace }]);
    let role = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "looks" });
    cluster
        .make(
            &cluster.in_it(&format!("{rbac}/rolebindings")),
            &json!({ "metadata": { "name": "looks" }, "subjects": subjects, "roleRef": role }),
        )
        .await;
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        let done = nobody.start(&scale).await;
        if done.note.contains("the dry run failed") {
            break is(&done, StepEnd::Failed, "403");
        }
        assert!(tokio::time::Instant::now() < end, "{done:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    record_refusals(cluster).await;
    let gone = cluster.job("r7.0.do", json!({ "verb": "scale", "replicas": "+1", "name": "gone" }));
    is(&actuator.start(&gone).await, StepEnd::Failed, "404");
    let odd =
        cluster.job("r7.0.do", json!({ "verb": "patch_limits", "resource": "memory", "factor": 1.5, "max": "1Gi", "container": "other" }));
    is(&actuator.start(&odd).await, StepEnd::Failed, "no container");
    let mut foreign = scale.clone();
    foreign.with.insert("namespace".to_owned(), json!("kube-system"));
    is(&actuator.start(&foreign).await, StepEnd::Failed, "not one that may be acted in");
}

/// The server's own words, for the tests that have none.
async fn record_refusals(cluster: &Cluster) {
    let web = cluster.in_it("/apis/apps/v1/namespaces/NS/deployments/web");
    let nobody = cluster.token("nobody").await;
    for (token, path, body, status) in [
        (Some(&nobody), web.clone(), json!({ "spec": { "replicas": 9 } }), 403),
        (None, format!("{web}-gone"), json!({ "spec": { "replicas": 9 } }), 404),
        (None, web.clone(), json!({ "metadata": { "resourceVersion": "1" }, "spec": { "replicas": 9 } }), 409),
        (None, web, json!({ "spec": { "replicas": -9 } }), 422),
    ] {
        let token = token.map(String::as_str).or(cluster.token.as_deref());
        let (answered, answer) = cluster.ask_as(token, "PATCH", &path, Some(&body)).await;
        assert!(answered == status && answer["kind"] == "Status", "want {status}: {answered} {answer}");
        cluster.record(&format!("status-{status}"), &answer);
    }
}

/// Somebody else writes all the time: a step is done or it is not, and never over what they wrote.
async fn conflicts(cluster: &Cluster, actuator: &Kubernetes) {
    const PATH: &str = "/apis/apps/v1/namespaces/NS/deployments/web";
    let (mut done, mut refused) = (0, 0);
    let before = cluster.deployment().await["spec"]["replicas"].as_i64().unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let others = async {
        let mut count = 0_u64;
        while !stop.load(std::sync::atomic::Ordering::SeqCst) {
            count += 1;
            cluster.patch(PATH, json!({ "metadata": { "annotations": { "ops.example/count": count.to_string() } } })).await;
        }
        count
    };
    let ours = async {
        for i in 0..150 {
            let with = json!({ "verb": "scale", "replicas": "+1", "max": 500 });
            let end = actuator.start(&cluster.job(&format!("c{i}.0.do"), with)).await;
            match end.end {
                StepEnd::Succeeded => done += 1,
                _ => {
                    is(&end, StepEnd::Failed, "nothing was overwritten");
                    refused += 1;
                }
            }
            if refused >= 5 && done >= 5 {
                break;
            }
        }
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
    };
    let (count, ()) = tokio::join!(others, ours);
    let web = cluster.deployment().await;
    assert_eq!(web["spec"]["replicas"].as_i64().unwrap(), before + done, "{refused} refused");
    assert_eq!(web["metadata"]["annotations"]["ops.example/count"], count.to_string(), "their last word stands");
    assert!(refused > 0, "{done} done and none refused");
}

/// On a node that is only written down: no kubelet is there to disturb.
async fn drain(cluster: &Cluster, actuator: &Kubernetes) {
    cluster.make("/api/v1/nodes", &json!({ "metadata": { "name": "n1" } })).await;
    cluster.patch("/apis/apps/v1/namespaces/NS/deployments/web", json!({ "spec": { "replicas": 3 } })).await;
    cluster.settled(4).await;
    let end = tokio::time::Instant::now() + PATIENCE;
    let bound = loop {
        let pods: Vec<Value> = cluster.pods().await.into_iter().filter(|pod| pod["spec"]["nodeName"].is_null()).collect();
        if pods.len() >= 2 {
            break pods;
        }
        assert!(tokio::time::Instant::now() < end, "{} pods", pods.len());
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    for pod in &bound[..2] {
        let name = pod["metadata"]["name"].as_str().unwrap();
        let path = cluster.in_it(&format!("/api/v1/namespaces/NS/pods/{name}/binding"));
        cluster
            .make(
                &path,
                &json!({ "apiVersion": "v1", "kind": "Binding", "metadata": { "name": name }, "target": { "kind": "Node", "name": "n1" } }),
            )
            .await;
    }
    cluster.record("node", &cluster.object("/api/v1/nodes/n1").await);
    let drain = cluster.job("r8.0.do", json!({ "verb": "drain", "max_pods": 5 }));
    assert!(tried(actuator, &drain).await.contains("2 would leave it"));
    is(&patiently(actuator, &drain).await, StepEnd::Succeeded, "2 pods have left node n1");
    assert_eq!(cluster.object("/api/v1/nodes/n1").await["spec"]["unschedulable"], true);
    is(&actuator.probe(&drain).await, StepEnd::Succeeded, "have left");
    is(&patiently(actuator, &cluster.job("r8.0.undo", json!({ "verb": "undo", "kind": "node" }))).await, StepEnd::Succeeded, "");
    assert!(cluster.object("/api/v1/nodes/n1").await["spec"]["unschedulable"].is_null());
}
