//! Whole charts: in the list of marks where that is exact, in the pixels where it has to be.

use super::encode::tests::decode;
use super::gallery::{NOW, all, disk};
use super::mark::{Mark, Text};
use super::palette::Theme;
use super::plan::{Plan, plan};
use super::*;
use crate::core::prediction::Eta;
use crate::core::time::{Span, Timestamp};
use crate::core::watch::Side;

fn texts(plan: &Plan) -> Vec<&Text> {
    plan.marks.iter().filter_map(|m| if let Mark::Text(t) = m { Some(t) } else { None }).collect()
}

#[test]
fn no_two_words_overlap_and_none_is_cut_in_any_scene_and_size() {
    for (width, height) in [(1200, 600), (600, 300), (320, 220), (1920, 1080), (900, 900)] {
        let style = Style { width, height, ..Style::default() };
        for (name, scene) in all() {
            let plan = plan(&scene, &style);
            assert!(
                plan.plot.width() > f64::from(width) * 0.3 && plan.plot.height() > f64::from(height) * 0.2,
                "{name} {width}x{height} {:?}",
                plan.plot
            );
            let texts = texts(&plan);
            for (i, a) in texts.iter().enumerate() {
                let area = a.area();
                let inside =
                    area.left >= 0.0 && area.top >= 0.0 && area.right <= f64::from(width) + 0.5 && area.bottom <= f64::from(height);
                assert!(inside, "{name} {width}x{height}: {:?} at {area:?}", a.text);
                for b in &texts[i + 1..] {
                    assert!(!area.overlaps(&b.area()), "{name} {width}x{height}: {:?} over {:?}", a.text, b.text);
                }
            }
        }
    }
}

#[test]
fn everything_that_matters_is_said() {
    let plan = plan(&disk(), &Style::default());
    let said: Vec<&str> = texts(&plan).iter().map(|t| t.text.as_str()).collect();
    for wanted in [
        "Filesystem /var/lib/postgresql on db-3 is filling",
        "ETA Mon 04:40 (03:06–07:18) · 87 %",
        "≥ 90 %",
        "used space",
        "time: Europe/Berlin (UTC+1)",
        "50/80/95 % intervals",
        "Mon 23 Nov",
        "60 %",
    ] {
        assert!(said.contains(&wanted), "{wanted:?} is missing in {said:?}");
    }
    assert!(said.iter().any(|t| t.starts_with("now 23:42 · 75")), "{said:?}");
    assert!(said.iter().any(|t| t.contains("mountpoint=/var/lib/postgresql")), "{said:?}");
}

#[test]
fn a_legend_names_only_what_can_be_seen_and_is_one_row_in_small_pictures() {
    let said = |name: &str, width: u32, height: u32| {
        let scene = all().into_iter().find(|(known, _)| *known == name).unwrap().1;
        let plan = plan(&scene, &Style { width, height, ..Style::default() });
        texts(&plan).into_iter().map(|t| (t.text.clone(), t.at.y)).collect::<Vec<_>>()
    };
    let deadline = said("certificate", 1200, 600);
    assert!(deadline.iter().all(|(text, _)| !text.contains("interval") && !text.contains("10–90 %")), "{deadline:?}");
    assert!(deadline.iter().any(|(text, _)| text == "ETA") && deadline.iter().any(|(text, _)| text == "forecast"));
    for (width, height) in [(600, 300), (320, 220)] {
        let small = said("disk", width, height);
        let (_, zone) = small.iter().find(|(text, _)| text == "UTC+1").expect("the zone is said");
        let below = small.iter().filter(|(_, y)| (y - zone).abs() > 0.1 && *y > zone - 8.0).count();
        let beside: Vec<&str> = small.iter().filter(|(_, y)| (y - zone).abs() < 0.1).map(|(text, _)| text.as_str()).collect();
        assert!(below == 0 && beside.contains(&"forecast"), "{width}x{height}: {small:?}");
    }
}

#[test]
fn the_picture_is_a_png_of_the_asked_size_and_the_same_every_time() {
    let style = Style { width: 800, height: 400, ..Style::default() };
    let file = render(&disk(), &style).unwrap();
    assert_eq!(file, render(&disk(), &style).unwrap());
    let (width, height, rgb) = decode(&file);
    assert_eq!((width, height), (800, 400));
    assert_eq!(rgb, png::pixels(&disk(), &style).unwrap());
}

#[test]
fn the_threshold_is_painted_where_its_value_lies() {
    let (scene, style) = (disk(), Style::default());
    let plan = plan(&scene, &style);
    let rgb = png::pixels(&scene, &style).unwrap();
    let part = (0.9 - plan.values.low) / (plan.values.high - plan.values.low);
    let row = (plan.plot.bottom - part * plan.plot.height()).round() as usize;
    let ink = style.theme.palette().threshold.rgb;
    let painted = |row: usize| {
        (plan.plot.left as usize..plan.plot.right as usize)
            .filter(|x| {
                let at = (row * 1200 + x) * 3;
                (rgb[at], rgb[at + 1], rgb[at + 2]) == ink
            })
            .count()
    };
    assert!(painted(row) as f64 > plan.plot.width() * 0.5, "{} of {}", painted(row), plan.plot.width());
    assert!(painted(row - 25) < 20, "{}", painted(row - 25));
}

