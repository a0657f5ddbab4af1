//! The load over time: calls in progress, those that were due, and how late each was placed.

use maud::{Markup, html};

use super::marks::ms;
use super::svg::{Axis, Chart, Drawing, SIDE};
use crate::report::{Report, since_start};
use crate::text::grouped;
use crate::turn::CallFacts;

/// Moments at which the load is drawn: finer cannot be seen.
const MOMENTS: usize = 400;

pub(super) fn section(report: &Report) -> Markup {
    let calls = &report.judged.analysis.calls;
    html! {
        section aria-labelledby="load" {
            h2 #load { "Load over time" }
            @if calls.is_empty() { p { "No call was placed." } } @else { (charts(calls)) }
        }
    }
}

/// A call's moments in milliseconds since the run began.
struct Moments {
    due: f64,
    placed: f64,
    ended: f64,
}

fn charts(calls: &[CallFacts]) -> Markup {
    let of = |call: &CallFacts| Moments {
        due: since_start(call.due),
        placed: since_start(call.dialled),
        ended: since_start(call.ended),
    };
    let moments: Vec<Moments> = calls.iter().map(of).collect();
    let end = moments.iter().map(|m| m.ended).fold(0.0, f64::max);
    let seconds = Axis::new(0.0, end / 1_000.0, 6, "s");
    let placed = active(&moments, |m| m.placed, end);
    let due = active(&moments, |m| m.due, end);
    let most = |of: &[u32]| of.iter().copied().max().unwrap_or(0);
    let y = Axis::counts(f64::from(most(&placed).max(most(&due))), 4, "calls");
    let mut drawing = Drawing::default();
    steps(&mut drawing, "was", &due, end, &seconds, &y);
    steps(&mut drawing, "is", &placed, end, &seconds, &y);
    let late = |m: &Moments| (m.placed - m.due).max(0.0);
    let latest = moments.iter().map(late).fold(0.0, f64::max);
    let says = format!(
        "At most {} calls were in progress at a time. The latest call was placed {} ms after it was due.",
        most(&placed),
        ms(latest)
    );
    let active = Chart {
        id: "load-active",
        title: "Calls in progress over time",
        says: &says,
        x: &seconds,
        x_name: "time since the run began",
        y: &y,
        y_name: "calls in progress",
        drawing,
    };
    let y = Axis::ms(0.0, latest, 3);
    let mut drawing = Drawing::default();
    let every = moments.len().div_ceil(2_000).max(1);
    let by_lateness = worst_of_each(&moments, every, late);
    drawing.dots("point", by_lateness.map(|m| (seconds.place(m.due / 1_000.0), y.down(late(m)))));
    let lateness = Chart {
        id: "load-late",
        title: "How long after it was due each call was placed",
        says: &says,
        x: &seconds,
        x_name: "when the call was due",
        y: &y,
        y_name: "placed late",
        drawing,
    };
    html! {
        figure {
            figcaption { "Calls in progress: at most " (grouped(&most(&placed).to_string())) }
            (active.markup())
            p.legend {
                span.key.is aria-hidden="true" {} "placed "
                span.key.was aria-hidden="true" {} "as they were due"
            }
        }
        figure {
            figcaption { "From due to placed: at most " (ms(latest)) "\u{a0}ms" }
            (lateness.markup())
        }
    }
}

/// Of every few moments the latest one, so that none that matters is missing.
fn worst_of_each(
    moments: &[Moments],
    every: usize,
    late: impl Fn(&Moments) -> f64,
) -> impl Iterator<Item = &Moments> {
    moments
        .chunks(every)
        .filter_map(move |some| some.iter().max_by(|a, b| late(a).total_cmp(&late(b))))
}

/// The most calls that were in progress in each of the moments from a call's begin to its end.
fn active(moments: &[Moments], begin: impl Fn(&Moments) -> f64, end: f64) -> Vec<u32> {
    let mut edges: Vec<(f64, i64)> =
        moments.iter().flat_map(|m| [(begin(m), 1), (m.ended.max(begin(m)), -1)]).collect();
    // One that ends as another begins is over.
    edges.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut most = vec![0_u32; MOMENTS];
    let (mut now, mut next) = (0_i64, edges.iter().peekable());
    for (i, place) in most.iter_mut().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "a few hundred moments")]
        let until =
            if i + 1 == MOMENTS { f64::INFINITY } else { end * (i + 1) as f64 / MOMENTS as f64 };
        let mut high = now;
        while let Some((_, by)) = next.next_if(|(at, _)| *at <= until) {
            now += by;
            high = high.max(now);
        }
        *place = u32::try_from(high).unwrap_or(0);
    }
    most
}

fn steps(drawing: &mut Drawing, class: &str, of: &[u32], end: f64, x: &Axis, y: &Axis) {
    let mut last = None;
    drawing.path(class, |line| {
        let mut line = line.to(0.0, y.down(0.0));
        for (i, n) in of.iter().enumerate() {
            if last != Some(*n) {
                #[expect(clippy::cast_precision_loss, reason = "a few hundred moments")]
                let at = end * i as f64 / MOMENTS as f64 / 1_000.0;
                line = line.across(x.place(at)).down(y.down(f64::from(*n)));
                last = Some(*n);
            }
        }
        line.across(x.place(end / 1_000.0).min(SIDE)).down(y.down(0.0))
    });
}
