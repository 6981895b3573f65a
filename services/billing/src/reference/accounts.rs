//! Which accounts of schedulers are mapped to which contract.

use std::collections::BTreeSet;

use wb_events::facts;
use wb_metering::gpu::accounts::Accounts;
use wb_rating::Contract;
use wb_units::Interval;
use wb_units::timeline::Held;

use super::facts::read;
use crate::error::BillerError;
use crate::ports::{BlockId, FactRow};

/// What a fact says of an account, with the block that holds it.
pub(crate) struct Mapped {
    pub(crate) body: facts::Account,
    pub(crate) block: BlockId,
}

/// Parses the facts. They hold to the microsecond, not on the settlement grid.
pub(crate) fn accounts(mut rows: Vec<FactRow>) -> Result<Accounts<Mapped>, BillerError> {
    rows.sort_by_key(|row| (row.block.partition, row.block.block, row.idx));
    let said = rows.into_iter().map(|row| {
        let body = read(facts::ACCOUNT, &row.entity, &row.body)?;
        Ok((row.entity, row.valid_from_us, row.valid_to_us, Mapped { body, block: row.block }))
    });
    Ok(Accounts::new(said.collect::<Result<Vec<_>, BillerError>>()?))
}

/// The accounts that are mapped to a contract within a time.
pub(super) fn mapped_to<'a>(
    accounts: &'a Accounts<Mapped>,
    contract_id: &'a str,
    within: Interval,
) -> impl Iterator<Item = (&'a str, &'a Held<Mapped>)> {
    accounts.all().filter(move |(_, held)| {
        held.body.body.contract_id == contract_id && held.interval.intersect(&within).is_some()
    })
}

/// The names of the accounts under a contract within a time.
pub(super) fn names_of(
    accounts: &Accounts<Mapped>,
    contract: &Contract,
    within: Interval,
) -> Result<BTreeSet<String>, BillerError> {
    let mut names = BTreeSet::new();
    for (account, held) in mapped_to(accounts, &contract.contract_id, within) {
        let Mapped { body, .. } = &held.body;
        if body.customer_id != contract.customer_id {
            return Err(BillerError::AccountOfOther {
                account: account.to_owned(),
                contract_id: contract.contract_id.clone(),
                mapped: body.customer_id.clone(),
                customer: contract.customer_id.clone(),
            });
        }
        names.insert(account.to_owned());
    }
    Ok(names)
}
