//! `weighbridge scrub` and `weighbridge replay` on a real stack: every damage is found, reported in plain words and
//! repaired, with the totals as they were; and the log alone, or the archive where retention has passed, builds the
//! same database again.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::events::{self, Meter, Source};
use crate::support::place::Place;
use crate::support::running::{Ended, Running};
use crate::support::tables::{COMMITTED, ask, count};
use crate::support::{COUNT_LIMIT, END_LIMIT, START_LIMIT, until};
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use rustix::process::Signal;

/// Tables that the events of this test reach.
const TABLES: [&str; 4] = ["energy_readings", "gpu_samples", "facts", "block_counts"];
/// Meters, so many that both partitions of `energy` have some.
const METERS: usize = 6;
/// Times that each meter sends.
const ROUNDS: u64 = 3;

/// A stack with its configuration and its meters.
struct Site {
    place: Place,
    file: String,
    meters: Vec<Meter>,
    key: String,
    up: Option<Running>,
    runs: usize,
    samples: u64,
}

impl Site {
    fn new() -> Self {
        let place = Place::new();
        let (operator, source) =
            (Source::draw(&place, "operator", "operator"), Source::draw(&place, "meters", "meter"));
        let file = events::configure(&place, &[&operator, &source]).to_str().unwrap().to_owned();
        let meters = (1..=METERS).map(|number| Meter::new(&format!("yard/meter-{number}"))).collect();
        let mut site = Self { place, file, meters, key: source.key.clone(), up: None, runs: 0, samples: 0 };
        site.start();
        events::send_good(&site.place, &operator.key, &events::facts());
        for _ in 0..ROUNDS {
            site.send();
        }
        site
    }

    fn start(&mut self) {
        self.runs += 1;
        let mut up = self.place.start(&format!("up-{}", self.runs), &["--config", &self.file, "up"]);
        up.wait_for("ready; Ctrl-C ends", START_LIMIT);
        self.up = Some(up);
    }

    fn stop(&mut self) {
        let up = self.up.take().unwrap();
        up.send(Signal::INT);
        up.end(END_LIMIT).success("weighbridge up, told to end");
    }

    /// Every meter sends, and its readings are counted: so each round is in blocks of its own.
    ///
    /// The watch over the conservation law may have found the damage before: its alarm is cleared, as the page of its
    /// error describes.
    fn send(&mut self) {
        let why = ["alarm", "clear", "--why", "scrub has repaired it"];
        self.run(&why).success("alarm clear");
        for meter in &mut self.meters {
            meter.send(&self.place, &self.key, 5);
        }
        self.samples += 1;
        let sample = events::gpu_sample(self.samples);
        events::send_good(&self.place, &self.key, &[sample]);
        for meter in &self.meters {
            meter.assert_counted(&self.place);
        }
        // A new log counts samples of GPUs from its first block on, and so do those who fold it again.
        let counted = format!("SELECT count() FROM gpu_samples WHERE {COMMITTED}");
        until("samples of a GPU are counted", COUNT_LIMIT, || match count(&self.place, &counted)? {
            found if found == self.samples => Ok(()),
            found => Err(format!("{found} of {}", self.samples)),
        });
    }

    fn run(&mut self, arguments: &[&str]) -> Ended {
        self.runs += 1;
        let all: Vec<&str> = ["--config", &self.file].into_iter().chain(arguments.iter().copied()).collect();
        self.place.run(&format!("{}-{}", arguments[0], self.runs), &all, COUNT_LIMIT)
    }

    /// All rows that count, with their content.
    fn totals(&self) -> Vec<String> {
        let mut totals: Vec<String> = TABLES
            .iter()
            .map(|table| {
                let sql = format!("SELECT count(), sum(cityHash64(*)) FROM {table} WHERE {COMMITTED}");
                ask(&self.place, &sql).unwrap()
            })
            .collect();
        totals.push(
            ask(&self.place, "SELECT count(), sum(cityHash64(*)) FROM (SELECT DISTINCT * FROM manifest)")
                .unwrap(),
        );
        totals
    }

    fn assert_clean(&mut self, what: &str) {
        let scrub = self.run(&["scrub", "--log"]);
        assert_eq!(scrub.code, Some(0), "{what}: {}\n{}", scrub.stdout, scrub.stderr);
        assert!(scrub.stdout.contains("all is as it was committed"), "{what}: {}", scrub.stdout);
    }

