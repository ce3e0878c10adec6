//! What the API says of silences, and of what is under one.

use serde::{Deserialize, Serialize};

use crate::core::prediction::Prediction;
use crate::core::silence::Covered;
use crate::core::silence::own::{OwnSilence, State};

/// One silence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SilenceReport {
    #[serde(flatten)]
    pub silence: OwnSilence,
    pub state: State,
    /// How many predictions that are open now it is of, whether it is in force or not: none is worth a second look at its matchers.
    pub predictions_open: usize,
}

/// A prediction, and the silence of ours that it is under.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictionReport {
    #[serde(flatten)]
    pub prediction: Prediction,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silenced: Option<Covered>,
}
