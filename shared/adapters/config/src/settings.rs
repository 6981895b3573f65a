//! The configuration's fields, their defaults and bounds.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use toml::Table;
use wb_auth::SourceEntry;

use crate::environment as variable;
use crate::form;
use crate::reader::{Reader, Section, field};
use crate::secret::Secret;
use crate::sources;
use crate::webhooks::{self, WebhookEndpoint};

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The folder for all data on this machine. Default `.weighbridge`; `WEIGHBRIDGE_DATA_DIR`.
    pub data_dir: PathBuf,
    /// The event log.
    pub kafka: KafkaConfig,
    /// The store.
    pub clickhouse: ClickhouseConfig,
    /// The frame archive.
    pub archive: ArchiveConfig,
    /// Takes events over HTTP.
    pub ingest: IngestConfig,
    /// Folds the log into blocks and commits them.
    pub aggregator: AggregatorConfig,
    /// GraphQL and exports for readers.
    pub api: ApiConfig,
    /// The operator's terms, for contracts that state none.
    pub billing: BillingConfig,
    /// Invoices, notes and statements as documents.
    pub documents: DocumentsConfig,
    /// The webhook endpoints.
    pub webhooks: WebhooksConfig,
    /// The address that serves metrics for Prometheus, one per process. Default none. `WEIGHBRIDGE_METRICS_LISTEN`.
    pub metrics_listen: Option<SocketAddr>,
}

/// The event log: Kafka, the user's own or one that is started here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaConfig {
    /// The user's own cluster, as `host:port` pairs separated by commas. Default none: a broker is started on this
    /// machine. `WEIGHBRIDGE_KAFKA_BROKERS`.
    pub brokers: Option<String>,
    /// The port of the broker that is started here. Default 19092; `WEIGHBRIDGE_KAFKA_PORT`.
    pub port: u16,
    /// The port of its controller. Default 19093; `WEIGHBRIDGE_KAFKA_CONTROLLER_PORT`.
    pub controller_port: u16,
    /// Its largest heap, in MiB, 256 to 4096. Default 512.
    pub heap_mib: u32,
    /// The folder with Kafka's jars. Default `.stack/kafka/libs`; `WEIGHBRIDGE_KAFKA_LIBS`.
    pub libs_dir: PathBuf,
    /// Replicas of every topic, 1 to 9. Default 1, and only 1 with the broker that is started here.
    pub replication: u32,
    /// How long event topics keep their records, in hours, up to 87,600; 0, the default, means forever. A partition
    /// is recovered by reading it from its beginning, and from the archive where the log has dropped records.
    pub retention_hours: u32,
    /// Further librdkafka properties, such as those of TLS and SASL; hidden from `Debug`, as some are passwords.
    /// Default none.
    pub properties: BTreeMap<String, Secret>,
    /// Partitions of the event topics, when they are created.
    pub partitions: PartitionsConfig,
}

impl KafkaConfig {
    /// The librdkafka properties in plain text, for the client.
    #[must_use]
    pub fn client_properties(&self) -> Vec<(String, String)> {
        self.properties.iter().map(|(name, value)| (name.clone(), value.reveal().to_owned())).collect()
    }
}

/// Partitions of the event topics, 1 to 1024 each. They are pinned when the log is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionsConfig {
    /// Of `shares`. Default 4.
    pub shares: u32,
    /// Of `telemetry`. Default 2.
    pub telemetry: u32,
    /// Of `energy`. Default 2.
    pub energy: u32,
    /// Of `gpu`. Default 2.
    pub gpu: u32,
}

/// The store: a ClickHouse server of the user's own or the engine embedded here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClickhouseConfig {
    /// The user's own server: the URL of its HTTP interface, without a slash at its end. Default none: the embedded
    /// engine. `WEIGHBRIDGE_CLICKHOUSE_URL`.
    pub url: Option<String>,
    /// The port of the embedded engine. Default 18123; `WEIGHBRIDGE_CLICKHOUSE_PORT`.
    pub port: u16,
    /// The database, `[a-z][a-z0-9_]*`, at most 63 characters. Default `weighbridge`.
    pub database: String,
    /// The user, if the server requires one. Default none; `WEIGHBRIDGE_CLICKHOUSE_USER`.
    pub user: Option<String>,
    /// The user's password. Default none; `WEIGHBRIDGE_CLICKHOUSE_PASSWORD`.
    pub password: Option<Secret>,
    /// The embedded engine's library. Default `.stack/chdb/libchdb.so`; `WEIGHBRIDGE_CHDB_LIB`.
    pub lib: PathBuf,
    /// How many queries the embedded engine runs at once, 1 to 256. Default 8.
    pub max_concurrent_queries: u32,
}

/// The frame archive: the log's records of every committed block, kept after the log has dropped them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveConfig {
    /// Its folder. Default `archive` in `data_dir`; `""` turns it off.
    pub dir: Option<PathBuf>,
}