    /// The damage is found and reported, and nothing is changed; then it is repaired, and nothing is found any more.
    fn assert_found_and_repaired(&mut self, what: &str, told: &[&str], totals: &[String]) {
        let scrub = self.run(&["scrub"]);
        assert_eq!(scrub.code, Some(1), "{what} is found: {}\n{}", scrub.stdout, scrub.stderr);
        for text in told {
            assert!(scrub.stdout.contains(text), "{what} is told with {text:?}: {}", scrub.stdout);
        }
        let repair = self.run(&["scrub", "--repair"]);
        assert_eq!(repair.code, Some(0), "{what} is repaired: {}\n{}", repair.stdout, repair.stderr);
        assert!(repair.stdout.contains("all repaired"), "{what}: {}", repair.stdout);
        self.assert_clean(what);
        assert_eq!(self.totals(), totals, "{what}: the totals are as they were");
    }

    /// Builds a database from the log and returns how it ended.
    fn replay(&mut self, into: &str, more: &[&str]) -> Ended {
        let arguments: Vec<&str> =
            ["replay", "--into", into].into_iter().chain(more.iter().copied()).collect();
        self.run(&arguments)
    }

    fn assert_equal(&mut self, into: &str, more: &[&str]) {
        let replay = self.replay(into, more);
        assert_eq!(replay.code, Some(0), "{into}: {}\n{}", replay.stdout, replay.stderr);
        assert!(replay.stdout.contains("both databases are equal"), "{into}: {}", replay.stdout);
    }

    /// The number of a first column, such as a partition.
    fn number(&self, sql: &str) -> u64 {
        count(&self.place, sql).unwrap_or_else(|error| panic!("{error}"))
    }

