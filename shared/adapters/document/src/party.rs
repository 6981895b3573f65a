//! Who is named on a document.

/// One of the two parties.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Party {
    /// Its name as on the document.
    pub name: String,
    /// Its address, line by line.
    pub address: Vec<String>,
    /// Its tax identifier, where it has one.
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
    /// Who issues it.
    pub issuer: Party,
    /// Whom it is for.
    pub customer: Party,
    /// How to pay, line by line.
    pub payment: Vec<String>,
}
