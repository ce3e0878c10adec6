//! `command`: starts a program of this machine, with arguments and never with a shell.
//!
//! `run: [/usr/bin/systemctl, restart, "{{job}}"]`. The program is one of those that the configuration names, found again by its entry in its
//! folder and not by what it leads to: `reboot` is a link to `systemctl`, and allowing the one does not allow the other. Each argument is one
//! argument whatever a label holds, and a label never makes an option of it. The program gets nothing of our environment, a process group of
//! its own, and as long as its step allows; then the whole group is ended.
//!
//! What leaves the group (`setsid`) is out of reach: that takes control groups, which need rights that a predictor should not have.

mod argument;
mod group;
mod program;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use self::argument::{argument, environment, is_this_machine};
use self::group::Ready;
use super::args::Args;
use super::{Acting, Actuator, Done, Job, Risk, filled};
use crate::core::labels::Labels;
use crate::core::playbook::StepEnd;

/// Arguments of one program: far more than people write, far fewer than the system refuses.
const MAX_ARGUMENTS: usize = 200;

/// See the module.
#[derive(Clone, Debug)]
pub struct Command {
    programs: Vec<PathBuf>,
}

impl Command {
    /// `programs` by their absolute paths; with none nothing can be started.
    pub fn new(programs: Vec<PathBuf>) -> Self {
        Self { programs }
    }

    fn args(with: &BTreeMap<String, Value>) -> Result<(Args<'_>, Vec<&str>), String> {
        let args = Args::of(with, &["run", "env", "host"])?;
        let run = args.need_texts("run")?;
        if run.len() > MAX_ARGUMENTS {
            return Err(format!("run has {} items, want {MAX_ARGUMENTS} at most", run.len()));
        }
        if filled::has_labels(run[0])? {
            return Err(format!("run begins with {:?}: a label may not choose the program", run[0]));
        }
        Ok((args, run))
    }

    /// Everything about it is settled here, so that a dry run shows what a run would do.
    fn ready(&self, with: &BTreeMap<String, Value>, labels: &Labels) -> Result<Ready, String> {
        let (args, run) = Self::args(with)?;
        if let Some(host) = args.text("host")? {
            is_this_machine(&filled::text(host, labels)?)?;
        }
        Ok(Ready {
            program: program::find(&self.programs, run[0])?,
            arguments: run[1..].iter().map(|item| argument(item, labels)).collect::<Result<_, _>>()?,
            environment: environment(args)?,
        })
    }
}

impl Actuator for Command {
    fn name(&self) -> &'static str {
        "command"
    }

    fn risk(&self) -> Risk {
        Risk::High
    }

    fn is_idempotent(&self) -> bool {
        false
    }

    fn check(&self, with: &BTreeMap<String, Value>) -> Result<(), String> {
        self.check_form(with)?;
        let (_, run) = Self::args(with)?;
        program::find(&self.programs, run[0]).map(drop)
    }

    fn check_form(&self, with: &BTreeMap<String, Value>) -> Result<(), String> {
        let (args, run) = Self::args(with)?;
        run.iter().copied().chain(args.text("host")?).try_for_each(|text| filled::has_labels(text).map(drop))?;
        environment(args).map(drop)
    }

    fn dry_run<'a>(&'a self, job: &'a Job) -> Acting<'a, Result<String, String>> {
        Box::pin(async move {
            let ready = self.ready(&job.with, &job.labels)?;
            Ok(format!("would start {ready} and end it after {:?}", job.timeout))
        })
    }

    fn start<'a>(&'a self, job: &'a Job) -> Acting<'a, Done> {
        Box::pin(async move {
            match self.ready(&job.with, &job.labels) {
                Ok(ready) => group::run(&ready, job.timeout).await,
                Err(why) => Done::new(StepEnd::Failed, format!("nothing was started: {why}")),
            }
        })
    }

    fn probe<'a>(&'a self, _job: &'a Job) -> Acting<'a, Done> {
        Box::pin(async { Done::new(StepEnd::Unknown, "nobody can tell what became of a program that was started before") })
    }
}
