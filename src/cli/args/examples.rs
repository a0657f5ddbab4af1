//! The ends of the help texts: examples of every command, and what goes beyond its flags. A test hands every
//! example to the parser.

pub(super) const CLI: &str = "\
Examples:
  loadcall init
  loadcall run scenarios/greeting.yaml --dev --dev-agent
  loadcall report reports/latest

Exit codes:
  0    pass, or nothing that --fail-on names
  1    internal error
  2    invalid usage or scenario
  3    nothing measured: no server, or no call reached an agent
  4    failed: a threshold, an expectation, or the comparison with the baseline
  5    no verdict: not comparable; suspected, inconclusive and invalid, if --fail-on names them
  130  stopped by a signal; the calls measured so far are reported

Results go to stdout, progress and messages to stderr. -v shows the logs of the media engine and the
LiveKit SDK; LOADCALL_LOG takes filters for them, such as livekit=debug.";

pub(super) const INIT: &str = "\
Existing files are kept, and named.

Examples:
  loadcall init
  loadcall init --agent my-agent
  loadcall init voice-tests --yes";

pub(super) const RUN: &str = "\
Examples:
  loadcall run scenarios/greeting.yaml
  loadcall run scenarios/greeting.yaml --dev --dev-agent
  loadcall run scenarios/greeting.yaml --dev --agent-command 'python agent.py start'
  loadcall run scenarios/greeting.yaml --update-baseline auto";

pub(super) const AGENT: &str = "\
Examples:
  loadcall agent --name my-agent
  loadcall agent --script script.json --truth truth.jsonl";

pub(super) const CALIBRATE: &str = "\
Examples:
  loadcall calibrate
  loadcall calibrate --concurrency 50
  loadcall calibrate --loss 1% --jitter-ms 30";

pub(super) const AB: &str = "\
AGENT is an agent name, or key=value pairs separated by commas:
  name=NAME             name for dispatch; `name=` for automatic dispatch
  metadata={…}          dispatch metadata (JSON); metadata=@FILE reads it from a file
  url=wss://HOST        another LiveKit server, with the same keys unless these are given:
  api-key-env=VARIABLE, api-secret-env=VARIABLE
Anything left out comes from the scenario. Each agent gets as many calls as the scenario says, in
blocks A B B A or B A A B, and both share its concurrency. DIR/a and DIR/b are ordinary runs;
`loadcall compare DIR` judges the pair again, at the looks that were planned.

Examples:
  loadcall ab scenarios/greeting.yaml --b agent-v2
  loadcall ab scenarios/greeting.yaml --a agent-v1 --b 'name=agent-v1,metadata={\"llm\": \"new\"}'
  loadcall ab scenarios/greeting.yaml --b agent-v2 --until-decided --max-calls 60
  loadcall ab scenarios/greeting.yaml --b agent-v2 --dry-run";

pub(super) const NOISE: &str = "\
Examples:
  loadcall noise scenarios/greeting.yaml --runs 5
  loadcall noise reports/monday reports/tuesday reports/wednesday";

pub(super) const CHECK: &str = "\
Examples:
  loadcall check scenarios/greeting.yaml
  loadcall check scenarios/greeting.yaml scenarios/booking.yaml";

pub(super) const SCHEMA: &str = "\
Examples:
  loadcall schema > scenario.schema.json";

pub(super) const COMPARE: &str = "\
Examples:
  loadcall compare reports/latest
  loadcall compare reports/latest scenarios/greeting.baseline.json
  loadcall compare reports/tuesday reports/monday";

pub(super) const ACCEPT: &str = "\
Examples:
  loadcall accept reports/latest
  loadcall accept reports/noise
  loadcall accept --replace reports/latest";

pub(super) const REPORT: &str = "\
Examples:
  loadcall report reports/latest
  loadcall report reports/latest --format json";

pub(super) const CALLS: &str = "\
Examples:
  loadcall calls reports/latest --failed
  loadcall calls reports/latest 7
  loadcall calls reports/latest --worst 5 --format json";

pub(super) const EXPORT: &str = "\
Backends are those of the environment: Langfuse with LANGFUSE_PUBLIC_KEY and
LANGFUSE_SECRET_KEY, any other with OTEL_EXPORTER_OTLP_ENDPOINT and the further variables of an
OTLP exporter. export.json in the run's folder says what has arrived where.

Exit codes:
  0    every backend has every call
  2    invalid usage, or no backend is set
  3    something is missing
  130  stopped by a signal; what is left can be sent later

Examples:
  loadcall export reports/latest
  loadcall export --env-file .env.local reports/latest
  loadcall export --again reports/latest";

pub(super) const SESSIONS: &str = "\
Examples:
  loadcall sessions --since 24h --name front-desk
  loadcall sessions --since 7d --scenario greeting.yaml --resume week.json
  loadcall sessions --environment production --format csv > sessions.csv";

pub(super) const TRACE: &str = "\
Spans come from --spans, else from the run's own folder, else from Langfuse.

Examples:
  loadcall trace reports/latest 7
  loadcall trace reports/latest 7 --turn hours
  loadcall trace my-room-1234 --format html > call.html
  loadcall trace reports/latest 0 --spans spans.json";

pub(super) const COMPLETIONS: &str = "\
Examples:
  loadcall completions bash > ~/.local/share/bash-completion/completions/loadcall
  loadcall completions zsh > ~/.zfunc/_loadcall
  loadcall completions fish > ~/.config/fish/completions/loadcall.fish";

pub(super) const MAN: &str = "\
Examples:
  loadcall man ~/.local/share/man/man1
  loadcall man target/man";

pub(super) const DOCTOR: &str = "\
Examples:
  loadcall doctor
  loadcall doctor scenarios/greeting.yaml
  loadcall doctor scenarios/greeting.yaml --dev --dev-agent
  loadcall doctor --only tracing";

#[cfg(test)]
mod tests {
    use super::super::Cli;
    use clap::{CommandFactory as _, Parser as _};

    /// The words of a shell line up to a redirection.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quoted = false;
        for c in line.chars() {
            match c {
                '\'' => quoted = !quoted,
                ' ' if !quoted => words.push(String::new()),
                c => words.last_mut().unwrap().push(c),
            }
        }
        words.into_iter().take_while(|word| word != ">").collect()
    }

    #[test]
    fn every_command_has_examples_and_each_is_accepted() {
        let mut cli = Cli::command();
        cli.build();
        let shown = cli.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help");
        let commands: Vec<_> = [&cli].into_iter().chain(shown).collect();
        assert!(commands.len() > 10);
        for command in commands {
            let name = command.get_name();
            let end = command.get_after_help().unwrap_or_else(|| panic!("{name} has none"));
            let end = end.to_string();
            let examples = end.split_once("Examples:\n").unwrap_or_else(|| panic!("{name}: {end}"));
            let lines = examples.1.lines().take_while(|line| !line.is_empty());
            let lines: Vec<&str> = lines.map(str::trim).collect();
            assert!((1..=4).contains(&lines.len()), "{name}: {lines:?}");
            for line in lines {
                let words = words(line);
                assert!(line.len() + 2 <= 100, "too long: {line}");
                assert!(name == "loadcall" || words[1] == name, "{name}: {line}");
                if let Err(why) = Cli::try_parse_from(&words) {
                    panic!("{line}: {why}");
                }
            }
        }
    }
}
