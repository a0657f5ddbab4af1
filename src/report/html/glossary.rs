//! Every word of the page that has a definition, with it.

use maud::{Markup, html};

use super::marks::{cause_text, ms, part_text};
use crate::report::Report;
use crate::scenario::Metric;
use crate::turn::{Cause, Part};

pub(super) fn section(report: &Report) -> Markup {
    let own = |of: &Part| Metric::named(of.name()).is_none();
    html! {
        section aria-labelledby="definitions" {
            h2 #definitions { "Definitions" }
            h3 { "Metrics" }
            dl.glossary {
                @for metric in Metric::ALL {
                    (entry(metric.name(), &format!(
                        "{} ({}; {})",
                        metric.definition().text, metric.kind().unit(), metric.definition().source.name()
                    )))
                }
            }
            h3 { "Parts of a latency" }
            dl.glossary {
                @for part in Part::ALL.iter().filter(|part| own(part)) {
                    (entry(part.name(), part_text(*part)))
                }
            }
            h3 { "Causes" }
            dl.glossary { @for cause in Cause::ALL { (entry(cause.name(), cause_text(cause))) } }
            h3 { "Windows and limits" }
            dl.glossary {
                @for window in &report.windows {
                    (entry(window.name, &format!("{}\u{a0}ms: {}", ms(window.ms), window.text)))
                }
            }
        }
    }
}

fn entry(name: &str, text: &str) -> Markup {
    html! { div { dt id={ "def-" (name) } { dfn { (name) } } dd { (text) } } }
}
