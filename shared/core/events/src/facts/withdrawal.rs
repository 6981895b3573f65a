//! The fact that withdraws a version of a contract before it holds.

use serde::{Deserialize, Serialize};

use super::corrections::check_words;
use crate::refusal::InputError;

/// The kind of a fact that withdraws a version of a contract.
pub const CONTRACT_WITHDRAWAL: &str = "contract_withdrawal";

/// Says that a recorded version of a contract, which does not hold yet, never will. Its entity is the contract; it
/// is valid from the instant of the withdrawal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractWithdrawal {
    /// The contract.
    pub contract_id: String,
    /// The number of the version.
    pub version: u64,
    /// Who withdraws it.
    pub who: String,
    /// Why.
    pub why: String,
}

impl ContractWithdrawal {
    /// The fact's entity.
    pub(super) fn checked_entity(&self) -> Result<String, InputError> {
        check_words(&self.who, &self.why)?;
        Ok(self.contract_id.clone())
    }
}
