//! Tells the program which commit and target it was built from, for `loadcall --version`.
#![expect(clippy::disallowed_methods, reason = "IO: reads what cargo and git say of the source")]

#[path = "build/commit.rs"]
mod commit;

use std::path::Path;

/// Names the commit where the source does not have it.
const VARIABLE: &str = "LOADCALL_COMMIT";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build/commit.rs");
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    let root = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    let named = std::env::var(VARIABLE).ok();
    let found = commit::find(Path::new(&root), named.as_deref());
    for path in &found.read {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    let target = std::env::var("TARGET").unwrap_or_default();
    println!(
        "cargo::rustc-env=LOADCALL_BUILT_FROM={}",
        found.commit.as_deref().unwrap_or("unknown")
    );
    println!("cargo::rustc-env=LOADCALL_TARGET={target}");
}
