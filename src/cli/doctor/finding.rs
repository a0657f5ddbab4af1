//! What a check found, and how findings are shown.

use crate::cli::exit;
use crate::text::safe;
use serde::Serialize;
use std::fmt::Write as _;

/// What is checked, in the order in which it has to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Area {
    Settings,
    Server,
    Agent,
    Machine,
    Tracing,
}

/// What a check came to. Texts are for people, and harmless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub(super) enum Found {
    Ok { evidence: String },
    Failed { evidence: String, remedy: String },
    NotTested { why: String },
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) area: Area,
    pub(super) check: &'static str,
    #[serde(flatten)]
    pub(super) found: Found,
}

impl Area {
    /// The exit code when this is the first area in which something failed.
    const fn code(self) -> u8 {
        match self {
            Self::Settings => exit::USAGE,
            Self::Server => exit::NOTHING_MEASURED,
            Self::Agent => exit::AGENT_UNWELL,
            Self::Machine => exit::MACHINE_UNFIT,
            Self::Tracing => exit::NOT_TRACED,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Server => "server",
            Self::Agent => "agent",
            Self::Machine => "machine",
            Self::Tracing => "tracing",
        }
    }
}

impl Finding {
    pub(super) fn ok(area: Area, check: &'static str, evidence: impl Into<String>) -> Self {
        Self { area, check, found: Found::Ok { evidence: evidence.into() } }
    }

    pub(super) fn failed(
        area: Area,
        check: &'static str,
        evidence: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let (evidence, remedy) = (evidence.into(), remedy.into());
        Self { area, check, found: Found::Failed { evidence, remedy } }
    }

    pub(super) fn not_tested(area: Area, check: &'static str, why: impl Into<String>) -> Self {
        Self { area, check, found: Found::NotTested { why: why.into() } }
    }

    pub(super) fn is_failed(&self) -> bool {
        matches!(self.found, Found::Failed { .. })
    }
}

/// Says which class failed: the first area, in the order in which things have to work.
pub(super) fn exit_code(findings: &[Finding]) -> u8 {
    let failed = findings.iter().filter(|finding| finding.is_failed());
    failed.map(|finding| finding.area).min().map_or(exit::PASS, Area::code)
}

/// A line for each check, and under a failed one what to do; with the colours of a terminal.
pub(super) fn render(finding: &Finding) -> String {
    let (colour, word, text) = match &finding.found {
        Found::Ok { evidence } => ("\u{1b}[32m", "ok", evidence),
        Found::Failed { evidence, .. } => ("\u{1b}[1;31m", "failed", evidence),
        Found::NotTested { why } => ("\u{1b}[2m", "not tested", why),
    };
    let area = finding.area.name();
    let mut out =
        format!("{colour}{word:<10}\u{1b}[0m  {area:<8}  {:<16}  {}\n", finding.check, safe(text));
    if let Found::Failed { remedy, .. } = &finding.found {
        let _ = writeln!(out, "{:<10}  to mend   {}", "", safe(remedy));
    }
    out
}

/// How many checks came to what, in one line.
pub(super) fn summary(findings: &[Finding]) -> String {
    let count = |of: fn(&Found) -> bool| findings.iter().filter(|f| of(&f.found)).count();
    format!(
        "{} ok, {} failed, {} not tested\n",
        count(|found| matches!(found, Found::Ok { .. })),
        count(|found| matches!(found, Found::Failed { .. })),
        count(|found| matches!(found, Found::NotTested { .. })),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_area_that_failed_gives_the_exit_code() {
        let machine = Finding::failed(Area::Machine, "cpu", "busy", "wait");
        let agent = Finding::failed(Area::Agent, "dispatch", "nobody came", "start it");
        let server = Finding::ok(Area::Server, "server", "answers");
        assert_eq!(exit_code(std::slice::from_ref(&server)), exit::PASS);
        assert_eq!(exit_code(&[server.clone(), machine.clone()]), exit::MACHINE_UNFIT);
        assert_eq!(exit_code(&[machine, server, agent]), exit::AGENT_UNWELL);
    }

    #[test]
    fn text_of_others_stays_text() {
        let hostile = Finding::failed(Area::Agent, "call", "\u{1b}[2Jboo\nok", "x\u{7}");
        let shown = render(&hostile);
        assert!(!shown.contains("\u{1b}[2J") && !shown.contains('\u{7}'), "{shown:?}");
        assert_eq!(shown.lines().count(), 2, "{shown:?}");
    }
}
