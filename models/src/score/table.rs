//! Numbers of a like size in 16 bits each: how many quanta above or below a common anchor.
//!
//! Small floats (bfloat16) would lose the shape of a day on a series that has wandered far from where it began, since their digits count
//! from zero; here they count from the anchor, which moves along.

use super::codec::{DecodeError, Reader, Writer};

/// The cell without a number.
const EMPTY: i16 = i16::MIN;
/// The largest step from the anchor.
const MOST: f32 = 32_767.0;
/// Of that range, what numbers take up after [`Table::settle`]: the rest is room to move without a coarser quantum.
const TAKEN: f32 = 0.25;

#[derive(Clone, Debug)]
pub(super) struct Table<const N: usize> {
    cells: [i16; N],
    anchor: f32,
    /// 0 while all numbers are the anchor.
    quantum: f32,
}

impl<const N: usize> Table<N> {
    pub fn new() -> Self {
        Self { cells: [EMPTY; N], anchor: 0.0, quantum: 0.0 }
    }

    /// The number in a cell; NaN where there is none.
    pub fn get(&self, index: usize) -> f32 {
        let cell = self.cells[index];
        if cell == EMPTY { f32::NAN } else { self.anchor + f32::from(cell) * self.quantum }
    }

    pub fn set(&mut self, index: usize, value: f32) {
        if self.cells.iter().all(|cell| *cell == EMPTY) {
            (self.anchor, self.quantum) = (value, 0.0);
        }
        let away = (value - self.anchor).abs();
        if away > MOST * self.quantum {
            let numbers = self.numbers();
            self.quantum = away / (TAKEN * MOST);
            self.write(&numbers);
        }
        self.cells[index] = self.cell(value);
    }

    /// Moves the anchor into the middle of the numbers and fits the quantum to their range.
    pub fn settle(&mut self) {
        let numbers = self.numbers();
        let known = || numbers.iter().copied().filter(|n| !n.is_nan());
        let (low, high) = (known().fold(f32::INFINITY, f32::min), known().fold(f32::NEG_INFINITY, f32::max));
        if low <= high {
            (self.anchor, self.quantum) = (f32::midpoint(low, high), 0.5 * (high - low) / (TAKEN * MOST));
            self.write(&numbers);
        }
    }

    fn numbers(&self) -> [f32; N] {
        std::array::from_fn(|index| self.get(index))
    }

    fn write(&mut self, numbers: &[f32; N]) {
        for (index, number) in numbers.iter().enumerate() {
            if !number.is_nan() {
                self.cells[index] = self.cell(*number);
            }
        }
    }

    fn cell(&self, value: f32) -> i16 {
        if self.quantum > 0.0 { ((value - self.anchor) / self.quantum).round().clamp(-MOST, MOST) as i16 } else { 0 }
    }

    /// The first `len` cells.
    pub fn encode(&self, len: usize, out: &mut Writer) {
        out.f32(self.anchor);
        out.f32(self.quantum);
        self.cells[..len].iter().for_each(|cell| out.u16(cell.cast_unsigned()));
    }

    pub fn decode(&mut self, len: usize, input: &mut Reader<'_>) -> Result<(), DecodeError> {
        (self.anchor, self.quantum) = (input.f32()?, input.f32()?);
        for cell in &mut self.cells[..len] {
            *cell = input.u16()?.cast_signed();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_to_a_small_part_of_their_range_wherever_they_wander() {
        let mut table = Table::<96>::new();
        assert!(table.get(5).is_nan());
        for round in 0..200 {
            for i in 0..96 {
                let value = round as f32 * 40.0 + (i as f32 * 0.1).sin();
                table.set(i, value);
                assert!((table.get(i) - value).abs() <= 0.02, "round {round}, cell {i}: {} for {value}", table.get(i));
            }
            table.settle();
        }
        table.set(7, 1e9);
        assert!((table.get(7) - 1e9).abs() < 1e5 && (table.get(8) - 8000.0).abs() < 1e5);
    }

    #[test]
    fn one_number_alone_is_exact() {
        let mut table = Table::<4>::new();
        table.set(2, 0.1);
        table.settle();
        table.set(3, 0.1);
        assert_eq!((table.get(2), table.get(3)), (0.1, 0.1));
    }
}
