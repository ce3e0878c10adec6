//! What hours of other series look like: the shares that count before a series has hours of its own. Written by `models/fit/prior.py`; do not
//! edit.
//!
//! Hourly maxima of both measures over 116 series of public sources and a generator (ASD, DonutKPI, MSCloud, NAB, SMD, Synth), each series weighing the
//! same; 2026-11-22. Bins as in `calibrate`.

use super::calibrate::{Prior, prior};

/// Share of hours at or past a score of 1.0 for one false alarm a week: 4.7 hours of a week, since odd hours come in clusters, one episode
/// each. 0.7 false alarms a series-week on the series that it was fitted to leave room for those that it was not.
pub(super) const HOUR_P_AT_ONE: f64 = 0.0282;

/// Of the distance of all views.
#[rustfmt::skip]
pub(super) static DISTANCE: Prior = prior(&[
    0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
    0.0, 0.0, 0.0, 0.0, 0.00025, 0.00163, 0.00090, 0.00088,
    0.00080, 0.00223, 0.00503, 0.01408, 0.03142, 0.07165, 0.11215, 0.16722,
    0.19422, 0.15898, 0.09685, 0.05482, 0.02954, 0.01703, 0.01132, 0.00837,
    0.00549, 0.00385, 0.00287, 0.00156, 0.00109, 0.00104, 0.00089, 0.00084,
    0.00041, 0.00070, 0.00037, 0.00041, 0.00020, 0.00018, 0.00014, 0.00012,
    0.00018, 0.00001, 0.00002, 0.00002, 0.00007, 0.0, 0.00002, 0.00002,
    0.0, 0.00002, 0.00004, 0.00002, 0.0, 0.00002, 0.0, 0.0,
]);

/// Of the runs of one value, and of none.
#[rustfmt::skip]
pub(super) static RUN: Prior = prior(&[
    0.61469, 0.0, 0.0, 0.0, 0.0, 0.00001, 0.00003, 0.00002,
    0.00002, 0.00002, 0.00003, 0.00005, 0.00004, 0.00009, 0.00010, 0.00057,
    0.00029, 0.00044, 0.00105, 0.00160, 0.00432, 0.00495, 0.00452, 0.00777,
    0.00961, 0.01482, 0.02111, 0.02448, 0.02718, 0.03232, 0.08879, 0.02412,
    0.02754, 0.02113, 0.01776, 0.01281, 0.00875, 0.00612, 0.00537, 0.00339,
    0.00283, 0.00134, 0.00135, 0.00129, 0.00111, 0.00136, 0.00085, 0.00077,
    0.00065, 0.00071, 0.00073, 0.00018, 0.00003, 0.00009, 0.00010, 0.00008,
    0.0, 0.00010, 0.0, 0.00015, 0.00005, 0.00010, 0.0, 0.00026,
]);
