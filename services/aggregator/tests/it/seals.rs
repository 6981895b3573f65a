//! Sealing on a real broker and engine: two aggregators seal at once, their seals are projected, and a day whose
//! sealed rows were changed is summed from its blocks again.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;
use wb_aggregator::Projector;
use wb_aggregator::seal::{Pass, Sealer};
use wb_auth::TenantScope;
use wb_clickhouse::read::{Selection, SeriesRange};
use wb_clickhouse::{Cut, Store};
use wb_clickhouse_embedded::EngineConfig;
use wb_events::commits::{ALL_DAYS, COMMITS_VERSION, TopicPartition, encode_commit};
use wb_events::topics;
use wb_events::wire::Commit;
use wb_kafka::commits_view::follow_channel;
use wb_kafka::topics::Partitions;
use wb_kafka::{CommitsView, Log, LogSettings, TopicPlan};
use wb_stack::{Kafka, KafkaConfig};

/// 2026-10-01T00:00:00Z in microseconds, and its day since 1970-01-01.
const DAY_US: i64 = 1_790_812_800_000_000;
const DAY: i32 = 20_727;
const WHOLE_DAY_US: i64 = 86_400_000_000;
const PATIENCE: Duration = Duration::from_secs(60);

fn stack(variable: &str, otherwise: &str) -> PathBuf {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.stack"));
    std::env::var_os(variable).map_or_else(|| root.join(otherwise), PathBuf::from)
}

/// A log and a store, as an aggregator has them.
struct Place {
    log: Log,
    store: Store,
    partitions: Partitions,
    shutdown: watch::Receiver<bool>,
}

impl Place {
    /// A view of the commits with its own projector and sealer.
    async fn aggregator(&self) -> (CommitsView, Sealer, Projector) {
        let (sender, follow) = follow_channel();
        let projector = Projector::start(self.store.clone(), follow, self.shutdown.clone());
        let commits =
            CommitsView::start(self.log.clone(), &self.partitions, [7; 16], Some(sender)).await.unwrap();
        (commits.clone(), Sealer::new(self.log.clone(), self.store.clone(), commits), projector)
    }

    /// Writes and commits a block with a share in an interval of a day.
    async fn block(&self, commits: &CommitsView, day: i64, interval: i64, q32: u64) {
        let chain = TopicPartition::new(topics::SHARES, 0);
        let (block, first_offset) =
            commits.head(&chain).map_or((0, 0), |won| (won.commit.block + 1, won.commit.end_offset));
        let at_us = DAY_US + day * WHOLE_DAY_US + interval * 300_000_000;
        let sql = format!(
            "INSERT INTO work_5m (attempt, topic, partition, block, idx, site_id, machine_id, interval_start_us, chain, \
             verdict, shares, credited_q32, credited_q32_squared) \
             SELECT 9, 'shares', 0, {block}, 0, 's', 'm', {at_us}, 'main', 'accepted', 1, {q32}, toUInt256({q32}) * {q32}"
        );
        self.store.client().query(&sql).execute().await.unwrap();
        let record = encode_commit(&Commit {
            version: COMMITS_VERSION,
            topic: topics::SHARES.into(),
            block,
            attempt: 9,
            first_offset,
            end_offset: first_offset + 1,
            predecessor: commits.predecessor(&chain).to_vec(),
            content_hash: vec![1; 32],
            merkle_root: vec![2; 32],
            last_frame_hash: vec![3; 32],
            ..Commit::default()
        });
        let offset = self.log.append(topics::COMMITS, 0, b"shares/0", &record, &[]).await.unwrap();
        self.projected(offset + 1, commits).await;
    }

