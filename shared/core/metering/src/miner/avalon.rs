//! Canaan's Avalons: cgminer's sections, and in `STATS` one text of `KEY[value]` pairs for each
//! module (`MM ID0`, or `MM ID0:Summary` on the small ones); some collectors parse that text.
//!
//! - `GHSspd` is the rate of now, `GHSavg` the one since the start, `GHSmm` what the clocks allow:
//!   it stays up while the machine is off, and is no hashrate.
//! - `PS` has seven figures: error, control voltage, output voltage in hundredths, output current, output power,
//!   voltage asked for, input power. Third times fourth is the fifth, and the seventh is a supply's loss above it. The
//!   small machines without a supply of their own mean something else by it: there the product does not hold, and no
//!   power is read.
//! - `stats`, `estats` and `litestats` describe the same modules: one answer is read, the one that says most.
//! - `SoftOFF` other than zero: a command has switched the hashing off.

use std::borrow::Cow;

use super::answer::{Answer, Answers, Fields, scaled_text};
use super::cgminer::{self, GIGA};
use super::draft::{Draft, Said};
use super::reading::{Average, Downtime, Family, PowerSource, Reading, State};

/// Most modules on one controller.
const MODULES_MAX: usize = 16;

/// Where `PS` holds output voltage, output current, output power and input power.
const PS_OUTPUT: [usize; 3] = [2, 3, 4];
const PS_INPUT_POWER: usize = 6;

pub(super) fn read(answers: &Answers<'_>) -> Option<Reading> {
    let stats: Vec<_> = answers.sections("STATS").collect();
    let modules = answers
        .by_answer("STATS")
        .into_iter()
        .map(|list| list.into_iter().flat_map(modules).collect::<Vec<Module<'_>>>())
        .reduce(|best, next| if says(&next) > says(&best) { next } else { best })
        .unwrap_or_default();
    if modules.is_empty() && !is_avalon(answers, &stats) {
        return None;
    }
    let mut draft = Draft::of(Family::Avalon, "sha256d");
    draft.hashrate_hs =
        sum(&modules, |module| module.figure("GHSspd", GIGA)).map(|rate| (rate, "STATS.MM ID.GHSspd"));
    let average = sum(&modules, |module| module.figure("GHSavg", GIGA))
        .map(|rate| (rate, "STATS.MM ID.GHSavg"))
        .or_else(|| Some((sum(&modules, |module| module.total("MGHS", GIGA))?, "STATS.MM ID.MGHS")));
    draft.power_source = PowerSource::Supply;
    draft.power_mw = sum(&modules, |module| module.input_power_mw())
        .and_then(|power| u64::try_from(power).ok())
        .map(|power| (power, "STATS.MM ID.PS[6]"));
    draft.stopped = stopped(&modules);
    let system_uptime = modules.first().and_then(|module| module.figure("Elapsed", 0));
    draft.system_uptime_s = system_uptime.and_then(|elapsed| u64::try_from(elapsed).ok());
    cgminer::fill(&mut draft, answers);
    // The summary's average can be checked against its total; the module's cannot.
    draft.average = draft.average.or_else(|| {
        average.map(|(hashrate_hs, name)| (Average { hashrate_hs, downtime: Downtime::NotSaid }, name))
    });
    if draft.hashrate_hs.is_none() && draft.stopped.is_none() {
        draft.hashrate_hs = average;
    }
    let stats_elapsed = || {
        let counted =
            stats.iter().find(|fields| fields.get("ID").is_some() && fields.get("Elapsed").is_some());
        counted?.said(&["STATS.Elapsed"], Answer::count)
    };
    let module_elapsed = draft.system_uptime_s.map(|elapsed| (elapsed, "STATS.MM ID.Elapsed"));
    draft.uptime_s = draft.uptime_s.or_else(stats_elapsed).or(module_elapsed);
    Some(draft.settled())
}

/// How much an answer says of its modules: how many there are, and which of rate and power it gives.
fn says(modules: &[Module<'_>]) -> (usize, usize) {
    let rate = modules.iter().filter(|module| module.figure("GHSspd", GIGA).is_some()).count();
    let power = modules.iter().filter(|module| module.text("PS").is_some()).count();
    (modules.len(), rate + power)
}

/// Whether something other than a module's text shows an Avalon.
fn is_avalon(answers: &Answers<'_>, stats: &[&Fields<'_>]) -> bool {
    let says = |section: &str, field: &str, word: &str| {
        let text = answers.section(section).and_then(|fields| fields.get(field)?.text());
        text.is_some_and(|text| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)))
    };
    says("VERSION", "PROD", "Avalon")
        || says("CONFIG", "Device Code", "AVALON")
        || says("DEVS", "Name", "AVALON")
        || says("DEVDETAILS", "Driver", "avalon")
        || stats
            .iter()
            .any(|fields| fields.get("ID").and_then(Answer::text).is_some_and(|id| id.starts_with("AVA")))
}