    fn tell(&self, sql: &str) {
        ask(&self.place, sql).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn what_is_damaged_is_found_and_repaired_and_the_log_builds_it_again() {
    let mut site = Site::new();
    site.assert_clean("a stack that nobody disturbed");
    let totals = site.totals();
    a_dropped_partition_and_lost_files_of_the_archive(&mut site, &totals);
    a_deleted_row_of_the_manifest_and_an_attempt_left_behind(&mut site, &totals);
    the_log_builds_it_again(&mut site, &totals);
    a_flipped_byte_and_a_lost_tail(&mut site, &totals);
    retention_has_passed(&mut site);
    a_tail_that_was_written_over(&mut site);
    site.stop();
    site.place.assert_nothing_runs(END_LIMIT);
}

fn a_dropped_partition_and_lost_files_of_the_archive(site: &mut Site, totals: &[String]) {
    site.tell("ALTER TABLE energy_readings DROP PARTITION ID '202610'");
    let frames = files(&site.place.data_dir().join("archive"), "frames");
    let committed = site.number("SELECT uniqExact(commit_offset) FROM manifest");
    assert_eq!(u64::try_from(frames.len()).unwrap(), committed, "one file a committed block");
    let whole = fs::read(&frames[0]).unwrap();
    fs::write(&frames[0], &whole[..whole.len() / 2]).unwrap();
    fs::remove_file(&frames[1]).unwrap();
    let told = [
        "the rows of block 0 of energy/",
        "are not those that were committed: it holds block_counts 1 row",
        "it cannot be unpacked",
        "the archive has no file of it",
    ];
    let lines = site.run(&["scrub", "--json"]).stdout;
    for line in lines.lines() {
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(json["event"].is_string(), "{line}");
    }
    assert!(lines.contains("\"found\":\"block_damaged\",\"topic\":\"energy\",\"partition\":"), "{lines}");
    site.assert_found_and_repaired("a dropped partition and an archive with losses", &told, totals);
    assert_eq!(fs::read(&frames[0]).unwrap(), whole);
}

fn a_deleted_row_of_the_manifest_and_an_attempt_left_behind(site: &mut Site, totals: &[String]) {
    let offset = site.number("SELECT min(commit_offset) FROM manifest WHERE topic = 'energy'");
    site.tell(&format!(
        "ALTER TABLE manifest DELETE WHERE commit_offset = {offset} SETTINGS mutations_sync = 1"
    ));
    site.tell("INSERT INTO facts SELECT * REPLACE (toUInt64(77) AS attempt) FROM facts");
    let told = [
        &format!("is committed (at offset {offset}), but the manifest does not show it: no reader counts it"),
        "4 rows are left of attempt 77 of block 0 of reference/0, but another attempt was committed",
    ];
    site.assert_found_and_repaired("a row of the manifest and an attempt", &told, totals);
}

fn the_log_builds_it_again(site: &mut Site, totals: &[String]) {
    site.assert_equal("again", &[]);
    let refused = site.replay("again", &[]);
    assert!(refused.code != Some(0) && refused.stderr.contains("WB-5901"), "{}", refused.stderr);
    let (partition, block) = ("partition", "block");
    let of = |column: &str| {
        format!(
            "SELECT min({column}) FROM energy_readings WHERE source_key = 'yard/meter-1' AND sequence = 7"
        )
    };
    let (partition, block) = (site.number(&of(partition)), site.number(&of(block)));
    site.tell(
        "ALTER TABLE energy_readings UPDATE register_wh = register_wh + 1 \
         WHERE source_key = 'yard/meter-1' AND sequence = 7 SETTINGS mutations_sync = 1",
    );
    let replay = site.replay("differs", &["--from-archive"]);
    assert_eq!(replay.code, Some(1), "{}\n{}", replay.stdout, replay.stderr);
    let told = format!("differs: block {block} of energy/{partition}: energy_readings:");
    assert!(replay.stdout.contains(&told), "{told}: {}", replay.stdout);
    assert!(replay.stdout.contains("1 difference"), "{}", replay.stdout);
    let told = format!("the rows of block {block} of energy/{partition} (attempt ");
    site.assert_found_and_repaired("a changed row", &[&told], totals);
}

fn a_flipped_byte_and_a_lost_tail(site: &mut Site, totals: &[String]) {
    let of_part = "FROM system.parts WHERE active AND database = 'weighbridge' AND table = 'energy_readings' \
                   ORDER BY rows DESC LIMIT 1";
    let part = ask(&site.place, &format!("SELECT name {of_part}")).unwrap();
    let before = settings(&site.place);
    let partition = site.number("SELECT min(partition) FROM manifest WHERE topic = 'energy'");
    site.stop();
    let data = site.place.data_dir();
    flip_a_byte(&data, &part);
    let (kept, lost) = truncate(&data.join("kafka"), &format!("energy-{partition}"));
    assert!(kept > 0 && lost > 0, "{kept} batches are kept, {lost} are lost");
    site.start();
    let told = [
        format!("part {part} of table energy_readings is broken"),
        format!("the log energy/{partition} has lost its tail"),
    ];
    site.assert_found_and_repaired("a flipped byte and a lost tail", &[&told[0], &told[1]], totals);
    assert_eq!(settings(&site.place), before, "the topic is kept as it was");
    // The partition had stopped (WB-5614), and goes on by itself.
    site.send();
}

/// One partition of `energy` is folded again from the log that was put together again, the other from the archive.
fn retention_has_passed(site: &mut Site) {
    let partition = site.number("SELECT max(partition) FROM manifest WHERE topic = 'energy'");
    assert!(partition > site.number("SELECT min(partition) FROM manifest WHERE topic = 'energy'"));
    let end = site.number(&format!(
        "SELECT max(end_offset) FROM manifest WHERE topic = 'energy' AND partition = {partition}"
    ));
    delete_records(&site.place, i32::try_from(partition).unwrap(), i64::try_from(end).unwrap() - 1);
    site.stop();
    fs::remove_dir_all(site.place.data_dir().join("proofs")).unwrap();
    site.start();
    site.send();
    let stderr = site.up.as_ref().unwrap().stderr();
    assert!(!stderr.contains("WB-56"), "no partition stops: {stderr}");
    site.assert_clean("after retention has passed");
    site.assert_equal("from_archive_and_log", &[]);
    let archive = site.place.data_dir().join("archive");
    fs::rename(&archive, archive.with_extension("away")).unwrap();
    let refused = site.replay("from_the_log_alone", &[]);
    assert!(refused.code != Some(0) && refused.stderr.contains("WB-5902"), "{}", refused.stderr);
    let scrub = site.run(&["scrub"]);
    assert!(
        scrub.code == Some(1) && scrub.stdout.contains("the archive has no file of it"),
        "{}",
        scrub.stdout
    );
    fs::rename(archive.with_extension("away"), &archive).unwrap();
    site.assert_clean("with its archive again");
}

/// A log that lost its tail and was then written to cannot be put together: that is reported, and nothing is changed.
fn a_tail_that_was_written_over(site: &mut Site) {
    let partition = site.number("SELECT min(partition) FROM manifest WHERE topic = 'energy'");
    site.stop();
    truncate(&site.place.data_dir().join("kafka"), &format!("energy-{partition}"));
    site.start();
    for meter in &mut site.meters {
        meter.send(&site.place, &site.key, 1);
    }
    let repair = site.run(&["scrub", "--repair"]);
    assert_eq!(repair.code, Some(1), "{}\n{}", repair.stdout, repair.stderr);
    let told =
        [format!("the log energy/{partition} has lost its tail"), "not repaired: [WB-5905]".to_owned()];
    assert!(told.iter().all(|text| repair.stdout.contains(text)), "{}", repair.stdout);
    let again = site.run(&["scrub"]);
    assert!(again.code == Some(1) && again.stdout.contains(&told[0]), "{}", again.stdout);
    assert_eq!(settings(&site.place)["message.timestamp.type"], "LogAppendTime");
}

/// The settings of the topic `energy`.
fn settings(place: &Place) -> BTreeMap<String, String> {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", place.brokers()).create().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let topic = [ResourceSpecifier::Topic("energy")];
    let mut described =
        runtime.block_on(async { admin.describe_configs(&topic, &AdminOptions::new()).await.unwrap() });
    let entries = described.remove(0).unwrap().entries.into_iter();
    entries.map(|entry| (entry.name, entry.value.unwrap_or_default())).collect()
}

/// The files below a folder with an extension, sorted.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut folders = vec![folder.to_path_buf()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Changes one bit of the data of a part.
fn flip_a_byte(data: &Path, part: &str) {
    let bins = files(&data.join("clickhouse/data"), "bin");
    let ours = |path: &&PathBuf| path.parent().unwrap().file_name().unwrap() == part;
    let mut bins: Vec<&PathBuf> = bins.iter().filter(ours).collect();
    bins.sort_by_key(|path| std::cmp::Reverse(fs::metadata(path).unwrap().len()));
    let file = bins.first().unwrap_or_else(|| panic!("{part} has no data"));
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(file, bytes).unwrap();
}

/// Cuts the log of a partition in the middle of a batch, as a disk that lost its cache would; returns how many
/// batches are left and how many are gone.
fn truncate(kafka: &Path, partition: &str) -> (usize, usize) {
    let logs = files(kafka, "log");
    let ours = |path: &&PathBuf| path.parent().unwrap().file_name().unwrap() == partition;
    let log = logs.iter().rfind(ours).unwrap_or_else(|| panic!("{partition} has no log"));
    let bytes = fs::read(log).unwrap();
    // A batch: its first offset (8 bytes), its length after these twelve bytes (4 bytes, big endian), and the rest.
    let mut starts = Vec::new();
    let mut at = 0;
    while let Some(head) = bytes.get(at..at + 12) {
        let length = u32::from_be_bytes(head[8..12].try_into().unwrap());
        if length == 0 {
            break;
        }
        starts.push(at);
        at += 12 + usize::try_from(length).unwrap();
    }
    let kept = starts.len() / 2;
    let end = starts[kept] + 20;
    fs::File::options().write(true).open(log).unwrap().set_len(u64::try_from(end).unwrap()).unwrap();
    let shutdown = log.parent().unwrap().parent().unwrap().join(".kafka_cleanshutdown");
    // A broker that lost something was not shut down cleanly.
    let _ = fs::remove_file(shutdown);
    (kept, starts.len() - kept)
}

/// Deletes the records of a partition of `energy` below an offset, as retention does.
fn delete_records(place: &Place, partition: i32, below: i64) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", place.brokers()).create().unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset("energy", partition, Offset::Offset(below)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { admin.delete_records(&offsets, &AdminOptions::new()).await.unwrap() });
}
