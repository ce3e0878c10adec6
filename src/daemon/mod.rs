//! d
mod bridge;
mod effects;
mod read;
mod scene;
mod state;
