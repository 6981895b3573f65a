//! Every way in which a caller or a key is refused.

/// Why a caller was refused, or why a key could not be used.
///
/// The text may be shown to the caller: it never repeats a key or a token.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// No `Authorization` header.
    #[error("no credentials: send `Authorization: Bearer <key or token>`")]
    Missing,
    /// An `Authorization` header of another form.
    #[error("the Authorization header cannot be read: write `Bearer`, one space and the key or token")]
    Malformed,
    /// An API key that is not configured.
    #[error("this API key is not known: a key starts with `wbk_` and its SHA-256 must be configured")]
    UnknownKey,
    /// A source that lacks the role for what it sends.
    #[error("source {source_id:?} may not do this: it needs the role `{needed}`")]
    RoleMissing {
        /// The source.
        source_id: String,
        /// The role that would allow it.
        needed: &'static str,
    },
    /// A configured source that cannot be used.
    #[error("source {source_id:?} is not usable: {problem}")]
    SourceEntry {
        /// The source.
        source_id: String,
        /// What is wrong with it and what would be right.
        problem: &'static str,
    },
    /// A token that cannot be trusted: its form, algorithm, type, key or signature.
    #[error("the token is not valid: {problem}")]
    Token {
        /// What was wrong.
        problem: &'static str,
    },
    /// A token after its end.
    #[error("the token has expired: ask for a new one")]
    Expired,
    /// A token before its start.
    #[error("the token is not valid yet: check the clocks of the issuer and of this host")]
    NotYetValid,
    /// A token of another issuer or for another audience.
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
    #[error("the token's claims cannot be used: {problem}")]
    Claims {
        /// What was wrong and what would be right.
        problem: &'static str,
    },
    /// A key file that could not be read or written.
    #[error("cannot {action} the key file {path}: {source}")]
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
    #[error("the key file {path} can be read by other users: set its mode to 0600")]
    KeyFileMode {
        /// The file.
        path: String,
    },
    /// Something that is no Ed25519 key.
    #[error("{what} is not an Ed25519 key in PEM form: {problem}")]
    KeyForm {
        /// Which key.
        what: String,
        /// What was wrong.
        problem: &'static str,
    },
    /// A token could not be made.
    #[error("cannot issue a token: {problem}")]
    Issue {
        /// What was wrong and what would be right.
        problem: String,
    },
}

impl AuthError {
    /// The stable code of this refusal.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "WB-3001",
            Self::Malformed => "WB-3002",
            Self::UnknownKey => "WB-3003",
            Self::RoleMissing { .. } => "WB-3004",
            Self::SourceEntry { .. } => "WB-3005",
            Self::Token { .. } => "WB-3010",
            Self::Expired => "WB-3011",
            Self::NotYetValid => "WB-3012",
            Self::OtherAudience { .. } => "WB-3013",
            Self::Claims { .. } => "WB-3014",
            Self::KeyFile { .. } => "WB-3015",
            Self::KeyFileMode { .. } => "WB-3016",
            Self::KeyForm { .. } => "WB-3017",
            Self::Issue { .. } => "WB-3018",
        }
    }

    /// Whether the caller is known but not allowed (HTTP 403 rather than 401).
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::RoleMissing { .. })
    }
}
