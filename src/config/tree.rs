//! YAML text into a tree whose every node knows its line and column.
//!
//! Built from the parser's events rather than through serde: serde stops at the first fault, and a configuration is mended in one go
//! only when all faults are said at once. Nodes, depth and text have limits, aliases are charged for what they copy (the "billion laughs"
//! file is an error after [`MAX_NODES`]), and a key that stands twice is an error at its second place.

use std::collections::HashMap;

use serde_saphyr::granit_parser::{self, Event, Marker, Parser, ScalarStyle};

use super::error::Position;

/// Largest text that is read as configuration. A thousand watches written out are about 300 kB.
pub const MAX_TEXT_BYTES: usize = 1 << 20;
/// Most nodes of one document, aliases counted as what they stand for: a megabyte of the smallest nodes lies below it by a little,
/// so only aliases meet this limit.
const MAX_NODES: usize = 400_000;
/// A long text is charged as one node for each of these, so that aliases of one long text meet the same limit.
const BYTES_PER_NODE: usize = 64;
/// Deepest nesting. The configuration itself nests seven deep; a playbook's arguments may nest some more.
const MAX_DEPTH: usize = 32;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    pub at: Position,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub enum Value {
    /// A text, number, truth value or nothing: which of them is for the reader to say, who knows what is wanted.
    Scalar {
        text: String,
        /// Written without quotes, so it may be a number, a truth value or nothing.
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One `key: value`.
#[derive(Clone, Debug)]
pub struct Entry {
    pub key: String,
    pub key_at: Position,
    pub node: Node,
}

/// One fault of the text itself.
#[derive(Clone, Debug)]
pub struct TreeError {
    pub at: Position,
    pub message: String,
    pub hint: Option<&'static str>,
}

impl Node {
    /// The items of a list; a single value stands for a list of one, and nothing for an empty one.
    pub fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ if self.is_null() => &[],
            _ => std::slice::from_ref(self),
        }
    }

    /// A mapping's value.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// Whether a key has this plain value.
    pub fn has(&self, (key, word): (&str, &str)) -> bool {
        self.get(key).is_some_and(|node| matches!(&node.value, Value::Scalar { text, .. } if text == word))
    }

    /// Nothing stands here: `key:`, `key: ~` or `key: null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }
}

/// A text's only document; `None` when there is nothing in it but comments. Keys that stand twice are collected, the first one counts;
/// any other fault ends the reading, since nothing after it can be trusted.
pub fn parse(text: &str, faults: &mut Vec<TreeError>) -> Option<Node> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let options = granit_parser::options! { emit_comments: false };
    let mut builder = Builder { events: Parser::new_from_str_with_options(text, options), anchors: HashMap::new(), nodes: 0, faults };
    match builder.document() {
        Ok(node) => node,
        Err(fault) => {
            faults.push(fault);
            None
        }
    }
}

struct Builder<'f, E> {
    events: E,
    /// Each anchored node and how many nodes it holds.
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    faults: &'f mut Vec<TreeError>,
}

fn position(marker: Marker) -> Position {
    Position { line: marker.line(), column: marker.col() + 1 }
}

fn fault(at: Position, message: impl Into<String>) -> TreeError {
    TreeError { at, message: message.into(), hint: None }
}

