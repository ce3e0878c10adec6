//! How long before the events they were told.

use super::svg::{Anchor, Plot, Sheet};
use super::words::{length, plural};
use crate::backtest::Report;

const PLOT: Plot = Plot { left: 46.0, top: 14.0, right: 326.0, bottom: 254.0 };
/// Where one bar ends and the next begins, in seconds: each is about twice the one before, as warning times are felt.
const EDGES_S: [(f64, &str); 12] = [
    (300.0, "5m"),
    (900.0, "15m"),
    (1_800.0, "30m"),
    (3_600.0, "1h"),
    (7_200.0, "2h"),
    (14_400.0, "4h"),
    (28_800.0, "8h"),
    (57_600.0, "16h"),
    (115_200.0, "32h"),
    (259_200.0, "3d"),
    (604_800.0, "7d"),
    (1_209_600.0, "14d"),
];

pub fn figure(report: &Report) -> String {
    let told = &report.lead_times_s;
    if told.is_empty() {
        return "<figure><h3>Lead times</h3><p class=\"none\">No event was told before it began.</p></figure>".to_owned();
    }
    let place = |lead_s: f64| EDGES_S.iter().position(|(edge, _)| lead_s < *edge).unwrap_or(EDGES_S.len());
    let mut bars = [0_u64; EDGES_S.len() + 1];
    for lead_s in told {
        bars[place(*lead_s)] += 1;
    }
    let (first, last) = (place(told[0]), place(told[told.len() - 1]));
    // One empty place at either end, so that a lone bar does not fill the plot.
    let (first, last) = (first.saturating_sub(1), (last + 1).min(EDGES_S.len()));
    let most = bars.iter().copied().max().unwrap_or(1).max(1);
    let step =
        [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000, 20_000, 100_000].into_iter().find(|step| most <= step * 5).unwrap_or(most);
    let top = most.div_ceil(step) * step;
    let mut sheet = Sheet::new(340.0, 296.0, "Number of events by how long before they were told");
    for level in (0..=top).step_by(usize::try_from(step).unwrap_or(1)) {
        let part = level as f64 / top as f64;
        sheet.line("grid", PLOT.at(0.0, part), PLOT.at(1.0, part));
        let (x, y) = PLOT.at(0.0, part);
        sheet.text("tick", (x - 6.0, y + 4.0), Anchor::End, &level.to_string());
    }
    let width = 1.0 / (last - first + 1) as f64;
    for (i, bar) in (first..=last).enumerate() {
        let (x, y) = PLOT.at(i as f64 * width, bars[bar] as f64 / top as f64);
        let wide = width * (PLOT.right - PLOT.left);
        let from = bar.checked_sub(1).map_or("0", |b| EDGES_S[b].1);
        let to = EDGES_S.get(bar).map_or("more", |edge| edge.1);
        let says = format!("{}: {from} to {to}", plural(bars[bar], "event", "events"));
        if bars[bar] > 0 {
            sheet.rect("bar", (x + 1.5, y), (wide - 3.0, PLOT.bottom - y), &says);
        }
        if bar < EDGES_S.len() {
            sheet.text("tick", (x + wide, PLOT.bottom + 16.0), Anchor::Middle, EDGES_S[bar].1);
        }
    }
    sheet.line("frame", PLOT.at(0.0, 0.0), PLOT.at(1.0, 0.0));
    sheet.text("axis", (PLOT.at(0.5, 0.0).0, PLOT.bottom + 34.0), Anchor::Middle, "told before the event by");
    sheet.upright("axis", (12.0, PLOT.at(0.0, 0.5).1), "events");
    let tenth = |q: f64| length(told[((told.len() - 1) as f64 * q).round() as usize]);
    format!(
        "<figure><h3>Lead times</h3>{}<figcaption>{} told. Shortest {}, median {}, longest {}.</figcaption></figure>",
        sheet.finish(),
        plural(told.len() as u64, "event", "events"),
        tenth(0.0),
        report.summary.median_lead_time_s.map_or_else(|| tenth(0.5), length),
        tenth(1.0)
    )
}
