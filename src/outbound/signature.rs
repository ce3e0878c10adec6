//! Standard Webhooks signatures (<https://www.standardwebhooks.com/>, version 1.0.0): both ends of them.
//!
//! `webhook-signature` is `v1,` and the base64 of HMAC-SHA256 over `{webhook-id}.{webhook-timestamp}.{body}`; several, with a space
//! between, while secrets rotate. The timestamp is that of the attempt, so that a receiver can refuse an old recording.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

use super::secret::Secret;
use crate::core::time::{Span, Timestamp};

pub const ID_HEADER: &str = "webhook-id";
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// How far a receiver lets the timestamp lie from its own clock, as the standard's reference libraries do.
pub const TOLERANCE: Span = Span::from_secs(300);

/// Signatures looked at in one header: senders have two while they rotate; an attacker could send thousands to keep us busy.
const MAX_SIGNATURES: usize = 16;

/// Why a request is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    #[error("webhook-timestamp {found:?} is not a Unix time in seconds")]
    Timestamp { found: String },
    #[error("webhook-timestamp is {off} from now, allowed are {tolerance}: the clocks differ, or it is an old recording")]
    Stale { off: Span, tolerance: Span },
    #[error("no v1 signature matches: another secret, or the body was changed")]
    NoMatch,
}

/// The `webhook-timestamp` of a time: whole Unix seconds.
pub fn unix_seconds(time: Timestamp) -> i64 {
    time.as_millis().div_euclid(1000)
}

/// The `webhook-signature` header: a signature by every secret, in their order.
pub fn sign(secrets: &[Secret], id: &str, timestamp_s: i64, body: &[u8]) -> String {
    let timestamp = timestamp_s.to_string();
    let signatures: Vec<String> =
        secrets.iter().map(|secret| format!("v1,{}", STANDARD.encode(digest(secret, id, &timestamp, body)))).collect();
    signatures.join(" ")
}

/// Whether a request that carries these three headers and this body comes from somebody who knows one of `secrets`, just now.
///
/// Takes the same time whichever signature or secret matches. The receiver still has to drop ids that it has seen.
pub fn verify(
    secrets: &[Secret],
    id: &str,
    timestamp: &str,
    signature: &str,
    body: &[u8],
    now: Timestamp,
    tolerance: Span,
) -> Result<(), VerifyError> {
    let seconds = parse_seconds(timestamp).ok_or_else(|| VerifyError::Timestamp { found: timestamp.chars().take(32).collect() })?;
    let off = now - Timestamp::from_millis(seconds.saturating_mul(1000));
    if off.as_millis().saturating_abs() > tolerance.as_millis() {
        return Err(VerifyError::Stale { off, tolerance });
    }
    let mut matches = Choice::from(0);
    for given in signature.split(' ').filter_map(|s| s.strip_prefix("v1,")).take(MAX_SIGNATURES) {
        // Signatures of other versions and broken ones are passed over: a sender may add kinds that we don't know.
        let Ok(given) = STANDARD.decode(given) else { continue };
        for secret in secrets {
            matches |= digest(secret, id, timestamp, body).as_slice().ct_eq(&given);
        }
    }
    if bool::from(matches) { Ok(()) } else { Err(VerifyError::NoMatch) }
}

/// Digits only: `i64::from_str` would let `+1` through, which signs another text for the same time.
fn parse_seconds(text: &str) -> Option<i64> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn digest(secret: &Secret, id: &str, timestamp: &str, body: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    // The test vector of the standard's reference libraries.
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn secret() -> Secret {
        Secret::parse(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap()
    }

    fn other() -> Secret {
        Secret::parse(b"the secret before, 24 bytes or more").unwrap()
    }

    fn check(secrets: &[Secret], timestamp: &str, signature: &str, body: &[u8], now_s: i64) -> Result<(), VerifyError> {
        verify(secrets, ID, timestamp, signature, body, Timestamp::from_millis(now_s * 1000), TOLERANCE)
    }

    #[test]
    fn agrees_with_the_reference_libraries() {
        assert_eq!(sign(&[secret()], ID, AT, BODY), SIGNATURE);
        assert_eq!(check(&[secret()], "1614265330", SIGNATURE, BODY, AT), Ok(()));
    }

    #[test]
    fn rotation_signs_with_all_and_any_one_will_do() {
        let header = sign(&[secret(), other()], ID, AT, BODY);
        assert_eq!(header.split(' ').count(), 2);
        for known in [secret(), other()] {
            assert_eq!(check(&[known], "1614265330", &header, BODY, AT), Ok(()));
        }
        let with_unknown_kinds = format!("v1a,hnO3f9T8Ytu9 v1,%%% v2,x {header}");
        assert_eq!(check(&[other()], "1614265330", &with_unknown_kinds, BODY, AT), Ok(()));
    }

    #[test]
    fn refuses_whatever_was_changed() {
        let no_match = Err(VerifyError::NoMatch);
        assert_eq!(check(&[secret()], "1614265330", SIGNATURE, br#"{"test": 2432232315}"#, AT), no_match);
        assert_eq!(check(&[secret()], "1614265331", SIGNATURE, BODY, AT), no_match);
        assert_eq!(check(&[other()], "1614265330", SIGNATURE, BODY, AT), no_match);
        assert_eq!(check(&[], "1614265330", SIGNATURE, BODY, AT), no_match);
        for header in
            ["", "v1,", "v1", SIGNATURE.trim_start_matches("v1,"), "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "v1,g0hM9SsE"]
        {
            assert_eq!(check(&[secret()], "1614265330", header, BODY, AT), no_match, "{header:?}");
        }
        let late = format!("{} {SIGNATURE}", vec!["v1,AAAA"; MAX_SIGNATURES].join(" "));
        assert_eq!(check(&[secret()], "1614265330", &late, BODY, AT), no_match, "looked at more signatures than the limit");
    }

    #[test]
    fn refuses_old_recordings_and_odd_times() {
        assert_eq!(check(&[secret()], "1614265330", SIGNATURE, BODY, AT + 300), Ok(()));
        assert_eq!(check(&[secret()], "1614265330", SIGNATURE, BODY, AT - 300), Ok(()));
        for now in [AT + 301, AT - 301] {
            assert!(matches!(check(&[secret()], "1614265330", SIGNATURE, BODY, now), Err(VerifyError::Stale { .. })));
        }
        for odd in ["", "+1614265330", "-1", "1614265330.0", "99999999999999999999", "soon"] {
            assert!(matches!(check(&[secret()], odd, SIGNATURE, BODY, AT), Err(VerifyError::Timestamp { .. })), "{odd:?}");
        }
    }
}
