//! How a role talks to the one that started it: lines of JSON on standard output, lines of text on standard input, whose
//! end is the end of the role.

use std::io::Write as _;

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines, Stdin},
    sync::watch,
};

use crate::measured::Measured;

/// What a role is told.
pub(crate) const BEGIN: &str = "begin";
pub(crate) const END: &str = "end";

/// What a role tells.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Told {
    Ready,
    Begun,
    Measured(Measured),
}

/// Something that can be measured from one moment to another.
pub(crate) trait Measure {
    fn begin(&mut self);
    fn end(&mut self) -> Measured;
}

/// Serves the one that started the role, from `ready` on, until that one is gone.
pub(crate) async fn serve(mut ready: watch::Receiver<bool>, mut measure: impl Measure) {
    let mut orders = orders();
    tokio::select! {
        _ = ready.wait_for(|ready| *ready) => tell(&Told::Ready),
        _ = orders.next_line() => return,
    }
    while let Ok(Some(order)) = orders.next_line().await {
        match order.as_str() {
            BEGIN => {
                measure.begin();
                tell(&Told::Begun);
            }
            END => tell(&Told::Measured(measure.end())),
            _ => {}
        }
    }
}

fn orders() -> Lines<BufReader<Stdin>> {
    BufReader::new(tokio::io::stdin()).lines()
}

fn tell(told: &Told) {
    let mut out = std::io::stdout().lock();
    // Nobody listens any more: the end of standard input says so too.
    let _ = serde_json::to_writer(&mut out, told);
    let _ = writeln!(out);
    let _ = out.flush();
}

pub(crate) fn say_on_stderr(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
