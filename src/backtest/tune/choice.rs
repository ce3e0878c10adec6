//! Which of the candidates is proposed.

use std::cmp::Reverse;

use super::Tried;
use super::candidate::Change;
use super::figures::Figures;

/// Fewer events than this to choose on, and one lucky guess decides.
pub const MIN_EVENTS: u64 = 5;
/// Lead times nearer than a tenth to each other are as long.
const LEAD_RATIO: f64 = 1.1;
/// Changes of each sort that go into the second round: more would be more than it tries.
const MOST_OF_A_SORT: usize = 3;

/// False alarms a week that one watch may have.
#[derive(Clone, Copy, Debug)]
pub struct Budget(pub f64);

impl Budget {
    fn holds(self, figures: &Figures) -> bool {
        figures.false_alarms_per_week <= self.0
    }
}

pub fn too_few(figures: &Figures) -> String {
    let (events, s) = (figures.events, if figures.events == 1 { "" } else { "s" });
    format!("{events} event{s} to choose by; {MIN_EVENTS} are the least that say anything")
}

/// The place of the one to propose, 0 for what is set today, and why.
pub fn best(tried: &[Tried], budget: Budget) -> (usize, String) {
    let today = &tried[0].chosen_on;
    let within = |figures: &Figures| budget.holds(figures) && figures.told > 0;
    let Some((place, best)) = tried.iter().enumerate().filter(|(_, t)| within(&t.chosen_on)).max_by_key(|(place, t)| rank(t, *place))
    else {
        let least = tried.iter().map(|t| t.chosen_on.false_alarms_per_week).fold(f64::INFINITY, f64::min);
        let why =
            format!("none of {} settings tells an event within the budget; the fewest false alarms were {least:.1} a week", tried.len());
        return (0, why);
    };
    let (now, then) = (today, &best.chosen_on);
    let told = format!("{} instead of {} of {} events told", then.told, now.told, now.events);
    let why = match (place, budget.holds(today)) {
        (0, _) => format!("none of {} settings tells more than {} of {} events, or as many earlier", tried.len(), now.told, now.events),
        (_, false) => format!("{:.1} false alarms a week instead of {:.1}, {told}", then.false_alarms_per_week, now.false_alarms_per_week),
        _ if then.told > now.told => told,
        _ => format!("as many of {} events told, earlier", now.events),
    };
    (place, why)
}

/// Most told, then earliest, then fewest changes, then fewest false alarms, then the one tried first.
fn rank(tried: &Tried, place: usize) -> (u64, i64, Reverse<usize>, Reverse<u64>, Reverse<usize>) {
    let figures = &tried.chosen_on;
    let lead = figures.median_lead_time_s.filter(|lead| *lead > 0.0).map_or(0, |lead| (lead.ln() / LEAD_RATIO.ln()).round() as i64);
    (figures.told, lead, Reverse(tried.changes.len()), Reverse(figures.false_alarms), Reverse(place))
}

/// Single changes from which to make the second round: those that tell most, whatever they cost, those that keep to the budget and still
/// tell something, and those that cry wolf least.
pub fn worth_combining(tried: &[Tried], budget: Budget) -> Vec<Change> {
    let mut all: Vec<(usize, &Tried)> = tried.iter().enumerate().filter(|(_, t)| t.changes.len() == 1 && t.chosen_on.told > 0).collect();
    let mut worth: Vec<Change> = Vec::new();
    let mut add = |sorted: &[(usize, &Tried)]| {
        for (_, one) in sorted.iter().take(MOST_OF_A_SORT) {
            if !worth.contains(&one.changes[0]) {
                worth.push(one.changes[0].clone());
            }
        }
    };
    all.sort_by_key(|(place, t)| Reverse((budget.holds(&t.chosen_on), rank(t, *place))));
    add(&all);
    all.sort_by_key(|(place, t)| Reverse(rank(t, *place)));
    add(&all);
    all.sort_by_key(|(place, t)| (t.chosen_on.false_alarms, Reverse(rank(t, *place))));
    add(&all);
    worth
}
