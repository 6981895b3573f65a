//! The rows that a caller may see.

use std::fmt;

/// A customer's identifier: 1 to 128 characters of `[A-Za-z0-9._:/-]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CustomerId(String);

/// The longest identifier.
const ID_MAX_CHARS: usize = 128;

impl CustomerId {
    /// Checks an identifier; `None` if it is empty, too long or has other characters.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Option<Self> {
        let id = id.into();
        is_identifier(&id).then_some(Self(id))
    }

    /// The identifier's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CustomerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Whether a text is a valid identifier.
pub(crate) fn is_identifier(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/-".contains(&byte);
    (1..=ID_MAX_CHARS).contains(&id.len()) && id.bytes().all(allowed)
}

/// The rows that a reader may see. Every read takes a scope by value, and it has no default.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TenantScope {
    /// All rows.
    Operator,
    /// The data of one customer, while it was assigned to it.
    Customer(CustomerId),
}

impl TenantScope {
    /// The customer of this scope, if it is limited to one.
    #[must_use]
    pub fn customer(&self) -> Option<&CustomerId> {
        match self {
            Self::Operator => None,
            Self::Customer(customer) => Some(customer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_a_fixed_alphabet() {
        assert!(CustomerId::new("hal-desk").is_some());
        assert!(CustomerId::new("a/b:c.d_e").is_some());
        for wrong in ["", "a b", "a'b", "\u{e9}", &"x".repeat(129)] {
            assert!(CustomerId::new(wrong).is_none(), "{wrong:?}");
        }
    }
}
