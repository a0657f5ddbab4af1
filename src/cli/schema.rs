//! `loadcall schema`: the JSON Schema of scenario files.

use super::exit;
use super::failure::Failure;
use super::terminal::print_json;
use crate::scenario;

/// Prints the schema.
pub(super) fn schema() -> Result<u8, Failure> {
    print_json(&scenario::schema())?;
    Ok(exit::PASS)
}
