//! Tests every reason of a verdict and every form of a share, through resolving and folding, on real blocks.

mod examples;
mod versions;

use serde_json::{Value, json};
use wb_auth::{Role, Source, SourceEntry, SourceKeys};
use wb_events::frame::{self, FrameKey};
use wb_events::wire::event::Body;
use wb_events::{input, topics};
use wb_fold::archive::MemoryArchive;
use wb_fold::{Assembler, BlockId, LogRecord, State};
use wb_proof::session_file::{self, SessionCase};
use wb_proof::{Header, display_hash, hex};

use crate::reference::Reference;
use crate::resolve::{self, Unresolved};

/// Height of the block whose session most cases use, `block363703`.
const HEIGHT: u32 = 363_703;

/// A source with some roles.
fn source(roles: &[Role]) -> Source {
    let generated = wb_auth::GeneratedKey::random().unwrap();
    let names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    let entry = json!({"id": "pool", "key_sha256_hex": generated.key_sha256_hex, "roles": names});
    let entry: SourceEntry = serde_json::from_value(entry).unwrap();
    let keys = SourceKeys::from_entries(vec![entry]).unwrap();
    keys.authenticate(Some(&format!("Bearer {}", generated.key))).unwrap().clone()
}

/// A recorded session that solved a block.
fn case(name: &str) -> SessionCase {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/bitcoin/stratum_v1_jobs.json");
    let cases = session_file::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
    cases.into_iter().find(|case| case.name == name).unwrap()
}

/// The facts and the share, which a test may change before they are judged.
struct Trial {
    facts: Vec<(&'static str, String, i64, Value)>,
    share: Value,
    event_time_us: i64,
    roles: Vec<Role>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    V1,
    Standard,
    Extended,
    Bare,
}

impl Trial {
    fn new(form: Form, case: &SessionCase) -> Self {
        let header = Header::from_bytes(&case.expected.header.unwrap());
        let event_time_us = i64::from(header.ntime) * 1_000_000;
        let start_us = event_time_us - 60_000_000;
        let protocol = match form {
            Form::V1 => "stratum_v1",
            Form::Standard => "stratum_v2_standard",
            Form::Extended => "stratum_v2_extended",
            Form::Bare => "replay",
        };
        let session = json!({
            "machine_id": "m", "worker": "w", "chain": "main", "protocol": protocol, "scope": "pool",
            "extranonce1": hex::encode(&case.session.extranonce1),
            "extranonce2_size": case.session.extranonce2_size,
            "version_mask": case.session.version_mask.map(|mask| format!("{mask:08x}")),
            "assigned_difficulty": "65536",
        });
        let machine = json!({"site_id": "s", "model": "S19", "rated_power_mw": 3_250_000});
        let tip = json!({"chain": "main", "height": HEIGHT - 1, "hash": display_hash(&header.prev)});
        let mut facts = vec![
            ("machine", "m".to_owned(), start_us, machine),
            ("session", "c".to_owned(), start_us, session),
            ("tip", "main".to_owned(), start_us, tip),
        ];
        if form != Form::Bare {
            facts.push(("job", "pool/7".to_owned(), start_us, job(form, case, &header)));
        }
        let share = share(form, case, &header);
        let roles = if form == Form::Bare { vec![Role::Replay] } else { vec![Role::Pool] };
        Self { facts, share, event_time_us, roles }
    }

    fn body(&mut self, kind: &str) -> &mut Value {
        &mut self.facts.iter_mut().find(|fact| fact.0 == kind).unwrap().3
    }

    fn know(&mut self, kind: &'static str, entity: &str, from_us: i64, body: Value) {
        self.facts.push((kind, entity.to_owned(), from_us, body));
    }

    fn reference(&self) -> Reference {
        let mut reference = Reference::default();
        for (sequence, (kind, entity, from_us, body)) in self.facts.iter().enumerate() {
            let text = json!({
                "kind": "fact", "key": entity, "sequence": sequence, "event_time_us": self.event_time_us,
                "body": {"fact": kind, "entity": entity, "valid_from_us": from_us, "body": body},
            });
            let event = input::parse_json("operator", &text.to_string())
                .unwrap_or_else(|error| panic!("{kind}: {error}"));
            let Some(Body::Fact(fact)) = event.body.clone() else { panic!("{kind} is no fact") };
            reference.apply(&event, &fact);
        }
        reference
    }

