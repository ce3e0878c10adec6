//! `command` against real processes.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use portent::act::command::Command;
use portent::act::{Actuator as _, Done, Job, MAX_NOTE_CHARS};
use portent::core::playbook::StepEnd;
use serde_json::{Value, json};

use super::{hostile, job, lasting};
use crate::support::wait_until;

/// The shell, and what it is a link to.
fn shell() -> Command {
    Command::new(vec![PathBuf::from("/bin/sh"), fs::canonicalize("/bin/sh").unwrap()])
}

async fn start(command: &Command, job: &Job) -> Done {
    command.start(job).await
}

async fn run(allowed: &[&str], with: Value) -> Done {
    start(&Command::new(allowed.iter().map(PathBuf::from).collect()), &job(with, "value")).await
}

/// Writes its arguments into the file `$OUT`, each with a NUL behind it.
const TELLS: &str = "printf '%s\\0' \"$@\" > \"$OUT\"";

#[tokio::test]
async fn two_hundred_hostile_values_arrive_as_one_argument_each_or_not_at_all() {
    let (dir, command) = (tempfile::tempdir().unwrap(), shell());
    let out = dir.path().join("out");
    let told = |with: &[&str]| {
        let items: Vec<&str> = ["/bin/sh", "-c", TELLS, "tells"].iter().chain(with).copied().collect();
        json!({ "run": items, "env": { "OUT": out } })
    };
    let (mut taken, mut refused) = (0, 0);
    for value in hostile::values() {
        let is_long = value.len() > 64 * 1024 - 10;
        let is_option = value.starts_with('-');
        // By itself: whatever it is, but no option.
        let done = start(&command, &job(told(&["{{x}}"]), &value)).await;
        if is_option || is_long {
            assert_eq!(done.end, StepEnd::Failed, "{value:?}");
            assert!(done.note.starts_with("nothing was started: ") && !out.exists(), "{value:?}: {}", done.note);
            refused += 1;
        } else {
            assert_eq!(done.end, StepEnd::Succeeded, "{value:?}: {}", done.note);
            assert_eq!(fs::read(&out).unwrap(), [value.as_bytes(), b"\0"].concat(), "{value:?}");
            taken += 1;
        }
        let _ = fs::remove_file(&out);
        if is_long {
            continue;
        }
        // Behind the playbook's own words, which may well be an option.
        let done =
            start(&command, &job(told(&["a={{x}}", "--name={{x}}", "{{ x }}=a", "last"][usize::from(is_option) * 2..]), &value)).await;
        if is_option {
            assert_eq!(done.end, StepEnd::Failed, "an option with something behind it is one: {value:?}");
            let done = start(&command, &job(told(&["a={{x}}", "--name={{x}}"]), &value)).await;
            assert_eq!(done.end, StepEnd::Succeeded, "{value:?}: {}", done.note);
            assert_eq!(fs::read(&out).unwrap(), format!("a={value}\0--name={value}\0").as_bytes());
        } else {
            assert_eq!(done.end, StepEnd::Succeeded, "{value:?}: {}", done.note);
            assert_eq!(fs::read(&out).unwrap(), format!("a={value}\0--name={value}\0{value}=a\0last\0").as_bytes());
        }
        let _ = fs::remove_file(&out);
        // Within a folder: never out of it.
        let done = start(&command, &job(told(&["/srv/data/{{x}}"]), &value)).await;
        let climbs = value.split('/').any(|name| name == "..");
        assert_eq!(done.end == StepEnd::Failed, climbs, "{value:?}: {}", done.note);
        assert_eq!(out.exists(), !climbs, "{value:?}");
        let _ = fs::remove_file(&out);
    }
    assert!(taken + refused >= 200 && refused >= 12, "{taken} taken, {refused} refused");
    let with_nul = start(&command, &job(told(&["{{x}}"]), "a\0b")).await;
    assert!(with_nul.end == StepEnd::Failed && with_nul.note.contains("NUL") && !out.exists(), "{with_nul:?}");
    let gone = start(&command, &job(told(&["/srv/data/{{tenant}}"]), "a")).await;
    assert!(gone.end == StepEnd::Failed && gone.note.contains("\"tenant\"") && !out.exists(), "a missing label is not nothing: {gone:?}");
}

