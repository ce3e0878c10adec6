//! What it means that the API server did not do what it was asked.
//!
//! Only three things matter to whoever wrote: it never left us, the server refused it, or it may have been done. The last one is everything that a
//! gateway in between could have said too, and every failure inside the server: etcd may have taken what the server then gave up waiting for.

use kube::core::Status;
use reqwest::StatusCode;

use super::super::filled;
use super::super::kept::Kept;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing of it has left us.
    Unsent(String),
    /// The server said no, and did nothing.
    Refused { status: u16, says: String },
    /// It may have been done.
    Unclear(String),
}

impl Fault {
    /// Of an answer that is no success.
    pub fn of(status: StatusCode, retry_after: Option<&str>, body: &[u8]) -> Self {
        // A server that is no API server, such as a login page in between, answers without this.
        let told: Option<Status> = serde_json::from_slice::<Status>(body).ok().filter(|told| !told.message.is_empty());
        let said = told.as_ref().map_or_else(|| shown(body), |told| shown(told.message.as_bytes()));
        let code = status.as_u16();
        let hint = match code {
            401 => " (who we are is not known; hint: look at the token or certificate of act.kubernetes)",
            403 => " (the account may not; hint: RBAC, see docs/kubernetes-rbac.yaml)",
            409 => " (somebody else has changed it in between; nothing was overwritten)",
            429 => " (the server or a disruption budget wants it to be asked later)",
            300..=399 => " (redirects are not followed)",
            _ => "",
        };
        let after = retry_after.filter(|text| code == 429 && text.bytes().all(|b| b.is_ascii_digit()));
        let after = after.map(|seconds| format!(", after {seconds} s")).unwrap_or_default();
        let says = format!("the API server answered {code}{after}{hint}: {said}");
        match code {
            // Who gave up waiting for the rest of a request has not carried it out; but a proxy says the same about the server behind it.
            408 => Self::Unclear(says),
            300..=499 => Self::Refused { status: code, says },
            _ => Self::Unclear(says),
        }
    }

    /// An answer that is a success and no object of Kubernetes.
    pub fn odd(body: &[u8], why: &str) -> Self {
        Self::Unclear(format!("the answer {why}: {}", shown(body)))
    }

    pub fn is_status(&self, code: u16) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == code)
    }

    /// Without what it means.
    pub fn says(self) -> String {
        match self {
            Self::Unsent(says) | Self::Unclear(says) | Self::Refused { says, .. } => says,
        }
    }
}

fn shown(body: &[u8]) -> String {
    let mut kept = Kept::default();
    kept.add(body);
    filled::printable(&kept.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_means_that_nothing_was_done() {
        let of = |code: u16, body: &str| Fault::of(StatusCode::from_u16(code).unwrap(), Some("7"), body.as_bytes());
        for code in [301, 400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 429] {
            assert!(of(code, "no").is_status(code), "{code}");
        }
        for code in [408, 500, 502, 503, 504, 599] {
            assert!(matches!(of(code, "<html>"), Fault::Unclear(_)), "{code}");
        }
        let status =
            r#"{"kind":"Status","status":"Failure","message":"pods \"a\" is forbidden\u001b[31m","reason":"Forbidden","code":403}"#;
        let says = of(403, status).says();
        assert!(says.contains("pods \"a\" is forbidden\u{fffd}[31m") && says.contains("RBAC") && !says.contains("kind"), "{says}");
        assert!(of(429, "").says().contains("429, after 7 s") && !of(409, "").says().contains("7 s"));
        assert!(of(500, &"x".repeat(1_000_000)).says().len() < 1_000);
    }
}
