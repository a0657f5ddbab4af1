//! Commands in code blocks: those that are run, and those that are only checked.

use std::path::Path;
use std::process::{Command, Output};

/// Programs that live blocks may use beside loadcall and make.
const OTHERS: [&str; 5] = ["cargo", "cd", "export", "git", "test"];

/// A copy of what commands read, so that they may write beside it.
pub(crate) struct Sandbox(tempfile::TempDir);

impl Sandbox {
    pub(crate) fn new(root: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["scenarios", "reports/example", "docs/examples"] {
            copy(&root.join(name), &folder.path().join(name));
        }
        Self(folder)
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        std::fs::write(self.0.path().join(file), text).unwrap();
    }

    /// Runs the commands of a console block and gives the block with what they print today, and those that
    /// print nothing although they write no file: what they look for is not there any more.
    pub(crate) fn replay(&self, body: &str) -> (String, Vec<String>) {
        let (mut now, mut silent) = (String::new(), Vec::new());
        for command in of_console(body) {
            let output = self.run(&command);
            now.extend(["$ ", &command, "\n"]);
            for line in output.lines() {
                now.push_str(line.trim_end());
                now.push('\n');
            }
            if output.is_empty() && !command.contains('>') {
                silent.push(command);
            }
        }
        (now, silent)
    }

    pub(crate) fn run(&self, command: &str) -> String {
        self.shell(command, &[("NO_COLOR", "1")])
    }

    /// What a command prints for a terminal with colours.
    pub(crate) fn run_in_colour(&self, command: &str) -> String {
        self.shell(command, &[("CLICOLOR_FORCE", "1")])
    }

    /// Both streams of a command line, as a terminal shows them.
    fn shell(&self, line: &str, variables: &[(&str, &str)]) -> String {
        let mut command = alone("sh", self.0.path());
        let program = Path::new(env!("CARGO_BIN_EXE_loadcall"));
        let ours = [program.parent().unwrap().to_path_buf()];
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(ours.into_iter().chain(std::env::split_paths(&path)));
        command.arg("-c").arg(format!("{{ {line}\n}} 2>&1")).env("PATH", path.unwrap());
        command.envs(variables.iter().copied());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    }
}

/// A program in a folder, without settings from the environment of whoever runs the tests.
fn alone(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).env("HOME", folder).env("LC_ALL", "C");
    for (name, _) in std::env::vars_os() {
        let ours = name.to_str().is_some_and(|name| {
            let settings = ["LIVEKIT_", "LANGFUSE_", "LOADCALL_", "XDG_", "CLICOLOR", "NO_COLOR"];
            name == "COLUMNS" || settings.iter().any(|prefix| name.starts_with(prefix))
        });
        if ours {
            command.env_remove(name);
        }
    }
    command
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, &to).unwrap();
        }
    }
}

/// The commands of a console block; one that goes on behind a `\` keeps its line ends.
pub(crate) fn of_console(body: &str) -> Vec<String> {
    let mut commands = Vec::<String>::new();
    let mut goes_on = false;
    for line in body.lines() {
        if goes_on {
            let command = commands.last_mut().unwrap();
            command.push('\n');
            command.push_str(line);
        } else if let Some(command) = line.strip_prefix("$ ") {
            commands.push(command.to_owned());
        } else {
            continue;
        }
        goes_on = line.ends_with('\\');
    }
    commands
}

/// The lines of all `run` keys of a workflow that name loadcall.
pub(crate) fn of_workflow(text: &str) -> Result<Vec<String>, String> {
    fn collect(value: &serde_json::Value, lines: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(map) => {
                if let Some(serde_json::Value::String(run)) = map.get("run") {
                    lines.extend(run.lines().map(str::to_owned));
                }
                // GitLab's.
                for key in ["script", "after_script"] {
                    let script = map.get(key).and_then(serde_json::Value::as_array);
                    let script = script.into_iter().flatten();
                    lines.extend(script.filter_map(|line| Some(line.as_str()?.to_owned())));
                }
                map.values().for_each(|value| collect(value, lines));
            }
            serde_json::Value::Array(list) => list.iter().for_each(|value| collect(value, lines)),
            serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Number(_)
            | serde_json::Value::String(_) => {}
        }
    }
    let value = serde_yaml::from_str(text).map_err(|why| format!("not YAML: {why}"))?;
    let mut lines = Vec::new();
    collect(&value, &mut lines);
    lines.retain(|line| line.contains("loadcall "));
    if lines.is_empty() { Err("a workflow that does not run loadcall".into()) } else { Ok(lines) }
}

/// What is wrong with command lines that are not run.
pub(crate) fn faults(root: &Path, lines: &[String]) -> Vec<String> {
    let mut wrong = Vec::new();
    for words in lines.iter().flat_map(|line| simple_commands(line)) {
        let line = words.join(" ");
        match words[0].as_str() {
            "loadcall" => {
                let output = parsed(&words[1..]);
                let said = String::from_utf8(output.stderr).unwrap();
                // clap ends every complaint about a command line with this.
                if said.contains("For more information, try '--help'") {
                    wrong.push(format!("`{line}`: {said}"));
                }
            }
            "make" => {
                let makefile = std::fs::read_to_string(root.join("Makefile")).unwrap();
                let target = words.get(1).map(|target| format!("\n{target}:"));
                if !target.is_some_and(|target| makefile.contains(&target)) {
                    wrong.push(format!("`{line}`: there is no such target"));
                }
            }
            other if OTHERS.contains(&other) => {}
            other => wrong.push(format!("`{line}`: {other} is not among {OTHERS:?}")),
        }
    }
    wrong
}

/// Hands a command line to the program where it can do nothing but read it: an empty folder, no keys, and no
/// programs that could be started.
fn parsed(arguments: &[String]) -> Output {
    let nowhere = tempfile::tempdir().unwrap();
    let mut command = alone(env!("CARGO_BIN_EXE_loadcall"), nowhere.path());
    command.args(arguments).env("PATH", "").output().unwrap()
}

/// The commands of a shell line, each as its words: without variables set for it, redirections and remarks.
fn simple_commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word = None::<String>;
    let mut quote = None::<char>;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        if let Some(mark) = quote {
            if c == mark {
                quote = None;
            } else {
                word.get_or_insert_default().push(c);
            }
            continue;
        }
        match c {
            '\'' | '"' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            '\\' if chars.peek() == Some(&'\n') => {
                chars.next();
            }
            '#' if word.is_none() => break,
            '&' | '|' | ';' => {
                commands.last_mut().unwrap().extend(word.take());
                commands.push(Vec::new());
            }
            c if c.is_whitespace() => commands.last_mut().unwrap().extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    commands.last_mut().unwrap().extend(word);
    commands.into_iter().map(without_extras).filter(|words| !words.is_empty()).collect()
}

fn without_extras(words: Vec<String>) -> Vec<String> {
    let sets = |word: &String| {
        word.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
        })
    };
    let words = words.into_iter().skip_while(sets);
    words.take_while(|word| !word.starts_with(['>', '<']) && !word.starts_with("2>")).collect()
}
