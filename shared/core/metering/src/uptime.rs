//! A machine's time by status: hashing, reachable, curtailed, in maintenance, offline, or not known.
//!
//! A sample covers the time until the next one, as long as that is near enough; the time after that is unknown. A
//! sample that only repeats the one before (same uptime of the firmware) comes from a cache and covers no time.
//! Curtailment windows and maintenance are reference facts: they explain time in which the machine did not hash, and
//! never replace time in which it did.

use wb_units::time::interval_start;
use wb_units::{Interval, Micros, SETTLEMENT_INTERVAL_US};

use crate::ratio::ppm;

/// What one poll of a machine found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Found {
    /// It hashed.
    Hashing,
    /// It answered, and did not hash.
    Reachable,
    /// It answered that a command has put it to sleep.
    Asleep,
    /// It did not answer, though the site could be reached.
    Silent,
}

impl Found {
    /// A sample's stored state: one of a miner's own states, or `offline` where the collector reached others and not
    /// it. `None` for a name that no writer stores.
    #[must_use]
    pub fn of_state(name: &str) -> Option<Self> {
        use crate::miner::State;
        let own = [State::Hashing, State::Reachable, State::Curtailed].into_iter();
        let found = own.into_iter().find(|state| state.as_str() == name).map(Self::from);
        found.or_else(|| (name == Status::Offline.as_str()).then_some(Self::Silent))
    }
}

impl From<crate::miner::State> for Found {
    fn from(state: crate::miner::State) -> Self {
        match state {
            crate::miner::State::Hashing => Self::Hashing,
            crate::miner::State::Reachable => Self::Reachable,
            crate::miner::State::Curtailed => Self::Asleep,
        }
    }
}

/// One poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Poll {
    /// When.
    pub at_us: Micros,
    /// The event's identity; orders polls of one instant.
    pub id: [u8; 16],
    /// The firmware's uptime in seconds.
    pub uptime_s: Option<u64>,
    /// What was found.
    pub found: Found,
}

/// The status of a machine in a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// It hashed.
    Hashing,
    /// It answered and did not hash.
    Reachable,
    /// It did not hash because it was curtailed.
    Curtailed,
    /// It did not hash during maintenance.
    Maintenance,
    /// It did not answer.
    Offline,
    /// Not known.
    Unknown,
}

impl Status {
    /// All of them, in the order of [`Uptime::by_status_us`].
    pub const ALL: [Self; 6] =
        [Self::Hashing, Self::Reachable, Self::Curtailed, Self::Maintenance, Self::Offline, Self::Unknown];

    /// The stable name that is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hashing => "hashing",
            Self::Reachable => "reachable",
            Self::Curtailed => "curtailed",
            Self::Maintenance => "maintenance",
            Self::Offline => "offline",
            Self::Unknown => "unknown",
        }
    }

    fn place(self) -> usize {
        match self {
            Self::Hashing => 0,
            Self::Reachable => 1,
            Self::Curtailed => 2,
            Self::Maintenance => 3,
            Self::Offline => 4,
            Self::Unknown => 5,
        }
    }
}

/// The windows that reference facts give, each list in order of time and not overlapping.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Windows {
    /// When the site or machine was curtailed.
    pub curtailment: Vec<Interval>,
    /// When it was in maintenance.
    pub maintenance: Vec<Interval>,
}

/// A time with its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The time.
    pub interval: Interval,
    /// What it did.
    pub status: Status,
}

/// What a machine did in a period, without gaps: from polls in any order and with any repeats. `longest_us` is the
/// longest time that a poll covers.
#[must_use]
pub fn timeline(polls: &[Poll], windows: &Windows, longest_us: i64, period: Interval) -> Vec<Stretch> {
    let mut ordered = polls.to_vec();
    ordered.sort_unstable();
    ordered.dedup_by_key(|poll| poll.at_us);
    ordered.dedup_by(|after, before| after.uptime_s.is_some() && after.uptime_s == before.uptime_s);
    let mut stretches = Vec::new();
    let mut from_us = period.start_us;
    let ends = ordered.iter().skip(1).map(|next| Some(next.at_us)).chain([None]);
    for (poll, next_us) in ordered.iter().zip(ends) {
        let limit_us = poll.at_us.saturating_add(longest_us);
        // A poll without a near follower covers no time.
        let Some(end_us) = next_us.filter(|next_us| *next_us <= limit_us) else { continue };
        let Some(part) = period.intersect(&Interval { start_us: poll.at_us, end_us }) else { continue };
        if from_us < part.start_us {
            explain(
                Interval { start_us: from_us, end_us: part.start_us },
                Status::Unknown,
                windows,
                &mut stretches,
            );
        }
        let status = match poll.found {
            Found::Hashing => Status::Hashing,
            Found::Reachable => Status::Reachable,
            Found::Asleep => Status::Curtailed,
            Found::Silent => Status::Offline,
        };
        explain(part, status, windows, &mut stretches);
        from_us = part.end_us;
    }
    if from_us < period.end_us {
        explain(
            Interval { start_us: from_us, end_us: period.end_us },
            Status::Unknown,
            windows,
            &mut stretches,
        );
    }
    stretches
}

