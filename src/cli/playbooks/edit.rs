//! `portent playbooks edit`: a playbook in your editor, looked over before it replaces the file.
//!
//! What was written is never lost and never half there: the editor has a copy beside the file, and only a copy without errors takes its place,
//! in one move. A copy that was left (errors, a closed terminal) is gone on with the next time.

use std::fs;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Args;

use super::super::{Failure, Outcome};
use super::{Of, actuators_of, lint};
use crate::act::Actuators;
use crate::config::Config;
use crate::playbooks;

const EXAMPLES: &str = "Examples:
  portent playbooks edit restart-web -c portent.yaml
  EDITOR='code --wait' portent playbooks edit playbooks/restart-web.yaml
  portent playbooks edit expand-volume -c portent.yaml    a bundled one is copied into playbooks_dir

The daemon reads it with the next reload (kill -HUP, or POST /-/reload).";

/// In $VISUAL or $EDITOR, on a copy; looked over before it replaces the file, whole
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Edit {
    /// A playbook's name, or its file
    name: String,
    #[command(flatten)]
    of: Of,
}

impl Edit {
    pub fn run(self) -> Outcome {
        let config = self.of.load()?;
        let (file, start) = self.find(config.as_ref())?;
        // A link stays a link: what it leads to is changed.
        let file = fs::canonicalize(&file).unwrap_or(file);
        let actuators = actuators_of(config.as_ref());
        let copy = copy_of(&file);
        if copy.exists() {
            eprintln!("going on with what was left in {}", copy.display());
        } else {
            let text = start.as_deref().map(|text| text.as_bytes().to_vec());
            let text = text.map_or_else(|| fs::read(&file), Ok).map_err(|error| said("read", &file, &error))?;
            fs::write(&copy, text).map_err(|error| said("write", &copy, &error))?;
            if let Ok(meta) = fs::metadata(&file) {
                // Who may not read the one may not read the other.
                fs::set_permissions(&copy, meta.permissions()).map_err(|error| said("write", &copy, &error))?;
            }
        }
        let before = fs::read(&file).ok();
        loop {
            edit(&copy)?;
            let text = fs::read_to_string(&copy).map_err(|error| said("read", &copy, &error))?;
            if before.as_deref() == Some(text.as_bytes()) {
                fs::remove_file(&copy).map_err(|error| said("remove", &copy, &error))?;
                eprintln!("{}: nothing was changed", file.display());
                return Ok(ExitCode::SUCCESS);
            }
            if is_fine(&text, &file, &actuators, config.is_some()) {
                break;
            }
            if !again() {
                eprintln!("{} is as it was; what you wrote is kept in {}", file.display(), copy.display());
                return Ok(ExitCode::from(1));
            }
        }
        if fs::read(&file).ok() != before {
            let message = format!("somebody else has changed {} meanwhile; what you wrote is kept in {}", file.display(), copy.display());
            return Err(Failure::new(message).hint("compare the two, then move yours over it"));
        }
        replace(&file, &copy).map_err(|error| said("replace", &file, &error))?;
        eprintln!("{}: written", file.display());
        Ok(ExitCode::SUCCESS)
    }

    /// The file, and what to begin with where there is none yet.
    fn find(&self, config: Option<&Config>) -> Result<(PathBuf, Option<String>), Failure> {
        let path = PathBuf::from(&self.name);
        if path.is_file() {
            return Ok((path, None));
        }
        if let Some(file) = config.and_then(|config| config.books.files.get(&self.name)) {
            return Ok((file.clone(), None));
        }
        let refused = config.iter().flat_map(|config| &config.books.refused).map(|fault| Path::new(&fault.file));
        if let Some(file) = refused.into_iter().find(|file| file.file_stem().is_some_and(|stem| *stem == *self.name) && file.is_file()) {
            return Ok((file.to_path_buf(), None));
        }
        let dir = config.and_then(|config| config.books.dir.clone());
        match (playbooks::find(&self.name), dir) {
            (Some(bundled), Some(dir)) => Ok((dir.join(format!("{}.yaml", self.name)), Some(bundled.source_text.to_owned()))),
            (Some(_), None) => {
                Err(Failure::new(format!("{} is bundled, and the configuration names no playbooks_dir to put yours in", self.name))
                    .hint(format!("portent playbooks show {0} > {0}.yaml", self.name)))
            }
            (None, _) => {
                Err(Failure::usage(format!("there is no playbook and no file {:?}", self.name))
                    .hint("portent playbooks list -c portent.yaml"))
            }
        }
    }
}

/// Beside the file, so that it can take its place in one move. A folder of playbooks does not read what begins with a dot.
fn copy_of(file: &Path) -> PathBuf {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    file.with_file_name(format!(".{name}.edited.yaml"))
}

/// The editor's own words and the copy, as the shell's users write `EDITOR`: words with spaces between.
fn edit(copy: &Path) -> Result<(), Failure> {
    let chosen = ["VISUAL", "EDITOR"].into_iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.trim().is_empty()));
    let chosen = chosen.unwrap_or_else(|| "vi".to_owned());
    let mut words = chosen.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let status = Command::new(program).args(words).arg(copy).status();
    let kept = format!("what you wrote is kept in {}", copy.display());
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::new(format!("{program} ended with {status}; nothing was replaced")).hint(kept)),
        Err(error) => Err(Failure::new(format!("cannot start {program}: {error}")).hint("set EDITOR")),
    }
}

fn is_fine(text: &str, file: &Path, actuators: &Actuators, is_configured: bool) -> bool {
    let found = lint::all(text, file, actuators, is_configured);
    for one in &found {
        eprintln!("{}", lint::line(one));
    }
    found.iter().all(|one| !one.is_error)
}

/// Asks only where somebody can answer.
fn again() -> bool {
    if !std::io::stdin().is_terminal() {
        return false;
    }
    eprint!("edit again? [Y/n] ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).is_ok_and(|bytes| bytes > 0) && !answer.trim().eq_ignore_ascii_case("n")
}

/// In one move, with the file's own rights: whoever reads it sees the old or the new one, also after a power cut.
fn replace(file: &Path, copy: &Path) -> std::io::Result<()> {
    let mut written = fs::OpenOptions::new().append(true).open(copy)?;
    written.flush()?;
    written.sync_all()?;
    fs::rename(copy, file)?;
    file.parent().map_or(Ok(()), |folder| fs::File::open(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })?.sync_all())
}

fn said(act: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot {act} {}: {error}", path.display()))
}
