//! A series that something is done about: what was said about it is the remedy's to make true or not.

use super::Shard;
use crate::core::engine::asked::Asked;

impl Shard {
    pub fn forget_asked(&mut self, row: usize) {
        self.rows[row].asked = Asked::default();
    }
}
