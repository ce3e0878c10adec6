//! d
mod bridge;
mod effects;
mod read;
mod state;
