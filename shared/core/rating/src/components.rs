//! The kinds of components. Each module holds one formula, gives it in its comment, and rounds once.

use wb_units::Currency;

use crate::error::{ContractError, RatingError};
use crate::fields::Fields;
use crate::scope::{Rated, Scope};

pub mod btc_settlement;
pub mod curtailment_share;
pub mod deposit;
pub mod energy_uplift;
pub mod fixed_fee;
pub mod gpu_on_demand;
pub mod gpu_reserved;
pub mod gpu_sla_credit;
pub mod graduated;
pub mod hashrate_fee;
pub mod indexed_energy;
pub mod management_fee;
pub mod maximum_spend;
pub mod metered_energy;
pub mod mig_slice;
pub mod minimum_spend;
pub mod nameplate_energy;
pub mod one_off;
pub mod package;
pub mod pool_earnings;
pub mod prepaid_credit;
pub mod profit_share;
pub mod take_or_pay;
pub mod tax;
pub mod tiered;
pub mod time_of_use;
pub mod uptime_credit;
pub mod volume;

mod common;
#[cfg(test)]
mod testing;

pub use common::tiers::Tier;
pub use common::{Measure, Power, RoundingUnit, ServiceTier};

macro_rules! components {
    ($($variant:ident $module:ident,)*) => {
        /// One thing a contract charges or credits.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Component {
            $(
                #[doc = concat!("See [`crate::components::", stringify!($module), "`].")]
                $variant($module::Terms),
            )*
        }

        /// All kinds, by their names in contracts.
        pub const KINDS: &[&str] = &[$(stringify!($module)),*];

        impl Component {
            /// The component's id within its contract.
            #[must_use]
            pub fn id(&self) -> &str {
                match self {
                    $(Self::$variant(terms) => &terms.head.id,)*
                }
            }

            /// The currency of its lines; a settlement in bitcoin has a second one.
            #[must_use]
            pub fn currency(&self) -> Currency {
                match self {
                    $(Self::$variant(terms) => terms.head.currency,)*
                }
            }

            /// The name of its kind.
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => stringify!($module),)*
                }
            }

            /// Reads a component of a kind; `None` for a kind that is not known.
            pub(crate) fn read(kind: &str, fields: &mut Fields<'_>) -> Result<Option<Self>, ContractError> {
                match kind {
                    $(stringify!($module) => $module::Terms::read(fields).map(Self::$variant).map(Some),)*
                    _ => Ok(None),
                }
            }

            /// Its lines.
            pub(crate) fn rate(&self, scope: &Scope<'_>) -> Result<Vec<Rated>, RatingError> {
                match self {
                    $(Self::$variant(terms) => terms.rate(scope),)*
                }
            }
        }
    };
}

components! {
    PoolEarnings pool_earnings,
    MeteredEnergy metered_energy,
    EnergyUplift energy_uplift,
    NameplateEnergy nameplate_energy,
    TimeOfUse time_of_use,
    IndexedEnergy indexed_energy,
    TakeOrPay take_or_pay,
    ManagementFee management_fee,
    ProfitShare profit_share,
    UptimeCredit uptime_credit,
    CurtailmentShare curtailment_share,
    Deposit deposit,
    GpuReserved gpu_reserved,
    GpuOnDemand gpu_on_demand,
    MigSlice mig_slice,
    GpuSlaCredit gpu_sla_credit,
    HashrateFee hashrate_fee,
    FixedFee fixed_fee,
    OneOff one_off,
    Tiered tiered,
    Graduated graduated,
    Volume volume,
    Package package,
    MinimumSpend minimum_spend,
    MaximumSpend maximum_spend,
    PrepaidCredit prepaid_credit,
    Tax tax,
    BtcSettlement btc_settlement,
}

/// The kinds whose lines are energy at a price.
pub(crate) const ENERGY_KINDS: [&str; 4] =
    ["metered_energy", "nameplate_energy", "time_of_use", "indexed_energy"];
