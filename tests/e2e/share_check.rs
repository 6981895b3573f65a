//! `weighbridge share check`: every verdict of the recorded sessions again, without any stack.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

use crate::support::place::Place;
use crate::support::running::Ended;
use crate::support::{END_LIMIT, root};
use serde_json::Value;

const ACCEPTED: &str = "tests/data/bitcoin/stratum_v1_jobs.json";
const REJECTED: &str = "tests/data/bitcoin/stratum_v1_rejects.json";

fn cases(file: &str) -> Vec<Value> {
    serde_json::from_slice(&std::fs::read(root().join(file)).unwrap()).unwrap()
}

fn check(place: &Place, file: &str) -> (Ended, Vec<Value>) {
    let ended = place.run("share-check", &["share", "check", file], END_LIMIT);
    let lines = ended.stdout.lines();
    let lines =
        lines.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")));
    let lines = lines.collect();
    (ended, lines)
}

#[test]
fn recorded_sessions_are_judged_as_their_files_say() {
    let place = Place::new();
    for (file, sessions) in [(ACCEPTED, 8), (REJECTED, 33)] {
        let (ended, lines) = check(&place, file);
        ended.success(file);
        let cases = cases(file);
        assert_eq!((cases.len(), lines.len()), (sessions, sessions), "{file}");
        for (case, line) in cases.iter().zip(&lines) {
            for field in ["name", "verdict", "reason", "hash", "solves_block"] {
                assert_eq!(line[field], case[field], "{}: {field}", case["name"]);
            }
            assert_eq!(line["matches_expectation"], true, "{line}");
            let achieved = line["achieved_difficulty"].as_str().map(|text| text.parse::<f64>().unwrap());
            let expected = case["achieved_difficulty_bdiff"].as_f64();
            match (achieved, expected) {
                (None, None) => {}
                // The file gives at least nine digits; twelve decimal places are printed.
                (Some(achieved), Some(expected)) => {
                    let allowed = expected * 1e-9 + 1e-12;
                    assert!(
                        (achieved - expected).abs() <= allowed,
                        "{}: {achieved} {expected}",
                        case["name"]
                    );
                }
                other => panic!("{}: {other:?}", case["name"]),
            }
        }
    }
}

#[test]
fn a_session_that_was_tampered_with_is_named() {
    let place = Place::new();
    let mut cases = cases(ACCEPTED);
    let name = cases[3]["name"].as_str().unwrap().to_owned();
    let nonce = cases[3]["submit_params"][4].as_str().unwrap();
    let other = format!("{:08x}", u32::from_str_radix(nonce, 16).unwrap() ^ 1);
    cases[3]["submit_params"][4] = Value::String(other);
    let file = place.folder().join("tampered.json");
    std::fs::write(&file, serde_json::to_vec(&cases).unwrap()).unwrap();

    let (ended, lines) = check(&place, file.to_str().unwrap());
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("1 of 8 sessions"), "{}", ended.stderr);
    let wrong: Vec<&Value> = lines.iter().filter(|line| line["matches_expectation"] == false).collect();
    assert_eq!((lines.len(), wrong.len()), (8, 1));
    assert_eq!(
        (wrong[0]["name"].as_str(), wrong[0]["reason"].as_str()),
        (Some(name.as_str()), Some("low_difficulty"))
    );
    assert!(!wrong[0]["differences"].as_array().unwrap().is_empty(), "{}", wrong[0]);
}

#[test]
fn a_file_that_cannot_be_read_is_explained() {
    let place = Place::new();
    let whole = std::fs::read_to_string(root().join(ACCEPTED)).unwrap();
    let one = |change: fn(&mut Value)| {
        let mut case = cases(ACCEPTED).swap_remove(0);
        change(&mut case);
        serde_json::to_string(&[case]).unwrap()
    };
    for (name, text, expected) in [
        ("cut off", whole[..whole.len() / 2].to_owned(), ["WB-1171", "line"]),
        ("empty", String::new(), ["WB-1171", "array of sessions"]),
        ("no hex", one(|case| case["submit_params"][4] = "zzzzzzzz".into()), ["WB-1172", "block169482"]),
        ("no verdict", one(|case| case["verdict"] = "perhaps".into()), ["WB-1174", "perhaps"]),
    ] {
        let file = place.folder().join("broken.json");
        std::fs::write(&file, text).unwrap();
        let (ended, lines) = check(&place, file.to_str().unwrap());
        assert_eq!((ended.code, lines.len()), (Some(1), 0), "{name}: {}", ended.stderr);
        for part in expected.into_iter().chain(["broken.json"]) {
            assert!(ended.stderr.contains(part), "{name}: {part:?} is not in {}", ended.stderr);
        }
    }
    let (ended, _) = check(&place, "no-such-file.json");
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("no-such-file.json"), "{}", ended.stderr);
}
