//! Whether intervals hold what they promise: of the values that should lie in an 80 % interval, how many did, an hour and a horizon ahead?

use super::svg::{Anchor, Plot, Sheet};
use super::words::{count, length, share, wilson};
use crate::backtest::{Coverage, Report};

/// Rows shown at most: watches of more horizons than that are a rarity, and the JSON has all.
const MAX_ROWS: usize = 10;
const LEFT: f64 = 96.0;
const RIGHT: f64 = 326.0;
const TOP: f64 = 14.0;
const ROW: f64 = 34.0;
/// The scale begins here: below half, every interval is worthless.
const FROM: f64 = 0.5;

pub fn figure(report: &Report) -> String {
    let rows: Vec<&Coverage> = report.coverage.iter().filter(|c| c.count > 0).take(MAX_ROWS).collect();
    if rows.is_empty() {
        return "<figure><h3>Interval coverage</h3><p class=\"none\">No interval has come due in this time.</p></figure>".to_owned();
    }
    let height = 240.0_f64.max(rows.len() as f64 * ROW);
    let plot = Plot { left: LEFT, top: TOP, right: RIGHT, bottom: TOP + height };
    let row = height / rows.len() as f64;
    let x = |part: f64| ((part - FROM) / (1.0 - FROM)).clamp(0.0, 1.0);
    let mut sheet = Sheet::new(340.0, height + 56.0, "Share of values inside their interval, by distance and stated level");
    for tenth in 5..=10 {
        let part = x(f64::from(tenth) / 10.0);
        sheet.line("grid", plot.at(part, 0.0), plot.at(part, 1.0));
        let (x, y) = plot.at(part, 0.0);
        sheet.text("tick", (x, y + 16.0), Anchor::Middle, &format!("{}", tenth * 10));
    }
    sheet.text("axis", (plot.at(0.5, 0.0).0, plot.bottom + 34.0), Anchor::Middle, "values inside, %");
    for (i, coverage) in rows.iter().enumerate() {
        let y = TOP + (i as f64 + 0.5) * row;
        let across = |part: f64| (plot.at(x(part), 0.0).0, y);
        let inside = coverage.inside as f64 / coverage.count as f64;
        let [low, high] = wilson(coverage.inside, coverage.count);
        let ahead = length(coverage.ahead_s);
        sheet.text("axis", (LEFT - 8.0, y - 2.0), Anchor::End, &format!("{ahead} ahead"));
        sheet.text("tick", (LEFT - 8.0, y + 12.0), Anchor::End, &format!("{} of {}", share(coverage.level), count(coverage.count)));
        let (stated, _) = across(coverage.level);
        sheet.line("stated", (stated, y - 9.0), (stated, y + 9.0));
        sheet.line("probe-limits", across(low), across(high));
        let says = format!(
            "{} ahead: {} of {} inside the {} interval",
            ahead,
            count(coverage.inside),
            count(coverage.count),
            share(coverage.level)
        );
        sheet.circle("probe", across(inside), 4.5, &says);
    }
    format!(
        "<figure><h3>Interval coverage</h3>{}<figcaption><span class=\"key\"><i class=\"k-stated\"></i> promised</span><span class=\"key\"><i \
         class=\"k-probe\"></i> held</span> How many later values lay inside their interval, by how far ahead it was. A dot left of its line: too \
         narrow.</figcaption></figure>",
        sheet.finish()
    )
}
