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
    /// All lines that are printed, the name first.
    pub(crate) fn lines(&self) -> Vec<String> {
        let known = self.address.iter().chain(&self.tax_id);
        std::iter::once(&self.name).chain(known).cloned().collect()
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
}
