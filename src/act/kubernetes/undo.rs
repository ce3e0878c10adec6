//! Taking a step back: the object is as its marks say it was, unless somebody has changed the same thing since.

use kube::core::DynamicObject;
use serde_json::{Value, json};

use super::change::holds;
use super::hand::Hand;
use super::marks::{Marks, State};
use super::rollback;

/// What its undoing is to a step: the ends of their ids.
const UNDO: &str = ".undo";
const DO: &str = ".do";

/// What has to be written.
#[derive(Debug)]
pub struct Back {
    pub change: Value,
    /// The step whose state before is not needed any more.
    pub forget: String,
    pub says: String,
}

/// Nothing where the step left nothing on the object.
///
/// # Errors
/// Why it is not taken back.
pub async fn plan(hand: &Hand<'_>, object: &DynamicObject) -> Result<Option<Back>, String> {
    let step = hand.id.strip_suffix(UNDO).ok_or("undo takes back what the step itself has done, so it belongs under a step's `undo`")?;
    let step = format!("{step}{DO}");
    let marks = Marks::of(object);
    let Some(before) = marks.before(&step) else {
        return if marks.has(&step) { Err("what was before is not kept any more".to_owned()) } else { Ok(None) };
    };
    let changed = "somebody has changed it since; it is left as it is";
    let change = match (&before.set, &before.was) {
        (State::Patch(set), State::Patch(was)) => {
            let now = serde_json::to_value(object).map_err(|error| error.to_string())?;
            if !holds(&now, set) {
                return Err(changed.to_owned());
            }
            was.clone()
        }
        (State::TemplateOf(set), State::TemplateOf(was)) => {
            if !rollback::runs(hand, object, set).await? {
                return Err(changed.to_owned());
            }
            rollback::patch_to(hand, was).await?
        }
        _ => return Err("what was before cannot be read".to_owned()),
    };
    // Nothing but the workload and its annotations is ours to put back, whatever stands in the mark.
    let change = json!({ "spec": change.get("spec").unwrap_or(&json!({})), "metadata": { "annotations": change["metadata"].get("annotations").unwrap_or(&json!({})) } });
    let says = match &before.was {
        State::Patch(_) => format!("back to {}", shown(&change)),
        State::TemplateOf(name) => format!("back to the template of {name}"),
    };
    Ok(Some(Back { change, forget: step, says }))
}

fn shown(change: &Value) -> String {
    let text = change["spec"].to_string();
    if text == "{}" { change["metadata"]["annotations"].to_string() } else { text }
}
