//! Silences of our own: which there are, and a person's word that makes or ends one.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;

use super::App;
use super::access::Caller;
use super::acting::{named, only_here};
use super::answer::{self, Refusal};
use super::params::Params;
use crate::core::silence::Matcher;
use crate::core::silence::own::{SilenceError, SilenceId, Until, Wish};
use crate::source::selector;

impl From<SilenceError> for Refusal {
    fn from(error: SilenceError) -> Self {
        let said = error.to_string();
        match error {
            SilenceError::Unknown { id } => Self::NotFound(format!("/api/v1/silences/{id}")),
            SilenceError::Full | SilenceError::Over { .. } => Self::Conflict(said),
            _ => Self::BadData(said),
        }
    }
}

/// `GET /api/v1/silences?limit=`: those in force, those to come, and those that are over since not long ago.
pub async fn silences(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Refusal> {
    let limit = Params::read(uri.query(), &["limit"])?.limit()?;
    let mut all = app.view.silences();
    all.truncate(limit + 1);
    Ok(answer::page(all, limit))
}

/// `POST /api/v1/silences?matchers=a="b",c=~"d.*"&for=2h&comment=&from=&by=`, or `until=` with a time in place of `for=`.
pub async fn add(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, uri: Uri) -> Result<Response, Refusal> {
    let params = Params::read(uri.query(), &["matchers", "for", "until", "from", "comment", "by"])?;
    let by = named(&params, &caller)?;
    only_here(&app, &caller)?;
    let matchers = matchers(&params.text("matchers").unwrap_or_default()).map_err(Refusal::BadData)?;
    let until = match (params.parsed("for")?, params.parsed("until")?) {
        (Some(lasts), None) => Until::For(lasts),
        (None, Some(at)) => Until::At(at),
        _ => return Err(Refusal::BadData("say one of: for (a duration, as 2h), until (a time)".to_owned())),
    };
    let comment = params.text("comment").unwrap_or_default();
    let wish = Wish { matchers, starts_at: params.parsed("from")?, until, by, comment };
    Ok(answer::data(app.view.silence(wish).await??))
}

/// `POST /api/v1/silences/{id}/expire?by=`
pub async fn expire(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let by = named(&Params::read(uri.query(), &["by"])?, &caller)?;
    only_here(&app, &caller)?;
    let id: SilenceId = id.parse().map_err(Refusal::BadData)?;
    Ok(answer::data(app.view.unsilence(id, by).await??))
}

/// As in a selector of Prometheus', with or without its braces.
fn matchers(text: &str) -> Result<Vec<Matcher>, String> {
    let text = text.trim();
    let selector = if text.ends_with('}') && text.contains('{') { text.to_owned() } else { format!("{{{text}}}") };
    let written = selector::parse(&selector)
        .map_err(|why| format!("parameter \"matchers\": {why}; want them as in service=\"shop\",pod=~\"a.*\""))?;
    let matcher = |written: selector::Matcher| {
        Matcher::new(&written.label, written.operator, &written.value).map_err(|why| format!("parameter \"matchers\": {why}"))
    };
    written.into_iter().map(matcher).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::operator::Operator;

    proptest::proptest! {
        #[test]
        fn what_the_command_line_writes_is_read_as_it_was_meant(value in "[a-z\"\\\\{},=~ \n]{0,12}", other in "\\PC{0,8}") {
            let written = [("a", Operator::Equal, &value), ("b_1", Operator::NotEqual, &other), ("c", Operator::NotEqual, &value)];
            let written: Vec<Matcher> = written.into_iter().map(|(label, op, value)| Matcher::new(label, op, value).unwrap()).collect();
            let text = written.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            proptest::prop_assert_eq!(matchers(&text), Ok(written.clone()));
            proptest::prop_assert_eq!(matchers(&format!("{{{text}}}")), Ok(written));
        }
    }

    #[test]
    fn what_is_no_matcher_is_refused_with_what_is_one() {
        for wrong in ["", "{}", "service", "service=shop", "a=\"b\" or c=\"d\"", "a=~\"(\""] {
            assert!(matchers(wrong).unwrap_err().contains("matchers"), "{wrong}");
        }
    }
}
