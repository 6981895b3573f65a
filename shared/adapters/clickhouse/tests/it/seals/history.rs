//! A log of commits and the rows of its blocks, in two databases: one with seals and one without.

use std::ops::Range;

use wb_clickhouse::Store;
use wb_clickhouse::seal::{SealBase, SealContent, SealOf};
use wb_events::commits::{
    ALL_DAYS, Applied, CHAIN_START, COMMITS_VERSION, Chains, TopicPartition, Won, encode_commit, encode_seal,
};
use wb_events::wire::{Commit, Seal};

use super::{DAY_US, WHOLE_DAY_US};

/// Partitions of each topic.
const PARTITIONS: u32 = 2;

/// The state of the history.
pub(crate) struct History {
    /// The store with sealed days.
    pub(crate) sealed: Store,
    /// The store with blocks only.
    pub(crate) plain: Store,
    chains: Chains,
    random: u64,
    all_days: Vec<u64>,
}

impl History {
    pub(crate) fn new(sealed: Store, plain: Store, seed: u64) -> Self {
        Self { sealed, plain, chains: Chains::default(), random: seed, all_days: Vec::new() }
    }

    /// One past the last offset.
    pub(crate) fn end(&self) -> u64 {
        self.chains.next_offset()
    }

    /// The offsets of seals of all days.
    pub(crate) fn all_days_offsets(&self) -> Vec<u64> {
        self.all_days.clone()
    }

    /// The seal of a day, to build on.
    pub(crate) fn base(&self, day: i32) -> Option<SealBase> {
        self.chains.seal(day).map(|won| SealBase { seal: won.seal.seal, cut: won.seal.cut })
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % bound
    }

