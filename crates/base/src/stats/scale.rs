//! The scale on which latencies are compared: they vary in proportion to their size, so it is the natural
//! logarithm. Below a tenth of a second, where a reply may begin before the question has ended (a latency below
//! zero), it goes on as a straight line, so that every latency has a place on it and figures of different runs
//! are always on the same scale.

/// Below this the scale is a straight line, in milliseconds.
const LINEAR_BELOW_MS: f64 = 100.0;

/// A latency in milliseconds on the scale; a change of 0.18 is +20 %.
pub fn up(ms: f64) -> f64 {
    if ms >= LINEAR_BELOW_MS {
        ms.ln()
    } else {
        LINEAR_BELOW_MS.ln() + (ms - LINEAR_BELOW_MS) / LINEAR_BELOW_MS
    }
}

/// A place on the scale in milliseconds.
pub fn down(place: f64) -> f64 {
    let edge = LINEAR_BELOW_MS.ln();
    if place >= edge { place.exp() } else { LINEAR_BELOW_MS + (place - edge) * LINEAR_BELOW_MS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_latency_has_a_place_in_order() {
        let latencies = [-250.0, -1.0, 0.0, 40.0, 99.9, 100.0, 101.0, 1_000.0, 9_000.0];
        for pair in latencies.windows(2) {
            assert!(up(pair[0]) < up(pair[1]), "{pair:?}");
        }
        for ms in latencies {
            assert!((down(up(ms)) - ms).abs() < 1e-9, "{ms}");
        }
        assert!((up(1_200.0) - up(1_000.0) - 1.2_f64.ln()).abs() < 1e-12);
    }
}
