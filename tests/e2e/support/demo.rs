//! The demonstration's result, read from `demo-summary.json`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::place::Place;

/// What the demonstration writes once its result is printed.
pub(crate) const DONE: &str = "the stack keeps running; Ctrl-C ends";

/// Shares of one chain, verdict and reason.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verdicts {
    pub(crate) chain: String,
    pub(crate) verdict: String,
    pub(crate) reason: String,
    shares: String,
    work_q32: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Totals {
    pub(crate) verdicts: Vec<Verdicts>,
    pub(crate) blocks: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Line {
    pub(crate) component: String,
    pub(crate) amount_minor: String,
    pub(crate) currency: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Invoice {
    pub(crate) id: String,
    pub(crate) number: String,
    pub(crate) customer_id: String,
    pub(crate) period: String,
    pub(crate) bill_digest: String,
    pub(crate) evidence_digest: String,
    pub(crate) lines: Vec<Line>,
}

/// A site's report.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Report {
    pub(crate) site_id: String,
    pub(crate) period: String,
    pub(crate) csv: String,
    pub(crate) flagged: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Summary {
    pub(crate) events_sent: u64,
    pub(crate) events_refused_at_the_door: u64,
    pub(crate) genesis: Totals,
    pub(crate) historic: Totals,
    pub(crate) first: Totals,
    pub(crate) second: Totals,
    pub(crate) invoices: Vec<Invoice>,
    pub(crate) recomputed: bool,
    pub(crate) reports: Vec<Report>,
}

impl Verdicts {
    pub(crate) fn shares(&self) -> u64 {
        self.shares.parse().unwrap()
    }

    pub(crate) fn work_q32(&self) -> u128 {
        self.work_q32.parse().unwrap()
    }
}

impl Totals {
    /// Shares of a verdict on any chain.
    pub(crate) fn shares(&self, verdict: &str) -> u64 {
        self.verdicts.iter().filter(|count| count.verdict == verdict).map(Verdicts::shares).sum()
    }

    /// Accepted shares by chain.
    pub(crate) fn accepted(&self) -> BTreeMap<&str, u64> {
        let accepted = self.verdicts.iter().filter(|count| count.verdict == "accepted");
        accepted.map(|count| (count.chain.as_str(), count.shares())).collect()
    }

    /// Rejected shares by reason.
    pub(crate) fn rejected(&self) -> BTreeMap<String, u64> {
        let mut rejected = BTreeMap::new();
        for count in self.verdicts.iter().filter(|count| count.verdict == "rejected") {
            *rejected.entry(count.reason.clone()).or_default() += count.shares();
        }
        rejected
    }

    /// Everything but the repeats, which depend on how often something was sent.
    pub(crate) fn but_repeats(&self) -> (BTreeSet<Verdicts>, u64) {
        let counts = self.verdicts.iter().filter(|count| count.verdict != "duplicate").cloned();
        (counts.collect(), self.blocks)
    }
}

impl Summary {
    /// What the demonstration of a place has written.
    pub(crate) fn read(place: &Place) -> Self {
        let path = place.data_dir().join("demo-summary.json");
        let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Bill digests by invoice.
    pub(crate) fn bills(&self) -> BTreeMap<&str, &str> {
        self.invoices.iter().map(|invoice| (invoice.id.as_str(), invoice.bill_digest.as_str())).collect()
    }

    /// The invoices in the order of their ids, with all their fields.
    pub(crate) fn sorted_invoices(&self) -> Vec<Invoice> {
        let mut invoices = self.invoices.clone();
        invoices.sort();
        invoices
    }

    /// The sum of the BTC lines of some customers, in satoshi.
    pub(crate) fn earned_sat(&self, customers: &[&str]) -> i128 {
        let theirs = self.invoices.iter().filter(|invoice| customers.contains(&invoice.customer_id.as_str()));
        let lines = theirs.flat_map(|invoice| &invoice.lines).filter(|line| line.currency == "BTC");
        lines.map(|line| line.amount_minor.parse::<i128>().unwrap()).sum()
    }

    /// Two results of the same input may differ in nothing but repeats.
    pub(crate) fn assert_same_totals_and_bills(&self, other: &Self, what: &str) {
        for (name, mine, its) in [
            ("genesis", &self.genesis, &other.genesis),
            ("historic", &self.historic, &other.historic),
            ("all sent once", &self.first, &other.first),
            ("all sent twice", &self.second, &other.second),
        ] {
            assert_eq!(mine.but_repeats(), its.but_repeats(), "{what}: totals of {name}");
        }
        assert_eq!(self.bills(), other.bills(), "{what}: bill digests");
        assert_eq!(self.reports, other.reports, "{what}: site reports");
        let numbers = |summary: &Self| -> BTreeSet<String> {
            summary.invoices.iter().map(|invoice| invoice.number.clone()).collect()
        };
        assert_eq!(numbers(self), numbers(other), "{what}: invoice numbers");
        assert!(self.recomputed, "{what}: an invoice computed again was another one");
    }
}
