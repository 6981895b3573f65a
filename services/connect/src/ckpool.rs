//! Sends the share log of a ckpool as sessions, jobs and shares.
//!
//! ckpool writes one file of shares per workbase (`log_shares`), in a folder per block height. Each share line
//! becomes a Stratum V1 share, its submitter and difficulty become a session, and each workbase becomes a job.
//! Workbases are lines with `coinbase1`, in files named `*.workinfo` or among the shares, in the form in which ckpool
//! sends them to its database.
//!
//! Nothing is lost or counted twice: a file's position advances only when everything before it is durable, an event's
//! identity comes from its file and place, and a file is identified by its first line, so it may be renamed.

mod files;
mod lines;
mod position;
mod translate;
mod versions;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wb_events::input::WORTH_SENDING_AGAIN;

use crate::{ConnectError, Ingest, Refused, Stop};
use files::{LogFile, OpenFile};
use lines::Line;
use position::Positions;
use translate::Translator;

/// Lines per request.
const LINES_AT_ONCE: usize = 500;
/// The longest pause before events that refer to something unknown are sent again: five polls.
const UNKNOWN_PAUSE: Duration = Duration::from_secs(5);
/// How many characters of an unreadable line are kept.
const KEPT_CHARS_MAX: usize = 4_096;
/// An unreadable line; it is put aside.
#[wb_coded::coded]
#[code("WB-5709")]
struct Unreadable;

/// What to read, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The pool's log folder.
    pub dir: PathBuf,
    /// The file that keeps the position. Refused events are kept beside it, as `.refused.ndjson`.
    pub position: PathBuf,
    /// The pool's name: the scope of its jobs.
    pub pool: String,
    /// The chain it mines.
    pub chain: String,
    /// The version bits that miners may roll.
    pub version_mask: u32,
    /// Bytes of the miner's part of the extranonce (`nonce2length`).
    pub extranonce2_bytes: usize,
    /// Machines by worker name; other workers are machines of the same name.
    pub machines: HashMap<String, String>,
    /// The pause between two polls.
    pub poll: Duration,
    /// How long a share waits for a missing workbase, machine or session.
    pub patience: Duration,
    /// Read what is there, then end.
    pub once: bool,
}

/// The result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Accepted shares.
    pub shares: u64,
    /// Accepted facts.
    pub facts: u64,
    /// Refused events, put aside.
    pub refused: u64,
    /// Unreadable lines, put aside.
    pub unreadable: u64,
}

/// Sends the log until it is stopped, or up to its end with `once`.
///
/// # Errors
/// [`ConnectError`]. The next start continues after the last acknowledged event.
pub async fn run(options: &Options, ingest: &Ingest, stop: &Stop) -> Result<Summary, ConnectError> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    if options.pool.is_empty() || options.pool.len() > 40 || !options.pool.chars().all(plain) {
        return Err(ConnectError::Name { what: "the pool's name", text: options.pool.clone() });
    }
    let mut tail = Tail {
        options,
        ingest,
        stop,
        positions: Positions::open(&options.position)?,
        translator: Translator::new(options),
        looked_at: BTreeMap::new(),
        preloaded: BTreeSet::new(),
        waiting: HashMap::new(),
        summary: Summary::default(),
    };
    loop {
        tail.look().await?;
        if options.once || stop.is_told() {
            return Ok(tail.summary);
        }
        stop.sleep(options.poll).await;
    }
}

struct Tail<'a> {
    options: &'a Options,
    ingest: &'a Ingest,
    stop: &'a Stop,
    positions: Positions,
    translator: Translator,
    /// Files that were read to their end, with their state at that time.
    looked_at: BTreeMap<PathBuf, (LogFile, u64)>,
    /// Files whose earlier workbases are loaded again after a start.
    preloaded: BTreeSet<u64>,
    /// Files that wait for a workbase, and since when.
    waiting: HashMap<u64, Instant>,
    summary: Summary,
}

/// A part of a file that is ready to be sent.
#[derive(Default)]
struct Part {
    facts: Vec<Value>,
    shares: Vec<Value>,
    put_aside: Vec<Value>,
    /// Where the next part begins.
    end: u64,
    /// Whether the next line waits for its workbase.
    waits: bool,
}

