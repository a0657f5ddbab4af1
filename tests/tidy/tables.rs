//! The tables of ARCHITECTURE.md, which these tests hold the sources to.

use super::source::project;
use std::collections::{BTreeMap, BTreeSet};

/// A module of a table, and those that it may use.
pub(crate) struct Row {
    pub(crate) module: String,
    pub(crate) may_use: BTreeSet<String>,
}

/// The table of modules that is headed `title`; `all` stands for the rows above.
pub(crate) fn modules(title: &str) -> Vec<Row> {
    let (header, rows) = table(title);
    let column = header.iter().position(|cell| cell == "may use").expect("a column `may use`");
    let mut above = BTreeSet::new();
    let mut found = Vec::new();
    for cells in rows {
        let listed = words(&cells[column]);
        let may_use = if listed.contains("all") { above.clone() } else { listed };
        for module in quoted(&cells[0]) {
            let module = module.trim_end_matches('/').trim_end_matches(".rs").to_owned();
            above.insert(module.clone());
            found.push(Row { module, may_use: may_use.clone() });
        }
    }
    found
}

/// An outside library → the files and folders that may name it.
pub(crate) fn libraries() -> BTreeMap<String, Vec<String>> {
    let (_, rows) = table("outside library");
    let named = |cells: &Vec<String>| {
        let places = quoted(&cells[1]);
        quoted(&cells[0]).into_iter().map(move |library| (library, places.clone()))
    };
    rows.iter().flat_map(named).collect()
}

/// The header and the rows of the table whose first cell is `title`.
fn table(title: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let text = std::fs::read_to_string(project().join("ARCHITECTURE.md")).unwrap();
    let start = format!("| {title} |");
    let lines = text.lines().skip_while(|line| !line.starts_with(&start));
    let mut rows = lines.take_while(|line| line.starts_with('|')).map(cells);
    let header = rows.next().unwrap_or_else(|| panic!("ARCHITECTURE.md has no table `{title}`"));
    (header, rows.skip(1).collect())
}

fn cells(line: &str) -> Vec<String> {
    line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn words(cell: &str) -> BTreeSet<String> {
    let word = |word: &str| word.chars().any(char::is_alphanumeric).then(|| word.to_owned());
    cell.split([' ', ',', '`']).filter_map(word).collect()
}
