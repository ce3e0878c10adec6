//! What depends on what, as people have declared it: how far the harm of an action could spread.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// How much it matters when a service is disturbed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    Low,
    #[default]
    Medium,
    High,
    /// A person decides, always.
    Critical,
}

/// One service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    #[serde(default)]
    pub tier: Tier,
    /// Services that it needs.
    #[serde(default)]
    pub depends_on: Vec<String>,
    /// Services that are copies of one thing: too many sick ones at once are no reason to act on each.
    #[serde(default)]
    pub group: Option<String>,
}

/// Services by name. One that is not declared has nobody that depends on it, and a medium tier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology(pub BTreeMap<String, Service>);

impl Topology {
    pub fn tier(&self, service: &str) -> Tier {
        self.0.get(service).map(|known| known.tier).unwrap_or_default()
    }

    /// All that need this service, directly or by way of others, itself not counted. A circle ends where it began.
    pub fn dependents(&self, service: &str) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut ahead = vec![service];
        while let Some(next) = ahead.pop() {
            for (name, known) in &self.0 {
                if name != service && known.depends_on.iter().any(|needed| needed == next) && found.insert(name.as_str()) {
                    ahead.push(name);
                }
            }
        }
        found
    }

    /// The services of the same group, itself among them; only itself where it has none.
    pub fn group<'a>(&'a self, service: &'a str) -> BTreeSet<&'a str> {
        let Some(group) = self.0.get(service).and_then(|known| known.group.as_ref()) else { return BTreeSet::from([service]) };
        self.0.iter().filter(|(_, known)| known.group.as_ref() == Some(group)).map(|(name, _)| name.as_str()).collect()
    }

    /// Names that are depended on and not declared.
    pub fn unknown(&self) -> BTreeSet<&str> {
        self.0.values().flat_map(|known| &known.depends_on).filter(|name| !self.0.contains_key(*name)).map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependents_are_counted_through_others_and_circles_end() {
        let text = "db: { tier: critical }\napi: { depends_on: [db, cache] }\nweb-a: { depends_on: [api], group: web }\nweb-b: { depends_on: [api], group: web }\ncache: { depends_on: [api] }\n";
        let topology = Topology(serde_saphyr::from_str(text).unwrap());
        assert_eq!(topology.dependents("db"), BTreeSet::from(["api", "cache", "web-a", "web-b"]));
        assert_eq!(topology.dependents("api"), BTreeSet::from(["cache", "web-a", "web-b"]));
        assert!(topology.dependents("web-a").is_empty() && topology.dependents("nobody").is_empty());
        assert_eq!((topology.tier("db"), topology.tier("nobody")), (Tier::Critical, Tier::Medium));
        assert_eq!((topology.group("web-a").len(), topology.group("db").len()), (2, 1));
        let lone = Topology([("a".to_owned(), Service { depends_on: vec!["b".into()], ..Service::default() })].into());
        assert_eq!(lone.unknown(), BTreeSet::from(["b"]));
    }
}
