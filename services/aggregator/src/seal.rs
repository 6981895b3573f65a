//! Seals days. At intervals, blocks committed since the last pass are added to the seals of their days, whether a day
//! has ended or not. Readers then read few unsealed blocks.
//!
//! A pass takes a cut, seals every day that has blocks between its seal and that cut, and then appends the seal of
//! all days. If another aggregator overtakes a pass, the pass gives up: of two passes, the one with the higher cut
//! always completes.

use std::time::Instant;

use tokio::sync::watch;
use wb_clickhouse::Store;
use wb_clickhouse::seal::{SealBase, SealContent, SealOf, TouchedDay};
use wb_events::commits::{ALL_DAYS, CHAIN_START, COMMITS_VERSION, WonSeal, commit_hash, encode_seal};
use wb_events::topics;
use wb_events::wire::Seal;
use wb_kafka::{CommitsView, Log};

use crate::config::SealPace;
use crate::error::AggregatorError;
use crate::owners::Holdings;
use crate::pause::stopped;

/// Topics whose blocks have rows to seal.
const SEALED_TOPICS: [&str; 2] = [topics::SHARES, topics::ENERGY];

/// How a pass has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Everything committed before the cut is sealed.
    Sealed {
        cut: u64,
        /// How many days were sealed.
        days: usize,
    },
    /// Everything was already sealed.
    Nothing,
    /// Another aggregator has sealed with a higher cut.
    Overtaken,
}

/// Whether an appended seal won.
enum Appended {
    Won(WonSeal),
    Lost,
}

/// Seals days.
#[derive(Clone)]
pub struct Sealer {
    log: Log,
    store: Store,
    commits: CommitsView,
}

impl Sealer {
    /// Creates a sealer.
    #[must_use]
    pub fn new(log: Log, store: Store, commits: CommitsView) -> Self {
        Self { log, store, commits }
    }

    /// Seals at a pace until shutdown, while this aggregator is the leader.
    pub(crate) async fn keep_sealing(
        self,
        pace: SealPace,
        holdings: Holdings,
        mut shutdown: watch::Receiver<bool>,
    ) {
        let (mut last, mut pause) = (Instant::now(), pace.pause_min);
        loop {
            tokio::select! {
                () = stopped(&mut shutdown) => return,
                () = tokio::time::sleep(pace.look_every) => {}
            }
            if last.elapsed() < pause || !holdings.leads() {
                continue;
            }
            let waiting = match self.waiting().await {
                Ok(waiting) => waiting,
                Err(error) => {
                    tracing::warn!(
                        error = wb_units::with_causes(&error),
                        "the number of unsealed blocks could not be read"
                    );
                    continue;
                }
            };
            if waiting == 0 || (waiting < pace.after_blocks && last.elapsed() < pace.after) {
                continue;
            }
            let began = Instant::now();
            // May be dropped at shutdown: readers ignore a seal that is not committed.
            let passed = tokio::select! {
                () = stopped(&mut shutdown) => return,
                passed = self.pass() => passed,
            };
            match passed {
                Ok(Pass::Sealed { cut, days }) => {
                    tracing::info!(cut, days, took_ms = began.elapsed().as_millis(), "days are sealed");
                }
                Ok(Pass::Nothing | Pass::Overtaken) => {}
                Err(error) => {
                    tracing::warn!(error = wb_units::with_causes(&error), "days are not sealed yet")
                }
            }
            (last, pause) =
                (Instant::now(), pace.pause_min.max(began.elapsed().saturating_mul(pace.pause_factor)));
        }
    }

    /// How many committed blocks with rows to seal are not sealed yet.
    async fn waiting(&self) -> Result<u64, AggregatorError> {
        let sealed = self.all_days().map_or(0, |won| won.seal.cut);
        self.store.count_committed(&SEALED_TOPICS, sealed, u64::MAX).await.map_err(AggregatorError::Store)
    }

    fn all_days(&self) -> Option<WonSeal> {
        self.commits.seal(ALL_DAYS)
    }

