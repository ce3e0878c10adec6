//! Latency under load: it follows the load as a queue does, steeply when there is much of it, with a heavy tail; and what goes wrong with it.

use super::spec::{Cause, Column, Make, Spec, between, whole};
use super::{Rng, Wander, at};
use crate::core::watch::Side;

pub(super) const SPEC: Spec = Spec {
    name: "latency",
    about: "Four weeks of ten services' latency in ms under load, with spikes, slow hours, lost peaks and a stuck exporter, all labelled",
    seed: 20_260_404,
    step_min: 5,
    days: 28,
    limit: (Side::Above, 250.0),
    horizon_hours: 4,
    anomalies: true,
    columns,
};

/// What goes wrong, an hour or two at a time.
#[derive(Clone, Copy)]
enum Fault {
    /// A dependency answers slowly: all of it is slower by this factor.
    Slow(f64),
    /// Requests fail at once: far faster than normal.
    FailingFast,
    /// The exporter says the same again and again.
    Stuck,
    /// Every other request waits for a lock.
    Jumpy,
    /// Gets slower minute by minute, until a restart.
    Creeping,
}

const FAULTS: [(Fault, &str); 5] = [
    (Fault::Slow(2.2), "a dependency answers slowly"),
    (Fault::FailingFast, "requests fail at once, far faster than normal"),
    (Fault::Stuck, "the exporter says the same value again and again"),
    (Fault::Jumpy, "every other request waits for a lock"),
    (Fault::Creeping, "gets slower minute by minute until a restart"),
];

/// Services in which nothing goes wrong.
const HEALTHY: usize = 3;
/// Faults a service, from its second week on.
const FAULTS_EACH: u32 = 4;

fn columns(rng: &mut Rng) -> Vec<Column> {
    (0..10)
        .map(|i| {
            let mut faults = Vec::new();
            if i >= HEALTHY {
                for n in 0..FAULTS_EACH {
                    let begins = at(8 + 5 * n as i32, whole(rng, 0, 90));
                    let (fault, about) = FAULTS[(i + n as usize * 2) % FAULTS.len()];
                    faults.push((fault, Cause { begins, ends: begins + between(rng, 0.5, 3.0), about }));
                }
            }
            let causes = faults.iter().map(|(_, cause)| *cause).collect();
            let make = latency(rng, faults);
            Column { name: format!("service-{i}"), scale: 10.0, make, causes, gaps: vec![(at(3, 4.0), at(3, 4.5))] }
        })
        .collect()
}

fn latency(rng: &mut Rng, faults: Vec<(Fault, Cause)>) -> Make {
    let (idle, busy, peak) = (between(rng, 8.0, 40.0), between(rng, 0.55, 0.8), whole(rng, 9, 21));
    let tail = between(rng, 0.5, 3.0);
    let (mut noise, mut last) = (Wander::default(), 0.0);
    Box::new(move |when, rng| {
        let week = when.weekly([1.0, 1.0, 1.0, 1.0, 1.05, 0.8, 0.75]);
        let load = (busy * week * (0.65 + 0.35 * when.daily(peak)) + noise.next(rng, 0.02)).clamp(0.02, 0.93);
        // Waiting time of a queue: steep near full load. One sample in fifty holds a slow request.
        let slow = if rng.uniform() < 0.02 { tail * rng.uniform() } else { 0.0 };
        let mut value = idle / (1.0 - load) * (1.0 + 0.04 * rng.normal() + slow).max(0.2);
        // Drawn whether or not it is used, so that a fault moves nothing after it.
        let jump = rng.uniform();
        for (fault, cause) in &faults {
            if when.within(cause.begins, cause.ends) {
                value = match fault {
                    Fault::Slow(factor) => value * factor,
                    Fault::FailingFast => idle * 0.15,
                    Fault::Stuck => last,
                    Fault::Jumpy => value * (1.0 + 2.5 * jump),
                    Fault::Creeping => value * (1.0 + 1.5 * (when.hours - cause.begins) / (cause.ends - cause.begins)),
                };
            }
        }
        last = value;
        value
    })
}
