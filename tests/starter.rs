//! Starting from the program alone: what `init` writes is sound, completions and man pages are such, and the commit
//! of a build is found. No server.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test of files and processes"
)]

mod common;
#[path = "../build/commit.rs"]
mod commit;

use common::root;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn loadcall(args: &[&str], folder: &Path) -> Output {
    let mut command = common::loadcall();
    command.args(args).current_dir(folder).env("NO_COLOR", "1").stdin(Stdio::null());
    command.output().unwrap()
}

/// Its stdout, of a command that succeeds.
fn stdout(args: &[&str], folder: &Path) -> String {
    let output = loadcall(args, folder);
    let text = String::from_utf8(output.stdout).unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {text}{err}");
    text
}

#[test]
fn what_init_writes_is_sound() {
    let folder = tempfile::tempdir().unwrap();
    let said = stdout(&["init", "--yes"], folder.path());
    insta::assert_snapshot!("init", said);
    let checked = stdout(&["check", "scenarios/greeting.yaml"], folder.path());
    assert!(checked.starts_with("scenarios/greeting.yaml: ok, 4 turns, 10 calls"), "{checked}");
    let estimate = stdout(&["run", "scenarios/greeting.yaml", "--dry-run"], folder.path());
    insta::assert_snapshot!("dry_run", estimate);
    assert!(!folder.path().join("reports").exists(), "a dry run writes nothing");
}

#[test]
fn init_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("scenarios")).unwrap();
    let scenario = folder.path().join("scenarios/greeting.yaml");
    std::fs::write(&scenario, "mine").unwrap();
    std::fs::write(folder.path().join(".gitignore"), "target/\n").unwrap();
    insta::assert_snapshot!("init_beside", stdout(&["init", "--yes"], folder.path()));
    assert_eq!(std::fs::read_to_string(scenario).unwrap(), "mine");
    assert_eq!(std::fs::read_to_string(folder.path().join(".gitignore")).unwrap(), "target/\n");
    // A second time there is nothing to do, and every file is as it was.
    let again = stdout(&["init", "--yes"], folder.path());
    assert!(!again.contains("wrote"), "{again}");
}

#[test]
fn init_takes_a_name_and_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let said = stdout(&["init", "my tests", "--agent", " my \u{1b}[31magent\n"], folder.path());
    assert!(said.contains("cd 'my tests'\n"), "{said}");
    let written = folder.path().join("my tests/scenarios/greeting.yaml");
    let text = std::fs::read_to_string(written).unwrap();
    assert!(text.contains("\n  name: \"my [31magent\"\n"), "{text}");
    let long = "x".repeat(300);
    let output = loadcall(&["init", "other", "--agent", &long], folder.path());
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!folder.path().join("other").exists());
    // A file is where the folder should be.
    std::fs::write(folder.path().join("taken"), "").unwrap();
    let output = loadcall(&["init", "taken"], folder.path());
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn init_says_where_github_looks_for_workflows() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join(".git")).unwrap();
    let inside = stdout(&["init", "deep/down", "--yes"], folder.path());
    assert!(inside.contains("at the root of a repository only"), "{inside}");
    let at_root = stdout(&["init", "--yes"], folder.path());
    assert!(!at_root.contains("at the root of a repository only"), "{at_root}");
}

#[test]
fn a_dry_run_needs_no_server_and_no_keys() {
    for args in [
        &["ab", "scenarios/greeting.yaml", "--b", "other", "--dry-run"][..],
        &["noise", "scenarios/greeting.yaml", "--runs", "3", "--dry-run"],
    ] {
        let said = stdout(args, root());
        assert!(said.contains("agent-minutes") && said.contains("no call was placed"), "{said}");
    }
    let folder = tempfile::tempdir().unwrap();
    stdout(&["init", "--yes"], folder.path());
    let [one, other] = ["scenarios/greeting.yaml", "scenarios/other.yaml"];
    std::fs::copy(folder.path().join(one), folder.path().join(other)).unwrap();
    let said = stdout(&["run", one, other, "--calls", "3", "--dry-run"], folder.path());
    assert!(said.contains("greeting.yaml: 3 calls, 3 concurrent"), "{said}");
    assert!(said.contains("all 2 scenarios: 6 calls, 3 concurrent"), "{said}");
    let output = loadcall(&["noise", "reports/example", "reports/example", "--dry-run"], root());
    assert_eq!(output.status.code(), Some(2));
}

