//! Mistakes of the configuration: all are reported at once, each with its field, its value and what would be right.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

use crate::support::END_LIMIT;
use crate::support::place::Place;
use crate::support::running::Running;

/// Field, value as it is shown, code, and a part of what would be right.
const MISTAKES: [(&str, &str, &str, &str); 9] = [
    ("kafka.heap_mib", "64", "WB-6006", "256"),
    ("kafka.replication", "\"three\"", "WB-6005", "from 1 to 9"),
    ("kafka.prot", "", "WB-6003", "port, controller_port"),
    ("clickhouse.database", "\"Weigh Bridge\"", "WB-6010", "lower-case"),
    ("clickhouse.url", "\"ftp://clickhouse.example\"", "WB-6008", "http"),
    ("ingest.listen", "\"everywhere\"", "WB-6007", "port"),
    ("ingest.sources[0]", "\"north proxy\"", "WB-6012", "characters"),
    ("WEIGHBRIDGE_KAFKA_PORT", "\"99999\"", "WB-6006", "65535"),
    ("WEIGHBRIDGE_KAFKA_PROT", "", "WB-6004", "WEIGHBRIDGE_KAFKA_PORT"),
];

const FILE: &str = r#"
[kafka]
heap_mib = 64
replication = "three"
prot = 9092

[clickhouse]
database = "Weigh Bridge"
url = "ftp://clickhouse.example"

[ingest]
listen = "everywhere"

[[ingest.sources]]
id = "north proxy"
key_sha256_hex = "0f4a3c2de1b5968778695a4b3c2d1e0ff0e1d2c3b4a5968778695a4b3c2d1e0f"
roles = ["pool"]
"#;

#[test]
fn all_mistakes_are_told_at_once() {
    let place = Place::new();
    let file = place.folder().join("wrong.toml");
    std::fs::write(&file, FILE).unwrap();
    for command in [&["up"][..], &["serve", "ingest"], &["demo"]] {
        let arguments: Vec<&str> =
            ["--config", file.to_str().unwrap()].into_iter().chain(command.iter().copied()).collect();
        let mut program = place.command(&arguments);
        program.env("WEIGHBRIDGE_KAFKA_PORT", "99999").env("WEIGHBRIDGE_KAFKA_PROT", "9092");
        // The variable would win over the file's mistake.
        program.env_remove("WEIGHBRIDGE_INGEST_LISTEN");
        let ended = Running::start("wrong", program, place.folder()).end(END_LIMIT);
        assert_eq!(ended.code, Some(1), "{command:?}: {}", ended.stderr);
        assert!(ended.stderr.contains("wrong.toml"), "{command:?}: {}", ended.stderr);
        let told: Vec<&str> =
            ended.stderr.lines().filter(|line| line.trim_start().starts_with("[WB-")).collect();
        for (field, value, code, right) in MISTAKES {
            let of_field =
                told.iter().find(|line| line.trim_start().starts_with(&format!("[{code}] {field}")));
            let line =
                of_field.unwrap_or_else(|| panic!("{command:?}: no {code} {field} in\n{}", ended.stderr));
            for part in [value, right] {
                assert!(line.contains(part), "{command:?}: {part:?} is not in {line:?}");
            }
        }
        assert_eq!(told.len(), MISTAKES.len(), "{command:?}: one line each\n{}", ended.stderr);
        assert!(!place.data_dir().join("kafka").exists(), "{command:?}: nothing is started");
    }
}

#[test]
fn what_is_no_configuration_is_refused() {
    let place = Place::new();
    let file = place.folder().join("broken.toml");
    std::fs::write(&file, "[kafka\nport = 1").unwrap();
    for (path, code) in [(file.to_str().unwrap(), "WB-6002"), ("no-such-file.toml", "WB-6001")] {
        let ended = place.run("broken", &["--config", path, "up"], END_LIMIT);
        assert_eq!(ended.code, Some(1), "{path}: {}", ended.stderr);
        assert!(ended.stderr.contains(code) && ended.stderr.contains(path), "{path}: {}", ended.stderr);
    }
}
