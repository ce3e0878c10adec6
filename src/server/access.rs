//! Which role may do what: one table. Which route is which deed stands beside the route itself, and no route can be made without one.
//!
//! Wrong tokens are not counted by
//! address and locked out: 256 random bits can't be guessed, and behind a proxy everybody has one address, so that a lock would keep
//! those out who have to approve something at night. They are answered late, a few at a time, so that trying costs time and fills no log.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::App;
use super::answer::Refusal;
use crate::clock::Clock as _;
use crate::core::access::Role;

/// A wrong token is answered after so long.
const WRONG_DELAY: Duration = Duration::from_millis(500);
/// Wrong tokens that wait for their answer at most; more are turned away at once. Each holds one of the connections.
pub const MAX_WRONG: usize = 4;

/// What somebody does here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Asks whether it lives, or loads a page that holds nothing but its own form.
    Look,
    /// Sees predictions, series, runs, charts.
    Read,
    /// Sees metrics; everybody's where the configuration says so.
    Scrape,
    /// Asks what a step would do, which asks others on our behalf.
    DryRun,
    /// Proposes a playbook for a prediction, which then goes through the gate.
    Propose,
    /// Has the configuration read again.
    Reload,
    /// Stops everything. Whoever may do more than look may do that: it is what one does when in doubt.
    Stop,
    /// Makes a silence, which keeps things from being told and done, or ends one. Whoever watches the services does that.
    Silence,
    /// Says yes or no.
    Decide,
    /// Lets it go on after a stop, which undoes what somebody in doubt has done.
    Resume,
}

/// Which role may do what.
const MAY: [(Deed, &[Role]); 10] = {
    use Role::{Admin, Approver, Operator, Viewer};
    [
        (Deed::Look, &[Viewer, Operator, Approver, Admin]),
        (Deed::Read, &[Viewer, Operator, Approver, Admin]),
        (Deed::Scrape, &[Viewer, Operator, Approver, Admin]),
        (Deed::DryRun, &[Operator, Approver, Admin]),
        (Deed::Propose, &[Operator, Approver, Admin]),
        (Deed::Reload, &[Operator, Admin]),
        (Deed::Stop, &[Operator, Approver, Admin]),
        (Deed::Silence, &[Operator, Approver, Admin]),
        (Deed::Decide, &[Approver, Admin]),
        (Deed::Resume, &[Admin]),
    ]
};

impl Deed {
    fn is_for(self, role: Role) -> bool {
        MAY.iter().any(|(deed, roles)| *deed == self && roles.contains(&role))
    }

    fn roles(self) -> String {
        let names = MAY.iter().filter(|(deed, _)| *deed == self).flat_map(|(_, roles)| roles.iter().map(|role| role.as_str()));
        names.collect::<Vec<_>>().join(" or ")
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// There are no logins: everybody who reaches the server may do everything.
    Anybody,
    /// There are, and this is without one.
    Stranger,
    Known {
        name: String,
        role: Role,
    },
}

impl Caller {
    pub fn may(&self, deed: Deed) -> bool {
        match self {
            Self::Anybody => true,
            Self::Stranger => deed == Deed::Look,
            Self::Known { role, .. } => deed.is_for(*role),
        }
    }

    /// All that is allowed to them.
    pub fn deeds(&self) -> Vec<Deed> {
        MAY.iter().map(|(deed, _)| *deed).filter(|deed| *deed != Deed::Look && self.may(*deed)).collect()
    }
}

/// Stands before one route: lets in whom its deed is for, and tells the handler who it is.
pub async fn admit(State((app, deed)): State<(Arc<App>, Deed)>, mut request: Request, next: Next) -> Response {
    match caller(&app, deed, request.headers()).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// Whose request it is: 401 without a token that is somebody's, 403 where their role does not allow it, 429 for too many wrong ones at once.
async fn caller(app: &App, deed: Deed, headers: &HeaderMap) -> Result<Caller, Refusal> {
    let access = app.view.access();
    if access.logins.is_empty() {
        return Ok(Caller::Anybody);
    }
    let is_open = deed == Deed::Look || (deed == Deed::Scrape && access.metrics_without_login);
    let Some(token) = bearer(headers)? else {
        return if is_open {
            Ok(Caller::Stranger)
        } else {
            Err(Refusal::Unauthorized("a token is needed: Authorization: Bearer pt_...".into()))
        };
    };
    match access.login(token, app.clock.now()) {
        Ok(login) if deed.is_for(login.role) => Ok(Caller::Known { name: login.name.clone(), role: login.role }),
        Ok(login) => Err(Refusal::Forbidden(format!("{} is {}, and this is for {}", login.name, login.role.as_str(), deed.roles()))),
        Err(error) => {
            let Ok(_turn) = app.wrong.try_acquire() else {
                return Err(Refusal::TooMany("too many wrong tokens at once; try again".into()));
            };
            tracing::warn!(?deed, %error, "a wrong token was refused");
            tokio::time::sleep(WRONG_DELAY).await;
            Err(Refusal::Unauthorized(error.to_string()))
        }
    }
}

/// The token of a request, if it has any.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let wrong = || Refusal::Unauthorized("the Authorization header cannot be read: want Bearer and a token".into());
    if values.next().is_some() {
        return Err(wrong());
    }
    let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(wrong)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(Some(token.trim())) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bearer_token_is_read_and_nothing_else() {
        let read = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, value.parse().unwrap());
            }
            bearer(&headers).map(|token| token.map(str::to_owned))
        };
        assert_eq!((read(&[]), read(&["bearer  pt_a"])), (Ok(None), Ok(Some("pt_a".into()))));
        for wrong in [&["Basic pt_a"][..], &["pt_a"], &["Bearer"], &["Bearer pt_a", "Bearer pt_b"]] {
            assert!(matches!(read(wrong), Err(Refusal::Unauthorized(_))), "{wrong:?}");
        }
    }
}
