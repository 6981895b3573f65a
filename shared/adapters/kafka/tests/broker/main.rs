//! The log on the real broker.
#![allow(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

mod tls;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use wb_events::topics::EVENT_TOPICS;
use wb_kafka::{CommitsView, Log, LogError, LogSettings, Membership, TopicPlan};
use wb_stack::{Kafka, KafkaConfig};

fn libs_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../.stack/kafka/libs")
}

const PLAN: TopicPlan =
    TopicPlan { shares: 2, telemetry: 1, energy: 1, gpu: 1, replication: 1, retention_hours: 0 };

/// Requests per round.
const QUESTIONS: u32 = 2_000;
/// The allowed growth of the process in a round; its answers have some megabytes.
const GROWTH_KIB_MAX: u64 = 512;
/// How long the broker may take to delete a topic.
const FORGET_TRIES: u32 = 200;
const FORGET_PAUSE: Duration = Duration::from_millis(50);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_made_again_and_a_second_member_of_one_id_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let kafka = Kafka::start(KafkaConfig::on_free_ports(libs_dir(), folder.path()).unwrap()).await.unwrap();
    let settings = LogSettings { brokers: kafka.bootstrap().to_owned(), properties: Vec::new() };
    let log = Log::connect(settings).unwrap();
    let partitions = log.ensure_topics(&PLAN).await.unwrap();
    let commits = CommitsView::start(log.clone(), &partitions, [1; 16], None).await.unwrap();
    assert!(commits.pin().unwrap().topics.iter().all(|topic| topic.topic_id.len() == 16));
    commits.check_topic_ids().await.unwrap();

    // Two members with the same id: the earlier one is removed.
    let timeout = Duration::from_secs(6);
    let mut first = Membership::join(&log, "yard-1", timeout).unwrap();
    assert!(matches!(first.next().await, wb_kafka::membership::Change::Assigned(all) if all.len() == 6));
    let mut second = Membership::join(&log, "yard-1", timeout).unwrap();
    assert!(matches!(second.next().await, wb_kafka::membership::Change::Assigned(all) if all.len() == 6));
    loop {
        match first.next().await {
            wb_kafka::membership::Change::Revoked(_, drained) => std::mem::drop(drained),
            wb_kafka::membership::Change::Ended(LogError::Membership { .. }) => break,
            other => unreachable!("{other:?}"),
        }
    }
    std::mem::drop(second);

    // A topic that does not exist has no id; the others have one each, the same at every request.
    let known = log.topic_ids(&["gpu", "no-such-topic", "shares"]).await.unwrap();
    assert_eq!(known.keys().collect::<Vec<_>>(), ["gpu", "shares"]);
    assert_ne!(known["gpu"], known["shares"]);
    assert_eq!(log.topic_ids(&["shares", "gpu"]).await.unwrap(), known);
    let refused = log.topic_ids(&["no topic's name"]).await;
    assert!(matches!(&refused, Err(LogError::Topics { detail }) if detail.contains("nvalid")), "{refused:?}");

    // An answer is freed. Other tests of this process allocate too, but not in each round.
    let mut rounds = vec![ask_often(&log, QUESTIONS).await];
    for _ in 0..4 {
        rounds.push(ask_often(&log, QUESTIONS).await);
    }
    let grows = |pair: &[u64]| pair[1].saturating_sub(pair[0]) > GROWTH_KIB_MAX;
    assert!(!rounds.windows(2).all(grows), "resident KiB after each round: {rounds:?}");

    make_gpu_again(&ClientConfig::new(), &kafka.bootstrap(), &log).await;
    let partitions = log.ensure_topics(&PLAN).await.unwrap();
    let again = CommitsView::start(log.clone(), &partitions, [2; 16], None).await;
    assert!(matches!(again, Err(LogError::TopicReplaced { topic }) if topic == "gpu"));
    assert!(commits.check_topic_ids().await.is_err(), "on assignment too");
    kafka.stop().await.unwrap();
}

/// Resident memory of this process after a number of requests, in KiB.
async fn ask_often(log: &Log, times: u32) -> u64 {
    for _ in 0..times {
        assert_eq!(log.topic_ids(&EVENT_TOPICS).await.unwrap().len(), EVENT_TOPICS.len());
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Deletes the topic gpu and creates it again, as empty as before.
async fn make_gpu_again(client: &ClientConfig, bootstrap: &str, log: &Log) {
    let admin: AdminClient<DefaultClientContext> =
        client.clone().set("bootstrap.servers", bootstrap).create().unwrap();
    let deleted = admin.delete_topics(&["gpu"], &AdminOptions::new()).await.unwrap();
    assert_eq!(deleted, vec![Ok("gpu".to_owned())]);
    let mut tries = 0;
    while log.topic_ids(&["gpu"]).await.unwrap().contains_key("gpu") {
        tries += 1;
        assert!(tries < FORGET_TRIES, "the broker keeps the topic");
        tokio::time::sleep(FORGET_PAUSE).await;
    }
    log.ensure_topics(&PLAN).await.unwrap();
}
