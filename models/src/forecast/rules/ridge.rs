//! Ridge regression that grows a row at a time: the normal equations are kept, so a fit at any moment costs a factorization and no pass
//! over the past. That is what makes judging a regression at two dozen past origins as cheap as fitting it once.

/// Rows and columns of a tile: what is worked on side by side.
const TILE: usize = 4;

/// Normal equations X'X and X'y of a regression without intercept.
#[derive(Clone, Debug)]
pub(super) struct Ridge {
    width: usize,
    /// The lower triangle in tiles, by rows of tiles: of 1, 2, 3, ... Rows are padded with zeros to whole tiles, so that no loop has a rest.
    gram: Vec<[[f64; TILE]; TILE]>,
    moment: Vec<f64>,
    /// Room for a row with zeros after it.
    row: Vec<[f64; TILE]>,
    /// Room for the factor of [`Ridge::solve`], by rows.
    factor: Vec<f64>,
}

impl Ridge {
    pub(super) fn new(width: usize) -> Self {
        let tiles = width.div_ceil(TILE);
        let gram = vec![[[0.0; TILE]; TILE]; tiles * (tiles + 1) / 2];
        Self { width, gram, moment: vec![0.0; width], row: vec![[0.0; TILE]; tiles], factor: Vec::new() }
    }

    pub(super) fn add(&mut self, x: &[f64], y: f64, weight: f64) {
        debug_assert_eq!(x.len(), self.width);
        self.row.as_flattened_mut()[..self.width].copy_from_slice(x);
        let mut rest = self.gram.as_mut_slice();
        for (i, rows) in self.row.iter().enumerate() {
            let (tiles, tail) = rest.split_at_mut(i + 1);
            let rows = rows.map(|x| weight * x);
            tiles.iter_mut().zip(&self.row).for_each(|(tile, columns)| add_product(tile, rows, *columns));
            rest = tail;
        }
        let w = weight * y;
        self.moment.iter_mut().zip(x).for_each(|(m, xi)| *m += w * xi);
    }

    /// Weights that minimise the squared error plus `penalty` times the mean diagonal of X'X times their squared length; `false` where
    /// nothing varies. By Cholesky's factorization: the penalty keeps it positive definite.
    pub(super) fn solve(&mut self, penalty: f64, solution: &mut Vec<f64>) -> bool {
        let p = self.width;
        let diagonal = (0..p).map(|i| self.gram[i / TILE * (i / TILE + 3) / 2][i % TILE][i % TILE]);
        let trace: f64 = diagonal.sum();
        let penalty = penalty * trace / p as f64;
        trace.is_finite() && trace > 0.0 && self.solve_with(|_| penalty, solution)
    }

    /// The same with a penalty on the square of each weight.
    pub(super) fn solve_with(&mut self, penalty: impl Fn(usize) -> f64, solution: &mut Vec<f64>) -> bool {
        let (p, stride) = (self.width, self.row.len() * TILE);
        self.factor.resize(p * stride, 0.0);
        let mut rest = self.gram.as_slice();
        for (i, rows) in self.factor.chunks_mut(TILE * stride).enumerate() {
            let (tiles, tail) = rest.split_at(i + 1);
            for (r, row) in rows.chunks_exact_mut(stride).enumerate() {
                row.as_chunks_mut().0.iter_mut().zip(tiles).for_each(|(place, tile)| *place = tile[r]);
            }
            rest = tail;
        }
        solution.clear();
        for i in 0..p {
            let (head, tail) = self.factor.split_at_mut(i * stride);
            let row = &mut tail[..=i];
            for (j, above) in head.chunks_exact(stride).enumerate() {
                let (known, rest) = row.split_at_mut(j);
                rest[0] = (rest[0] - dot(known, above)) / above[j];
            }
            let (known, pivot) = row.split_at_mut(i);
            let square = pivot[0] + penalty(i) - dot(known, known);
            if square.is_nan() || square <= 0.0 {
                return false;
            }
            pivot[0] = square.sqrt();
            // Forth while at it, and back from the last weight to the first.
            solution.push((self.moment[i] - dot(known, solution)) / pivot[0]);
        }
        for i in (0..p).rev() {
            let column = self.factor.iter().skip((i + 1) * stride + i).step_by(stride);
            let (unsolved, solved) = solution.split_at_mut(i + 1);
            let dot: f64 = column.zip(&*solved).map(|(a, b)| a * b).sum();
            unsolved[i] = (unsolved[i] - dot) / self.factor[i * stride + i];
        }
        solution.iter().all(|w| w.is_finite())
    }
}

/// Adds the products of some rows' values with some columns'.
#[inline(always)]
fn add_product(tile: &mut [[f64; TILE]; TILE], rows: [f64; TILE], columns: [f64; TILE]) {
    for (sums, row) in tile.iter_mut().zip(rows) {
        *sums = std::array::from_fn(|i| sums[i] + row * columns[i]);
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
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
