//! The structure that ARCHITECTURE.md describes, as tests: which module uses which, that none does so in a circle, who
//! names the outside libraries, how long a file gets. The tables are those of ARCHITECTURE.md itself.
//!
//! Uses are found by parsing: every path in the code, through `use` groups, globs and re-exports to the module that
//! defines the name. Code under `#[cfg(test)]` may look wherever it likes, and counts for the length of its file.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test of files and processes"
)]

mod tidy {
    pub(crate) mod circles;
    pub(crate) mod names;
    pub(crate) mod source;
    pub(crate) mod tables;
    mod tests;
}

use std::collections::BTreeSet;
use std::sync::LazyLock;
use tidy::source::{self, Modules, Names};
use tidy::{circles, names, tables};

/// Lines of a file, tests and comments included: more is more than one thing.
const LONGEST_FILE: usize = 450;

/// A crate that has a table of modules in ARCHITECTURE.md: its root, and the title of the table.
const CRATES: [(&str, &str); 3] = [
    ("src/lib.rs", "module"),
    ("crates/base/src/lib.rs", "module of `crates/base`"),
    ("crates/libwebrtc/src/lib.rs", "module of `crates/libwebrtc`"),
];

/// The crates whose outside libraries have a table.
const OURS: [&str; 2] = ["src/lib.rs", "crates/base/src/lib.rs"];

/// One that is small enough without.
const WITHOUT_TABLE: &str = "crates/bench-calls/src/main.rs";

/// The modules inside which circles are not ours to mend: their shape is upstream's.
const UPSTREAM: &str = "crates/libwebrtc/src/api/";

/// Where the files are that have to be short.
const FOLDERS: [&str; 3] = ["src", "crates", "tests"];

/// A crate as it was read.
struct Read {
    root: &'static str,
    modules: Modules,
    /// Which module uses which.
    uses: Vec<(Names, Names)>,
}

static READ: LazyLock<Vec<Read>> = LazyLock::new(|| {
    let roots = CRATES.iter().map(|(root, _)| *root).chain([WITHOUT_TABLE]);
    roots.map(read).collect()
});

fn read(root: &'static str) -> Read {
    let modules = source::read(root);
    let of = |from: &Names| -> Vec<(Names, Names)> {
        names::used(&modules, from).into_iter().map(|to| (from.clone(), to)).collect()
    };
    let uses = modules.keys().flat_map(of).collect();
    Read { root, modules, uses }
}

#[test]
fn data_flows_one_way() {
    let mut wrong = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for ((_, title), Read { root, modules, uses }) in CRATES.iter().zip(READ.iter()) {
        let rows = tables::modules(title);
        let tops: BTreeSet<&String> = modules.keys().filter_map(|place| place.first()).collect();
        let listed: BTreeSet<&String> = rows.iter().map(|row| &row.module).collect();
        for top in tops.difference(&listed) {
            wrong.insert(format!("{root}: `{top}` is not in the table"));
        }
        for row in listed.difference(&tops) {
            wrong.insert(format!("{root}: the table has `{row}`, which does not exist"));
        }
        for (from, to) in uses {
            let (Some(user), Some(target)) = (from.first(), to.first()) else { continue };
            if user == target {
                continue;
            }
            seen.insert((root, user, target));
            let row = rows.iter().find(|row| row.module == *user);
            if row.is_some_and(|row| !row.may_use.contains(target)) {
                wrong.insert(format!("{} uses `{target}`", modules[from].file));
            }
        }
    }
    assert!(wrong.is_empty(), "not as in ARCHITECTURE.md: {wrong:#?}");
    assert!(seen.len() > 50, "the check sees the uses there are: {seen:?}");
}

#[test]
fn the_tables_are_in_the_order_of_the_data() {
    for (_, title) in CRATES {
        let mut above = BTreeSet::new();
        for row in tables::modules(title) {
            let below: Vec<_> = row.may_use.difference(&above).collect();
            assert!(below.is_empty(), "`{}` may use {below:?}, which is not above it", row.module);
            above.insert(row.module);
        }
    }
}

#[test]
fn no_modules_use_each_other_in_a_circle() {
    let mut found = Vec::new();
    for Read { modules, uses, .. } in READ.iter() {
        let is_theirs = |place: &Names| modules[place].file.starts_with(UPSTREAM);
        let ours = uses.iter().filter(|(from, to)| !(is_theirs(from) && is_theirs(to)));
        found.extend(circles::among_siblings(modules, ours));
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn outside_libraries_are_named_where_they_belong() {
    let table = tables::libraries();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    let read = READ.iter().filter(|read| OURS.contains(&read.root));
    let modules = read.flat_map(|Read { modules, .. }| modules.iter().map(move |m| (modules, m)));
    for (modules, (place, module)) in modules {
        for library in names::libraries(modules, place) {
            let Some(places) = table.get(&library) else { continue };
            let file = module.file.trim_start_matches("src/");
            if !places.iter().any(|allowed| file.starts_with(allowed.as_str())) {
                wrong.push(format!("{file} names `{library}`"));
            }
            seen.insert(library);
        }
    }
    assert!(wrong.is_empty(), "not as in ARCHITECTURE.md: {wrong:#?}");
    let listed: BTreeSet<_> = table.into_keys().collect();
    assert_eq!(seen, listed, "every library of the table is named somewhere");
}

#[test]
fn no_file_is_too_long_and_each_says_what_it_is_for() {
    let mut wrong = Vec::new();
    for path in FOLDERS.iter().flat_map(|folder| source::files(folder)) {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = source::name(&path);
        let lines = text.lines().count();
        if lines > LONGEST_FILE {
            wrong.push(format!("{name} has {lines} lines, at most {LONGEST_FILE}"));
        }
        // The name of these says it.
        if !text.starts_with("//!") && !name.ends_with("/tests.rs") {
            wrong.push(format!("{name} does not open with what it is for"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