#[test]
fn a_gap_stays_white() {
    let mut scene = Scene::new("gap", NOW);
    scene.history = (0..600).filter(|i| !(200..400).contains(i)).map(|i| (NOW - Span::MINUTE.times(600 - i), 1.0)).collect();
    let (style, ink) = (Style::default(), Theme::Light.palette().history.rgb);
    let plan = plan(&scene, &style);
    let rgb = png::pixels(&scene, &style).unwrap();
    let has_line = |part: f64| {
        let x = (plan.plot.left + part * plan.plot.width()) as usize;
        (plan.plot.top as usize..plan.plot.bottom as usize).any(|y| rgb[(y * 1200 + x) * 3..][..3] == [ink.0, ink.1, ink.2])
    };
    assert!(has_line(0.2) && !has_line(0.4) && !has_line(0.6) && has_line(0.8));
}

#[test]
fn no_scene_panics_or_fails_in_either_theme() {
    for (name, scene) in all() {
        for theme in [Theme::Light, Theme::Dark] {
            let file = render(&scene, &Style { width: 480, height: 300, theme }).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(file.len() > 2_000, "{name}: {} bytes", file.len());
        }
    }
}

#[test]
fn a_size_that_can_not_be_drawn_is_an_error() {
    for (width, height) in [(0, 0), (100, 600), (100_000, 600), (1200, 100_000)] {
        assert!(matches!(render(&disk(), &Style { width, height, ..Style::default() }), Err(ChartError::Size { .. })));
    }
}

#[test]
fn a_file_is_there_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p1.png");
    let style = Style { width: 480, height: 300, ..Style::default() };
    render_to_file(&disk(), &style, &path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), render(&disk(), &style).unwrap());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let lost = folder.path().join("no/such/folder.png");
    assert!(render_to_file(&disk(), &style, &lost).unwrap_err().to_string().contains("no/such/folder.png"));
}

/// For looking: `PORTENT_GALLERY=/tmp/charts cargo test gallery`. Without it the test still draws one chart and states its cost.
#[test]
fn gallery() {
    let started = std::time::Instant::now();
    let week = all().into_iter().find(|(name, _)| *name == "week-traffic").unwrap().1;
    assert_eq!(week.history.len(), 10_081);
    let file = render(&week, &Style::default()).unwrap();
    println!("10,081 samples: {:?}, {} bytes", started.elapsed(), file.len());
    let Some(folder) = std::env::var_os("PORTENT_GALLERY") else { return };
    for (name, scene) in all() {
        render_to_file(&scene, &Style::default(), &Path::new(&folder).join(format!("{name}.png"))).unwrap();
    }
    render_to_file(&disk(), &Style { theme: Theme::Dark, ..Style::default() }, &Path::new(&folder).join("dark.png")).unwrap();
    render_to_file(&disk(), &Style { width: 600, height: 300, ..Style::default() }, &Path::new(&folder).join("small.png")).unwrap();
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
    #[test]
    fn no_numbers_make_it_panic(
        values in proptest::collection::vec(proptest::num::f64::ANY, 0..40),
        times in proptest::collection::vec(proptest::num::i64::ANY, 0..40),
        threshold in proptest::num::f64::ANY,
        now in proptest::num::i64::ANY,
        near in proptest::bool::ANY,
    ) {
        let at = |t: &i64| Timestamp::from_millis(if near { t % 1_000_000_000 } else { *t });
        let mut scene = Scene::new("any", at(&now));
        scene.history = times.iter().map(at).zip(values.iter().copied()).collect();
        scene.normal = scene.history.iter().map(|(at, v)| BandPoint { at: *at, expected: *v, lower: v - 1.0, upper: v * 2.0 }).collect();
        let other: Vec<f64> = values.iter().rev().copied().collect();
        // Lists of different lengths, too.
        let levels = vec![FanLevel { level: threshold, lower: other.clone(), upper: values.clone() }];
        scene.forecast = Some(Fan { at: times.iter().rev().skip(3).map(at).collect(), median: other, levels });
        scene.threshold = Some((Side::Below, threshold));
        scene.likelihood = values.first().copied();
        scene.eta = Some(Eta { p10: times.first().map(at), p50: times.get(1).map(at), p90: times.get(2).map(at) });
        scene.anomalies = scene.history.clone();
        render(&scene, &Style { width: MIN_WIDTH, height: MIN_HEIGHT, ..Style::default() }).unwrap();
    }
}