#[tokio::test]
async fn only_what_is_configured_starts_and_no_link_to_or_from_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().canonicalize().unwrap().join(name).to_str().unwrap().to_owned();
    let (to_true, to_folder) = (path("to-true"), path("folder"));
    symlink("/usr/bin/true", &to_true).unwrap();
    symlink("/usr/bin", &to_folder).unwrap();
    fs::write(path("plain"), "no program").unwrap();
    fs::set_permissions(path("plain"), fs::Permissions::from_mode(0o644)).unwrap();
    let refused = |part: &'static str| (StepEnd::Failed, part);
    let started = (StepEnd::Succeeded, "exit code 0");
    for (allowed, program, (end, part)) in [
        (vec!["/usr/bin/true"], "/usr/bin/true".to_owned(), started),
        (vec!["/usr/bin/true"], "true".to_owned(), started),
        // Debian's /bin is a link to /usr/bin: the same entry of the same folder.
        (vec!["/bin/true"], "/usr/bin/true".to_owned(), started),
        (vec!["/usr/bin/true"], format!("{to_folder}/true"), started),
        (vec![], "/usr/bin/true".to_owned(), refused("names no program, so none can be started")),
        (vec!["/usr/bin/true"], "/usr/bin/false".to_owned(), refused("is not allowed; hint: act.command.allow names /usr/bin/true")),
        (vec!["/usr/bin/true"], "false".to_owned(), refused("is not allowed")),
        (vec!["/usr/bin/true"], "bin/true".to_owned(), refused("no absolute path")),
        (vec!["/usr/bin/true"], "./true".to_owned(), refused("no absolute path")),
        (vec!["/usr/bin/true"], "/usr/bin".to_owned(), refused("is not allowed")),
        (vec!["/usr/bin"], "/usr/bin".to_owned(), refused("is no file")),
        (vec!["/usr/bin/true"], "/".to_owned(), refused("cannot find")),
        (vec!["/usr/bin/true"], "/usr/bin/..".to_owned(), refused("cannot find")),
        (vec!["/usr/bin/true"], "/usr/bin/true/".to_owned(), started),
        (vec!["/usr/bin/true"], "/usr/bin/../bin/false".to_owned(), refused("is not allowed")),
        (vec!["/usr/bin/true"], "/usr/bin/../bin/true".to_owned(), started),
        // A link to what is allowed is another program, as `reboot` is to `systemctl`; and an allowed link leads nowhere else.
        (vec!["/usr/bin/true"], to_true.clone(), refused("is not allowed")),
        (vec![to_true.as_str()], to_true.clone(), refused("is a link to /usr/bin/true, which is not allowed")),
        (vec![to_true.as_str(), "/usr/bin/true"], to_true.clone(), started),
        (vec![to_true.as_str(), "/usr/bin/true"], "/no/such/program".to_owned(), refused("cannot find")),
        (vec!["/usr/bin/true", "/opt/true"], "true".to_owned(), refused("may be /usr/bin/true or /opt/true")),
        (vec!["/no/such/program"], "/no/such/program".to_owned(), refused("cannot find")),
    ] {
        let done = run(&allowed, json!({ "run": [program] })).await;
        assert!(done.end == end && done.note.contains(part), "{program} of {allowed:?}: {done:?}");
    }
    let plain = path("plain");
    let done = run(&[plain.as_str()], json!({ "run": [plain] })).await;
    assert!(done.end == StepEnd::Failed && done.note.contains("ermission denied"), "{done:?}");
}

#[tokio::test]
async fn nothing_of_our_environment_gets_there() {
    assert!(std::env::vars().count() > 3, "there is something to leave out");
    let done = run(&["/usr/bin/env"], json!({ "run": ["env"], "env": { "ONE": "1", "LANG": "de" } })).await;
    let mut lines: Vec<&str> = done.note.strip_prefix("exit code 0; output: ").unwrap().lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["LANG=de", "ONE=1", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]);
    let open = tempfile::Builder::new().prefix("canary").tempfile().unwrap();
    let script = "pwd; cat; readlink /proc/$$/fd/0; readlink /proc/$$/fd/* >&2; true";
    let done = start(&shell(), &job(json!({ "run": ["/bin/sh", "-c", script] }), "a")).await;
    assert!(done.note.starts_with("exit code 0; output: /\n/dev/null; errors: /dev/null\n"), "the root folder and no input: {done:?}");
    assert!(!done.note.contains("canary") && open.path().exists(), "an open file of ours: {done:?}");
    for (with, part) in [
        (json!({ "run": ["env"], "env": { "LD_PRELOAD": "/x.so" } }), "chooses what code"),
        (json!({ "run": ["env"], "env": { "PATH": "/x" } }), "chooses what code"),
        (json!({ "run": ["env"], "env": { "A": "{{x}}" } }), "holds a label"),
        (json!({ "run": ["env"], "env": { "A=B": "c" } }), "no name of a variable"),
        (json!({ "run": ["env"], "env": { "A": 1 } }), "hint: put it in quotes"),
        (json!({ "run": ["{{x}}"] }), "may not choose the program"),
        (json!({ "run": ["env", "{{x"] }), "never closes"),
        (json!({ "run": "env" }), "want a list of texts"),
        (json!({ "run": ["env"], "shell": true }), "unknown argument \"shell\""),
        (json!({ "run": vec!["env"; 201] }), "want 200 at most"),
        (json!({ "run": ["env"], "host": "db-1.example:9100" }), "is not this machine"),
    ] {
        let command = Command::new(vec!["/usr/bin/env".into()]);
        let job = job(with, "a");
        assert_eq!(command.check(&job.with).is_err(), part != "is not this machine", "{job:?}");
        for said in [command.dry_run(&job).await.unwrap_err(), start(&command, &job).await.note] {
            assert!(said.contains(part), "{said}");
        }
    }
    for host in ["localhost", "127.0.0.1:9100", "[::1]:9100", "::1", "localhost:8080"] {
        assert_eq!(run(&["/usr/bin/true"], json!({ "run": ["true"], "host": host })).await.end, StepEnd::Succeeded, "{host}");
    }
}

