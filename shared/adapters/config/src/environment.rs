//! The environment variables of the configuration.

pub(crate) const DATA_DIR: &str = "WEIGHBRIDGE_DATA_DIR";
pub(crate) const KAFKA_BROKERS: &str = "WEIGHBRIDGE_KAFKA_BROKERS";
pub(crate) const KAFKA_PORT: &str = "WEIGHBRIDGE_KAFKA_PORT";
pub(crate) const KAFKA_CONTROLLER_PORT: &str = "WEIGHBRIDGE_KAFKA_CONTROLLER_PORT";
pub(crate) const KAFKA_LIBS: &str = "WEIGHBRIDGE_KAFKA_LIBS";
pub(crate) const CLICKHOUSE_URL: &str = "WEIGHBRIDGE_CLICKHOUSE_URL";
pub(crate) const CLICKHOUSE_PORT: &str = "WEIGHBRIDGE_CLICKHOUSE_PORT";
pub(crate) const CLICKHOUSE_USER: &str = "WEIGHBRIDGE_CLICKHOUSE_USER";
pub(crate) const CLICKHOUSE_PASSWORD: &str = "WEIGHBRIDGE_CLICKHOUSE_PASSWORD";
pub(crate) const CHDB_LIB: &str = "WEIGHBRIDGE_CHDB_LIB";
pub(crate) const INGEST_LISTEN: &str = "WEIGHBRIDGE_INGEST_LISTEN";
pub(crate) const API_LISTEN: &str = "WEIGHBRIDGE_API_LISTEN";
pub(crate) const FONTS_DIR: &str = "WEIGHBRIDGE_FONTS_DIR";
pub(crate) const METRICS_LISTEN: &str = "WEIGHBRIDGE_METRICS_LISTEN";
pub(crate) const AGGREGATOR_SESSION_TIMEOUT_MS: &str = "WEIGHBRIDGE_AGGREGATOR_SESSION_TIMEOUT_MS";
pub(crate) const AGGREGATOR_STATE_DIR: &str = "WEIGHBRIDGE_AGGREGATOR_STATE_DIR";

/// The prefix of the product's variables.
pub(crate) const PREFIX: &str = "WEIGHBRIDGE_";

/// The variables that the configuration reads.
pub const VARIABLES: [&str; 16] = [
    DATA_DIR,
    KAFKA_BROKERS,
    KAFKA_PORT,
    KAFKA_CONTROLLER_PORT,
    KAFKA_LIBS,
    CLICKHOUSE_URL,
    CLICKHOUSE_PORT,
    CLICKHOUSE_USER,
    CLICKHOUSE_PASSWORD,
    CHDB_LIB,
    INGEST_LISTEN,
    API_LISTEN,
    AGGREGATOR_SESSION_TIMEOUT_MS,
    AGGREGATOR_STATE_DIR,
    FONTS_DIR,
    METRICS_LISTEN,
];

/// Variables with the product's prefix that are read elsewhere: by the command line, the log filter and the tests.
pub(crate) const READ_ELSEWHERE: [&str; 10] = [
    "WEIGHBRIDGE_BITCOIND_URL",
    "WEIGHBRIDGE_CONFIG",
    "WEIGHBRIDGE_INGEST_URL",
    "WEIGHBRIDGE_LOG",
    "WEIGHBRIDGE_MINER_LOGIN",
    "WEIGHBRIDGE_RECORDINGS",
    "WEIGHBRIDGE_SEED",
    "WEIGHBRIDGE_SOURCE_KEY",
    "WEIGHBRIDGE_UPDATE_SDL",
    "WEIGHBRIDGE_WRITE_GOLDEN",
];

/// A source of environment variables. A closure `Fn(&str) -> Option<String>` is one that cannot list names.
pub trait Environment {
    /// A variable's value.
    fn value(&self, name: &str) -> Option<String>;

    /// The names of all variables that are set, if they can be listed.
    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

impl<F: Fn(&str) -> Option<String>> Environment for F {
    fn value(&self, name: &str) -> Option<String> {
        self(name)
    }
}

#[derive(Debug, Clone, Copy)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    /// A value that is not UTF-8 contains U+FFFD, which every field refuses.
    fn value(&self, name: &str) -> Option<String> {
        std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    }

    fn names(&self) -> Vec<String> {
        std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()).collect()
    }
}