/// Takes events over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngestConfig {
    /// The address to listen on. Default `127.0.0.1:8801`; `WEIGHBRIDGE_INGEST_LISTEN`.
    pub listen: SocketAddr,
    /// The sources that may send. Default none.
    pub sources: Vec<SourceEntry>,
}

/// The state of aggregators, and how they share the partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AggregatorConfig {
    /// The folder of proofs and snapshots, with one folder per partition. Aggregators that share the partitions may
    /// share it on common storage: a new owner of a partition then starts at its last snapshot. Default: `proofs` in
    /// the data folder. `WEIGHBRIDGE_AGGREGATOR_STATE_DIR`.
    pub state_dir: Option<PathBuf>,
    /// After how many milliseconds without a heartbeat an aggregator loses its partitions, 1,000 to 300,000; the
    /// broker has its own limits. Default 10,000. `WEIGHBRIDGE_AGGREGATOR_SESSION_TIMEOUT_MS`.
    pub session_timeout_ms: u32,
}

/// GraphQL and exports for readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiConfig {
    /// The address to listen on. Default `127.0.0.1:8802`; `WEIGHBRIDGE_API_LISTEN`.
    pub listen: SocketAddr,
    /// Whether the query page is served. Default true.
    pub graphiql: bool,
}

/// The operator's terms, for contracts that state none. The bounds are those of a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BillingConfig {
    /// How many persons must approve a draft before it is issued, up to 9; 0, the default, issues it at the close.
    pub approvals: u32,
    /// Days from issue until an invoice is due, up to 366. Default 30.
    pub payment_terms_days: u32,
    /// The completeness that a close requires, in parts per million. Default 0: none.
    pub completeness_ppm: u32,
    /// The late fee in parts per million of the open amount, per month of 30 days. Default 0: none.
    pub late_fee_ppm: u32,
}

/// Invoices, notes and statements as documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentsConfig {
    /// The folder of fonts for scripts that the compiled-in ones lack. It may not exist. Default `.stack/fonts`;
    /// `WEIGHBRIDGE_FONTS_DIR`.
    pub fonts_dir: PathBuf,
}

/// The webhook endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WebhooksConfig {
    /// The endpoints. Default none.
    pub endpoints: Vec<WebhookEndpoint>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from(".weighbridge"),
            kafka: KafkaConfig {
                brokers: None,
                port: 19092,
                controller_port: 19093,
                heap_mib: 512,
                libs_dir: PathBuf::from(".stack/kafka/libs"),
                replication: 1,
                retention_hours: 0,
                properties: BTreeMap::new(),
                partitions: PartitionsConfig { shares: 4, telemetry: 2, energy: 2, gpu: 2 },
            },
            clickhouse: ClickhouseConfig {
                url: None,
                port: 18123,
                database: "weighbridge".to_owned(),
                user: None,
                password: None,
                lib: PathBuf::from(".stack/chdb/libchdb.so"),
                max_concurrent_queries: 8,
            },
            archive: ArchiveConfig { dir: Some(PathBuf::from(".weighbridge/archive")) },
            ingest: IngestConfig {
                listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8801)),
                sources: Vec::new(),
            },
            aggregator: AggregatorConfig { state_dir: None, session_timeout_ms: 10_000 },
            api: ApiConfig { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8802)), graphiql: true },
            billing: BillingConfig {
                approvals: 0,
                payment_terms_days: 30,
                completeness_ppm: 0,
                late_fee_ppm: 0,
            },
            documents: DocumentsConfig { fonts_dir: PathBuf::from(".stack/fonts") },
            webhooks: WebhooksConfig::default(),
            metrics_listen: None,
        }
    }
}

/// Ports that clients must be able to find, so not 0.
const PORTS: std::ops::RangeInclusive<i64> = 1..=65_535;

