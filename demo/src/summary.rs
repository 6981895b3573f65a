//! The result of the demonstration, as text and as JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;
use wb_testkit::Expect;
use wb_units::decimal;

use crate::client::{InvoiceView, Totals};
use crate::sites::SiteReport;

/// Decimal places of bitcoin.
const BTC_PLACES: u32 = 8;
/// The reward of 400 blocks of 2009: 400 x 50 BTC.
const GENESIS_EARNINGS_SAT: i128 = 400 * 50 * 100_000_000;
/// Difficulty 400 in units of 2^-32.
const GENESIS_WORK_Q32: u128 = 400 << 32;

/// The expected totals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Expected {
    accepted_shares: u64,
    refused_shares: BTreeMap<String, u64>,
}

impl From<Expect> for Expected {
    fn from(expect: Expect) -> Self {
        Self { accepted_shares: expect.accepted_shares, refused_shares: expect.rejected }
    }
}

/// The whole result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub(crate) seed_note: String,
    pub(crate) events_sent: usize,
    pub(crate) events_refused_at_the_door: usize,
    pub(crate) genesis: Totals,
    pub(crate) historic: Totals,
    pub(crate) first: Totals,
    pub(crate) second: Totals,
    pub(crate) invoices: Vec<InvoiceView>,
    pub(crate) recomputed: bool,
    pub(crate) reports: Vec<SiteReport>,
    pub(crate) expected: Expected,
}

impl Summary {
    fn real_accepted(&self) -> u64 {
        self.genesis.shares("accepted", None) + self.historic.shares("accepted", None)
    }

    fn real_blocks(&self) -> u64 {
        self.genesis.blocks + self.historic.blocks
    }

    fn genesis_earnings_sat(&self) -> i128 {
        self.invoices
            .iter()
            .filter(|invoice| invoice.period == "2009-01")
            .flat_map(|invoice| &invoice.lines)
            .filter(|line| line.currency == "BTC")
            .filter_map(|line| line.amount_minor.parse::<i128>().ok())
            .sum::<i128>()
            .abs()
    }

    fn refused(&self) -> BTreeMap<String, u64> {
        let mut refused = BTreeMap::new();
        for count in self.second.verdicts.iter().filter(|count| count.verdict == "rejected") {
            *refused.entry(count.reason.clone()).or_default() += count.shares.parse::<u64>().unwrap_or(0);
        }
        refused
    }

    /// The checks and whether they hold.
    pub(crate) fn checks(&self) -> Vec<(&'static str, bool)> {
        vec![
            (
                "408 real shares accepted, all of them blocks",
                self.real_accepted() == 408 && self.real_blocks() == 408,
            ),
            (
                "every mutated share refused for its own reason",
                self.refused() == self.expected.refused_shares,
            ),
            (
                "every simulated share accepted",
                self.second.shares("accepted", None) == self.expected.accepted_shares,
            ),
            (
                "work of the 2009 replay is exactly difficulty 400",
                self.genesis.work_q32("main") == GENESIS_WORK_Q32,
            ),
            (
                "the genesis customers earned exactly 20000 BTC",
                self.genesis_earnings_sat() == GENESIS_EARNINGS_SAT,
            ),
            (
                "a second sending changed nothing",
                self.first.without_duplicates() == self.second.without_duplicates(),
            ),
            ("all invoices computed again are the same", self.recomputed),
            (
                "of no-1 the one machine that claims more than it proves is flagged",
                self.reports.iter().any(|report| report.flags("no-1", &["no1-m03"])),
            ),
        ]
    }

    /// Whether every check holds.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.checks().iter().all(|(_, holds)| *holds)
    }

    /// All customers with an invoice.
    pub(crate) fn customers(&self) -> BTreeSet<String> {
        self.invoices.iter().map(|invoice| invoice.customer_id.clone()).collect()
    }

    /// The result as text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let testnet = self
            .historic
            .verdicts
            .iter()
            .filter(|count| count.chain != "main" && count.verdict == "accepted");
        let testnet: u64 = testnet.filter_map(|count| count.shares.parse::<u64>().ok()).sum();
        writeln!(text)?;
        writeln!(
            text,
            "real shares accepted   {} ({} of them block solutions, {testnet} on testnet, which earn nothing)",
            self.real_accepted(),
            self.real_blocks()
        )?;
        let refused = self.refused();
        let reasons: Vec<String> =
            refused.iter().map(|(reason, shares)| format!("{shares} {reason}")).collect();
        writeln!(text, "mutated shares refused {} ({})", refused.values().sum::<u64>(), reasons.join(", "))?;
        writeln!(
            text,
            "all shares accepted    {} ({})",
            self.second.shares("accepted", None),
            self.seed_note
        )?;
        writeln!(
            text,
            "counted as duplicates  {} (everything was sent again)",
            self.second.shares("duplicate", None)
        )?;
        let work_q32 = self.genesis.work_q32("main");
        writeln!(
            text,
            "work of the 2009 replay: {} hashes (difficulty {})",
            wb_proof::work_text(work_q32),
            work_q32 >> 32
        )?;
        writeln!(text)?;
        for invoice in &self.invoices {
            writeln!(
                text,
                "invoice {} {} {} {}",
                invoice.number, invoice.id, invoice.customer_id, invoice.period
            )?;
            for line in &invoice.lines {
                let amount = line.amount.as_deref().unwrap_or(&line.amount_minor);
                writeln!(
                    text,
                    "  {:<10} {} {} -> {amount} {}",
                    line.component, line.quantity, line.unit, line.currency
                )?;
            }
            writeln!(text, "  bill digest     {}", invoice.bill_digest)?;
            writeln!(text, "  evidence digest {}", invoice.evidence_digest)?;
        }
        writeln!(text)?;
        for report in &self.reports {
            writeln!(text, "{}", report.text())?;
        }
        let earned = decimal::format(self.genesis_earnings_sat(), BTC_PLACES);
        writeln!(text, "expected earnings of the genesis customers together: {earned} BTC")?;
        for (name, holds) in self.checks() {
            writeln!(text, "{} {name}", if holds { "ok  " } else { "FAIL" })?;
        }
        Ok(())
    }
}
