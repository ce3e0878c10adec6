//! `alertmanager`: silences what is being mended, and raises an alert where Alertmanager's own ways to people are wanted (API v2).
//!
//! A silence is made once however often its step is tried: its comment ends with the step's id, and one that is there already is left as it is.
//! That holds for one that somebody has ended since: it was made, and making it again would go against a person. Matchers are of equality
//! only, so a label's value is never a pattern, and there is at least one: a silence without would be of everything.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::{Value, json};
use url::Url;

use super::args::Args;
use super::places::Places;
use super::send::{Answer, Request, Sent, send};
use super::{Acting, Actuator, Done, Job, Now, Risk, filled};
use crate::core::labels::Labels;
use crate::core::playbook::StepEnd;
use crate::core::time::Span;

/// Some ten thousand silences or alerts; an answer that is longer is not searched, so nothing is made twice because of it.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// Longest silence: what needs longer than a week needs a person, who can make one.
const LONGEST: Span = Span::WEEK;

/// Labels, annotations or matchers of one: as many as a series has at most in practice.
const MAX_PAIRS: usize = 64;

/// A silence ends by itself about when a run is over.
const USUAL_SILENCE: Span = Span::HOUR;

/// An alert that nobody raises again ends by itself, as Alertmanager's own `resolve_timeout` has it.
const USUAL_ALERT: Span = Span::from_secs(300);

/// Who made it, in Alertmanager's own list.
const CREATED_BY: &str = "portent";

/// The annotation that an alert's step is found by.
const STEP_ANNOTATION: &str = "portent_step";

/// See the module.
#[derive(Clone)]
pub struct Alertmanager {
    places: Places,
    now: Now,
}

/// What is to be there in the end.
#[derive(Debug)]
struct Wish {
    verb: Verb,
    base: Url,
    body: Value,
    /// By what one finds it again.
    mark: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    CreateSilence,
    PostAlert,
}

impl Verb {
    fn of(with: &BTreeMap<String, Value>) -> Result<(Self, Args<'_>), String> {
        let verb = with.get("verb").and_then(Value::as_str).unwrap_or_default();
        match verb {
            "create_silence" => Ok((Self::CreateSilence, Args::of(with, &["verb", "url", "matchers", "duration", "comment"])?)),
            "post_alert" => Ok((Self::PostAlert, Args::of(with, &["verb", "url", "labels", "annotations", "duration"])?)),
            _ => Err(format!("verb is {verb:?}, want create_silence or post_alert")),
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::CreateSilence => "api/v2/silences",
            Self::PostAlert => "api/v2/alerts",
        }
    }
}

impl Alertmanager {
    pub fn new(places: Places, now: Now) -> Self {
        Self { places, now }
    }

    fn base(&self, args: Args<'_>) -> Result<Url, String> {
        let url = Self::base_form(args)?;
        self.places.check(&url).map_err(|error| error.to_string())?;
        Ok(url)
    }

    fn base_form(args: Args<'_>) -> Result<Url, String> {
        let text = args.need_text("url")?;
        let mut url = Url::parse(text).map_err(|error| format!("url {text:?}: {error}"))?;
        if filled::has_labels(text)? || url.query().is_some() || url.fragment().is_some() {
            return Err(format!("url {text:?}: want where Alertmanager is, without labels, query and fragment"));
        }
        let folder = format!("{}/", url.path().trim_end_matches('/'));
        url.set_path(&folder);
        Ok(url)
    }

    fn wish(&self, job: &Job) -> Result<Wish, String> {
        let (verb, args) = Verb::of(&job.with)?;
        let (base, now) = (self.base(args)?, (self.now)());
        let fill = |text: &str| filled::text(text, &job.labels);
        let (mark, body) = match verb {
            Verb::CreateSilence => {
                // A label's value may hold somebody else's mark, but never behind ours.
                let mark = format!("[portent step {}]", job.id);
                let comment = format!("{} {mark}", fill(args.text("comment")?.unwrap_or("made by a playbook"))?);
                let matchers: Vec<Value> = pairs(args, "matchers", &job.labels)?
                    .into_iter()
                    .map(|(name, value)| json!({ "name": name, "value": value, "isRegex": false, "isEqual": true }))
                    .collect();
                let ends = now + span(args, USUAL_SILENCE)?;
                let (now, ends) = (now.to_string(), ends.to_string());
                (mark, json!({ "matchers": matchers, "startsAt": now, "endsAt": ends, "createdBy": CREATED_BY, "comment": comment }))
            }
            Verb::PostAlert => {
                let labels: BTreeMap<_, _> = pairs(args, "labels", &job.labels)?.into_iter().collect();
                let mut annotations = BTreeMap::new();
                for (name, text) in args.texts_by_name("annotations")?.into_iter().take(MAX_PAIRS) {
                    annotations.insert(name.to_owned(), fill(text)?);
                }
                annotations.insert(STEP_ANNOTATION.to_owned(), job.id.clone());
                let ends = (now + span(args, USUAL_ALERT)?).to_string();
                (job.id.clone(), json!([{ "labels": labels, "annotations": annotations, "startsAt": now.to_string(), "endsAt": ends }]))
            }
        };
        Ok(Wish { verb, base, body, mark })
    }

    async fn call(&self, wish: &Wish, method: Method, timeout: Duration) -> Result<Sent, String> {
        let url = wish.base.join(wish.verb.path()).map_err(|error| error.to_string())?;
        let body = if method == Method::POST { Bytes::from(wish.body.to_string()) } else { Bytes::new() };
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        Ok(send(&self.places, Request { method, url, headers, body, timeout, most_bytes: MAX_ANSWER_BYTES }).await)
    }

