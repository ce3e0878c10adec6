//! `log` and `notify`: tell, and do nothing. The line goes where our log goes; whoever runs the step hands the text of `notify` on to those who
//! are to hear of it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::args::Args;
use super::{Acting, Actuator, Done, Job, Risk, filled};
use crate::core::labels::Labels;
use crate::core::playbook::{StepEnd, fill_text};

/// What it takes. The older playbooks name a `channel`; it says for whom the text is meant.
const KNOWN: [&str; 2] = ["text", "channel"];

/// Either of the two.
#[derive(Clone, Copy, Debug)]
pub struct Tell {
    name: &'static str,
}

impl Tell {
    pub const LOG: Self = Self { name: "log" };
    pub const NOTIFY: Self = Self { name: "notify" };

    /// The text for people. A label that is missing is empty in it: half a sentence is better than silence.
    fn text(with: &BTreeMap<String, Value>, labels: &Labels) -> Result<String, String> {
        let args = Args::of(with, &KNOWN)?;
        let text = filled::printable(&fill_text(args.need_text("text")?, labels)?).replace('\n', " ");
        Ok(match args.text("channel")? {
            Some(channel) => format!("{}: {text}", fill_text(channel, labels)?),
            None => text,
        })
    }
}

impl Actuator for Tell {
    fn name(&self) -> &'static str {
        self.name
    }

    fn risk(&self) -> Risk {
        Risk::None
    }

    fn is_idempotent(&self) -> bool {
        true
    }

    fn check(&self, with: &BTreeMap<String, Value>) -> Result<(), String> {
        Self::text(with, &Labels::default()).map(drop)
    }

    fn dry_run<'a>(&'a self, job: &'a Job) -> Acting<'a, Result<String, String>> {
        Box::pin(async move { Ok(format!("would say: {}", Self::text(&job.with, &job.labels)?)) })
    }

    fn start<'a>(&'a self, job: &'a Job) -> Acting<'a, Done> {
        Box::pin(async move {
            match Self::text(&job.with, &job.labels) {
                Ok(text) => {
                    tracing::info!(action = self.name, job = job.id, targets = ?job.targets, labels = %job.labels, "{text}");
                    Done::new(StepEnd::Succeeded, text)
                }
                Err(why) => Done::new(StepEnd::Failed, why),
            }
        })
    }

    fn probe<'a>(&'a self, _job: &'a Job) -> Acting<'a, Done> {
        Box::pin(async { Done::new(StepEnd::Unknown, "whether a line was written cannot be asked") })
    }
}
