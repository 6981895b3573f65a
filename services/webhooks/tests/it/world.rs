//! A ledger in a file, a receiver in Python, and a dispatcher between them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Name};
use serde_json::{Value, json};
use wb_ledger::{Hash, LedgerRecord};
use wb_webhooks::ports::{Clock, Jitter, LedgerSource, Records};
use wb_webhooks::{Dispatcher, Endpoint, EndpointConfig, Pace, Post, StateDir};

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A ledger as lines, each a record at the offset of its line.
#[derive(Clone)]
pub(crate) struct FileLedger(pub(crate) PathBuf);

impl LedgerSource for FileLedger {
    async fn read_from(&self, offset: u64) -> Result<Records, Box<dyn std::error::Error + Send + Sync>> {
        let text = std::fs::read_to_string(&self.0)?;
        let records = (0_u64..).zip(text.lines()).map(|(at, line)| (at, line.as_bytes().to_vec()));
        Ok(records.filter(|(at, _)| *at >= offset).collect())
    }
}

pub(crate) struct WallClock;

impl Clock for WallClock {
    fn now_us(&self) -> i64 {
        i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
    }
}

pub(crate) struct NoJitter;

impl Jitter for NoJitter {
    fn ppm(&self) -> u32 {
        0
    }
}

/// Writes a ledger of closes, of two customers in turn, with a record that loses after every second one.
/// Returns the offsets of the winners.
pub(crate) fn write_ledger(path: &Path, records: u32) -> Vec<u64> {
    let (mut head, mut winners, mut text) = (Hash::ZERO, Vec::new(), String::new());
    let mut offset = 0;
    for index in 0..records {
        let record = |contract: String| {
            let customer = if index % 2 == 0 { "acme" } else { "birch" };
            let body = json!({"contract_id": contract, "customer_id": customer, "cut": index,
                "period": {"text": "2026-10", "start_us": 0, "end_us": 1}});
            LedgerRecord::new(head, "period_closed", body, "biller", "close", 1_793_491_200_000_000)
                .to_bytes()
                .unwrap()
        };
        let bytes = record(format!("contract-{index}"));
        text.push_str(std::str::from_utf8(&bytes).unwrap());
        text.push('\n');
        winners.push(offset);
        offset += 1;
        if index % 2 == 1 {
            text.push_str(std::str::from_utf8(&record(format!("late-{index}"))).unwrap());
            text.push('\n');
            offset += 1;
        }
        head = Hash::of(&bytes);
    }
    std::fs::write(path, text).unwrap();
    winners
}

/// A receiver; it ends with the test.
pub(crate) struct Receiver {
    process: Child,
    pub(crate) port: u16,
    folder: PathBuf,
    scheme: &'static str,
}

impl Receiver {
    pub(crate) fn start(folder: &Path, plan: &str) -> Self {
        Self::start_with(folder, plan, None)
    }

    /// A receiver with https and a certificate.
    pub(crate) fn start_secure(folder: &Path, plan: &str, certificate: &Certificate) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let pem = folder.join("pem");
        std::fs::write(&pem, format!("{}{}", certificate.key, certificate.certificate)).unwrap();
        Self::start_with(folder, plan, Some(&pem))
    }

    fn start_with(folder: &Path, plan: &str, pem: Option<&Path>) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("plan"), plan).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/receiver.py");
        let mut process = Command::new("python3")
            .arg(script)
            .arg(SECRET)
            .args([folder.join("plan"), folder.join("log")])
            .args(pem)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let scheme = if pem.is_some() { "https" } else { "http" };
        Self { process, port: line.trim().parse().unwrap(), folder: folder.to_owned(), scheme }
    }

    /// Sets its answer from now on.
    pub(crate) fn plan(&self, plan: &str) {
        let aside = self.folder.join("plan.new");
        let mut file = std::fs::File::create(&aside).unwrap();
        file.write_all(plan.as_bytes()).unwrap();
        std::fs::rename(aside, self.folder.join("plan")).unwrap();
    }

    pub(crate) fn received(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        // An unfinished line does not count yet.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn offsets(&self) -> Vec<u64> {
        self.received().iter().map(|entry| entry["body"]["data"]["ledger_offset"].as_u64().unwrap()).collect()
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://127.0.0.1:{}/hook", self.scheme, self.port)
    }

    pub(crate) fn config(&self, id: &str) -> EndpointConfig {
        EndpointConfig {
            id: id.to_owned(),
            url: self.url(),
            secret: SECRET.to_owned(),
            events: Vec::new(),
            customer: None,
        }
    }
}

/// A certificate and its key, as PEM.
pub(crate) struct Certificate {
    pub(crate) certificate: String,
    key: String,
}

impl Certificate {
    /// A self-signed certificate for an address, valid for a day around the present.
    pub(crate) fn of(address: &str) -> Self {
        let key = PKey::from_ec_key(
            EcKey::generate(&EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap()).unwrap(),
        );
        let key = key.unwrap();
        let mut name = X509Name::builder().unwrap();
        name.append_entry_by_text("CN", address).unwrap();
        let name = name.build();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        builder.set_serial_number(&BigNum::from_u32(1).unwrap().to_asn1_integer().unwrap()).unwrap();
        builder.set_subject_name(&name).unwrap();
        builder.set_issuer_name(&name).unwrap();
        let now_s = WallClock.now_us() / 1_000_000;
        builder.set_not_before(&Asn1Time::from_unix(now_s - 43_200).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::from_unix(now_s + 43_200).unwrap()).unwrap();
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
        let names =
            SubjectAlternativeName::new().ip(address).build(&builder.x509v3_context(None, None)).unwrap();
        builder.append_extension(names).unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        let text = |pem: Vec<u8>| String::from_utf8(pem).unwrap();
        Self {
            certificate: text(builder.build().to_pem().unwrap()),
            key: text(key.private_key_to_pem_pkcs8().unwrap()),
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn pace() -> Pace {
    Pace {
        look_every: Duration::from_millis(10),
        retry_first: Duration::from_millis(20),
        retry_most: Duration::from_millis(80),
    }
}

pub(crate) fn dispatcher(
    folder: &Path,
    configs: Vec<EndpointConfig>,
) -> Dispatcher<FileLedger, WallClock, NoJitter> {
    let endpoints = configs.into_iter().map(|config| Endpoint::new(config).unwrap()).collect();
    let states = StateDir::open(&folder.join("states")).unwrap();
    let post = Post::with_timeout(Duration::from_millis(700)).unwrap();
    Dispatcher::new(endpoints, states, post, pace(), (FileLedger(folder.join("ledger")), WallClock, NoJitter))
        .unwrap()
}

/// Waits until a condition is true.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