    async fn both(&self, sql: &str) {
        for store in [&self.sealed, &self.plain] {
            store.client().query(sql).execute().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
    }

    /// Assigns the machine m1 to a customer for a part of the second day.
    pub(crate) async fn assign(&mut self) {
        let (from, to) = (DAY_US + WHOLE_DAY_US + 3_600_000_000, DAY_US + 2 * WHOLE_DAY_US + 7_200_000_000);
        let body = r#"{"machine_id":"m1","customer_id":"acme","contract_id":"c"}"#;
        self.both(&format!(
            "INSERT INTO facts (attempt, topic, partition, block, idx, kind, entity, valid_from_us, valid_to_us, body) \
             SELECT 1, 'reference', 0, 0, 0, 'assignment', 'm1', {from}, {to}, '{body}'"
        ))
        .await;
        self.commit("reference", 0, 1).await;
    }

    /// Applies a record of the topic `commits` at the next offset; returns what won.
    fn append(&mut self, record: &[u8]) -> Option<Won> {
        match self.chains.apply(self.end(), record).unwrap() {
            Applied::Won(won) => Some(*won),
            Applied::Pinned | Applied::Lost | Applied::Alarm => None,
        }
    }

    async fn commit(&mut self, topic: &str, partition: u32, attempt: u64) {
        let chain = TopicPartition::new(topic, partition);
        let head = self.chains.head(&chain);
        let (block, first_offset) = head.map_or((0, 0), |won| (won.commit.block + 1, won.commit.end_offset));
        let record = encode_commit(&Commit {
            version: COMMITS_VERSION,
            topic: topic.into(),
            partition,
            block,
            attempt,
            first_offset,
            end_offset: first_offset + 1,
            predecessor: self.chains.predecessor(&chain).to_vec(),
            content_hash: vec![1; 32],
            merkle_root: vec![2; 32],
            last_frame_hash: vec![3; 32],
            ..Commit::default()
        });
        let Some(Won::Commit(won)) = self.append(&record) else { panic!("the commit of {topic} lost") };
        for store in [&self.sealed, &self.plain] {
            store.project_commits(std::slice::from_ref(&won)).await.unwrap();
            // A second projector writes the same again.
            store.project_commits(std::slice::from_ref(&won)).await.unwrap();
        }
    }

    /// Writes and commits blocks of both topics with rows of some days, and attempts that are not committed.
    pub(crate) async fn blocks(&mut self, count: u64, days: Range<i64>) {
        for _ in 0..count {
            for topic in ["shares", "energy"] {
                let partition = u32::try_from(self.below(u64::from(PARTITIONS))).unwrap();
                let chain = TopicPartition::new(topic, partition);
                let block = self.chains.head(&chain).map_or(0, |won| won.commit.block + 1);
                let attempt = 100 + self.below(1 << 40);
                for (tag, rows) in [(attempt, 30), (attempt + 1, 3)] {
                    let values: Vec<String> = (0..rows)
                        .map(|idx| {
                            let row = if topic == "shares" { self.work(&days) } else { self.reading(&days) };
                            format!("({tag}, '{topic}', {partition}, {block}, {idx}, {row})")
                        })
                        .collect();
                    let columns = if topic == "shares" {
                        "work_5m (attempt, topic, partition, block, idx, site_id, machine_id, interval_start_us, chain, \
                         nbits, subsidy_sat, verdict, reason, shares, credited_q32, credited_q32_squared, blocks)"
                    } else {
                        "energy_readings (attempt, topic, partition, block, idx, event_time_us, event_id, site_id, \
                         machine_id, meter_id, witness, register_wh)"
                    };
                    self.both(&format!("INSERT INTO {columns} VALUES {}", values.join(", "))).await;
                }
                self.commit(topic, partition, attempt).await;
            }
        }
    }

    /// An instant of some days, of few different ones, so that several blocks have rows of the same intervals.
    fn instant(&mut self, days: &Range<i64>, step_us: i64) -> i64 {
        let length = u64::try_from(days.end - days.start).unwrap();
        let day = days.start + i64::try_from(self.below(length)).unwrap();
        let step = i64::try_from(self.below(6)).unwrap();
        // The first and the last interval of a day too.
        let place = [0, 1, 5, 100, 286, 287][usize::try_from(step).unwrap()];
        DAY_US + day * WHOLE_DAY_US + place * step_us
    }

    fn work(&mut self, days: &Range<i64>) -> String {
        let at_us = self.instant(days, 300_000_000);
        let machine = self.below(4);
        let (verdict, reason) =
            [("accepted", ""), ("accepted", ""), ("rejected", "stale"), ("duplicate", "")]
                [usize::try_from(self.below(4)).unwrap()];
        let (chain, nbits, subsidy) = [("main", 5, 312_500_000), ("main", 6, 312_500_000), ("test", 5, 1)]
            [usize::try_from(self.below(3)).unwrap()];
        let (shares, wide) = (1 + self.below(9), self.below(1 << 30));
        // Wider than 64 bits, so that squares are wider than 128.
        format!(
            "'s{}', 'm{machine}', {at_us}, '{chain}', {nbits}, {subsidy}, '{verdict}', '{reason}', {shares}, \
             toUInt128('{wide}') * toUInt128('1000000000000007') * {shares}, \
             toUInt256('{wide}') * toUInt256('1000000000000007') * toUInt256('{wide}') * {shares}, {}",
            machine % 2,
            self.below(2)
        )
    }

    fn reading(&mut self, days: &Range<i64>) -> String {
        let at_us = self.instant(days, 300_000_000);
        let (machine, meter, id) = (self.below(4), self.below(2), self.below(256));
        let witness = ["meter", "pdu", "firmware"][usize::try_from(self.below(3)).unwrap()];
        let register = u64::try_from((at_us - DAY_US) / 1_000_000).unwrap() + self.below(50);
        format!(
            "{at_us}, unhex('{}'), 's{}', 'm{machine}', 'meter-{meter}', '{witness}', {register}",
            format!("{id:02x}").repeat(16),
            machine % 2,
        )
    }

    /// Writes a seal of a day and checks it; returns its record and content.
    async fn written(&mut self, day: i32, cut: u64) -> (u64, Vec<u8>) {
        let seal = SealOf { day, seal: 1_000 + self.below(1 << 50), base: self.base(day), cut };
        self.sealed.write_seal(&seal).await.unwrap();
        let expected = self.sealed.expected_seal(&seal).await.unwrap();
        let stored = self.sealed.stored_seal(day, seal.seal).await.unwrap();
        assert_eq!(stored, expected, "day {day}");
        assert!(stored.rows > 0);
        (seal.seal, self.record(day, seal.seal, cut, stored))
    }

    fn record(&self, day: i32, seal: u64, cut: u64, content: SealContent) -> Vec<u8> {
        encode_seal(&Seal {
            version: COMMITS_VERSION,
            day,
            seal,
            cut,
            rows: content.rows,
            content_hash: content.hash.to_vec(),
            predecessor: self.chains.seal(day).map_or(CHAIN_START, |won| won.seal_hash).to_vec(),
            log_id: Vec::new(),
            blocks: content.blocks,
            blocks_root: content.blocks_root.to_vec(),
        })
    }

    /// Appends a seal; returns whether it won.
    async fn commit_seal(&mut self, record: &[u8]) -> bool {
        let Some(Won::Seal(won)) = self.append(record) else { return false };
        for _ in 0..2 {
            self.sealed.project_seals(std::slice::from_ref(&won)).await.unwrap();
        }
        true
    }

    /// The days that have rows above their seals.
    async fn due(&self, cut: u64) -> Vec<i32> {
        let from = self.chains.seal(ALL_DAYS).map_or(0, |won| won.seal.cut);
        let touched = self.sealed.touched_days(from, cut).await.unwrap();
        let is_due = |day: i32, last: u64| self.chains.seal(day).is_none_or(|won| won.seal.cut <= last);
        touched.iter().filter(|day| is_due(day.day, day.last_commit_offset)).map(|day| day.day).collect()
    }

    /// Seals everything committed so far; returns how many days.
    pub(crate) async fn pass(&mut self) -> usize {
        let cut = self.sealed.cut().await.unwrap().0;
        assert!(cut <= self.end(), "a record that has lost may lie above the cut");
        let due = self.due(cut).await;
        for day in &due {
            let (_, record) = self.written(*day, cut).await;
            assert!(self.commit_seal(&record).await);
        }
        let record = self.record(ALL_DAYS, 0, cut, SealContent::default());
        self.all_days.push(self.end());
        assert!(self.commit_seal(&record).await);
        assert_eq!(self.sealed.cut().await.unwrap().0, self.end(), "the cut counts seals too");
        due.len()
    }

    /// Seals some days without completing the pass.
    pub(crate) async fn half_a_pass(&mut self, days: usize) {
        let cut = self.end();
        for day in self.due(cut).await.into_iter().take(days) {
            let (_, record) = self.written(day, cut).await;
            assert!(self.commit_seal(&record).await);
        }
    }

    /// Two sealers write a seal of a day at once; returns the tag of the losing one.
    pub(crate) async fn rivals(&mut self, day: i32) -> u64 {
        let cut = self.end();
        let (_, first) = self.written(day, cut).await;
        let (loser, second) = self.written(day, cut).await;
        assert!(self.commit_seal(&first).await);
        assert!(!self.commit_seal(&second).await);
        loser
    }
}
