//! Charts without text inside: the drawing stretches with the page, while the labels beside it stay as large as
//! the text around them. Everything drawn is a number of ours, so nothing in it needs escaping.

use std::fmt::Write as _;

use maud::{Markup, PreEscaped, html};

/// The side of the square that every chart is drawn in.
pub(super) const SIDE: f64 = 1_000.0;

/// An axis with even steps from zero, or from below it where values are.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    low: f64,
    step: f64,
    /// Steps, at least one.
    steps: u32,
    unit: &'static str,
    /// What a label is divided by.
    scale: f64,
}

impl Axis {
    /// An axis in some unit that reaches from zero, or `low`, to `high` in about `wanted` steps.
    pub(super) fn new(low: f64, high: f64, wanted: u32, unit: &'static str) -> Self {
        Self::by(&[1.0, 2.0, 2.5, 5.0, 10.0], low, high, wanted, unit)
    }

    fn by(steps: &[f64], low: f64, high: f64, wanted: u32, unit: &'static str) -> Self {
        let finite = |value: f64| if value.is_finite() { value.clamp(-1e12, 1e12) } else { 0.0 };
        let low = finite(low).min(0.0);
        let high = finite(high).max(low + 1.0);
        let step = nice(steps, (high - low).max(1.0) / f64::from(wanted.max(1)));
        let low = (low / step).floor() * step;
        let steps = ((high - low) / step).ceil().clamp(1.0, 64.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 64")]
        let steps = steps as u32;
        Self { low, step, steps, unit, scale: 1.0 }
    }

    /// An axis of milliseconds, which is labelled in seconds where they are many.
    pub(super) fn ms(low: f64, high: f64, wanted: u32) -> Self {
        let of = Self::new(low, high, wanted, "ms");
        let long = of.high() >= 10_000.0;
        if long { Self { unit: "s", scale: 1_000.0, ..of } } else { of }
    }

    /// An axis of whole numbers.
    pub(super) fn counts(high: f64, wanted: u32, unit: &'static str) -> Self {
        Self::by(&[1.0, 2.0, 5.0, 10.0], 0.0, high.max(f64::from(wanted)), wanted, unit)
    }

    pub(super) const fn low(&self) -> f64 {
        self.low
    }

    pub(super) fn high(&self) -> f64 {
        self.low + self.step * f64::from(self.steps)
    }

    pub(super) const fn unit(&self) -> &'static str {
        self.unit
    }

    /// Where a value is, from 0 to [`SIDE`], to a tenth; what lies beyond is at the end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high() - self.low);
        let place = if share.is_finite() { share.clamp(0.0, 1.0) * SIDE } else { 0.0 };
        (place * 10.0).round() / 10.0
    }

    /// The same counted downwards, as a drawing is.
    pub(super) fn down(&self, value: f64) -> f64 {
        ((SIDE - self.place(value)) * 10.0).round() / 10.0
    }

    fn ticks(&self) -> impl DoubleEndedIterator<Item = f64> {
        (0..=self.steps).map(|i| self.low + self.step * f64::from(i))
    }

    /// The labels of its steps.
    pub(super) fn labels(&self) -> Vec<String> {
        let step = self.step / self.scale;
        let is_whole = |of: f64| (of - of.round()).abs() < 1e-9;
        let decimals = (0..3).find(|n| is_whole(step * 10.0_f64.powi(*n))).unwrap_or(3);
        let label = |tick: f64| {
            let value = tick / self.scale;
            match usize::try_from(decimals) {
                Ok(0) | Err(_) => super::marks::ms(value),
                Ok(decimals) => format!("{value:.decimals$}").replace('-', "\u{2212}"),
            }
        };
        self.ticks().map(label).collect()
    }
}

/// A number that people count in, at least as large: one of `steps`, from 1 to 10, times a power of ten.
fn nice(steps: &[f64], least: f64) -> f64 {
    let power = 10.0_f64.powf(least.log10().floor());
    let of = steps.iter().find(|of| *of * power >= least * (1.0 - 1e-9));
    of.unwrap_or(&10.0) * power
}

/// A chart with its labels.
pub(super) struct Chart<'a> {
    /// Unique on the page.
    pub(super) id: &'a str,
    /// What it shows and what is seen in it, for who does not see it.
    pub(super) title: &'a str,
    pub(super) says: &'a str,
    pub(super) x: &'a Axis,
    /// What is counted along it, without the unit.
    pub(super) x_name: &'a str,
    pub(super) y: &'a Axis,
    pub(super) y_name: &'a str,
    /// The drawing, in a square of [`SIDE`].
    pub(super) drawing: Drawing,
}

