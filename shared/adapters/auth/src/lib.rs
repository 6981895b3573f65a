//! Who is calling: API keys for event sources, signed tokens for readers.
//!
//! Two kinds of caller, two kinds of proof. An event source shows an API key
//! (`Authorization: Bearer wbk_...`), of which only the SHA-256 is configured; see `source`.
//! A reader shows a short-lived JWT signed with Ed25519, checked as RFC 8725 asks; see `token`.
//! Either way the result is a typed value ([`Source`], [`Principal`]) that the code behind it
//! must be given, and every refusal carries a stable code.

mod bearer;
mod error;
mod issuer;
mod keyfile;
mod source;
mod tenant;
mod token;

pub use bearer::bearer_token;
pub use error::AuthError;
pub use issuer::Issuer;
pub use source::{API_KEY_MAX_BYTES, API_KEY_PREFIX, GeneratedKey, Role, Source, SourceEntry, SourceKeys};
pub use tenant::{CustomerId, TenantScope};
pub use token::{
    AUDIENCE, Access, Grant, ISSUER, LEEWAY_S, Principal, TOKEN_MAX_BYTES, TOKEN_TTL_MAX_S, TOKEN_TYPE,
    Verifier,
};
