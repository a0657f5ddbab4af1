//! A calibration for people.

use super::grid::{Column, Grid};
use super::page::{Page, Tone};
use super::{Colour, WIDTH};
use crate::record::{Calibration, CalibrationError};
use crate::text::count;

/// Fewer calls have no intervals: theirs would be narrower than the truth, and of one call without any width.
const CALLS_FOR_INTERVALS: u32 = 5;

/// What to show of a calibration.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    pub calibration: &'a Calibration,
    /// The errors of `heard_e2e_latency` by the sound of the reply.
    pub sounds: &'a [CalibrationError],
    pub answered: usize,
}

/// The calibration as lines of at most `width` columns (60 to 100; what is beyond is brought within).
pub fn render(shown: Shown<'_>, colour: Colour, width: usize) -> String {
    let Shown { calibration, sounds, answered } = shown;
    let mut page = Page::new(colour, width.clamp(*WIDTH.start(), *WIDTH.end()));
    let network = if calibration.is_plain() {
        String::new()
    } else {
        format!(
            ", {} % loss and {} ms jitter in each direction",
            calibration.loss_percent, calibration.jitter_ms
        )
    };
    let calls = count(calibration.calls as usize, "call");
    let text =
        format!("{answered} of {calls} answered, {} concurrent{network}", calibration.concurrency);
    page.paragraph(0, &[], &text);
    let intervals = calibration.calls >= CALLS_FOR_INTERVALS;
    if !intervals {
        let least = format!("no intervals: they need at least {CALLS_FOR_INTERVALS} calls");
        page.paragraph(2, &[], &least);
    }
    page.heading("error in milliseconds (measured − true)");
    table(&mut page, &calibration.errors, intervals);
    page.heading("error of heard_e2e_latency by the sound of the reply");
    table(&mut page, sounds, intervals);
    page.finish()
}

fn table(page: &mut Page, errors: &[CalibrationError], intervals: bool) {
    let mut grid = Grid::new([
        Column::left("of"),
        Column::right("n"),
        Column::right("missed"),
        Column::right("bias"),
        Column::left("95 %"),
        Column::right("sd").given_up(3),
        Column::right("p50").given_up(2),
        Column::right("|p95|").given_up(1),
        Column::right("|p99|"),
        Column::left("95 %"),
        Column::right("|max|"),
    ]);
    let interval = |text: String| if intervals { text } else { "–".to_owned() };
    for e in errors {
        let cells = [
            e.of.clone(),
            e.n.to_string(),
            e.missed.to_string(),
            format!("{:+.1}", e.bias_ms),
            interval(format!("[{:+.1} … {:+.1}]", e.bias_low_ms, e.bias_high_ms)),
            format!("{:.1}", e.sd_ms),
            format!("{:+.1}", e.p50_ms),
            format!("{:.1}", e.abs_p95_ms),
            format!("{:.1}", e.abs_p99_ms),
            interval(format!("[{:.1} … {:.1}]", e.abs_p99_low_ms, e.abs_p99_high_ms)),
            format!("{:.1}", e.abs_max_ms),
        ];
        grid.row(cells.map(|cell| (Tone::Plain, cell)));
    }
    grid.write(page, 2);
}