impl<'i, E> Builder<'_, E>
where
    E: Iterator<Item = Result<(Event<'i>, granit_parser::Span), granit_parser::ScanError>>,
{
    fn document(&mut self) -> Result<Option<Node>, TreeError> {
        let mut root = None;
        loop {
            let (event, at) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentEnd => {}
                Event::StreamEnd => return Ok(root),
                Event::DocumentStart(..) if root.is_some() => {
                    return Err(fault(at, "a second document starts here: want one configuration a file"));
                }
                Event::DocumentStart(..) => {
                    let (event, at) = self.next()?;
                    root = Some(self.node(event, at, 0)?);
                }
                _ => return Err(fault(at, "unexpected YAML event outside a document")),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'i>, Position), TreeError> {
        match self.events.next() {
            Some(Ok((event, span))) => Ok((event, position(span.start))),
            Some(Err(error)) => Err(fault(position(*error.marker()), format!("not YAML: {}", error.info()))),
            None => Ok((Event::StreamEnd, Position::WHOLE)),
        }
    }

    fn charge(&mut self, nodes: usize, at: Position) -> Result<(), TreeError> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes <= MAX_NODES {
            return Ok(());
        }
        Err(TreeError {
            at,
            message: format!("the document grows past {MAX_NODES} values here, aliases counted as what they stand for"),
            hint: Some("aliases of aliases multiply; write the values out"),
        })
    }

    fn node(&mut self, event: Event<'i>, at: Position, depth: usize) -> Result<Node, TreeError> {
        if depth > MAX_DEPTH {
            return Err(fault(at, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let before = self.nodes;
        match &event {
            Event::Alias(_) => {}
            Event::Scalar(text, ..) => self.charge(1 + text.len() / BYTES_PER_NODE, at)?,
            _ => self.charge(1, at)?,
        }
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = tag.as_ref().is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
                (Value::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain && !is_text }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break,
                        (event, at) => items.push(self.node(event, at, depth + 1)?),
                    }
                }
                (Value::List(items), anchor)
            }
            Event::MappingStart(_, anchor, _) => (Value::Map(self.entries(depth)?), anchor),
            Event::Alias(id) => return self.alias(id, at),
            _ => return Err(fault(at, "a value is missing here")),
        };
        let node = Node { at, value };
        if anchor > 0 {
            // The copy kept for aliases costs as much as the node.
            let size = self.nodes - before;
            self.charge(size, at)?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok(node)
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<Entry>, TreeError> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut places: HashMap<String, Position> = HashMap::new();
        loop {
            let (event, key_at) = match self.next()? {
                (Event::MappingEnd, _) => return Ok(entries),
                other => other,
            };
            let key = match self.node(event, key_at, depth + 1)?.value {
                Value::Scalar { text, .. } => text,
                Value::List(_) | Value::Map(_) => return Err(fault(key_at, "a key must be a plain word, not a list or a mapping")),
            };
            let (event, at) = self.next()?;
            let node = self.node(event, at, depth + 1)?;
            if key == "<<" {
                self.faults.push(TreeError {
                    at: key_at,
                    message: "merge keys (<<) are not read: YAML 1.2 has none".into(),
                    hint: Some("write the keys out, or alias whole values with *name"),
                });
            } else if let Some(first) = places.get(&key) {
                self.faults.push(fault(key_at, format!("key {key:?} stands twice, first on line {}", first.line)));
            } else {
                places.insert(key.clone(), key_at);
                entries.push(Entry { key, key_at, node });
            }
        }
    }

    fn alias(&mut self, id: usize, at: Position) -> Result<Node, TreeError> {
        let size = self.anchors.get(&id).ok_or_else(|| fault(at, "an alias inside the value it stands for has no end"))?.1;
        self.charge(size, at)?;
        let copy = self.anchors.get(&id).map(|(node, _)| node.clone());
        copy.ok_or_else(|| fault(at, "an alias without its anchor"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(text: &str) -> Vec<String> {
        let mut faults = Vec::new();
        parse(text, &mut faults);
        faults.into_iter().map(|f| format!("{}:{}: {}", f.at.line, f.at.column, f.message)).collect()
    }

    #[test]
    fn every_node_knows_its_place() {
        let mut faults = Vec::new();
        let root = parse("a: 1\nb:\n  - \"x\"\n  - {c: ~}\n", &mut faults).unwrap();
        let Value::Map(entries) = &root.value else { panic!("not a map") };
        assert_eq!((entries[0].key_at, entries[0].node.at), (Position { line: 1, column: 1 }, Position { line: 1, column: 4 }));
        let Value::List(items) = &entries[1].node.value else { panic!("not a list") };
        assert_eq!(items[0].at, Position { line: 3, column: 5 });
        assert!(matches!(&items[0].value, Value::Scalar { plain: false, .. }));
        let Value::Map(inner) = &items[1].value else { panic!("not a map") };
        assert!(inner[0].node.is_null() && faults.is_empty());
    }

    #[test]
    fn faults_of_the_text_have_places() {
        assert_eq!(fails("a: 1\nb: 2\na: 3\na: 4\n").len(), 2);
        assert!(fails("a: 1\na: 3\n")[0].starts_with("2:1: key \"a\" stands twice, first on line 1"));
        assert!(fails("a: [1\nb: 2")[0].contains("not YAML"), "{:?}", fails("a: [1\nb: 2"));
        assert!(fails("a: 1\n---\nb: 2\n")[0].contains("second document"));
        assert!(fails(&format!("{}{}", "[".repeat(40), "]".repeat(40)))[0].contains("deeper than 32"));
        assert!(fails("? [a]\n: 1\n")[0].contains("plain word"));
        assert!(fails("a: &x {b: 1}\nc: {<<: *x}\n")[0].contains("merge keys"));
        assert!(fails("a: *nowhere\n")[0].contains("not YAML"));
    }

    #[test]
    fn aliases_stand_for_their_value_and_are_charged_for_it() {
        let mut faults = Vec::new();
        let root = parse("a: &x [1, 2]\nb: *x\n", &mut faults).unwrap();
        let Value::Map(entries) = &root.value else { panic!("not a map") };
        assert!(matches!(&entries[1].node.value, Value::List(items) if items.len() == 2));
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for i in 1..12 {
            bomb.push_str(&format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 10].join(", ")));
        }
        let started = std::time::Instant::now();
        assert!(fails(&bomb)[0].contains("grows past"), "{:?}", fails(&bomb));
        assert!(started.elapsed().as_secs() < 5);
    }

    #[test]
    fn nothing_is_nothing() {
        let mut faults = Vec::new();
        assert!(parse("# only a comment\n", &mut faults).is_none() && faults.is_empty());
        assert!(parse("\u{feff}a: 1", &mut faults).is_some() && faults.is_empty());
    }
}
