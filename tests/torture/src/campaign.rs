//! The campaign: rounds, each on a stack of its own, and their result.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use wb_testkit::Random;

use crate::faults::storm::Storm;
use crate::faults::{Counts, committed_late, strace, syscalls};
use crate::load::Load;
use crate::oracle;
use crate::readers;
use crate::report::{Arm, Report};
use crate::site::{Layout, Site};
use crate::stack::Stack;

/// Kills of one round at most: a round's log must not grow so long that every start has to read it for seconds.
const ROUND_KILLS: u64 = 250;
/// Shares that are mined for each kill of a round.
const SHARES_PER_KILL: u64 = 60;
const SHARES_MIN: u64 = 6_000;

/// Stacks that are tried for one round.
const START_TRIES: u32 = 2;
/// Points of each kind that are tried with the second layout of the long form.
const OTHER_LAYOUT_SAMPLE: usize = 8;

/// Fewer aggregators than partitions, and more.
const FEWER: Layout = Layout { shares: 4, others: 1, aggregators: 3, visitors: 2 };
const MORE: Layout = Layout { shares: 1, others: 1, aggregators: 4, visitors: 3 };
/// The short form's only layout: seven partitions, three aggregators, sometimes five.
const SHORT: Layout = Layout { shares: 3, others: 1, aggregators: 3, visitors: 2 };

/// What to do.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Random kills of the product's processes.
    pub kills: u64,
    /// The seed of everything.
    pub seed: u64,
    /// Whether every enumerated point is tried, or this many of each kind.
    pub sample: Option<usize>,
    /// The program.
    pub weighbridge: PathBuf,
    /// The program that runs the control arms as `control NAME`.
    pub arms: PathBuf,
    /// Whether the folders of the rounds are kept.
    pub keep: bool,
}

/// Runs all rounds.
///
/// # Errors
/// Where the campaign itself cannot go on; its findings are in the report.
pub async fn run(settings: &Settings) -> Result<Report> {
    let began = Instant::now();
    let mut report = Report { seed: settings.seed, date: utc_now(), ..Report::default() };
    let rounds = settings.kills.div_ceil(ROUND_KILLS).max(if settings.sample.is_some() { 1 } else { 2 });
    for round in 0..rounds {
        let kills = settings.kills / rounds + u64::from(round < settings.kills % rounds);
        let layout = match (settings.sample, round % 2) {
            (Some(_), _) => SHORT,
            (None, 0) => FEWER,
            (None, _) => MORE,
        };
        // Every point once, a sample with the other layout; further rounds are storms alone.
        let points = match (settings.sample, round) {
            (None, 1) => Some(OTHER_LAYOUT_SAMPLE),
            (None, 2..) => Some(0),
            (sample, _) => sample,
        };
        crate::tell(&format!("round {} of {rounds}: {layout:?}", round + 1));
        let plan = Round { settings, layout, kills, points, seed: settings.seed.wrapping_add(round) };
        if let Err(error) = plan.run(&mut report).await {
            // The results of earlier rounds are reported all the same; a round that cannot end is a failure.
            report.wrong.push(format!("round {} of {rounds} did not come to its end: {error:#}", round + 1));
            break;
        }
        report.rounds += 1;
        report.took = began.elapsed();
        let [ours, ..] = report.arms.as_slice() else { continue };
        crate::tell(&format!(
            "after {} s: {} kills, {} points, {} lost, {} double counted",
            report.took.as_secs(),
            ours.kills,
            ours.points,
            ours.difference.lost,
            ours.difference.doubled
        ));
    }
    Ok(report)
}

struct Round<'a> {
    settings: &'a Settings,
    layout: Layout,
    kills: u64,
    points: Option<usize>,
    seed: u64,
}

