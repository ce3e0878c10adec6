//! The reliability diagram: of what was said to be 80 % likely, how much came? On the diagonal, a stated 80 % means 80 %.

use super::svg::{Anchor, Plot, Sheet};
use super::words::{count, share, wilson};
use crate::backtest::{Bin, Report};

const PLOT: Plot = Plot { left: 46.0, top: 14.0, right: 326.0, bottom: 254.0 };
/// With fewer answers, a bin's share is drawn hollow: it says next to nothing.
const FEW: u64 = 10;

pub fn figure(report: &Report) -> String {
    let probes: Vec<&Bin> = report.reliability.probes.iter().filter(|bin| bin.count > 0).collect();
    let raised: Vec<&Bin> = report.reliability.raised.iter().filter(|bin| bin.count > 0).collect();
    let sum = |bins: &[&Bin]| bins.iter().map(|bin| bin.count).sum::<u64>();
    let (asked, told) = (sum(&probes), sum(&raised));
    if asked + told == 0 {
        return "<figure><h3>Stated and true likelihood</h3><p class=\"none\">No likelihood has come due in this time.</p></figure>"
            .to_owned();
    }
    let mut sheet = Sheet::new(340.0, 296.0, "Share that came true against the likelihood stated");
    for fifth in 0..=5 {
        let part = f64::from(fifth) / 5.0;
        sheet.line("grid", PLOT.at(part, 0.0), PLOT.at(part, 1.0));
        sheet.line("grid", PLOT.at(0.0, part), PLOT.at(1.0, part));
        let (x, y) = PLOT.at(part, 0.0);
        sheet.text("tick", (x, y + 16.0), Anchor::Middle, &format!("{}", fifth * 20));
        let (x, y) = PLOT.at(0.0, part);
        sheet.text("tick", (x - 6.0, y + 4.0), Anchor::End, &format!("{}", fifth * 20));
    }
    sheet.text("axis", (PLOT.at(0.5, 0.0).0, PLOT.bottom + 34.0), Anchor::Middle, "stated likelihood, %");
    sheet.upright("axis", (12.0, PLOT.at(0.0, 0.5).1), "came true, %");
    sheet.line("ideal", PLOT.at(0.0, 0.0), PLOT.at(1.0, 1.0));
    for (bins, name) in [(&probes, "probe"), (&raised, "told")] {
        for bin in bins {
            let said = bin.said.unwrap_or(f64::midpoint(bin.lower, bin.upper));
            let came = bin.came_true as f64 / bin.count as f64;
            let [low, high] = wilson(bin.came_true, bin.count);
            sheet.line(&format!("{name}-limits"), PLOT.at(said, low), PLOT.at(said, high));
            let few = if bin.count < FEW { " few" } else { "" };
            let says = format!("said {}: {} of {} came true", share(said), count(bin.came_true), count(bin.count));
            match name {
                "probe" => sheet.circle(&format!("probe{few}"), PLOT.at(said, came), 4.5, &says),
                _ => sheet.diamond(&format!("told{few}"), PLOT.at(said, came), 5.5, &says),
            }
        }
    }
    let brier = report.reliability.brier.map_or_else(String::new, |brier| format!(" Brier score {brier:.3} (0 is perfect)."));
    format!(
        "<figure><h3>Stated and true likelihood</h3>{}<figcaption><span class=\"key\"><i class=\"k-probe\"></i> {} answers, raised or not</span>\
         <span class=\"key\"><i class=\"k-told\"></i> {} predictions raised</span> On the diagonal, a stated 80 % means 80 %. Bars: 90 % limits; \
         hollow: fewer than {FEW}.{brier}</figcaption></figure>",
        sheet.finish(),
        count(asked),
        count(told)
    )
}
