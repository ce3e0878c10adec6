//! Four numbers that are worked on at once: two directions of both memories, what a register of any processor holds.
//!
//! Plain arrays, in which the compiler sees four equal steps side by side. Nothing is asked of the processor that only some have, so the bits
//! are the same everywhere.

use std::ops::{Add, Div, Mul, Sub};

use super::whiten::{Lanes, MEMORIES};

const WIDTH: usize = 2 * MEMORIES;

#[derive(Clone, Copy, Debug)]
pub(super) struct Quad([f32; WIDTH]);

impl Quad {
    /// A number everywhere.
    #[inline]
    pub fn all(value: f32) -> Self {
        Self([value; WIDTH])
    }

    #[inline]
    pub fn of(first: Lanes, second: Lanes) -> Self {
        Self([first[0], first[1], second[0], second[1]])
    }

    /// The same for both directions.
    #[inline]
    pub fn twice(lanes: Lanes) -> Self {
        Self::of(lanes, lanes)
    }

    #[inline]
    pub fn first(self) -> Lanes {
        [self.0[0], self.0[1]]
    }

    #[inline]
    pub fn second(self) -> Lanes {
        [self.0[2], self.0[3]]
    }

    /// The first direction for both.
    #[inline]
    pub fn firsts(self) -> Self {
        Self::twice(self.first())
    }

    #[inline]
    pub fn seconds(self) -> Self {
        Self::twice(self.second())
    }

    /// With another's second direction.
    #[inline]
    pub fn with_second(self, of: Self) -> Self {
        Self::of(self.first(), of.second())
    }

    pub fn numbers(self) -> [f32; WIDTH] {
        self.0
    }
}

macro_rules! lane_by_lane {
    ($($of:ident $by:ident $op:tt),*) => {$(
        impl $of for Quad {
            type Output = Self;
            #[inline]
            fn $by(self, other: Self) -> Self {
                let (a, b) = (self.0, other.0);
                Self([a[0] $op b[0], a[1] $op b[1], a[2] $op b[2], a[3] $op b[3]])
            }
        }
    )*};
}

lane_by_lane!(Add add +, Sub sub -, Mul mul *, Div div /);
