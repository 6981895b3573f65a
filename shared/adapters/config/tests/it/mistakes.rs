//! Every mistake in a configuration, with its reported field, code and advice.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use wb_config::{Config, ConfigErrors, Environment, FILE_BYTES_MAX};

/// A set of variables that can list its names.
struct Variables(BTreeMap<String, String>);

impl Variables {
    fn of(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }
}

impl Environment for Variables {
    fn value(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weighbridge.toml");
    std::fs::write(&path, text).unwrap();
    Config::load(Some(&path), Variables::of(variables))
}

/// (the mistake: file, variables) and (the report: code, field, a part of the advice).
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, &'a str, &'a str);

const HASH: &str = "0f4a3c2de1b5968778695a4b3c2d1e0ff0e1d2c3b4a5968778695a4b3c2d1e0f";

#[test]
fn every_mistake_is_reported_alone_with_its_field_and_advice() {
    let source = |id: &str, hash: &str, roles: &str| {
        format!("[[ingest.sources]]\nid = \"{id}\"\nkey_sha256_hex = \"{hash}\"\nroles = [{roles}]\n")
    };
    let other_hash = HASH.replace('f', "e");
    let bad_id = source("a b", HASH, "\"pool\"");
    let bad_hash = source("a", "wbk_secret", "\"pool\"");
    let upper_hash = source("a", &HASH.to_uppercase(), "\"pool\"");
    let no_role = source("a", HASH, "");
    let bad_role = source("a", HASH, "\"admin\"");
    let same_id = source("a", HASH, "\"pool\"") + &source("a", &other_hash, "\"pool\"");
    let same_key = source("a", HASH, "\"pool\"") + &source("b", HASH, "\"pool\"");
    let extra = source("a", HASH, "\"pool\"") + "colour = 1\n";
    let hook = |id: &str, url: &str, secret: &str| {
        format!("[[webhooks.endpoints]]\nid = \"{id}\"\nurl = \"{url}\"\nsecret = \"{secret}\"\n")
    };
    let good_hook = hook("books", "https://b.example", "whsec_x");
    let same_hook = good_hook.clone() + &good_hook;
    let bad_hook_id = hook("../x", "https://b.example", "whsec_x");
    let bad_hook_url = hook("books", "b.example", "whsec_x");
    let bad_hook_secret = hook("books", "https://b.example", "word");
    let bad_hook_event = good_hook.clone() + "events = [\"issued\"]\n";
    let hook_without_secret =
        "[[webhooks.endpoints]]\nid = \"books\"\nurl = \"https://b.example\"\n".to_owned();
    let hook_with_more = good_hook.clone() + "colour = 1\n";
    let long_name = format!("[clickhouse]\ndatabase = \"{}\"", "a".repeat(64));
    let cases: &[Case<'_>] = &[
        ("data_dir = ", &[], "WB-6002", "line 1, column 12", "not TOML"),
        ("[api]\ngraphiql = true\ngraphiql = true", &[], "WB-6002", "line 3, column 1", "duplicate key"),
        ("data_dri = \"x\"", &[], "WB-6003", "data_dri", "is data_dir meant?"),
        ("[kafka]\nheap_mb = 512", &[], "WB-6003", "kafka.heap_mb", "is kafka.heap_mib meant?"),
        (
            "[kafka.partitions]\nshare = 4",
            &[],
            "WB-6003",
            "kafka.partitions.share",
            "is kafka.partitions.shares",
        ),
        ("[clickhouse]\nweather = 1", &[], "WB-6003", "clickhouse.weather", "known here are url, port"),
        ("[statistics]\nx = 1", &[], "WB-6003", "statistics", "known here are data_dir, kafka"),
        (
            "",
            &[("WEIGHBRIDGE_KAFKA_BROKER", "a:1")],
            "WB-6004",
            "WEIGHBRIDGE_KAFKA_BROKER",
            "WEIGHBRIDGE_KAFKA_BROKERS meant",
        ),
        (
            "",
            &[("WEIGHBRIDGE_COLOUR_OF_THE_SKY", "a")],
            "WB-6004",
            "WEIGHBRIDGE_COLOUR_OF_THE_SKY",
            "known are",
        ),
        ("data_dir = 5", &[], "WB-6005", "data_dir", "a text in quotes"),
        ("kafka = 5", &[], "WB-6005", "kafka", "a table [kafka]"),
        ("[kafka]\nport = \"19092\"", &[], "WB-6005", "kafka.port", "a whole number from 1 to 65535"),
        ("[kafka]\nreplication = 1.5", &[], "WB-6005", "kafka.replication", "a whole number from 1 to 9"),
        ("[api]\ngraphiql = \"yes\"", &[], "WB-6005", "api.graphiql", "true or false"),
        ("[kafka]\nproperties = 1", &[], "WB-6005", "kafka.properties", "a table [kafka.properties]"),
        ("[kafka.properties]\n\"socket.timeout.ms\" = 1", &[], "WB-6005", "socket.timeout.ms", "in quotes"),
        (
            "[clickhouse]\npassword = 5\nuser = \"u\"",
            &[],
            "WB-6005",
            "clickhouse.password",
            "a text in quotes",
        ),
        ("[ingest]\nsources = 1", &[], "WB-6005", "ingest.sources", "[[ingest.sources]]"),
        ("", &[("WEIGHBRIDGE_KAFKA_PORT", "many")], "WB-6005", "WEIGHBRIDGE_KAFKA_PORT", "a whole number"),
        ("[kafka]\nport = 0", &[], "WB-6006", "kafka.port", "1 to 65535"),
        ("[kafka]\nport = 65536", &[], "WB-6006", "kafka.port", "1 to 65535"),
        ("[kafka]\ncontroller_port = -1", &[], "WB-6006", "kafka.controller_port", "1 to 65535"),
        ("[kafka]\nheap_mib = 255", &[], "WB-6006", "kafka.heap_mib", "256 to 4096"),
        ("[kafka]\nheap_mib = 4097", &[], "WB-6006", "kafka.heap_mib", "256 to 4096"),
        ("[kafka]\nreplication = 10", &[], "WB-6006", "kafka.replication", "1 to 9"),
        ("[kafka]\nretention_hours = 87601", &[], "WB-6006", "kafka.retention_hours", "0 to 87600"),
        ("[kafka.partitions]\ngpu = 0", &[], "WB-6006", "kafka.partitions.gpu", "1 to 1024"),
        ("[kafka.partitions]\nshares = 1025", &[], "WB-6006", "kafka.partitions.shares", "1 to 1024"),
        (
            "[clickhouse]\nmax_concurrent_queries = 0",
            &[],
            "WB-6006",
            "clickhouse.max_concurrent_queries",
            "1 to 256",
        ),
        (
            "",
            &[("WEIGHBRIDGE_KAFKA_CONTROLLER_PORT", "0")],
            "WB-6006",
            "WEIGHBRIDGE_KAFKA_CONTROLLER_PORT",
            "1 to",
        ),
        (
            "",
            &[("WEIGHBRIDGE_CLICKHOUSE_PORT", "99999")],
            "WB-6006",
            "WEIGHBRIDGE_CLICKHOUSE_PORT",
            "1 to 65535",
        ),
        ("[ingest]\nlisten = \"localhost:1\"", &[], "WB-6007", "ingest.listen", "127.0.0.1:8801"),
        ("", &[("WEIGHBRIDGE_API_LISTEN", "8802")], "WB-6007", "WEIGHBRIDGE_API_LISTEN", "IP address"),
        ("[clickhouse]\nurl = \"tcp://a:9000\"", &[], "WB-6008", "clickhouse.url", "http:// or https://"),
        ("[clickhouse]\nurl = \"http://u:p@a:1\"", &[], "WB-6008", "clickhouse.url", "clickhouse.user"),
        (
            "",
            &[("WEIGHBRIDGE_CLICKHOUSE_URL", "http://a/?x=1")],
            "WB-6008",
            "WEIGHBRIDGE_CLICKHOUSE_URL",
            "before any ?",
        ),
        ("[kafka]\nbrokers = \"a:1,b\"", &[], "WB-6009", "kafka.brokers", "number 2 of 2"),
        ("", &[("WEIGHBRIDGE_KAFKA_BROKERS", "a")], "WB-6009", "WEIGHBRIDGE_KAFKA_BROKERS", "host:port"),
        ("[clickhouse]\ndatabase = \"My-Data\"", &[], "WB-6010", "clickhouse.database", "lower-case letter"),
        (&long_name, &[], "WB-6010", "clickhouse.database", "at most 63"),
        ("[kafka]\nport = 19093", &[], "WB-6011", "kafka.controller_port", "kafka.port has port 19093"),
        ("[clickhouse]\nport = 8801", &[], "WB-6011", "ingest.listen", "clickhouse.port has port 8801"),
        (
            "",
            &[("WEIGHBRIDGE_API_LISTEN", "0.0.0.0:8801")],
            "WB-6011",
            "api.listen",
            "ingest.listen has port",
        ),
        (&bad_id, &[], "WB-6012", "ingest.sources[0]", "1 to 128 characters"),
        (&bad_hash, &[], "WB-6012", "ingest.sources[0]", "64 lower-case hex digits"),
        (&upper_hash, &[], "WB-6012", "ingest.sources[0]", "64 lower-case hex digits"),
        (&no_role, &[], "WB-6012", "ingest.sources[0]", "at least one role"),
        (&bad_role, &[], "WB-6012", "ingest.sources[0]", "`pool`"),
        (&same_id, &[], "WB-6012", "ingest.sources[1]", "an earlier source has this id"),
        (&same_key, &[], "WB-6012", "ingest.sources[1]", "an earlier source has this key"),
        (&extra, &[], "WB-6012", "ingest.sources[0]", "unknown field `colour`"),
        ("[kafka.properties]\nacks = \"1\"", &[], "WB-6013", "acks", "remove it"),
        (
            "[kafka.properties]\n\"enable.idempotence\" = \"false\"",
            &[],
            "WB-6013",
            "enable.idempotence",
            "remove it",
        ),
        (
            "[kafka.properties]\nsecurity.protocol = \"SSL\"",
            &[],
            "WB-6013",
            "security",
            "the whole name in quotes",
        ),
        ("[kafka]\nreplication = 3", &[], "WB-6014", "kafka.replication", "write 1"),
        ("[clickhouse]\npassword = \"word\"", &[], "WB-6014", "clickhouse.password", "set clickhouse.user"),
        (&same_hook, &[], "WB-6021", "webhooks.endpoints[1]", "has this id"),
        (&bad_hook_id, &[], "WB-6021", "webhooks.endpoints[0]", "a-z, 0-9, - and _"),
        (&bad_hook_url, &[], "WB-6021", "webhooks.endpoints[0]", "https://"),
        (&bad_hook_secret, &[], "WB-6021", "webhooks.endpoints[0]", "whsec_"),
        (&bad_hook_event, &[], "WB-6021", "webhooks.endpoints[0]", "invoice.*"),
        (&hook_without_secret, &[], "WB-6021", "webhooks.endpoints[0]", "secret is needed"),
        (&hook_with_more, &[], "WB-6021", "webhooks.endpoints[0]", "known here are id, url"),
        ("data_dir = \"\"", &[], "WB-6015", "data_dir", "not empty"),
        ("[clickhouse]\nuser = \"a\\u0000b\"", &[], "WB-6015", "clickhouse.user", "control characters"),
        ("", &[("WEIGHBRIDGE_DATA_DIR", "a\u{fffd}b")], "WB-6015", "WEIGHBRIDGE_DATA_DIR", "UTF-8"),
    ];
    for (text, variables, code, field, advice) in cases {
        let errors = load(text, variables).expect_err(&format!("{text} {variables:?} must be refused"));
        assert_eq!(errors.mistakes.len(), 1, "{text} {variables:?}: {errors}");
        let mistake = &errors.mistakes[0];
        assert_eq!(mistake.code(), *code, "{errors}");
        assert!(mistake.field.contains(field), "{field:?} must be named: {errors}");
        assert!(mistake.right.contains(advice), "{advice:?} must be advised: {errors}");
        assert!(errors.to_string().contains(&mistake.to_string()));
    }
    let codes: BTreeSet<&str> = cases.iter().map(|case| case.2).collect();
    // WB-6001 has its own test.
    assert_eq!(codes.len(), 15, "every code is in the table");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.toml");
    let not_utf8 = folder.path().join("latin1.toml");
    let large = folder.path().join("large.toml");
    std::fs::write(&not_utf8, b"# \xe9\n").unwrap();
    std::fs::write(&large, vec![b'\n'; usize::try_from(FILE_BYTES_MAX).unwrap() + 1]).unwrap();
    for path in [missing.as_path(), &not_utf8, &large, folder.path()] {
        let errors = Config::load(Some(path), Variables::of(&[])).expect_err("cannot be read");
        let name = path.display().to_string();
        assert_eq!((errors.mistakes.len(), errors.mistakes[0].code()), (1, "WB-6001"), "{errors}");
        assert!(errors.to_string().contains(&name), "{errors}");
    }
    let largest = folder.path().join("largest.toml");
    std::fs::write(&largest, vec![b'\n'; usize::try_from(FILE_BYTES_MAX).unwrap()]).unwrap();
    assert!(Config::load(Some(&largest), Variables::of(&[])).is_ok());
}

