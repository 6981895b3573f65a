//! The log on a broker that speaks TLS only to its clients.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Name};
use rdkafka::ClientConfig;
use wb_kafka::{CommitsView, Log, LogError, LogSettings};
use wb_stack::{Kafka, KafkaConfig};

use crate::{PLAN, libs_dir, make_gpu_again};

/// A start takes some three seconds.
const START_TRIES: u32 = 6;

/// A Java process, killed when it is dropped.
struct Broker(Child);

impl Drop for Broker {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// A key and its own certificate for 127.0.0.1, in PEM.
fn certificate() -> (Vec<u8>, Vec<u8>) {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut name = X509Name::builder().unwrap();
    name.append_entry_by_text("CN", "the broker of a test").unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
    let here = SubjectAlternativeName::new().ip("127.0.0.1").build(&builder.x509v3_context(None, None));
    builder.append_extension(here.unwrap()).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    (key.private_key_to_pem_pkcs8().unwrap(), builder.build().to_pem().unwrap())
}

/// The properties of the broker with a TLS listener for the clients; the plain one stays for the broker itself.
fn secure(properties: &str, port: u16, keystore: &Path) -> String {
    let listener = format!("TLS://127.0.0.1:{port}");
    let lines = properties.lines().map(|line| match line.split_once('=') {
        Some(("listeners" | "advertised.listeners", _)) => format!("{line},{listener}\n"),
        Some(("listener.security.protocol.map", _)) => format!("{line},TLS:SSL\n"),
        _ => format!("{line}\n"),
    });
    let mut secure: String = lines.collect();
    secure.push_str("listener.name.tls.ssl.keystore.type=PEM\n");
    secure.push_str(&format!("listener.name.tls.ssl.keystore.location={}\n", keystore.display()));
    secure
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_made_again_is_found_over_tls_too() {
    let folder = tempfile::tempdir().unwrap();
    // Storage and properties are made by a first start over a plain connection.
    let plain = KafkaConfig::on_free_ports(libs_dir(), folder.path()).unwrap();
    Kafka::start(plain.clone()).await.unwrap().stop().await.unwrap();

    let (key, certificate) = certificate();
    let authority = folder.path().join("authority.pem");
    fs::write(&authority, &certificate).unwrap();
    let keystore = folder.path().join("keystore.pem");
    fs::write(&keystore, [key, certificate].concat()).unwrap();
    let properties = folder.path().join("server.properties");
    let port = KafkaConfig::on_free_ports(libs_dir(), folder.path()).unwrap().port;
    fs::write(&properties, secure(&fs::read_to_string(&properties).unwrap(), port, &keystore)).unwrap();
    let java =
        std::env::var("JAVA_HOME").map_or_else(|_| "java".to_owned(), |home| format!("{home}/bin/java"));
    let output = fs::File::create(folder.path().join("tls.log")).unwrap();
    let _broker = Broker(
        Command::new(java)
            .arg(format!("-Dlog4j2.configurationFile={}", folder.path().join("log4j2.xml").display()))
            .args(["-XX:+UseSerialGC", "-Xmx512m", "-cp"])
            .arg(format!("{}/*", libs_dir().display()))
            .arg("kafka.Kafka")
            .arg(&properties)
            .stdin(Stdio::null())
            .stderr(output.try_clone().unwrap())
            .stdout(output)
            .spawn()
            .unwrap(),
    );

    let mut client = ClientConfig::new();
    let tls = [
        ("security.protocol", "ssl".to_owned()),
        ("ssl.ca.location", authority.to_string_lossy().into_owned()),
    ];
    let settings = LogSettings {
        brokers: format!("127.0.0.1:{port}"),
        properties: tls.map(|(name, value)| (name.to_owned(), value)).to_vec(),
    };
    for (name, value) in &settings.properties {
        client.set(name, value);
    }
    let without = LogSettings { properties: Vec::new(), ..settings.clone() };
    let brokers = settings.brokers.clone();
    let log = Log::connect(settings).unwrap();
    let mut tries = 0;
    // Each asks for ten seconds.
    while log.partitions().await.is_err() {
        tries += 1;
        let said = || fs::read_to_string(folder.path().join("tls.log")).unwrap();
        assert!(tries < START_TRIES, "the broker does not serve TLS: {}", said());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let partitions = log.ensure_topics(&PLAN).await.unwrap();
    let commits = CommitsView::start(log.clone(), &partitions, [1; 16], None).await.unwrap();
    assert!(commits.pin().unwrap().topics.iter().all(|topic| topic.topic_id.len() == 16));
    commits.check_topic_ids().await.unwrap();
    let refused = Log::connect(without).unwrap().topic_ids(&["gpu"]).await;
    assert!(matches!(refused, Err(LogError::Topics { .. })), "the listener speaks TLS only: {refused:?}");

    make_gpu_again(&client, &brokers, &log).await;
    let replaced = commits.check_topic_ids().await;
    assert!(matches!(&replaced, Err(LogError::TopicReplaced { topic }) if topic == "gpu"), "{replaced:?}");
}
