//! The `Authorization: Bearer` header.

use crate::error::AuthError;

/// Returns the credential in an `Authorization` header's value.
///
/// The scheme is compared without regard to case (RFC 9110).
///
/// # Errors
/// [`AuthError::Missing`] without a header, [`AuthError::Malformed`] if it is not `Bearer <credential>`.
pub fn bearer_token(authorization: Option<&str>) -> Result<&str, AuthError> {
    let value = authorization.ok_or(AuthError::Missing)?;
    let (scheme, credential) = value.split_once(' ').ok_or(AuthError::Malformed)?;
    let readable = !credential.is_empty() && credential.bytes().all(|byte| byte.is_ascii_graphic());
    if scheme.eq_ignore_ascii_case("bearer") && readable { Ok(credential) } else { Err(AuthError::Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bearer_credential_is_taken() {
        assert_eq!(bearer_token(Some("Bearer abc")).unwrap(), "abc");
        assert_eq!(bearer_token(Some("bearer abc")).unwrap(), "abc");
        assert_eq!(bearer_token(None).unwrap_err().code(), "WB-3001");
        for wrong in ["", "Bearer", "Bearer ", "Basic abc", "Bearer  abc", "Bearer a b", "Bearer \u{e9}"] {
            assert_eq!(bearer_token(Some(wrong)).unwrap_err().code(), "WB-3002", "{wrong:?}");
        }
    }
}
