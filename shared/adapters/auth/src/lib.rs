//! Authentication of callers: API keys for event sources, signed tokens for readers.
//!
//! An event source sends an API key (`Authorization: Bearer wbk_...`), of which only the SHA-256 is configured; see
//! `source`. A reader sends a short-lived JWT signed with Ed25519, which is checked by RFC 8725; see `token`. Both
//! give a typed value ([`Source`], [`Principal`]) that the code behind requires, and every refusal has a stable code.

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
