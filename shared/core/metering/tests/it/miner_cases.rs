//! What real machines say in ways that came out wrong once: each with its value, and the relatives of each.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use wb_metering::miner::repair::repaired;
use wb_metering::miner::{Reading, State, normalise};

/// A cgminer answer with its status line.
fn answer(section: &str, elements: &str, description: &str) -> String {
    format!(
        r#"{{"STATUS":[{{"STATUS":"S","Description":"{description}"}}],"{section}":[{elements}],"id":1}}"#
    )
}

fn machine(commands: &[(&str, String)]) -> Reading {
    let parts: Vec<String> = commands.iter().map(|(name, said)| format!("\"{name}\":{said}")).collect();
    normalise(&format!("{{{}}}", parts.join(","))).unwrap()
}

fn avalon_version(product: &str) -> (&'static str, String) {
    ("version", answer("VERSION", &format!(r#"{{"CGMiner":"4.11.1","PROD":"{product}"}}"#), "cgminer 4.11.1"))
}

fn module(name: &str, text: &str) -> String {
    format!(r#"{{"STATS":0,"ID":"AVA100","Elapsed":975,"{name}":"{text}"}}"#)
}

const A1566: &str = "Ver[1566] Elapsed[975] PS[0 1209 1187 295 3500 1188 3700] GHSspd[199000.00] GHSavg[184000.00] SoftOFF[0]";

#[test]
fn what_two_commands_say_of_one_module_is_counted_once() {
    let stats = || answer("STATS", &module("MM ID0", A1566), "cgminer");
    let lite = || answer("STATS", &format!(r#"{{"MM ID0:Summary":"{A1566}"}}"#), "cgminer");
    let short = || answer("STATS", r#"{"MM ID0":"Ver[1566] Elapsed[975]"}"#, "cgminer");
    for commands in [
        vec![("stats", stats())],
        vec![("stats", stats()), ("litestats", lite())],
        vec![("stats", stats()), ("estats", stats()), ("litestats", lite())],
        vec![("estats", short()), ("stats", stats())],
    ] {
        let commands: Vec<_> = std::iter::once(avalon_version("AvalonMiner 1566")).chain(commands).collect();
        let reading = machine(&commands);
        assert_eq!(reading.hashrate_hs, Some(199_000_000_000_000), "{}", commands.len());
        assert_eq!(reading.power_mw, Some(3_700_000), "{}", commands.len());
    }
    // Two modules of one answer are two, also where each is an element of its own.
    let two = answer("STATS", &[module("MM ID0", A1566), module("MM ID0", A1566)].join(","), "cgminer");
    let reading = machine(&[avalon_version("AvalonMiner 1566"), ("stats", two)]);
    assert_eq!((reading.hashrate_hs, reading.power_mw), (Some(398_000_000_000_000), Some(7_400_000)));
}

#[test]
fn boards_and_pools_that_two_commands_list_are_counted_once() {
    let devs = |boards: usize| {
        let board = r#"{"Status":"Alive","Enabled":"Y","MHS 5s":30000000.0}"#;
        answer("DEVS", &vec![board; boards].join(","), "bdminer 4.11.1")
    };
    let pools = || answer("POOLS", r#"{"Accepted":100,"Rejected":2,"Stale":1}"#, "bdminer 4.11.1");
    let reading =
        machine(&[("devs", devs(3)), ("edevs", devs(2)), ("pools", pools()), ("switchpool", pools())]);
    assert_eq!(reading.hashrate_hs, Some(90_000_000_000_000));
    assert_eq!(reading.boards.unwrap().listed, 3);
    assert_eq!(reading.accepted_shares, Some(100));
}

#[test]
fn a_small_avalons_figures_are_no_supplys() {
    for (figures, power_mw) in [
        // A Nano 3: the seventh figure is no power.
        ("0 0 0 3 2791 88 322", None),
        ("0 1209 1187 295 3500 1188 3700", Some(3_700_000)),
        // Rounded to whole amperes.
        ("0 1215 1300 250 3250 1301 3420", Some(3_420_000)),
        // Less at the input than at the output, and the layout with a figure missing.
        ("0 1215 1300 250 3250 1301 320", None),
        ("0 1215 1300 250 3250 1301", None),
        // Off, with the supply's own use.
        ("0 0 0 0 0 1301 25", Some(25_000)),
    ] {
        let text = format!("Ver[x] Elapsed[90012] PS[{figures}] GHSspd[3011.40] SoftOFF[0]");
        let stats = answer("STATS", &module("MM ID0", &text), "cgminer");
        assert_eq!(machine(&[avalon_version("Avalon0o"), ("stats", stats)]).power_mw, power_mw, "{figures}");
    }
}

#[test]
fn answers_to_joined_commands_are_one_array_deeper() {
    let version = answer("VERSION", r#"{"BMMiner":"1.0.0","Type":"Antminer S19 Pro"}"#, "cgminer 1.0.0");
    let summary =
        answer("SUMMARY", r#"{"Elapsed":7000,"GHS 5s":"95110.2","Accepted":410,"Rejected":2}"#, "cgminer");
    let joined = normalise(&format!(r#"{{"version":[{version}],"summary":[{summary}],"id":1}}"#)).unwrap();
    assert_eq!(joined, machine(&[("version", version), ("summary", summary)]));
    assert_eq!((joined.hashrate_hs, joined.uptime_s), (Some(95_110_200_000_000), Some(7_000)));
}

#[test]
fn braiins_os_says_on_cgminers_port_what_its_web_interface_says_behind_a_login() {
    for program in ["BOSer", "BOSminer"] {
        let version = answer("VERSION", &format!(r#"{{"API":"3.7","{program}":"0.1.0"}}"#), program);
        let summary = answer(
            "SUMMARY",
            r#"{"Accepted":900,"Rejected":3,"Stale":1,"Elapsed":86000,"MHS 1m":13410000.2,"MHS 5s":13400000.5}"#,
            program,
        );
        let tuner =
            answer("TUNERSTATUS", r#"{"ApproximateMinerPowerConsumption":1150,"PowerLimit":1200}"#, program);
        let reading =
            machine(&[("version", version), ("summary", summary.clone()), ("tunerstatus", tuner.clone())]);
        assert_eq!(reading.family.as_str(), "braiins");
        assert_eq!(reading.state, State::Hashing);
        assert_eq!((reading.hashrate_hs, reading.uptime_s), (Some(13_400_000_500_000), Some(86_000)));
        assert_eq!((reading.accepted_shares, reading.power_mw), (Some(900), Some(1_150_000)));
        assert_eq!(reading.power_source.unwrap().as_str(), "estimate");
        // The status line alone shows the firmware.
        assert_eq!(machine(&[("summary", summary), ("tunerstatus", tuner)]).family.as_str(), "braiins");
    }
}

#[test]
fn only_sha_256_models_mean_the_prefix_of_a_field() {
    let of = |model: &str, stats: &str, summary: &str| {
        let version = answer("VERSION", &format!(r#"{{"BMMiner":"1.0.0","Type":"{model}"}}"#), "bmminer");
        let stats = answer("STATS", stats, "bmminer");
        machine(&[("version", version), ("stats", stats), ("summary", answer("SUMMARY", summary, "bmminer"))])
    };
    let plain = r#"{"Elapsed":5200,"GHS 5s":"504.200","GHS av":503.11}"#;
    for (model, stats, expected) in [
        ("Antminer L3+", plain, Some(504_200_000)),
        ("Antminer D3", plain, Some(504_200_000)),
        ("Antminer KS5", plain, None),
        ("Antminer S9", plain, Some(504_200_000_000)),
        ("Antminer L7", r#"{"Elapsed":5200,"GHS 5s":9500.1,"rate_unit":"MH"}"#, Some(9_500_100_000)),
        ("Antminer Z15 Pro", r#"{"Elapsed":5200,"GHS 5s":840.11,"rate_unit":"KSol"}"#, None),
        // A unit that is not known is no other unit, whatever the model.
        ("Antminer S19", r#"{"Elapsed":5200,"GHS 5s":840.11,"rate_unit":"X"}"#, None),
    ] {
        let reading = of(model, stats, plain);
        assert_eq!(reading.hashrate_hs, expected, "{model}");
        assert_eq!(reading.average.is_some(), model == "Antminer S9", "{model}");
        assert_eq!(reading.uptime_s, Some(5_200), "{model}");
    }
}

#[test]
fn the_bitaxes_relatives_are_read_and_a_board_without_power_does_not_hash() {
    let nerd = r#"{"asicCount":4,"deviceModel":"NerdQAxe++","power":77.5,"hashRate":4750.5,"sharesAccepted":340,
        "sharesRejected":1,"poolDifficulty":4096,"uptimeSeconds":2136}"#;
    let reading = machine(&[("system_info", nerd.to_owned())]);
    assert_eq!((reading.family.as_str(), reading.algorithm), ("bitaxe", "sha256d"));
    assert_eq!((reading.hashrate_hs, reading.power_mw), (Some(4_750_500_000_000), Some(77_500)));
    assert_eq!((reading.accepted_shares, reading.share_difficulty.unwrap().value), (Some(340), 4_096));
    for (fault, state) in [
        (r#""Power Fault Detected""#, State::Reachable),
        ("true", State::Reachable),
        (r#""""#, State::Hashing),
        ("null", State::Hashing),
        ("0", State::Hashing),
    ] {
        let info = format!(
            r#"{{"ASICModel":"BM1370","power":18.1,"hashRate":1203.4,"sharesAccepted":812,"power_fault":{fault}}}"#
        );
        let reading = machine(&[("system_info", info)]);
        assert_eq!(reading.state, state, "{fault}");
        assert_eq!(reading.fields.state == Some("power_fault"), state == State::Reachable, "{fault}");
    }
}

#[test]
fn a_machine_has_not_run_since_1970() {
    let of = |elapsed: u64| {
        let summary = format!(
            r#"{{"Elapsed":{elapsed},"MHS av":0.35,"MHS 5s":90100000.0,"Accepted":600,"Difficulty Accepted":39321600.0}}"#
        );
        machine(&[avalon_version("AvalonMiner 1246"), ("summary", answer("SUMMARY", &summary, "cgminer"))])
    };
    let wrong = of(1_790_900_000);
    assert_eq!((wrong.uptime_s, wrong.average, wrong.share_hashrate_hs()), (None, None, None));
    assert_eq!(wrong.hashrate_hs, Some(90_100_000_000_000));
    let right = of(7_200);
    assert_eq!((right.uptime_s, right.average.is_some()), (Some(7_200), true));
}

#[test]
fn an_unknown_firmware_is_read_in_the_units_that_it_states_and_hashes_something_unknown() {
    let version = |fields: &str| ("version", answer("VERSION", fields, "cgminer 4.11.1"));
    let msk = machine(&[
        version(r#"{"BMMiner":"4.11.1 rwglr","Type":"S19-88 v.2.6.0.39 "}"#),
        (
            "stats",
            answer(
                "STATS",
                r#"{"Elapsed":1900,"GHS 5s":99900.5,"GHS av":99760.4,"rate_unit":"GH"}"#,
                "cgminer",
            ),
        ),
    ]);
    assert_eq!((msk.family.as_str(), msk.algorithm), ("cgminer", "unknown"));
    assert_eq!((msk.hashrate_hs, msk.uptime_s), (Some(99_900_500_000_000), Some(1_900)));
    let other = machine(&[
        version(r#"{"SomeMiner":"1.0"}"#),
        (
            "summary",
            answer("SUMMARY", r#"{"Elapsed":2400,"MHS 5s":198000000.5,"Accepted":1400}"#, "someminer"),
        ),
    ]);
    assert_eq!((other.family.as_str(), other.hashrate_hs), ("cgminer", Some(198_000_000_500_000)));
    assert_eq!((other.accepted_shares, other.power_mw), (Some(1_400), None));
    let unknown_unit = machine(&[
        version(r#"{"SomeMiner":"1.0"}"#),
        ("stats", answer("STATS", r#"{"Elapsed":2400,"rate_5s":5.0,"rate_unit":"X"}"#, "someminer")),
        ("summary", answer("SUMMARY", r#"{"Elapsed":2400,"MHS 5s":1.0}"#, "someminer")),
    ]);
    assert_eq!(unknown_unit.hashrate_hs, Some(1_000_000));
}

#[test]
fn the_bytes_of_broken_firmware_are_put_right_and_read() {
    let status = r#""STATUS":[{"STATUS":"S","Description":"whatsminer v1.4"}]"#;
    for (what, summary) in [
        ("a comma first", r#""SUMMARY":[,{"Elapsed":8000,"MHS 5s":100000000.0}]"#),
        (
            "no comma between fields",
            r#""SUMMARY":[{"Elapsed":8000,"Power Mode":"Normal""MHS 5s":100000000.0}]"#,
        ),
        ("pairs in a list", r#""SUMMARY":[{"Elapsed":8000,"error_code":["329":"x"],"MHS 5s":100000000.0}]"#),
        ("nothing behind a colon", r#""SUMMARY":[{"Elapsed":8000,"Temp":,"MHS 5s":100000000.0}]"#),
        ("nan", r#""SUMMARY":[{"Elapsed":8000,"Temp":nan,"MHS 5s":100000000.0}]"#),
    ] {
        let bytes = format!("{{{status},{summary}}}\0");
        let text = repaired(bytes.as_bytes()).unwrap();
        let reading = normalise(&format!("{{\"summary\":{text}}}")).unwrap();
        assert_eq!(reading.hashrate_hs, Some(100_000_000_000_000), "{what}");
    }
}
