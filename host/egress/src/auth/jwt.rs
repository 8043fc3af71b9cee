//! A JSON Web Token per credential, signed with HMAC-SHA256 (RFC 7519, RFC 7515). Pure but for the time it is handed.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use crm_catalog::model::{Jwt, KeyEncoding};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::Refusal;

/// The signing key's bytes.
pub(crate) fn key(jwt: &Jwt, text: &str) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    // The merchant pasted it: what does not decode is a wrong key, not a defect of the connector.
    let wrong =
        || Refusal::Credentials(format!("the key is not {}", if jwt.key_encoding == KeyEncoding::Hex { "hexadecimal" } else { "base64" }));
    Ok(Zeroizing::new(match jwt.key_encoding {
        KeyEncoding::Text => text.as_bytes().to_vec(),
        KeyEncoding::Hex => hex::decode(text.trim()).map_err(|_| wrong())?,
        KeyEncoding::Base64 => STANDARD.decode(text.trim()).or_else(|_| URL_SAFE_NO_PAD.decode(text.trim())).map_err(|_| wrong())?,
    }))
}

/// A signed token, valid from `now` for `ttl_s` seconds.
pub(crate) fn sign(jwt: &Jwt, key: &[u8], kid: Option<&str>, now_ms: u64) -> Result<Zeroizing<String>, Refusal> {
    if jwt.alg != "HS256" {
        return Err(Refusal::Auth(format!("algorithm {:?} is not supported", jwt.alg)));
    }
    let iat = now_ms / 1_000;
    let mut header = json!({ "alg": "HS256", "typ": "JWT" });
    if let Some(kid) = kid {
        header["kid"] = kid.into();
    }
    let mut claims = json!({ "iat": iat, "exp": iat + u64::from(jwt.ttl_s.max(1)) });
    if let Some(aud) = &jwt.aud {
        claims["aud"] = aud.as_str().into();
    }
    let mut token =
        Zeroizing::new(format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string())));
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| Refusal::Auth("the key has an impossible length".into()))?;
    mac.update(token.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    token.push('.');
    token.push_str(&signature);
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_carries_its_claims_and_a_signature_that_verifies() {
        let jwt = Jwt {
            alg: "HS256".into(),
            key: "secret".into(),
            key_encoding: KeyEncoding::Hex,
            kid: None,
            aud: Some("/admin/".into()),
            ttl_s: 300,
            prefix: "Bearer".into(),
        };
        let key = key(&jwt, "00ff10").unwrap();
        let token = sign(&jwt, &key, Some("id1"), 1_700_000_000_000).unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        let header = String::from_utf8(URL_SAFE_NO_PAD.decode(parts[0]).unwrap()).unwrap();
        let claims = String::from_utf8(URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
        assert_eq!(header, r#"{"alg":"HS256","typ":"JWT","kid":"id1"}"#);
        assert_eq!(claims, r#"{"iat":1700000000,"exp":1700000300,"aud":"/admin/"}"#);
        let mut mac = Hmac::<Sha256>::new_from_slice(&[0x00, 0xff, 0x10]).unwrap();
        mac.update(format!("{}.{}", parts[0], parts[1]).as_bytes());
        mac.verify_slice(&URL_SAFE_NO_PAD.decode(parts[2]).unwrap()).unwrap();
    }

    #[test]
    fn a_key_that_does_not_decode_is_a_credentials_refusal() {
        let jwt = Jwt {
            alg: "HS256".into(),
            key: "k".into(),
            key_encoding: KeyEncoding::Hex,
            kid: None,
            aud: None,
            ttl_s: 1,
            prefix: String::new(),
        };
        assert!(matches!(key(&jwt, "zz"), Err(Refusal::Credentials(_))));
    }
}
