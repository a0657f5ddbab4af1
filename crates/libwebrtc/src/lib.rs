//! A pure-Rust media engine.
