//! The storm: processes are killed, stopped and asked to end at random moments, several at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::process::Signal;
use tokio::task::JoinSet;
use wb_testkit::Random;

use super::Counts;
use crate::part::Part;
use crate::site::SESSION_TIMEOUT;
use crate::stack::Stack;

/// The broker takes some five seconds to come back, the engine one or two: killed more often, nothing else would
/// happen.
const BROKER_EVERY: Duration = Duration::from_secs(30);
const ENGINE_EVERY: Duration = Duration::from_secs(6);
/// From time to time nothing is killed for a while, so that processes get to work.
const CALM_EVERY: Duration = Duration::from_secs(20);
const CALM: Duration = Duration::from_millis(3_500);
/// How often lost attempts are collected, and for how long at most.
const COLLECT_EVERY: Duration = Duration::from_secs(20);
const COLLECT_FOR: Duration = Duration::from_secs(15);
/// How often the storm reports its progress.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// Without a new kill for so long, the stack is stuck.
const STUCK: Duration = Duration::from_secs(120);

/// The running storm.
pub struct Storm<'a> {
    stack: &'a Stack,
    counts: &'a Arc<Counts>,
    random: Random,
    broker_at: Instant,
    engine_at: Instant,
    collect_at: Instant,
    zombies: JoinSet<()>,
    /// The processes that are stopped for longer than a session, and until when: they are to wake, so they are not
    /// killed.
    asleep: Vec<(String, Instant)>,
}

impl<'a> Storm<'a> {
    /// A storm before its first kill.
    #[must_use]
    pub fn new(stack: &'a Stack, counts: &'a Arc<Counts>, seed: u64) -> Self {
        let now = Instant::now();
        Self {
            stack,
            counts,
            random: Random::of(seed, "storm"),
            // The first of each soon, so that a short round has them too.
            broker_at: now + BROKER_EVERY / 2,
            engine_at: now + ENGINE_EVERY / 2,
            collect_at: now + COLLECT_EVERY / 2,
            zombies: JoinSet::new(),
            asleep: Vec::new(),
        }
    }

    /// Kills until this many more kills have been made; then wakes and starts everything as at the start.
    ///
    /// # Errors
    /// Where nothing can be killed any more.
    pub async fn rage(&mut self, kills: u64) -> Result<()> {
        let until = Counts::get(&self.counts.kills) + kills;
        let (mut calm_at, mut tell_at) = (Instant::now() + CALM_EVERY, Instant::now() + TELL_EVERY);
        let mut last = (Instant::now(), 0);
        while Counts::get(&self.counts.kills) < until {
            let pause = self.random.between(150, 1_300);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            if Instant::now() > calm_at {
                tokio::time::sleep(CALM).await;
                calm_at = Instant::now() + CALM_EVERY;
            }
            match self.random.below(100) {
                0..14 => self.stop_something(),
                14..26 => self.rebalance(),
                26..30 => self.collect(),
                _ => self.kill_some(until),
            }
            if Instant::now() > tell_at {
                tell_at = Instant::now() + TELL_EVERY;
                self.tell(until);
            }
            let done = Counts::get(&self.counts.kills);
            if done != last.1 {
                last = (Instant::now(), done);
            } else if last.0.elapsed() > STUCK {
                bail!("nothing came up for {} s", STUCK.as_secs());
            }
            while self.zombies.try_join_next().is_some() {}
        }
        while self.zombies.join_next().await.is_some() {}
        for (index, aggregator) in self.stack.aggregators.iter().enumerate() {
            aggregator.want(index < self.stack.site.layout.aggregators);
        }
        Ok(())
    }

    fn tell(&self, until: u64) {
        crate::tell(&format!(
            "{} of {until} kills, {} stops, {} rebalances",
            Counts::get(&self.counts.kills),
            Counts::get(&self.counts.stops),
            Counts::get(&self.counts.rebalances)
        ));
    }

