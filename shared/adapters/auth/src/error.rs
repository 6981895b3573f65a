//! Every way in which a caller or a key is refused.

/// Why a caller was refused, or why a key could not be used.
///
/// The text may be shown to the caller: it never repeats a key or a token.
#[wb_coded::coded(message)]
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// No `Authorization` header.
    #[code("WB-3001")]
    #[error("no credentials: send `Authorization: Bearer <key or token>`")]
    Missing,
    /// An `Authorization` header of another form.
    #[code("WB-3002")]
    #[error("the Authorization header cannot be read: write `Bearer`, one space and the key or token")]
    Malformed,
    /// An API key that is not configured.
    #[code("WB-3003")]
    #[error("this API key is not known: a key starts with `wbk_` and its SHA-256 must be configured")]
    UnknownKey,
    /// A source that lacks the role for what it sends.
    #[code("WB-3004")]
    #[error("source {source_id:?} may not do this: it needs the role `{needed}`")]
    RoleMissing {
        source_id: String,
        /// The role that would allow it.
        needed: &'static str,
    },
    /// A configured source that cannot be used.
    #[code("WB-3005")]
    #[error("source {source_id:?} is not usable: {problem}")]
    SourceEntry {
        source_id: String,
        /// What is wrong with it and what would be right.
        problem: &'static str,
    },
    /// A token that cannot be trusted: its form, algorithm, type, key or signature.
    #[code("WB-3010")]
    #[error("the token is not valid: {problem}")]
    Token {
        /// What was wrong.
        problem: &'static str,
    },
    /// A token after its end.
    #[code("WB-3011")]
    #[error("the token has expired: ask for a new one")]
    Expired,
    /// A token before its start.
    #[code("WB-3012")]
    #[error("the token is not valid yet: check the clocks of the issuer and of this host")]
    NotYetValid,
    /// A token of another issuer or for another audience.
    #[code("WB-3013")]
    #[error(
        "the token is meant for something else: its issuer must be `{issuer}` and its audience `{audience}`"
    )]
    OtherAudience {
        /// The issuer that is accepted.
        issuer: String,
        /// The audience that is accepted.
        audience: String,
    },
    /// Claims that say nothing usable about the caller.
    #[code("WB-3014")]
    #[error("the token's claims cannot be used: {problem}")]
    Claims {
        /// What was wrong and what would be right.
        problem: &'static str,
    },
    /// A key file that could not be read or written.
    #[code("WB-3015")]
    #[error("cannot {action} the key file {path}")]
    KeyFile {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A private key that others can read.
    #[code("WB-3016")]
    #[error("the key file {path} can be read by other users: set its mode to 0600")]
    KeyFileMode {
        /// The file.
        path: String,
    },
    /// Something that is no Ed25519 key.
    #[code("WB-3017")]
    #[error("{what} is not an Ed25519 key in PEM form: {problem}")]
    KeyForm {
        /// Which key.
        what: String,
        /// What was wrong.
        problem: &'static str,
    },
    /// A token could not be made.
    #[code("WB-3018")]
    #[error("cannot issue a token: {problem}")]
    Issue {
        /// What was wrong and what would be right.
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
