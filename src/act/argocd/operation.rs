//! An application's operation, as Argo CD shows it: one that is asked for stands in `operation`, one that runs or ran in `status.operationState`.

use serde_json::{Value, json};

use super::super::filled;

/// Under this name an operation has the id of the step that asked for it.
pub const MARK: &str = "portent.dev/run";

/// Of Argo CD's message this much is noted: it may list every resource.
const MAX_MESSAGE_CHARS: usize = 500;

/// Resources of an operation that is tried again: more are a whole sync.
const MAX_RESOURCES: usize = 500;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Running,
    Succeeded,
    Failed,
}

/// One that runs or ran.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    pub phase: Phase,
    /// As Argo CD calls the phase.
    pub word: String,
    pub message: String,
    sync: Value,
}

impl Operation {
    fn of(state: &Value) -> Option<Self> {
        let word = state["phase"].as_str()?;
        let phase = match word {
            "Succeeded" => Phase::Succeeded,
            "Failed" | "Error" => Phase::Failed,
            // Also `Terminating`, and what later versions may add: it has not ended.
            _ => Phase::Running,
        };
        let message: String = state["message"].as_str().unwrap_or_default().chars().take(MAX_MESSAGE_CHARS).collect();
        Some(Self { phase, word: word.to_owned(), message: filled::printable(&message), sync: state["operation"]["sync"].clone() })
    }

    /// What is posted to have the same once more: the same revision, so that it is no other thing that is tried.
    pub fn again(&self) -> Result<Value, String> {
        if !self.sync.is_object() {
            return Err("its failed operation was no sync".to_owned());
        }
        if self.sync["resources"].as_array().is_some_and(|all| all.len() > MAX_RESOURCES) {
            return Err(format!("its failed operation has more than {MAX_RESOURCES} resources"));
        }
        let mut body = json!({ "dryRun": false, "prune": self.sync["prune"].as_bool().unwrap_or(false) });
        for key in ["revision", "resources", "syncOptions"] {
            if !self.sync[key].is_null() {
                body[key] = if key == "syncOptions" { json!({ "items": self.sync[key] }) } else { self.sync[key].clone() };
            }
        }
        if !self.sync["syncStrategy"].is_null() {
            body["strategy"] = self.sync["syncStrategy"].clone();
        }
        Ok(body)
    }
}

/// The one that runs or ran last.
pub fn last(app: &Value) -> Option<Operation> {
    Operation::of(&app["status"]["operationState"])
}

/// Whether one is asked for or runs.
pub fn is_busy(app: &Value) -> bool {
    app["operation"].is_object() || last(app).is_some_and(|last| last.phase == Phase::Running)
}

/// The one that this step has asked for.
pub fn ours(app: &Value, id: &str) -> Option<Operation> {
    let has_mark =
        |operation: &Value| operation["info"].as_array().is_some_and(|all| all.iter().any(|one| one["name"] == MARK && one["value"] == id));
    if has_mark(&app["operation"]) {
        return Some(Operation { phase: Phase::Running, word: "Pending".to_owned(), message: String::new(), sync: Value::Null });
    }
    last(app).filter(|_| has_mark(&app["status"]["operationState"]["operation"]))
}
