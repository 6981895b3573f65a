//! A share log on disk, written from real blocks: what arrives at ingest across failures, restarts and rotations.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use wb_connect::ckpool::{self, Options, Summary, refused_path};
use wb_events::facts::FactBody;
use wb_events::wire::event::Body;
use wb_proof::session_file::{self, SessionCase};
use wb_proof::stratum_v1::{Submit, rebuild};
use wb_proof::{display_hash, hex};

use crate::support::{Taken, ingest, stop};

fn cases() -> Vec<SessionCase> {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/bitcoin/stratum_v1_jobs.json");
    let cases = session_file::parse(&fs::read_to_string(path).unwrap()).unwrap();
    // ckpool's extranonce2 has one size.
    cases.into_iter().filter(|case| case.session.extranonce2_size == 4).collect()
}

struct Pool {
    folder: tempfile::TempDir,
}

impl Pool {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn log_dir(&self) -> PathBuf {
        self.folder.path().join("logs")
    }

    fn options(&self) -> Options {
        fs::create_dir_all(self.log_dir()).unwrap();
        Options {
            dir: self.log_dir(),
            position: self.folder.path().join("state/position.json"),
            pool: "ckpool".to_owned(),
            chain: "main".to_owned(),
            version_mask: 0x1fff_e000,
            extranonce2_bytes: 4,
            machines: HashMap::from([("bc1q.rig 2".to_owned(), "tx1-m02".to_owned())]),
            poll: Duration::from_millis(20),
            patience: Duration::from_millis(200),
            once: true,
        }
    }

    /// The folder of a block, with the file of a workbase in it.
    fn share_log(&self, index: usize) -> PathBuf {
        let folder = self.log_dir().join(format!("{:08x}", 800_000 + index));
        fs::create_dir_all(&folder).unwrap();
        folder.join(format!("{:016x}.sharelog", workinfo_id(index)))
    }

    fn workbase(&self, index: usize, case: &SessionCase) {
        let path = self.share_log(index).with_extension("workinfo");
        append(&path, &format!("workinfo.{index}.json={}\n", workbase_line(index, case)));
    }

    fn share(&self, index: usize, line: &Value) {
        append(&self.share_log(index), &format!("{line}\n"));
    }

