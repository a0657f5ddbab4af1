//! A project in Langfuse: where it is, and the keys to it. What is sent there and read from there stands with those
//! who send and read.

mod project;

pub use project::{CLOUD, ENVIRONMENT, Given, Project, ProjectError};