    fn running_aggregator(&mut self) -> Option<&'a Part> {
        let stack = self.stack;
        self.asleep.retain(|(_, until)| *until > Instant::now());
        let awake = |part: &&Part| self.asleep.iter().all(|(name, _)| name != part.name());
        let running: Vec<&Part> =
            stack.aggregators.iter().filter(|part| part.pid().is_some()).filter(awake).collect();
        self.random.pick(&running).copied()
    }

    /// Kills up to three parts at the same moment, and both arms with them.
    fn kill_some(&mut self, until: u64) {
        for _ in 0..self.random.between(1, 3) {
            if Counts::get(&self.counts.kills) >= until {
                break;
            }
            let now = Instant::now();
            let target = match self.random.below(100) {
                0..4 if now > self.broker_at => {
                    self.broker_at = now + BROKER_EVERY;
                    Some(&self.stack.broker)
                }
                4..24 if now > self.engine_at => {
                    self.engine_at = now + ENGINE_EVERY;
                    Some(&self.stack.engine)
                }
                24..40 => Some(&self.stack.ingest),
                40..48 => Some(&self.stack.billing),
                _ => self.running_aggregator(),
            };
            if target.is_some_and(Part::kill) {
                Counts::add(&self.counts.kills);
            }
        }
        for arm in &self.stack.arms {
            arm.kill();
        }
    }

    /// Kills the broker and the engine once, at whatever they are doing.
    pub fn kill_backends(&self) {
        for part in [&self.stack.broker, &self.stack.engine] {
            if part.kill() {
                Counts::add(&self.counts.kills);
            }
        }
        for arm in &self.stack.arms {
            arm.kill();
        }
    }

    /// Stops a process and wakes it later, at times only when its session is over.
    fn stop_something(&mut self) {
        let target = match self.random.below(10) {
            0 => Some(&self.stack.ingest),
            1 => Some(&self.stack.engine),
            _ => self.running_aggregator(),
        };
        let Some(target) = target.cloned() else { return };
        let long = self.random.percent(20) && target.name().starts_with("aggregator");
        let session = u64::try_from(SESSION_TIMEOUT.as_millis()).unwrap_or(0);
        let extra = self.random.between(200, 2_500);
        let pause = Duration::from_millis(extra + if long { session } else { 0 });
        if !target.signal(Signal::STOP) {
            return;
        }
        Counts::add(&self.counts.stops);
        if long {
            self.asleep.push((target.name().to_owned(), Instant::now() + pause));
        }
        self.zombies.spawn(async move {
            tokio::time::sleep(pause).await;
            // A process that was killed meanwhile is another one, and ignores the signal.
            target.signal(Signal::CONT);
        });
    }

    /// Removes attempts that lost, while others are being written, as the product does every ten minutes. Each
    /// removal is a mutation, so it runs beside the storm, and only for a while.
    fn collect(&mut self) {
        if Instant::now() < self.collect_at {
            return;
        }
        self.collect_at = Instant::now() + COLLECT_EVERY;
        let (store, counts) = (self.stack.store(), Arc::clone(self.counts));
        self.zombies.spawn(async move {
            // An engine that does not run is asked again another time.
            if let Ok(Ok(store)) = tokio::time::timeout(COLLECT_FOR, store).await
                && let Ok(Ok(found)) = tokio::time::timeout(COLLECT_FOR, store.collect_garbage()).await
            {
                counts.collected.fetch_add(u64::try_from(found).unwrap_or(0), Ordering::Relaxed);
            }
        });
    }

    /// Aggregators come, go, and are started again.
    fn rebalance(&mut self) {
        let stack = self.stack;
        let layout = stack.site.layout;
        let index = self.random.index(layout.aggregators + layout.visitors);
        let Some(part) = stack.aggregators.get(index) else { return };
        if self.asleep.iter().any(|(name, until)| name == part.name() && *until > Instant::now()) {
            return;
        }
        if index < layout.aggregators {
            part.ask_to_end();
        } else {
            part.want(part.pid().is_none());
        }
        Counts::add(&self.counts.rebalances);
    }
}
