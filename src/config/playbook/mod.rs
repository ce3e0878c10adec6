//! Reads playbooks: written out in the configuration, in files it names, or in a folder of theirs.

mod healer;
mod lint;
mod parts;
#[cfg(test)]
mod schema_tests;

pub use lint::{Lint, lint};
pub(in crate::config) use parts::compare;

use std::path::{Path, PathBuf};

use super::error::{ConfigError, Position};
use super::fields::Fields;
use super::http::error_text;
use super::reader::{Cx, quoted};
use super::tree::{Node, Value};
use crate::core::gate::Mode;
use crate::core::playbook::{Kind, Playbook, USUAL_PRIORITY};
use crate::core::time::Span;

/// Of our own form; may be left out.
const API_VERSION: &str = "portent.dev/v1";

/// Most files in a folder of playbooks, and most playbooks in all.
const MAX_PLAYBOOKS: usize = 1_000;

/// A playbook that was read, and where each of its parts stands.
#[derive(Clone, Debug)]
pub struct Book {
    pub playbook: Playbook,
    /// The file it has to itself; `None` where it is written out in the configuration.
    pub file: Option<PathBuf>,
    /// What messages call that file.
    pub shown: String,
    pub(crate) node: Node,
}

impl Book {
    /// What holds its steps: the whole of it, or `spec` in the older form.
    fn body(&self) -> &Node {
        self.node.get("spec").filter(|_| healer::is_healer(&self.node)).unwrap_or(&self.node)
    }

    /// Where its name stands.
    fn name_at(&self) -> Position {
        named(&self.node).map_or(self.node.at, |node| node.at)
    }

    pub(crate) fn finding(&self, at: Position, message: String, hint: Option<String>) -> ConfigError {
        ConfigError { file: self.shown.clone(), line: at.line, column: at.column, message, hint }
    }
}

/// The user's playbooks. What is wrong with a file is that file's alone: it is refused, and the others are used.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    pub books: Vec<Book>,
    /// Every fault of every file that was refused.
    pub refused: Vec<ConfigError>,
    pub refused_files: usize,
    /// What those files would have been called. No embedded playbook takes such a place: what the user meant by the name is not known.
    pub refused_names: Vec<String>,
    /// The folder of playbooks, if there is one.
    pub dir: Option<PathBuf>,
}

/// What `playbooks_dir` and `playbooks` say. Faults of playbooks that are written out there are the configuration's own.
pub fn gather(dir: Option<&Node>, list: Option<&Node>, cx: &mut Cx) -> Gathered {
    let mut all = Gathered::default();
    if let Some(node) = dir {
        let path = cx.text(node, "playbooks_dir").map(|text| cx.path(&text));
        for file in path.as_deref().map(|path| files_of(path, node, cx)).unwrap_or_default() {
            all.add_file(&file, node, "playbooks_dir", cx);
        }
        all.dir = path;
    }
    for item in list.map(Node::items).unwrap_or_default().iter().take(MAX_PLAYBOOKS) {
        if let Value::Map(_) = item.value {
            let shown = cx.file.clone();
            if let Some(playbook) = read(item, cx) {
                all.add(Book { playbook, file: None, shown, node: item.clone() }, cx);
            }
        } else if let Some(path) = cx.text(item, "playbooks").map(|text| cx.path(&text)) {
            all.add_file(&path, item, "playbooks", cx);
        }
    }
    all
}

/// The playbooks of a configuration file, whatever else is wrong with it.
///
/// # Errors
/// Why it can't be read at all.
pub fn gather_of(path: &Path) -> Result<Gathered, String> {
    let shown = path.display();
    let text = super::read_text(path).map_err(|fault| format!("cannot read {shown}: {fault}"))?;
    let mut cx = Cx::new(path);
    let node = cx.tree(&text);
    let (dir, list) = (node.as_ref().and_then(|n| n.get("playbooks_dir")), node.as_ref().and_then(|n| n.get("playbooks")));
    let mut gathered = gather(dir, list, &mut cx);
    gathered.refused.splice(..0, cx.errors);
    Ok(gathered)
}

impl Gathered {
    /// One file, one playbook. Its faults name its own lines; that it can't be read is told of the line that names it.
    fn add_file(&mut self, path: &Path, named_at: &Node, what: &str, cx: &mut Cx) {
        match read_file(path) {
            Ok(book) => self.add(book, cx),
            Err(Refused { mut faults, name }) => {
                if let [ConfigError { file, line, column, message, .. }] = &mut faults[..]
                    && *line == 0
                {
                    *message = format!("{what}: cannot read {}: {message}", quoted(&path.display().to_string()));
                    (*file, *line, *column) = (cx.file.clone(), named_at.at.line, named_at.at.column);
                }
                self.refused.extend(faults);
                self.refused_files += 1;
                self.refused_names.extend(name);
            }
        }
    }

    /// Of two with one name the first counts.
    fn add(&mut self, book: Book, cx: &mut Cx) {
        let Some(first) = self.books.iter().find(|other| other.playbook.name == book.playbook.name) else {
            return self.books.push(book);
        };
        let at = book.name_at();
        let place = format!("{}:{}", first.shown, first.name_at().line);
        let message = format!("playbook {:?} stands twice, first at {place}", book.playbook.name);
        match book.file {
            Some(_) => {
                self.refused.push(book.finding(at, message, None));
                self.refused_files += 1;
            }
            None => cx.error(at, message),
        }
    }
}

