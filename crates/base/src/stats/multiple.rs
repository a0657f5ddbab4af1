//! Several questions asked of the same data, with one limit on the chance of a false answer.

/// Adjusts the p-values of a family so that comparing each with α keeps the chance of any false
/// finding below α (Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian
/// Journal of Statistics 6, 1979, p. 65–70). In the order of the input.
#[expect(clippy::cast_precision_loss, reason = "a few dozen questions")]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut largest = 0.0_f64;
    for (rank, index) in order.into_iter().enumerate() {
        let left = (p_values.len() - rank) as f64;
        largest = largest.max(p_values[index] * left).min(1.0);
        adjusted[index] = largest;
    }
    adjusted
}

/// The level at which each question of a family is answered, given the smallest p-value each can
/// possibly give. A test of counts that could not find anything, whatever the data, takes no share of
/// α (Tarone, "A Modified Bonferroni Method for Discrete Data", Biometrics 46, 1990, p. 515–522).
#[expect(clippy::cast_precision_loss, reason = "a few questions")]
pub fn tarone_level(attainable: &[f64], alpha: f64) -> f64 {
    for share in 1..=attainable.len() {
        let level = alpha / share as f64;
        if attainable.iter().filter(|p| **p <= level).count() <= share {
            return level;
        }
    }
    alpha
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holm_by_hand() {
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (got, want) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((got - want).abs() < 1e-12, "{adjusted:?}");
        }
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }

    #[test]
    fn what_cannot_be_found_takes_no_share() {
        assert!((tarone_level(&[0.0, 1.0], 0.05) - 0.05).abs() < 1e-12);
        assert!((tarone_level(&[0.0, 0.04], 0.05) - 0.025).abs() < 1e-12);
        assert!((tarone_level(&[0.0, 0.001], 0.05) - 0.025).abs() < 1e-12);
    }
}