#[tokio::test]
async fn how_it_ends_is_told_and_its_output_is_bounded() {
    let sh = |script: &str| job(json!({ "run": ["/bin/sh", "-c", script] }), "a");
    let command = shell();
    let done = start(&command, &sh("echo out; echo why >&2; exit 3")).await;
    assert_eq!((done.end, done.note.as_str()), (StepEnd::Failed, "exit code 3; output: out; errors: why"));
    let done = start(&command, &sh("kill -9 $$")).await;
    assert_eq!((done.end, done.note.as_str()), (StepEnd::Failed, "ended by signal 9"));
    let done = start(&command, &sh("printf '\\033[31mred\\000'")).await;
    assert_eq!(done.note, "exit code 0; output: \u{fffd}[31mred\u{fffd}", "a terminal is not told what to do");
    let done = start(&command, &sh("yes | head -c 30000000; yes error | head -c 3000000 >&2; echo last >&2")).await;
    assert!(done.end == StepEnd::Succeeded && done.note.chars().count() <= MAX_NOTE_CHARS, "{done:?}");
    assert!(done.note.contains("29999200 bytes left out") && done.note.ends_with("last"), "{done:?}");
    // What goes on in the background does not keep the step waiting for its output.
    let began = Instant::now();
    let done = start(&command, &sh("echo started; sleep 5 &")).await;
    assert!(done.note == "exit code 0; output: started" && began.elapsed() < Duration::from_secs(4), "{done:?}");
    assert_eq!(command.probe(&sh("true")).await.end, StepEnd::Unknown);
    let shown = command.dry_run(&job(json!({ "run": ["/bin/sh", "-c", "exit 1", "{{x}}"] }), "a \"b\"")).await.unwrap();
    assert!(shown.contains(r#"sh", "-c", "exit 1", "a \"b\""]"#), "{shown}");
}

/// Three generations that ignore the polite signal; each writes its number down.
const FAMILY: &str = "trap '' TERM; echo $$ >> \"$OUT\"; sleep 600 & echo $! >> \"$OUT\"; \
    sh -c 'echo $$ >> \"$OUT\"; sleep 600 & echo $! >> \"$OUT\"; wait' & wait";

fn is_alive(pid: &str) -> bool {
    // One that nobody has taken note of yet is dead all the same.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z") && !rest.starts_with(" X"))
}

fn numbers(out: &Path) -> Vec<String> {
    fs::read_to_string(out).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn assert_all_end(out: &Path, what: &str) {
    let family = numbers(out);
    assert_eq!(family.len(), 4, "{what}: {family:?}");
    let gone = wait_until(Duration::from_secs(5), || (!family.iter().any(|pid| is_alive(pid))).then_some(()));
    assert!(gone.is_some(), "{what}: some of {family:?} live on");
}

#[tokio::test]
async fn a_step_whose_time_is_over_is_ended_with_all_its_children() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let job = job(json!({ "run": ["/bin/sh", "-c", FAMILY], "env": { "OUT": out } }), "a");
    let began = Instant::now();
    let done = start(&shell(), &lasting(job.clone(), Duration::from_secs(1))).await;
    assert_eq!(done.end, StepEnd::TimedOut, "{done:?}");
    assert!(began.elapsed() >= Duration::from_secs(3) && began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_all_end(&out, "its time was over");

    fs::remove_file(&out).unwrap();
    let dropped = tokio::time::timeout(Duration::from_secs(1), start(&shell(), &job)).await;
    assert!(dropped.is_err(), "it runs for ten minutes");
    assert_all_end(&out, "whoever waited has gone");

    // A polite one is asked and ends by itself, with what it has to say.
    let polite = super::job(json!({ "run": ["/bin/sh", "-c", "trap 'echo bye; exit 0' TERM; while :; do sleep 0.05; done"] }), "a");
    let began = Instant::now();
    let done = start(&shell(), &lasting(polite, Duration::from_millis(500))).await;
    assert!(done.end == StepEnd::TimedOut && done.note.contains("output: bye"), "{done:?}");
    assert!(began.elapsed() < Duration::from_millis(2_300), "{:?}", began.elapsed());
}
