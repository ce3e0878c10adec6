//! The mean of two rules: where two are about as good and err differently, the mean errs less than either (Bates and Granger, "The
//! combination of forecasts", 1969).

use super::super::told::{Past, Rule, Told};

/// See the module.
pub(in super::super) struct Blend {
    pub name: &'static str,
    pub rules: [&'static dyn Rule; 2],
}

impl Rule for Blend {
    fn name(&self) -> &'static str {
        self.name
    }

    fn tell(&self, past: &Past<'_>, told: &mut Told) {
        let [mut a, mut b] = [told.clone(), told.clone()];
        self.rules[0].tell(past, &mut a);
        self.rules[1].tell(past, &mut b);
        average(&a, &b, told);
    }
}

/// Writes the mean of what two rules said; where one was silent, what the other said.
pub(in super::super) fn average(a: &Told, b: &Told, out: &mut Told) {
    for o in 0..out.origins() {
        match (a.path(o), b.path(o)) {
            (Some(a), Some(b)) => out.write(o, |out| {
                out.iter_mut().zip(a.iter().zip(b)).for_each(|(o, (a, b))| *o = f64::midpoint(*a, *b));
                true
            }),
            (Some(one), None) | (None, Some(one)) => out.write(o, |out| {
                out.copy_from_slice(one);
                true
            }),
            (None, None) => {}
        }
    }
}
