//! Valid configurations: the defaults, the example in `schemas/config`, and which source takes precedence.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

use std::path::{Path, PathBuf};

use wb_auth::Role;
use wb_config::{Config, VARIABLES};

fn nothing(_: &str) -> Option<String> {
    None
}

fn example_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../schemas/config/weighbridge.example.toml")
}

fn load(text: &str, env: impl Fn(&str) -> Option<String>) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weighbridge.toml");
    std::fs::write(&path, text).unwrap();
    Config::load(Some(&path), env).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn no_file_and_an_empty_file_give_the_defaults() {
    assert_eq!(Config::load(None, nothing), Ok(Config::default()));
    assert_eq!(load("", nothing), Config::default());
    assert_eq!(load("[kafka]\n[kafka.partitions]\n[ingest]\n", nothing), Config::default());
}

#[test]
fn relative_paths_of_a_file_start_at_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weighbridge.toml");
    let text = "data_dir = \"first-hour\"\n[aggregator]\nstate_dir = \"/srv/proofs\"\n";
    std::fs::write(&path, text).unwrap();
    let config = Config::load(Some(&path), nothing).unwrap();
    assert_eq!(config.data_dir, folder.path().join("first-hour"));
    assert_eq!(config.archive.dir, Some(folder.path().join("first-hour/archive")));
    assert_eq!(config.aggregator.state_dir.as_deref(), Some(Path::new("/srv/proofs")));
    let elsewhere = |name: &str| (name == "WEIGHBRIDGE_DATA_DIR").then(|| "here".to_owned());
    assert_eq!(Config::load(Some(&path), elsewhere).unwrap().data_dir, Path::new("here"));
    std::fs::write(&path, "[archive]\ndir = \"\"\n").unwrap();
    assert_eq!(Config::load(Some(&path), nothing).unwrap().archive.dir, None);
}

#[test]
fn the_example_holds_the_defaults() {
    let folder = example_path().parent().unwrap().join(".weighbridge");
    let mut expected = Config { data_dir: folder.clone(), ..Config::default() };
    expected.archive.dir = Some(folder.join("archive"));
    assert_eq!(Config::load(Some(&example_path()), nothing), Ok(expected));
}

#[test]
fn the_example_is_right_with_every_field_in_use() {
    let text = std::fs::read_to_string(example_path()).unwrap();
    let options = |line: &&str| line.starts_with('#') && !line.starts_with("# ") && *line != "#";
    assert_eq!(text.lines().filter(options).count(), 21);
    let whole: Vec<&str> =
        text.lines().map(|line| if options(&line) { line.trim_start_matches('#') } else { line }).collect();
    let config = load(&whole.join("\n"), nothing);
    let default = Config::default();
    assert_eq!(
        config.kafka.brokers.as_deref(),
        Some("kafka-1.example:9093,kafka-2.example:9093,kafka-3.example:9093")
    );
    assert_eq!(config.kafka.client_properties().len(), 5);
    assert!(
        config.kafka.client_properties().contains(&("sasl.username".to_owned(), "weighbridge".to_owned()))
    );
    assert_eq!(config.clickhouse.url.as_deref(), Some("https://clickhouse.example:8443"));
    assert_eq!(config.clickhouse.user.as_deref(), Some("weighbridge"));
    assert_eq!(config.clickhouse.password.as_ref().map(|password| password.reveal()), Some("change-me"));
    assert_eq!(config.ingest.sources.len(), 1);
    assert_eq!(config.ingest.sources[0].roles, [Role::Pool, Role::Telemetry]);
    let endpoint = &config.webhooks.endpoints[0];
    assert_eq!(
        (endpoint.id.as_str(), endpoint.events.len(), endpoint.customer.as_deref()),
        ("books", 2, Some("acme"))
    );
    assert_eq!(format!("{:?}", endpoint.secret), "(hidden)");
    assert_eq!((config.kafka.port, config.api), (default.kafka.port, default.api));
}

#[test]
fn the_example_names_every_variable() {
    let text = std::fs::read_to_string(example_path()).unwrap();
    for variable in VARIABLES {
        let named = |word: &str| word == variable;
        assert!(
            text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').any(named),
            "{variable}"
        );
    }
}

#[test]
fn every_field_of_the_example_is_checked_for_its_name() {
    let text = std::fs::read_to_string(example_path()).unwrap();
    let mut fields = 0;
    for line in text.lines().filter(|line| line.contains(" = ") && !line.starts_with('#')) {
        let misspelt = text.replacen(line, &format!("x{line}"), 1);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weighbridge.toml");
        std::fs::write(&path, misspelt).unwrap();
        let errors = Config::load(Some(&path), nothing).expect_err(line);
        assert_eq!((errors.mistakes.len(), errors.mistakes[0].code()), (1, "WB-6003"), "{line}: {errors}");
        fields += 1;
    }
    assert_eq!(fields, 25);
}

