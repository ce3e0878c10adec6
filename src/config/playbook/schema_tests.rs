//! The JSON Schema for editors says what the reader says, as far as a schema can.

use std::path::{Path, PathBuf};

use super::{parts, read_text};
use crate::config::reader::Cx;
use crate::playbooks;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Bad ones whose name does not say so.
const BAD_BY_ANOTHER_NAME: [&str; 1] = ["faulty.yaml"];

struct Schema(boon::Schemas, boon::SchemaIndex);

impl Schema {
    fn new() -> Self {
        let text = std::fs::read_to_string(Path::new(ROOT).join("schemas/playbook.schema.json")).unwrap();
        let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
        compiler.add_resource("urn:portent:playbook:1", serde_json::from_str(&text).unwrap()).unwrap();
        let index = compiler.compile("urn:portent:playbook:1", &mut schemas).unwrap();
        Self(schemas, index)
    }

    /// Why it does not hold for a text.
    fn fault(&self, text: &str) -> Option<String> {
        let node = Cx::new(Path::new("x.yaml")).tree(text).unwrap();
        self.0.validate(&parts::json(&node), self.1).err().map(|error| format!("{error:#}"))
    }
}

fn files(folder: &str) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(Path::new(ROOT).join(folder)).unwrap();
    let mut files: Vec<PathBuf> =
        listed.map(|entry| entry.unwrap().path()).filter(|f| f.extension().is_some_and(|e| e == "yaml")).collect();
    files.sort();
    files
}

#[test]
fn the_schema_takes_what_is_read_and_refuses_what_is_refused() {
    let schema = Schema::new();
    for embedded in playbooks::all() {
        assert_eq!(schema.fault(embedded.source_text), None, "{}", embedded.playbook.name);
    }
    let (mut taken, mut refused) = (0, 0);
    for file in files("tests/fixtures/playbooks").into_iter().chain(files("tests/fixtures/config/playbooks")) {
        let (text, name) = (std::fs::read_to_string(&file).unwrap(), file.file_name().unwrap().to_string_lossy().into_owned());
        let read = read_text(&text, &file);
        let is_bad = name.ends_with(".bad.yaml") || BAD_BY_ANOTHER_NAME.contains(&name.as_str());
        assert_eq!(read.is_err(), is_bad, "{name}: {:?}", read.err().map(|refused| refused.faults));
        assert_eq!(schema.fault(&text).is_some(), is_bad, "{name}: {:?}", schema.fault(&text));
        *(if is_bad { &mut refused } else { &mut taken }) += 1;
    }
    assert!(taken >= 6 && refused >= 20, "{taken} taken, {refused} refused");
}
