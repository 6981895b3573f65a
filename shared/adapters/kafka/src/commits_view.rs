//! A live view of the `commits` topic: all chains, folded in offset order. Callers can wait for an offset.

use std::sync::Arc;

use tokio::sync::watch;
use wb_events::commits::{
    Applied, Chains, TopicPartition, Won, WonCommit, WonSeal, encode_alarm, encode_pin,
};
use wb_events::topics;
use wb_events::wire::{Alarm, Pin, TopicPin};

use crate::topics::Partitions;
use crate::{Log, LogError};

/// How many winning records a view keeps for its follower; a slower follower reads the topic.
const FOLLOW_MAX: usize = 4_096;

#[derive(Debug, Default)]
struct Shown {
    chains: Chains,
    stopped: Option<String>,
}

/// The view. Cheap to clone; its reader stops when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct CommitsView {
    shown: watch::Receiver<Shown>,
    log: Log,
    _reader: Arc<AbortOnDrop>,
}

#[derive(Debug)]
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl CommitsView {
    /// Reads all commits, pins the log if it is not pinned, checks the partition counts against the pin, and follows
    /// the topic. Winning records are also sent to `follow`.
    ///
    /// # Errors
    /// [`LogError`] if commits cannot be read or the log cannot be pinned, or the counts differ.
    pub async fn start(
        log: Log,
        found: &Partitions,
        log_id: [u8; 16],
        follow: Option<tokio::sync::mpsc::Sender<Won>>,
    ) -> Result<Self, LogError> {
        let (show, shown) = watch::channel(Shown::default());
        let reader = tokio::spawn(read(log.clone(), show, follow));
        let view = Self { shown, log: log.clone(), _reader: Arc::new(AbortOnDrop(reader)) };
        view.catch_up().await?;
        let ids = log.topic_ids(&topics::EVENT_TOPICS).await?;
        if view.pin().is_none() {
            let event_topics = |topic: &&String| topics::EVENT_TOPICS.contains(&topic.as_str());
            let pin = Pin {
                version: wb_events::commits::COMMITS_VERSION,
                log_id: log_id.to_vec(),
                topics: found
                    .iter()
                    .filter(|(topic, _)| event_topics(topic))
                    .map(|(topic, partitions)| TopicPin {
                        topic: topic.clone(),
                        partitions: *partitions,
                        topic_id: ids.get(topic).map(|id| id.to_vec()).unwrap_or_default(),
                    })
                    .collect(),
                first_fold_version: wb_fold::FOLD_VERSION,
            };
            log.append(topics::COMMITS, 0, b"pin", &encode_pin(&pin), &[]).await?;
            view.catch_up().await?;
        }
        for pinned in view.pin().map(|pin| pin.topics).unwrap_or_default() {
            let found = found.get(&pinned.topic).copied().unwrap_or(0);
            if found != pinned.partitions {
                return Err(LogError::PartitionCount {
                    topic: pinned.topic,
                    found,
                    pinned: pinned.partitions,
                });
            }
        }
        view.check_topic_ids().await?;
        Ok(view)
    }

    /// Checks that the event topics are those of the pin, as far as their ids are available.
    ///
    /// # Errors
    /// [`LogError::TopicReplaced`], [`LogError::Topics`] if no broker answers.
    pub async fn check_topic_ids(&self) -> Result<(), LogError> {
        let found = self.log.topic_ids(&topics::EVENT_TOPICS).await?;
        for pinned in self.pin().map(|pin| pin.topics).unwrap_or_default() {
            let known = found.get(&pinned.topic);
            if !pinned.topic_id.is_empty() && known.is_some_and(|id| id.as_slice() != pinned.topic_id) {
                return Err(LogError::TopicReplaced { topic: pinned.topic });
            }
        }
        Ok(())
    }

    /// Waits until everything in the topic now is folded.
    ///
    /// # Errors
    /// [`LogError`] if the end cannot be read or the reader has stopped.
    pub async fn catch_up(&self) -> Result<(), LogError> {
        let end = self.log.end_offset(topics::COMMITS, 0).await?;
        self.wait_until(end).await
    }

    /// Waits until all offsets below `next_offset` are folded.
    ///
    /// # Errors
    /// [`LogError::CommitsStopped`] if the reader has stopped.
    pub async fn wait_until(&self, next_offset: u64) -> Result<(), LogError> {
        let mut shown = self.shown.clone();
        let waited =
            shown.wait_for(|now| now.stopped.is_some() || now.chains.next_offset() >= next_offset).await;
        match waited {
            Ok(now) => match &now.stopped {
                Some(detail) => Err(LogError::CommitsStopped { detail: detail.clone() }),
                None => Ok(()),
            },
            Err(_) => Err(LogError::CommitsStopped { detail: "its task has ended".to_owned() }),
        }
    }

    /// The pin, once there is one.
    #[must_use]
    pub fn pin(&self) -> Option<Pin> {
        self.shown.borrow().chains.pin().cloned()
    }

    /// One past the last folded offset.
    #[must_use]
    pub fn next_offset(&self) -> u64 {
        self.shown.borrow().chains.next_offset()
    }

    /// The latest winning commit of a partition.
    #[must_use]
    pub fn head(&self, partition: &TopicPartition) -> Option<WonCommit> {
        self.shown.borrow().chains.head(partition).cloned()
    }

    /// The predecessor of a partition's next commit.
    #[must_use]
    pub fn predecessor(&self, partition: &TopicPartition) -> [u8; 32] {
        self.shown.borrow().chains.predecessor(partition)
    }

    /// The seal in force of a day (days since 1970-01-01 UTC).
    #[must_use]
    pub fn seal(&self, day: i32) -> Option<WonSeal> {
        self.shown.borrow().chains.seal(day).cloned()
    }

    /// The alarm that is set, with its offset in `commits`.
    #[must_use]
    pub fn alarm(&self) -> Option<(u64, Alarm)> {
        self.shown.borrow().chains.alarm().cloned()
    }

    /// Fails while an alarm is set, because nothing may be committed or billed.
    ///
    /// # Errors
    /// [`LogError::Alarm`] with the alarm's detail.
    pub fn check_no_alarm(&self) -> Result<(), LogError> {
        match self.alarm() {
            Some((offset, alarm)) => Err(LogError::Alarm { offset, detail: alarm.detail }),
            None => Ok(()),
        }
    }

    /// Raises or clears an alarm; returns once the record is read back.
    ///
    /// # Errors
    /// [`LogError`] if the record cannot be written or read.
    pub async fn write_alarm(&self, alarm: &Alarm) -> Result<(), LogError> {
        let offset = self.log.append(topics::COMMITS, 0, b"alarm", &encode_alarm(alarm), &[]).await?;
        self.wait_until(offset.saturating_add(1)).await
    }

    /// Waits until everything in the event topics now is committed. Returns a cut that contains it: one past the
    /// offset of the last winning commit or seal.
    ///
    /// # Errors
    /// [`LogError`] if the ends cannot be read or the reader has stopped. The caller must limit the time.
    pub async fn settled_cut(&self, partitions: &Partitions) -> Result<u64, LogError> {
        let mut ends = Vec::new();
        for (topic, count) in partitions {
            if !topics::EVENT_TOPICS.contains(&topic.as_str()) {
                continue;
            }
            for partition in 0..*count {
                let end = self.log.end_offset(topic, partition).await?;
                ends.push((TopicPartition::new(topic, partition), end));
            }
        }
        self.catch_up().await?;
        loop {
            let chains = self.shown.borrow().chains.clone();
            let committed =
                |chain: &TopicPartition| chains.head(chain).map_or(0, |head| head.commit.end_offset);
            if ends.iter().all(|(chain, end)| committed(chain) >= *end) {
                // Seals count too, so that a reader at this cut may use the latest ones.
                let commits = chains.heads().map(|(_, head)| head.commit_offset);
                let seals = chains.seals().map(|seal| seal.commit_offset);
                let last = commits.chain(seals).max();
                return Ok(last.map_or(0, |last| last.saturating_add(1)));
            }
            self.wait_until(chains.next_offset().saturating_add(1)).await?;
        }
    }

    /// The heads of all chains.
    #[must_use]
    pub fn heads(&self) -> Vec<(TopicPartition, WonCommit)> {
        self.shown.borrow().chains.heads().map(|(key, head)| (key.clone(), head.clone())).collect()
    }
}

