//! Logins: who may reach the server, and as what. A token is known by its hash alone, so that whoever reads the configuration can't use it.
//!
//! Plain SHA-256, and no slow hash with a salt as for passwords: those make guessing what people think up expensive. A token is 256 random
//! bits that nobody thinks up, so there is nothing to guess, nothing that two tokens could have in common, and each request is checked
//! for the price of one hash. It also means that a person's own words must never be taken for a token: [`TokenHash`] comes from
//! `portent token new`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::time::Timestamp;

/// What stands before every token, so that scanners for secrets know one.
pub const TOKEN_PREFIX: &str = "pt_";
/// What stands before every hash: which one it is.
const HASH_PREFIX: &str = "sha256:";
/// Bytes of a SHA-256.
const HASH_BYTES: usize = 32;

/// What somebody is here as. What each may do stands in one table, `src/server/access.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Viewer,
    Operator,
    Approver,
    Admin,
}

impl Role {
    pub const ALL: [(&'static str, Self); 4] =
        [("viewer", Self::Viewer), ("operator", Self::Operator), ("approver", Self::Approver), ("admin", Self::Admin)];

    pub fn as_str(self) -> &'static str {
        Self::ALL[self as usize].0
    }
}

/// `sha256:` and 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash([u8; HASH_BYTES]);

impl TokenHash {
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    fn is(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HASH_PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for TokenHash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // What was found is not repeated: it may be the token itself, put in the wrong place.
        let wrong = || format!("want {HASH_PREFIX} and {} hex digits, as `portent token new` prints them", 2 * HASH_BYTES);
        let digits = text.strip_prefix(HASH_PREFIX).filter(|d| d.len() == 2 * HASH_BYTES && d.is_ascii()).ok_or_else(wrong)?;
        let mut bytes = [0; HASH_BYTES];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

/// One token: whose it is, and what it may be used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Stands in the audit beside every decision.
    pub name: String,
    pub role: Role,
    pub hash: TokenHash,
    /// From then on it is no login any more.
    pub expires: Option<Timestamp>,
}

/// Who may reach the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Without any, everybody who reaches the server may do everything, and it listens on loopback only.
    pub logins: Vec<Login>,
    /// Metrics are for everybody.
    pub metrics_without_login: bool,
}

/// Why a token is no login.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the token is not known")]
    Unknown,
    #[error("the token has expired; ask for a new one (portent token new)")]
    Expired,
}

impl Access {
    /// Whose token it is. Every hash is compared to its last byte, so that the time it takes tells nothing about any of them.
    ///
    /// # Errors
    /// It is nobody's, or is no longer.
    pub fn login(&self, token: &str, now: Timestamp) -> Result<&Login, TokenError> {
        let hash = TokenHash::of(token);
        let mut found = None;
        for login in &self.logins {
            if bool::from(login.hash.is(&hash)) {
                found = Some(login);
            }
        }
        let login = found.ok_or(TokenError::Unknown)?;
        if login.expires.is_some_and(|expires| now >= expires) {
            return Err(TokenError::Expired);
        }
        Ok(login)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::Span;

    #[test]
    fn a_token_is_known_by_its_hash_until_it_expires() {
        let now = Timestamp::from_millis(1_793_577_600_000);
        let login = |name: &str, expires| Login { name: name.into(), role: Role::Approver, hash: TokenHash::of(name), expires };
        let access = Access { logins: vec![login("pt_a", None), login("pt_b", Some(now))], metrics_without_login: false };
        assert_eq!(access.login("pt_a", now).map(|l| l.name.as_str()), Ok("pt_a"));
        assert_eq!(access.login("pt_b", now - Span::from_millis(1)).map(|l| l.name.as_str()), Ok("pt_b"));
        assert_eq!(access.login("pt_b", now), Err(TokenError::Expired));
        for wrong in ["", "pt_", "pt_A", "pt_a ", "pt_ab"] {
            assert_eq!(access.login(wrong, now), Err(TokenError::Unknown), "{wrong:?}");
        }
    }

    #[test]
    fn a_hash_reads_as_it_is_written_and_nothing_else_does() {
        // Of "abc", FIPS 180-2.
        let known = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(TokenHash::of("abc").to_string(), known);
        assert_eq!(known.parse(), Ok(TokenHash::of("abc")));
        let short = &known[..known.len() - 1];
        for wrong in ["pt_hunter2", &known[7..], short, &format!("{short}g"), &format!("{known}0"), &format!("{short}\u{e9}")] {
            let error = wrong.parse::<TokenHash>().unwrap_err();
            assert!(!error.contains("hunter2") && error.contains("64 hex digits"), "{error}");
        }
        assert!(Role::ALL.iter().all(|(word, role)| role.as_str() == *word));
    }
}
