//! Recorded Stratum V1 sessions: eight accepted, 33 with one field changed, each with the reason that must follow.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot read its data should stop")]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use wb_proof::session_file::{CaseOutcome, Expectation, SessionCase, SessionFileError, check, parse};
use wb_proof::stratum_v1::{Reject, rebuild};
use wb_proof::{Reason, display_hash};

fn text(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/data/bitcoin").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn cases(name: &str) -> Vec<SessionCase> {
    parse(&text(name)).unwrap()
}

#[test]
fn the_eight_real_sessions_are_accepted_blocks() {
    let cases = cases("stratum_v1_jobs.json");
    assert_eq!(cases.len(), 8);
    for case in &cases {
        let outcome = check(case);
        assert_eq!(outcome.differences, Vec::<String>::new(), "{}", case.name);
        assert!(outcome.matches_expectation && outcome.solves_block, "{}", case.name);
        assert_eq!((outcome.verdict, outcome.reason), ("accepted", None), "{}", case.name);
        assert!(case.expected.header.is_some() && case.expected.hash.is_some(), "{}", case.name);
        let header = rebuild(&case.session, &case.job, &case.submit).unwrap();
        assert_eq!(Some(header.to_bytes()), case.expected.header, "{}", case.name);
    }
    let rolled = cases.iter().find(|case| case.session.version_mask.is_some()).unwrap();
    let header = rebuild(&rolled.session, &rolled.job, &rolled.submit).unwrap();
    assert_eq!((rolled.job.version, header.version), (0x2000_0000, 0x3000_0000), "version rolling is real");
}

#[test]
fn the_33_changed_sessions_are_rejected_for_their_reason() {
    let cases = cases("stratum_v1_rejects.json");
    assert_eq!(cases.len(), 33);
    let mut reasons: BTreeMap<Reason, usize> = BTreeMap::new();
    for case in &cases {
        let outcome = check(case);
        assert_eq!(outcome.differences, Vec::<String>::new(), "{}", case.name);
        assert_eq!(outcome.verdict, "rejected", "{}", case.name);
        assert_eq!(outcome.hash, case.expected.hash.as_ref().map(display_hash), "{}", case.name);
        assert!(!outcome.solves_block, "{}", case.name);
        *reasons.entry(outcome.reason.unwrap()).or_default() += 1;
    }
    let expected = [(Reason::BadVersionBits, 1), (Reason::TimeTooOld, 8), (Reason::LowDifficulty, 24)];
    assert_eq!(reasons, BTreeMap::from(expected));
}

#[test]
fn each_kind_of_wrong_expectation_is_noticed() {
    let case = cases("stratum_v1_jobs.json").remove(0);
    let found = |name: &str, edit: &dyn Fn(&mut Expectation)| -> CaseOutcome {
        let mut changed = case.clone();
        edit(&mut changed.expected);
        let outcome = check(&changed);
        assert!(!outcome.matches_expectation, "{name}");
        assert_eq!(outcome.differences.len(), 1, "{name}: {:?}", outcome.differences);
        assert!(outcome.differences.concat().starts_with(name), "{name}: {:?}", outcome.differences);
        outcome
    };
    found("hash", &|e| e.hash = Some([1; 32]));
    found("header", &|e| e.header = Some([1; 80]));
    found("solves_block", &|e| e.solves_block = Some(false));
    found("achieved difficulty", &|e| e.achieved_difficulty = Some("2286254.3297".to_owned()));
    found("network difficulty", &|e| e.network_difficulty = Some("1".to_owned()));
    let outcome = found("verdict", &|e| {
        e.verdict = Some(wb_proof::session_file::ExpectedVerdict::Rejected(Some(Reason::Stale)));
    });
    assert_eq!(outcome.differences, ["verdict: expected rejected (stale), found accepted"]);
    assert_eq!(outcome.achieved_difficulty.as_deref(), Some("2286254.329906278977"));

    let nothing_expected = SessionCase { expected: Expectation::default(), ..case.clone() };
    assert!(check(&nothing_expected).matches_expectation);
}

#[test]
fn a_submit_for_another_job_is_unknown() {
    let mut case = cases("stratum_v1_jobs.json").remove(0);
    case.submit.job_id.push('x');
    let outcome = check(&case);
    assert_eq!((outcome.verdict, outcome.reason), ("rejected", Some(Reason::UnknownJob)));
    assert!(matches!(rebuild(&case.session, &case.job, &case.submit), Err(Reject::UnknownJob { .. })));
}

/// One good session; each bad input is one replacement in it.
fn session_json() -> String {
    serde_json::json!([{
        "name": "one",
        "extranonce1": "00",
        "extranonce2_size": 2,
        "version_mask": "1fffe000",
        "assigned_difficulty": 1,
        "notify_params": ["j", "00".repeat(32), "aa", "bb", ["cc".repeat(32)], "20000000", "1d00ffff", "4f521d0e", true],
        "submit_params": ["w", "j", "0102", "4f521d0f", "00000007", "00002000"]
    }])
    .to_string()
}

