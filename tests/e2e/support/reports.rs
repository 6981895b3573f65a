//! Site reports of the demonstration, against figures that were worked out once and reviewed.

use std::path::PathBuf;

use serde_json::Value;

use super::END_LIMIT;
use super::demo::Summary;
use super::place::Place;
use super::root;

fn golden(site_id: &str) -> PathBuf {
    root().join(format!("tests/e2e/golden/report-{site_id}.csv"))
}

/// The reports of the summary are the golden ones; with `WEIGHBRIDGE_UPDATE_GOLDEN=1` they are written, to be
/// reviewed.
pub(crate) fn assert_golden(summary: &Summary) {
    let sites: Vec<&str> = summary.reports.iter().map(|report| report.site_id.as_str()).collect();
    assert_eq!(sites, ["genesis", "tx-1", "no-1"]);
    for report in &summary.reports {
        let path = golden(&report.site_id);
        if std::env::var_os("WEIGHBRIDGE_UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &report.csv).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            report.csv,
            kept,
            "{} is another: write it with WEIGHBRIDGE_UPDATE_GOLDEN=1 and look at the difference",
            path.display()
        );
    }
    // The golden figures, worked out by hand.
    let value = |site_id: &str, name: &str| {
        let report = summary.reports.iter().find(|report| report.site_id == site_id).unwrap();
        let start = format!("term,{name},");
        let line = report.csv.lines().find(|line| line.starts_with(&start)).unwrap();
        line.split(',').nth(3).unwrap().to_owned()
    };
    for (site_id, name, expected) in [
        // 400 blocks of 50 BTC each, at difficulty 1.
        ("genesis", "btc_produced", "2000000000000"),
        ("genesis", "btc_expected", "2000000000000"),
        ("genesis", "luck", "1000000"),
        // October of 99,030 s of eight GPUs is 93,000 s of them, and two seconds of one: 206.667 GPU-hours.
        ("tx-1", "gpu_hours_sold", "206667"),
        // Three nodes of eight GPUs for 31 days.
        ("tx-1", "gpu_hours_available", "17856000"),
        // One of the eight failed for an hour of October.
        ("tx-1", "gpu_faults", "1"),
        // 310 intervals of eight GPUs, of three nodes of eight for 31 days.
        ("tx-1", "gpu_time_sampled", "11574"),
        ("tx-1", "power_credits", "450"),
        ("no-1", "hashrate_deployed", "450"),
        ("no-1", "energy_renewable", "1000000"),
        ("no-1", "btc_produced", "not known"),
    ] {
        assert_eq!(value(site_id, name), expected, "{name} of {site_id}");
    }
    // Held GPUs are used for 85 % to 99 % of their time, but for that hour: 206.667 - 1 hours of it.
    let utilised: u64 = value("tx-1", "gpu_hours_utilised").parse().unwrap();
    assert!((174_815..203_610).contains(&utilised), "{utilised}");
    let of = |site_id: &str| summary.reports.iter().find(|report| report.site_id == site_id).unwrap();
    assert_eq!(of("no-1").flagged, ["no1-m03"], "the one with a false claim, and no other");
    // The claims of recorded machines, against their own accepted shares: with a z-score.
    let csv = &of("tx-1").csv;
    let own: Vec<&str> = csv.lines().filter(|line| line.starts_with("comparison,own_hashrate,")).collect();
    assert_eq!(own.len(), 2, "{own:?}");
    // The column before the last.
    assert!(
        own.iter().all(|line| line.rsplit(',').nth(1).is_some_and(|z| z.parse::<i64>().is_ok())),
        "{own:?}"
    );
}

/// The command line against the running stack.
pub(crate) fn assert_commands(place: &Place, summary: &Summary) {
    let ask = |arguments: &[&str]| place.run("report", &[&["report"], arguments].concat(), END_LIMIT);
    let day = ["--site", "no-1", "--period", "2026-10-01", "--zone", "UTC"];
    let csv =
        ask(&[&["site"], day.as_slice(), &["--format", "csv"]].concat()).success("a report as CSV").stdout;
    let of_demo = summary.reports.iter().find(|report| report.site_id == "no-1").unwrap();
    assert_eq!(csv, of_demo.csv);
    let json = || ask(&[&["site"], day.as_slice(), &["--format", "json"]].concat()).success("JSON").stdout;
    let first = json();
    assert_eq!(first, json(), "asked again, the same bytes");
    let report: Value = serde_json::from_str(&first).unwrap();
    let produced = report["terms"].as_array().unwrap().iter().find(|term| term["name"] == "btc_produced");
    assert_eq!(produced.unwrap()["value"], Value::Null, "what is not known is no zero");
    // The site's own days: it starts at two in the morning there, so the day before has nothing.
    let local = ask(&["site", "--site", "no-1", "--period", "2026-10"]).success("a table").stdout;
    assert!(local.starts_with("site no-1, 2026-10 (Europe/Oslo)"), "{local}");
    let fleet = ask(&["fleet", "--period", "2026-Q4"]).success("a fleet's report").stdout;
    assert!(fleet.contains("sites: genesis, no-1, pool-historic, tx-1"), "{fleet}");
    let own = ask(&["fleet", "--period", "2026-10", "--customer", "birch", "--format", "csv"]);
    let own = own.success("a customer's report").stdout;
    assert!(own.contains("no1-m05") && !own.contains("no1-m01"), "{own}");
    assert!(own.contains("term,power_cost_gross,minor,not known"), "{own}");
    // As of before anything was committed.
    let empty = ask(&["fleet", "--period", "2026-10", "--cut", "0"]).success("an early cut").stdout;
    assert!(empty.contains("machines                                           0"), "{empty}");
    for (arguments, told) in [
        (["site", "--site", "nowhere", "--period", "2026-10"].as_slice(), "there is no site \"nowhere\""),
        (&["fleet", "--period", "2026-13"], "WB-3141"),
        (&["fleet", "--period", "2026-10", "--zone", "Mars/Olympus"], "WB-3142"),
    ] {
        let refused = ask(arguments);
        assert_eq!(refused.code, Some(1), "{}", refused.stdout);
        assert!(refused.stderr.contains(told), "{}", refused.stderr);
    }
}
