//! A broker whose clients have to say who they are, and a certificate authority of its own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use super::broker::{Broker, Door};

/// Who may come in by password.
const USER: &str = "holdfast";
/// Its password.
pub(crate) const PASSWORD: &str = "a-password-that-nobody-may-print";

/// A certificate authority, which lives in a folder.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    pub(crate) fn new() -> Authority {
        let folder = tempfile::tempdir().expect("a folder");
        let key = KeyPair::generate().expect("a key");
        let mut params = named("an authority of the tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate");
        fs::write(folder.path().join("ca.pem"), certificate.pem()).expect("a file");
        Authority { issuer: Issuer::new(params, key), folder }
    }

    /// The file of its own certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Signs a certificate for this name: the files of the certificate and of its key.
    pub(crate) fn sign(&self, name: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().expect("a key");
        let certificate = named(name).signed_by(&key, &self.issuer).expect("a certificate");
        let path = |end: &str| self.folder.path().join(format!("{name}{end}"));
        fs::write(path(".pem"), certificate.pem()).expect("a file");
        fs::write(path("-key.pem"), key.serialize_pem()).expect("a file");
        (path(".pem"), path("-key.pem"))
    }

    /// A file with this in it.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("a file");
        path
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("an address");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// A broker with a door for each way to come in.
pub(crate) struct SecureBroker {
    /// Takes everybody, for the tests themselves.
    pub(crate) broker: Broker,
    pub(crate) authority: Authority,
    tls: Door,
    password: Door,
    certificate: Door,
}

impl SecureBroker {
    pub(crate) fn start() -> SecureBroker {
        let authority = Authority::new();
        let (certificate, key) = authority.sign("broker");
        let text = |path: &Path| fs::read_to_string(path).expect("a file");
        let identity = authority.file("broker-identity.pem", &(text(&key) + &text(&certificate)));
        let (identity, ca) = (identity.display().to_string(), authority.certificate());
        let settings = [
            ("ssl.keystore.type", "PEM"),
            ("ssl.keystore.location", &*identity),
            ("ssl.truststore.type", "PEM"),
            ("ssl.truststore.location", &*ca.display().to_string()),
            ("listener.name.certificate.ssl.client.auth", "required"),
            ("sasl.enabled.mechanisms", "SCRAM-SHA-512"),
            (
                "listener.name.password.scram-sha-512.sasl.jaas.config",
                "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            ),
        ];
        let doors = [
            Door::new("TLS", "SSL"),
            Door::new("PASSWORD", "SASL_SSL"),
            Door::new("CERTIFICATE", "SSL"),
        ];
        let user = format!("SCRAM-SHA-512=[name={USER},password={PASSWORD}]");
        let broker = Broker::start_with_doors(&doors, &settings, &user);
        let [tls, password, certificate] = doors;
        SecureBroker { broker, authority, tls, password, certificate }
    }

    /// Where anybody comes in who speaks TLS.
    pub(crate) fn tls(&self) -> String {
        self.tls.address()
    }

    /// Where one comes in with a name and a password.
    pub(crate) fn password(&self) -> String {
        self.password.address()
    }

    /// Where one comes in with a certificate.
    pub(crate) fn certificate(&self) -> String {
        self.certificate.address()
    }
}
