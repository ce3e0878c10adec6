//! The page of small reports, looked at as text: that it says what the JSON says, and that nothing from outside gets into its markup.

use super::super::pictures_tests::{backtest, past, shares};
use super::*;
use crate::backtest::{Shown, Telling, files};
use crate::core::labels::Labels;
use crate::source::replay::{DataSet, History};

fn report() -> Report {
    let past = past();
    let shares = shares(&past);
    let mut backtest = backtest(&shares);
    backtest.keep_pictures();
    files::feed(&mut backtest, &past, &shares, None, |_| true).unwrap();
    backtest.finish(false).unwrap()
}

fn about() -> About {
    About { source: "disk.csv".into(), configuration: "--above 0.72".into() }
}

/// Every opened element is closed in order: what a parser would otherwise have to guess.
fn assert_balanced(page: &str) {
    let body = &page[page.find("<body>").unwrap()..page.find("</html>").unwrap()];
    let mut open: Vec<&str> = Vec::new();
    for tag in body.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()) {
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        match tag {
            _ if tag.starts_with('/') => assert_eq!(open.pop(), Some(name), "</{name}>"),
            _ if tag.ends_with('/') || name == "br" => {}
            _ => open.push(name),
        }
    }
    assert_eq!(open, Vec::<&str>::new());
}

#[test]
fn the_page_says_what_the_report_says_and_stands_alone() {
    let report = report();
    let page = render(&report, &about()).unwrap();
    assert_balanced(&page);
    let all = &report.summary;
    for said in [
        format!("<p class=\"big\">{} of {}</p>", all.told, all.events),
        format!("<p class=\"big\">{}</p>", length(all.median_lead_time_s.unwrap())),
        format!("<p class=\"big\">{}</p>", rate(all.false_alarms_per_series_week.unwrap())),
        plural(all.false_alarms, "false alarm", "false alarms"),
        format!("portent {}", env!("CARGO_PKG_VERSION")),
        "Too few events to say.".to_owned(),
        "would have acted".to_owned(),
        "As it stood when the breach was certain".to_owned(),
    ] {
        assert!(page.contains(&said), "{said:?} is missing");
    }
    assert!(!page.contains("would have fixed"));
    for rival in &report.rivals {
        assert!(page.contains(&format!("<th scope=\"row\">{}</th>", escape(&rival.name))), "{}", rival.name);
    }
    for outside in ["http:", "https:", "src=", "href=", "url(", "@import", "<script", "javascript:"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert_eq!(page.matches("<svg class=\"chart\"").count(), report.shown.telling.len());
    assert!(page.contains("prefers-color-scheme:dark") && page.contains("@media print"));
}

#[test]
fn hostile_labels_are_only_words() {
    let mut report = report();
    let evil = "</title><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\u{202e}";
    let labels = Labels::from_pairs([("__name__", "m"), ("host", evil)]).unwrap();
    for told in &mut report.predictions {
        (told.prediction.labels, told.prediction.title) = (labels.clone(), evil.into());
        (told.prediction.service, told.prediction.watch) = (evil.into(), evil.into());
        told.prediction.evidence.iter_mut().for_each(|evidence| evidence.text = evil.into());
        told.outcome.ended_because = Some(evil.into());
    }
    for event in &mut report.events {
        (event.watch, event.service, event.labels, event.what) = (evil.into(), evil.into(), labels.clone(), Some(evil.into()));
    }
    for group in report.by_watch.iter_mut().chain(&mut report.by_service).chain(&mut report.rivals) {
        group.name = evil.into();
    }
    for scene in report.shown.telling.iter_mut().filter_map(|telling| telling.scene.as_mut()) {
        (scene.title, scene.labels, scene.value_name) = (evil.into(), labels.clone(), Some(evil.into()));
    }
    report.notes.push(evil.into());
    let page = render(&report, &About { source: evil.into(), configuration: evil.into() }).unwrap();
    assert!(!page.contains("<script") && !page.contains("<img") && !page.contains('\u{202e}'));
    assert!(page.matches("&lt;script&gt;").count() > 10);
    assert_balanced(&page);
}

#[test]
fn nothing_is_a_page_too_and_much_stays_small() {
    let empty = render(&Report { shown: Shown::default(), ..nothing() }, &about()).unwrap();
    assert!(empty.contains("too short to judge anything") && empty.contains("0 of 0"));
    let mut much = report();
    let (told, event, group) = (much.predictions[0].clone(), much.events[0].clone(), much.by_service[0].clone());
    much.predictions.extend(vec![told; 5_000]);
    much.events.extend(vec![event; 5_000]);
    much.by_service.extend((0..1_000).map(|i| Group { name: format!("service-{i}"), ..group.clone() }));
    let telling: Vec<Telling> = much.shown.telling.iter().cycle().take(10).cloned().collect();
    much.shown.telling = telling;
    let page = render(&much, &about()).unwrap();
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    assert!(page.contains("more with less to say") && page.contains("more are not drawn"));
}

/// A report of no samples.
fn nothing() -> Report {
    let past = History::try_from(&DataSet::default()).unwrap();
    let shares = shares(&past);
    backtest(&shares).finish(false).unwrap()
}
