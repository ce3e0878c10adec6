//! One mapping while it is read.
//!
//! Its keys are *taken*; what is left over at [`Fields::done`] is unknown, and the keys that were asked for are the known ones. So the list
//! of known keys can't drift from the code that reads them, as a separate list would.

use super::error::Position;
use super::nearest::nearest;
use super::reader::{Cx, list, quoted};
use super::tree::{Entry, Node, Value};

/// One mapping while it is read.
#[derive(Debug)]
pub struct Fields<'n> {
    /// What the mapping describes, with its article: "a watch".
    what: &'static str,
    pub at: Position,
    left: Vec<&'n Entry>,
    asked: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// The mapping's fields; an error, and nothing, when the node is no mapping.
    pub fn of(node: &'n Node, what: &'static str, cx: &mut Cx) -> Option<Self> {
        match &node.value {
            Value::Map(entries) => Some(Self { what, at: node.at, left: entries.iter().collect(), asked: Vec::new() }),
            _ => {
                cx.wrong(node, what, "a mapping (key: value)");
                None
            }
        }
    }

    /// The key's value, if it is there and not null.
    pub fn take(&mut self, key: &'static str) -> Option<&'n Node> {
        self.take_entry(key).map(|entry| &entry.node)
    }

    /// Like [`take`](Self::take), with the key's place.
    pub fn take_entry(&mut self, key: &'static str) -> Option<&'n Entry> {
        self.asked.push(key);
        let index = self.left.iter().position(|entry| entry.key == key)?;
        let entry = self.left.swap_remove(index);
        (!entry.node.is_null()).then_some(entry)
    }

    /// Like [`take`](Self::take), and an error when it is not there.
    pub fn need(&mut self, key: &'static str, cx: &mut Cx) -> Option<&'n Node> {
        let node = self.take(key);
        if node.is_none() {
            cx.error(self.at, format!("{} lacks {key:?}", self.what));
        }
        node
    }

    /// Ends the reading: what nobody asked for is unknown.
    pub fn done(self, cx: &mut Cx) {
        for entry in self.left {
            let message = format!("unknown key {} in {}", quoted(&entry.key), self.what);
            match nearest(&entry.key, self.asked.iter().copied()) {
                Some(near) => cx.error(entry.key_at, format!("{message}; did you mean {near:?}?")),
                None => cx.error_hint(entry.key_at, message, format!("known: {}", list(self.asked.iter().copied()))),
            }
        }
    }
}
