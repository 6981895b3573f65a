//! The class of each kind of component, for accounting and for FOCUS.

/// FOCUS's highest-level classification of a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Category {
    Usage,
    Purchase,
    Tax,
    Credit,
    Adjustment,
}

impl Category {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Usage => "Usage",
            Self::Purchase => "Purchase",
            Self::Tax => "Tax",
            Self::Credit => "Credit",
            Self::Adjustment => "Adjustment",
        }
    }

    /// Whether quantity, price and SKU are required.
    pub(super) fn is_priced(self) -> bool {
        matches!(self, Self::Usage | Self::Purchase)
    }
}

/// How often something is charged, in FOCUS's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frequency {
    OneTime,
    Recurring,
    UsageBased,
}

impl Frequency {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::OneTime => "One-Time",
            Self::Recurring => "Recurring",
            Self::UsageBased => "Usage-Based",
        }
    }
}

/// A class of components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) category: Category,
    pub(super) frequency: Frequency,
    /// Whether it is computing, not power and space for a customer's own machines.
    pub(super) is_compute: bool,
    /// Whether the price follows an index instead of being agreed.
    pub(super) is_indexed: bool,
    /// The name of the service.
    pub(super) service: &'static str,
    /// The name of the metered quantity.
    pub(super) meter: &'static str,
}

const fn hosting(category: Category, frequency: Frequency, meter: &'static str) -> Class {
    Class { category, frequency, is_compute: false, is_indexed: false, service: "Machine Hosting", meter }
}

const fn compute(category: Category, frequency: Frequency, meter: &'static str) -> Class {
    Class { category, frequency, is_compute: true, is_indexed: false, service: "GPU Cloud", meter }
}

const fn mining(category: Category, frequency: Frequency, meter: &'static str) -> Class {
    Class { category, frequency, is_compute: false, is_indexed: false, service: "Mining", meter }
}

/// The class of a kind of component. An unknown kind is an adjustment, which states no quantity and no price.
pub(super) fn class_of(kind: &str) -> Class {
    use Category::{Adjustment, Credit, Purchase, Tax, Usage};
    use Frequency::{OneTime, Recurring, UsageBased};
    match kind {
        "metered_energy" | "time_of_use" => hosting(Usage, UsageBased, "Energy"),
        "indexed_energy" => Class { is_indexed: true, ..hosting(Usage, UsageBased, "Energy") },
        "energy_uplift" => hosting(Usage, UsageBased, "Energy Losses"),
        "nameplate_energy" => hosting(Usage, UsageBased, "Rated Energy"),
        "take_or_pay" => hosting(Purchase, Recurring, "Energy Shortfall"),
        "management_fee" => hosting(Purchase, Recurring, "Management"),
        "uptime_credit" => hosting(Credit, Recurring, "Uptime"),
        "curtailment_share" => hosting(Credit, UsageBased, "Curtailment"),
        "deposit" => hosting(Purchase, OneTime, "Deposit"),
        "gpu_reserved" => compute(Purchase, Recurring, "Reserved GPU Time"),
        "gpu_on_demand" => compute(Usage, UsageBased, "GPU Time"),
        "mig_slice" => compute(Usage, UsageBased, "GPU Slice Time"),
        "gpu_sla_credit" => compute(Credit, Recurring, "Availability"),
        "hashrate_fee" => mining(Usage, UsageBased, "Hashrate"),
        "profit_share" => mining(Usage, UsageBased, "Profit"),
        "pool_earnings" => mining(Credit, UsageBased, "Earnings"),
        "fixed_fee" => hosting(Purchase, Recurring, "Fixed Fee"),
        "one_off" => hosting(Purchase, OneTime, "One-Off Charge"),
        "tiered" | "graduated" | "volume" | "package" => hosting(Usage, UsageBased, "Metered Quantity"),
        "minimum_spend" => hosting(Purchase, Recurring, "Minimum Spend"),
        "prepaid_credit" => hosting(Credit, OneTime, "Prepaid Credit"),
        "tax" => hosting(Tax, Recurring, "Tax"),
        _ => hosting(Adjustment, Recurring, "Adjustment"),
    }
}

/// Whether lines of a kind are tax.
pub(crate) fn is_tax(kind: &str) -> bool {
    class_of(kind).category == Category::Tax
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new kind of component must get a class here, or be an adjustment on purpose.
    #[test]
    fn every_kind_of_component_has_a_class() {
        let adjustments: Vec<&str> = wb_rating::components::KINDS
            .iter()
            .copied()
            .filter(|kind| class_of(kind).category == Category::Adjustment)
            .collect();
        assert_eq!(adjustments, ["maximum_spend", "btc_settlement"]);
        assert!(is_tax("tax") && !is_tax("metered_energy"));
    }
}
