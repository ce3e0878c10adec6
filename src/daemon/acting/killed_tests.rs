//! A real process that acts and is killed at any moment: nothing is started twice, nothing that was written down is lost.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use crate::child_process;
use crate::core::gate::{Mode, Settings};
use crate::core::playbook::{Facts, StepEnd};
use crate::core::run::fixtures::{around, playbook, prediction};
use crate::core::run::{Act, Input, Known, Record, RunKey, Runs, Turn, Turnout, World};
use crate::core::time::{Span, Timestamp};
use crate::core::topology::Topology;
use crate::ledger::Ledger;
use crate::ledger::chain::Finding;

const CHILD: &str = "daemon::acting::killed_tests::child_acts_until_killed";
/// Actions that are under way side by side.
const AT_ONCE: usize = 50;
const KILLS: u64 = 100;

fn mark(run: RunKey, what: Turnout) -> String {
    format!("{run} {} {} {}", what.step, what.attempt, if what.is_undo { "undo" } else { "do" })
}

/// The target that counts: a line for each time that it was acted upon.
fn counted(dir: &Path) -> Vec<String> {
    std::fs::read_to_string(dir.join("counted")).unwrap_or_default().lines().map(str::to_owned).collect()
}

async fn open(dir: &Path) -> Ledger {
    Ledger::open(&dir.join("ledger.sqlite")).await.unwrap()
}

#[tokio::test]
#[ignore = "the child process of nothing_is_started_twice_however_often_the_process_is_killed"]
async fn child_acts_until_killed() {
    let Some(dir) = child_process::folder() else { return };
    let ledger = open(&dir).await;
    let entries = ledger.audit_entries().await.unwrap();
    // A life begins the day after the last one ended: what was waited for is over, and every prediction is a new one.
    let begin = entries.last().map_or(Timestamp::from_millis(1_793_577_600_000), |last| last.at.floor(Span::DAY) + Span::DAY);
    let mut runs = Runs::restore(entries);
    let (topology, playbook) = (Topology::default(), playbook("p", (3, 2, true)));
    let playbooks = [&playbook];
    let many = 1_000_000;
    let settings = Settings { mode: Mode::Execute, per_service_hour: many, per_minute: many, per_hour: many, ..Settings::default() };
    let mut target = std::fs::OpenOptions::new().create(true).append(true).open(dir.join("counted")).unwrap();
    let around = around();
    let facts = Facts::default();
    for round in 0.. {
        let now = begin + Span::MINUTE.times(round);
        let predictions: Vec<_> = (0..AT_ONCE).map(|pod| prediction(pod, begin + Span::HOUR.times(round / 60))).collect();
        let inputs = predictions.iter().map(|prediction| Known { prediction, facts: &facts, around: &around });
        let world = World { settings: &settings, topology: &topology };
        let mut feed: Vec<Input<'_>> = if round == 0 { vec![Input::Restarted] } else { Vec::new() };
        feed.extend(inputs.map(|known| Input::Prediction { known, playbooks: &playbooks }));
        feed.push(Input::Tick);
        let mut turn = Turn::default();
        for input in feed {
            add(&mut turn, runs.step(now, input, world));
        }
        while !turn.records.is_empty() || !turn.acts.is_empty() {
            // All of them with one wait for the disk; none is done before.
            ledger.append(&turn.records).await.unwrap();
            for act in std::mem::take(&mut turn).acts {
                let answer = match &act {
                    Act::Start { run, what, .. } => {
                        // One write: a kill between two would glue the next life's line to this one.
                        target.write_all(format!("{}\n", mark(*run, *what)).as_bytes()).unwrap();
                        child_process::acknowledge(mark(*run, *what));
                        // Nothing fails here but by a kill: what fails loses trust, and a life without work would wait for ever.
                        let end = StepEnd::Succeeded;
                        runs.step(now, Input::Report { run: *run, what: *what, end, note: "" }, world)
                    }
                    Act::Probe { run, what, .. } => {
                        let was_done = counted(&dir).contains(&mark(*run, *what));
                        let end = if was_done { StepEnd::Succeeded } else { StepEnd::Unknown };
                        runs.step(now, Input::Report { run: *run, what: *what, end, note: "" }, world)
                    }
                    Act::Read { run } => {
                        let proposal = runs.get(*run).unwrap().proposal.clone();
                        let prediction = predictions.iter().find(|p| p.id == proposal.prediction);
                        let known = prediction.map(|prediction| Known { prediction, facts: &facts, around: &around });
                        runs.step(now, Input::Targets { run: *run, targets: &proposal.targets, known }, world)
                    }
                    Act::Measure { run, .. } => runs.step(now, Input::Measured { run: *run, value: Some(0.5) }, world),
                };
                add(&mut turn, answer);
            }
        }
    }
}

fn add(turn: &mut Turn, more: Turn) {
    turn.records.extend(more.records);
    turn.acts.extend(more.acts);
}

#[tokio::test]
async fn nothing_is_started_twice_however_often_the_process_is_killed() {
    // In memory where there is such a folder: a killed process loses nothing by that, and a hundred lives wait for no disk.
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let mut acknowledged = BTreeSet::new();
    for kill in 0..KILLS {
        let (count, then) = (1 + kill as usize * 7 % 30, Duration::from_micros(kill * 997 % 9_000));
        acknowledged.extend(child_process::kill_after(CHILD, dir.path(), count, then));
    }
    let done = counted(dir.path());
    let unique: BTreeSet<&String> = done.iter().collect();
    assert_eq!(unique.len(), done.len(), "an action was started twice");
    assert!(done.len() > 1_000, "{} starts are no proof", done.len());
    assert!(acknowledged.iter().all(|mark| unique.contains(mark)));
    let ledger = open(dir.path()).await;
    assert!(matches!(ledger.audit_verify(None).await.unwrap(), Finding::Whole { .. }));
    let entries = ledger.audit_entries().await.unwrap();
    let started: BTreeSet<String> = entries
        .iter()
        .filter_map(|entry| match &entry.record {
            Record::Started { run, what, .. } => Some(mark(*run, *what)),
            _ => None,
        })
        .collect();
    assert!(done.iter().all(|mark| started.contains(mark)), "something was done and not written down");
    let lost = entries.iter().filter(|entry| matches!(entry.record, Record::Lost { .. })).count();
    assert!(lost > 10, "{lost} kills in the middle of an action are no proof");
}