impl Tail<'_> {
    /// Polls every file once.
    async fn look(&mut self) -> Result<(), ConnectError> {
        let mut alive = BTreeSet::new();
        let found = files::list(&self.options.dir)?;
        // After a start, the workbases of all files are loaded before any file is read on.
        for file in &found {
            if !self.looked_at.contains_key(&file.path) {
                self.preload(file)?;
            }
        }
        for file in found {
            if let Some((seen, fingerprint)) = self.looked_at.get(&file.path)
                && *seen == file
            {
                alive.insert(*fingerprint);
                continue;
            }
            let Some(mut opened) = files::open(&file.path)? else { continue };
            alive.insert(opened.fingerprint);
            if self.read_on(&file, &mut opened).await? {
                self.looked_at.insert(file.path.clone(), (file, opened.fingerprint));
            }
            if self.stop.is_told() {
                return Ok(());
            }
        }
        self.looked_at.retain(|_, (_, fingerprint)| alive.contains(fingerprint));
        self.preloaded.retain(|fingerprint| alive.contains(fingerprint));
        self.positions.keep_only(&alive);
        Ok(())
    }

    /// Sends what is new in a file; returns whether that was all of it.
    async fn read_on(&mut self, file: &LogFile, opened: &mut OpenFile) -> Result<bool, ConnectError> {
        let fingerprint = opened.fingerprint;
        let mut from = self.positions.offset(fingerprint);
        loop {
            let part = self.part(file, opened, from)?;
            if part.end > from {
                if !self.send(&part, file).await? {
                    return Ok(false);
                }
                self.positions.advance(fingerprint, &file.path, part.end);
                self.positions.save()?;
                from = part.end;
            } else {
                return Ok(!part.waits);
            }
        }
    }

    /// Loads the workbases of the part that was sent before the last start.
    fn preload(&mut self, file: &LogFile) -> Result<(), ConnectError> {
        let Some(mut opened) = files::open(&file.path)? else { return Ok(()) };
        if !self.preloaded.insert(opened.fingerprint) {
            return Ok(());
        }
        let until = self.positions.offset(opened.fingerprint);
        let mut from = 0;
        while from < until {
            let read = opened.read(from, LINES_AT_ONCE, &file.path)?;
            for (start, line) in &read.lines {
                let line = line.as_deref().filter(|line| *start < until && line.contains("\"coinbase1\""));
                if let Some(Ok(Line::Workbase(workbase))) = line.map(|line| lines::parse(line, file.height)) {
                    self.translator.learn(*workbase);
                }
            }
            if read.end == from {
                break;
            }
            from = read.end;
        }
        Ok(())
    }

    fn part(&mut self, file: &LogFile, opened: &mut OpenFile, from: u64) -> Result<Part, ConnectError> {
        let read = opened.read(from, LINES_AT_ONCE, &file.path)?;
        let mut part = Part { end: read.end, ..Part::default() };
        for (start, line) in &read.lines {
            let parsed = match line {
                Some(line) if line.is_empty() => continue,
                Some(line) => lines::parse(line, file.height),
                None => Err(format!("it has more than {} bytes", lines::LINE_BYTES_MAX)),
            };
            match parsed {
                Ok(Line::Other) => {}
                Ok(Line::Workbase(workbase)) => part.facts.push(self.translator.job(*workbase)),
                Ok(Line::Share(share)) => {
                    if !self.translator.knows(share.workinfo_id) && self.still_waits(opened.fingerprint) {
                        part.end = *start;
                        part.waits = true;
                        break;
                    }
                    let (session, event) = self.translator.share(&share, opened.fingerprint, *start);
                    part.facts.extend(session);
                    part.shares.push(event);
                }
                Err(reason) => {
                    let kept: String =
                        line.as_deref().unwrap_or_default().chars().take(KEPT_CHARS_MAX).collect();
                    part.put_aside.push(json!({
                        "code": Unreadable.code(), "reason": reason, "file": file.path.to_string_lossy(),
                        "offset": start, "line": kept,
                    }));
                }
            }
        }
        if !part.waits {
            self.waiting.remove(&opened.fingerprint);
        }
        Ok(part)
    }

    /// Whether a file may still wait for a workbase. After the limit its shares are sent as they are, and count as
    /// shares of an unknown job.
    fn still_waits(&mut self, fingerprint: u64) -> bool {
        if self.options.once {
            return false;
        }
        let since = *self.waiting.entry(fingerprint).or_insert_with(Instant::now);
        since.elapsed() < self.options.patience
    }

    /// Sends a part; false if it was stopped before all of it was durable.
    async fn send(&mut self, part: &Part, file: &LogFile) -> Result<bool, ConnectError> {
        let mut put_aside = part.put_aside.clone();
        let events: Vec<Value> = part.facts.iter().chain(&part.shares).cloned().collect();
        let started = Instant::now();
        let mut refused = Vec::new();
        while !events.is_empty() {
            let Some(answer) = self.ingest.post(&events, self.stop).await? else { return Ok(false) };
            refused = answer;
            let unknown = refused.iter().find(|refused| WORTH_SENDING_AGAIN.contains(&refused.code.as_str()));
            let Some(unknown) = unknown else { break };
            if self.options.once || started.elapsed() >= self.options.patience {
                break;
            }
            tracing::warn!(
                file = %file.path.display(), code = unknown.code, reason = unknown.reason,
                "shares wait for the facts that they refer to"
            );
            self.stop.sleep(self.options.poll.saturating_mul(5).min(UNKNOWN_PAUSE)).await;
            if self.stop.is_told() {
                return Ok(false);
            }
        }
        self.count(part, &refused);
        for refused in refused {
            let event = events.get(refused.index).cloned().unwrap_or_default();
            self.translator.forget_refused(&event);
            put_aside.push(json!({
                "code": refused.code, "field": refused.field, "reason": refused.reason, "event": event,
            }));
        }
        if !put_aside.is_empty() {
            self.put_aside(&put_aside)?;
        }
        Ok(true)
    }

    fn count(&mut self, part: &Part, refused: &[Refused]) {
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let facts_refused = refused.iter().filter(|refused| refused.index < part.facts.len()).count();
        let shares_refused = refused.len() - facts_refused;
        self.summary.facts += number(part.facts.len().saturating_sub(facts_refused));
        self.summary.shares += number(part.shares.len().saturating_sub(shares_refused));
        self.summary.refused += number(refused.len());
        self.summary.unreadable += number(part.put_aside.len());
    }

    /// Writes refused events to a file, complete, so that they can be sent again once the cause is removed.
    fn put_aside(&self, entries: &[Value]) -> Result<(), ConnectError> {
        let path = refused_path(&self.options.position);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(ConnectError::file("make the folder", folder))?;
        }
        let text: String = entries.iter().map(|entry| format!("{entry}\n")).collect();
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(ConnectError::file("open", &path))?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(ConnectError::file("write", &path))?;
        tracing::warn!(entries = entries.len(), file = %path.display(), "refused events were put aside");
        Ok(())
    }
}

/// The file of refused events and unreadable lines.
#[must_use]
pub fn refused_path(position: &Path) -> PathBuf {
    position.with_extension("refused.ndjson")
}
