//! What stdout gets: a table for people, JSON and CSV for programs.

use std::io::{self, BufWriter, Write};

use clap::ValueEnum;

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Columns for people.
    Table,
    /// One JSON array.
    Json,
    /// A JSON object a line.
    Jsonl,
    /// Comma-separated values with a header.
    Csv,
}

/// Stdout in large pieces. A reader that has gone away (`| head`) is not an error.
pub fn stdout() -> BufWriter<io::StdoutLock<'static>> {
    BufWriter::with_capacity(1 << 16, io::stdout().lock())
}

/// Nothing is wrong when the reader of our output has seen enough.
pub fn ignore_closed(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Rows under a header, columns as wide as their widest cell, numbers as they were formatted.
pub fn table(out: &mut impl Write, header: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let widths: Vec<usize> = (0..header.len())
        .map(|c| rows.iter().map(|row| row[c].chars().count()).chain([header[c].chars().count()]).max().unwrap_or(0))
        .collect();
    let line = |out: &mut dyn Write, cells: &[&str]| -> io::Result<()> {
        let mut text = String::new();
        for (c, cell) in cells.iter().enumerate() {
            text.push_str(cell);
            if c + 1 < cells.len() {
                let pad = widths[c] - cell.chars().count() + 2;
                text.extend(std::iter::repeat_n(' ', pad));
            }
        }
        writeln!(out, "{}", text.trim_end())
    };
    line(out, header)?;
    rows.iter().try_for_each(|row| line(out, &row.iter().map(String::as_str).collect::<Vec<_>>()))
}

/// A row a line, under the header in small letters.
pub fn csv(out: &mut impl Write, header: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let quoted = |cell: &String| if cell.contains([',', '"', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.clone() };
    writeln!(out, "{}", header.join(",").to_lowercase())?;
    rows.iter().try_for_each(|row| writeln!(out, "{}", row.iter().map(quoted).collect::<Vec<_>>().join(",")))
}
