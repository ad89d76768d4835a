//! The kernels against the exact integer model, on many more seeds than a board runs, and their tables against the reference.

use firmware::suite::{GROUPS, HOST_GROUPS, MORE_GROUPS, Outcome, Random};
use host_tests::reference::{Axis, Interpolation};
use upconv::{Coordinates, tflite_nearest, torch_nearest, torch_nearest_exact};

/// A fixed seed, or the one in UPCONV_SEED; printed so that a failure can be repeated.
fn seed() -> u64 {
    let seed = std::env::var("UPCONV_SEED").map_or(1, |s| s.parse().expect("UPCONV_SEED is a whole number"));
    println!("seed {seed} (set UPCONV_SEED to change it)");
    seed
}

#[test]
fn every_kernel_equals_the_exact_integer_model() {
    let seed = seed();
    // Under Miri not the other type of what has no assembly.
    for &(name, group) in GROUPS.iter().chain(MORE_GROUPS).chain(HOST_GROUPS.iter().filter(|_| !cfg!(miri))) {
        println!("{name}");
        let outcome = group(Random::new(seed), if cfg!(miri) { 3 } else { 3000 });
        assert_eq!(outcome.failed, 0, "{name}: {outcome:?} with seed {seed}");
        assert!(cfg!(miri) || outcome.digest != 0);
    }
}

#[test]
#[cfg_attr(miri, ignore = "the same code once more")]
fn the_suite_repeats_itself_and_depends_on_its_seed() {
    for &(name, group) in GROUPS.iter().chain(MORE_GROUPS).chain(HOST_GROUPS) {
        let run = |seed| -> Outcome { group(Random::new(seed), 40) };
        let (a, b, c) = (run(5), run(5), run(6));
        assert_eq!(a, b, "{name}");
        assert_ne!(a.digest, c.digest, "{name}");
    }
}

/// Holds the tables from every input up to 256 to N outputs to the reference, which PyTorch's and LiteRT's vectors hold.
fn tables<const N: usize>() {
    for input in 1..=256 {
        let sampled = |by: Interpolation, scale: Option<f64>| -> [u16; N] {
            let to = Axis::to(input, N, Coordinates::Asymmetric);
            let axis = Axis { scale: scale.map_or(to.scale, |s| [s, 1.0]), ..to };
            std::array::from_fn(|i| by.taps(axis, i)[0].0 as u16)
        };
        for scale in [None, Some(N as f64 / input as f64), Some(2.6), Some(0.37)] {
            assert_eq!(torch_nearest::<N>(input, scale), sampled(Interpolation::TorchNearest, scale));
            assert_eq!(torch_nearest_exact::<N>(input, scale), sampled(Interpolation::TorchNearestExact, scale));
        }
        for (align_corners, half_pixel) in [(false, false), (false, true), (true, false), (true, true)] {
            let by = Interpolation::TfliteNearest { align_corners, half_pixel };
            assert_eq!(tflite_nearest::<N>(input, align_corners, half_pixel), sampled(by, None));
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "a million floats")]
fn f32_tables_are_those_of_the_reference() {
    macro_rules! sizes { ($($n:literal)*) => { $( tables::<$n>(); )* } }
    sizes!(1 2 3 4 5 7 8 9 11 13 16 23 28 32 41 47 55 61 64 82 96 123 128 164 224 255 256);
}
