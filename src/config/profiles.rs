//! The embedded model profiles (`models/profiles/*.yaml`), by name.

use std::sync::{Arc, LazyLock};

use crate::core::selection::{Auto, Selecting};
use crate::core::watch::Profile;

const TEXTS: [&str; 8] = [
    include_str!("../../models/profiles/gauge.yaml"),
    include_str!("../../models/profiles/saturating-gauge.yaml"),
    include_str!("../../models/profiles/counter-rate.yaml"),
    include_str!("../../models/profiles/latency-quantile.yaml"),
    include_str!("../../models/profiles/error-ratio.yaml"),
    include_str!("../../models/profiles/queue-depth.yaml"),
    include_str!("../../models/profiles/seasonal-traffic.yaml"),
    include_str!("../../models/profiles/deadline.yaml"),
];

/// The default: chosen from query, names, types and behaviour (`core::selection`).
pub const AUTO: &str = "auto";

static ALL: LazyLock<Vec<Profile>> =
    LazyLock::new(|| TEXTS.iter().map(|text| serde_saphyr::from_str(text).expect("a test reads every embedded profile")).collect());

/// All profiles; the first one, `gauge`, is for what nothing is known about.
pub fn all() -> &'static [Profile] {
    &ALL
}

/// The profile of that name.
pub fn find(name: &str) -> Option<&'static Profile> {
    ALL.iter().find(|profile| profile.name == name)
}

/// The profile to start from where none is named.
pub fn default() -> &'static Profile {
    ALL.first().expect("the list of texts is not empty")
}

/// The profile of a watch that names none, and how each of its series gets its own.
pub fn auto(query: &str) -> (Profile, Selecting) {
    let auto = Auto::new(query, &|_| None, all());
    (auto.of_watch().profile, Selecting::Auto(Arc::new(auto)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_profile_is_read_and_says_what_it_is_for() {
        let names: Vec<&str> = all().iter().map(|p| p.name.as_str()).collect();
        let want =
            ["gauge", "saturating-gauge", "counter-rate", "latency-quantile", "error-ratio", "queue-depth", "seasonal-traffic", "deadline"];
        assert_eq!(names, want);
        assert!(all().iter().all(|p| p.about.len() > 40 && p.lower.zip(p.upper).is_none_or(|(l, u)| l < u)));
        assert_eq!(default().name, "gauge");
        assert!(find("saturating-gauge").unwrap().resets && find("deadline").unwrap().deadline && !find("deadline").unwrap().seasonal);
        assert!(find("nothing").is_none());
    }
}