/// Cuts a time at the windows, and applies them where the machine did not hash. Maintenance goes before curtailment:
/// a machine under repair could not have been curtailed.
fn explain(part: Interval, status: Status, windows: &Windows, stretches: &mut Vec<Stretch>) {
    let mut push = |interval: Interval, status: Status| match stretches.last_mut() {
        _ if interval.duration_us() <= 0 => {}
        Some(last) if last.status == status && last.interval.end_us == interval.start_us => {
            last.interval.end_us = interval.end_us;
        }
        _ => stretches.push(Stretch { interval, status }),
    };
    if status == Status::Hashing {
        push(part, status);
        return;
    }
    let mut edges = vec![part.start_us, part.end_us];
    for window in windows.curtailment.iter().chain(&windows.maintenance) {
        edges.extend([window.start_us, window.end_us].into_iter().filter(|edge| part.contains(*edge)));
    }
    edges.sort_unstable();
    for pair in edges.windows(2) {
        let [start_us, end_us] = *pair else { continue };
        let inside = |windows: &[Interval]| windows.iter().any(|window| window.contains(start_us));
        let explained = if inside(&windows.maintenance) {
            Status::Maintenance
        } else if inside(&windows.curtailment) {
            Status::Curtailed
        } else {
            status
        };
        push(Interval { start_us, end_us }, explained);
    }
}

/// Time by status; adds exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Uptime {
    /// Microseconds by status, in the order of [`Status::ALL`].
    pub by_status_us: [u64; 6],
}

impl Uptime {
    /// The time of a period in each status.
    #[must_use]
    pub fn of(stretches: &[Stretch], period: Interval) -> Self {
        let mut uptime = Self::default();
        for stretch in stretches {
            if let Some(part) = stretch.interval.intersect(&period) {
                uptime.by_status_us[stretch.status.place()] += part.end_us.abs_diff(part.start_us);
            }
        }
        uptime
    }

    /// The time in one status, in microseconds.
    #[must_use]
    pub fn in_status_us(&self, status: Status) -> u64 {
        self.by_status_us[status.place()]
    }

    /// Adds another machine's or interval's time.
    pub fn add(&mut self, other: &Self) {
        for (sum, part) in self.by_status_us.iter_mut().zip(other.by_status_us) {
            *sum = sum.saturating_add(part);
        }
    }

    /// All time, in microseconds.
    #[must_use]
    pub fn total_us(&self) -> u64 {
        self.by_status_us.iter().sum()
    }

    /// Hashing over all time, in parts per million: unknown time does not count as up.
    #[must_use]
    pub fn raw_ppm(&self) -> Option<u64> {
        ppm(u128::from(self.in_status_us(Status::Hashing)), u128::from(self.total_us()))
    }

    /// Hashing over the time that the contract's carve-outs leave, in parts per million; `None`
    /// where they leave none.
    #[must_use]
    pub fn adjusted_ppm(&self, carve_outs: &[Status]) -> Option<u64> {
        let mut left_us = self.total_us();
        for status in Status::ALL {
            if status != Status::Hashing && carve_outs.contains(&status) {
                left_us -= self.in_status_us(status);
            }
        }
        ppm(u128::from(self.in_status_us(Status::Hashing)), u128::from(left_us))
    }
}

