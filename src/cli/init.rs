//! `loadcall init`: everything a first run needs, written into a folder without replacing anything there.

use super::InitArgs;
use super::failure::Failure;
use super::terminal::{eprint_line, print_result};
use super::{exit, files};
use crate::scenario::Scenario;
use std::fmt::Write as _;
use std::io::{self, BufRead as _, ErrorKind, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};

mod kit;

/// The longest answer that is read.
const ANSWER_LIMIT: u64 = 4096;
/// The largest `.gitignore` that is read.
const GITIGNORE_LIMIT: u64 = 1 << 20;
/// What is typed for an agent without a name.
const NO_NAME: &str = "-";

pub(super) fn init(args: &InitArgs) -> Result<u8, Failure> {
    let asks = !args.yes && io::stdin().is_terminal() && io::stderr().is_terminal();
    let agent = agent(args, asks)?;
    let folder = folder(args, asks)?;
    let mut done = String::new();
    let mut kept_scenario = false;
    for piece in kit::pieces(&agent) {
        let path = folder.join(piece.path);
        let parent = path.parent().unwrap_or(&folder);
        files::make_folder(parent)?;
        let written = write_new(&path, &piece.contents)
            .map_err(|e| Failure::usage(format!("cannot write `{}`: {e}", path.display())))?;
        let word = if written { "wrote" } else { "kept " };
        let why = if written { "" } else { " (it exists)" };
        let _ = writeln!(done, "{word} {}{why}", path.display());
        kept_scenario |= !written && piece.path == kit::SCENARIO;
    }
    if kept_scenario {
        let _ = writeln!(done, "\nThe scenario that was there stays as it is, with its agent.");
    }
    done += &git_notes(&folder);
    done += &next(&folder);
    print_result(&done)?;
    Ok(exit::PASS)
}

/// The name of the agent, cleaned and checked as the scenario checks it.
fn agent(args: &InitArgs, asks: bool) -> Result<String, Failure> {
    let given = match &args.agent {
        Some(name) => name.clone(),
        None if asks => {
            let question = format!(
                "Name your agent registers with ({}: Enter; no name, automatic dispatch: {NO_NAME}):",
                kit::AGENT
            );
            match ask(&question)?.as_str() {
                "" => kit::AGENT.to_owned(),
                NO_NAME => String::new(),
                name => name.to_owned(),
            }
        }
        None => kit::AGENT.to_owned(),
    };
    let name = kit::cleaned(&given);
    if name != given {
        eprint_line(&format!("note: the agent's name is written as `{name}`"));
    }
    match Scenario::parse(&kit::scenario(&name)) {
        Ok(_) => Ok(name),
        Err(faults) => {
            let why = faults.iter().next().map_or("", |fault| fault.label.as_str());
            Err(Failure::usage(format!("this cannot be the name of an agent: {why}")))
        }
    }
}

fn folder(args: &InitArgs, asks: bool) -> Result<PathBuf, Failure> {
    if let Some(folder) = &args.folder {
        return Ok(folder.clone());
    }
    let answer = if asks { ask("Folder to write to (this one: Enter):")? } else { String::new() };
    Ok(if answer.is_empty() { PathBuf::new() } else { PathBuf::from(answer) })
}

/// An answer of one line, without whitespace around it.
fn ask(question: &str) -> Result<String, Failure> {
    eprint_line(question);
    let mut line = Vec::new();
    let read = io::stdin().lock().take(ANSWER_LIMIT).read_until(b'\n', &mut line);
    match read {
        Ok(0) => Err(Failure::shown(exit::STOPPED)),
        Ok(_) => Ok(String::from_utf8_lossy(&line).trim().to_owned()),
        Err(e) => Err(Failure::usage(format!("cannot read the answer: {e}"))),
    }
}

/// Writes a file whole, or not at all: false when there is something at the path.
fn write_new(path: &Path, contents: &[u8]) -> io::Result<bool> {
    if path.symlink_metadata().is_ok() {
        return Ok(false);
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .prefix(".loadcall-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666))
        .tempfile_in(parent.unwrap_or(Path::new(".")))?;
    file.write_all(contents)?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(e) if e.error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(e.error),
    }
}

/// What git and GitHub need that was not written.
fn git_notes(folder: &Path) -> String {
    let mut notes = String::new();
    let gitignore = folder.join(kit::GITIGNORE);
    let text = crate::files::read_text(&gitignore, GITIGNORE_LIMIT).unwrap_or_default();
    if !kit::ignores_reports(&text) {
        let _ = write!(
            notes,
            "\nTo keep the files of runs out of git:\n  echo {} >> {}\n",
            kit::IGNORED,
            quoted(&gitignore)
        );
    }
    let place = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let Ok(place) = place.canonicalize() else { return notes };
    let root = place.ancestors().find(|above| above.join(".git").exists());
    if let Some(root) = root.filter(|root| *root != place) {
        let _ = write!(
            notes,
            "\nGitHub reads workflows at the root of a repository only, which is {}:\nmove {} there, and \
             let its steps begin in this folder.\n",
            root.display(),
            kit::WORKFLOW
        );
    }
    notes
}

fn next(folder: &Path) -> String {
    let scenario = kit::SCENARIO;
    let cd = if folder.as_os_str().is_empty() || folder == Path::new(".") {
        String::new()
    } else {
        format!("  cd {}\n", quoted(folder))
    };
    format!(
        "\nNext, try it here, on a private livekit-server and with a scripted agent:\n{cd}  loadcall \
         run {scenario} --dev --dev-agent\nThen call your own agent, once LIVEKIT_URL, LIVEKIT_API_KEY and \
         LIVEKIT_API_SECRET are set:\n  loadcall check {scenario}\n  loadcall run {scenario}\nThe workflow \
         calls it every night, once the variables and secrets it names are set in the repository.\n"
    )
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if !text.starts_with('-') && !text.is_empty() && text.chars().all(plain) {
        return text;
    }
    let dashed = if text.starts_with('-') { "./" } else { "" };
    format!("'{dashed}{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_for_a_shell() {
        for (path, shown) in [
            ("voice/tests", "voice/tests"),
            ("my tests", "'my tests'"),
            ("it's $HOME", "'it'\\''s $HOME'"),
            ("-x", "'./-x'"),
        ] {
            assert_eq!(quoted(Path::new(path)), shown);
        }
    }

    #[test]
    fn nothing_is_replaced_and_links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        assert!(write_new(&path, b"new").unwrap());
        assert!(!write_new(&path, b"newer").unwrap());
        assert_eq!(crate::files::read_text(&path, 9).unwrap(), "new");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), &link).unwrap();
        assert!(!write_new(&link, b"new").unwrap());
        assert!(!folder.path().join("elsewhere").exists());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
