//! What became of several scenarios that were placed one after another, for people.

use super::page::{Page, Tone};
use super::{Colour, WIDTH, judgement};
use crate::text::count;
use crate::verdict::Outcome as Judgement;

/// One scenario.
#[derive(Debug)]
pub struct Row {
    /// The path of its file.
    pub scenario: String,
    pub end: End,
    /// Where its run lies; `None` when nothing was recorded.
    pub folder: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Judged(Judgement),
    /// Something kept it from being judged, which was said.
    Failed,
    /// The user stopped before its turn.
    NotRun,
}

/// A line for each scenario, of at most `width` columns (60 to 100; what is beyond is brought within).
pub fn render(rows: &[Row], colour: Colour, width: usize) -> String {
    let mut page = Page::new(colour, width.clamp(*WIDTH.start(), *WIDTH.end()));
    let good =
        |row: &&Row| matches!(row.end, End::Judged(Judgement::Pass | Judgement::Improvement));
    let passed = rows.iter().filter(good).count();
    page.heading(&format!("{passed} of {} passed", count(rows.len(), "scenario")));
    for row in rows {
        let (word, tone) = match row.end {
            End::Judged(outcome) => judgement(outcome),
            End::Failed => ("ERROR", Tone::Bad),
            End::NotRun => ("NOT RUN", Tone::Doubt),
        };
        let place = match row.end {
            End::Judged(_) | End::Failed => {
                let folder = row.folder.as_deref().unwrap_or("nothing was recorded");
                format!("{}: {folder}", row.scenario)
            }
            End::NotRun => row.scenario.clone(),
        };
        page.paragraph(2, &[(tone, &format!("{word:<16}"))], &place);
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
        };
        let rows = [
            row("a.yaml", End::Judged(Judgement::Pass)),
            row("b\u{1b}[31m.yaml", End::Judged(Judgement::NothingMeasured)),
            row("c.yaml", End::Failed),
            row("d.yaml", End::NotRun),
        ];
        assert_eq!(
            render(&rows, Colour::Never, 80),
            "
1 of 4 scenarios passed
  PASS             a.yaml: reports/r
  NOTHING MEASURED b\\u{1b}[31m.yaml: reports/r
  ERROR            c.yaml: nothing was recorded
  NOT RUN          d.yaml
"
        );
    }
}
