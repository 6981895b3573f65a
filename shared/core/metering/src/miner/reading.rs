//! The values of one set of answers, in exact units, each with the field it came from.

/// The firmware's family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// Bitmain's own firmware on an Antminer.
    AntminerStock,
    /// MicroBT's firmware on a Whatsminer, interface versions 1 to 3.
    Whatsminer,
    /// Braiins OS, by its REST interface or the GraphQL one before it.
    BraiinsOs,
    /// LuxOS.
    LuxOs,
    /// ePIC's PowerPlay and umcOS.
    Epic,
    /// Canaan's Avalon.
    Avalon,
    /// Auradine's FluxOS and the GCMiner before it.
    Auradine,
    /// Elphapex, scrypt machines.
    Elphapex,
    /// Bitdeer's SealMiner.
    SealMiner,
    /// AxeOS of the Bitaxe and its relatives.
    Bitaxe,
    /// Any other firmware that speaks cgminer's sections.
    Cgminer,
}

impl Family {
    /// The stable name that is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AntminerStock => "antminer",
            Self::Whatsminer => "whatsminer",
            Self::BraiinsOs => "braiins",
            Self::LuxOs => "luxos",
            Self::Epic => "epic",
            Self::Avalon => "avalon",
            Self::Auradine => "auradine",
            Self::Elphapex => "elphapex",
            Self::SealMiner => "sealminer",
            Self::Bitaxe => "bitaxe",
            Self::Cgminer => "cgminer",
        }
    }
}

/// The state of the machine, as far as its answers show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// It reports a hashrate above zero and nothing that contradicts it.
    Hashing,
    /// It answers, and does not hash or does not report that it does.
    Reachable,
    /// It reports that a command has put it to sleep.
    Curtailed,
}

impl State {
    /// The stable name that is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hashing => "hashing",
            Self::Reachable => "reachable",
            Self::Curtailed => "curtailed",
        }
    }
}

/// How a machine knows its power. All of them are the witness `firmware`; a report keeps them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PowerSource {
    /// Its supply measures its input.
    Supply,
    /// The firmware gives a figure without stating that a supply measured it, or states that none did.
    Estimate,
}

impl PowerSource {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Supply => "supply",
            Self::Estimate => "estimate",
        }
    }
}

/// Whether an average since the start counts the time in which the machine did not hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Downtime {
    /// It does: total work over elapsed time is the average.
    Counted,
    /// It does not: total work over elapsed time is less than the average.
    LeftOut,
    /// The answers do not allow the check.
    NotSaid,
}

impl Downtime {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counted => "counted",
            Self::LeftOut => "left out",
            Self::NotSaid => "not said",
        }
    }
}

/// An average hashrate since the mining software started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Average {
    /// Hashes per second.
    pub hashrate_hs: u128,
    /// Over which time.
    pub downtime: Downtime,
}

/// The difficulty of the shares that the machine sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShareDifficulty {
    /// Difficulty, whole units.
    pub value: u128,
    /// Whether a suffix hides digits in the answer, as in `524K`: such a figure is shown, never counted with.
    pub rounded: bool,
}

/// Hash boards of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boards {
    /// Boards that are enabled and alive.
    pub working: u32,
    /// Boards that the answer lists.
    pub listed: u32,
}

/// The field that each value came from; `None` for a missing value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FieldNames {
    /// Of the state.
    pub state: Option<&'static str>,
    /// Of the hashrate.
    pub hashrate: Option<&'static str>,
    /// Of the power.
    pub power: Option<&'static str>,
    /// Of the uptime.
    pub uptime: Option<&'static str>,
    /// Of the accepted shares.
    pub accepted: Option<&'static str>,
    /// Of the rejected shares.
    pub rejected: Option<&'static str>,
    /// Of the stale shares.
    pub stale: Option<&'static str>,
    /// Of the average.
    pub average: Option<&'static str>,
}

/// The values of a machine's answers at one moment; `None` where a value is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The firmware's family.
    pub family: Family,
    /// Its state.
    pub state: State,
    /// Its algorithm: `sha256d`, `scrypt`, ..., or `unknown`. Rates of different algorithms are never added.
    pub algorithm: &'static str,
    /// The current hashrate in hashes per second: the shortest window the machine offers.
    pub hashrate_hs: Option<u128>,
    /// Power drawn, in milliwatts.
    pub power_mw: Option<u64>,
    /// How the machine knows it.
    pub power_source: Option<PowerSource>,
    /// Seconds since the mining software started: the time its share counters run.
    pub uptime_s: Option<u64>,
    /// Seconds since the control board started.
    pub system_uptime_s: Option<u64>,
    /// Shares the pool accepted since the mining software started.
    pub accepted_shares: Option<u64>,
    /// Shares the pool rejected since then.
    pub rejected_shares: Option<u64>,
    /// Shares that came too late since then.
    pub stale_shares: Option<u64>,
    /// The sum of the accepted shares' difficulty since then, whole units.
    pub accepted_difficulty: Option<u128>,
    /// The difficulty the pool asks for.
    pub share_difficulty: Option<ShareDifficulty>,
    /// The average since then.
    pub average: Option<Average>,
    /// Its hash boards.
    pub boards: Option<Boards>,
    /// Where each value came from.
    pub fields: FieldNames,
}

/// Joules per terahash below which no SHA-256d machine works: the best announced reach 9.
const LEAST_J_PER_TH: u128 = 5;

/// Why a value is implausible. It is kept as reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// Too little power for so much work: the two cannot be of one moment.
    PowerTooLow,
    /// Not all listed boards work.
    BoardsMissing,
    /// The average leaves out downtime, so it is no measure of work done.
    AverageLeavesOutDowntime,
}

impl Doubt {
    /// The stable text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PowerTooLow => "less power than such a hashrate needs",
            Self::BoardsMissing => "not all boards work",
            Self::AverageLeavesOutDowntime => "the average leaves out downtime",
        }
    }
}

impl Reading {
    /// The doubts about its values.
    #[must_use]
    pub fn doubts(&self) -> Vec<Doubt> {
        let mut doubts = Vec::new();
        if let (Some(power_mw), Some(rate_hs)) = (self.power_mw, self.hashrate_hs) {
            // power [mW] / rate [H/s] < LEAST [J/TH], that is power * 10^9 < rate * LEAST.
            let power = u128::from(power_mw).saturating_mul(1_000_000_000);
            if self.algorithm == "sha256d" && power < rate_hs.saturating_mul(LEAST_J_PER_TH) {
                doubts.push(Doubt::PowerTooLow);
            }
        }
        if self.boards.is_some_and(|boards| boards.working < boards.listed) {
            doubts.push(Doubt::BoardsMissing);
        }
        if self.average.is_some_and(|average| average.downtime == Downtime::LeftOut) {
            doubts.push(Doubt::AverageLeavesOutDowntime);
        }
        doubts
    }

    /// The hashrate that the accepted shares stand for, in hashes per second: the sum of their difficulty x 2^48 /
    /// 65535 / uptime, rounded down. It does not depend on what the machine measures.
    #[must_use]
    pub fn share_hashrate_hs(&self) -> Option<u128> {
        let uptime_s = u128::from(self.uptime_s.filter(|uptime| *uptime > 0)?);
        let hashes = self.accepted_difficulty?.checked_mul(1 << 48)?;
        Some(hashes / 65_535 / uptime_s)
    }
}
