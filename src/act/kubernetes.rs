//! `kubernetes`: restarts, scales, rolls back, cordons, drains, annotates and raises limits, in the namespaces that the configuration names.
//!
//! `{ verb: scale, replicas: "+1", max: 6 }` on a series with `namespace` and `deployment`. Every write is tried as a dry run of the API server first, is
//! bound to the very version of the object that was read (who changes it in between wins, and nothing is overwritten), and carries the step's
//! id and what was before in annotations of its own. So a step is never done twice, whether one was done can be asked later, and `{ verb: undo }`
//! knows what to put back.

mod ask;
mod change;
mod cluster;
mod drain;
mod fault;
mod hand;
mod marks;
mod names;
mod pod;
mod quantity;
mod rollback;
mod settings;
mod target;
mod undo;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kube::core::DynamicObject;
use serde_json::Value;

use self::ask::{Ask, What};
use self::change::{Change, Outcome};
use self::cluster::Cluster;
use self::fault::Fault;
use self::hand::{Hand, Mark, nothing};
use self::marks::{Before, Marks, State};
use super::{Acting, Actuator, Done, Job, Now, Risk};
use crate::core::labels::Labels;
use crate::core::playbook::StepEnd;

pub use self::names::{is_label as is_namespace, is_name};
pub use self::settings::{Access, ClusterSettings};

/// See the module.
#[derive(Clone)]
pub struct Kubernetes {
    settings: Option<ClusterSettings>,
    now: Now,
}

/// What is to be written on an object.
struct Plan {
    change: Value,
    before: Option<Before>,
    forget: Option<String>,
    says: String,
}

impl Kubernetes {
    /// Without settings it does nothing.
    pub fn new(settings: Option<ClusterSettings>, now: Now) -> Self {
        Self { settings, now }
    }

    fn ask(&self, with: &BTreeMap<String, Value>, labels: Option<&Labels>) -> Result<(Ask, &ClusterSettings), String> {
        let settings = self.settings.as_ref().ok_or("no cluster may be acted on; hint: act.kubernetes in the configuration")?;
        Ok((Ask::read(with, labels, settings)?, settings))
    }

    /// `Ok(Err)` where nothing has to be written.
    async fn plan(&self, hand: &Hand<'_>, what: &What, object: &DynamicObject) -> Result<Result<Plan, String>, String> {
        let before = |set: Value, was: Value| Before { run: hand.id.to_owned(), set: State::Patch(set), was: State::Patch(was) };
        match what {
            What::Undo => Ok(undo::plan(hand, object)
                .await?
                .map(|back| Plan { change: back.change, before: None, forget: Some(back.forget), says: back.says })
                .ok_or_else(|| "the step has left nothing that could be taken back".to_owned())),
            What::Rollback => {
                let (change, before, says) = rollback::plan(hand, object).await?;
                Ok(Ok(Plan { change, before: Some(before), forget: None, says }))
            }
            _ => Ok(match change::plan(what, object, &(self.now)().to_string())? {
                Outcome::Nothing(says) => Err(says),
                Outcome::Change(Change { set, was, says }) => {
                    Ok(Plan { change: set.clone(), before: Some(before(set, was)), forget: None, says })
                }
            }),
        }
    }

    async fn try_out(&self, job: &Job) -> Result<String, String> {
        let (ask, settings) = self.ask(&job.with, Some(&job.labels))?;
        let cluster = Cluster::find(settings).await?;
        let hand = Hand { cluster: &cluster, target: &ask.target, id: &job.id, deadline: Instant::now() + job.timeout };
        let says = match &ask.what {
            What::RestartPod => pod::dry_run(&hand).await?,
            What::Drain { max_pods } => drain::dry_run(&hand, &settings.namespaces, *max_pods).await?,
            what => {
                let object = hand.read().await.map_err(Fault::says)?;
                match self.plan(&hand, what, &object).await? {
                    Err(says) => says,
                    Ok(plan) => {
                        hand.try_out(&object, plan.change, plan.before, plan.forget.as_deref()).await.map_err(Fault::says)?;
                        plan.says
                    }
                }
            }
        };
        let risk = if ask.what.risk() == Risk::Low { "low" } else { "high" };
        Ok(format!("{}: {says} (risk: {risk}; the API server's dry run took it)", ask.target))
    }