/// A period's stretches by settlement interval: (its start, its time).
#[must_use]
pub fn by_interval(stretches: &[Stretch]) -> Vec<(Micros, Uptime)> {
    let mut folded: Vec<(Micros, Uptime)> = Vec::new();
    for stretch in stretches {
        let mut from_us = stretch.interval.start_us;
        while from_us < stretch.interval.end_us {
            let start_us = interval_start(from_us);
            let end_us = stretch.interval.end_us.min(start_us.saturating_add(SETTLEMENT_INTERVAL_US));
            if folded.last().is_none_or(|(last_us, _)| *last_us != start_us) {
                folded.push((start_us, Uptime::default()));
            }
            if let Some((_, uptime)) = folded.last_mut() {
                uptime.by_status_us[stretch.status.place()] += end_us.abs_diff(from_us);
            }
            from_us = end_us;
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wb_units::time::SECOND_US;

    fn poll(at_s: i64, uptime_s: Option<u64>, found: Found) -> Poll {
        Poll { at_us: at_s * SECOND_US, id: [0; 16], uptime_s, found }
    }

    fn seconds(start_s: i64, end_s: i64) -> Interval {
        Interval { start_us: start_s * SECOND_US, end_us: end_s * SECOND_US }
    }

    fn shown(stretches: &[Stretch]) -> Vec<(i64, i64, &'static str)> {
        let short = |stretch: &Stretch| {
            let Interval { start_us, end_us } = stretch.interval;
            (start_us / SECOND_US, end_us / SECOND_US, stretch.status.as_str())
        };
        stretches.iter().map(short).collect()
    }

    #[test]
    fn polls_facts_and_silence_make_a_timeline() {
        let polls = [
            poll(60, Some(10), Found::Hashing),
            poll(120, Some(70), Found::Hashing),
            poll(180, Some(130), Found::Reachable),
            poll(240, None, Found::Silent),
            poll(300, Some(5), Found::Hashing),
            poll(360, Some(65), Found::Hashing),
            // Ten minutes without a poll.
            poll(960, Some(665), Found::Hashing),
            poll(1020, Some(725), Found::Asleep),
            poll(1080, Some(785), Found::Hashing),
        ];
        let windows = Windows { curtailment: vec![seconds(100, 200)], maintenance: vec![seconds(250, 280)] };
        let timeline = timeline(&polls, &windows, 120 * SECOND_US, seconds(0, 1200));
        assert_eq!(
            shown(&timeline),
            [
                (0, 60, "unknown"),
                (60, 180, "hashing"),
                (180, 200, "curtailed"),
                (200, 240, "reachable"),
                (240, 250, "offline"),
                (250, 280, "maintenance"),
                (280, 300, "offline"),
                (300, 360, "hashing"),
                (360, 960, "unknown"),
                (960, 1020, "hashing"),
                (1020, 1080, "curtailed"),
                (1080, 1200, "unknown"),
            ]
        );
        let uptime = Uptime::of(&timeline, seconds(60, 360));
        assert_eq!(uptime.raw_ppm(), Some(600_000));
        // 180 s of 300 s less 20 s of curtailment and 30 s of maintenance.
        assert_eq!(uptime.adjusted_ppm(&[Status::Curtailed, Status::Maintenance]), Some(720_000));
    }

    #[test]
    fn a_cached_answer_is_no_evidence() {
        let polls = [
            poll(0, Some(10), Found::Hashing),
            poll(60, Some(10), Found::Hashing),
            poll(120, Some(10), Found::Hashing),
        ];
        let timeline = timeline(&polls, &Windows::default(), 90 * SECOND_US, seconds(0, 120));
        assert_eq!(shown(&timeline), [(0, 120, "unknown")]);
    }

    #[test]
    fn a_stored_state_is_one_of_four() {
        let found = ["hashing", "reachable", "curtailed", "offline", "", "on"].map(Found::of_state);
        let known = [Found::Hashing, Found::Reachable, Found::Asleep, Found::Silent].map(Some);
        assert_eq!((&found[..4], &found[4..]), (&known[..], &[None, None][..]));
    }

    #[test]
    fn nothing_left_is_no_uptime() {
        let uptime = Uptime { by_status_us: [0, 0, 60, 0, 0, 0] };
        assert_eq!(uptime.adjusted_ppm(&[Status::Curtailed]), None);
        assert_eq!(Uptime::default().raw_ppm(), None);
    }

    proptest! {
        #[test]
        fn every_moment_has_one_status_and_order_changes_nothing(
            polls in prop::collection::vec((0_i64..3_000, any::<u8>(), prop::option::of(0_u64..99), 0_u8..4), 0..40),
            curtailed in (0_i64..3_000, 0_i64..900), turn in 0_usize..40,
        ) {
            let polls: Vec<_> = polls
                .into_iter()
                .map(|(at_s, id, uptime_s, found)| Poll {
                    at_us: at_s * SECOND_US,
                    id: [id; 16],
                    uptime_s,
                    found: [Found::Hashing, Found::Reachable, Found::Asleep, Found::Silent][usize::from(found)],
                })
                .collect();
            let windows =
                Windows { curtailment: vec![seconds(curtailed.0, curtailed.0 + curtailed.1)], maintenance: vec![] };
            let period = seconds(100, 2_900);
            let whole = timeline(&polls, &windows, 200 * SECOND_US, period);
            let mut turned: Vec<_> = polls.iter().chain(&polls).copied().collect();
            if !turned.is_empty() {
                let middle = turn % turned.len();
                turned.rotate_left(middle);
            }
            prop_assert_eq!(&whole, &timeline(&turned, &windows, 200 * SECOND_US, period));
            let mut at_us = period.start_us;
            for stretch in &whole {
                prop_assert_eq!(stretch.interval.start_us, at_us);
                at_us = stretch.interval.end_us;
            }
            prop_assert_eq!(at_us, period.end_us);
            let mut merged = Uptime::default();
            for (_, uptime) in by_interval(&whole) {
                merged.add(&uptime);
            }
            prop_assert_eq!(merged, Uptime::of(&whole, period));
        }
    }
}
