//! The exponential function and its kin as `const fn`, for building tables.
//!
//! With k the whole number nearest to x / ln 2 and r = x − k·ln 2, |r| <= 0.347:
//!
//! ```text
//! e^x = 2^k · (1 + r + r²/2! + … + r^15/15!)
//! ```
//! The first term left out is below 2⁻⁶⁵. k·ln 2 is subtracted in two parts, the first of 33 bits so that its product with k is exact.

/// `e^x − 1 = 2^k · (1 + p) − 1`: (k, p), for |x| <= 800.
const fn split(x: f64) -> (i32, f64) {
    const LN_2_HIGH: f64 = f64::from_bits(0x3FE6_2E42_FEE0_0000);
    const LN_2_LOW: f64 = f64::from_bits(0x3DEA_39EF_3579_3C76);
    let steps = x * core::f64::consts::LOG2_E;
    let k = (if steps < 0.0 { steps - 0.5 } else { steps + 0.5 }) as i32;
    let r = (x - k as f64 * LN_2_HIGH) - k as f64 * LN_2_LOW;
    // Horner, in the form r (1 + r/2 (1 + r/3 (1 + …))).
    let (mut p, mut n) = (1.0, 15);
    while n > 1 {
        p = 1.0 + p * r / n as f64;
        n -= 1;
    }
    (k, r * p)
}

/// `2^k`, for -1022 <= k <= 1023.
const fn power(k: i32) -> f64 {
    f64::from_bits(((k + 1023) as u64) << 52)
}

/// `e^x` with a relative error below 2⁻⁵¹ (`tests::exp_is_that_of_std`); 0 and infinity at the ends.
pub(super) const fn exp(x: f64) -> f64 {
    if x < -750.0 {
        return 0.0;
    }
    if x > 710.0 {
        return f64::INFINITY;
    }
    let (k, p) = split(x);
    // In two steps, so that neither power leaves the range before the product does.
    let half = k / 2;
    (1.0 + p) * power(half) * power(k - half)
}

/// `1 / (1 + e^-x)`
pub(super) const fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x))
}

/// `tanh x` with a relative error below 2⁻⁵⁰ (`tests::tanh_is_that_of_std`).
pub(super) const fn tanh(x: f64) -> f64 {
    let size = if x < 0.0 { -x } else { x };
    // 1 - 2 e^-40 is nearer to 1 than to any other f64.
    let (k, p) = split(if size > 20.0 { 40.0 } else { 2.0 * size });
    // With e = e^2x - 1: e / (e + 2), where e keeps its precision near 0.
    let e = power(k) * p + (power(k) - 1.0);
    let y = e / (e + 2.0);
    if x < 0.0 { -y } else { y }
}

/// The whole number nearest to `v`, ties away from zero. Beyond 64 bits it saturates.
pub(crate) const fn round(v: f64) -> i64 {
    let whole = v as i64;
    let rest = v - whole as f64; // exact below 2^53, and 0 above
    if rest >= 0.5 {
        whole.saturating_add(1)
    } else if rest <= -0.5 {
        whole.saturating_sub(1)
    } else {
        whole
    }
}

/// k where `scale` lies within a factor of 2^±0.001 of 2^k: what TFLite takes for a power of two (`CheckedLog2`).
pub(crate) const fn log2(scale: f32) -> Option<i32> {
    let bits = scale.to_bits();
    let (exponent, mantissa) = ((bits >> 23) as i32 - 127, f32::from_bits(bits & 0x007F_FFFF | 127 << 23));
    match scale >= f32::MIN_POSITIVE {
        true if mantissa < 1.000_693_4 => Some(exponent),
        true if mantissa > 1.998_614_2 => Some(exponent + 1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Arguments close together around 0, then spread over the whole range.
    fn arguments() -> impl Iterator<Item = f64> {
        let near = (-60_000..=60_000).map(|i| f64::from(i) / 8192.0);
        let far = (-700_000..=700_000).map(|i| f64::from(i) * 0.001_000_7);
        near.chain(far).chain((0..60).flat_map(|e| [1.0, -1.0, 1.3, -1.7].map(|m| m / 2f64.powi(e))))
    }

    fn worst(ours: fn(f64) -> f64, theirs: fn(f64) -> f64) -> f64 {
        let error = |x| (ours(x) / theirs(x) - 1.0).abs();
        arguments().filter(|x| theirs(*x) != 0.0).map(error).fold(0.0, f64::max)
    }

    #[test]
    #[cfg_attr(miri, ignore = "floats of the host")]
    fn exp_is_that_of_std() {
        let error = worst(exp, f64::exp);
        assert!(error < 2f64.powi(-51), "{error:e}");
        for x in [-750.0, -800.0, f64::NEG_INFINITY] {
            assert_eq!(exp(x), 0.0);
        }
        for x in [710.0, 1e9, f64::INFINITY] {
            assert_eq!(exp(x), f64::INFINITY);
        }
        assert_eq!((exp(0.0), exp(-0.0)), (1.0, 1.0));
        assert!((exp(709.7) / 709.7f64.exp() - 1.0).abs() < 2f64.powi(-51));
        assert!((exp(-744.0) - (-744f64).exp()).abs() <= 5e-324);
    }

    #[test]
    #[cfg_attr(miri, ignore = "floats of the host")]
    fn tanh_is_that_of_std() {
        let error = worst(tanh, f64::tanh);
        assert!(error < 2f64.powi(-50), "{error:e}");
        assert_eq!((tanh(0.0), tanh(1e9), tanh(f64::NEG_INFINITY)), (0.0, 1.0, -1.0));
    }

    #[test]
    #[cfg_attr(miri, ignore = "floats of the host")]
    fn sigmoid_is_that_of_std() {
        let error = worst(sigmoid, |x| 1.0 / (1.0 + (-x).exp()));
        assert!(error < 2f64.powi(-50), "{error:e}");
    }

    #[test]
    #[cfg_attr(miri, ignore = "floats of the host")]
    fn log2_is_that_of_tflite() {
        // In f32, as there: ln(x) / ln 2, its distance from a whole number below a thousandth.
        for i in 1..400_000u32 {
            let x = f32::from_bits(i * 4999);
            if !x.is_normal() {
                assert_eq!(log2(x), None);
                continue;
            }
            let exact = f64::from(x).log2();
            let fraction = (exact - exact.round()).abs();
            if (fraction - 1e-3).abs() > 1e-5 {
                assert_eq!(log2(x), (fraction < 1e-3).then_some(exact.round() as i32), "{x:e}");
            }
        }
    }

    #[test]
    fn round_is_that_of_std() {
        for i in (-4000..=4000).step_by(if cfg!(miri) { 37 } else { 1 }) {
            for v in [f64::from(i) / 8.0, (f64::from(i) / 8.0).next_up(), (f64::from(i) / 8.0).next_down()] {
                assert_eq!(round(v) as f64, v.round(), "{v}");
            }
        }
        assert_eq!((round(1e30), round(-1e30), round(f64::NAN)), (i64::MAX, i64::MIN, 0));
        assert_eq!((round(0.5f64.next_down()), round((1u64 << 52) as f64 + 1.0)), (0, (1 << 52) + 1));
    }
}