    /// Seals everything that is committed at the start of the call.
    ///
    /// # Errors
    /// [`AggregatorError::Log`] and [`AggregatorError::Store`] if they failed, [`AggregatorError::Seal`] if the
    /// stored rows are not the sums of the day. Seals made before the error stay, and the next pass goes on from
    /// there.
    pub async fn pass(&self) -> Result<Pass, AggregatorError> {
        // All commits below the store's cut are projected; the view must have read them too.
        let cut = self.store.cut().await.map_err(AggregatorError::Store)?.0;
        self.commits.wait_until(cut).await.map_err(AggregatorError::Log)?;
        let before = self.all_days();
        let sealed = before.as_ref().map_or(0, |won| won.seal.cut);
        let waiting = self.store.count_committed(&SEALED_TOPICS, sealed, cut).await;
        if waiting.map_err(AggregatorError::Store)? == 0 {
            return Ok(Pass::Nothing);
        }
        let touched = self.store.touched_days(sealed, cut).await.map_err(AggregatorError::Store)?;
        let (mut days, mut hashes) = (0, Vec::new());
        for day in touched {
            let held = self.commits.seal(day.day);
            let won = match held {
                Some(won) if won.seal.cut > cut => return Ok(Pass::Overtaken),
                // The seal holds all blocks of the day: an interrupted pass made it.
                Some(won) if won.seal.cut > day.last_commit_offset => won,
                held => match self.seal_day(&day, held, cut).await? {
                    Appended::Won(won) => {
                        days += 1;
                        won
                    }
                    Appended::Lost => return Ok(Pass::Overtaken),
                },
            };
            hashes.extend_from_slice(&won.seal_hash);
        }
        // The hash over the seals of the days.
        let content = SealContent { hash: commit_hash(&hashes), ..SealContent::default() };
        match self.append(ALL_DAYS, 0, cut, content, before.as_ref()).await? {
            Appended::Won(_) => Ok(Pass::Sealed { cut, days }),
            Appended::Lost => Ok(Pass::Overtaken),
        }
    }

    async fn seal_day(
        &self,
        day: &TouchedDay,
        before: Option<WonSeal>,
        cut: u64,
    ) -> Result<Appended, AggregatorError> {
        let tag = getrandom::u64().map_err(|_| AggregatorError::Random)?;
        let base = self.sound_base(before.as_ref()).await?;
        let seal = SealOf { day: day.day, seal: tag, base, cut };
        self.store.write_seal(&seal).await.map_err(AggregatorError::Store)?;
        let expected = self.store.expected_seal(&seal).await.map_err(AggregatorError::Store)?;
        let stored = self.store.stored_seal(day.day, tag).await.map_err(AggregatorError::Store)?;
        if stored != expected {
            tracing::error!(
                day = day.day,
                ?expected,
                ?stored,
                "the rows of a seal are not the sums of its day"
            );
            return Err(AggregatorError::Seal { day: day.day });
        }
        self.append(day.day, tag, cut, stored, before.as_ref()).await
    }

    /// The previous seal of the day, if its rows are still those that were committed. Without it the day is summed
    /// from its blocks.
    async fn sound_base(&self, before: Option<&WonSeal>) -> Result<Option<SealBase>, AggregatorError> {
        let Some(won) = before else { return Ok(None) };
        let seal = &won.seal;
        let stored = self.store.stored_seal(seal.day, seal.seal).await.map_err(AggregatorError::Store)?;
        if stored.rows == seal.rows && seal.content_hash == stored.hash {
            return Ok(Some(SealBase { seal: seal.seal, cut: seal.cut }));
        }
        tracing::error!(
            day = seal.day,
            commit_offset = won.commit_offset,
            "the rows of a seal have changed since its commit; the day is summed from its blocks again"
        );
        Ok(None)
    }

    /// Appends a seal and reads it back.
    async fn append(
        &self,
        day: i32,
        tag: u64,
        cut: u64,
        content: SealContent,
        before: Option<&WonSeal>,
    ) -> Result<Appended, AggregatorError> {
        let record = encode_seal(&Seal {
            version: COMMITS_VERSION,
            day,
            seal: tag,
            cut,
            rows: content.rows,
            content_hash: content.hash.to_vec(),
            predecessor: before.map_or(CHAIN_START, |won| won.seal_hash).to_vec(),
            log_id: self.commits.pin().map(|pin| pin.log_id).unwrap_or_default(),
            blocks: content.blocks,
            blocks_root: content.blocks_root.to_vec(),
        });
        let key = format!("seal/{day}");
        let offset = self.log.append(topics::COMMITS, 0, key.as_bytes(), &record, &[]).await;
        let offset = offset.map_err(AggregatorError::Log)?;
        self.commits.wait_until(offset.saturating_add(1)).await.map_err(AggregatorError::Log)?;
        let hash = commit_hash(&record);
        Ok(self.commits.seal(day).filter(|won| won.seal_hash == hash).map_or(Appended::Lost, Appended::Won))
    }
}