impl Round<'_> {
    async fn run(&self, report: &mut Report) -> Result<()> {
        let (site, stack) = self.start().await?;
        let before = report.failures().len();
        let struck = self.strike(&stack, report).await;
        stack.end().await;
        let found = report.failures().len() > before;
        if struck.is_err() || (found && report.arms.first().is_some_and(|ours| !ours.difference.is_none())) {
            crate::tell(&format!("what is left of this round is kept in {}", site.keep().display()));
        }
        struck
    }

    /// Starts a stack. If it does not come up, before anything was done to it, its logs are printed and a second one
    /// is tried on other ports.
    async fn start(&self) -> Result<(Arc<Site>, Stack)> {
        let mut random = Random::of(self.seed, "site");
        let settings = self.settings;
        let mut last = None;
        for _ in 0..START_TRIES {
            let site = Site::new(self.layout, &settings.weighbridge, &settings.arms, &mut random)?;
            strace::must_be_allowed(site.path()).await?;
            if settings.keep {
                crate::tell(&format!("kept: {}", site.keep().display()));
            }
            let site = Arc::new(site);
            match Stack::start(Arc::clone(&site)).await {
                Ok(stack) => return Ok((site, stack)),
                Err(error) => {
                    crate::tell(&format!("the stack did not start: {error:#}\n{}", site.log_tails()));
                    crate::tell(&format!("what is left of it is kept in {}", site.keep().display()));
                    last = Some(error);
                }
            }
        }
        Err(last.unwrap_or_else(|| anyhow::anyhow!("no stack was tried")))
    }

    async fn strike(&self, stack: &Stack, report: &mut Report) -> Result<()> {
        let counts = Arc::new(Counts::default());
        let shares = self.kills.saturating_mul(SHARES_PER_KILL).max(SHARES_MIN);
        let load = Load::start(&stack.site, self.seed, usize::try_from(shares)?).await?;
        let told = Arc::clone(&load.told);
        let mut random = Random::of(self.seed, "points");
        let mut storm = Storm::new(stack, &counts, self.seed);
        if self.points != Some(0) {
            committed_late::run(stack, &counts).await?;
        }
        storm.rage(self.kills / 2).await?;
        if self.points != Some(0) {
            syscalls::run(stack, &counts, self.points, &mut random).await?;
        }
        storm.rage(self.kills - self.kills / 2).await?;
        drop(storm);
        crate::tell("nothing is killed any more: waiting until all is acknowledged, committed and projected");
        load.finish().await?;
        readers::settle(stack).await?;
        let (log_events, places) = readers::log_places(stack).await?;
        let seen = readers::seen(stack, log_events).await?;
        let difference = oracle::compare(&told.truth(), &seen);
        crate::tell(&format!(
            "{} events sent, {} acknowledged with repeats, {} requests repeated, {log_events} in the log",
            told.truth().events(),
            Counts::get(&told.acknowledged),
            Counts::get(&told.repeated)
        ));
        report.sent += told.truth().events();
        report.wrong.extend(told.wrong());
        report.missed += Counts::get(&counts.missed);
        report.committed_late += Counts::get(&counts.committed_late);
        report.collected += Counts::get(&counts.collected);
        report.rebalances += Counts::get(&counts.rebalances);
        let mut arms = vec![Arm {
            name: "weighbridge".to_owned(),
            kills: Counts::get(&counts.kills),
            stops: Counts::get(&counts.stops),
            points: Counts::get(&counts.points),
            blocks: seen.blocks,
            events: log_events,
            difference,
        }];
        for arm in &stack.arms {
            let rows = readers::arm_rows(stack, arm, &places).await?;
            arms.push(Arm {
                name: arm.name().to_owned(),
                kills: arm.kills(),
                events: u64::try_from(places.len())?,
                difference: oracle::compare_arm(&places, &rows),
                ..Arm::default()
            });
        }
        report.arms.resize(arms.len(), Arm::default());
        for (sum, arm) in report.arms.iter_mut().zip(arms) {
            sum.add(arm);
        }
        Ok(())
    }
}

/// The date and time, to the second.
fn utc_now() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (days, seconds) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // Days to a date of the Gregorian calendar, in eras of 400 years that begin in March.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// The seed that was given, else one of the clock.
#[must_use]
pub fn seed(given: Option<u64>) -> u64 {
    let committed = std::env::var("WEIGHBRIDGE_SEED").ok().and_then(|text| text.parse().ok());
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    given.or(committed).unwrap_or(since.as_secs())
}

/// Prints whether it passed, and writes the report where one was asked for.
///
/// # Errors
/// Where the report cannot be written, or where it did not pass.
pub fn conclude(report: &Report, path: Option<&Path>) -> Result<()> {
    crate::print(&report.markdown());
    if let Some(path) = path {
        report.write(path)?;
        report.write(&path.with_extension("json"))?;
    }
    let failures = report.failures();
    anyhow::ensure!(failures.is_empty(), "the campaign failed; the report says of what");
    Ok(())
}

impl Settings {
    /// The short form: some 40 kills and a few points of each kind.
    #[must_use]
    pub fn short(seed: u64, weighbridge: PathBuf, arms: PathBuf) -> Self {
        Self { kills: 40, seed, sample: Some(4), weighbridge, arms, keep: false }
    }
}
