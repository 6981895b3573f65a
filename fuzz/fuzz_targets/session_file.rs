//! Recorded sessions: no text makes the reader panic, and nothing in a file is accepted that sha2 refuses.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wb_fuzz::{context_of, rebuilt, verdict};
use wb_proof::session_file::{check, parse};

fuzz_target!(|text: &str| {
    let cases = match parse(text) {
        Ok(cases) => cases,
        Err(error) => {
            assert!(error.code().starts_with("WB-1") && !error.to_string().is_empty());
            return;
        }
    };
    for case in &cases {
        let outcome = check(case);
        let header = rebuilt(&case.session, &case.job, &case.submit);
        let context = context_of(&case.session, &case.job, &case.submit);
        let expected = header.map(|header| verdict(&header, &context));
        assert_eq!(outcome.verdict == "accepted", expected.is_some_and(|(refused, _)| refused.is_none()));
        assert_eq!(outcome.solves_block, expected.is_some_and(|(_, solves_block)| solves_block));
        assert_eq!(outcome.matches_expectation, outcome.differences.is_empty());
    }
});