    /// Whether it is there, or was.
    async fn is_there(&self, wish: &Wish, timeout: Duration) -> Result<bool, String> {
        let answer = match self.call(wish, Method::GET, timeout).await? {
            Sent::Answer(answer) => answer,
            Sent::Unsent(why) | Sent::Lost(why) => return Err(why),
        };
        if !answer.status.is_success() || !answer.is_whole {
            return Err(said(&answer));
        }
        let list: Vec<Value> = serde_json::from_slice(&answer.body).map_err(|error| format!("its answer is no list: {error}"))?;
        Ok(list.iter().any(|one| match wish.verb {
            Verb::CreateSilence => one["createdBy"] == CREATED_BY && one["comment"].as_str().is_some_and(|text| text.ends_with(&wish.mark)),
            Verb::PostAlert => one["annotations"][STEP_ANNOTATION] == wish.mark.as_str(),
        }))
    }

    async fn once(&self, job: &Job) -> Result<Done, String> {
        self.check(&job.with)?;
        let (start, wish) = (Instant::now(), self.wish(job)?);
        // An alert that is raised again is the same one; a silence would be a second one.
        if wish.verb == Verb::CreateSilence && self.is_there(&wish, job.timeout).await? {
            return Ok(Done::new(StepEnd::Succeeded, "the silence is there already"));
        }
        let left = job.timeout.saturating_sub(start.elapsed());
        Ok(match self.call(&wish, Method::POST, left).await? {
            Sent::Answer(answer) if answer.status.is_success() => Done::new(StepEnd::Succeeded, said(&answer)),
            Sent::Answer(answer) => Done::new(StepEnd::Failed, said(&answer)),
            Sent::Unsent(why) => return Err(why),
            Sent::Lost(why) => Done::new(StepEnd::Unknown, format!("it may have been received: {why}")),
        })
    }
}

impl std::fmt::Debug for Alertmanager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Alertmanager").field("places", &self.places).finish_non_exhaustive()
    }
}

impl Actuator for Alertmanager {
    fn name(&self) -> &'static str {
        "alertmanager"
    }

    fn risk(&self) -> Risk {
        Risk::Low
    }

    fn is_idempotent(&self) -> bool {
        true
    }

    fn check(&self, with: &BTreeMap<String, Value>) -> Result<(), String> {
        self.base(Verb::of(with)?.1)?;
        self.check_form(with)
    }

    fn check_form(&self, with: &BTreeMap<String, Value>) -> Result<(), String> {
        let (verb, args) = Verb::of(with)?;
        Self::base_form(args)?;
        span(args, Span::HOUR)?;
        with.values().try_for_each(filled::check)?;
        let own = match verb {
            Verb::CreateSilence => named(args, "matchers")?,
            Verb::PostAlert => named(args, "labels")?,
        };
        args.texts_by_name("annotations")?;
        if verb == Verb::PostAlert && !own.iter().any(|(name, _)| *name == "alertname") {
            return Err("labels lack alertname, by which Alertmanager's rules know an alert".to_owned());
        }
        args.text("comment").map(drop)
    }

    fn dry_run<'a>(&'a self, job: &'a Job) -> Acting<'a, Result<String, String>> {
        Box::pin(async move {
            self.check(&job.with)?;
            let wish = self.wish(job)?;
            Ok(filled::printable(&format!("would post to {}{}: {}", wish.base, wish.verb.path(), wish.body)))
        })
    }

    fn start<'a>(&'a self, job: &'a Job) -> Acting<'a, Done> {
        Box::pin(async move {
            self.once(job).await.unwrap_or_else(|why| Done::new(StepEnd::Failed, format!("nothing was done: {}", filled::printable(&why))))
        })
    }

    fn probe<'a>(&'a self, job: &'a Job) -> Acting<'a, Done> {
        Box::pin(async move {
            let found = match self.wish(job) {
                Ok(wish) => self.is_there(&wish, job.timeout).await,
                Err(why) => Err(why),
            };
            match found {
                Ok(true) => Done::new(StepEnd::Succeeded, "Alertmanager has it"),
                // An alert leaves the list when it is over, a silence stays there for days.
                Ok(false) if matches!(Verb::of(&job.with), Ok((Verb::CreateSilence, _))) => {
                    Done::new(StepEnd::Failed, "Alertmanager does not have it")
                }
                Ok(false) => Done::new(StepEnd::Unknown, "Alertmanager does not have it now, and an alert may be over"),
                Err(why) => Done::new(StepEnd::Unknown, format!("Alertmanager cannot be asked: {}", filled::printable(&why))),
            }
        })
    }
}

fn span(args: Args<'_>, usual: Span) -> Result<Span, String> {
    match args.span("duration")? {
        Some(span) if span > LONGEST => Err(format!("duration is {span}, want {LONGEST} at most")),
        span => Ok(span.unwrap_or(usual)),
    }
}

/// Names and texts, at least one and none without a name.
fn named<'a>(args: Args<'a>, key: &str) -> Result<Vec<(&'a str, &'a str)>, String> {
    let all = args.texts_by_name(key)?;
    if all.is_empty() || all.len() > MAX_PAIRS || all.iter().any(|(name, value)| name.is_empty() || value.is_empty()) {
        return Err(format!("{key}: want 1 to {MAX_PAIRS} labels with their values; none would be everything"));
    }
    Ok(all)
}

fn pairs(args: Args<'_>, key: &str, labels: &Labels) -> Result<Vec<(String, String)>, String> {
    named(args, key)?.into_iter().map(|(name, text)| Ok((name.to_owned(), filled::text(text, labels)?))).collect()
}

fn said(answer: &Answer) -> String {
    let mut kept = super::kept::Kept::default();
    kept.add(&answer.body);
    format!("Alertmanager answered {} {}", answer.status, kept.text())
}
