//! The SQL that limits rows to a scope.

pub use wb_auth::{CustomerId, TenantScope};

/// The query parameter with the customer of a [`TenantScope::Customer`].
pub(crate) const CUSTOMER_PARAMETER: &str = "tenant_customer";

/// The condition that limits rows with a customer (`column`) to the scope.
pub(crate) fn only_own(scope: &TenantScope, column: &str) -> String {
    match scope {
        TenantScope::Operator => "1".to_owned(),
        TenantScope::Customer(_) => format!("{column} = {{{CUSTOMER_PARAMETER}:String}}"),
    }
}
