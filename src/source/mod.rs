//! Where samples come from. A source turns a question (query, grid) into a [`Frame`](crate::core::frame::Frame); it decides nothing.

pub mod prometheus;
pub mod replay;
pub mod selector;
