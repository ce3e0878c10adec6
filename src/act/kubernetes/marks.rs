//! What is written on an object beside the change itself, in the same patch: which steps were done to it, and how it was before.
//!
//! That makes two things exact that nobody could tell from outside: whether a step whose answer got lost was done, and what taking it back means.
//! The newest few are kept and not only the last: two steps of a run, or two runs, may be about one object.

use kube::core::DynamicObject;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Ids of steps that were done to the object, the newest first.
pub const RUN: &str = "portent.dev/run";

/// How it was before each.
pub const BEFORE: &str = "portent.dev/before";

/// Steps that are remembered: only one runs on a target at a time, so what was pushed off has long been reported.
const MAX_RUNS: usize = 8;

/// States before that are kept: as many as a run has steps on one object.
const MAX_BEFORE: usize = 4;

/// Of a state before: a patch of a few values. Kubernetes takes 256 KiB of annotations.
const MAX_BEFORE_BYTES: usize = 16 * 1024;

/// One change: what was set, and what had been there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    pub run: String,
    pub set: State,
    pub was: State,
}

/// A state that can be written again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// By a patch.
    Patch(Value),
    /// The pod template of this ReplicaSet: too large for an annotation, and Kubernetes keeps it anyway.
    TemplateOf(String),
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marks {
    runs: Vec<String>,
    before: Vec<Before>,
}

impl Marks {
    /// What stands there; nothing where it cannot be read.
    pub fn of(object: &DynamicObject) -> Self {
        let text = |key: &str| object.metadata.annotations.as_ref().and_then(|all| all.get(key)).map_or("", String::as_str);
        Self {
            runs: text(RUN).split_whitespace().take(MAX_RUNS).map(str::to_owned).collect(),
            before: serde_json::from_str(text(BEFORE)).unwrap_or_default(),
        }
    }

    pub fn has(&self, id: &str) -> bool {
        self.runs.iter().any(|run| run == id)
    }

    pub fn before(&self, id: &str) -> Option<&Before> {
        self.before.iter().find(|one| one.run == id)
    }

    /// The annotations with a further step, as a patch. `forget` is a step whose state before is not needed any more.
    pub fn with(mut self, id: &str, before: Option<Before>, forget: Option<&str>) -> Value {
        if !self.has(id) {
            self.runs.insert(0, id.to_owned());
            self.runs.truncate(MAX_RUNS);
        }
        self.before.retain(|one| Some(one.run.as_str()) != forget && one.run != id);
        self.before.splice(0..0, before);
        self.before.truncate(MAX_BEFORE);
        let text = |all: &[Before]| json!(all).to_string();
        while text(&self.before).len() > MAX_BEFORE_BYTES {
            self.before.pop();
        }
        let before = if self.before.is_empty() { Value::Null } else { Value::String(text(&self.before)) };
        json!({ "metadata": { "annotations": { RUN: self.runs.join(" "), BEFORE: before } } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(patch: &Value) -> DynamicObject {
        let mut annotations = patch["metadata"]["annotations"].clone();
        annotations.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        serde_json::from_value(json!({ "metadata": { "annotations": annotations } })).unwrap()
    }

    fn before(run: &str, was: Value) -> Before {
        Before { run: run.to_owned(), set: State::Patch(json!({})), was: State::Patch(was) }
    }

    #[test]
    fn the_newest_are_kept_and_each_is_found_by_its_step() {
        let mut marks = Marks::default();
        for i in 0..20 {
            let id = format!("r{i}.0.do");
            marks = Marks::of(&object(&marks.with(&id, Some(before(&id, json!({ "spec": i }))), None)));
        }
        assert!(marks.has("r19.0.do") && marks.has("r12.0.do") && !marks.has("r11.0.do") && !marks.has("r1"));
        assert_eq!(marks.before("r16.0.do").unwrap().was, State::Patch(json!({ "spec": 16 })));
        assert_eq!(marks.before("r15.0.do"), None);
        let undone = Marks::of(&object(&marks.clone().with("r19.0.undo", None, Some("r19.0.do"))));
        assert!(undone.has("r19.0.undo") && undone.has("r19.0.do") && undone.before("r19.0.do").is_none());
        let large = marks.with("r20.0.do", Some(before("r20.0.do", json!("x".repeat(MAX_BEFORE_BYTES)))), None);
        assert_eq!(large["metadata"]["annotations"][BEFORE], Value::Null, "what does not fit is not kept in part");
        let odd = object(&json!({ "metadata": { "annotations": { RUN: "a b", BEFORE: "[{\"run\":1}]" } } }));
        assert!(Marks::of(&odd).has("b") && Marks::of(&odd).before("a").is_none());
    }
}
