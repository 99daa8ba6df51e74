//! Special functions, to about ten digits and for sample sizes up to 10⁹.
//!
//! Written here because the incomplete beta function that fits our minimum Rust version (statrs 0.18) gives up
//! its continued fraction after a fixed, small number of terms, which large samples exceed.

/// ln Γ(x) for x > 0: Stirling's series (DLMF 5.11.1), after shifting small arguments up by Γ(x+1) = x·Γ(x).
pub(super) fn ln_gamma(x: f64) -> f64 {
    let mut x = x;
    let mut shift = 0.0;
    while x < 12.0 {
        shift += x.ln();
        x += 1.0;
    }
    let inverse = 1.0 / x;
    let square = inverse * inverse;
    let series = inverse
        * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square * (1.0 / 1680.0 - square / 1188.0))));
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series - shift
}

/// The regularised incomplete beta function I_x(a, b), for a, b > 0: the continued fraction DLMF 8.17.22,
/// evaluated by Lentz's method. The number of terms grows with √max(a, b).
pub(super) fn beta_reg(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    // The fraction converges quickly below the mean; above it, use I_x(a, b) = 1 − I_{1−x}(b, a).
    if x > (a + 1.0) / (a + b + 2.0) { 1.0 - lower_tail(b, a, 1.0 - x) } else { lower_tail(a, b, x) }
}

fn lower_tail(a: f64, b: f64, x: f64) -> f64 {
    const TERMS_MAX: u32 = 200_000;
    const TINY: f64 = 1e-300;
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let ln_front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p();
    let mut numerator = 1.0;
    let mut denominator = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = denominator;
    for m in 1..TERMS_MAX {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut step = 1.0;
        for coefficient in [even, odd] {
            denominator = 1.0 / away_from_zero(1.0 + coefficient * denominator);
            numerator = away_from_zero(1.0 + coefficient / numerator);
            step = numerator * denominator;
            fraction *= step;
        }
        if (step - 1.0).abs() < 1e-14 {
            break;
        }
    }
    (ln_front.exp() * fraction / a).clamp(0.0, 1.0)
}

/// Where an increasing function of [low, high] crosses `wanted`, by bisection to the last bits.
pub(super) fn solve_increasing(mut low: f64, mut high: f64, wanted: f64, f: impl Fn(f64) -> f64) -> f64 {
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            break;
        }
        if f(middle) < wanted { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// The x with I_x(a, b) = `probability`.
pub(super) fn beta_quantile(a: f64, b: f64, probability: f64) -> f64 {
    solve_increasing(0.0, 1.0, probability, |x| beta_reg(a, b, x))
}

/// The two-sided quantile of Student's t: |T| is at most this with probability `confidence`.
///
/// From P(|T| > t) = I_{ν/(ν+t²)}(ν/2, 1/2), DLMF 8.17 and Johnson, Kotz and Balakrishnan, ch. 28.
pub(super) fn student_t(confidence: f64, degrees: f64) -> f64 {
    let x = beta_quantile(degrees / 2.0, 0.5, 1.0 - confidence);
    (degrees * (1.0 - x) / x).sqrt()
}

/// The two-sided quantile of the normal distribution, as Student's t of very many degrees.
pub(super) fn normal_z(confidence: f64) -> f64 {
    student_t(confidence, 1e8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(actual: f64, expected: f64, relative: f64) {
        assert!((actual - expected).abs() <= relative * expected.abs().max(1e-12), "{actual} for {expected}");
    }

    #[test]
    fn ln_gamma_agrees_with_c() {
        for (x, expected) in [
            (0.5, 0.572_364_942_924_700_4),
            (2.5, 0.284_682_870_472_919_6),
            (10.0, 12.801_827_480_081_467),
            (1000.0, 5_905.220_423_209_181),
            (1e8, 1_742_068_066.103_834_9),
        ] {
            assert_close(ln_gamma(x), expected, 1e-12);
        }
        assert!(ln_gamma(1.0).abs() < 1e-12);
    }

    #[test]
    fn the_incomplete_beta_function_agrees_with_scipy() {
        for (a, b, x, expected) in [
            (0.5, 0.5, 0.3, 0.369_010_119_565_545_36),
            (2.0, 3.0, 0.4, 0.524_8),
            (10.0, 1.0, 0.9, 0.348_678_440_1),
            (950.0, 51.0, 0.95, 0.537_529_040_801_425),
            (99_000.0, 1_001.0, 0.99, 0.508_409_473_351_421_4),
            (5e6, 5e6, 0.500_2, 0.897_048_398_035_121_2),
            (1.0, 368.0, 0.01, 0.975_239_944_609_906_3),
        ] {
            assert_close(beta_reg(a, b, x), expected, 1e-7);
        }
    }

    #[test]
    fn quantiles_of_t_and_normal_agree_with_scipy() {
        for (degrees, expected) in
            [(1.0, 12.706_204_736), (2.0, 4.302_652_730), (7.0, 2.364_624_252), (127.0, 1.978_819_535)]
        {
            assert_close(student_t(0.95, degrees), expected, 1e-8);
        }
        assert_close(normal_z(0.95), 1.959_963_985, 1e-6);
        assert_close(normal_z(0.999), 3.290_526_731, 1e-6);
    }
}
