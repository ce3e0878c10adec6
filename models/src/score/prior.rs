//! What hours of other series look like: the shares that count before a series has hours of its own. Written by `models/fit/prior.py`; do not
//! edit.
//!
//! Hourly maxima of both measures over 116 series of public sources and a generator (ASD, DonutKPI, MSCloud, NAB, SMD, Synth), each series weighing the
//! same; 2026-11-23. Bins as in `calibrate`.

use super::calibrate::{Prior, prior};

/// Share of hours at or past a score of 1.0 for one false alarm a week: 4.6 hours of a week, since odd hours come in clusters, one episode
/// each. 0.62 false alarms a series-week on the series that it was fitted to leave room for those that it was not.
pub(super) const HOUR_P_AT_ONE: f64 = 0.0274;

/// Of the distance of all views.
#[rustfmt::skip]
pub(super) static DISTANCE: Prior = prior(&[
    0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
    0.0, 0.0, 0.0, 0.0, 0.00025, 0.00163, 0.00090, 0.00089,
    0.00098, 0.00227, 0.00527, 0.01415, 0.03163, 0.06977, 0.11006, 0.17005,
    0.19355, 0.15837, 0.09789, 0.05557, 0.02984, 0.01691, 0.01100, 0.00842,
    0.00540, 0.00358, 0.00258, 0.00147, 0.00121, 0.00093, 0.00099, 0.00105,
    0.00063, 0.00071, 0.00042, 0.00044, 0.00023, 0.00025, 0.00010, 0.00011,
    0.00019, 0.0, 0.00004, 0.00004, 0.00004, 0.0, 0.00002, 0.00002,
    0.0, 0.00004, 0.00002, 0.00002, 0.0, 0.00002, 0.0, 0.0,
]);

/// Of the runs of one value, and of none.
#[rustfmt::skip]
pub(super) static RUN: Prior = prior(&[
    0.61380, 0.0, 0.0, 0.0, 0.0, 0.00001, 0.00003, 0.00002,
    0.00002, 0.00002, 0.00003, 0.00005, 0.00004, 0.00009, 0.00010, 0.00057,
    0.00029, 0.00044, 0.00105, 0.00160, 0.00541, 0.00362, 0.00452, 0.00777,
    0.00966, 0.01477, 0.02111, 0.02448, 0.02718, 0.03245, 0.08971, 0.02412,
    0.02754, 0.02120, 0.01776, 0.01281, 0.00875, 0.00612, 0.00537, 0.00339,
    0.00283, 0.00134, 0.00135, 0.00129, 0.00111, 0.00136, 0.00085, 0.00077,
    0.00065, 0.00071, 0.00073, 0.00018, 0.00003, 0.00009, 0.00010, 0.00008,
    0.0, 0.00010, 0.0, 0.00015, 0.00005, 0.00010, 0.0, 0.00026,
]);
