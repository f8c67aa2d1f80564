//! The security of the wire, against a broker with a certificate authority of the test's own.

use std::{fs, path::Path, thread, time::Duration};

use super::{REST, seeded, turn};
use crate::support::{
    binary::repository,
    kafka::{
        feed::{produce, traffic},
        secure::{Authority, PASSWORD, SecureBroker},
    },
    process::within,
    service::{Deployment, Instance, shipped_ruleset},
};

/// What stands in the documentation where the tests have files of their own.
const CA: &str = "/etc/holdfast/ca.pem";
const PASSWORD_FILE: &str = "/run/secrets/kafka-password";
const CERTIFICATE: &str = "/etc/holdfast/client.pem";
const KEY: &str = "/run/secrets/client-key.pem";

/// Properties as the documentation has them below these words, with these files for those.
fn as_documented(mut deployment: Deployment, words: &str, files: &[(&str, &Path)]) -> Deployment {
    let page = fs::read_to_string(repository("docs/service.md")).expect("a page");
    let (_, rest) = page.split_once(words).expect("these words");
    let (_, rest) = rest.split_once("[kafka.properties]\n").expect("properties");
    let (block, _) = rest.split_once("```").expect("an end");
    for line in block.lines() {
        let (key, value) = line.split_once(" = ").expect("a property");
        let mut value = value.to_owned();
        for (documented, file) in files {
            value = value.replace(documented, &file.display().to_string());
        }
        deployment = deployment.with_written_property(key.trim().trim_matches('"'), &value);
    }
    deployment
}

fn deployment(secure: &SecureBroker, address: &str) -> Deployment {
    Deployment::new(&secure.broker.address(), 4, &shipped_ruleset()).reached_at(address)
}

fn by_password(secure: &SecureBroker, ca: &Path, password: &Path) -> Deployment {
    let files = [(CA, ca), (PASSWORD_FILE, password)];
    as_documented(deployment(secure, &secure.password()), "By a password over TLS", &files)
}

fn by_certificate(secure: &SecureBroker, ca: &Path) -> Deployment {
    let (certificate, key) = secure.authority.sign("client");
    let files = [(CA, ca), (CERTIFICATE, &*certificate), (KEY, &*key)];
    as_documented(deployment(secure, &secure.certificate()), "By a certificate", &files)
}

/// With TLS, and nothing that says who comes.
fn by_nothing(secure: &SecureBroker, address: &str, ca: &Path) -> Deployment {
    deployment(secure, address)
        .with_property("security.protocol", "SSL")
        .with_property("ssl.ca.location", &ca.display().to_string())
}

/// Decides some events, and shows no secret anywhere.
fn decides(deployment: &Deployment, seed: u64) {
    produce(&deployment.input, traffic(seed, 3000));
    let mut instances = [deployment.start(0)];
    instances[0].wait_until_ready();
    deployment.wait_until_done(REST, &mut instances);
    for page in ["/metrics", "/readyz"] {
        let (_, shown) = instances[0].get(page).expect("a page");
        assert!(!shown.contains(PASSWORD), "{shown}");
    }
    assert!(!instances[0].said().contains(PASSWORD), "{}", instances[0].said());
    instances.into_iter().for_each(Instance::terminate);
    deployment.must_be_exact();
}

/// Ends by itself, and says once why.
fn is_refused(deployment: &Deployment, with: &[&str]) {
    let mut instance = deployment.start(0);
    let code = instance.wait_for_end();
    let said = instance.said();
    assert_eq!(code, 69, "{said}");
    for part in with {
        assert!(said.contains(part), "not a word of {part}:\n{said}");
    }
    assert!(said.lines().count() < 6, "once is enough:\n{said}");
    assert!(!said.contains(PASSWORD), "{said}");
}

/// A port that hangs up may be a proxy whose broker is away: it is waited for, and the log and the
/// page say what else it may be.
fn is_told(deployment: &Deployment) {
    let instance = deployment.start(0);
    let told = || {
        let (status, page) = instance.get("/readyz")?;
        let named = |text: &str| text.contains("security.protocol");
        (status == 503 && named(&page) && named(&instance.said())).then_some(())
    };
    assert!(within(Duration::from_secs(60), told).is_some(), "{}", instance.said());
    instance.terminate();
}

#[test]
fn every_way_into_the_brokers_is_taken_and_every_wrong_one_is_told() {
    let _turn = turn();
    let (seed, _) = seeded("every_way_into_the_brokers");
    let secure = SecureBroker::start();
    let (ca, strange) = (secure.authority.certificate(), Authority::new());
    // With the line end that editors leave.
    let password = secure.authority.file("password", &format!("{PASSWORD}\n"));

    let right = [
        by_nothing(&secure, &secure.tls(), &ca),
        by_password(&secure, &ca, &password),
        by_certificate(&secure, &ca),
    ];
    let wrong = secure.authority.file("wrong", "another-password");
    let wrong_password = by_password(&secure, &ca, &wrong);
    let wrong_authority = by_certificate(&secure, &strange.certificate());
    let no_certificate = by_nothing(&secure, &secure.certificate(), &ca);
    let plain = secure.broker.address();
    let nobody_asks = by_password(&secure, &ca, &password)
        .reached_at(&plain)
        .with_property("security.protocol", "SASL_PLAINTEXT");
    let no_tls = deployment(&secure, &secure.tls());
    let needless_tls = by_nothing(&secure, &plain, &ca);
    let verified = ["ssl.ca.location", "certificate verify failed"];
    // The wrong ones take their time to be sure.
    thread::scope(|scope| {
        scope.spawn(|| is_refused(&wrong_password, &["sasl.password", "sasl.username"]));
        scope.spawn(|| is_refused(&wrong_authority, &verified));
        scope.spawn(|| is_refused(&no_certificate, &["ssl.certificate.location"]));
        scope.spawn(|| is_refused(&nobody_asks, &["security.protocol", "sasl.mechanism"]));
        scope.spawn(|| is_told(&no_tls));
        scope.spawn(|| is_told(&needless_tls));

        for (deployment, more) in right.iter().zip(0..) {
            decides(deployment, seed + more);
        }
    });
}
