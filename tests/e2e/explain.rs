//! `weighbridge explain`: the page of every code, and the line that leads there.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use crate::support::END_LIMIT;
use crate::support::place::Place;
use crate::support::root;

#[test]
fn a_code_is_explained_and_an_error_says_how() {
    let place = Place::new();
    let explain = |arguments: &[&str]| {
        let arguments: Vec<&str> = ["explain"].into_iter().chain(arguments.iter().copied()).collect();
        place.run("explain", &arguments, END_LIMIT)
    };
    let page = std::fs::read_to_string(root().join("schemas/errors/WB-4102.md")).unwrap();
    for written in ["WB-4102", "wb-4102", "4102"] {
        assert_eq!(explain(&[written]).success(written).stdout, page, "{written}");
    }
    let listed = explain(&["--list"]).success("list").stdout;
    let pages = std::fs::read_dir(root().join("schemas/errors")).unwrap().count();
    assert_eq!(listed.lines().count(), pages);
    let unknown = explain(&["WB-4109"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (Some(1), ""));
    assert!(unknown.stderr.contains("WB-4109") && unknown.stderr.contains("WB-4103"), "{}", unknown.stderr);

    // Nothing runs here, so nothing answers.
    let refused = place.run("refused", &["report", "fleet", "--period", "2026-10"], END_LIMIT);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert_eq!(
        refused.stderr.lines().last(),
        Some("help: weighbridge explain WB-8016"),
        "{}",
        refused.stderr
    );
}