#[test]
fn bad_input_is_refused_with_a_stable_code() {
    assert_eq!(parse(&session_json()).unwrap().len(), 1, "the table below starts from something good");
    let long_hex = format!("\"{}\"", "aa".repeat(65_537));
    let half = format!("\"{}\",\"{}\"", "aa".repeat(40_000), "bb".repeat(40_000));
    let branch = format!("[{}]", vec![format!("\"{}\"", "cc".repeat(32)); 33].join(","));
    let one_branch = format!("[\"{}\"]", "cc".repeat(32));
    let long_job = format!("[\"{}\",\"0000", "j".repeat(257));
    let table: Vec<(&str, &str, &str)> = vec![
        ("\"name\":\"one\",", "", "WB-1171"),
        ("\"extranonce2_size\":2", "\"extranonce2_size\":-2", "WB-1171"),
        ("\"extranonce2_size\":2", "\"extranonce2_size\":2.5", "WB-1171"),
        ("\"extranonce2_size\":2", "\"extranonce2_size\":101", "WB-1164"),
        ("\"extranonce2_size\":2", "\"extranonce2_size\":2,\"surprise\":1", "WB-1171"),
        ("\"extranonce1\":\"00\"", "\"extranonce1\":\"000\"", "WB-1112"),
        ("\"extranonce1\":\"00\"", "\"extranonce1\":\"0g\"", "WB-1114"),
        ("\"extranonce1\":\"00\"", "\"extranonce1\":\"é\"", "WB-1113"),
        ("\"1fffe000\"", "\"1fffe00\"", "WB-1111"),
        ("\"1fffe000\"", "\"0x1fffe0\"", "WB-1114"),
        ("\"assigned_difficulty\":1", "\"assigned_difficulty\":0", "WB-1135"),
        ("\"assigned_difficulty\":1", "\"assigned_difficulty\":-1", "WB-1132"),
        ("\"assigned_difficulty\":1", "\"assigned_difficulty\":1e-10", "WB-1136"),
        ("\"assigned_difficulty\":1", "\"assigned_difficulty\":1e99", "WB-1137"),
        ("\"assigned_difficulty\":1", "\"assigned_difficulty\":1e999", "WB-1134"),
        ("\"assigned_difficulty\":1", "\"assigned_difficulty\":null", "WB-1133"),
        ("\"assigned_difficulty\":1", "\"assigned_difficulty\":[1]", "WB-1133"),
        ("\"assigned_difficulty\":1", "\"assigned_difficulty\":\"\"", "WB-1130"),
        ("\"assigned_difficulty\":1", "\"assigned_difficulty\":NaN", "WB-1171"),
        ("\"aa\",\"bb\"", &half, "WB-1160"),
        ("\"aa\"", &long_hex, "WB-1110"),
        (&one_branch, &branch, "WB-1161"),
        (&one_branch, "[\"cc\"]", "WB-1111"),
        ("[\"j\",\"0000", &long_job, "WB-1162"),
        ("[\"j\",\"0000", "[\"\",\"0000", "WB-1163"),
        ("\"1d00ffff\",\"4f521d0e\",true", "\"1d00ffff\",\"4f521d0e\"", "WB-1171"),
        ("\"00000007\",\"00002000\"", "", "WB-1171"),
        (",\"00000007\",\"00002000\"", "", "WB-1173"),
        ("\"00002000\"", "\"00002000\",\"\"", "WB-1173"),
        ("\"00000007\"", "\"7\"", "WB-1111"),
        ("\"0102\"", "\"010\"", "WB-1112"),
        ("\"name\":\"one\"", "\"name\":\"one\",\"verdict\":\"maybe\"", "WB-1174"),
        ("\"name\":\"one\"", "\"name\":\"one\",\"verdict\":\"accepted\",\"reason\":\"stale\"", "WB-1174"),
        ("\"name\":\"one\"", "\"name\":\"one\",\"verdict\":\"rejected\",\"reason\":\"bored\"", "WB-1175"),
        ("\"name\":\"one\"", "\"name\":\"one\",\"hash\":\"00\"", "WB-1111"),
        ("\"name\":\"one\"", "\"name\":\"one\",\"header_hex\":\"00\"", "WB-1111"),
    ];
    for (good, bad, code) in table {
        let json = session_json();
        assert!(json.contains(good), "{good} is in the good session");
        match parse(&json.replacen(good, bad, 1)) {
            Ok(_) => panic!("{good} -> {bad:.60} was taken"),
            Err(error) => {
                // A field that cannot be read has its own code below that of its session.
                let found = match &error {
                    SessionFileError::Wire { source, .. } => {
                        assert_eq!(error.code(), "WB-1172");
                        source.code()
                    }
                    other => other.code(),
                };
                assert_eq!(found, code, "{good} -> {bad:.60}: {error:?}");
            }
        }
    }
    for json in ["", "{}", "null", "[null]", "[{}]", "[", "\u{feff}[]"] {
        assert!(matches!(parse(json), Err(SessionFileError::Json { .. })), "{json:?}");
    }
    assert_eq!(parse("[]").unwrap(), []);
}

#[test]
fn a_wrong_extranonce_size_is_a_rejected_share_not_a_broken_file() {
    let cases = parse(&session_json().replacen("\"0102\"", "\"010203\"", 1)).unwrap();
    assert_eq!(check(&cases[0]).reason, Some(Reason::BadExtranonceSize));
}

#[test]
fn a_difficulty_in_quotes_reads_like_one_without() {
    let quoted = session_json().replacen("\"assigned_difficulty\":1", "\"assigned_difficulty\":\"0.001\"", 1);
    let plain = session_json().replacen("\"assigned_difficulty\":1", "\"assigned_difficulty\":1e-3", 1);
    assert_eq!(parse(&quoted).unwrap(), parse(&plain).unwrap());
}

#[test]
fn file_errors_name_the_session_and_carry_the_cause() {
    let error = parse(&session_json().replacen("\"0102\"", "\"01zz\"", 1)).unwrap_err();
    assert_eq!(error.to_string(), "[WB-1172] session 0 (\"one\"): a field cannot be read");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("extranonce2") && cause.contains("position 2"), "{cause}");
}