/// A file that is no playbook.
#[derive(Debug)]
pub struct Refused {
    /// At least one; a single one of line 0 where the file could not be read at all.
    pub faults: Vec<ConfigError>,
    /// What it would have been called, as far as that can be told.
    pub name: Option<String>,
}

/// The playbook that a file holds.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read_file(path: &Path) -> Result<Book, Refused> {
    let is_pipe = std::fs::metadata(path).is_ok_and(|meta| !meta.is_file());
    let text = if is_pipe { Err("is not a regular file".to_owned()) } else { super::read_text(path) };
    let text = text.map_err(|fault| {
        let faults = vec![ConfigError { file: path.display().to_string(), line: 0, column: 0, message: fault, hint: None }];
        Refused { faults, name: stem(path) }
    })?;
    read_text(&text, path)
}

/// The same of a text that `path` holds, or is to hold.
///
/// # Errors
/// As [`read_file`].
pub fn read_text(text: &str, path: &Path) -> Result<Book, Refused> {
    let mut cx = Cx::new(path);
    let Some(node) = cx.tree(text) else {
        if cx.errors.is_empty() {
            cx.error(Position { line: 1, column: 1 }, "the file holds no playbook");
        }
        return Err(Refused { faults: cx.errors, name: stem(path) });
    };
    match read(&node, &mut cx) {
        Some(playbook) if cx.errors.is_empty() => Ok(Book { playbook, file: Some(path.to_path_buf()), shown: cx.file, node }),
        _ => {
            cx.errors.sort_by_key(|error| (error.line, error.column));
            let written =
                named(&node).and_then(|node| if let Value::Scalar { text, .. } = &node.value { Some(text.clone()) } else { None });
            Err(Refused { faults: cx.errors, name: written.or_else(|| stem(path)) })
        }
    }
}

fn stem(path: &Path) -> Option<String> {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned())
}

/// Where a playbook's name is written, in either form.
fn named(node: &Node) -> Option<&Node> {
    node.get("name").or_else(|| node.get("metadata")?.get("name"))
}

/// Every `*.yaml` and `*.yml` of a folder, by name.
fn files_of(dir: &Path, node: &Node, cx: &mut Cx) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(dir).and_then(|entries| entries.map(|entry| entry.map(|e| e.path())).collect::<Result<Vec<_>, _>>());
    let mut files: Vec<PathBuf> = match listed {
        Ok(files) => files,
        Err(error) => {
            let message = format!("playbooks_dir: cannot read {}: {}", quoted(&dir.display().to_string()), error_text(&error));
            cx.error(node.at, message);
            return Vec::new();
        }
    };
    // What begins with a dot is an editor's, ours too.
    let is_hidden = |file: &Path| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    files.retain(|file| file.extension().is_some_and(|e| e == "yaml" || e == "yml") && !is_hidden(file));
    files.sort_unstable();
    if files.len() > MAX_PLAYBOOKS {
        cx.error(node.at, format!("playbooks_dir: holds {} files, want {MAX_PLAYBOOKS} at most", files.len()));
        files.truncate(MAX_PLAYBOOKS);
    }
    files
}

/// A playbook in either of its forms: ours, with or without `apiVersion: portent.dev/v1`, or the older `healer.platform/v1`.
pub fn read(node: &Node, cx: &mut Cx) -> Option<Playbook> {
    if healer::is_healer(node) {
        return healer::read(node, cx);
    }
    let before = cx.errors.len();
    let mut fields = Fields::of(node, "a playbook", cx)?;
    if let Some(node) = fields.take("apiVersion") {
        cx.known_name(node, "apiVersion", &[API_VERSION, healer::API_VERSION]);
    }
    let kind = fields.take("kind").and_then(|n| cx.one_of(n, "kind", &Kind::ALL)).unwrap_or_default();
    let name = fields.need("name", cx).and_then(|n| cx.name(n, "name"));
    let about = fields.need("about", cx).and_then(|n| cx.text(n, "about"));
    let enabled = fields.take("enabled").and_then(|n| cx.flag(n, "enabled")).unwrap_or(true);
    let priority = fields.take("priority").and_then(|n| cx.whole(n, "priority", 1, 10)).map_or(USUAL_PRIORITY, |p| p as u8);
    let mode = fields.take("mode").and_then(|n| cx.one_of(n, "mode", &Mode::ALL));
    let mut when = fields.take("when").and_then(|n| parts::trigger(n, cx)).unwrap_or_default();
    let (conditions, steps) = match kind {
        Kind::Playbook => (None, fields.need("steps", cx)),
        // In a policy's own words; the others do as well.
        Kind::Policy => {
            let conditions = fields.take("conditions");
            let actions = fields.take("actions").or_else(|| fields.take("steps"));
            if actions.is_none() {
                cx.error(fields.at, "a policy lacks \"actions\"");
            }
            (conditions, actions)
        }
    };
    when.conditions.extend(conditions.map(|n| parts::conditions(n, cx)).unwrap_or_default());
    let steps = steps.map(|n| parts::steps(n, cx)).unwrap_or_default();
    let target = fields.take("target").and_then(|n| parts::template(n, "target", cx));
    let cooldown = fields.take("cooldown").and_then(|n| cx.span(n, "cooldown", Span::ZERO, Span::WEEK));
    let verify = fields.take("verify").and_then(|n| parts::check(n, cx));
    let rollback = fields.take("rollback").and_then(|n| parts::rollback(n, cx)).unwrap_or_default();
    fields.done(cx);
    if cx.errors.len() > before {
        return None;
    }
    Some(Playbook { name: name?, about: about?, kind, enabled, priority, mode, when, target, cooldown, steps, verify, rollback })
}
