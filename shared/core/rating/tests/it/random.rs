//! Random contracts of all kinds, with usage, prices and balances that fit them, from a seed.

use serde_json::{Value, json};
use wb_rating::{DepositHeld, KINDS, Period, PrepaidGrant, PriceFact, Usage};
use wb_units::{Interval, SETTLEMENT_INTERVAL_US as STEP_US};

mod counted;

pub(crate) use counted::usage;
use counted::{grants, prices};

const HOUR_US: i64 = 3_600_000_000;

/// The SplitMix64 sequence: small, seeded, the same everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn yes(&mut self) -> bool {
        self.below(2) == 0
    }

    /// From `low` up to and without `high`.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + i64::try_from(self.below(u64::try_from(high - low).unwrap())).unwrap()
    }

    pub(crate) fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(u64::try_from(choices.len()).unwrap())).unwrap()].clone()
    }

    /// Small and huge values alike: a random number of random bits.
    pub(crate) fn wide(&mut self, bits: u64) -> u128 {
        let value = u128::from(self.next()) << 64 | u128::from(self.next());
        value >> (128 - 1 - self.below(bits))
    }

    /// An amount of energy: often a whole number of half kilowatt-hours, so that exact halves occur.
    pub(crate) fn energy_mwh(&mut self) -> u128 {
        if self.yes() { u128::from(self.below(1_000)) * 500_000 } else { self.wide(46) }
    }

    fn price(&mut self) -> String {
        self.pick(&["0.0725", "0.01", "0", "12.345", "0.005", "1", "0.000000000001", "3.99", "95000.5"])
            .to_owned()
    }

    fn percent(&mut self) -> String {
        self.pick(&["0", "5", "33.3333", "97", "100", "0.5", "2.75"]).to_owned()
    }
}

/// A case: everything that a bill depends on.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) contract: Value,
    pub(crate) period: Interval,
    pub(crate) stretch: Interval,
    pub(crate) prices: Vec<PriceFact>,
    pub(crate) grants: Vec<PrepaidGrant>,
    pub(crate) deposits: Vec<DepositHeld>,
    pub(crate) usage: Usage,
}

/// A random case.
pub(crate) fn case(random: &mut Random) -> Case {
    let zone = random.pick(&["UTC", "America/Chicago", "Europe/Oslo"]);
    let month = random.pick(&["2026-03", "2026-10", "2026-11", "2024-02", "2026-12"]);
    let period = Period::month(month, zone).unwrap().interval;
    let steps = period.duration_us() / STEP_US;
    let first = if random.yes() { 0 } else { random.between(0, steps) };
    let last = if random.yes() { steps } else { random.between(first + 1, steps + 1) };
    let stretch =
        Interval { start_us: period.start_us + first * STEP_US, end_us: period.start_us + last * STEP_US };
    let currency = random.pick(&["USD", "EUR", "JPY", "KWD", "BTC"]);
    let contract = contract(random, zone, currency, period);
    let deposits = vec![DepositHeld { component: "c1".to_owned(), held_minor: random.wide(20) }];
    Case {
        prices: prices(random, currency, period),
        grants: grants(random, currency, period),
        usage: usage(random, stretch),
        deposits,
        contract,
        period,
        stretch,
    }
}

fn moment(random: &mut Random, period: Interval) -> String {
    let at_us = random.between(period.start_us - HOUR_US, period.end_us + HOUR_US);
    jiff::Timestamp::from_microsecond(at_us).unwrap().to_string()
}

fn contract(random: &mut Random, zone: &str, currency: &str, period: Interval) -> Value {
    let mut components: Vec<Value> = Vec::new();
    let count = 2 + random.below(9);
    while u64::try_from(components.len()).unwrap() < count {
        let kind = random.pick(KINDS);
        let id = format!("c{}", components.len());
        if let Some(component) = component(random, kind, &id, currency, &components, period) {
            components.push(component);
        }
    }
    json!({"contract_id": "c-1", "customer_id": "k", "legal_entity": "e", "time_zone": zone, "components": components})
}

