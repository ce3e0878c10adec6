//! A real control plane: etcd, the API server and the controller manager on free loopback ports. There is no kubelet, so pods stay pending.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::{Process, free_port, wait_until};

/// An API server migrates an empty etcd before it is ready: seconds, or minutes on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(240);

const TOKEN: &str = "admin-of-a-throwaway-server";

/// See the module. Everything ends when it is dropped.
#[derive(Debug)]
pub struct ControlPlane {
    folder: TempDir,
    server: String,
    // Ended in this order.
    _manager: Process,
    _api_server: Process,
    _etcd: Process,
}

impl ControlPlane {
    /// `programs` is the folder that `scripts/build-kubernetes` has filled.
    pub fn start(programs: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a throwaway folder");
        let at = |name: &str| folder.path().join(name);
        let (client, peer, secure) = (free_port(), free_port(), free_port());
        let etcd = etcd(folder.path(), client, peer);
        let key = rcgen::KeyPair::generate().expect("a key");
        std::fs::write(at("sa.key"), key.serialize_pem()).expect("a file");
        std::fs::write(at("sa.pub"), key.public_key_pem()).expect("a file");
        std::fs::write(at("tokens.csv"), format!("{TOKEN},admin,1,\"system:masters\"\n")).expect("a file");
        let server = format!("https://127.0.0.1:{secure}");
        let shown = |path: PathBuf| path.display().to_string();
        let mut command = Command::new(programs.join("kube-apiserver"));
        command.args([
            format!("--etcd-servers=http://127.0.0.1:{client}"),
            "--bind-address=127.0.0.1".to_owned(),
            "--advertise-address=127.0.0.1".to_owned(),
            format!("--secure-port={secure}"),
            format!("--cert-dir={}", shown(at("certs"))),
            format!("--token-auth-file={}", shown(at("tokens.csv"))),
            "--authorization-mode=RBAC".to_owned(),
            "--anonymous-auth=false".to_owned(),
            "--service-cluster-ip-range=10.96.0.0/24".to_owned(),
            format!("--service-account-key-file={}", shown(at("sa.pub"))),
            format!("--service-account-signing-key-file={}", shown(at("sa.key"))),
            format!("--service-account-issuer={server}"),
            "--endpoint-reconciler-type=none".to_owned(),
            "--disable-admission-plugins=ServiceAccount".to_owned(),
        ]);
        let mut api_server = Process::spawn(command, "scripts/build-kubernetes", &at("kube-apiserver.log"));
        let certificate = at("certs").join("apiserver.crt");
        let kubeconfig = at("kubeconfig");
        let is_ready = || {
            let ended = api_server.exit_status();
            assert!(ended.is_none(), "the API server ended with {ended:?}: {}", api_server.output());
            let pem = std::fs::read(&certificate).ok()?;
            write_kubeconfig(&kubeconfig, &server, &certificate);
            ready(&pem, &server).then_some(())
        };
        wait_until(READY_WITHIN, is_ready).unwrap_or_else(|| panic!("the API server is not ready: {}", api_server.output()));
        let mut command = Command::new(programs.join("kube-controller-manager"));
        command.args([
            format!("--kubeconfig={}", shown(at("kubeconfig"))),
            "--bind-address=127.0.0.1".to_owned(),
            "--port=0".to_owned(),
            format!("--secure-port={}", free_port()),
            format!("--cert-dir={}", shown(at("manager"))),
            format!("--service-account-private-key-file={}", shown(at("sa.key"))),
            "--leader-elect=false".to_owned(),
            "--controllers=deployment,replicaset,serviceaccount,namespace,garbagecollector".to_owned(),
        ]);
        let manager = Process::spawn(command, "scripts/build-kubernetes", &at("kube-controller-manager.log"));
        Self { server, _manager: manager, _api_server: api_server, _etcd: etcd, folder }
    }

    pub fn server(&self) -> &str {
        &self.server
    }

    /// Of somebody who may do anything.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }
}

fn etcd(folder: &Path, client: u16, peer: u16) -> Process {
    let (client, peer) = (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
    let mut command = Command::new("etcd");
    command.arg(format!("--data-dir={}", folder.join("etcd").display()));
    command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
    command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer, "--initial-cluster", &format!("default={peer}")]);
    Process::spawn(command, "Debian's package etcd-server", &folder.join("etcd.log"))
}

fn write_kubeconfig(file: &Path, server: &str, certificate: &Path) {
    let config: Value = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "it",
        "clusters": [{ "name": "it", "cluster": { "server": server, "certificate-authority": certificate } }],
        "users": [{ "name": "it", "user": { "token": TOKEN } }],
        "contexts": [{ "name": "it", "context": { "cluster": "it", "user": "it" } }],
    });
    std::fs::write(file, config.to_string()).expect("a file");
}

/// Asked on a thread of its own: whoever waits here may be in the middle of an async test.
fn ready(pem: &[u8], server: &str) -> bool {
    let (pem, url) = (pem.to_vec(), format!("{server}/readyz"));
    let ask = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        runtime.block_on(async {
            let _ = rustls::crypto::ring::default_provider().install_default();
            let roots = reqwest::Certificate::from_pem_bundle(&pem).ok()?;
            let client = reqwest::Client::builder().tls_certs_only(roots).no_proxy().timeout(Duration::from_secs(5)).build().ok()?;
            let answer = client.get(url).bearer_auth(TOKEN).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
    };
    std::thread::spawn(ask).join().ok().flatten().is_some()
}
