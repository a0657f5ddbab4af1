//! A project in Langfuse: where it is, the keys to it, and its JSON API. What is sent there and read from there
//! stands with those who send and read.

mod client;
mod deadline;
mod error;
mod pace;
mod project;
#[cfg(test)]
pub(crate) mod testing;

pub use client::Client;
pub use deadline::Deadline;
pub use error::ApiError;
pub use project::{CLOUD, ENVIRONMENT, Given, Project, ProjectError};