/// A component of a kind; none where it needs an earlier one that is not there.
fn component(
    random: &mut Random,
    kind: &str,
    id: &str,
    currency: &str,
    before: &[Value],
    period: Interval,
) -> Option<Value> {
    let same = |kinds: &[&str]| -> Vec<String> {
        let fits = |other: &&Value| {
            other["currency"] == currency
                && (kinds.is_empty() || kinds.contains(&other["kind"].as_str().unwrap()))
        };
        before.iter().filter(fits).map(|other| other["id"].as_str().unwrap().to_owned()).collect()
    };
    let of: Vec<String> = same(&[]).into_iter().filter(|_| random.below(3) > 0).collect();
    let per = |unit: &str| format!("{currency}/{unit}");
    let mut c = json!({"id": id, "kind": kind, "currency": currency});
    let mut set = |name: &str, value: Value| c[name] = value;
    if ["metered_energy", "nameplate_energy", "time_of_use", "take_or_pay", "deposit"].contains(&kind) {
        set("unit", json!(per("kWh")));
    }
    if [
        "metered_energy",
        "nameplate_energy",
        "take_or_pay",
        "deposit",
        "gpu_reserved",
        "gpu_on_demand",
        "mig_slice",
    ]
    .contains(&kind)
    {
        set("unit_price", json!(random.price()));
    }
    if ["gpu_reserved", "gpu_on_demand", "mig_slice"].contains(&kind) {
        set("unit", json!(per("GPU-hour")));
    }
    if ["take_or_pay", "deposit"].contains(&kind) {
        if random.yes() { set("power", json!("rated")) } else { set("contracted_kw", json!("3531.5")) }
    }
    if ["gpu_on_demand", "mig_slice"].contains(&kind) {
        set("rounding", json!(random.pick(&["second", "minute", "hour"])));
    }
    if ["tiered", "graduated", "volume", "package"].contains(&kind) {
        let measure = random.pick(&["energy_kwh", "gpu_hours", "work_ph_days", "machine_months", "count"]);
        set("measure", json!(measure));
        let unit = match measure {
            "energy_kwh" => "kWh",
            "gpu_hours" => "GPU-hour",
            "work_ph_days" => "PH/s/day",
            "machine_months" => "machine-month",
            _ => {
                set("meter", json!("hands"));
                "hands"
            }
        };
        if kind == "graduated" || kind == "volume" {
            set("unit", json!(per(unit)));
        }
    }
    let by_use = kind == "gpu_on_demand" || c["measure"] == "gpu_hours";
    if by_use {
        let reserved = same(&["gpu_reserved"]);
        let says_nothing = before.iter().all(|other| other["kind"] != "gpu_reserved") && random.yes();
        if !says_nothing {
            let covered_by: Vec<String> = reserved.into_iter().filter(|_| random.below(4) > 0).collect();
            c["covered_by"] = json!(covered_by);
        }
    }
    let mut set = |name: &str, value: Value| c[name] = value;
    match kind {
        "pool_earnings" => {
            set("currency", json!("BTC"));
            set("chain", json!("main"));
            set("mean_fees_sat", json!(random.below(50_000_000).to_string()));
        }
        "metered_energy" | "nameplate_energy" | "gpu_on_demand" => {}
        "energy_uplift" => {
            let energy = same(&["metered_energy", "nameplate_energy", "time_of_use", "indexed_energy"]);
            if energy.is_empty() {
                return None;
            }
            set("of", json!(random.pick(&energy)));
            match random.below(3) {
                0 => set("pue", json!(random.pick(&["1", "1.06", "1.333333"]))),
                1 => set("loss_percent", json!(random.percent())),
                _ => {
                    set("measured", json!("site"));
                    if random.yes() {
                        set("max_pue", json!("1.1"));
                    }
                }
            }
        }
        "time_of_use" => {
            let window = json!({"days": random.pick(&[json!(["mon", "wed", "sun"]), json!(["holiday", "fri"]), json!([])]),
                "months": random.pick(&[json!([]), json!([3, 10, 12])]),
                "from": random.pick(&["14:00", "22:30", "00:00"]), "to": random.pick(&["20:00", "06:05", "24:00"])});
            set("holidays", json!(["2026-12-25", "2026-11-26", "2024-02-29"]));
            set(
                "rates",
                json!([{"name": "a", "unit_price": random.price(), "windows": [window]},
                {"name": "b", "unit_price": random.price(), "windows": [{"from": "05:00", "to": "10:00"}]},
                {"name": "c", "unit_price": random.price()}]),
            );
        }
        "indexed_energy" => {
            let unit = random.pick(&["MWh", "kWh"]);
            set("unit", json!(per(unit)));
            set("series", json!(format!("spot-{unit}")));
            set("adder", json!(random.pick(&["0", "-4.25", "31.5"])));
            if random.yes() {
                set("cap", json!("60"));
            }
            if random.yes() {
                set("floor", json!("-3"));
            }
            if random.below(20) == 0 {
                set("max_age_s", json!(86_400));
            }
        }
        "take_or_pay" => {
            set("percent", json!(random.percent()));
            set("leave_out_curtailed", json!(random.yes()));
        }
        "management_fee" => {
            if random.yes() {
                set("unit", json!(per("kW-month")));
                set("unit_price", json!(random.price()));
                if random.yes() { set("power", json!("rated")) } else { set("contracted_kw", json!("0.75")) }
            } else if of.is_empty() {
                return None;
            } else {
                set("percent", json!(random.percent()));
                set("of", json!(of));
            }
        }
        "profit_share" => {
            let earnings = before.iter().find(|other| other["kind"] == "pool_earnings");
            match earnings {
                Some(earnings) if random.yes() => {
                    set("income", json!("proven_work"));
                    set("earnings", earnings["id"].clone());
                    set("fixing_at", json!("period_end"));
                }
                _ => {
                    set("income", json!("receipts"));
                    set("fixing_at", json!(random.pick(&["receipt", "period_end"])));
                }
            }
            set("fixing_series", json!("fix"));
            set("power_unit", json!(per("kWh")));
            set("power_price", json!(random.price()));
            set("parties", random.pick(&[
                json!([{"name": "a", "percent": "65"}, {"name": "b", "percent": "35"}]),
                json!([{"name": "a", "percent": "33.3333"}, {"name": "b", "percent": "33.3333"}, {"name": "x", "percent": "33.3334"}]),
                json!([{"name": "b", "percent": "50"}, {"name": "a", "percent": "50"}]),
            ]));
            set("billed_party", json!(random.pick(&["a", "b"])));
            set("direction", json!(random.pick(&["charge", "credit"])));
            set("losses", json!(random.pick(&["shared", "not_shared"])));
        }
        "curtailment_share" => {
            set("unit", json!(per("MWh")));
            set("series", json!("spot-MWh"));
            set("strike", json!("31.50"));
            set("share_percent", json!(random.percent()));
            set("negative_spread", json!(random.pick(&["zero", "count"])));
        }
        "deposit" => {
            set("months", json!("2"));
            set("hours_per_month", json!("730.5"));
            set("due", json!(moment(random, period)));
        }
        "gpu_reserved" => {
            let bills_by_use =
                |other: &Value| other["kind"] == "gpu_on_demand" || other["measure"] == "gpu_hours";
            if before.iter().any(|other| bills_by_use(other) && other.get("covered_by").is_none()) {
                return None;
            }
            if random.yes() {
                set("nodes", json!(["n1", "n3"]));
            }
            set("gpus", json!(1 + random.below(64)));
            if random.yes() {
                set("from", json!(moment(random, period)));
            }
        }
        "mig_slice" => {
            set("profile", json!("1g.10gb"));
            set("fraction", json!(random.pick(&["1/7", "2/7", "1/1"])));
        }
        "hashrate_fee" => {
            set("unit", json!(per("PH/s/day")));
            if random.yes() {
                set("unit_price", json!(random.price()));
            } else {
                set("series", json!("hash"));
                set("percent", json!(random.percent()));
            }
        }
        "fixed_fee" => set("amount", json!(random.price())),
        "one_off" => {
            set("amount", json!(random.price()));
            set("direction", json!(random.pick(&["charge", "credit"])));
            set("at", json!(moment(random, period)));
        }
        "tiered" => set(
            "tiers",
            json!([{"up_to": "10", "flat": "1.5"}, {"up_to": "1000", "flat": "90"}, {"flat": random.price()}]),
        ),
        "graduated" | "volume" => set(
            "tiers",
            json!([{"up_to": "10.5", "unit_price": random.price()},
            {"up_to": "1000", "unit_price": random.price(), "flat": "7"}, {"unit_price": random.price(), "flat": random.price()}]),
        ),
        "package" => {
            set("size", json!(random.pick(&["60", "0.75", "1000"])));
            set("package_price", json!(random.price()));
            set("free", json!(random.pick(&["0", "30.5"])));
        }
        _ if of.is_empty() => return None,
        "uptime_credit" | "gpu_sla_credit" => {
            set("of", json!(of));
            if kind == "uptime_credit" && random.yes() {
                set("proportional_below_percent", json!("98"));
            } else {
                set(
                    "tiers",
                    json!([{"below_percent": "99.5", "credit_percent": "10"}, {"below_percent": "50", "credit_percent": "33.3"}]),
                );
            }
        }
        "minimum_spend" | "maximum_spend" => {
            set("of", json!(of));
            set("amount", json!(random.pick(&["1000", "0", "250000.55"])));
        }
        "prepaid_credit" => set("of", json!(of)),
        "tax" => {
            set("of", json!(of));
            set(
                "jurisdictions",
                json!([{"code": "US-TX", "percent": random.percent()}, {"code": "city", "percent": random.percent()}]),
            );
        }
        "btc_settlement" if currency != "BTC" => {
            set("of", json!(of));
            set("unit", json!(per("BTC")));
            set("series", json!("fix"));
            if random.yes() {
                set("fixing", json!("period_end"))
            } else {
                set("fixing_at", json!(moment(random, period)))
            }
        }
        _ => return None,
    }
    Some(c)
}
