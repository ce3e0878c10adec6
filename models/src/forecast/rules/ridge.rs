//! Ridge regression that grows a row at a time: the normal equations are kept, so a fit at any moment costs a factorization and no pass
//! over the past. That is what makes judging a regression at two dozen past origins as cheap as fitting it once.

/// Normal equations X'X and X'y of a regression without intercept.
#[derive(Clone, Debug)]
pub(super) struct Ridge {
    width: usize,
    /// Lower triangle by rows: row i holds i + 1 entries.
    gram: Vec<f64>,
    moment: Vec<f64>,
}

impl Ridge {
    pub(super) fn new(width: usize) -> Self {
        Self { width, gram: vec![0.0; width * (width + 1) / 2], moment: vec![0.0; width] }
    }

    pub(super) fn add(&mut self, x: &[f64], y: f64, weight: f64) {
        debug_assert_eq!(x.len(), self.width);
        let mut rest = self.gram.as_mut_slice();
        for (i, &xi) in x.iter().enumerate() {
            let (row, tail) = rest.split_at_mut(i + 1);
            let w = weight * xi;
            row.iter_mut().zip(x).for_each(|(g, xj)| *g += w * xj);
            rest = tail;
        }
        let w = weight * y;
        self.moment.iter_mut().zip(x).for_each(|(m, xi)| *m += w * xi);
    }

    /// Weights that minimise the squared error plus `penalty` times the mean diagonal of X'X times their squared length; `None` where
    /// nothing varies. By Cholesky's factorization: the penalty keeps it positive definite.
    pub(super) fn solve(&self, penalty: f64) -> Option<Vec<f64>> {
        let p = self.width;
        let trace: f64 = (0..p).map(|i| self.gram[i * (i + 1) / 2 + i]).sum();
        if !(trace.is_finite() && trace > 0.0) {
            return None;
        }
        self.solve_with(&vec![penalty * trace / p as f64; p])
    }

    /// The same with a penalty on the square of each weight.
    pub(super) fn solve_with(&self, penalty: &[f64]) -> Option<Vec<f64>> {
        let p = self.width;
        let at = |i: usize, j: usize| i * (i + 1) / 2 + j;
        let mut factor = self.gram.clone();
        for i in 0..p {
            factor[at(i, i)] += penalty[i];
            for j in 0..=i {
                let (head, tail) = factor.split_at_mut(at(i, 0));
                let row_i = &mut tail[..=i];
                if j < i {
                    let row_j = &head[at(j, 0)..=at(j, j)];
                    let dot: f64 = row_i[..j].iter().zip(row_j).map(|(a, b)| a * b).sum();
                    row_i[j] = (row_i[j] - dot) / row_j[j];
                } else {
                    let dot: f64 = row_i[..i].iter().map(|a| a * a).sum();
                    let pivot = row_i[i] - dot;
                    if pivot.is_nan() || pivot <= 0.0 {
                        return None;
                    }
                    row_i[i] = pivot.sqrt();
                }
            }
        }
        let mut solution = self.moment.clone();
        for i in 0..p {
            let dot: f64 = (0..i).map(|j| factor[at(i, j)] * solution[j]).sum();
            solution[i] = (solution[i] - dot) / factor[at(i, i)];
        }
        for i in (0..p).rev() {
            let dot: f64 = (i + 1..p).map(|j| factor[at(j, i)] * solution[j]).sum();
            solution[i] = (solution[i] - dot) / factor[at(i, i)];
        }
        solution.iter().all(|w| w.is_finite()).then_some(solution)
    }
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
        let w = ridge.solve(1e-9).unwrap();
        assert!((w[0] - 2.0).abs() < 1e-6 && (w[1] + 0.5).abs() < 1e-6 && (w[2] - 0.25).abs() < 1e-6, "{w:?}");
        assert!(Ridge::new(2).solve(1e-4).is_none());
    }
}