async fn read(log: Log, show: watch::Sender<Shown>, follow: Option<tokio::sync::mpsc::Sender<Won>>) {
    let stopped = match read_until_error(&log, &show, follow).await {
        Ok(()) => "the view was dropped".to_owned(),
        Err(error) => {
            let text = wb_units::with_causes(&error);
            tracing::error!(error = text, "following the commits failed; committing stops");
            text
        }
    };
    show.send_modify(|shown| shown.stopped = Some(stopped));
}

async fn read_until_error(
    log: &Log,
    show: &watch::Sender<Shown>,
    follow: Option<tokio::sync::mpsc::Sender<Won>>,
) -> Result<(), LogError> {
    let mut reader = log.read_from(topics::COMMITS, 0, 0)?;
    loop {
        let record = reader.next().await?;
        let mut applied = Ok(Applied::Lost);
        // Changed in place, because a long log has too many commits to copy the state for each.
        show.send_modify(|shown| applied = shown.chains.apply(record.offset, &record.payload));
        let applied = applied.map_err(LogError::Commits)?;
        if let (Applied::Won(won), Some(follow)) = (applied, &follow)
            && follow.send(*won).await.is_err()
        {
            return Ok(());
        }
    }
}

/// The channel for following winning records, with its capacity.
#[must_use]
pub fn follow_channel() -> (tokio::sync::mpsc::Sender<Won>, tokio::sync::mpsc::Receiver<Won>) {
    tokio::sync::mpsc::channel(FOLLOW_MAX)
}
