//! Whose rows a reader may see, and the SQL that keeps to it.

pub use wb_auth::{CustomerId, TenantScope};

/// The name of the query parameter that holds the customer of a [`TenantScope::Customer`].
pub(crate) const CUSTOMER_PARAMETER: &str = "tenant_customer";

/// The condition that keeps rows with a customer of their own (`column`) to the scope.
pub(crate) fn only_own(scope: &TenantScope, column: &str) -> String {
    match scope {
        TenantScope::Operator => "1".to_owned(),
        TenantScope::Customer(_) => format!("{column} = {{{CUSTOMER_PARAMETER}:String}}"),
    }
}
