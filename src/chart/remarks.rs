//! What a chart says about itself in a few words, where its marks would seem to contradict each other.
//!
//! The obvious way, to leave it to the manual, fails at three in the morning: a diamond that stands where the dashed line does not cross the
//! threshold looks like a bug, and a forecast that runs along the edge of its own fan does, too. Both are true, and one line says why.

use super::line::is_drawable;
use super::scene::{Fan, Scene};
use super::words::clock;
use crate::core::time::{Span, Timestamp};
use crate::core::watch::Side;

/// ETA and the median line's crossing nearer than this share of the way to the later of them look like one place.
const NEAR_SHARE: f64 = 0.2;
/// An interval that reaches this many times further to one side than to the other looks like a mistake.
const LEANS: f64 = 6.0;

/// The remarks that a scene needs, the most needed first.
pub fn of(scene: &Scene) -> Vec<String> {
    [raised(scene), first_touch(scene), leaning(scene)].into_iter().flatten().collect()
}

/// When it was told, where the picture is later.
fn raised(scene: &Scene) -> Option<String> {
    let (at, value) = scene.raised.filter(|(_, value)| is_drawable(*value))?;
    Some(format!("raised {} at {}", clock(at, scene.now, &scene.zone), scene.unit.show(value)))
}

/// The ETA's middle is when half of all paths have touched the threshold, each at its own time; the forecast's line is the middle of all
/// paths at each time, and that comes there later or never.
fn first_touch(scene: &Scene) -> Option<String> {
    let eta = scene.eta?;
    let (side, threshold) = scene.threshold.filter(|(_, t)| is_drawable(*t))?;
    let middle = eta.p50?;
    // A deadline is exact: there is one path.
    if eta.p10 == eta.p90 {
        return None;
    }
    let fan = scene.forecast.as_ref()?;
    let says = "ETA ◆: half of all likely paths have touched the threshold by then";
    match crossing(fan, side, threshold) {
        Some(crosses) => {
            let (from, to) = (crosses.min(middle), crosses.max(middle));
            let near = (to - from).as_secs_f64() <= NEAR_SHARE * (to - scene.now).as_secs_f64();
            (!near).then(|| format!("{says}; the median line gets there at {}", clock(crosses, scene.now, &scene.zone)))
        }
        None if fan.at.last().is_some_and(|last| *last >= middle) => {
            let where_to = if side == Side::Above { "below" } else { "above" };
            Some(format!("{says}; the median line stays {where_to} it"))
        }
        None => None,
    }
}

/// When the median line is first at or past the threshold; between two points by a straight line.
fn crossing(fan: &Fan, side: Side, threshold: f64) -> Option<Timestamp> {
    let first = fan.median.iter().zip(&fan.at).position(|(value, _)| side.is_breach(*value, threshold))?;
    let at = *fan.at.get(first)?;
    let Some((before, after)) = first.checked_sub(1).map(|i| (fan.median[i], fan.median[first])).filter(|(a, b)| a != b) else {
        return Some(at);
    };
    let step = at - fan.at[first - 1];
    let left = ((after - threshold) / (after - before)).clamp(0.0, 1.0);
    Some(at - Span::from_secs_f64(step.as_secs_f64() * if left.is_nan() { 0.0 } else { left }))
}

/// Past errors that went one way leave the median at the fan's edge.
fn leaning(scene: &Scene) -> Option<String> {
    let fan = scene.forecast.as_ref()?;
    let level = fan.levels.iter().filter(|l| !l.level.is_nan()).min_by(|a, b| a.level.total_cmp(&b.level))?;
    let reach = |edges: &[f64], sign: f64| {
        let parts = edges.iter().zip(&fan.median).map(|(edge, median)| sign * (edge - median));
        parts.filter(|v| v.is_finite() && *v > 0.0).sum::<f64>()
    };
    let (down, up) = (reach(&level.lower, -1.0), reach(&level.upper, 1.0));
    let words = if up > LEANS * down {
        "the intervals lean up: past forecasts came out too low"
    } else if down > LEANS * up {
        "the intervals lean down: past forecasts came out too high"
    } else {
        return None;
    };
    // A fan of no width leans nowhere.
    ((down + up).is_finite() && down + up > 0.0).then(|| words.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::gallery::{NOW, disk, fan};
    use super::*;
    use crate::core::prediction::Eta;

    fn hours(h: f64) -> Timestamp {
        NOW + Span::from_secs_f64(h * 3_600.0)
    }

    /// Rises by one an hour from nought.
    fn scene(threshold: f64, p50: f64) -> Scene {
        Scene {
            forecast: Some(fan(Span::HOUR.times(10), Span::HOUR, |h| h, |_| 0.5)),
            threshold: Some((Side::Above, threshold)),
            eta: Some(Eta { p10: Some(hours(p50 - 1.0)), p50: Some(hours(p50)), p90: None }),
            ..Scene::new("t", NOW)
        }
    }

    #[test]
    fn an_eta_beside_the_median_is_explained_and_one_on_it_is_not() {
        assert_eq!(of(&scene(5.5, 5.3)), Vec::<String>::new());
        assert_eq!(
            of(&scene(8.5, 4.0)),
            ["ETA ◆: half of all likely paths have touched the threshold by then; the median line gets there at Mon 07:12"]
        );
        assert_eq!(
            of(&scene(11.0, 7.0)),
            ["ETA ◆: half of all likely paths have touched the threshold by then; the median line stays below it"]
        );
        let exact = Eta { p10: Some(hours(3.0)), p50: Some(hours(3.0)), p90: Some(hours(3.0)) };
        assert_eq!(of(&Scene { eta: Some(exact), ..scene(11.0, 7.0) }), Vec::<String>::new(), "a deadline");
        assert_eq!(of(&disk()), Vec::<String>::new());
    }

    #[test]
    fn a_fan_to_one_side_is_explained() {
        let mut leans = scene(5.5, 5.3);
        for level in leans.forecast.iter_mut().flat_map(|f| &mut f.levels) {
            level.lower = (1..=10).map(f64::from).collect();
        }
        assert_eq!(of(&leans), ["the intervals lean up: past forecasts came out too low"]);
    }

    #[test]
    fn a_picture_later_than_the_prediction_says_so() {
        let later = Scene { raised: Some((hours(-0.7), 0.25)), ..Scene::new("t", NOW) };
        assert_eq!(of(&later), ["raised 22:00 at 0.25"]);
    }
}
