//! What the checks find in a crate that was written for them.

use super::source::{self, Modules, Names};
use super::{circles, names};
use std::fs;

const FILES: [(&str, &str); 6] = [
    ("lib.rs", "pub mod low; pub mod middle; pub mod high; pub use outside::thing;"),
    ("low.rs", "pub struct Low; pub enum Kind { A } pub fn low() {}"),
    ("middle/mod.rs", "mod one; mod two; pub use one::{One, self as first}; use crate::low::*;"),
    ("middle/one.rs", "use super::two::Two; pub struct One(Two);"),
    (
        "middle/two.rs",
        "use super::One; pub struct Two; #[cfg(test)] use crate::high::High;
        #[cfg(test)] mod tests { use crate::high; }
        fn text() -> String { format!(\"{}\", low::Low, crate::low::low()) }",
    ),
    (
        "high.rs",
        "use {crate::middle::{first, One as Renamed}, outside::{a, b::c}};
        pub struct High { #[serde(with = \"crate::low\")] low: u8 }
        fn kind() { if Kind::A == crate::thing() { inside::a::b() } }
        mod deep { use super::super::low::Kind; fn f() { Kind::A; } }",
    ),
];

fn modules() -> Modules {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in FILES {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    source::read(folder.path().join("lib.rs").to_str().unwrap())
}

fn place(name: &str) -> Names {
    name.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn used(modules: &Modules, user: &str) -> Vec<String> {
    names::used(modules, &place(user)).iter().map(|used| used.join("::")).collect()
}

#[test]
fn uses_are_followed_to_where_a_name_is_defined() {
    let modules = modules();
    assert_eq!(used(&modules, "low"), [""; 0]);
    assert_eq!(used(&modules, "middle"), ["low", "middle::one"]);
    assert_eq!(used(&modules, "middle::one"), ["middle::two"]);
    // What tests use does not count; what a macro names does.
    assert_eq!(used(&modules, "middle::two"), ["low", "middle", "middle::one"]);
    assert_eq!(used(&modules, "high"), ["", "low", "middle", "middle::one"]);
    assert_eq!(used(&modules, "high::deep"), ["low"]);
}

#[test]
fn libraries_are_what_no_module_defines() {
    let modules = modules();
    let high = names::libraries(&modules, &place("high"));
    assert!(high.contains("outside") && high.contains("inside"), "{high:?}");
    assert!(!high.contains("middle") && !high.contains("first"), "{high:?}");
    assert!(names::libraries(&modules, &place("middle::one")).is_empty());
}

#[test]
fn a_circle_is_found_once_and_a_folder_may_know_its_files() {
    let modules = modules();
    let of = |from: &Names| -> Vec<(Names, Names)> {
        names::used(&modules, from).into_iter().map(|to| (from.clone(), to)).collect()
    };
    let uses: Vec<(Names, Names)> = modules.keys().flat_map(of).collect();
    let found = circles::among_siblings(&modules, uses.iter());
    assert_eq!(found.len(), 1, "{found:#?}");
    let ties = ["one.rs uses ", "two.rs uses "];
    assert!(ties.iter().all(|tie| found[0].contains(tie)), "{found:#?}");
    // From the lowest into a module of the highest: closes the way there, and that by the middle.
    let back = (place("low"), place("high::deep"));
    let wider = circles::among_siblings(&modules, uses.iter().chain([&back]));
    assert_eq!(wider.len(), 3, "{wider:#?}");
}