/// Off by command, or idle for an unknown reason.
fn stopped(modules: &[Module<'_>]) -> Said<State> {
    let any = |test: &dyn Fn(&Module<'_>) -> bool| modules.iter().any(test);
    let all = |test: &dyn Fn(&Module<'_>) -> bool| !modules.is_empty() && modules.iter().all(test);
    if any(&|module| module.figure("SoftOFF", 0).is_some_and(|off| off != 0)) {
        return Some((State::Curtailed, "STATS.MM ID.SoftOFF"));
    }
    let idle = |module: &Module<'_>| module.text("SYSTEMSTATU").is_some_and(|text| text.contains("In Idle"));
    all(&idle).then_some((State::Reachable, "STATS.MM ID.SYSTEMSTATU"))
}

/// The data of one module.
enum Module<'a> {
    /// As the firmware writes it.
    Text(Cow<'a, str>),
    /// As a collector parsed it.
    Parsed(Fields<'a>),
}

/// The modules in one element of `STATS`.
fn modules<'a>(stats: &Fields<'a>) -> Vec<Module<'a>> {
    let named = stats.names().filter(|name| name.starts_with("MM ID")).take(MODULES_MAX);
    let values = named.filter_map(|name| stats.get(name));
    values
        .filter_map(|value| match value.text() {
            Some(text) => Some(Module::Text(text)),
            None => {
                let fields = value.fields();
                let inner = fields.get("STATS").map(Answer::fields).unwrap_or(fields);
                let says = inner.names().next().is_some();
                says.then_some(Module::Parsed(inner))
            }
        })
        .collect()
}

impl<'a> Module<'a> {
    /// What stands in the brackets behind a key.
    fn text(&self, key: &str) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => bracketed(text, key).map(Cow::Borrowed),
            Self::Parsed(fields) => fields.get(key)?.text(),
        }
    }

    fn figure(&self, key: &str, places: u32) -> Option<u128> {
        self.nth(key, 0, places)
    }

    /// The supply's input power in milliwatts, where the output figures fit each other.
    fn input_power_mw(&self) -> Option<u128> {
        let [voltage, current, power] = PS_OUTPUT.map(|place| self.nth("PS", place, 0));
        let (voltage, current, power) = (voltage?, current?, power?);
        let input = self.nth("PS", PS_INPUT_POWER, 0)?;
        // Each figure is rounded to its unit; a fiftieth is left for the firmware's own filters.
        let product = voltage.saturating_mul(current);
        let rounding = voltage.saturating_add(current).saturating_add(100);
        let fits = product.abs_diff(power.saturating_mul(100)) <= rounding.saturating_add(product / 50);
        (fits && input >= power).then(|| self.nth("PS", PS_INPUT_POWER, 3)).flatten()
    }

    /// One of several figures, from 0.
    fn nth(&self, key: &str, place: usize, places: u32) -> Option<u128> {
        match self {
            Self::Text(text) => scaled_text(bracketed(text, key)?.split_whitespace().nth(place)?, places),
            Self::Parsed(fields) => {
                let value = fields.get(key)?;
                match value.items().get(place) {
                    Some(item) => item.scaled(places),
                    None if place == 0 => value.scaled(places),
                    None => None,
                }
            }
        }
    }

    /// The sum of several figures, one for each board.
    fn total(&self, key: &str, places: u32) -> Option<u128> {
        let mut total = self.nth(key, 0, places)?;
        for place in 1.. {
            let Some(figure) = self.nth(key, place, places) else { break };
            total = total.saturating_add(figure);
        }
        Some(total)
    }
}

/// What stands between `KEY[` and the next `]`. The key begins a word: `LVer[` is not `Ver[`.
fn bracketed<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let mut from = 0;
    while let Some(found) = text.get(from..)?.find(key) {
        let at = from + found;
        let begins = text.get(..at)?.bytes().last().is_none_or(|byte| !byte.is_ascii_alphanumeric());
        let rest = text.get(at + key.len()..)?;
        if let (true, Some(value)) = (begins, rest.strip_prefix('[')) {
            return value.split(']').next();
        }
        from = at + key.len();
    }
    None
}

/// The sum over all modules; `None` where one has no value.
fn sum(modules: &[Module<'_>], read: impl Fn(&Module<'_>) -> Option<u128>) -> Option<u128> {
    let mut total = None;
    for module in modules {
        total = Some(read(module)?.saturating_add(total.unwrap_or(0)));
    }
    total
}

#[cfg(test)]
mod tests {
    use super::bracketed;

    #[test]
    fn a_key_is_a_whole_word() {
        let text = "'STATS':{LVer[2] Ver[1] PS[0 1210 4] Nonce Mask[25] Empty[] Open[7";
        for (key, expected) in [
            ("Ver", Some("1")),
            ("LVer", Some("2")),
            ("PS", Some("0 1210 4")),
            ("Nonce Mask", Some("25")),
            ("Empty", Some("")),
            ("Open", Some("7")),
            ("Missing", None),
        ] {
            assert_eq!(bracketed(text, key), expected, "{key}");
        }
    }
}