/// Each script is accepted by its shell, where there is one.
#[test]
fn completions_are_scripts_of_their_shells() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = stdout(&["completions", shell], folder.path());
        for word in ["run", "init", "dev-agent", "dry-run"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
        assert!(!script.contains("supervise"), "{shell}: a hidden command");
        let path = folder.path().join(shell);
        std::fs::write(&path, script).unwrap();
        let Ok(checked) = Command::new(shell).arg("-n").arg(&path).output() else { continue };
        if ["bash", "zsh", "fish"].contains(&shell) {
            assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
        }
    }
}

#[test]
fn every_command_has_a_man_page() {
    let folder = tempfile::tempdir().unwrap();
    stdout(&["man", "man1"], folder.path());
    let page = |name: &str| std::fs::read_to_string(folder.path().join("man1").join(name)).unwrap();
    assert!(page("loadcall.1").contains("loadcall\\-run(1)"), "{}", page("loadcall.1"));
    let run = page("loadcall-run.1");
    assert!(run.contains("dev\\-agent"), "{run}");
    // Examples stay in their lines.
    assert!(run.contains(".nf\nExamples:\n"), "{run}");
    assert!(!folder.path().join("man1/loadcall-supervise.1").exists());
}

#[test]
fn the_version_says_what_it_was_built_from() {
    let short = stdout(&["-V"], root());
    assert_eq!(short, format!("loadcall {}\n", env!("CARGO_PKG_VERSION")));
    let long = stdout(&["--version"], root());
    assert!(long.starts_with(&short), "{long}");
    let commit = commit::find(root(), None).commit;
    let line = |name: &str| {
        let value = long.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        value.unwrap_or_else(|| panic!("no {name}: {long}")).to_owned()
    };
    assert_eq!(line("commit"), commit.unwrap_or("unknown".into()));
    assert!(line("target").contains('-'), "{long}");
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    assert!(lock.contains(&format!("name = \"livekit\"\nversion = \"{}\"", line("livekit"))));
    assert!(!long.contains('/'), "{long}");
}

fn git(folder: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(folder).args(["-c", "user.name=x", "-c", "user.email=x@example.org"]);
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        command.env_remove(name);
    }
    let output = command.args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn the_commit_of_a_source_is_found_wherever_it_lies() {
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("repository");
    std::fs::create_dir_all(repository.join("build")).unwrap();
    std::fs::copy(root().join(".gitattributes"), repository.join(".gitattributes")).unwrap();
    std::fs::write(repository.join("build/commit.txt"), "$Format:%H$\n").unwrap();
    let found = |path: &Path| commit::find(path, None);
    // The file for archives says nothing yet.
    assert_eq!(found(&repository).commit, None);
    git(&repository, &["init", "--quiet", "--initial-branch", "main/branch"]);
    assert_eq!(found(&repository).commit, None, "nothing is committed");
    git(&repository, &["add", "."]);
    git(&repository, &["commit", "--quiet", "--message", "one"]);
    let head = git(&repository, &["rev-parse", "HEAD"]);
    let short = Some(head[..12].to_owned());
    assert_eq!(found(&repository).commit, short);
    assert!(found(&repository).read.iter().all(|path| path.exists()));
    let worktree = folder.path().join("worktree");
    git(&repository, &["worktree", "add", "--quiet", worktree.to_str().unwrap()]);
    assert_eq!(found(&worktree).commit, short);
    git(&repository, &["pack-refs", "--all"]);
    assert_eq!(found(&repository).commit, short);
    assert_eq!(found(&worktree).commit, short);
    // What the next commit changes is watched.
    let watched = found(&repository).read;
    assert!(watched.iter().any(|path| path.ends_with("logs/HEAD")), "{watched:?}");
    git(&repository, &["checkout", "--quiet", "--detach"]);
    assert_eq!(found(&repository).commit, short);
    // A source archive, inside of which there is no git, within the repository of somebody else.
    let archive = repository.join("vendor");
    std::fs::create_dir(&archive).unwrap();
    git(&repository, &["archive", "--output", "../a.tar", "HEAD"]);
    let tar = folder.path().join("a.tar");
    let unpacked = Command::new("tar").arg("-xf").arg(&tar).arg("-C").arg(&archive).status();
    assert!(unpacked.unwrap().success());
    assert_eq!(found(&archive).commit, short);
    std::fs::remove_file(archive.join("build/commit.txt")).unwrap();
    assert_eq!(found(&archive), commit::Found::default());
}

#[test]
fn a_commit_that_is_named_counts_if_it_is_one() {
    let nowhere = tempfile::tempdir().unwrap();
    let named = |name| commit::find(nowhere.path(), Some(name)).commit;
    assert_eq!(named("0123456789abcdef0123\n").as_deref(), Some("0123456789ab"));
    assert_eq!(named("$Format:%H$"), None);
    assert_eq!(named(""), None);
    assert_eq!(named("/home/somebody"), None);
}
