//! A terminal as SVG: the text of a command with its colours.

use std::fmt::Write as _;

/// In pixels. Every character gets its column, whatever font the reader has.
const COLUMN: f64 = 8.4;
const LINE: usize = 18;
const MARGIN: usize = 16;
const SIZE: usize = 14;

/// The styles of a stretch of text, as class names.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Style {
    bold: bool,
    dim: bool,
    colour: Option<&'static str>,
}

/// Draws what a command prints; `printed` may hold colours.
pub(crate) fn draw(command: &str, printed: &str) -> String {
    let lines: Vec<&str> = printed.trim_end().lines().collect();
    let columns = lines.iter().map(|line| plain(line).chars().count()).max().unwrap_or(0);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "some hundred columns"
    )]
    let width = (columns as f64 * COLUMN).ceil() as usize + 2 * MARGIN;
    let height = (lines.len() + 1) * LINE + 2 * MARGIN;
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" aria-label="{command}">
<style>
text {{ font: {SIZE}px ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #d4d7dd; white-space: pre; }}
.bold {{ font-weight: bold; }} .dim {{ fill: #8b949e; }} .red {{ fill: #ff7b72; }} .green {{ fill: #56d364; }} .yellow {{ fill: #e3b341; }} .blue {{ fill: #79c0ff; }} .cyan {{ fill: #76e3ea; }}
</style>
<rect width="100%" height="100%" rx="8" fill="#14181f"/>
"##
    );
    let mut style = Style::default();
    let prompt = format!("\u{1b}[2m$\u{1b}[0m {command}");
    for (index, line) in std::iter::once(prompt.as_str()).chain(lines).enumerate() {
        let y = MARGIN + SIZE + index * LINE;
        write!(svg, r#"<text xml:space="preserve" y="{y}">"#).unwrap();
        let mut column = 0;
        for (text, next) in stretches(line, style) {
            style = next.unwrap_or(style);
            span(&mut svg, text, style, &mut column);
        }
        svg.push_str("</text>\n");
    }
    svg.push_str("</svg>\n");
    svg
}

/// The text between escape sequences, each with the style it has.
fn stretches(line: &str, before: Style) -> Vec<(&str, Option<Style>)> {
    let mut style = before;
    let mut found = Vec::new();
    for (index, part) in line.split("\u{1b}[").enumerate() {
        let text = if index == 0 {
            part
        } else {
            let (codes, text) = part.split_once('m').expect("a colour");
            codes.split(';').for_each(|code| style.apply(code));
            text
        };
        found.push((text, Some(style)));
    }
    found
}

impl Style {
    fn apply(&mut self, code: &str) {
        match code {
            "" | "0" => *self = Self::default(),
            "1" => self.bold = true,
            "2" => self.dim = true,
            "31" | "91" => self.colour = Some("red"),
            "32" | "92" => self.colour = Some("green"),
            "33" | "93" => self.colour = Some("yellow"),
            "34" | "94" => self.colour = Some("blue"),
            "36" | "96" => self.colour = Some("cyan"),
            other => panic!("style {other} cannot be drawn"),
        }
    }

    fn classes(self) -> String {
        let names = [self.bold.then_some("bold"), self.dim.then_some("dim"), self.colour];
        names.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// Text at its column; a character that is not ASCII may come from another font and ends a span.
fn span(svg: &mut String, text: &str, style: Style, column: &mut usize) {
    for part in text.split_inclusive(|c: char| !c.is_ascii()) {
        #[expect(clippy::cast_precision_loss, reason = "some hundred columns")]
        let x = |column: usize| format!("{:.1}", column as f64 * COLUMN);
        let count = part.chars().count();
        if !part.trim().is_empty() {
            #[expect(clippy::cast_precision_loss, reason = "some hundred columns")]
            let left = MARGIN as f64 + *column as f64 * COLUMN;
            write!(svg, r#"<tspan x="{left:.1}" textLength="{}""#, x(count)).unwrap();
            let classes = style.classes();
            if !classes.is_empty() {
                write!(svg, r#" class="{classes}""#).unwrap();
            }
            let part = part.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            write!(svg, ">{part}</tspan>").unwrap();
        }
        *column += count;
    }
}

fn plain(line: &str) -> String {
    stretches(line, Style::default()).into_iter().map(|(text, _)| text).collect()
}
