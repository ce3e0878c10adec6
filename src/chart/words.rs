//! The words on a chart: labels cut to what fits, times as people say them, the sentence about the ETA.

use jiff::Zoned;
use jiff::tz::TimeZone;

use super::scene::Scene;
use super::time_ticks::zoned;
use crate::core::labels::{Labels, METRIC_NAME};
use crate::core::time::{Span, Timestamp};

/// Values of labels are cut in the middle beyond this: paths and pod names tell apart by both ends.
const MAX_VALUE_CHARS: usize = 40;
/// No text is looked at beyond this many characters: more never fits any picture, and measuring it would cost.
const MAX_TEXT_CHARS: usize = 600;
const DAYS_WITH_A_NAME: i64 = 6;

/// One line without control characters, of bounded length.
pub fn one_line(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_TEXT_CHARS) {
        if !(c == ' ' && (out.is_empty() || out.ends_with(' '))) {
            out.push(c);
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// The longest beginning of `text` that fits, with an ellipsis where something was cut.
pub fn cut_end(text: &str, fits: impl Fn(&str) -> bool) -> String {
    let text = one_line(text);
    if fits(&text) {
        return text;
    }
    let ends: Vec<usize> = text.char_indices().map(|(i, _)| i).collect();
    let shortened = |n: usize| format!("{}…", text[..ends[n]].trim_end());
    let count = partition(ends.len(), |n| fits(&shortened(n)));
    if count == 0 { String::new() } else { shortened(count - 1) }
}

/// How many of `0..len` satisfy `good`, which holds for a beginning of them.
fn partition(len: usize, good: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = usize::midpoint(low, high);
        if good(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

fn cut_middle(text: &str, max_chars: usize) -> String {
    let text = one_line(text);
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= max_chars {
        return text;
    }
    let head = max_chars / 2;
    let tail = max_chars - head - 1;
    chars[..head].iter().chain(&['…']).chain(&chars[chars.len() - tail..]).collect()
}

/// The metric's name and `label=value` pairs over at most `max_lines` lines; what does not fit is counted at the end.
pub fn label_lines(labels: &Labels, max_lines: usize, fits: impl Fn(&str) -> bool) -> Vec<String> {
    let pairs = labels
        .iter()
        .filter(|(n, _)| *n != METRIC_NAME)
        .map(|(n, v)| format!("{}={}", cut_middle(n, MAX_VALUE_CHARS), cut_middle(v, MAX_VALUE_CHARS)));
    let parts: Vec<String> = labels.metric().map(one_line).into_iter().chain(pairs).collect();
    let mut lines: Vec<String> = Vec::new();
    let mut next = 0;
    while next < parts.len() && lines.len() < max_lines {
        let is_last = lines.len() + 1 == max_lines;
        // On the last line the count of what is left has to fit as well.
        let whole = |line: &str, shown: usize| match parts.len() - shown {
            left if left > 0 && is_last => {
                if line.is_empty() {
                    format!("+{left} more")
                } else {
                    format!("{line}   +{left} more")
                }
            }
            _ => line.to_owned(),
        };
        let mut line = String::new();
        while let Some(part) = parts.get(next) {
            let longer = if line.is_empty() { part.clone() } else { format!("{line}   {part}") };
            if !fits(&whole(&longer, next + 1)) {
                break;
            }
            (line, next) = (longer, next + 1);
        }
        if line.is_empty() {
            line = cut_end(&parts[next], |t| fits(&whole(t, next + 1)));
            next += 1;
        }
        let line = whole(&line, next);
        lines.push(if fits(&line) { line } else { cut_end(&line, &fits) });
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// A time as a person at `now` says it: `03:40`, `Mon 03:40`, `12 Dec 03:40`, `12 Dec 2031`.
pub fn clock(time: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (Some(time), Some(now)) = (zoned(time, zone), zoned(now, zone)) else { return "beyond the calendar".into() };
    said(&time, &now)
}

/// A time for somebody who is elsewhere in time: with its date.
pub fn dated(time: Timestamp, zone: &TimeZone) -> String {
    zoned(time, zone).map_or_else(|| "beyond the calendar".into(), |t| t.strftime("%-d %b %Y %H:%M").to_string())
}

fn said(time: &Zoned, now: &Zoned) -> String {
    let days = now.date().until(time.date()).map_or(i64::from(i32::MAX), |s| i64::from(s.get_days()));
    let pattern = match days {
        0 => "%H:%M",
        d if d.abs() <= DAYS_WITH_A_NAME => "%a %H:%M",
        d if d.abs() <= 300 => "%-d %b %H:%M",
        _ => "%-d %b %Y",
    };
    time.strftime(pattern).to_string()
}

/// A probability: `87 %`; never a certain `0 %` or `100 %` that was only rounded.
pub fn probability(p: f64) -> String {
    match p {
        p if p > 0.0 && p < 0.01 => "<1 %".into(),
        p if p < 1.0 && p > 0.99 => ">99 %".into(),
        p => format!("{:.0} %", p.clamp(0.0, 1.0) * 100.0),
    }
}

/// `ETA 03:40 (02:10–06:20) · 87 %`, or what can be said of it; empty when nothing can.
pub fn eta_sentence(scene: &Scene) -> String {
    let likelihood = scene.likelihood.filter(|p| !p.is_nan()).map(probability);
    let said = scene.eta.and_then(|eta| match (eta.p10, eta.p50, eta.p90) {
        (early, Some(middle), late) => {
            let mut text = format!("ETA {}", clock(middle, scene.now, &scene.zone));
            // A deadline is known to the minute: a range from it to itself says nothing.
            let is_exact = early.is_some()
                && [early, late].iter().all(|t| t.is_some_and(|t| (t - middle).as_millis().abs() < Span::MINUTE.as_millis()));
            if (early.is_some() || late.is_some()) && !is_exact {
                let near = |t: Timestamp| beside(t, middle, scene);
                text += &format!(" ({}–{})", early.map_or("?".into(), near), late.map_or("later".into(), near));
            }
            Some(text)
        }
        (Some(early), None, _) => Some(format!("ETA {} at the earliest", clock(early, scene.now, &scene.zone))),
        _ => None,
    });
    match (said, likelihood) {
        (Some(said), Some(likelihood)) => format!("{said} · {likelihood}"),
        (Some(said), None) => said,
        (None, Some(likelihood)) => {
            let horizon = scene.forecast.as_ref().and_then(|f| f.at.last()).map(|end| *end - scene.now).filter(|s| *s > Span::ZERO);
            horizon.map_or_else(|| format!("likelihood {likelihood}"), |h| format!("{likelihood} likely within {}", rounded(h)))
        }
        (None, None) => String::new(),
    }
}

/// Without the day where it is the same day as that of `beside`.
fn beside(time: Timestamp, beside: Timestamp, scene: &Scene) -> String {
    match (zoned(time, &scene.zone), zoned(beside, &scene.zone)) {
        (Some(t), Some(b)) if t.date() == b.date() => t.strftime("%H:%M").to_string(),
        _ => clock(time, scene.now, &scene.zone),
    }
}

/// To the minute, so that a grid's odd seconds are not read out.
fn rounded(span: Span) -> Span {
    let minute = Span::MINUTE.as_millis();
    Span::from_millis(((span.as_millis() + minute / 2) / minute).max(1) * minute)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::prediction::Eta;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn fits(n: usize) -> impl Fn(&str) -> bool {
        move |s| s.chars().count() <= n
    }

    #[test]
    fn text_is_cut_where_it_must_and_lies_on_one_line() {
        assert_eq!(cut_end("disk\nfilling\u{7}  up ", fits(40)), "disk filling up");
        assert_eq!(cut_end("a disk is filling", fits(8)), "a disk…");
        assert_eq!(cut_end("abc", fits(0)), "");
        assert_eq!(one_line(&"ä".repeat(5_000)).chars().count(), MAX_TEXT_CHARS);
    }

    #[test]
    fn labels_are_shortened_in_the_middle_and_counted_at_the_end() {
        let long = format!("/{}/end", "x".repeat(200));
        let labels = Labels::from_pairs([("__name__", "disk_used"), ("instance", "a:9100"), ("path", &long), ("zone", "b")]).unwrap();
        let lines = label_lines(&labels, 1, fits(90));
        assert_eq!(lines.len(), 1);
        assert!(lines[0].starts_with("disk_used   instance=a:9100   path=/xxxx") && lines[0].ends_with("/end   zone=b"), "{lines:?}");
        assert_eq!(label_lines(&labels, 1, fits(50)), ["disk_used   instance=a:9100   +2 more"]);
        assert_eq!(label_lines(&labels, 2, fits(50)).len(), 2);
        assert!(label_lines(&Labels::default(), 2, fits(50)).is_empty());
        assert!(label_lines(&labels, 2, fits(5)).iter().all(|l| l.chars().count() <= 5));
    }

    #[test]
    fn times_name_as_much_of_the_day_as_is_needed() {
        let now = at("2026-11-22T10:00:00Z");
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        for (time, said) in [
            ("2026-11-22T13:40:00Z", "14:40"),
            ("2026-11-22T23:30:00Z", "Mon 00:30"),
            ("2026-12-12T10:00:00Z", "12 Dec 11:00"),
            ("2031-12-12T10:00:00Z", "12 Dec 2031"),
        ] {
            assert_eq!(clock(at(time), now, &zone), said);
        }
        assert_eq!(clock(Timestamp::MIN, now, &zone), "beyond the calendar");
    }

    #[test]
    fn the_eta_is_one_sentence() {
        let mut scene = Scene::new("t", at("2026-11-22T22:42:00Z"));
        assert_eq!(eta_sentence(&scene), "");
        scene.likelihood = Some(0.87);
        assert_eq!(eta_sentence(&scene), "likelihood 87 %");
        let eta =
            Eta { p10: Some(at("2026-11-23T02:10:00Z")), p50: Some(at("2026-11-23T03:40:00Z")), p90: Some(at("2026-11-23T06:20:00Z")) };
        scene.eta = Some(eta);
        assert_eq!(eta_sentence(&scene), "ETA Mon 03:40 (02:10–06:20) · 87 %");
        scene.eta = Some(Eta { p90: None, ..eta });
        assert_eq!(eta_sentence(&scene), "ETA Mon 03:40 (02:10–later) · 87 %");
        scene.eta = Some(Eta { p10: eta.p10, ..Eta::default() });
        scene.eta = Some(Eta { p10: eta.p50, p50: eta.p50, p90: eta.p50 });
        assert_eq!(eta_sentence(&scene), "ETA Mon 03:40 · 87 %");
        scene.eta = Some(Eta { p10: eta.p10, ..Eta::default() });
        scene.likelihood = Some(f64::NAN);
        assert_eq!(eta_sentence(&scene), "ETA Mon 02:10 at the earliest");
        scene.likelihood = Some(0.995);
        assert_eq!(eta_sentence(&scene), "ETA Mon 02:10 at the earliest · >99 %");
    }
}
