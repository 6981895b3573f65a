//! Readers' tokens: signed JWTs, checked by RFC 8725 (best current practice) and RFC 9068 (access tokens).
//!
//! Algorithm (EdDSA with Ed25519), type `at+jwt`, key id, issuer, audience, start and end are all required and
//! checked. No header field is used to fetch anything.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::bearer::bearer_token;
use crate::error::AuthError;
use crate::keyfile;
use crate::tenant::{CustomerId, TenantScope, is_identifier};

/// The default issuer of tokens.
pub const ISSUER: &str = "weighbridge";

/// The default audience of tokens.
pub const AUDIENCE: &str = "weighbridge-api";

/// The `typ` of an access token (RFC 9068).
pub const TOKEN_TYPE: &str = "at+jwt";

/// How far the clocks of issuer and verifier may differ, in seconds.
pub const LEEWAY_S: u64 = 5;

/// The longest accepted token, in bytes.
pub const TOKEN_MAX_BYTES: usize = 4096;

/// The longest validity of a token, in seconds: one day. A token cannot be revoked, so a verifier refuses longer
/// ones.
pub const TOKEN_TTL_MAX_S: u64 = 86_400;

/// A role in a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ReaderRole {
    Operator,
    Customer,
}

/// The claims of a token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) aud: String,
    pub(crate) sub: String,
    pub(crate) exp: u64,
    pub(crate) nbf: u64,
    pub(crate) iat: u64,
    pub(crate) role: ReaderRole,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) customer_id: Option<String>,
}

/// What a token allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Everything.
    Operator,
    /// One customer's rows.
    Customer(CustomerId),
}

/// The content of a token to issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The holder of the token: a person or a program.
    pub subject: String,
    /// What it allows.
    pub access: Access,
}

/// A reader with a verified token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The holder of the token.
    pub subject: String,
    /// The rows it may see.
    pub scope: TenantScope,
    /// When the token ends, in seconds since 1970.
    pub expires_at_s: u64,
}

/// Verifies tokens with the public keys of the issuer.
#[derive(Clone)]
pub struct Verifier {
    keys: Vec<(String, DecodingKey)>,
    validation: Validation,
    issuer: String,
    audience: String,
}

impl Verifier {
    /// Creates a verifier with one public key in PEM form and the default issuer and audience.
    ///
    /// # Errors
    /// [`AuthError::KeyForm`] for anything but an Ed25519 public key.
    pub fn from_public_pem(pem: &str) -> Result<Self, AuthError> {
        Self::from_public_pems(&[pem], ISSUER, AUDIENCE)
    }

    /// Creates a verifier with several public keys (old and new while a key is replaced), and the issuer and audience
    /// that tokens must have.
    ///
    /// # Errors
    /// [`AuthError::KeyForm`] for anything but Ed25519 public keys, or none at all.
    pub fn from_public_pems(pems: &[&str], issuer: &str, audience: &str) -> Result<Self, AuthError> {
        let mut keys = Vec::with_capacity(pems.len());
        for (index, pem) in pems.iter().enumerate() {
            let what = format!("public key {}", index + 1);
            let (public_key, spki) = keyfile::read_public_pem(pem, &what)?;
            keys.push((keyfile::key_id(&spki), DecodingKey::from_ed_der(&public_key)));
        }
        if keys.is_empty() {
            let what = "the verifier's key".to_owned();
            return Err(AuthError::KeyForm { what, problem: "none is given" });
        }
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.leeway = LEEWAY_S;
        validation.validate_exp = true;
        validation.validate_nbf = true;
        validation.validate_aud = true;
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        Ok(Self { keys, validation, issuer: issuer.to_owned(), audience: audience.to_owned() })
    }

    /// Verifies the token of an `Authorization` header.
    ///
    /// # Errors
    /// [`AuthError::Missing`] or [`AuthError::Malformed`] for the header, and those of [`Verifier::verify`].
    pub fn authenticate(&self, authorization: Option<&str>) -> Result<Principal, AuthError> {
        self.verify(bearer_token(authorization)?)
    }

    /// Verifies a token and returns its holder.
    ///
    /// # Errors
    /// [`AuthError::Token`], [`AuthError::Expired`], [`AuthError::NotYetValid`],
    /// [`AuthError::OtherAudience`] or [`AuthError::Claims`].
    pub fn verify(&self, token: &str) -> Result<Principal, AuthError> {
        let refuse = |problem| AuthError::Token { problem };
        if token.len() > TOKEN_MAX_BYTES {
            return Err(refuse("it is longer than any token of this issuer"));
        }
        let header = jsonwebtoken::decode_header(token)
            .map_err(|_| refuse("its header cannot be read, or its algorithm does not exist"))?;
        let key = self.key_for(&header)?;
        let claims = jsonwebtoken::decode::<Claims>(token, key, &self.validation)
            .map_err(|error| self.explain(error.kind()))?
            .claims;
        principal_of(claims)
    }

    fn key_for(&self, header: &Header) -> Result<&DecodingKey, AuthError> {
        let refuse = |problem| AuthError::Token { problem };
        if header.alg != Algorithm::EdDSA {
            return Err(refuse("its algorithm must be EdDSA"));
        }
        if header.typ.as_deref() != Some(TOKEN_TYPE) {
            return Err(refuse("its type must be at+jwt"));
        }
        if header.crit.is_some() {
            return Err(refuse("it has critical header fields, and none are supported"));
        }
        let kid = header.kid.as_deref().ok_or_else(|| refuse("it has no key id (kid)"))?;
        let known = self.keys.iter().find(|(id, _)| id == kid);
        known.map(|(_, key)| key).ok_or_else(|| refuse("its key id (kid) is unknown"))
    }

    fn explain(&self, kind: &ErrorKind) -> AuthError {
        match kind {
            ErrorKind::ExpiredSignature => AuthError::Expired,
            ErrorKind::ImmatureSignature => AuthError::NotYetValid,
            ErrorKind::InvalidIssuer | ErrorKind::InvalidAudience => {
                AuthError::OtherAudience { issuer: self.issuer.clone(), audience: self.audience.clone() }
            }
            ErrorKind::InvalidSignature => AuthError::Token { problem: "its signature does not match" },
            ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) | ErrorKind::Json(_) => {
                AuthError::Claims {
                    problem: "iss, aud, sub, exp, nbf, iat and role (`operator` or `customer`) are needed",
                }
            }
            _ => AuthError::Token { problem: "it cannot be read" },
        }
    }
}

fn principal_of(claims: Claims) -> Result<Principal, AuthError> {
    let refuse = |problem| AuthError::Claims { problem };
    if !is_identifier(&claims.sub) {
        return Err(refuse("sub must be 1 to 128 characters of [A-Za-z0-9._:/-]"));
    }
    if claims.exp.saturating_sub(claims.iat) > TOKEN_TTL_MAX_S {
        return Err(refuse("exp lies more than one day after iat"));
    }
    let scope = match (claims.role, claims.customer_id) {
        (ReaderRole::Operator, None) => TenantScope::Operator,
        (ReaderRole::Operator, Some(_)) => {
            return Err(refuse("an operator's token must not have a customer_id"));
        }
        (ReaderRole::Customer, Some(id)) => {
            let id = CustomerId::new(id)
                .ok_or_else(|| refuse("customer_id must be 1 to 128 characters of [A-Za-z0-9._:/-]"))?;
            TenantScope::Customer(id)
        }
        (ReaderRole::Customer, None) => return Err(refuse("a customer's token must have a customer_id")),
    };
    Ok(Principal { subject: claims.sub, scope, expires_at_s: claims.exp })
}
