//! Which series a row of a long file belongs to, by its label cells, without a String or a label set a row.
//!
//! Rows of long files come in two orders: all of one series after another, or all series of one time after another. Either way the series
//! that follows another once follows it nearly always. So each group remembers its successor; comparing a row with that one guess costs a
//! few short string comparisons and no hash. Only a wrong guess goes to the table.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use arrow::array::{Array, StringArray};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// One hash call a key. The standard hasher resists chosen keys, at several times the cost; here a chosen key can slow one's own file.
#[derive(Default)]
pub(super) struct Xxh3Once(u64);

impl Hasher for Xxh3Once {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Groups of one file.
#[derive(Default)]
pub(super) struct Groups {
    groups: Vec<Group>,
    table: HashMap<Box<[u8]>, usize, BuildHasherDefault<Xxh3Once>>,
    /// The row before, to guess from.
    last: usize,
    key: Vec<u8>,
}

struct Group {
    cells: Box<[Box<str>]>,
    /// The caller's number for it.
    series: usize,
    /// The group that came after this one last time.
    next: usize,
}

impl Groups {
    /// The series of row `row`; `make` gives the number of a group not met before, from its label cells. Empty and null cells are alike.
    pub fn series_of<E>(
        &mut self,
        labels: &[&StringArray],
        row: usize,
        make: impl FnOnce(&[Box<str>]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        if let Some(last) = self.groups.get(self.last) {
            let guess = last.next;
            let group = &self.groups[guess];
            if labels.iter().zip(&group.cells).all(|(column, cell)| cell_of(column, row) == &**cell) {
                let series = group.series;
                self.last = guess;
                return Ok(series);
            }
        }
        self.key.clear();
        for column in labels {
            let cell = cell_of(column, row);
            // Lengths first, so that ("a","bc") and ("ab","c") differ.
            self.key.extend_from_slice(&cell.len().to_le_bytes());
            self.key.extend_from_slice(cell.as_bytes());
        }
        let found = if let Some(found) = self.table.get(self.key.as_slice()) {
            *found
        } else {
            let cells: Box<[Box<str>]> = labels.iter().map(|column| cell_of(column, row).into()).collect();
            let series = make(&cells)?;
            let new = self.groups.len();
            self.groups.push(Group { cells, series, next: new });
            self.table.insert(self.key.as_slice().into(), new);
            new
        };
        if let Some(last) = self.groups.get_mut(self.last) {
            last.next = found;
        }
        self.last = found;
        Ok(self.groups[found].series)
    }
}

fn cell_of(column: &StringArray, row: usize) -> &str {
    if column.is_null(row) { "" } else { column.value(row) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_order_of_rows_finds_the_same_groups() {
        let hosts = ["a", "b", "c", "a", "b", "c", "c", "a", "a", "b", "", "ab", "a"];
        let disks = ["x", "x", "x", "x", "x", "x", "x", "x", "y", "x", "", "c", "bc"];
        let (hosts, disks) = (StringArray::from(hosts.to_vec()), StringArray::from(disks.to_vec()));
        let mut groups = Groups::default();
        let mut made = Vec::new();
        let got: Vec<usize> = (0..hosts.len())
            .map(|row| {
                groups
                    .series_of(&[&hosts, &disks], row, |cells| {
                        made.push(cells.join("/"));
                        Ok::<_, ()>(made.len() - 1)
                    })
                    .unwrap()
            })
            .collect();
        assert_eq!(made, ["a/x", "b/x", "c/x", "a/y", "/", "ab/c", "a/bc"]);
        assert_eq!(got, [0, 1, 2, 0, 1, 2, 2, 0, 3, 1, 4, 5, 6]);
    }
}
