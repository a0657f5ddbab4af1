//! What became of several scenarios, for the summary of a job.

use super::inline::code;
use crate::report::text::several::{BY_CHANCE, Row, heading};
use std::fmt::Write as _;

/// A table with a row for each scenario, ending in a line break.
pub fn render(rows: &[Row]) -> String {
    let head = "| scenario | verdict | run |\n|---|---|---|";
    let mut text = format!("## {}\n\n{head}\n", heading(rows));
    for row in rows {
        let chance = if row.by_chance { BY_CHANCE } else { "" };
        let (scenario, place) = (code(&row.scenario), code(row.place().unwrap_or_default()));
        let _ = writeln!(text, "| {scenario} | {}{chance} | {place} |", row.word());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::text::several::End;
    use crate::verdict::Outcome;

    #[test]
    fn a_row_for_each_scenario_and_no_more() {
        let row = |scenario: &str, end, by_chance| Row {
            scenario: scenario.to_owned(),
            end,
            folder: Some("reports/r".to_owned()),
            by_chance,
        };
        let rows = [
            row("a.yaml", End::Judged(Outcome::Pass), false),
            row("b|`\u{1b}.yaml", End::Judged(Outcome::Regression), true),
            row("c.yaml", End::NotRun, false),
        ];
        let text = render(&rows);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "## 1 of 3 scenarios passed");
        assert_eq!(lines[4], "| `a.yaml` | PASS | `reports/r` |");
        assert!(lines[5].contains("| REGRESSION (all scenarios together: by chance) | "), "{text}");
        // A bar would be another cell.
        assert_eq!(lines[5].matches('|').count(), 4, "{text}");
        assert_eq!(lines[6], "| `c.yaml` | NOT RUN |  |");
        assert!(!text.contains('\u{1b}'));
    }
}
