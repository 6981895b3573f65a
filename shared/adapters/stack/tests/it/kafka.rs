//! The real broker: started, killed, started again on the same data, stopped.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

use rdkafka::{
    ClientConfig, Message as _,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer as _},
    producer::{FutureProducer, FutureRecord},
    topic_partition_list::{Offset, TopicPartitionList},
};
use std::{
    io::Write as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use wb_stack::{Kafka, KafkaConfig, StackError, free_ports};

const TOPIC: &str = "weights";

fn libs_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../.stack/kafka/libs")
}

fn say(what: &str) {
    // Printed directly to the terminal, because the duration of a start is interesting even if the test passes.
    let _ = writeln!(std::io::stderr(), "kafka test: {what}");
}

async fn start(data_dir: &Path, what: &str) -> Kafka {
    let began = Instant::now();
    let kafka = Kafka::start(KafkaConfig::on_free_ports(libs_dir(), data_dir).unwrap()).await.unwrap();
    say(&format!("{what}: ready after {} ms", began.elapsed().as_millis()));
    kafka
}

fn client(kafka: &Kafka) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.bootstrap()).set("broker.address.family", "v4");
    config
}

async fn create_topic(kafka: &Kafka) {
    let admin: AdminClient<DefaultClientContext> = client(kafka).create().unwrap();
    let topic = NewTopic::new(TOPIC, 1, TopicReplication::Fixed(1));
    let created = admin.create_topics([&topic], &AdminOptions::new()).await.unwrap();
    assert_eq!(created, vec![Ok(TOPIC.to_owned())]);
}

async fn produce(kafka: &Kafka, payload: &str) {
    let producer: FutureProducer = client(kafka)
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("message.timeout.ms", "10000")
        .create()
        .unwrap();
    producer
        .send(FutureRecord::<(), str>::to(TOPIC).payload(payload), Duration::from_secs(10))
        .await
        .unwrap();
}

/// Everything in the topic, read in a blocking thread.
async fn read_all(kafka: &Kafka, expected: usize) -> Vec<String> {
    let consumer: BaseConsumer = client(kafka).set("group.id", "none").create().unwrap();
    tokio::task::spawn_blocking(move || {
        let mut from_start = TopicPartitionList::new();
        from_start.add_partition_offset(TOPIC, 0, Offset::Beginning).unwrap();
        consumer.assign(&from_start).unwrap();
        let deadline = Instant::now() + Duration::from_secs(15);
        let mut found = Vec::new();
        while found.len() < expected && Instant::now() < deadline {
            if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
                found.push(message.payload_view::<str>().unwrap().unwrap().to_owned());
            }
        }
        found
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_records_survive_kill_9_and_a_stop_on_the_same_data() {
    let dir = tempfile::tempdir().unwrap();
    // A space in the path must not matter in any file that contains it.
    let data_dir = dir.path().join("kafka data");
    let kafka = start(&data_dir, "first start, with formatting").await;
    let (cluster_id, first_pid) = (kafka.cluster_id().to_owned(), kafka.pid());
    create_topic(&kafka).await;
    produce(&kafka, "before the kill").await;
    kafka.kill_hard();
    let status = kafka.wait().await;
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
    assert!(!data_dir.join("kafka.pid").exists(), "the pid file goes with the process");

    // On other ports than before, and while the handle of the dead one still exists.
    let again = start(&data_dir, "after kill -9").await;
    assert_eq!(again.cluster_id(), cluster_id);
    assert_ne!(again.pid(), first_pid);
    assert_eq!(read_all(&again, 1).await, ["before the kill"]);
    produce(&again, "after the kill").await;
    let began = Instant::now();
    let stopped = again.stop().await.unwrap();
    say(&format!("stop: {} ms, {}", began.elapsed().as_millis(), stopped.status));
    assert!(!stopped.killed, "a shutdown in time: {}", again.log_tail());
    assert_eq!(again.exited(), Some(stopped.status));

    let third = start(&data_dir, "after a stop").await;
    assert_eq!(read_all(&third, 2).await, ["before the kill", "after the kill"]);
    let log = std::fs::read_to_string(third.log_file()).unwrap();
    assert!(log.lines().count() < 200, "the log is to be quiet:\n{log}");
    assert!(!data_dir.join("logs.formatting").exists());
    third.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_owner_a_taken_port_and_a_formatting_cut_short_are_handled() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("kafka");
    // Files left by a kill during formatting.
    let torn = data_dir.join("logs.formatting-1/logs");
    std::fs::create_dir_all(&torn).unwrap();
    std::fs::write(torn.join("bootstrap.checkpoint"), "torn").unwrap();
    let kafka = start(&data_dir, "start over a torn formatting").await;
    assert!(!torn.exists());

    let second = Kafka::start(KafkaConfig::on_free_ports(libs_dir(), &data_dir).unwrap()).await;
    assert!(matches!(second, Err(StackError::Owned { .. })), "{second:?}");
    assert_eq!(kafka.exited(), None, "the first owner's broker is left alone");

    let port: u16 = kafka.bootstrap().rsplit_once(':').unwrap().1.parse().unwrap();
    let [other] = free_ports().unwrap();
    let third = Kafka::start(KafkaConfig::new(libs_dir(), dir.path().join("other"), port, other)).await;
    assert!(matches!(third, Err(StackError::PortTaken { .. })), "{third:?}");
    drop(kafka);
}

#[tokio::test]
async fn missing_jars_say_what_to_run() {
    let dir = tempfile::tempdir().unwrap();
    let error = Kafka::start(KafkaConfig::new(dir.path(), dir.path().join("data"), 1, 2)).await.unwrap_err();
    assert!(error.to_string().contains("make setup"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_cannot_start_is_reported_with_the_end_of_its_log() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("kafka");
    // Storage of another node: the broker refuses it.
    std::fs::create_dir_all(data_dir.join("logs")).unwrap();
    std::fs::write(data_dir.join("logs/meta.properties"), "version=1\nnode.id=77\ncluster.id=abc\n").unwrap();
    let error = Kafka::start(KafkaConfig::on_free_ports(libs_dir(), &data_dir).unwrap()).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, StackError::Died { .. }), "{text}");
    assert!(text.contains("kafka.log") && text.contains("Stored node id 77"), "{text}");
}