#[test]
fn a_variable_wins_over_the_file_and_an_empty_one_does_not() {
    let file = "data_dir = \"/f\"\n[kafka]\nbrokers = \"f:1\"\nport = 1\ncontroller_port = 2\nlibs_dir = \"f\"\n\
                [clickhouse]\nurl = \"http://f\"\nport = 3\nuser = \"f\"\npassword = \"f\"\nlib = \"f\"\n\
                [ingest]\nlisten = \"127.0.0.1:4\"\n[aggregator]\nstate_dir = \"/f\"\nsession_timeout_ms = 2000\n[api]\nlisten = \"127.0.0.1:5\"\n\
                [documents]\nfonts_dir = \"f\"\n";
    let from_variables = |name: &str| {
        let value = match name {
            "WEIGHBRIDGE_KAFKA_BROKERS" => "e:1",
            "WEIGHBRIDGE_KAFKA_PORT" => "11",
            "WEIGHBRIDGE_KAFKA_CONTROLLER_PORT" => "12",
            "WEIGHBRIDGE_CLICKHOUSE_URL" => "https://e/",
            "WEIGHBRIDGE_CLICKHOUSE_PORT" => "13",
            "WEIGHBRIDGE_INGEST_LISTEN" => "0.0.0.0:14",
            "WEIGHBRIDGE_API_LISTEN" => "[::1]:15",
            "WEIGHBRIDGE_AGGREGATOR_SESSION_TIMEOUT_MS" => "3000",
            "WEIGHBRIDGE_METRICS_LISTEN" => "127.0.0.1:16",
            _ => "e",
        };
        Some(value.to_owned())
    };
    let seen = |config: &Config| {
        let Config { data_dir, kafka, clickhouse, ingest, aggregator, api, documents, .. } = config.clone();
        let text = |path: PathBuf| path.display().to_string();
        let password = clickhouse.password.map(|password| password.reveal().to_owned());
        [
            text(data_dir),
            kafka.brokers.unwrap_or_default(),
            kafka.port.to_string(),
            kafka.controller_port.to_string(),
            text(kafka.libs_dir),
            clickhouse.url.unwrap_or_default(),
            clickhouse.port.to_string(),
            clickhouse.user.unwrap_or_default(),
            password.unwrap_or_default(),
            text(clickhouse.lib),
            ingest.listen.to_string(),
            api.listen.to_string(),
            aggregator.state_dir.map(text).unwrap_or_default(),
            aggregator.session_timeout_ms.to_string(),
            text(documents.fonts_dir),
        ]
    };
    let of_file = [
        "/f",
        "f:1",
        "1",
        "2",
        "f",
        "http://f",
        "3",
        "f",
        "f",
        "f",
        "127.0.0.1:4",
        "127.0.0.1:5",
        "/f",
        "2000",
        "f",
    ];
    let of_variables = [
        "e",
        "e:1",
        "11",
        "12",
        "e",
        "https://e",
        "13",
        "e",
        "e",
        "e",
        "0.0.0.0:14",
        "[::1]:15",
        "e",
        "3000",
        "e",
    ];
    assert_eq!(seen(&load(file, nothing)), of_file);
    assert_eq!(seen(&load(file, |_: &str| Some(String::new()))), of_file);
    assert_eq!(seen(&load(file, from_variables)), of_variables);
    assert_eq!(seen(&load("", from_variables)), of_variables);
}

#[test]
fn the_archive_lies_with_the_data_unless_the_file_says_otherwise() {
    let dir = |text: &str| load(text, nothing).archive.dir.map(|dir| dir.display().to_string());
    assert_eq!(dir("data_dir = \"/d\"").as_deref(), Some("/d/archive"));
    assert_eq!(dir("[archive]\ndir = \"/mnt/frames\"").as_deref(), Some("/mnt/frames"));
    assert_eq!(dir("[archive]\ndir = \"\""), None);
}

#[test]
fn what_is_not_opened_here_may_share_its_port() {
    let own = "[kafka]\nbrokers = \"a:1\"\nport = 8801\nreplication = 3\n[clickhouse]\nurl = \"http://a\"\nport = 8802\n";
    assert_eq!(load(own, nothing).kafka.replication, 3);
    let hosts =
        "[ingest]\nlisten = \"127.0.0.1:19092\"\n[kafka]\nport = 1\n[api]\nlisten = \"10.0.0.1:19092\"\n";
    assert_eq!(load(hosts, nothing).ingest.listen.port(), 19092);
}
