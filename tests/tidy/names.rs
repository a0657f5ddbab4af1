//! Follows a path to the modules that it leads through, as the compiler does.

use super::source::{Modules, Names};
use std::collections::BTreeSet;

/// How many `use` lines a name may be handed on by.
const LONGEST_WAY: usize = 12;

/// The modules that a module depends on: those where a name it writes is defined, and those that hand the
/// name on.
pub(crate) fn used(modules: &Modules, from: &Names) -> BTreeSet<Names> {
    let mut way = Way { modules, through: BTreeSet::new() };
    for path in &modules[from].paths {
        way.follow(from, path, LONGEST_WAY);
    }
    way.through.remove(from);
    way.through
}

/// The first name of every path that leads out of the crate.
pub(crate) fn libraries(modules: &Modules, from: &Names) -> BTreeSet<String> {
    let mut way = Way { modules, through: BTreeSet::new() };
    let outside = |path: &&Names| way.follow(from, path, LONGEST_WAY).is_none();
    modules[from].paths.iter().filter(outside).filter_map(|path| path.first().cloned()).collect()
}

struct Way<'a> {
    modules: &'a Modules,
    through: BTreeSet<Names>,
}

impl Way<'_> {
    /// The module that a path ends in or names; none when it leads out of the crate.
    fn follow(&mut self, from: &Names, path: &[String], left: usize) -> Option<Names> {
        let left = left.checked_sub(1)?;
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.walk(&Names::new(), rest, left),
            "self" => self.walk(from, rest, left),
            "super" => {
                let mut at = from.clone();
                at.pop()?;
                let ups = rest.iter().take_while(|name| *name == "super").count();
                at.truncate(at.len().checked_sub(ups)?);
                self.walk(&at, &rest[ups..], left)
            }
            _ if self.knows(from, first, left) => self.walk(from, path, left),
            _ => None,
        }
    }

    /// Follows a path down from a module.
    fn walk(&mut self, at: &Names, path: &[String], left: usize) -> Option<Names> {
        let left = left.checked_sub(1)?;
        let modules = self.modules;
        let module = modules.get(at)?;
        let Some((first, rest)) = path.split_first() else {
            self.through.insert(at.clone());
            return Some(at.clone());
        };
        let child: Names = at.iter().chain([first]).cloned().collect();
        if modules.contains_key(&child) {
            return self.walk(&child, rest, left);
        }
        self.through.insert(at.clone());
        if module.items.contains(first) {
            return Some(at.clone());
        }
        if let Some((_, import)) = module.imports.iter().find(|(name, _)| name == first) {
            let whole: Names = import.iter().chain(rest).cloned().collect();
            return self.follow(at, &whole, left);
        }
        for glob in &module.globs {
            let whole: Names = glob.iter().chain(path).cloned().collect();
            if self.leads_to(at, glob, first, left) {
                return self.follow(at, &whole, left);
            }
        }
        // Made by a macro, or a variant of an enum.
        Some(at.clone())
    }

    fn knows(&self, at: &Names, name: &str, left: usize) -> bool {
        let Some(left) = left.checked_sub(1) else { return false };
        let Some(module) = self.modules.get(at) else { return false };
        module.items.contains(name)
            || module.imports.iter().any(|(bound, path)| {
                bound == name && path.first().is_some_and(|first| *first != *name || path.len() > 1)
            })
            || module.globs.iter().any(|glob| self.leads_to(at, glob, name, left))
    }

    /// Whether `use glob::*` in a module brings a name of this crate.
    fn leads_to(&self, at: &Names, glob: &[String], name: &str, left: usize) -> bool {
        let mut probe = Way { modules: self.modules, through: BTreeSet::new() };
        let Some(left) = left.checked_sub(1) else { return false };
        probe.follow(at, glob, left).is_some_and(|module| self.knows(&module, name, left))
    }
}
