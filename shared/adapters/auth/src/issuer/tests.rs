//! Issuer and verifier together: issued tokens are accepted, all others are refused.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::tenant::{CustomerId, TenantScope};
use serde_json::{Value, json};

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn customer(id: &str) -> Grant {
    Grant { subject: "ann".to_owned(), access: Access::Customer(CustomerId::new(id).unwrap()) }
}

fn operator() -> Grant {
    Grant { subject: "ops".to_owned(), access: Access::Operator }
}

/// A token with any header and claims, signed with the issuer's key.
fn forge(issuer: &Issuer, change_header: impl FnOnce(&mut Header), claims: &Value) -> String {
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some(TOKEN_TYPE.to_owned());
    header.kid = Some(issuer.key_id.clone());
    change_header(&mut header);
    jsonwebtoken::encode(&header, claims, &issuer.key).unwrap()
}

fn good_claims() -> Value {
    json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "role": "customer", "customer_id": "acme",
           "iat": now_s(), "nbf": now_s(), "exp": now_s() + 60})
}

#[test]
fn an_issued_token_is_accepted_with_its_scope() {
    let dir = tempfile::tempdir().unwrap();
    let issuer = Issuer::create_or_load(dir.path()).unwrap();
    let verifier = issuer.verifier().unwrap();
    let token = issuer.issue(&customer("acme"), Duration::from_secs(60)).unwrap();
    let principal = verifier.authenticate(Some(&format!("Bearer {token}"))).unwrap();
    assert_eq!(principal.subject, "ann");
    assert_eq!(principal.scope, TenantScope::Customer(CustomerId::new("acme").unwrap()));
    let token = issuer.issue(&operator(), Duration::from_secs(60)).unwrap();
    assert_eq!(verifier.verify(&token).unwrap().scope, TenantScope::Operator);
    assert!(verifier.verify(&forge(&issuer, |_| (), &good_claims())).is_ok());
}

#[test]
fn the_key_is_made_once_and_only_its_owner_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let ids: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..4).map(|_| scope.spawn(|| Issuer::create_or_load(dir.path()).unwrap().key_id)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let private = dir.path().join(PRIVATE_FILE);
    assert_eq!(std::fs::metadata(&private).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "no draft is left behind");
    let from_file =
        Verifier::from_public_pem(&std::fs::read_to_string(dir.path().join(PUBLIC_FILE)).unwrap()).unwrap();
    let token =
        Issuer::create_or_load(dir.path()).unwrap().issue(&operator(), Duration::from_secs(9)).unwrap();
    assert!(from_file.verify(&token).is_ok());
    std::fs::set_permissions(&private, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(Issuer::create_or_load(dir.path()).err().unwrap().code(), "WB-3016");
}

#[test]
fn claims_outside_the_rules_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let issuer = Issuer::create_or_load(dir.path()).unwrap();
    let verifier = issuer.verifier().unwrap();
    let now = now_s();
    for (field, value, code) in [
        ("exp", json!(now - 60), "WB-3011"),
        ("nbf", json!(now + 60), "WB-3012"),
        ("iss", json!("someone"), "WB-3013"),
        ("aud", json!("something"), "WB-3013"),
        ("exp", json!(now + 100_000), "WB-3014"),
        ("sub", json!("a b"), "WB-3014"),
        ("role", json!("root"), "WB-3014"),
        ("role", json!("operator"), "WB-3014"),
        ("customer_id", Value::Null, "WB-3014"),
        ("customer_id", json!(""), "WB-3014"),
        ("customer_id", json!("x' OR 1"), "WB-3014"),
    ] {
        let mut claims = good_claims();
        claims[field] = value.clone();
        let refusal = verifier.verify(&forge(&issuer, |_| (), &claims)).unwrap_err();
        assert_eq!(refusal.code(), code, "{field} = {value}: {refusal}");
    }
    for field in ["exp", "nbf", "iat", "iss", "aud", "sub", "role", "customer_id"] {
        let mut claims = good_claims();
        claims.as_object_mut().unwrap().remove(field);
        let refusal = verifier.verify(&forge(&issuer, |_| (), &claims)).unwrap_err();
        assert_eq!(refusal.code(), "WB-3014", "without {field}: {refusal}");
    }
}

#[test]
fn headers_outside_the_rules_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let issuer = Issuer::create_or_load(dir.path()).unwrap();
    let verifier = issuer.verifier().unwrap();
    type Change = fn(&mut Header);
    let changes: [(&str, Change); 5] = [
        ("another type", |header| header.typ = Some("JWT".to_owned())),
        ("no type", |header| header.typ = None),
        ("no key id", |header| header.kid = None),
        ("another key id", |header| header.kid = Some("0000000000000000".to_owned())),
        ("critical fields", |header| header.crit = Some(vec!["exp".to_owned()])),
    ];
    for (what, change) in changes {
        let refusal = verifier.verify(&forge(&issuer, change, &good_claims())).unwrap_err();
        assert_eq!(refusal.code(), "WB-3010", "{what}: {refusal}");
    }
}

#[test]
fn no_other_key_or_algorithm_is_trusted() {
    use base64::Engine;
    let encode = |value: &Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let issuer = Issuer::create_or_load(ours.path()).unwrap();
    let other = Issuer::create_or_load(theirs.path()).unwrap();
    let verifier = issuer.verifier().unwrap();
    let claimed = forge(&other, |header| header.kid = Some(issuer.key_id.clone()), &good_claims());
    // The public key as the secret of an HMAC: the first attack in RFC 8725.
    let mut hmac_header = Header::new(Algorithm::HS256);
    hmac_header.typ = Some(TOKEN_TYPE.to_owned());
    hmac_header.kid = Some(issuer.key_id.clone());
    let secret = EncodingKey::from_secret(issuer.public_pem().as_bytes());
    let confused = jsonwebtoken::encode(&hmac_header, &good_claims(), &secret).unwrap();
    let unsigned = format!(
        "{}.{}.",
        encode(&json!({"alg": "none", "typ": TOKEN_TYPE, "kid": issuer.key_id})),
        encode(&good_claims())
    );
    let good = forge(&issuer, |_| (), &good_claims());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let mut claims = good_claims();
    claims["customer_id"] = json!("birch");
    let swapped = format!("{}.{}.{signature}", signed.split('.').next().unwrap(), encode(&claims));
    let long = format!("{good}{}", "A".repeat(5000));
    for token in [claimed.as_str(), &confused, &unsigned, &swapped, &long, signed, "", "a.b.c"] {
        let refusal = verifier.verify(token).unwrap_err();
        assert_eq!(refusal.code(), "WB-3010", "{refusal}");
    }
}

#[test]
fn a_token_cannot_be_made_for_ever_or_for_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let issuer = Issuer::create_or_load(dir.path()).unwrap();
    assert!(issuer.issue(&operator(), Duration::from_secs(TOKEN_TTL_MAX_S)).is_ok());
    for (grant, ttl_s) in [
        (operator(), 0),
        (operator(), TOKEN_TTL_MAX_S + 1),
        (Grant { subject: String::new(), access: Access::Operator }, 60),
    ] {
        assert_eq!(issuer.issue(&grant, Duration::from_secs(ttl_s)).unwrap_err().code(), "WB-3018");
    }
}

#[test]
fn only_ed25519_public_keys_are_taken() {
    for pem in [
        "",
        "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----",
        "-----BEGIN PUBLIC KEY-----\n!!!!\n-----END PUBLIC KEY-----",
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----",
    ] {
        assert_eq!(Verifier::from_public_pem(pem).err().unwrap().code(), "WB-3017", "{pem:?}");
    }
}
