//! The accounts of the journal, and what a bookkeeper calls them.

use std::collections::BTreeMap;

use wb_ledger::Account;

use crate::error::ExportError;

/// Revenue of a service period that is invoiced in a later month.
pub(crate) const ACCRUED_REVENUE: &str = "accrued_revenue";

/// The name that stands for every revenue account.
const REVENUE: &str = "revenue";

/// The revenue of late fees, which no component of a contract earns.
const LATE_FEE: &str = "late_fee";

/// Accounts besides revenue.
const FIXED: [Account; 11] = [
    Account::Receivable,
    Account::CustomerBalance,
    Account::Cash,
    Account::TaxPayable,
    Account::CustomerDeposits,
    Account::PrepaidLiability,
    Account::BadDebt,
    Account::MinedBitcoin,
    Account::MinedBitcoinPayable,
    Account::SettlementClearing,
    Account::OpeningBalances,
];

/// Kinds of components whose lines post to an account of [`FIXED`].
const NOT_REVENUE: [&str; 5] = ["tax", "deposit", "prepaid_credit", "btc_settlement", "pool_earnings"];

/// Our accounts by their names in the accounting system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Accounts(BTreeMap<String, String>);

impl Accounts {
    /// Adds a mapping `OURS=THEIRS`.
    pub(crate) fn add(&mut self, text: &str) -> Result<(), ExportError> {
        let (ours, theirs) = split(text, "account", "OURS=THEIRS, such as accounts_receivable=1100")?;
        let known = names();
        if !known.iter().any(|name| name == ours) {
            let given: String = ours.chars().take(40).collect();
            let all: Vec<&str> = known.iter().map(String::as_str).collect();
            let right = match nearest(ours, &all) {
                Some(name) => format!("did you mean {name}?"),
                None => format!("there are {}", all.join(", ")),
            };
            let problem = format!("the journal has no account {given:?}; {right}");
            return Err(ExportError::Request { problem });
        }
        self.0.insert(ours.to_owned(), theirs.to_owned());
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The other name of one of our accounts: its own, or that of all revenue.
    pub(crate) fn get(&self, ours: &str) -> Option<&str> {
        let group = ours.split_once(':').map_or(ours, |(group, _)| group);
        self.0.get(ours).or_else(|| self.0.get(group)).map(String::as_str)
    }
}

/// The two sides of a mapping.
pub(crate) fn split<'a>(text: &'a str, what: &str, form: &str) -> Result<(&'a str, &'a str), ExportError> {
    text.split_once('=').filter(|(ours, theirs)| !ours.is_empty() && !theirs.is_empty()).ok_or_else(|| {
        let given: String = text.chars().take(40).collect();
        ExportError::Request { problem: format!("{what} {given:?}: write {form}") }
    })
}

/// The names that a mapping may have on its left side.
pub(crate) fn names() -> Vec<String> {
    let mut names: Vec<String> = FIXED.iter().map(Account::name).collect();
    names.extend([ACCRUED_REVENUE, REVENUE].map(str::to_owned));
    let earning = wb_rating::KINDS.iter().filter(|kind| !NOT_REVENUE.contains(kind));
    names.extend(earning.chain([&LATE_FEE]).map(|kind| format!("{REVENUE}:{kind}")));
    names
}

/// Whether an account is revenue.
pub(crate) fn is_revenue(account: &str) -> bool {
    account.split_once(':').is_some_and(|(group, _)| group == REVENUE)
}

/// The candidate with the fewest changed letters, if at most a third of the letters are changed.
pub(crate) fn nearest<'a>(given: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let best = candidates
        .iter()
        .map(|candidate| (strsim::levenshtein(given, candidate), *candidate))
        .min_by_key(|(distance, _)| *distance)?;
    let letters = given.chars().count().max(best.1.chars().count());
    (best.0 * 3 <= letters).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new account of the ledger stops the build here until it can be mapped.
    #[test]
    fn every_account_of_the_ledger_can_be_mapped() {
        let position = |account: &Account| match account {
            Account::Receivable => Some(0),
            Account::CustomerBalance => Some(1),
            Account::Cash => Some(2),
            Account::TaxPayable => Some(3),
            Account::CustomerDeposits => Some(4),
            Account::PrepaidLiability => Some(5),
            Account::BadDebt => Some(6),
            Account::MinedBitcoin => Some(7),
            Account::MinedBitcoinPayable => Some(8),
            Account::SettlementClearing => Some(9),
            Account::OpeningBalances => Some(10),
            Account::Revenue(_) => None,
        };
        for (index, account) in FIXED.iter().enumerate() {
            assert_eq!(position(account), Some(index));
        }
        assert!(names().contains(&Account::Revenue("metered_energy".to_owned()).name()));
    }

    #[test]
    fn a_misspelt_account_is_refused_with_the_nearest_name() {
        let problem = |text: &str| Accounts::default().add(text).unwrap_err().to_string();
        assert!(problem("reveneu=200").contains("did you mean revenue?"), "{}", problem("reveneu=200"));
        assert!(problem("tax_payble=820").contains("did you mean tax_payable?"));
        assert!(problem("revenue:metred_energy=1").contains("did you mean revenue:metered_energy?"));
        // Tax is owed to its office and never revenue.
        assert!(problem("revenue:tax=1").contains("no account"));
        assert!(problem("goodwill=1").contains("accounts_receivable, customer_balance"));
        let mut accounts = Accounts::default();
        accounts.add("revenue=200").unwrap();
        accounts.add("revenue:late_fee=40=1").unwrap();
        assert_eq!(accounts.get("revenue:metered_energy"), Some("200"));
        assert_eq!(accounts.get("revenue:late_fee"), Some("40=1"));
        assert_eq!(accounts.get("tax_payable"), None);
    }
}
