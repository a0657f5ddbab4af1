//! What the tests that start loadcall share.

use std::path::Path;
use std::process::Command;

/// loadcall without settings from the environment of whoever runs the tests, and without a calibration.
pub(crate) fn loadcall() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadcall"));
    for (name, _) in std::env::vars_os() {
        let is_setting = name.to_str().is_some_and(|name| {
            name == "COLUMNS"
                || ["LIVEKIT_", "LANGFUSE_", "LOADCALL_", "GITHUB_", "OTEL_"]
                    .iter()
                    .any(|p| name.starts_with(p))
        });
        if is_setting {
            command.env_remove(name);
        }
    }
    command.env("XDG_STATE_HOME", root().join("target/no-state"));
    command
}

/// The folder of the project.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