/// Reads every field, with the default for missing or invalid ones.
pub(crate) fn read(reader: &mut Reader<'_>, table: Table) -> Config {
    let default = Config::default();
    let mut root = Section::root(table);
    let data_dir = root.text(reader, field("data_dir").or(variable::DATA_DIR), default.data_dir, form::path);
    let mut section = root.section(reader, "kafka");
    let kafka = kafka(reader, &mut section, default.kafka);
    section.close(reader);
    let mut section = root.section(reader, "clickhouse");
    let clickhouse = clickhouse(reader, &mut section, default.clickhouse);
    section.close(reader);
    let mut section = root.section(reader, "archive");
    let dir = Some(data_dir.join("archive"));
    let archive = ArchiveConfig { dir: section.text(reader, field("dir"), dir, form::path_or_none) };
    section.close(reader);
    let mut section = root.section(reader, "ingest");
    let listen = field("listen").or(variable::INGEST_LISTEN);
    let ingest = IngestConfig {
        listen: section.text(reader, listen, default.ingest.listen, form::listen),
        sources: sources::read(reader, &mut section),
    };
    section.close(reader);
    let mut section = root.section(reader, "aggregator");
    let state_dir = field("state_dir").or(variable::AGGREGATOR_STATE_DIR);
    let timeout = field("session_timeout_ms").or(variable::AGGREGATOR_SESSION_TIMEOUT_MS);
    let aggregator = AggregatorConfig {
        state_dir: section.text(reader, state_dir, None, |text| form::path(text).map(Some)),
        session_timeout_ms: section.number(
            reader,
            timeout,
            default.aggregator.session_timeout_ms,
            1_000..=300_000,
        ),
    };
    section.close(reader);
    let mut section = root.section(reader, "api");
    let listen = field("listen").or(variable::API_LISTEN);
    let api = ApiConfig {
        listen: section.text(reader, listen, default.api.listen, form::listen),
        graphiql: section.flag(reader, "graphiql", default.api.graphiql),
    };
    section.close(reader);
    let mut section = root.section(reader, "billing");
    let billing = billing(reader, &mut section, default.billing);
    section.close(reader);
    let mut section = root.section(reader, "documents");
    let fonts_dir = field("fonts_dir").or(variable::FONTS_DIR);
    let fonts_dir = section.text(reader, fonts_dir, default.documents.fonts_dir, form::path);
    section.close(reader);
    let mut section = root.section(reader, "webhooks");
    let webhooks = WebhooksConfig { endpoints: webhooks::read(reader, &mut section) };
    section.close(reader);
    let mut section = root.section(reader, "observe");
    let listen = field("metrics_listen").or(variable::METRICS_LISTEN);
    let metrics_listen = section.text(reader, listen, None, |text| form::listen(text).map(Some));
    section.close(reader);
    root.close(reader);
    Config {
        data_dir,
        kafka,
        clickhouse,
        archive,
        ingest,
        aggregator,
        api,
        billing,
        documents: DocumentsConfig { fonts_dir },
        webhooks,
        metrics_listen,
    }
}

fn billing(reader: &mut Reader<'_>, section: &mut Section, default: BillingConfig) -> BillingConfig {
    let mut number = |name, default, max| section.number(reader, field(name), default, 0..=max);
    BillingConfig {
        approvals: number("approvals", default.approvals, 9),
        payment_terms_days: number("payment_terms_days", default.payment_terms_days, 366),
        completeness_ppm: number("completeness_ppm", default.completeness_ppm, 1_000_000),
        late_fee_ppm: number("late_fee_ppm", default.late_fee_ppm, 1_000_000),
    }
}

fn kafka(reader: &mut Reader<'_>, section: &mut Section, default: KafkaConfig) -> KafkaConfig {
    let controller_port = field("controller_port").or(variable::KAFKA_CONTROLLER_PORT);
    KafkaConfig {
        brokers: section.optional_text(reader, field("brokers").or(variable::KAFKA_BROKERS), form::brokers),
        port: section.number(reader, field("port").or(variable::KAFKA_PORT), default.port, PORTS),
        controller_port: section.number(reader, controller_port, default.controller_port, PORTS),
        heap_mib: section.number(reader, field("heap_mib"), default.heap_mib, 256..=4096),
        libs_dir: section.text(
            reader,
            field("libs_dir").or(variable::KAFKA_LIBS),
            default.libs_dir,
            form::path,
        ),
        replication: section.number(reader, field("replication"), default.replication, 1..=9),
        retention_hours: section.number(
            reader,
            field("retention_hours"),
            default.retention_hours,
            0..=87_600,
        ),
        properties: sources::properties(reader, section),
        partitions: partitions(reader, section, default.partitions),
    }
}

fn partitions(reader: &mut Reader<'_>, kafka: &mut Section, default: PartitionsConfig) -> PartitionsConfig {
    let mut section = kafka.section(reader, "partitions");
    let mut count = |name, default| section.number(reader, field(name), default, 1..=1024);
    let partitions = PartitionsConfig {
        shares: count("shares", default.shares),
        telemetry: count("telemetry", default.telemetry),
        energy: count("energy", default.energy),
        gpu: count("gpu", default.gpu),
    };
    section.close(reader);
    partitions
}

fn clickhouse(reader: &mut Reader<'_>, section: &mut Section, default: ClickhouseConfig) -> ClickhouseConfig {
    let user = field("user").or(variable::CLICKHOUSE_USER);
    let password = field("password").or(variable::CLICKHOUSE_PASSWORD);
    let queries = field("max_concurrent_queries");
    ClickhouseConfig {
        url: section.optional_text(reader, field("url").or(variable::CLICKHOUSE_URL), form::server_url),
        port: section.number(reader, field("port").or(variable::CLICKHOUSE_PORT), default.port, PORTS),
        database: section.text(reader, field("database"), default.database, form::database),
        user: section.optional_text(reader, user, form::plain),
        password: section.secret(reader, password),
        lib: section.text(reader, field("lib").or(variable::CHDB_LIB), default.lib, form::path),
        max_concurrent_queries: section.number(reader, queries, default.max_concurrent_queries, 1..=256),
    }
}
