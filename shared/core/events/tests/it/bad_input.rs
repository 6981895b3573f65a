//! Truncated, oversized, odd, foreign and endless input of each form: a coded error that names the field, at once.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot read its data should stop")]

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wb_events::input::{self, FACT_BYTES_MAX, InputError};

fn event(kind: &str, body: &Value) -> String {
    json!({"kind": kind, "key": "k", "sequence": 1, "event_time_us": 1_790_000_000_000_000_i64, "body": body})
        .to_string()
}

fn fact(kind: &str, entity: &str, body: &Value) -> String {
    event("fact", &json!({"fact": kind, "entity": entity, "valid_from_us": 1, "body": body}))
}

fn refused(text: &str) -> InputError {
    let started = Instant::now();
    let error = input::parse_json("pool", text).unwrap_err();
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}: {error}", started.elapsed());
    assert!(error.code.starts_with("WB-") && !error.field.is_empty(), "{error}");
    assert!(
        error.to_string().len() < 1_000,
        "an error does not repeat what was sent: {}",
        error.to_string().len()
    );
    error
}

fn job_v1() -> Value {
    json!({
        "scope": "p", "job_id": "1", "chain": "main", "height": 1, "prevhash": "00".repeat(32), "coinb1": "00",
        "coinb2": "00", "branch": [], "version": "20000000", "nbits": "1d00ffff", "ntime": "4966bc61",
        "clean_jobs": true,
    })
}

fn job_v2() -> Value {
    json!({
        "protocol": "stratum_v2_extended", "scope": "p", "job_id": "1", "chain": "main", "height": 1,
        "prev_hash": "00".repeat(32), "nbits": "1d00ffff", "min_ntime": "4966bc61", "version": "20000000",
        "version_rolling_allowed": false, "coinbase_tx_prefix": "00", "coinbase_tx_suffix": "00",
        "merkle_path": [],
    })
}

#[test]
fn each_bad_field_of_a_job_is_named() {
    for (job, coinbase, path, hash) in [
        (job_v1(), "coinb1", "branch", "prevhash"),
        (job_v2(), "coinbase_tx_prefix", "merkle_path", "prev_hash"),
    ] {
        assert!(input::parse_json("pool", &fact("job", "p/1", &job)).is_ok());
        for (field, value, code) in [
            (coinbase, json!("abc"), "WB-1112"),
            (coinbase, json!("é0"), "WB-1113"),
            (coinbase, json!("0g"), "WB-1114"),
            (path, json!(vec![""; 10_000]), "at most 32"),
            (path, json!(["00"]), "WB-1111"),
            (path, json!("00"), "sequence"),
            (hash, json!("00".repeat(31)), "WB-1111"),
            (hash, json!("00".repeat(33)), "WB-1111"),
            ("version", json!("2000000"), "WB-1111"),
            ("version", json!("2000000é"), "WB-111"),
            ("version", json!(536_870_912), "string"),
            ("nbits", json!("ffffffff"), "WB-"),
            ("height", json!(-1), "u32"),
            ("height", json!(4_294_967_296_u64), "u32"),
        ] {
            let mut bad = job.clone();
            bad[field] = value;
            let error = refused(&fact("job", "p/1", &bad));
            assert!(error.field.contains(field), "{field}: {error}");
            assert!(error.reason.contains(code), "{field}: {error}");
        }
    }
}

#[test]
fn what_is_too_much_is_refused_before_it_is_read() {
    let branch: Vec<String> = vec!["00".repeat(32); 10_000];
    for (mut job, path) in [(job_v1(), "branch"), (job_v2(), "merkle_path")] {
        job[path] = json!(branch);
        let error = refused(&fact("job", "p/1", &job));
        assert!(error.field == "body.body" && error.reason.contains(&FACT_BYTES_MAX.to_string()), "{error}");
    }
    for (mut job, half) in [(job_v1(), "coinb1"), (job_v2(), "coinbase_tx_prefix")] {
        job[half] = json!("ab".repeat(66_000));
        assert!(refused(&fact("job", "p/1", &job)).reason.contains(&FACT_BYTES_MAX.to_string()));
    }
    let mut long = job_v1();
    long["coinb2"] = json!("ab".repeat(33_000));
    assert!(refused(&fact("job", "p/1", &long)).reason.contains("WB-1110"));
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let text = event("share", &json!({"session_id": "s"})).replace("\"s\"", &deep);
    assert_eq!(refused(&text).code, "WB-2002");
    assert_eq!(refused(&event("share", &json!({"session_id": "s".repeat(1_000_000)}))).field, "body.ntime");
    let share =
        json!({"session_id": "s".repeat(129), "job_id": "1", "ntime": "00000000", "nonce": "00000000"});
    assert_eq!(refused(&event("share", &share)).field, "body.session_id");
}

#[test]
fn a_text_cut_anywhere_is_an_error_and_no_panic() {
    let share = json!({
        "session_id": "s", "job_id": "1", "ntime": "00000000", "nonce": "00000000", "version": "20000000",
        "extranonce": "0011",
    });
    for text in [event("share", &share), fact("job", "p/1", &job_v2()), fact("job", "p/1", &job_v1())] {
        assert!(input::parse_json("pool", &text).is_ok());
        for end in 0..text.len() {
            refused(&text[..end]);
        }
    }
}
