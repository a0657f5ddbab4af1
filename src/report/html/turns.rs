//! The distribution of each turn: the share of replies that had come after each time, this run and the
//! baseline. A reply that never came is drawn where the waiting ended, and keeps its place in the count.

use maud::{Markup, html};

use super::marks::{bounded, shown, term};
use super::svg::{Axis, Chart, Drawing, Line};
use crate::report::Report;
use crate::scenario::{Expect, Metric};
use crate::text::grouped;
use crate::turn::{Measures, Value};
use crate::verdict::sample;

/// Corners of a curve at most: more cannot be told apart on a screen.
const CORNERS: usize = 250;
/// Dots of replies that never came, at most.
const DOTS: usize = 60;

/// The values of one turn on one side, sorted.
struct Side {
    known: Vec<f64>,
    censored: Vec<f64>,
}

impl Side {
    fn of(measures: &Measures, metric: Metric, step: u32) -> Self {
        let of =
            || measures.values(metric).iter().filter(|v| v.step == step && v.value.is_finite());
        let sorted = |censored: bool| {
            let mut all: Vec<f64> =
                of().filter(|v| v.censored == censored).map(|v| v.value).collect();
            all.sort_by(f64::total_cmp);
            all
        };
        Self { known: sorted(false), censored: sorted(true) }
    }

    fn n(&self) -> usize {
        self.known.len() + self.censored.len()
    }

    fn ends(&self) -> impl Iterator<Item = f64> {
        [self.known.first(), self.known.last(), self.censored.last()].into_iter().flatten().copied()
    }

    /// The share, in percent, of all turns whose reply had come by then.
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 turns")]
    fn come(&self, by: f64) -> f64 {
        let come = self.known.partition_point(|value| *value <= by);
        come as f64 / self.n().max(1) as f64 * 100.0
    }

    fn legend(&self) -> String {
        let n = grouped(&self.n().to_string());
        match self.censored.len() {
            0 => format!("n\u{a0}{n}"),
            some => format!("n\u{a0}{n}, {} unanswered", grouped(&some.to_string())),
        }
    }

    /// The curve; from the last reply on it is level, because what is missing never came.
    fn draw(&self, class: &str, drawing: &mut Drawing, x: &Axis, y: &Axis) {
        if self.n() == 0 {
            return;
        }
        let every = self.known.len().div_ceil(CORNERS).max(1);
        let last = self.known.len().saturating_sub(1);
        let corners = self.known.iter().enumerate().filter(|(i, _)| i % every == 0 || *i == last);
        drawing.path(class, |line: &mut Line| {
            corners.fold(line.to(x.place(x.low()), y.down(0.0)), |line, (_, value)| {
                line.across(x.place(*value)).down(y.down(self.come(*value)))
            })
        });
        let Some(longest) = self.censored.last() else { return };
        let level = |value: f64| y.down(self.come(value));
        let from = self.known.last().map_or(x.low(), |last| last.min(*longest));
        let dotted = format!("{class} lost");
        drawing.path(&dotted, |line| {
            line.to(x.place(from), level(*longest)).across(x.place(*longest))
        });
        let every = self.censored.len().div_ceil(DOTS).max(1);
        let shown = || self.censored.iter().step_by(every).chain([longest]);
        let at = || shown().map(|value| (x.place(*value), level(*value)));
        drawing.dots(&format!("{class} ring"), at());
        drawing.dots("hole", at());
    }
}

pub(super) fn section(report: &Report, baseline: Option<&Measures>) -> Markup {
    let charts = charts(report, baseline);
    html! {
        section aria-labelledby="turns" {
            h2 #turns { "Each turn" }
            p {
                "The share of turns whose reply had come by then. "
                @if charts.iter().any(|chart| chart.censored) {
                    "A ring is a turn that was never answered, drawn where the caller stopped waiting: the curve stays "
                    "below 100\u{a0}% by those. "
                }
                @if baseline.is_none() {
                    "Only this run is drawn: the values of a baseline are not at hand."
                }
            }
            @if charts.is_empty() { p.note { "No turn was measured." } }
            div.small-charts { @for chart in &charts { (chart.markup) } }
            (quantiles(report))
        }
    }
}

