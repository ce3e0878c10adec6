//! TLS as it is used inside companies: a private authority, a client certificate, both rotated.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use tokio_rustls::TlsAcceptor;

use super::fake::{Fake, json};
use super::*;

const VERSION: &str = r#"{"status":"success","data":{"version":"1"}}"#;

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Certificate and key, issued by `ca`.
fn issue(ca: &CertifiedIssuer<'static, KeyPair>, name: &str, purpose: ExtendedKeyUsagePurpose) -> (rcgen::Certificate, KeyPair) {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.extended_key_usages = vec![purpose];
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, ca).unwrap();
    (certificate, key)
}

/// A server whose certificate `ca` signed, and which lets in whom `clients` signed.
async fn server(ca: &CertifiedIssuer<'static, KeyPair>, clients: &CertifiedIssuer<'static, KeyPair>) -> Fake {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (certificate, key) = issue(ca, "127.0.0.1", ExtendedKeyUsagePurpose::ServerAuth);
    let mut roots = RootCertStore::empty();
    roots.add(clients.der().clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder().with_client_cert_verifier(verifier);
    let config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    Fake::start_tls(TlsAcceptor::from(Arc::new(config)), |_, _| json(VERSION)).await
}

fn write_pair(dir: &Path, ca: &CertifiedIssuer<'static, KeyPair>) {
    let (certificate, key) = issue(ca, "portent", ExtendedKeyUsagePurpose::ClientAuth);
    std::fs::write(dir.join("cert.pem"), certificate.pem()).unwrap();
    std::fs::write(dir.join("key.pem"), key.serialize_pem()).unwrap();
}

fn settings(fake: &Fake, dir: &Path) -> PrometheusSettings {
    let mut settings = PrometheusSettings::new(format!("https://{}/", fake.address).parse().unwrap());
    settings.limits.backoff = Duration::from_millis(5);
    settings.tls.ca_file = Some(dir.join("ca.pem"));
    settings.tls.cert_file = Some(dir.join("cert.pem"));
    settings.tls.key_file = Some(dir.join("key.pem"));
    settings
}

#[tokio::test]
async fn a_private_authority_and_a_client_certificate() {
    let (ca, stranger, dir) = (authority(), authority(), tempfile::tempdir().unwrap());
    let fake = server(&ca, &ca).await;
    std::fs::write(dir.path().join("ca.pem"), ca.pem()).unwrap();
    write_pair(dir.path(), &ca);
    let good = settings(&fake, dir.path());
    assert_eq!(PrometheusClient::new(good.clone()).unwrap().build_info().await.unwrap().version, "1");

    let mut unknown_server = good.clone();
    unknown_server.tls.ca_file = Some(dir.path().join("stranger.pem"));
    std::fs::write(dir.path().join("stranger.pem"), stranger.pem()).unwrap();
    let error = PrometheusClient::new(unknown_server.clone()).unwrap().build_info().await.unwrap_err();
    assert!(matches!(error.cause, Cause::Tls(_)) && !error.is_retryable(), "{error}");
    assert!(error.to_string().contains("hint: a private authority goes into tls.ca_file"), "{error}");

    unknown_server.tls.insecure_skip_verify = true;
    assert_eq!(PrometheusClient::new(unknown_server).unwrap().build_info().await.unwrap().version, "1");

    let mut nobody = good;
    nobody.tls.cert_file = None;
    nobody.tls.key_file = None;
    nobody.limits.max_attempts = 1;
    assert!(PrometheusClient::new(nobody).unwrap().build_info().await.is_err(), "the server let in a client without a certificate");
}

#[tokio::test]
async fn rotated_certificates_are_picked_up_and_broken_ones_are_not() {
    let (ca, stranger, dir) = (authority(), authority(), tempfile::tempdir().unwrap());
    let fake = server(&ca, &ca).await;
    std::fs::write(dir.path().join("ca.pem"), ca.pem()).unwrap();
    write_pair(dir.path(), &stranger);
    let mut settings = settings(&fake, dir.path());
    settings.limits.max_attempts = 1;
    let client = PrometheusClient::new(settings).unwrap();
    assert!(client.build_info().await.is_err(), "a stranger was let in");
    write_pair(dir.path(), &ca);
    assert_eq!(client.build_info().await.unwrap().version, "1");
    std::fs::write(dir.path().join("cert.pem"), "half a certif").unwrap();
    assert_eq!(client.build_info().await.unwrap().version, "1");
}
