//! Ridge regression that grows a row at a time: the normal equations are kept, so a fit at any moment costs a factorization and no pass
//! over the past. That is what makes judging a regression at two dozen past origins as cheap as fitting it once.

/// Rows and columns of a tile: what is worked on side by side.
const TILE: usize = 4;

type Lanes = [f64; TILE];

/// Normal equations X'X and X'y of a regression without intercept.
#[derive(Clone, Debug)]
pub(super) struct Ridge {
    width: usize,
    /// Tiles beside each other: rows are padded with zeros to whole ones, so that no loop has a rest.
    across: usize,
    /// The upper triangle of X'X with X'y as one column more, in tiles: by rows of tiles, each from the diagonal on.
    gram: Vec<[Lanes; TILE]>,
    /// Room for a row, and for the row with its target times its weight, zeros after them.
    row: Vec<Lanes>,
    weighted: Vec<Lanes>,
    /// Room for the factor of [`Ridge::solve`], by rows.
    factor: Vec<Lanes>,
}

impl Ridge {
    pub(super) fn new(width: usize) -> Self {
        let (down, across) = (width.div_ceil(TILE), (width + 1).div_ceil(TILE));
        let zeros = vec![[0.0; TILE]; across];
        let gram = vec![[[0.0; TILE]; TILE]; (0..down).map(|above| across - above).sum()];
        Self { width, across, gram, row: zeros.clone(), weighted: zeros, factor: vec![[0.0; TILE]; width * across] }
    }

    pub(super) fn add(&mut self, x: &[f64], y: f64, weight: f64) {
        debug_assert_eq!(x.len(), self.width);
        self.row.as_flattened_mut()[..self.width].copy_from_slice(x);
        let weighted = self.weighted.as_flattened_mut();
        weighted.iter_mut().zip(x).for_each(|(place, x)| *place = weight * x);
        weighted[self.width] = weight * y;
        let mut rest = self.gram.as_mut_slice();
        for (i, row) in self.row[..self.width.div_ceil(TILE)].iter().enumerate() {
            let (tiles, below) = rest.split_at_mut(self.across - i);
            tiles.iter_mut().zip(&self.weighted[i..]).for_each(|(tile, columns)| add_product(tile, *row, *columns));
            rest = below;
        }
    }

    /// Weights that minimise the squared error plus `penalty` times the mean diagonal of X'X times their squared length; `false` where
    /// nothing varies. By Cholesky's factorization: the penalty keeps it positive definite.
    pub(super) fn solve(&mut self, penalty: f64, solution: &mut Vec<f64>) -> bool {
        let p = self.width;
        let trace: f64 = (0..p).map(|i| self.gram[self.diagonal(i / TILE)][i % TILE][i % TILE]).sum();
        let penalty = penalty * trace / p as f64;
        trace.is_finite() && trace > 0.0 && self.solve_with(|_| penalty, solution)
    }

    /// The same with a penalty on the square of each weight.
    pub(super) fn solve_with(&mut self, penalty: impl Fn(usize) -> f64, solution: &mut Vec<f64>) -> bool {
        let (p, across) = (self.width, self.across);
        for i in 0..p {
            let (at, lane) = (i / TILE, i % TILE);
            let tiles = &self.gram[self.diagonal(at)..][..across - at];
            let (known, rest) = self.factor.split_at_mut(i * across);
            let row = &mut rest[at..across];
            // The last column is the moments: what comes of them is the forward substitution.
            for (column, (place, tile)) in row.iter_mut().zip(tiles).enumerate() {
                let dot = dot_of_columns(known, across, (at, lane), at + column);
                *place = std::array::from_fn(|k| tile[lane][k] - dot[k]);
                if column == 0 {
                    place[lane] = tile[lane][lane] + penalty(i) - dot[lane];
                }
            }
            let square = row[0][lane];
            if square.is_nan() || square <= 0.0 {
                return false;
            }
            let pivot = square.sqrt();
            for place in row.iter_mut() {
                *place = place.map(|value| value / pivot);
            }
            row[0][lane] = pivot;
        }
        let factor = self.factor.as_flattened();
        solution.clear();
        solution.resize(p, 0.0);
        for i in (0..p).rev() {
            let row = &factor[i * across * TILE..][..=p];
            let dot: f64 = row[i + 1..p].iter().zip(&solution[i + 1..]).map(|(a, b)| a * b).sum();
            solution[i] = (row[p] - dot) / row[i];
        }
        solution.iter().all(|w| w.is_finite())
    }

    /// Where the tile on the diagonal of a row of tiles is.
    fn diagonal(&self, row: usize) -> usize {
        row * self.across - row * row.saturating_sub(1) / 2
    }
}

/// Adds the products of some rows' values with some columns'.
#[inline]
fn add_product(tile: &mut [Lanes; TILE], rows: Lanes, columns: Lanes) {
    for (sums, row) in tile.iter_mut().zip(rows) {
        *sums = std::array::from_fn(|i| sums[i] + row * columns[i]);
    }
}

/// Products of a column (tile and lane) with each of a tile's columns, over rows of so many tiles.
#[inline]
fn dot_of_columns(rows: &[Lanes], across: usize, (at, lane): (usize, usize), tile: usize) -> Lanes {
    let mut sums = [0.0; TILE];
    for row in rows.chunks_exact(across) {
        let (value, columns) = (row[at][lane], row[tile]);
        sums = std::array::from_fn(|i| sums[i] + value * columns[i]);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_found_again() {
        let mut ridge = Ridge::new(3);
        let noise = |i: u32, k: u32| f64::from(i.wrapping_mul(2_654_435_761).rotate_left(k) % 1_000) / 500.0 - 1.0;
        for i in 1..200 {
            let x = [noise(i, 3), noise(i, 9), noise(i, 17)];
            ridge.add(&x, 2.0 * x[0] - 0.5 * x[1] + 0.25 * x[2], 1.0);
        }
        let mut w = Vec::new();
        assert!(ridge.solve(1e-9, &mut w));
        assert!((w[0] - 2.0).abs() < 1e-6 && (w[1] + 0.5).abs() < 1e-6 && (w[2] - 0.25).abs() < 1e-6, "{w:?}");
        assert!(!Ridge::new(2).solve(1e-4, &mut w));
    }
}