#[test]
fn all_mistakes_come_at_once_with_the_values_given() {
    let text = "data_dir = \"\"\n[kafka]\nport = 70000\nheap = 1\n[clickhouse]\nurl = \"ftp://x\"\n";
    let variables = [("WEIGHBRIDGE_KAFKA_PORT", "ten"), ("WEIGHBRIDGE_API_LISTENS", "x")];
    let errors = load(text, &variables).expect_err("six mistakes");
    let said: Vec<(&str, &str, Option<&str>)> = errors
        .mistakes
        .iter()
        .map(|mistake| (mistake.code(), mistake.field.as_str(), mistake.given.as_deref()))
        .collect();
    let expected = [
        ("WB-6015", "data_dir", Some("\"\"")),
        ("WB-6006", "kafka.port", Some("70000")),
        ("WB-6005", "WEIGHBRIDGE_KAFKA_PORT", Some("\"ten\"")),
        ("WB-6003", "kafka.heap", None),
        ("WB-6008", "clickhouse.url", Some("\"ftp://x\"")),
        ("WB-6004", "WEIGHBRIDGE_API_LISTENS", None),
    ];
    assert_eq!(said, expected, "{errors}");
    assert_eq!(errors.to_string().lines().count(), 7, "{errors}");
}

#[test]
fn no_secret_is_ever_shown() {
    let word = "hunter2-word";
    let hides = |text: &str, variables: &[(&str, &str)]| match load(text, variables) {
        Ok(config) => assert!(!format!("{config:?}").contains(word), "{config:?}"),
        Err(errors) => assert!(!format!("{errors} {errors:?}").contains(word), "{errors}"),
    };
    hides(&format!("[clickhouse]\nuser = \"u\"\npassword = \"{word}\""), &[]);
    hides("[clickhouse]\nuser = \"u\"", &[("WEIGHBRIDGE_CLICKHOUSE_PASSWORD", word)]);
    hides(&format!("[clickhouse]\npassword = \"{word}\""), &[]);
    hides(&format!("[clickhouse]\npassword = \"{word}\\n\""), &[]);
    hides(&format!("[clickhouse]\npassword = [\"{word}\"]"), &[]);
    hides(&format!("[clickhouse]\npasswrod = \"{word}\""), &[]);
    hides(&format!("[clickhouse]\npassword = \"{word}"), &[]);
    hides("", &[("WEIGHBRIDGE_CLICKHOUSE_PASWORD", word)]);
    hides(&format!("[clickhouse]\nurl = \"http://user:{word}@host:1\""), &[]);
    hides("", &[("WEIGHBRIDGE_CLICKHOUSE_URL", &format!("user:{word}@host:1"))]);
    hides(&format!("[kafka]\nbrokers = \"user:{word}@host:1\""), &[]);
    hides(&format!("[kafka.properties]\n\"sasl.password\" = \"{word}\""), &[]);
    hides(&format!("[kafka.properties]\nsasl.password = \"{word}\""), &[]);
    hides(&format!("[kafka.properties]\n\"sasl.password\" = [\"{word}\"]"), &[]);
    hides(&format!("[[ingest.sources]]\nid = \"a\"\nroles = [\"pool\"]\nkey_sha256_hex = \"{word}\""), &[]);
    hides(&format!("[[ingest.sources]]\nid = \"a\"\nroles = [\"pool\"]\nkey = \"{word}\""), &[]);
}

#[test]
fn a_closure_serves_as_an_environment_and_other_variables_are_left_alone() {
    let config =
        Config::load(None::<&Path>, |name: &str| (name == "WEIGHBRIDGE_KAFKA_PORT").then(|| "1".to_owned()));
    assert_eq!(config.map(|config| config.kafka.port), Ok(1));
    let elsewhere = [
        ("WEIGHBRIDGE_LOG", "info"),
        ("WEIGHBRIDGE_CONFIG", "x"),
        ("WEIGHBRIDGE_RECORDINGS", "x"),
        ("OTHER", "x"),
    ];
    assert_eq!(load("", &elsewhere), Ok(Config::default()), "variables that others read are no mistake");
    // A closure cannot list its names, so an unknown one is not reported.
    assert_eq!(
        Config::load(None, |name: &str| (name == "WEIGHBRIDGE_X").then(String::new)),
        Ok(Config::default())
    );
}
