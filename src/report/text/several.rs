//! What became of several scenarios that were placed one after another, for people.

use super::page::{Page, Tone};
use super::{Colour, WIDTH, judgement};
use crate::text::count;
use crate::verdict::Outcome as Judgement;

/// What is added where one is worse only by itself.
pub const BY_CHANCE: &str = " (all scenarios together: by chance)";

/// One scenario.
#[derive(Debug)]
pub struct Row {
    /// The path of its file.
    pub scenario: String,
    pub end: End,
    /// Where its run lies; `None` when nothing was recorded.
    pub folder: Option<String>,
    /// It is worse than its baseline by itself, and not when all scenarios are looked at together.
    pub by_chance: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Judged(Judgement),
    /// Something kept it from being judged, which was said.
    Failed,
    /// The user stopped before its turn.
    NotRun,
}

impl Row {
    /// What became of it.
    pub fn word(&self) -> &'static str {
        self.judgement().0
    }

    /// Where its run lies, for people; `None` for one that was not run.
    pub fn place(&self) -> Option<&str> {
        match self.end {
            End::Judged(_) | End::Failed => {
                Some(self.folder.as_deref().unwrap_or("nothing was recorded"))
            }
            End::NotRun => None,
        }
    }

    fn judgement(&self) -> (&'static str, Tone) {
        match self.end {
            End::Judged(outcome) => judgement(outcome),
            End::Failed => ("ERROR", Tone::Bad),
            End::NotRun => ("NOT RUN", Tone::Doubt),
        }
    }
}

/// How many scenarios passed.
pub fn heading(rows: &[Row]) -> String {
    let good =
        |row: &&Row| matches!(row.end, End::Judged(Judgement::Pass | Judgement::Improvement));
    let passed = rows.iter().filter(good).count();
    format!("{passed} of {} passed", count(rows.len(), "scenario"))
}

/// A line for each scenario, of at most `width` columns (60 to 100; what is beyond is brought within).
pub fn render(rows: &[Row], colour: Colour, width: usize) -> String {
    let mut page = Page::new(colour, width.clamp(*WIDTH.start(), *WIDTH.end()));
    page.heading(&heading(rows));
    for row in rows {
        let (word, tone) = row.judgement();
        let place = row.place().map_or_else(String::new, |place| format!(": {place}"));
        let chance = if row.by_chance { BY_CHANCE } else { "" };
        let text = format!("{}{place}{chance}", row.scenario);
        page.paragraph(2, &[(tone, &format!("{word:<16}"))], &text);
    }
    page.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_has_its_verdict() {
        let row = |scenario: &str, end| Row {
            scenario: scenario.to_owned(),
            end,
            folder: (end != End::Failed).then(|| "reports/r".to_owned()),
            by_chance: end == End::Judged(Judgement::Regression),
        };
        let rows = [
            row("a.yaml", End::Judged(Judgement::Pass)),
            row("b\u{1b}[31m.yaml", End::Judged(Judgement::NothingMeasured)),
            row("c.yaml", End::Failed),
            row("d.yaml", End::NotRun),
            row("e|.yaml", End::Judged(Judgement::Regression)),
        ];
        assert_eq!(
            render(&rows, Colour::Never, 80),
            "
1 of 5 scenarios passed
  PASS             a.yaml: reports/r
  NOTHING MEASURED b\\u{1b}[31m.yaml: reports/r
  ERROR            c.yaml: nothing was recorded
  NOT RUN          d.yaml
  REGRESSION       e|.yaml: reports/r (all scenarios together: by chance)
"
        );
    }
}