    async fn once(&self, job: &Job) -> Result<Done, Done> {
        let (ask, settings) = self.ask(&job.with, Some(&job.labels)).map_err(|why| nothing(&why))?;
        let cluster = Cluster::find(settings).await.map_err(|why| nothing(&why))?;
        let hand = Hand { cluster: &cluster, target: &ask.target, id: &job.id, deadline: Instant::now() + job.timeout };
        match &ask.what {
            What::RestartPod => return Ok(pod::restart(&hand).await),
            What::Drain { max_pods } => return Ok(drain::drain(&hand, &settings.namespaces, *max_pods).await),
            _ => {}
        }
        let object = hand.read().await.map_err(|fault| nothing(&fault.says()))?;
        if Marks::of(&object).has(&job.id) {
            return Ok(Done::new(StepEnd::Succeeded, format!("{} has it already", ask.target)));
        }
        match self.plan(&hand, &ask.what, &object).await.map_err(|why| nothing(&why))? {
            Err(says) => Ok(Done::new(StepEnd::Succeeded, format!("{}: {says}", ask.target))),
            Ok(plan) => {
                hand.write(&object, plan.change, plan.before, plan.forget.as_deref()).await?;
                Ok(Done::new(StepEnd::Succeeded, format!("{}: {}", ask.target, plan.says)))
            }
        }
    }

    async fn find_out(&self, job: &Job) -> Result<Done, String> {
        let (ask, settings) = self.ask(&job.with, Some(&job.labels))?;
        let cluster = Cluster::find(settings).await?;
        let hand = Hand { cluster: &cluster, target: &ask.target, id: &job.id, deadline: Instant::now() + job.timeout };
        if ask.what == What::RestartPod {
            return Ok(pod::probe(&hand).await);
        }
        Ok(match hand.mark().await {
            Mark::Here(_) if matches!(ask.what, What::Drain { .. }) => drain::probe(&hand).await,
            Mark::Here(_) => Done::new(StepEnd::Succeeded, format!("{} has the step's mark", ask.target)),
            Mark::Never => nothing(&format!("{} does not have the step's mark", ask.target)),
            Mark::Gone => Done::new(StepEnd::Unknown, format!("{} is not there any more", ask.target)),
            Mark::Unknown(why) => Done::new(StepEnd::Unknown, why),
        })
    }
}

impl std::fmt::Debug for Kubernetes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kubernetes").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Actuator for Kubernetes {
    fn name(&self) -> &'static str {
        "kubernetes"
    }

    fn risk(&self) -> Risk {
        Risk::High
    }

    /// By its mark, a step that was done is not done again.
    fn is_idempotent(&self) -> bool {
        true
    }

    fn check(&self, with: &BTreeMap<String, Value>) -> Result<(), String> {
        self.ask(with, None).map(drop)
    }

    fn check_form(&self, with: &BTreeMap<String, Value>) -> Result<(), String> {
        // As the configuration would have to be that allows it.
        let namespaces = with.get("namespace").and_then(Value::as_str).map(str::to_owned).into_iter().collect();
        let allowing = ClusterSettings { access: Access::InCluster, namespaces, nodes: true, timeout: Duration::ZERO };
        Ask::read(with, None, &allowing).map(drop)
    }

    fn dry_run<'a>(&'a self, job: &'a Job) -> Acting<'a, Result<String, String>> {
        Box::pin(self.try_out(job))
    }

    fn start<'a>(&'a self, job: &'a Job) -> Acting<'a, Done> {
        Box::pin(async move { self.once(job).await.unwrap_or_else(|done| done) })
    }

    fn probe<'a>(&'a self, job: &'a Job) -> Acting<'a, Done> {
        Box::pin(async move {
            let found = self.find_out(job).await;
            found.unwrap_or_else(|why| Done::new(StepEnd::Unknown, format!("the cluster cannot be asked: {why}")))
        })
    }
}
