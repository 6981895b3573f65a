//! Facts that refer to something that nothing is recorded of.
//!
//! Facts may come in any order, so a fact whose site or contract comes later is taken, and waits. [`unresolved`] lists
//! those that still wait.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use wb_units::{Micros, nearest};

use crate::FactRow;

/// By kind of fact, the fields that refer to other facts, each with the kind it refers to.
const FIELDS: [(&str, &str, &str); 22] = [
    ("machine", "site_id", "site"),
    ("assignment", "machine_id", "machine"),
    ("assignment", "customer_id", "customer"),
    ("assignment", "contract_id", "contract"),
    ("account", "customer_id", "customer"),
    ("account", "contract_id", "contract"),
    ("contract", "customer_id", "customer"),
    ("contract", "legal_entity", "legal_entity"),
    ("meter", "site_id", "site"),
    ("meter", "machine_id", "machine"),
    ("curtailment", "site_id", "site"),
    ("curtailment", "machine_id", "machine"),
    ("maintenance", "site_id", "site"),
    ("maintenance", "machine_id", "machine"),
    ("outage", "machine_id", "machine"),
    ("count", "contract_id", "contract"),
    ("prepaid_grant", "contract_id", "contract"),
    ("deposit_held", "contract_id", "contract"),
    ("pool_payout", "site_id", "site"),
    ("pool_earning", "site_id", "site"),
    ("past_invoice", "contract_id", "contract"),
    ("past_invoice", "customer_id", "customer"),
];

/// The kinds of facts that refer to others, or are referred to.
pub const REFERRING_KINDS: [&str; 17] = [
    "site",
    "machine",
    "customer",
    "legal_entity",
    "contract",
    "assignment",
    "account",
    "meter",
    "curtailment",
    "maintenance",
    "outage",
    "count",
    "prepaid_grant",
    "deposit_held",
    "pool_payout",
    "pool_earning",
    "past_invoice",
];

/// A fact that refers to something unknown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unresolved {
    /// The kind of the fact.
    pub kind: String,
    /// Its entity.
    pub entity: String,
    /// From when it holds.
    pub from_us: Micros,
    /// The field that refers.
    pub field: &'static str,
    /// The kind of what it refers to.
    pub refers_to: &'static str,
    /// What it refers to.
    pub id: String,
    /// The known name that is most like it, if one is.
    pub like: Option<String>,
}

impl std::fmt::Display for Unresolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, entity, field, refers_to, id, .. } = self;
        let from = wb_units::time::rfc3339(self.from_us);
        write!(f, "{kind} {entity} from {from}: {field} {id} is no known {refers_to}")?;
        self.like.as_ref().map_or(Ok(()), |like| write!(f, "; did you mean {like}?"))
    }
}

/// The facts that refer to something that nothing is recorded of, sorted. `facts` are by kind; a kind that is missing
/// counts as empty. Of two facts of one kind, entity and instant only the one recorded later is looked at, because it
/// took the other's place.
#[must_use]
pub fn unresolved(facts: &BTreeMap<String, Vec<FactRow>>) -> Vec<Unresolved> {
    let rows = |kind: &str| facts.get(kind).map(Vec::as_slice).unwrap_or_default();
    let mut known: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (_, _, refers_to) in FIELDS {
        known
            .entry(refers_to)
            .or_insert_with(|| rows(refers_to).iter().map(|row| row.entity.as_str()).collect());
    }
    let kinds: BTreeSet<&str> = FIELDS.iter().map(|(kind, ..)| *kind).collect();
    let mut found = Vec::new();
    for kind in kinds {
        for row in latest(rows(kind)) {
            // A body of another form is refused where it is read.
            let Ok(body) = serde_json::from_str::<Value>(&row.body) else { continue };
            for (_, field, refers_to) in FIELDS.iter().filter(|(of, ..)| *of == kind) {
                let Some(id) = body.get(field).and_then(Value::as_str) else { continue };
                let Some(names) = known.get(refers_to).filter(|names| !names.contains(id)) else { continue };
                found.push(Unresolved {
                    kind: kind.to_owned(),
                    entity: row.entity.clone(),
                    from_us: row.valid_from_us,
                    field,
                    refers_to,
                    id: id.to_owned(),
                    like: nearest(id, names.iter().copied()).map(str::to_owned),
                });
            }
        }
    }
    found.sort();
    found
}

/// The rows that no later row of the same entity and instant replaced.
fn latest(rows: &[FactRow]) -> Vec<&FactRow> {
    let place = |row: &FactRow| (row.block.partition, row.block.block, row.idx);
    let mut latest: BTreeMap<(&str, Micros), &FactRow> = BTreeMap::new();
    for row in rows {
        let held = latest.entry((&row.entity, row.valid_from_us)).or_insert(row);
        if place(row) > place(held) {
            *held = row;
        }
    }
    latest.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BlockId;

    type Facts = BTreeMap<String, Vec<FactRow>>;

    fn say(facts: &mut Facts, kind: &str, entity: &str, body: &str) {
        let block = facts.values().map(Vec::len).sum::<usize>();
        let block = BlockId {
            topic: "reference".to_owned(),
            partition: 0,
            block: u64::try_from(block).unwrap_or_default(),
        };
        let row = FactRow {
            entity: entity.to_owned(),
            valid_from_us: 0,
            valid_to_us: None,
            block,
            idx: 0,
            body: body.to_owned(),
        };
        facts.entry(kind.to_owned()).or_default().push(row);
    }

    fn shown(facts: &Facts) -> Vec<String> {
        unresolved(facts).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_refers_to_nothing_is_listed_with_what_is_like_it() {
        let mut facts = Facts::new();
        say(&mut facts, "machine", "m", r#"{"site_id":"texas-1"}"#);
        say(&mut facts, "contract", "hosting-acme", r#"{"customer_id":"acme","legal_entity":"yard"}"#);
        say(&mut facts, "customer", "acme", "{}");
        say(&mut facts, "legal_entity", "yard", "{}");
        let wrong = r#"{"machine_id":"m","customer_id":"acme","contract_id":"hosting-acne"}"#;
        say(&mut facts, "assignment", "m", wrong);
        let at = "1970-01-01T00:00:00Z";
        assert_eq!(
            shown(&facts),
            [
                format!(
                    "assignment m from {at}: contract_id hosting-acne is no known contract; did you mean hosting-acme?"
                ),
                format!("machine m from {at}: site_id texas-1 is no known site"),
            ]
        );
        // The site comes later, and the assignment is recorded again.
        say(&mut facts, "site", "texas-1", "{}");
        say(&mut facts, "assignment", "m", &wrong.replace("acne", "acme"));
        assert!(shown(&facts).is_empty());
    }

    #[test]
    fn every_kind_that_refers_is_read() {
        let mut facts = Facts::new();
        for (kind, field, _) in FIELDS {
            say(&mut facts, kind, &format!("{kind}-{field}"), &format!(r#"{{"{field}":"nothing"}}"#));
        }
        let referring: BTreeSet<_> = unresolved(&facts).into_iter().map(|of| (of.kind, of.field)).collect();
        assert_eq!(referring.len(), FIELDS.len());
        for (kind, _, refers_to) in FIELDS {
            assert!(REFERRING_KINDS.contains(&kind) && REFERRING_KINDS.contains(&refers_to), "{kind}");
        }
        assert!(shown(&Facts::from([("machine".to_owned(), Vec::new())])).is_empty());
    }
}