    fn refused(&self) -> Vec<Value> {
        let text = fs::read_to_string(refused_path(&self.options().position)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn workinfo_id(index: usize) -> i64 {
    7_700_000_000_000_000_000 + i64::try_from(index).unwrap()
}

fn workbase_line(index: usize, case: &SessionCase) -> Value {
    let branch: Vec<String> = case.job.branch.iter().map(|hash| hex::encode(hash)).collect();
    json!({
        "workinfoid": workinfo_id(index), "poolinstance": "ckpool", "transactiontree": "ab".repeat(64),
        "prevhash": hex::encode(&case.job.prevhash_wire), "coinbase1": hex::encode(&case.job.coinb1),
        "coinbase2": hex::encode(&case.job.coinb2), "version": format!("{:08x}", case.job.version),
        "ntime": format!("{:08x}", case.job.ntime), "bits": format!("{:08x}", case.job.nbits),
        "reward": 312_500_000, "merklehash": branch, "createdate": format!("{},5", case.job.ntime),
        "createby": "code", "createcode": "send_workinfo", "createinet": "127.0.0.1",
    })
}

fn share_line(index: usize, case: &SessionCase) -> Value {
    json!({
        "workinfoid": workinfo_id(index), "clientid": 26, "enonce1": hex::encode(&case.session.extranonce1),
        "nonce2": hex::encode(&case.submit.extranonce2), "nonce": format!("{:08x}", case.submit.nonce),
        "ntime": format!("{:08x}", case.submit.ntime), "diff": 1024.0, "sdiff": 4_321.5,
        "hash": display_hash(case.expected.hash.as_ref().unwrap()), "result": true, "errn": 0,
        "createdate": format!("{},250000999", case.submit.ntime), "createby": "code",
        "createcode": "parse_submit", "createinet": "0.0.0.0:3333", "workername": format!("bc1q.rig {index}"),
        "username": "bc1q", "address": "192.0.2.7", "agent": "miner/2.1",
    })
}

/// The hashes of the shares that arrived, rebuilt from the facts that arrived; sorted.
fn hashes(taken: &Taken) -> Vec<String> {
    let (sessions, jobs) = (taken.facts("session"), taken.facts("job"));
    let body = |kind: &str, entity: &str| {
        let facts = if kind == "session" { &sessions } else { &jobs };
        let fact = facts.iter().find(|(of, _)| of == entity).unwrap_or_else(|| panic!("no {kind} {entity}"));
        FactBody::parse(kind, entity, &fact.1.to_string()).unwrap()
    };
    let mut found = Vec::new();
    for event in taken.shares() {
        let Some(Body::Share(share)) = event.body else { continue };
        let FactBody::Session(session) = body("session", &share.session_id) else { panic!("no session") };
        let FactBody::Job(job) = body("job", &format!("{}/{}", session.scope, share.job_id)) else {
            panic!("no job")
        };
        let submit = Submit {
            job_id: share.job_id,
            extranonce2: share.extranonce2,
            ntime: share.ntime,
            nonce: share.nonce,
            version_bits: share.version_bits,
        };
        let header = rebuild(&session.parameters().unwrap(), &job.parameters().unwrap(), &submit).unwrap();
        found.push(display_hash(&header.hash()));
    }
    found.sort();
    found
}

fn expected(cases: &[SessionCase]) -> Vec<String> {
    let mut hashes: Vec<String> =
        cases.iter().map(|case| display_hash(case.expected.hash.as_ref().unwrap())).collect();
    hashes.sort();
    hashes
}

#[tokio::test]
async fn every_logged_share_proves_its_block_again() {
    let (pool, cases) = (Pool::new(), cases());
    assert_eq!(cases.len(), 7);
    for (index, case) in cases.iter().enumerate() {
        pool.workbase(index, case);
        pool.share(index, &share_line(index, case));
    }
    let (ingest, taken) = ingest().await;
    let (_tell, stop) = stop();
    let summary = ckpool::run(&pool.options(), &ingest, &stop).await.unwrap();
    assert_eq!(summary, Summary { shares: 7, facts: 14, refused: 0, unreadable: 0 });
    {
        let taken = taken.lock().unwrap();
        // One of them rolled its version, which the log does not say: it was found by its hash.
        assert_eq!(hashes(&taken), expected(&cases));
        let sessions = taken.facts("session");
        let machines: Vec<&str> =
            sessions.iter().map(|(_, body)| body["machine_id"].as_str().unwrap()).collect();
        assert!(machines.contains(&"tx1-m02"), "{machines:?}");
        assert!(sessions.iter().all(|(_, body)| body["assigned_difficulty"] == "1024.0"), "{sessions:?}");
        let heights: Vec<u64> =
            taken.facts("job").iter().map(|(_, body)| body["height"].as_u64().unwrap()).collect();
        assert!(heights.contains(&363_703), "BIP34 goes before the folder's name: {heights:?}");
    }
    // After a restart it sends nothing.
    let summary = ckpool::run(&pool.options(), &ingest, &stop).await.unwrap();
    assert_eq!(summary, Summary::default());
}

#[tokio::test]
async fn failures_lost_answers_and_a_lost_position_count_nothing_twice() {
    let (pool, cases) = (Pool::new(), cases());
    for (index, case) in cases.iter().enumerate() {
        pool.workbase(index, case);
        pool.share(index, &share_line(index, case));
    }
    let (ingest, taken) = ingest().await;
    let (_tell, stop) = stop();
    taken.lock().unwrap().failures = vec![503, 200, 429, 500];
    ckpool::run(&pool.options(), &ingest, &stop).await.unwrap();
    fs::remove_file(pool.options().position).unwrap();
    ckpool::run(&pool.options(), &ingest, &stop).await.unwrap();
    let taken = taken.lock().unwrap();
    assert!(taken.events.len() >= 28, "{} events", taken.events.len());
    assert_eq!(hashes(&taken), expected(&cases), "repeats have the identity they had");
}

#[tokio::test]
async fn it_goes_on_where_it_was_through_partial_lines_rotation_and_truncation() {
    let (pool, cases) = (Pool::new(), cases());
    let (ingest, taken) = ingest().await;
    let (_tell, stop) = stop();
    let path = pool.share_log(0);
    // Workbases among the shares, all in one file.
    for (index, case) in cases.iter().enumerate() {
        append(&path, &format!("{}\n", workbase_line(index, case)));
    }
    let line = |index: usize| share_line(index, &cases[index]).to_string();
    append(&path, &format!("{}\n{}", line(0), &line(1)[..100]));
    let shares = async |so_far: usize, what: &str| {
        ckpool::run(&pool.options(), &ingest, &stop).await.unwrap();
        let taken = taken.lock().unwrap();
        assert_eq!(hashes(&taken), expected(&cases[..so_far]), "{what}");
        assert_eq!(
            taken.events.len(),
            taken.shares().len() + taken.facts("job").len() + so_far,
            "{what}: repeats"
        );
    };
    shares(1, "the second line is only half there").await;
    append(&path, &format!("{}\n", &line(1)[100..]));
    shares(2, "now it is whole").await;
    // Renamed with a line that was not read yet; a new file takes its name.
    append(&path, &format!("{}\n", line(2)));
    fs::rename(&path, path.with_extension("sharelog.1")).unwrap();
    append(&path, &format!("{}\n", line(3)));
    shares(4, "both files after a rotation").await;
    // Truncated and rewritten, longer than before.
    fs::write(&path, format!("{}\n{}\n", line(4), line(5))).unwrap();
    shares(6, "a file that was emptied begins again").await;
    append(&path, &format!("\n{}\n", line(6)));
    shares(7, "an empty line is no line").await;
}

#[tokio::test]
async fn what_cannot_be_read_or_is_refused_is_put_aside_whole() {
    let (pool, cases) = (Pool::new(), cases());
    pool.workbase(0, &cases[0]);
    let path = pool.share_log(0);
    append(&path, "not json\n{\"enonce1\":\"00\",\"nonce2\":\"00\"}\n");
    append(&path, &format!("{}\n", "x".repeat(2 << 20)));
    let mut bad = share_line(0, &cases[0]);
    bad["nonce"] = json!("xyz");
    pool.share(0, &bad);
    pool.share(0, &share_line(0, &cases[0]));
    let mut stranger = share_line(0, &cases[0]);
    stranger["workername"] = json!("stranger");
    pool.share(0, &stranger);
    let (ingest, taken) = ingest().await;
    let (_tell, stop) = stop();
    taken.lock().unwrap().unknown_machines.insert("stranger".to_owned());
    let summary = ckpool::run(&pool.options(), &ingest, &stop).await.unwrap();
    assert_eq!(summary, Summary { shares: 2, facts: 2, refused: 2, unreadable: 3 });
    let codes: Vec<String> =
        pool.refused().iter().map(|entry| entry["code"].as_str().unwrap().to_owned()).collect();
    assert_eq!(codes, ["WB-5709", "WB-5709", "WB-5709", "WB-2011", "WB-2001"]);
    assert!(pool.refused()[4]["event"]["body"]["nonce"] == "xyz");
}

#[tokio::test]
async fn it_waits_for_a_workbase_and_for_a_machine_as_long_as_it_may() {
    let (pool, cases) = (Pool::new(), cases());
    let (ingest, taken) = ingest().await;
    let (tell, stop) = stop();
    pool.share(0, &share_line(0, &cases[0]));
    taken.lock().unwrap().unknown_machines.insert("tx1-m02".to_owned());
    pool.workbase(2, &cases[2]);
    pool.share(2, &share_line(2, &cases[2]));
    let options = Options { once: false, patience: Duration::from_secs(60), ..pool.options() };
    let running = tokio::spawn(async move { ckpool::run(&options, &ingest, &stop).await });
    let until = async |what: &str, done: &dyn Fn(&Taken) -> bool| {
        for _ in 0..1_000 {
            if done(&taken.lock().unwrap()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{what}");
    };
    until("it asks for the machine", &|taken| taken.requests >= 2).await;
    assert!(taken.lock().unwrap().facts("session").is_empty());
    taken.lock().unwrap().unknown_machines.clear();
    pool.workbase(0, &cases[0]);
    until("both arrive", &|taken| taken.shares().len() == 2 && taken.facts("job").len() == 2).await;
    tell.send(true).unwrap();
    running.await.unwrap().unwrap();
    assert!(pool.refused().is_empty());
    assert_eq!(taken.lock().unwrap().facts("session").len(), 2);
}

#[tokio::test]
async fn a_wrong_key_or_name_ends_it_with_a_code() {
    let (pool, cases) = (Pool::new(), cases());
    pool.workbase(0, &cases[0]);
    let (ingest, taken) = ingest().await;
    let (_tell, stop) = stop();
    taken.lock().unwrap().failures = vec![403];
    let error = ckpool::run(&pool.options(), &ingest, &stop).await.unwrap_err();
    assert_eq!(error.code(), "WB-5703");
    assert!(!pool.options().position.exists(), "nothing was acknowledged");
    let options = Options { pool: "a/b".to_owned(), ..pool.options() };
    assert_eq!(ckpool::run(&options, &ingest, &stop).await.unwrap_err().code(), "WB-5708");
}
