//! Which program may be started: the file that a configured path is, and not another one that leads there or that it leads to.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

/// The path to start: `asked` as the configuration has it, or the one configured program of that file name.
///
/// # Errors
/// Why none may be started.
pub fn find(allowed: &[PathBuf], asked: &str) -> Result<PathBuf, String> {
    let path = if asked.contains('/') { PathBuf::from(asked) } else { by_name(allowed, asked)? };
    if !path.is_absolute() {
        return Err(format!("{asked:?} is no absolute path; hint: name the program as act.command.allow does"));
    }
    let fail = |error: io::Error| format!("cannot find the program {asked:?}: {error}");
    let entry = entry(&path).map_err(fail)?;
    let is_allowed = |path: &Path| allowed.iter().any(|one| self::entry(one).is_ok_and(|one| one == path));
    if !is_allowed(&entry) {
        return Err(format!("the program {asked:?} is not allowed; hint: {}", known(allowed)));
    }
    let file = entry.canonicalize().map_err(fail)?;
    if file != entry && !is_allowed(&file) {
        return Err(format!(
            "{} is a link to {}, which is not allowed; hint: add it to act.command.allow",
            entry.display(),
            file.display()
        ));
    }
    if !file.is_file() {
        return Err(format!("{} is no file", file.display()));
    }
    Ok(entry)
}

/// The folder as it really is, and the name in it as it is written: what a link leads to is asked apart.
fn entry(path: &Path) -> io::Result<PathBuf> {
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => Ok(folder.canonicalize()?.join(name)),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "it names no file")),
    }
}

fn by_name(allowed: &[PathBuf], name: &str) -> Result<PathBuf, String> {
    let mut found = allowed.iter().filter(|path| path.file_name().is_some_and(|file| file == name));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one.clone()),
        (Some(one), Some(other)) => Err(format!("{name:?} may be {} or {}; hint: write the path", one.display(), other.display())),
        (None, _) => Err(format!("the program {name:?} is not allowed; hint: {}", known(allowed))),
    }
}

/// Of the allowed ones, as many as a message holds.
fn known(allowed: &[PathBuf]) -> String {
    /// A handful shows what kind of entry is meant; the rest stands in the configuration.
    const MAX_SHOWN: usize = 5;
    if allowed.is_empty() {
        return "act.command.allow names no program, so none can be started".to_owned();
    }
    let mut text = "act.command.allow names ".to_owned();
    for (i, path) in allowed.iter().take(MAX_SHOWN).enumerate() {
        // Writing into a text does not fail.
        let _ = write!(text, "{}{}", if i > 0 { ", " } else { "" }, path.display());
    }
    if allowed.len() > MAX_SHOWN { format!("{text}, ...") } else { text }
}
