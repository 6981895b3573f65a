//! The errors of callers and keys.

/// Why a caller was refused, or why a key could not be used.
///
/// The text may be shown to the caller; it never contains a key or a token.
#[wb_coded::coded(message)]
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// There is no `Authorization` header.
    #[code("WB-3001")]
    #[error("no credentials: send `Authorization: Bearer <key or token>`")]
    Missing,
    /// The `Authorization` header has another form.
    #[code("WB-3002")]
    #[error("the Authorization header cannot be read: write `Bearer`, one space and the key or token")]
    Malformed,
    /// The API key is not configured.
    #[code("WB-3003")]
    #[error("this API key is unknown: a key starts with `wbk_` and its SHA-256 must be configured")]
    UnknownKey,
    /// The source lacks the role for what it sends.
    #[code("WB-3004")]
    #[error("source {source_id:?} may not do this: it needs the role `{needed}`")]
    RoleMissing {
        source_id: String,
        /// The required role.
        needed: &'static str,
    },
    /// A configured source that is not valid.
    #[code("WB-3005")]
    #[error("source {source_id:?} is not usable: {problem}")]
    SourceEntry {
        source_id: String,
        /// What is wrong, and what is allowed.
        problem: &'static str,
    },
    /// The token's form, algorithm, type, key or signature is not valid.
    #[code("WB-3010")]
    #[error("the token is not valid: {problem}")]
    Token {
        /// What is wrong.
        problem: &'static str,
    },
    /// The token has expired.
    #[code("WB-3011")]
    #[error("the token has expired: ask for a new one")]
    Expired,
    /// The token is not valid yet.
    #[code("WB-3012")]
    #[error("the token is not valid yet: check the clocks of the issuer and of this host")]
    NotYetValid,
    /// The token has another issuer or audience.
    #[code("WB-3013")]
    #[error("the token is for another service: its issuer must be `{issuer}` and its audience `{audience}`")]
    OtherAudience {
        /// The accepted issuer.
        issuer: String,
        /// The accepted audience.
        audience: String,
    },
    /// The token's claims are not valid.
    #[code("WB-3014")]
    #[error("the token's claims are not valid: {problem}")]
    Claims {
        /// What is wrong, and what is allowed.
        problem: &'static str,
    },
    /// A key file could not be read or written.
    #[code("WB-3015")]
    #[error("cannot {action} the key file {path}")]
    KeyFile {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// Other users can read a private key.
    #[code("WB-3016")]
    #[error("the key file {path} can be read by other users: set its mode to 0600")]
    KeyFileMode {
        /// The file.
        path: String,
    },
    /// The key is not an Ed25519 key.
    #[code("WB-3017")]
    #[error("{what} is not an Ed25519 key in PEM form: {problem}")]
    KeyForm {
        /// Which key.
        what: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// A token could not be issued.
    #[code("WB-3018")]
    #[error("cannot issue a token: {problem}")]
    Issue {
        /// What is wrong, and what is allowed.
        problem: String,
    },
}

impl AuthError {
    /// Whether the caller is known but not allowed (HTTP 403 rather than 401).
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::RoleMissing { .. })
    }
}
