//! A reading under construction, and the rules for every family.

use super::reading::{Average, Boards, Family, FieldNames, PowerSource, Reading, ShareDifficulty, State};

/// A value and the field of the answers that gave it.
pub(super) type Said<T> = Option<(T, &'static str)>;

/// The largest power that is accepted, in watts. Sixteen-bit sensors without a value report 65535, and no machine in
/// one chassis comes near.
const POWER_MAX_W: u64 = 65_534;

/// The longest uptime that is believed, in seconds: ten years, more than any machine's product line is mined with. A
/// control board without a clock starts in 1970, and counts more once the network gives it the time.
const UPTIME_MAX_S: u64 = 10 * 365 * 86_400;

/// A reading in the making.
pub(super) struct Draft {
    pub(super) family: Family,
    pub(super) algorithm: &'static str,
    /// What contradicts a hashing state, if anything.
    pub(super) stopped: Said<State>,
    pub(super) hashrate_hs: Said<u128>,
    pub(super) power_mw: Said<u64>,
    pub(super) power_source: PowerSource,
    pub(super) uptime_s: Said<u64>,
    pub(super) system_uptime_s: Option<u64>,
    /// Accepted, rejected, stale.
    pub(super) shares: [Said<u64>; 3],
    pub(super) accepted_difficulty: Option<u128>,
    pub(super) share_difficulty: Option<ShareDifficulty>,
    pub(super) average: Said<Average>,
    pub(super) boards: Option<Boards>,
}

impl Draft {
    /// An empty draft of a family.
    pub(super) fn of(family: Family, algorithm: &'static str) -> Self {
        Self {
            family,
            algorithm,
            stopped: None,
            hashrate_hs: None,
            power_mw: None,
            power_source: PowerSource::Estimate,
            uptime_s: None,
            system_uptime_s: None,
            shares: [None; 3],
            accepted_difficulty: None,
            share_difficulty: None,
            average: None,
            boards: None,
        }
    }

    /// The reading: sensors without a value dropped, and a state that agrees with the hashrate.
    pub(super) fn settled(self) -> Reading {
        let (hashrate_hs, hashrate_field) = self.hashrate_hs.unzip();
        let hashes = hashrate_hs.is_some_and(|rate| rate > 0);
        // A machine that hashes draws power: zero is an unconnected sensor.
        let believed =
            self.power_mw.filter(|(power, _)| *power <= POWER_MAX_W * 1000 && (*power > 0 || !hashes));
        let (power_mw, power_field) = believed.unzip();
        let (state, state_field) = match self.stopped {
            Some((state, field)) => (state, Some(field)),
            None if hashes => (State::Hashing, hashrate_field),
            None => (State::Reachable, hashrate_field),
        };
        // Over a time that cannot be, there is no average either.
        let is_possible = |uptime_s: u64| uptime_s <= UPTIME_MAX_S;
        let average =
            self.average.filter(|_| self.uptime_s.is_none_or(|(uptime_s, _)| is_possible(uptime_s)));
        let (uptime_s, uptime_field) = self.uptime_s.filter(|(uptime_s, _)| is_possible(*uptime_s)).unzip();
        let [(accepted_shares, accepted), (rejected_shares, rejected), (stale_shares, stale)] =
            self.shares.map(Option::unzip);
        let (average, average_field) = average.unzip();
        Reading {
            family: self.family,
            state,
            algorithm: self.algorithm,
            hashrate_hs,
            power_mw,
            power_source: power_mw.map(|_| self.power_source),
            uptime_s,
            system_uptime_s: self.system_uptime_s.filter(|uptime_s| is_possible(*uptime_s)),
            accepted_shares,
            rejected_shares,
            stale_shares,
            accepted_difficulty: self.accepted_difficulty,
            share_difficulty: self.share_difficulty,
            average,
            boards: self.boards,
            fields: FieldNames {
                state: state_field,
                hashrate: hashrate_field,
                power: power_field,
                uptime: uptime_field,
                accepted,
                rejected,
                stale,
                average: average_field,
            },
        }
    }
}