    /// Resolves and folds the share `times` times with different sequences; returns verdict and reason of the last
    /// one, and whether it solved a block.
    fn judge(&self, times: u64) -> Result<(String, String, u64), Unresolved> {
        let (reference, source) = (self.reference(), source(&self.roles));
        let key = FrameKey::new([7; 32]);
        let mut events = Vec::new();
        for sequence in 0..times {
            let text = json!({
                "kind": "share", "key": "k", "sequence": sequence, "event_time_us": self.event_time_us,
                "body": self.share,
            });
            let mut event = input::parse_json("pool", &text.to_string()).unwrap();
            resolve::resolve(&reference, &source, &mut event, self.event_time_us)?;
            events.push(prost::Message::encode_to_vec(&event));
        }
        let mut assembler = Assembler::new(0, key.clone());
        let payload = frame::encode_events("test", events, &key);
        let record = LogRecord { offset: 0, append_time_us: self.event_time_us, payload };
        assert!(assembler.push(record).is_none());
        let payload = frame::encode_punctuation("test", 0, &key);
        let end = LogRecord { offset: 1, append_time_us: self.event_time_us, payload };
        let block = assembler.push(end).unwrap();
        let id = BlockId { topic: topics::SHARES.to_owned(), partition: 0, block: 0 };
        let mut archive = MemoryArchive::default();
        let folded = wb_fold::fold(id, &mut State::default(), &mut archive, &block).unwrap();
        assert!(folded.counts.is_conserved());
        let mut found: Vec<_> = folded.counts.by_verdict().collect();
        if times > 1 {
            found.retain(|((verdict, _), _)| *verdict != "accepted");
        }
        let [((verdict, reason), events)] = found[..] else { panic!("{found:?}") };
        Ok((verdict.to_owned(), reason.to_owned(), events))
    }
}

fn job(form: Form, case: &SessionCase, header: &Header) -> Value {
    let number = |value: u32| format!("{value:08x}");
    let branch: Vec<String> = case.job.branch.iter().map(|hash| hex::encode(hash)).collect();
    let mut job = json!({
        "scope": "pool", "job_id": "7", "chain": "main", "height": HEIGHT,
        "version": number(case.job.version), "nbits": number(case.job.nbits),
    });
    match form {
        Form::V1 | Form::Bare => {
            job["prevhash"] = json!(hex::encode(&case.job.prevhash_wire));
            job["coinb1"] = json!(hex::encode(&case.job.coinb1));
            job["coinb2"] = json!(hex::encode(&case.job.coinb2));
            job["branch"] = json!(branch);
            job["ntime"] = json!(number(case.job.ntime));
            job["clean_jobs"] = json!(true);
        }
        Form::Standard => {
            job["protocol"] = json!("stratum_v2_standard");
            job["prev_hash"] = json!(hex::encode(&header.prev));
            job["min_ntime"] = json!(number(case.job.ntime));
            job["merkle_root"] = json!(hex::encode(&header.root));
        }
        Form::Extended => {
            job["protocol"] = json!("stratum_v2_extended");
            job["prev_hash"] = json!(hex::encode(&header.prev));
            job["min_ntime"] = json!(number(case.job.ntime));
            job["version_rolling_allowed"] = json!(true);
            job["coinbase_tx_prefix"] = json!(hex::encode(&case.job.coinb1));
            job["coinbase_tx_suffix"] = json!(hex::encode(&case.job.coinb2));
            job["merkle_path"] = json!(branch);
        }
    }
    job
}

fn share(form: Form, case: &SessionCase, header: &Header) -> Value {
    let number = |value: u32| format!("{value:08x}");
    if form == Form::Bare {
        return json!({"session_id": "c", "header": hex::encode(&header.to_bytes()), "height": HEIGHT});
    }
    let mut share = json!({
        "session_id": "c", "job_id": "7", "ntime": number(header.ntime), "nonce": number(header.nonce),
    });
    match form {
        Form::V1 | Form::Bare => {
            share["extranonce2"] = json!(hex::encode(&case.submit.extranonce2));
            if let Some(bits) = case.submit.version_bits {
                share["version_bits"] = json!(number(bits));
            }
        }
        Form::Standard => share["version"] = json!(number(header.version)),
        Form::Extended => {
            share["version"] = json!(number(header.version));
            share["extranonce"] = json!(hex::encode(&case.submit.extranonce2));
        }
    }
    share
}

const FORMS: [Form; 4] = [Form::V1, Form::Standard, Form::Extended, Form::Bare];
const SUBMITS: [Form; 3] = [Form::V1, Form::Standard, Form::Extended];

#[test]
fn real_blocks_are_accepted_in_every_form_and_twice_only_as_duplicates() {
    for name in ["block363703", "block370661", "block481815", "block_testnet700000"] {
        let case = case(name);
        for form in FORMS {
            let mut trial = Trial::new(form, &case);
            if name.contains("testnet") {
                trial.body("session")["assigned_difficulty"] = json!("1024");
            }
            assert_eq!(trial.judge(1).unwrap(), ("accepted".into(), String::new(), 1), "{name} {form:?}");
            assert_eq!(trial.judge(3).unwrap(), ("duplicate".into(), String::new(), 2), "{name} {form:?}");
        }
    }
}

#[test]
fn each_reason_is_found_in_each_form_it_can_hold_in() {
    type Change = fn(&mut Trial);
    let table: [(&str, &[Form], Change); 17] = [
        ("unknown_job", &SUBMITS, |trial| trial.share["job_id"] = json!("8")),
        ("unknown_job", &SUBMITS, |trial| trial.body("session")["scope"] = json!("another-pool")),
        ("bad_extranonce_size", &[Form::V1], |trial| trial.share["extranonce2"] = json!("00")),
        ("bad_extranonce_size", &[Form::Standard], |trial| trial.share["extranonce"] = json!("00")),
        ("bad_extranonce_size", &[Form::Extended], |trial| trial.share["extranonce"] = json!("00")),
        ("unbound_work", &[Form::Bare], |trial| trial.roles = vec![Role::Pool]),
        ("unbound_work", &[Form::Bare], |trial| {
            // The source may replay, but the session is a pool's, so its shares need a job.
            trial.body("session")["protocol"] = json!("stratum_v1");
        }),
        ("bad_version_bits", &[Form::V1], |trial| trial.share["version_bits"] = json!("00002000")),
        ("bad_version_bits", &[Form::Standard, Form::Extended], |trial| {
            trial.share["version"] = json!("00002003");
        }),
        ("wrong_network_bits", &FORMS, |trial| {
            let body = json!({"chain": "main", "height": HEIGHT, "nbits": "1816418d"});
            trial.know("network_difficulty", "main", 0, body);
        }),
        ("wrong_network_bits", &FORMS, |trial| {
            // The first block of the same 2016 blocks has the same target.
            let body = json!({"chain": "main", "height": HEIGHT / 2016 * 2016, "nbits": "1816418d"});
            trial.know("network_difficulty", "main", 0, body);
        }),
        ("stale", &SUBMITS, |trial| next_tip(trial, 1)),
        ("stale", &SUBMITS, |trial| {
            trial.body("session")["stale_window_ms"] = json!(2_000);
            next_tip(trial, 2_000_001);
        }),
        ("time_too_old", &SUBMITS, |trial| {
            let field = if trial.body("job").get("ntime").is_some() { "ntime" } else { "min_ntime" };
            trial.body("job")[field] = json!("55971202");
        }),
        ("time_too_old", &FORMS, |trial| trial.event_time_us += 7_201_000_000),
        ("time_too_new", &FORMS, |trial| {
            for (_, _, from_us, _) in &mut trial.facts {
                *from_us -= 7_200_000_000;
            }
            trial.event_time_us -= 7_201_000_000;
        }),
        ("low_difficulty", &FORMS, |trial| {
            // Above the 994,015,679,683.95 that the block reached.
            trial.body("session")["assigned_difficulty"] = json!("994015679684");
        }),
    ];
    let case = case("block363703");
    for (reason, forms, change) in table {
        for form in forms {
            let mut trial = Trial::new(*form, &case);
            change(&mut trial);
            let found = trial.judge(1).unwrap();
            assert_eq!(found, ("rejected".into(), reason.to_owned(), 1), "{form:?}");
        }
    }
}

/// Makes another block the tip this long before the share.
fn next_tip(trial: &mut Trial, before_us: i64) {
    let from_us = trial.event_time_us - before_us;
    let body = json!({"chain": "main", "height": HEIGHT, "hash": "00".repeat(32)});
    trial.know("tip", "main", from_us, body);
}

#[test]
fn what_is_close_to_a_reason_still_counts() {
    type Change = fn(&mut Trial);
    let table: [(&str, &[Form], Change); 8] = [
        ("the network's bits are the header's", &FORMS, |trial| {
            let body = json!({"chain": "main", "height": HEIGHT / 2016 * 2016, "nbits": "1816418e"});
            trial.know("network_difficulty", "main", 0, body);
        }),
        ("other bits hold from the height after it", &FORMS, |trial| {
            let body = json!({"chain": "main", "height": HEIGHT + 1, "nbits": "1816418d"});
            trial.know("network_difficulty", "main", 0, body);
        }),
        ("other bits held in the epoch before", &FORMS, |trial| {
            let body = json!({"chain": "main", "height": HEIGHT / 2016 * 2016 - 1, "nbits": "1816418d"});
            trial.know("network_difficulty", "main", 0, body);
        }),
        ("another chain has other bits", &FORMS, |trial| {
            let body = json!({"chain": "testnet4", "height": HEIGHT, "nbits": "1816418d"});
            trial.know("network_difficulty", "testnet4", 0, body);
        }),
        ("the tip changes after the share", &FORMS, |trial| next_tip(trial, -1)),
        ("the window ends with the share", &SUBMITS, |trial| {
            trial.body("session")["stale_window_ms"] = json!(2_000);
            next_tip(trial, 2_000_000);
        }),
        ("two witnesses of one tip", &SUBMITS, |trial| {
            let mut tip = trial.facts.iter().find(|fact| fact.0 == "tip").unwrap().clone();
            tip.2 += 1;
            trial.facts.push(tip);
        }),
        ("just in time", &FORMS, |trial| trial.event_time_us += 7_200_000_000),
    ];
    let case = case("block363703");
    for (what, forms, change) in table {
        for form in forms {
            let mut trial = Trial::new(*form, &case);
            change(&mut trial);
            assert_eq!(trial.judge(1).unwrap(), ("accepted".into(), String::new(), 1), "{form:?}: {what}");
        }
    }
}

#[test]
fn what_cannot_be_resolved_is_told_to_its_sender() {
    type Change = fn(&mut Trial);
    let table: [(&str, Form, Change); 5] = [
        ("WB-2010", Form::V1, |trial| trial.share["session_id"] = json!("nobody")),
        ("WB-2010", Form::Extended, |trial| {
            let start_us = trial.event_time_us + 1;
            trial.facts.iter_mut().find(|fact| fact.0 == "session").unwrap().2 = start_us;
        }),
        ("WB-2011", Form::Standard, |trial| trial.facts.retain(|fact| fact.0 != "machine")),
        ("WB-2012", Form::V1, |trial| trial.body("session")["protocol"] = json!("stratum_v2_standard")),
        ("WB-2012", Form::Extended, |trial| trial.body("session")["protocol"] = json!("stratum_v1")),
    ];
    let case = case("block363703");
    for (code, form, change) in table {
        let mut trial = Trial::new(form, &case);
        change(&mut trial);
        let (Unresolved::Unknown(error) | Unresolved::Wrong(error)) = trial.judge(1).unwrap_err();
        assert_eq!(error.code, code, "{form:?}: {error}");
    }
}

#[test]
fn a_job_of_the_other_protocol_was_never_given_to_a_session() {
    let case = case("block363703");
    let header = Header::from_bytes(&case.expected.header.unwrap());
    for (form, other) in [(Form::V1, Form::Extended), (Form::Extended, Form::V1)] {
        let mut trial = Trial::new(form, &case);
        *trial.body("job") = job(other, &case, &header);
        let expected = ("rejected".into(), "unknown_job".to_owned(), 1);
        assert_eq!(trial.judge(1).unwrap(), expected, "{form:?} on a job of {other:?}");
    }
}

#[test]
fn an_event_lies_where_its_machine_stood_at_its_time() {
    let mut trial = Trial::new(Form::V1, &case("block363703"));
    let (moved_us, start_us) = (trial.event_time_us, trial.event_time_us - 60_000_000);
    let elsewhere = json!({"site_id": "elsewhere", "model": "S19", "rated_power_mw": 3_250_000});
    trial.know("machine", "m", moved_us, elsewhere);
    // A correction of its first site comes last, and does not change its later site.
    let corrected = json!({"site_id": "corrected", "model": "S19", "rated_power_mw": 3_250_000});
    trial.know("machine", "m", start_us, corrected);
    let reference = trial.reference();
    for (at_us, site) in [
        (i64::MIN, "corrected"),
        (start_us, "corrected"),
        (moved_us - 1, "corrected"),
        (moved_us, "elsewhere"),
        (i64::MAX, "elsewhere"),
    ] {
        assert_eq!(reference.site_of("m", at_us), Some(site), "{at_us}");
    }
    assert_eq!(reference.site_of("nobody", moved_us), None);
}
