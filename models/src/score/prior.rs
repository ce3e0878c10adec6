//! What hours of other series look like: the shares that count before a series has hours of its own. Written by `models/fit/prior.py`; do not
//! edit.
//!
//! Hourly maxima of both measures over 116 series of public sources and a generator (ASD, DonutKPI, MSCloud, NAB, SMD, Synth), each series weighing the
//! same; 2026-11-23. Bins as in `calibrate`.

use super::calibrate::{Prior, prior};

/// Share of hours at or past a score of 1.0 for one false alarm a week: 4.6 hours of a week, since odd hours come in clusters, one episode
/// each. 0.62 false alarms a series-week on the series that it was fitted to leave room for those that it was not.
pub(super) const HOUR_P_AT_ONE: f64 = 0.0272;

/// Of the distance of all views.
#[rustfmt::skip]
pub(super) static DISTANCE: Prior = prior(&[
    0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
    0.0, 0.0, 0.0, 0.0, 0.00025, 0.00163, 0.00090, 0.00089,
    0.00098, 0.00227, 0.00529, 0.01418, 0.03209, 0.07126, 0.11402, 0.17467,
    0.19539, 0.15354, 0.09378, 0.05323, 0.02922, 0.01679, 0.01068, 0.00845,
    0.00538, 0.00357, 0.00260, 0.00136, 0.00120, 0.00107, 0.00099, 0.00099,
    0.00067, 0.00062, 0.00049, 0.00037, 0.00028, 0.00020, 0.00012, 0.00011,
    0.00017, 0.0, 0.00006, 0.00002, 0.00004, 0.0, 0.00002, 0.00002,
    0.00002, 0.00002, 0.00004, 0.0, 0.0, 0.00002, 0.0, 0.0,
]);

/// Of the runs of one value, and of none.
#[rustfmt::skip]
pub(super) static RUN: Prior = prior(&[
    0.61341, 0.0, 0.0, 0.0, 0.0, 0.00001, 0.00003, 0.00002,
    0.00002, 0.00002, 0.00003, 0.00005, 0.00004, 0.00009, 0.00010, 0.00057,
    0.00029, 0.00044, 0.00105, 0.00170, 0.00531, 0.00359, 0.00452, 0.00777,
    0.00977, 0.01466, 0.02114, 0.02445, 0.02729, 0.03237, 0.09009, 0.02412,
    0.02759, 0.02118, 0.01773, 0.01281, 0.00875, 0.00612, 0.00537, 0.00339,
    0.00283, 0.00134, 0.00135, 0.00129, 0.00111, 0.00136, 0.00085, 0.00077,
    0.00065, 0.00071, 0.00073, 0.00018, 0.00003, 0.00009, 0.00010, 0.00008,
    0.0, 0.00010, 0.0, 0.00015, 0.00005, 0.00010, 0.0, 0.00026,
]);
