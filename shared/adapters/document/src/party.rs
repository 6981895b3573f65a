//! The parties on a document.

/// One of the two parties.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Party {
    /// Its name on the document.
    pub name: String,
    /// Its address, line by line.
    pub address: Vec<String>,
    /// Its tax identifier, if it has one.
    pub tax_id: Option<String>,
}

impl Party {
    /// All lines that are printed, the name first; `tax_id` is the label of the tax identifier.
    pub(crate) fn lines(&self, tax_id: &str) -> Vec<String> {
        let tax_id = self.tax_id.as_ref().map(|id| format!("{tax_id}: {id}"));
        std::iter::once(&self.name).chain(&self.address).cloned().chain(tax_id).collect()
    }
}

/// Both parties of a document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parties {
    /// The issuer.
    pub issuer: Party,
    /// The customer.
    pub customer: Party,
    /// Payment instructions, line by line.
    pub payment: Vec<String>,
    /// The customer's purchase order, if it has one.
    pub purchase_order: Option<String>,
}