struct Drawn {
    markup: Markup,
    censored: bool,
}

fn charts(report: &Report, baseline: Option<&Measures>) -> Vec<Drawn> {
    let measures = &report.judged.analysis.measures;
    let steps = (0_u32..).zip(report.judged.scenario.steps());
    let chart = |(index, step): (u32, &crate::scenario::Step)| {
        let metric = match step.expect? {
            Expect::Speaks { .. } => Metric::GreetingLatency,
            Expect::Responds { .. } => Metric::HeardE2eLatency,
            Expect::Yields { .. } => Metric::TimeToYield,
            Expect::Ignores => return None,
        };
        let is = Side::of(measures, metric, index);
        let was = baseline.map(|of| Side::of(of, metric, index)).filter(|side| side.n() > 0);
        (is.n() > 0).then(|| draw(&step.id, index, metric, &is, was.as_ref()))
    };
    steps.filter_map(chart).collect()
}

fn draw(id: &str, index: u32, metric: Metric, is: &Side, was: Option<&Side>) -> Drawn {
    let ends = || is.ends().chain(was.into_iter().flat_map(Side::ends));
    let (low, high) =
        ends().fold((0.0, 0.0), |(low, high): (f64, f64), v| (low.min(v), high.max(v)));
    let (x, y) = (Axis::ms(low, high, 4), Axis::new(0.0, 100.0, 4, "%"));
    let mut drawing = Drawing::default();
    if let Some(was) = was {
        was.draw("was", &mut drawing, &x, &y);
    }
    is.draw("is", &mut drawing, &x, &y);
    let id = shown(id);
    let says = format!(
        "This run: {}.{}",
        in_words(is),
        was.map_or(String::new(), |was| format!(" Baseline: {}.", in_words(was)))
    );
    let name = format!("ecdf-{index}");
    let title = format!("Distribution of {} in turn {id}", metric.name());
    let chart = Chart {
        id: &name,
        title: &title,
        says: &says,
        x: &x,
        x_name: "time",
        y: &y,
        y_name: "turns",
        drawing,
    };
    let markup = html! {
        figure {
            figcaption { strong { (id) } " " (term(metric)) }
            (chart.markup())
            p.legend {
                span.key.is aria-hidden="true" {} "this run " (is.legend())
                @if let Some(was) = was {
                    br; span.key.was aria-hidden="true" {} "baseline " (was.legend())
                }
            }
        }
    };
    Drawn {
        markup,
        censored: !is.censored.is_empty() || was.is_some_and(|w| !w.censored.is_empty()),
    }
}

/// The quantiles of a side, for who does not see the curve.
fn in_words(side: &Side) -> String {
    let value = |value: &f64, censored| Value {
        call: crate::record::CallId(0),
        step: 0,
        value: *value,
        censored,
    };
    let known = side.known.iter().map(|v| value(v, false));
    let all: Vec<Value> = known.chain(side.censored.iter().map(|v| value(v, true))).collect();
    let Some(sample) = sample(&all) else { return "no values".to_owned() };
    let at = |percent| bounded(sample.quantile(percent));
    format!("p50 {} ms, p95 {} ms, {}", at(50.0), at(95.0), side.legend())
}

/// The quantiles of every metric.
fn quantiles(report: &Report) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Quantiles of every metric" {
            table {
                caption {
                    "Every metric over all turns, in milliseconds; ≥: unanswered turns make it a lower bound; –: too few values"
                }
                thead { tr {
                    th scope="col" { "metric" } th scope="col" { "source" } th.number scope="col" { "n" }
                    @for name in ["p50", "p90", "p95", "p99", "max"] { th.number scope="col" { (name) } }
                } }
                tbody {
                    @for summary in &report.metrics {
                        tr {
                            th scope="row" { (term(summary.metric)) }
                            td { (summary.metric.definition().source.name()) }
                            td.number { (grouped(&summary.n.to_string())) }
                            @for (name, quantile) in summary.quantiles() {
                                td.number { @if summary.tells(name) { (bounded(quantile)) } @else { "–" } }
                            }
                        }
                    }
                }
            }
        }
    }
}
