//! Circles of modules that use each other.
//!
//! At each level of a crate a module stands for itself and everything in it, and the modules of one level must not use
//! each other in a circle: folders among folders, files among files. A module and those inside it may know each
//! other, as they are one thing.

use super::source::{Modules, Names};
use std::collections::{BTreeMap, BTreeSet};

/// Which module of a level uses which, and by what: one file of each pair that does.
type Level = BTreeMap<String, BTreeMap<String, (Names, Names)>>;

/// A line for each circle, with the files that tie it.
pub(crate) fn among_siblings<'a>(
    modules: &Modules,
    edges: impl Iterator<Item = &'a (Names, Names)>,
) -> Vec<String> {
    let mut levels: BTreeMap<Names, Level> = BTreeMap::new();
    for (from, to) in edges {
        let shared = from.iter().zip(to).take_while(|(a, b)| a == b).count();
        let (Some(user), Some(target)) = (from.get(shared), to.get(shared)) else { continue };
        let level = levels.entry(from[..shared].to_vec()).or_default();
        let targets = level.entry(user.clone()).or_default();
        targets.entry(target.clone()).or_insert_with(|| (from.clone(), to.clone()));
    }
    let tell =
        |(from, to): &(Names, Names)| format!("{} uses {}", modules[from].file, modules[to].file);
    let circles = levels.values().flat_map(circles);
    circles.map(|ties| ties.iter().map(tell).collect::<Vec<_>>().join(", ")).collect()
}

/// The shortest circle through each module that is in one, without those found before.
fn circles(level: &Level) -> Vec<Vec<(Names, Names)>> {
    let mut found = Vec::new();
    let mut told = BTreeSet::new();
    for start in level.keys() {
        if told.contains(start) {
            continue;
        }
        if let Some(circle) = circle(level, start) {
            found.push(circle.windows(2).map(|pair| level[&pair[0]][&pair[1]].clone()).collect());
            told.extend(circle);
        }
    }
    found
}

/// The shortest way from a module back to itself.
fn circle(level: &Level, start: &str) -> Option<Vec<String>> {
    let mut ways = vec![vec![start.to_owned()]];
    let mut reached = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in level.get(way.last()?).into_iter().flat_map(BTreeMap::keys) {
                let way: Vec<String> = way.iter().chain([next]).cloned().collect();
                if next == start {
                    return Some(way);
                }
                if reached.insert(next.clone()) {
                    longer.push(way);
                }
            }
        }
        ways = longer;
    }
    None
}
