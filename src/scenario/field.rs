//! A value of the file with its row of the grammar: what is read one at a time.

use std::ops::Range;

use super::file::Node;
use super::grammar::Key;

/// A value and the key it stands behind.
#[derive(Clone)]
pub(super) struct Field<'t> {
    /// As `key` has it, except behind the metrics of `thresholds`.
    pub name: &'t str,
    pub key: &'static Key,
    /// Where the key is, or what else names the value.
    pub at: Range<usize>,
    pub value: &'t Node,
}
