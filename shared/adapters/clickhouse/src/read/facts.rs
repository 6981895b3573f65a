//! Sites, machines and customers, from the reference facts.

use serde::Deserialize;
use serde_json::Value;
use wb_auth::TenantScope;

use super::parts::{self, FOREVER_US};
use super::{Page, PageRequest, Read};
use crate::error::StoreError;
use crate::tenant::only_own;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Its identifier.
    pub site_id: String,
    /// Its name, if known.
    pub name: Option<String>,
    /// Its IANA time zone, if known.
    pub time_zone: Option<String>,
    /// How many machines stand there, within the scope.
    pub machines: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Its identifier.
    pub machine_id: String,
    /// The site where it stands. For a customer: the site at the time of its last assignment.
    pub site_id: Option<String>,
    pub model: Option<String>,
    /// Its rated power in milliwatts.
    pub rated_power_mw: Option<u64>,
    /// Its customer, by its last assignment within the scope.
    pub customer_id: Option<String>,
    /// The customer's contract.
    pub contract_id: Option<String>,
    /// Start of the assignment, UTC microseconds.
    pub assigned_from_us: Option<i64>,
    /// End of the assignment, UTC microseconds; `None` if no end is known.
    pub assigned_to_us: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// Its identifier.
    pub customer_id: String,
    /// Its name, if known.
    pub name: Option<String>,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct SiteRow {
    site_id: String,
    body: String,
    machines: u64,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct MachineRow {
    machine_id: String,
    body: String,
    customer_id: String,
    contract_id: String,
    assigned_from_us: i64,
    assigned_to_us: i64,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct CustomerRow {
    customer_id: String,
    body: String,
}

impl Read {
    /// The sites where the scope has machines; for an operator all sites. In order of id.
    ///
    /// # Errors
    /// [`StoreError::Query`] or [`StoreError::Row`].
    pub async fn sites(&self, page: &PageRequest) -> Result<Page<Site>, StoreError> {
        let site_facts = parts::versions("site");
        let standing = standing(&self.scope);
        // How many machines were last known at each site where any machine ever stood.
        let places = format!(
            "SELECT site_id, uniqExactIf(machine_id, site_id = last_site) AS machines FROM (
               SELECT machine_id, site_id, argMax(site_id, since_us) OVER (PARTITION BY machine_id) AS last_site
               FROM ({standing})
             ) GROUP BY site_id"
        );
        let known =
            format!("SELECT entity, argMax(body, start_us) AS body FROM ({site_facts}) GROUP BY entity");
        let joined = match &self.scope {
            TenantScope::Operator => format!(
                "SELECT f.entity AS site_id, f.body AS body, p.machines AS machines
                 FROM ({known}) AS f LEFT JOIN ({places}) AS p ON p.site_id = f.entity"
            ),
            TenantScope::Customer(_) => format!(
                "SELECT p.site_id AS site_id, f.body AS body, p.machines AS machines
                 FROM ({places}) AS p LEFT JOIN ({known}) AS f ON f.entity = p.site_id"
            ),
        };
        let sql = format!(
            "SELECT site_id, body, machines FROM ({joined})
             WHERE site_id > {{after:String}} ORDER BY site_id LIMIT {{limit:UInt32}}"
        );
        let query = self.query(&sql).param("after", page.after()).param("limit", page.limit());
        let rows: Vec<SiteRow> = self.fetch("list the sites", query).await?;
        let sites: Result<Vec<Site>, StoreError> = rows
            .into_iter()
            .map(|row| {
                let body = parse_body(&row.body)?;
                let (name, time_zone) = (text(&body, "name"), text(&body, "time_zone"));
                Ok(Site { site_id: row.site_id, name, time_zone, machines: row.machines })
            })
            .collect();
        Ok(page.page(sites?, |site| site.site_id.clone()))
    }

    /// The machines that are or were the scope's, in order of id; with `site_id`, only those there.
    ///
    /// # Errors
    /// [`StoreError::Query`] or [`StoreError::Row`].
    pub async fn machines(
        &self,
        page: &PageRequest,
        site_id: Option<&str>,
    ) -> Result<Page<Machine>, StoreError> {
        let versions = parts::versions("machine");
        let assignments = parts::assignments(&self.scope);
        let rows = match &self.scope {
            TenantScope::Operator => format!(
                "SELECT m.entity AS machine_id, m.body AS body, a.customer_id AS customer_id,
                   a.contract_id AS contract_id, a.assigned_from_us AS assigned_from_us,
                   a.assigned_to_us AS assigned_to_us
                 FROM (SELECT entity, argMax(body, start_us) AS body FROM ({versions}) GROUP BY entity) AS m
                 LEFT JOIN (
                   SELECT machine_id, argMax(customer_id, start_us) AS customer_id,
                     argMax(contract_id, start_us) AS contract_id, max(start_us) AS assigned_from_us,
                     argMax(end_us, start_us) AS assigned_to_us
                   FROM ({assignments}) GROUP BY machine_id
                 ) AS a ON a.machine_id = m.entity"
            ),
            // A customer must not see the machine before or after its assignment, so only versions within it are
            // read.
            TenantScope::Customer(_) => format!(
                "SELECT a.machine_id AS machine_id,
                   argMaxIf(m.body, m.start_us, m.start_us < a.end_us AND m.end_us > a.start_us) AS body,
                   any(a.customer_id) AS customer_id, argMax(a.contract_id, a.start_us) AS contract_id,
                   max(a.start_us) AS assigned_from_us, argMax(a.end_us, a.start_us) AS assigned_to_us
                 FROM ({assignments}) AS a LEFT JOIN ({versions}) AS m ON m.entity = a.machine_id
                 GROUP BY a.machine_id"
            ),
        };
        let at_site =
            if site_id.is_some() { "JSONExtractString(body, 'site_id') = {site:String}" } else { "1" };
        let sql = format!(
            "SELECT machine_id, body, customer_id, contract_id, assigned_from_us, assigned_to_us FROM ({rows})
             WHERE machine_id > {{after:String}} AND {at_site} ORDER BY machine_id LIMIT {{limit:UInt32}}"
        );
        let mut query = self.query(&sql).param("after", page.after()).param("limit", page.limit());
        if let Some(site_id) = site_id {
            query = query.param("site", site_id);
        }
        let rows: Vec<MachineRow> = self.fetch("list the machines", query).await?;
        let machines: Result<Vec<Machine>, StoreError> = rows.into_iter().map(machine).collect();
        Ok(page.page(machines?, |machine| machine.machine_id.clone()))
    }

    /// The customers in the scope: the customer itself, or for an operator all. In order of id.
    ///
    /// # Errors
    /// [`StoreError::Query`] or [`StoreError::Row`].
    pub async fn customers(&self, page: &PageRequest) -> Result<Page<Customer>, StoreError> {
        let sql = format!(
            "SELECT entity AS customer_id, argMax(body, start_us) AS body FROM ({})
             WHERE entity > {{after:String}} AND {} GROUP BY entity ORDER BY entity LIMIT {{limit:UInt32}}",
            parts::versions("customer"),
            only_own(&self.scope, "entity"),
        );
        let query = self.query(&sql).param("after", page.after()).param("limit", page.limit());
        let rows: Vec<CustomerRow> = self.fetch("list the customers", query).await?;
        let customers: Result<Vec<Customer>, StoreError> = rows
            .into_iter()
            .map(|row| {
                let name = text(&parse_body(&row.body)?, "name");
                Ok(Customer { customer_id: row.customer_id, name })
            })
            .collect();
        Ok(page.page(customers?, |customer| customer.customer_id.clone()))
    }
}

/// Which machine stands at which site since when, within the scope: `machine_id`, `site_id`, `since_us`.
fn standing(scope: &TenantScope) -> String {
    let versions = parts::versions("machine");
    match scope {
        TenantScope::Operator => format!(
            "SELECT entity AS machine_id, JSONExtractString(body, 'site_id') AS site_id,
               max(start_us) AS since_us
             FROM ({versions}) GROUP BY machine_id, site_id"
        ),
        TenantScope::Customer(_) => format!(
            "SELECT a.machine_id AS machine_id, JSONExtractString(m.body, 'site_id') AS site_id,
               max(m.start_us) AS since_us
             FROM ({}) AS a INNER JOIN ({versions}) AS m ON m.entity = a.machine_id
             WHERE m.start_us < a.end_us AND m.end_us > a.start_us
             GROUP BY machine_id, site_id",
            parts::assignments(scope)
        ),
    }
}

fn machine(row: MachineRow) -> Result<Machine, StoreError> {
    let body = parse_body(&row.body)?;
    let assigned = !row.customer_id.is_empty();
    let some = |text: String| (!text.is_empty()).then_some(text);
    Ok(Machine {
        machine_id: row.machine_id,
        site_id: text(&body, "site_id"),
        model: text(&body, "model"),
        rated_power_mw: whole(&body, "rated_power_mw"),
        customer_id: some(row.customer_id),
        contract_id: some(row.contract_id),
        assigned_from_us: assigned.then_some(row.assigned_from_us),
        assigned_to_us: (assigned && row.assigned_to_us != FOREVER_US).then_some(row.assigned_to_us),
    })
}

/// Parses a fact's body; an empty text means that there is no fact.
fn parse_body(body: &str) -> Result<Value, StoreError> {
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(body)
        .map_err(|error| StoreError::Row { table: "facts", problem: format!("body is not JSON: {error}") })
}

fn text(body: &Value, field: &str) -> Option<String> {
    body.get(field).and_then(Value::as_str).map(str::to_owned)
}

/// A whole number, given as a number or as decimal text.
fn whole(body: &Value, field: &str) -> Option<u64> {
    let value = body.get(field)?;
    value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
}
