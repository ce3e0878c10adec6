//! A profile that is chosen is the same however samples are cut into frames, and after a restart.

use std::sync::Arc;

use crate::core::engine::{Checkpoint, Effect, Engine, Input, Judged};
use crate::core::frame::{FrameBuilder, Grid};
use crate::core::labels::Labels;
use crate::core::time::{Span, Timestamp};

const STEP: Span = Span::from_secs(300);
const DAY: usize = 288;

fn engine() -> Engine {
    let text = "sources: [{ name: a, prometheus: { url: \"http://127.0.0.1:1\" } }]\n\
                watches: [{ name: w, query: a_used_bytes / a_limit_bytes, step: 5m, above: 0.9 }]\n";
    Engine::new(crate::config::parse(text, "test.yaml").unwrap().watches.into_iter().map(Arc::new), [])
}

fn labels(series: usize) -> Labels {
    Labels::from_pairs([("instance", format!("h{series}"))]).unwrap()
}

/// Growing at different rates; the odd ones go past one for an hour on the sixth day, where the bound falls.
fn value(series: usize, i: usize) -> f64 {
    let noise = ((i * 7919 + series * 31) % 101) as f64 / 101.0 - 0.5;
    let over = if series % 2 == 1 && (6 * DAY + 7..6 * DAY + 19).contains(&i) { 0.7 } else { 0.0 };
    0.3 + 0.06 * (1.0 + 0.1 * series as f64) * i as f64 / DAY as f64 + 0.01 * noise + over
}

fn feed(engine: &mut Engine, columns: std::ops::Range<usize>, chunk: usize) -> Vec<String> {
    let start = Timestamp::from_millis(1_793_577_600_000);
    let mut effects: Vec<Effect> = Vec::new();
    for at in columns.clone().step_by(chunk) {
        let grid = Grid { start: start + STEP.times(at as i64), step: STEP, len: chunk.min(columns.end - at) };
        let mut builder = FrameBuilder::new(grid);
        for series in 0..4 {
            let row = builder.add_row(labels(series)).unwrap();
            (0..grid.len).for_each(|i| builder.set(row, i, value(series, at + i)));
        }
        let frame = builder.finish();
        let judging = Judged::from(start + Span::DAY.times(5));
        effects.extend(engine.step(grid.last(), Input::Samples { watch: 0, frame: &frame, thresholds: None, judging }));
    }
    let mut text: Vec<String> = effects.iter().map(|effect| format!("{effect:?}")).collect();
    text.sort();
    text
}

#[test]
fn chosen_profiles_do_not_depend_on_frames_or_restarts() {
    let mut whole = engine();
    let all = feed(&mut whole, 0..8 * DAY, 48);
    assert!(all.iter().filter(|effect| effect.starts_with("Raised")).count() >= 3, "nothing happened in this test");
    let upper = |series: usize| whole.about(0, labels(series).id()).unwrap().0.profile.upper;
    assert_eq!([upper(0), upper(1)], [Some(1.0), None], "the bound of the one falls, of the other it stays");
    assert!(feed(&mut engine(), 0..8 * DAY, 1) == all, "frames of one column differ from frames of many");

    let cut = 6 * DAY + 11;
    let mut first = engine();
    let mut split = feed(&mut first, 0..cut, 1);
    let open: Vec<_> = first.lives().map(|life| life.prediction.clone()).collect();
    let saved: Vec<Checkpoint> = std::iter::from_fn(|| first.checkpoint()).collect();
    let mut second = engine();
    assert_eq!(second.restore(saved).iter().map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());
    let last = open.iter().map(|p| (p.watch.clone(), p.series(), p.updated_at)).collect::<Vec<_>>();
    assert!(second.restore_predictions(open, last).is_empty());
    split.extend(feed(&mut second, cut..8 * DAY, 1));
    split.sort();
    assert!(split == all, "a restart changes what is told");
}