    /// Waits until everything below an offset is read and projected.
    async fn projected(&self, next: u64, commits: &CommitsView) {
        let both = async {
            commits.wait_until(next).await.unwrap();
            while self.store.cut().await.unwrap().0 < next {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, both).await.unwrap();
    }

    async fn total(&self, cut: u64) -> u64 {
        let range = SeriesRange::whole(DAY_US, DAY_US + 7 * WHOLE_DAY_US).unwrap();
        let read = self.store.read(TenantScope::Operator, Cut(cut));
        let points = read.hashrate(range, &Selection::All).await.unwrap();
        points.iter().map(|point| point.credited_q32.to::<u64>()).sum()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn days_are_sealed_once_by_however_many() {
    let folder = tempfile::tempdir().unwrap();
    let libs = stack("WEIGHBRIDGE_KAFKA_LIBS", "kafka/libs");
    let kafka =
        Kafka::start(KafkaConfig::on_free_ports(libs, folder.path().join("kafka")).unwrap()).await.unwrap();
    let library = stack("WEIGHBRIDGE_CHDB_LIB", "chdb/libchdb.so");
    let engine = EngineConfig::new(library, folder.path().join("engine"));
    let bound = wb_clickhouse_embedded::bind(engine).await.unwrap();
    let url = format!("http://{}", bound.local_addr());
    let (stop_engine, engine_stopped) = tokio::sync::oneshot::channel::<()>();
    let engine = tokio::spawn(bound.run(async {
        let _ = engine_stopped.await;
    }));
    let store = Store::connect(&url, "seals", None, None).await.unwrap();
    store.migrate().await.unwrap();
    let log = Log::connect(LogSettings { brokers: kafka.bootstrap(), properties: Vec::new() }).unwrap();
    let plan = TopicPlan { shares: 1, telemetry: 1, energy: 1, gpu: 1, replication: 1, retention_hours: 0 };
    let partitions = log.ensure_topics(&plan).await.unwrap();
    let (stop, shutdown) = watch::channel(false);
    let place = Place { log, store, partitions, shutdown };
    the_story(&place).await;
    stop.send_replace(true);
    stop_engine.send(()).unwrap();
    engine.await.unwrap().unwrap();
    kafka.stop().await.unwrap();
}

async fn the_story(place: &Place) {
    let (commits, first, _projector) = place.aggregator().await;
    let (_, second, _rival_projector) = place.aggregator().await;
    assert_eq!(first.pass().await.unwrap(), Pass::Nothing);
    for (day, interval, q32) in [(0, 0, 1), (0, 0, 2), (0, 287, 4), (1, 3, 8)] {
        place.block(&commits, day, interval, q32).await;
    }
    let unsealed = commits.next_offset();

    // Both at once: together they seal everything, and either may win a day.
    let (left, right) = tokio::join!(first.pass(), second.pass());
    let passes = [left.unwrap(), right.unwrap()];
    assert!(passes.iter().any(|pass| matches!(pass, Pass::Sealed { .. })), "{passes:?}");
    commits.catch_up().await.unwrap();
    place.projected(commits.next_offset(), &commits).await;
    assert!(commits.seal(ALL_DAYS).unwrap().seal.cut >= unsealed);
    assert_eq!(first.pass().await.unwrap(), Pass::Nothing);
    let sealed = commits.seal(DAY).unwrap().seal;
    assert_eq!(sealed.rows, 2 + 2 + 1 + 3, "five minutes, hours, the day and its three blocks");
    assert_eq!((sealed.version, sealed.blocks), (COMMITS_VERSION, 3));
    let blocks = place.store.blocks_of_day(DAY, sealed.cut).await.unwrap();
    let leaves = blocks.iter().map(wb_clickhouse::seal::DayBlock::leaf).collect();
    assert_eq!(sealed.blocks_root, wb_fold::merkle::root(leaves));
    let cut = commits.next_offset();
    assert_eq!((place.total(cut).await, place.total(unsealed).await), (15, 15));
    // Readers read the seal: without the block rows the total at the new cut is the same, and at the old cut it is
    // zero.
    place.store.client().query("RENAME TABLE work_5m TO hidden").execute().await.unwrap();
    place.store.client().query("CREATE TABLE work_5m AS hidden").execute().await.unwrap();
    assert_eq!((place.total(cut).await, place.total(unsealed).await), (15, 0));
    place.store.client().query("DROP TABLE work_5m SYNC").execute().await.unwrap();
    place.store.client().query("RENAME TABLE hidden TO work_5m").execute().await.unwrap();

    // Late rows: the second seal builds on the first. The third is summed from the blocks, because the rows of the
    // second were changed.
    place.block(&commits, 0, 5, 16).await;
    assert!(matches!(second.pass().await.unwrap(), Pass::Sealed { days: 1, .. }));
    let damaged = commits.seal(DAY).unwrap().seal.seal;
    let harm = format!(
        "ALTER TABLE sealed_work_5m UPDATE shares = 99, credited_q32 = 99 WHERE seal = {damaged} SETTINGS mutations_sync = 1"
    );
    place.store.client().query(&harm).execute().await.unwrap();
    place.block(&commits, 0, 6, 32).await;
    assert!(matches!(first.pass().await.unwrap(), Pass::Sealed { days: 1, .. }));
    commits.catch_up().await.unwrap();
    place.projected(commits.next_offset(), &commits).await;
    assert_eq!(place.total(commits.next_offset()).await, 63);

    // Superseded seals are removed; those that readers need stay.
    let floor = place.store.raise_seal_floor().await.unwrap();
    assert!(place.store.collect_seals(floor).await.unwrap() >= 2);
    assert_eq!((place.total(commits.next_offset()).await, place.total(unsealed).await), (63, 15));
}
