//! The facts of a report: where machines stood and whose they were, and the facts of a site.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use wb_events::facts;
use wb_metering::report::machine::Stand;
use wb_metering::report::mix::{MixFact, Source};
use wb_metering::report::money::{Per, Prices};
use wb_metering::report::site::{Credit, Earning, SiteFacts, Window};
use wb_metering::report::sources::{Policies, PolicyFact, PolicyOf};
use wb_units::decimal::{self, Excess};
use wb_units::rounding::div_half_even_i128;
use wb_units::{Currency, Interval};

use super::Standing;
use crate::error::StoreError;
use crate::read::{Read, Selection, SeriesRange, bind_selection, parts};

/// What is known of a site, and the machines of its meters.
pub(super) struct KnownSite {
    pub(super) site: SiteFacts,
    pub(super) meter_machines: Vec<String>,
    /// The policies for its sources.
    pub(super) policies: Policies,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct StandRow {
    machine_id: String,
    body: String,
    from_us: i64,
    to_us: i64,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct HeldRow {
    machine_id: String,
    start_us: i64,
    end_us: i64,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct SiteIdRow {
    site_id: String,
}

/// A version of a fact.
#[derive(Debug, clickhouse::Row, Deserialize)]
struct FactRow {
    entity: String,
    body: String,
    start_us: i64,
    end_us: i64,
}

impl FactRow {
    fn interval(&self) -> Interval {
        Interval { start_us: self.start_us, end_us: self.end_us }
    }

    fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, StoreError> {
        serde_json::from_str(&self.body).map_err(|error| StoreError::Row {
            table: "facts",
            problem: format!("the fact of {:?} is not of its form: {error}", self.entity),
        })
    }
}

/// Selects facts that state their site in the body.
const OF_SITE: &str = "JSONExtractString(body, 'site_id') = {entity:String}";
const IS_SITE: &str = "entity = {entity:String}";
const TOUCHES: &str = "start_us < {to:Int64} AND end_us > {from:Int64}";

impl Read {
    /// The sites where machines of the scope stood in the range, in order; for an operator all sites.
    pub(super) async fn report_sites(&self, range: SeriesRange) -> Result<Vec<String>, StoreError> {
        let windows = parts::machine_windows(&self.scope, &Selection::All);
        let standing =
            format!("SELECT DISTINCT JSONExtractString(body, 'site_id') AS site_id FROM ({windows})");
        let sql = if self.scope.customer().is_some() {
            format!("SELECT site_id FROM ({standing}) ORDER BY site_id")
        } else {
            let sites = parts::versions("site");
            format!(
                "SELECT DISTINCT site_id FROM ({standing} UNION ALL \
                   SELECT entity AS site_id FROM ({sites}) WHERE {TOUCHES}) ORDER BY site_id"
            )
        };
        let rows: Vec<SiteIdRow> = self.fetch("list a report's sites", range.bind(self.query(&sql))).await?;
        Ok(rows.into_iter().map(|row| row.site_id).collect())
    }

    /// The time zone of a site, if known; only operators may read it.
    ///
    /// # Errors
    /// [`StoreError::Query`] or [`StoreError::Row`].
    pub async fn site_time_zone(&self, site_id: &str) -> Result<Option<String>, StoreError> {
        if self.scope.customer().is_some() {
            return Ok(None);
        }
        let sql = format!(
            "SELECT entity, body, start_us, end_us FROM ({}) WHERE {IS_SITE} \
             ORDER BY start_us DESC, entity LIMIT 1",
            parts::versions("site")
        );
        let query = self.query(&sql).param("entity", site_id);
        let rows: Vec<FactRow> = self.fetch("find a site's time zone", query).await?;
        rows.first().map(|row| row.read::<facts::Site>().map(|site| site.time_zone)).transpose()
    }

    /// The machines that stood at a site in the range, within the scope.
    pub(super) async fn report_stands(
        &self,
        range: SeriesRange,
        at_site: &Selection,
    ) -> Result<Standing, StoreError> {
        let sql = format!(
            "SELECT machine_id, body, from_us, to_us FROM ({}) ORDER BY machine_id, from_us",
            parts::machine_windows(&self.scope, at_site)
        );
        let query =
            range.bind(bind_selection(self.query(&sql), at_site)).with_setting("max_result_rows", "0");
        let rows: Vec<StandRow> = self.fetch("list a report's machines", query).await?;
        let mut standing: Standing = BTreeMap::new();
        for row in rows {
            let machine: facts::Machine =
                serde_json::from_str(&row.body).map_err(|error| StoreError::Row {
                    table: "facts",
                    problem: format!("the machine {:?} is not of its form: {error}", row.machine_id),
                })?;
            let stand = Stand {
                interval: Interval { start_us: row.from_us, end_us: row.to_us },
                rated_power_mw: machine.rated_power_mw,
                rated_hashrate_hs: machine.rated_hashrate_hs.and_then(|text| text.parse().ok()),
                gpus: machine.gpus,
            };
            standing.entry(row.machine_id).or_default().push(stand);
        }
        Ok(standing)
    }

    /// When the machines of a site were assigned.
    pub(super) async fn report_assigned(
        &self,
        range: SeriesRange,
        at_site: &Selection,
    ) -> Result<BTreeMap<String, Vec<Interval>>, StoreError> {
        let sql = format!(
            "SELECT machine_id, start_us, end_us FROM ({}) WHERE {TOUCHES}
             AND machine_id IN (SELECT machine_id FROM ({})) ORDER BY machine_id, start_us",
            parts::assignments(&self.scope),
            parts::machine_windows(&self.scope, at_site)
        );
        let query =
            range.bind(bind_selection(self.query(&sql), at_site)).with_setting("max_result_rows", "0");
        let rows: Vec<HeldRow> = self.fetch("list who held a report's machines", query).await?;
        let mut held: BTreeMap<String, Vec<Interval>> = BTreeMap::new();
        for row in rows {
            let interval = Interval { start_us: row.start_us, end_us: row.end_us };
            held.entry(row.machine_id).or_default().push(interval);
        }
        Ok(held)
    }

    /// Versions of a kind of fact that hold in the range, in order of time and entity.
    async fn facts_of(
        &self,
        kind: &'static str,
        which: &str,
        range: SeriesRange,
        entity: &str,
    ) -> Result<Vec<FactRow>, StoreError> {
        let sql = format!(
            "SELECT entity, body, start_us, end_us FROM ({}) WHERE {which} ORDER BY start_us, entity",
            parts::versions(kind)
        );
        self.fetch("read a report's facts", range.bind(self.query(&sql)).param("entity", entity)).await
    }

    /// What is known of a site. For a customer it has the curtailments of its machines, but not what the site paid or
    /// earned.
    pub(super) async fn report_facts(
        &self,
        range: SeriesRange,
        site_id: &str,
        at_site: &Selection,
    ) -> Result<KnownSite, StoreError> {
        let of_site = format!("{OF_SITE} AND {TOUCHES}");
        let mut site = SiteFacts {
            site_id: site_id.to_owned(),
            is_part: self.scope.customer().is_some(),
            ..SiteFacts::default()
        };
        let mut credits = Vec::new();
        for row in self.facts_of("curtailment", &of_site, range, site_id).await? {
            let body: facts::Curtailment = row.read()?;
            credits.extend(body.credit.map(|credit| (row.interval(), credit)));
            site.curtailment.push(Window { interval: row.interval(), machine_id: body.machine_id });
        }
        for row in self.facts_of("maintenance", &of_site, range, site_id).await? {
            let body: facts::Maintenance = row.read()?;
            site.maintenance.push(Window { interval: row.interval(), machine_id: body.machine_id });
        }
        let mut policies = Policies::default();
        // Also those of other times: readings just outside of the range are judged, too.
        for row in self.facts_of(facts::DATA_POLICY, OF_SITE, range, site_id).await? {
            policies.facts.push(policy(&row)?);
        }
        let mut meter_machines = Vec::new();
        let mut meters = Vec::new();
        for row in self.facts_of("meter", &of_site, range, site_id).await? {
            let body: facts::Meter = row.read()?;
            meter_machines.push(body.machine_id);
            meters.push(row.entity);
        }
        meters.sort_unstable();
        meters.dedup();
        let own = self.scope.customer().map(|customer| customer.as_str().to_owned());
        let is_own = |customer_id: Option<&String>| own.is_none() || own.as_ref() == customer_id;
        for row in self.facts_of("pool_earning", &of_site, range, site_id).await? {
            let body: facts::PoolEarning = row.read()?;
            if is_own(body.customer_id.as_ref()) {
                let to = (body.machine_id, body.customer_id);
                site.earnings.push(earning(&row, body.pool, &body.amount_sat, body.pool_blocks, to)?);
            }
        }
        let in_range = format!("{OF_SITE} AND start_us >= {{from:Int64}} AND start_us < {{to:Int64}}");
        for row in self.facts_of("pool_payout", &in_range, range, site_id).await? {
            let body: facts::PoolPayout = row.read()?;
            if is_own(body.customer_id.as_ref()) {
                let to = (body.machine_id, body.customer_id);
                site.payouts.push(earning(&row, body.pool, &body.amount_sat, None, to)?);
            }
        }
        if !site.earnings.is_empty() || !site.payouts.is_empty() {
            site.work = self.report_site_work(range, at_site).await?;
        }
        let paid_machines: BTreeSet<String> =
            site.earnings.iter().filter_map(|earning| earning.machine_id.clone()).collect();
        if !paid_machines.is_empty() {
            site.machine_work = self.report_machine_work(range, at_site, paid_machines).await?;
        }
        if site.is_part {
            return Ok(KnownSite { site, meter_machines, policies });
        }
        for row in self.facts_of("energy_mix", &format!("{IS_SITE} AND {TOUCHES}"), range, site_id).await? {
            site.mix.push(mix(&row)?);
        }
        site.meters = self.report_site_meters(range, &meter_machines, &meters).await?;
        let sites = self.facts_of("site", &format!("{IS_SITE} AND {TOUCHES}"), range, site_id).await?;
        if let Some(row) = sites.last() {
            let body: facts::Site = row.read()?;
            let doubts = &mut site.doubts;
            site.power = self.prices(Per::Energy, body.power_price_series, range, doubts).await?;
            site.bitcoin = self.prices(Per::Bitcoin, body.btc_price_series, range, doubts).await?;
            site.gpu = self.prices(Per::GpuHour, body.gpu_price_series, range, doubts).await?;
        }
        let currency = site.power.as_ref().map(Prices::currency);
        for (interval, credit) in credits {
            let amount = currency.and_then(|currency| credit_minor(&credit, currency));
            match amount {
                Some(amount_minor) => site.credits.push(Credit { interval, amount_minor }),
                None => site.doubts.push(format!(
                    "a curtailment's credit of {credit} is left out: the site's power has no price in a currency"
                )),
            }
        }
        Ok(KnownSite { site, meter_machines, policies })
    }

    async fn prices(
        &self,
        per: Per,
        series: Option<String>,
        range: SeriesRange,
        doubts: &mut Vec<String>,
    ) -> Result<Option<Prices>, StoreError> {
        let Some(series) = series else { return Ok(None) };
        let rows = self.facts_of("price", &format!("{IS_SITE} AND {TOUCHES}"), range, &series).await?;
        let bodies: Vec<(Interval, facts::Price)> =
            rows.iter().map(|row| Ok((row.interval(), row.read()?))).collect::<Result<_, StoreError>>()?;
        let given =
            bodies.iter().map(|(interval, price)| (*interval, price.unit.as_str(), price.value.as_str()));
        match Prices::read(per, given) {
            Ok(prices) => {
                if prices.is_none() {
                    doubts.push(format!("the price series {series} has no price in the period"));
                }
                Ok(prices)
            }
            Err(why) => {
                doubts.push(format!("the price series {series} is left out: {why}"));
                Ok(None)
            }
        }
    }
}

fn policy(row: &FactRow) -> Result<PolicyFact, StoreError> {
    let body: facts::DataPolicy = row.read()?;
    let of = PolicyOf::narrowest(body.machine_id, body.meter_id);
    Ok(PolicyFact {
        of,
        interval: row.interval(),
        every_us: body.every_us,
        late_after_us: body.late_after_us,
        late_max_us: body.late_max_us,
        future_max_us: body.future_max_us,
    })
}

fn mix(row: &FactRow) -> Result<MixFact, StoreError> {
    let body: facts::EnergyMix = row.read()?;
    Ok(MixFact {
        interval: row.interval(),
        parts_ppm: Source::ALL.map(|source| body.parts_ppm.get(source.as_str()).copied().unwrap_or(0)),
        grid_renewable_ppm: body.grid_renewable_ppm,
    })
}

fn earning(
    row: &FactRow,
    pool: String,
    amount_sat: &str,
    pool_blocks: Option<u64>,
    (machine_id, customer_id): (Option<String>, Option<String>),
) -> Result<Earning, StoreError> {
    let amount_sat = amount_sat.parse().map_err(|_| StoreError::Row {
        table: "facts",
        problem: format!("{:?} is no number of satoshi", amount_sat),
    })?;
    let interval = row.interval();
    Ok(Earning { pool, interval, amount_sat, pool_blocks, machine_id, customer_id })
}

/// A credit in minor units, half to even.
fn credit_minor(text: &str, currency: Currency) -> Option<i128> {
    let exact = decimal::parse(text, facts::CREDIT_PLACES, Excess::Refuse).ok()?;
    let places = facts::CREDIT_PLACES.checked_sub(currency.scale())?;
    div_half_even_i128(exact, 10_i128.checked_pow(places)?)
}
