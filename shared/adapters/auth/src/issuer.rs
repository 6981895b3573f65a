//! Issues tokens, for one machine and for tests. An installation with its own identity provider gives that provider's
//! public key to the [`Verifier`](crate::Verifier) instead.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use jsonwebtoken::{Algorithm, EncodingKey, Header};

use crate::error::AuthError;
use crate::keyfile::{self, Secrecy};
use crate::tenant::is_identifier;
use crate::token::{
    AUDIENCE, Access, Claims, Grant, ISSUER, ReaderRole, TOKEN_TTL_MAX_S, TOKEN_TYPE, Verifier,
};

/// The private key's file name (PKCS#8 in PEM form, mode 0600).
const PRIVATE_FILE: &str = "token-signing-key.pem";

/// The public key's file name (SPKI in PEM form).
const PUBLIC_FILE: &str = "token-public-key.pem";

/// Issues tokens with a private key.
pub struct Issuer {
    key: EncodingKey,
    key_id: String,
    public_pem: String,
}

impl Issuer {
    /// Loads the key in a folder, or creates one. Two processes that do so at once end up with the same key.
    ///
    /// # Errors
    /// [`AuthError::KeyFile`], [`AuthError::KeyFileMode`] or [`AuthError::KeyForm`] if the files are not usable,
    /// [`AuthError::Issue`] if no key can be created.
    pub fn create_or_load(dir: &Path) -> Result<Self, AuthError> {
        std::fs::create_dir_all(dir).map_err(|source| AuthError::KeyFile {
            action: "create the folder of",
            path: dir.display().to_string(),
            source,
        })?;
        let private_path = dir.join(PRIVATE_FILE);
        if !private_path.exists() {
            let failed = |what: &str| AuthError::Issue { problem: format!("{what} an Ed25519 key") };
            let pair = Ed25519KeyPair::generate().map_err(|_| failed("the system cannot make"))?;
            let pkcs8 = pair.to_pkcs8v1().map_err(|_| failed("the system cannot write"))?;
            keyfile::create(
                &private_path,
                &keyfile::to_pem(pkcs8.as_ref(), "PRIVATE KEY"),
                Secrecy::Private,
            )?;
        }
        let what = private_path.display().to_string();
        let pkcs8 =
            keyfile::from_pem(&keyfile::read(&private_path, Secrecy::Private)?, "PRIVATE KEY", &what)?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8)
            .map_err(|_| AuthError::KeyForm { what, problem: "it is not PKCS#8 of an Ed25519 key" })?;
        let spki = keyfile::spki_of(pair.public_key().as_ref());
        let public_pem = keyfile::to_pem(&spki, "PUBLIC KEY");
        keyfile::create(&dir.join(PUBLIC_FILE), &public_pem, Secrecy::Public)?;
        Ok(Self { key: EncodingKey::from_ed_der(&pkcs8), key_id: keyfile::key_id(&spki), public_pem })
    }

    /// The public key in PEM form.
    #[must_use]
    pub fn public_pem(&self) -> &str {
        &self.public_pem
    }

    /// A verifier for this issuer's tokens.
    ///
    /// # Errors
    /// None in practice, because the key was created or checked here.
    pub fn verifier(&self) -> Result<Verifier, AuthError> {
        Verifier::from_public_pem(&self.public_pem)
    }

    /// Issues a token that starts now and is valid for `ttl`, at most [`TOKEN_TTL_MAX_S`].
    ///
    /// # Errors
    /// [`AuthError::Issue`] for a subject that is not an identifier, a `ttl` of zero or above the limit, or a clock
    /// before 1970.
    pub fn issue(&self, grant: &Grant, ttl: Duration) -> Result<String, AuthError> {
        let now_s = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_err(|_| AuthError::Issue { problem: "the clock is before 1970".to_owned() })?
            .as_secs();
        self.issue_at(grant, now_s, ttl.as_secs())
    }

    fn issue_at(&self, grant: &Grant, now_s: u64, ttl_s: u64) -> Result<String, AuthError> {
        let refuse = |problem: String| AuthError::Issue { problem };
        if !is_identifier(&grant.subject) {
            return Err(refuse("the subject must be 1 to 128 characters of [A-Za-z0-9._:/-]".to_owned()));
        }
        if ttl_s == 0 || ttl_s > TOKEN_TTL_MAX_S {
            return Err(refuse(format!("a token is valid for 1 to {TOKEN_TTL_MAX_S} seconds, not {ttl_s}")));
        }
        let (role, customer_id) = match &grant.access {
            Access::Operator => (ReaderRole::Operator, None),
            Access::Customer(id) => (ReaderRole::Customer, Some(id.as_str().to_owned())),
        };
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: grant.subject.clone(),
            exp: now_s.saturating_add(ttl_s),
            nbf: now_s,
            iat: now_s,
            role,
            customer_id,
        };
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TOKEN_TYPE.to_owned());
        header.kid = Some(self.key_id.clone());
        jsonwebtoken::encode(&header, &claims, &self.key)
            .map_err(|error| refuse(format!("the signature failed: {error}")))
    }
}

#[cfg(test)]
mod tests;
