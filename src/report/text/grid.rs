//! Tables as wide as what is in them. Where a page is too narrow, columns that decide nothing are given up, and what
//! still does not fit stands in a second line below: nothing is cut.

use super::page::{Page, Tone, columns};

/// Columns between two of a table.
const GAP: usize = 2;
/// How much further than its row a second line is indented.
const HANGING: usize = 4;

/// To which side the cells of a column are flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) head: &'static str,
    pub(super) side: Side,
    /// Columns with a rank are given up in the order of it, those of one rank together; one without a rank never is.
    pub(super) rank: Option<u8>,
}

impl Column {
    /// A column of texts, or of numbers, that stays.
    pub(super) const fn left(head: &'static str) -> Self {
        Self { head, side: Side::Left, rank: None }
    }

    pub(super) const fn right(head: &'static str) -> Self {
        Self { head, side: Side::Right, rank: None }
    }

    /// One that can be given up.
    pub(super) const fn given_up(self, rank: u8) -> Self {
        Self { rank: Some(rank), ..self }
    }
}

/// A table that is being made: a row has a cell for every column.
#[derive(Debug)]
pub(super) struct Grid<const N: usize> {
    columns: [Column; N],
    rows: Vec<[(Tone, String); N]>,
}

impl<const N: usize> Grid<N> {
    pub(super) const fn new(columns: [Column; N]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    pub(super) fn row(&mut self, cells: [(Tone, String); N]) {
        self.rows.push(cells);
    }

    /// Writes the table, with its heads if it has any.
    pub(super) fn write(self, page: &mut Page, indent: usize) {
        let heads = self.columns.map(|column| (Tone::Faint, column.head.to_owned()));
        let has_heads = self.columns.iter().any(|column| !column.head.is_empty());
        let rows = || has_heads.then_some(&heads).into_iter().chain(&self.rows);
        let width = |at: usize| rows().map(|row| columns(&row[at].1)).max().unwrap_or(0);
        let widths: [usize; N] = std::array::from_fn(width);
        let lines = self.lines(&widths, page.width(), indent);
        for row in rows() {
            for (n, line) in lines.iter().enumerate() {
                let mut pieces = vec![(Tone::Plain, " ".repeat(margin(indent, n)))];
                for (place, &at) in line.iter().enumerate() {
                    let (tone, text) = &row[at];
                    let pad = " ".repeat(widths[at].saturating_sub(columns(text)));
                    let gap = if place == 0 { "" } else { "  " };
                    let (before, after) = match self.columns[at].side {
                        Side::Left => (String::new(), pad),
                        Side::Right => (pad, String::new()),
                    };
                    pieces.push((Tone::Plain, format!("{gap}{before}")));
                    pieces.push((*tone, text.clone()));
                    pieces.push((Tone::Plain, after));
                }
                // A second line without anything in it says nothing.
                if n == 0 || line.iter().any(|&at| !row[at].1.is_empty()) {
                    let pieces: Vec<(Tone, &str)> =
                        pieces.iter().map(|(tone, text)| (*tone, text.as_str())).collect();
                    page.line(&pieces);
                }
            }
        }
    }

    /// Which columns stand in which line of a row.
    fn lines(&self, widths: &[usize; N], room: usize, indent: usize) -> Vec<Vec<usize>> {
        let mut kept: Vec<usize> = (0..N).filter(|at| widths[*at] > 0).collect();
        let total = |kept: &[usize]| {
            let cells: usize = kept.iter().map(|at| widths[*at]).sum();
            indent + cells + GAP * kept.len().saturating_sub(1)
        };
        let mut ranks: Vec<u8> = self.columns.iter().filter_map(|column| column.rank).collect();
        ranks.sort_unstable();
        ranks.dedup();
        for rank in ranks {
            if total(&kept) > room {
                kept.retain(|at| self.columns[*at].rank != Some(rank));
            }
        }
        let mut lines = vec![Vec::new()];
        let mut used = 0;
        for at in kept {
            let n = lines.len() - 1;
            let first = lines[n].is_empty();
            let needed = if first { margin(indent, n) } else { used + GAP } + widths[at];
            if !first && needed > room {
                lines.push(vec![at]);
                used = margin(indent, n + 1) + widths[at];
            } else {
                lines[n].push(at);
                used = needed;
            }
        }
        lines
    }
}

fn margin(indent: usize, line: usize) -> usize {
    if line == 0 { indent } else { indent + HANGING }
}

#[cfg(test)]
mod tests {
    use super::super::Colour;
    use super::*;

    fn shown(width: usize) -> String {
        let columns = [
            Column::left("what"),
            Column::right("p50 a").given_up(2),
            Column::right("n").given_up(1),
            Column::right("shift"),
            Column::left(""),
        ];
        let mut grid = Grid::new(columns);
        let cells = |cells: [&str; 5]| cells.map(|cell| (Tone::Plain, cell.to_owned()));
        grid.row(cells(["latency", "1,126", "12", "+402", "slower"]));
        grid.row(cells(["time", "8", "1", "−1", ""]));
        let mut page = Page::new(Colour::Never, width);
        grid.write(&mut page, 2);
        page.finish()
    }

    #[test]
    fn columns_are_given_up_before_any_is_moved_down_and_none_is_cut() {
        assert_eq!(
            shown(60),
            "  what     p50 a   n  shift\n  latency  1,126  12   +402  slower\n  time         8   1     −1\n"
        );
        assert_eq!(
            shown(34),
            "  what     p50 a  shift\n  latency  1,126   +402  slower\n  time         8     −1\n"
        );
        assert_eq!(shown(30), "  what     shift\n  latency   +402  slower\n  time        −1\n");
        assert_eq!(
            shown(20),
            "  what     shift\n  latency   +402\n      slower\n  time        −1\n"
        );
    }
}