impl Chart<'_> {
    pub(super) fn markup(&self) -> Markup {
        let (title, says) = (format!("{}-title", self.id), format!("{}-says", self.id));
        let mut grid = Drawing::default();
        for tick in self.y.ticks() {
            grid.path("", |p| p.to(0.0, self.y.down(tick)).across(SIDE));
        }
        html! {
            div.chart {
                p.y-name aria-hidden="true" { (self.y_name) " (" (self.y.unit()) ")" }
                div.y-ticks aria-hidden="true" {
                    @for label in self.y.labels().iter().rev() { span { (label) } }
                }
                svg.plot role="img" viewBox="0 0 1000 1000" preserveAspectRatio="none"
                    aria-labelledby={ (title) " " (says) } {
                    title id=(title) { (self.title) }
                    desc id=(says) { (self.says) }
                    g.grid { (grid) }
                    (self.drawing)
                }
                div.x-ticks aria-hidden="true" {
                    @for label in self.x.labels() { span { (label) } }
                }
                p.x-name aria-hidden="true" { (self.x_name) " (" (self.x.unit()) ")" }
            }
        }
    }
}

/// Shapes as text.
#[derive(Debug, Default, Clone)]
pub(super) struct Drawing(String);

impl Drawing {
    /// A line of some class.
    pub(super) fn path(&mut self, class: &str, draw: impl FnOnce(&mut Line) -> &mut Line) {
        let mut line = Line(String::new());
        draw(&mut line);
        let _ = write!(self.0, "<path class=\"{class}\" d=\"{}\"/>", line.0);
    }

    /// Round dots of some class, which stay round however the drawing is stretched.
    pub(super) fn dots(&mut self, class: &str, at: impl IntoIterator<Item = (f64, f64)>) {
        self.path(class, |line| at.into_iter().fold(line, |line, (x, y)| line.to(x, y).across(x)));
    }

    /// A bar from one place to another, as high as the drawing.
    pub(super) fn bar(&mut self, class: &str, from: f64, to: f64) {
        let (from, width) = (from.min(to), (to - from).abs());
        let _ = write!(
            self.0,
            "<rect class=\"{class}\" x=\"{from:.1}\" y=\"0\" width=\"{width:.1}\" height=\"1000\"/>"
        );
    }

    /// The drawing by itself, as a picture of what the text beside it says.
    pub(super) fn strip(&self) -> Markup {
        html! {
            svg.strip aria-hidden="true" viewBox="0 0 1000 1000" preserveAspectRatio="none" { (self) }
        }
    }
}

impl maud::Render for Drawing {
    fn render(&self) -> Markup {
        PreEscaped(self.0.clone())
    }
}

/// A line as it is drawn.
pub(super) struct Line(String);

impl Line {
    pub(super) fn to(&mut self, x: f64, y: f64) -> &mut Self {
        let _ = write!(self.0, "M{x} {y}");
        self
    }
    pub(super) fn across(&mut self, x: f64) -> &mut Self {
        let _ = write!(self.0, "H{x}");
        self
    }
    pub(super) fn down(&mut self, y: f64) -> &mut Self {
        let _ = write!(self.0, "V{y}");
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_begin_at_zero_and_hold_what_they_show() {
        for (low, high, labels, unit) in [
            (0.0, 1_174.0, &["0", "500", "1,000", "1,500"][..], "ms"),
            (350.0, 880.0, &["0", "250", "500", "750", "1,000"], "ms"),
            (-180.0, 900.0, &["\u{2212}500", "0", "500", "1,000"], "ms"),
            (0.0, 41_000.0, &["0", "20", "40", "60"], "s"),
            (0.0, 0.0, &["0.00", "0.25", "0.50", "0.75", "1.00"], "ms"),
            (f64::NAN, f64::INFINITY, &["0.00", "0.25", "0.50", "0.75", "1.00"], "ms"),
        ] {
            let axis = Axis::ms(low, high, 4);
            assert_eq!(axis.unit(), unit, "{low} {high}");
            assert_eq!(axis.labels(), labels, "{low} {high}");
            assert!(axis.high() >= high || high.is_infinite());
            assert!(axis.place(high) <= SIDE && axis.place(low) >= 0.0);
        }
    }

    #[test]
    fn a_value_beyond_the_axis_is_at_its_end() {
        let axis = Axis::ms(0.0, 1_000.0, 4);
        let places = [axis.place(-5.0), axis.place(500.0), axis.place(1e300), axis.down(250.0)];
        assert_eq!(format!("{places:?}"), "[0.0, 500.0, 1000.0, 750.0]");
    }
}
