//! One step's hand on one object: reads it, writes on it, and finds out what became of a write whose answer got lost.
//!
//! Every write names the object's uid and resource version, is first tried as a dry run of the server itself, and carries the step's mark. Where
//! its answer stays away, the mark tells: it is there, or it is not and a harmless note is written instead. That note gives the object a new version, so that
//! a write that is still on its way somewhere comes to nothing.

use std::time::{Duration, Instant};

use kube::core::params::{GetParams, Patch, PatchParams};
use kube::core::{DynamicObject, Request};
use serde_json::{Value, json};

use super::super::Done;
use super::change::merged;
use super::cluster::Cluster;
use super::fault::Fault;
use super::marks::{Before, Marks};
use super::target::Target;
use crate::core::playbook::StepEnd;

/// Written where a step's mark is missing, so that it stays so.
pub const NOT_DONE: &str = "portent.dev/not-done";

/// As whom the API server shows our writes.
pub const MANAGER: &str = "portent";

/// What became of a write is looked for so long, also past the step's own time: less than the daemon waits for a report.
const SETTLE_WITHIN: Duration = Duration::from_secs(10);

/// A note that somebody else's change keeps out is tried again; who is changed more often than that has a controller at odds with itself.
const MAX_NOTES: usize = 4;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Hand<'a> {
    pub cluster: &'a Cluster,
    pub target: &'a Target,
    /// The step's.
    pub id: &'a str,
    pub deadline: Instant,
}

/// Whether a step's mark is on an object.
#[derive(Debug)]
pub enum Mark {
    Here(Box<DynamicObject>),
    /// It is not, and will not come any more.
    Never,
    Gone,
    Unknown(String),
}

impl Hand<'_> {
    /// Requests about the object.
    pub fn requests(&self) -> Request {
        self.cluster.requests(self.target.kind, self.target.namespace.as_deref())
    }

    /// The object as it is.
    pub async fn read(&self) -> Result<DynamicObject, Fault> {
        let made = self.requests().get(&self.target.name, &GetParams::default());
        let object = self.cluster.ask(made, self.deadline).await?;
        self.checked(object)
    }

    fn checked(&self, object: DynamicObject) -> Result<DynamicObject, Fault> {
        if self.target.is(&object) {
            return Ok(object);
        }
        let name = object.metadata.name.unwrap_or_default();
        Err(Fault::Unclear(format!("the answer is not {}, but something called {name:.80?}", self.target)))
    }

    /// Changes the object that was read, unless it is another one by now.
    pub async fn patch(&self, object: &DynamicObject, change: Value, dry_run: bool) -> Result<DynamicObject, Fault> {
        let same = json!({ "metadata": { "uid": object.metadata.uid, "resourceVersion": object.metadata.resource_version } });
        let patch = Patch::Strategic(merged(change, same));
        let params = PatchParams { dry_run, field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let answer = self.cluster.ask(self.requests().patch(&self.target.name, &params, &patch), self.deadline).await?;
        let changed = self.checked(answer)?;
        if changed.metadata.uid == object.metadata.uid { Ok(changed) } else { Err(Fault::Unclear("the answer has another uid".to_owned())) }
    }

    /// The change with its mark, as a dry run only.
    pub async fn try_out(&self, object: &DynamicObject, change: Value, before: Option<Before>, forget: Option<&str>) -> Result<(), Fault> {
        let changed = self.patch(object, self.marked(object, change, before, forget), true).await?;
        // An admission hook that drops the mark would leave us without knowing what became of a write.
        if Marks::of(&changed).has(self.id) { Ok(()) } else { Err(Fault::Unclear("the dry run's answer lacks the step's mark".to_owned())) }
    }

    /// The change with its mark: a dry run first, then in earnest. The object as it is then, or how the step ended.
    pub async fn write(
        &self,
        object: &DynamicObject,
        change: Value,
        before: Option<Before>,
        forget: Option<&str>,
    ) -> Result<DynamicObject, Done> {
        let tried = self.try_out(object, change.clone(), before.clone(), forget).await;
        tried.map_err(|fault| nothing(&format!("the dry run failed: {}", fault.says())))?;
        match self.patch(object, self.marked(object, change, before, forget), false).await {
            Ok(changed) if Marks::of(&changed).has(self.id) => Ok(changed),
            Ok(_) => self.settle("the answer lacks the step's mark".to_owned()).await,
            Err(Fault::Unsent(why) | Fault::Refused { says: why, .. }) => Err(nothing(&why)),
            Err(Fault::Unclear(why)) => self.settle(why).await,
        }
    }

    fn marked(&self, object: &DynamicObject, change: Value, before: Option<Before>, forget: Option<&str>) -> Value {
        merged(change, Marks::of(object).with(self.id, before, forget))
    }

    /// `why` is what made it doubtful.
    async fn settle(&self, why: String) -> Result<DynamicObject, Done> {
        match self.patiently().mark().await {
            Mark::Here(object) => Ok(*object),
            Mark::Never => Err(nothing(&why)),
            Mark::Gone => Err(Done::new(StepEnd::Unknown, format!("{why}; {} is not there any more", self.target))),
            Mark::Unknown(more) => Err(Done::new(StepEnd::Unknown, format!("{why}; whether it was done cannot be found out: {more}"))),
        }
    }

    /// The same hand with time to find out what it has done.
    pub fn patiently(&self) -> Self {
        Self { deadline: Instant::now() + SETTLE_WITHIN, ..*self }
    }

    /// Whether the step's mark is there; where it is not, it never will be afterwards.
    pub async fn mark(&self) -> Mark {
        for _ in 0..MAX_NOTES {
            let object = match self.read().await {
                Ok(object) => object,
                Err(fault) if fault.is_status(404) => return Mark::Gone,
                Err(fault) => return Mark::Unknown(fault.says()),
            };
            if Marks::of(&object).has(self.id) {
                return Mark::Here(Box::new(object));
            }
            match self.note(&object).await {
                Ok(()) => return Mark::Never,
                Err(fault) if fault.is_status(409) => {}
                Err(fault) => return Mark::Unknown(fault.says()),
            }
        }
        Mark::Unknown("somebody changes it all the time".to_owned())
    }

    /// Gives the object a new version, so that what was written for the old one is refused.
    pub async fn note(&self, object: &DynamicObject) -> Result<(), Fault> {
        let note = json!({ "metadata": { "annotations": { NOT_DONE: self.id } } });
        self.patch(object, note, false).await.map(drop)
    }
}

/// A failure of which it is sure that nothing was done.
pub fn nothing(why: &str) -> Done {
    Done::new(StepEnd::Failed, format!("nothing was done: {why}"))
}
