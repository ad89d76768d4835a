//! The kernels against the exact integer model, on many more seeds than a board runs.

use firmware::suite::{GROUPS, Outcome};

/// A fixed seed, or the one in UPCONV_SEED; printed so that a failure can be repeated.
fn seed() -> u64 {
    let seed = std::env::var("UPCONV_SEED").map_or(1, |s| s.parse().expect("UPCONV_SEED is a whole number"));
    println!("seed {seed} (set UPCONV_SEED to change it)");
    seed
}

#[test]
fn every_kernel_equals_the_exact_integer_model() {
    let seed = seed();
    for &(name, group) in GROUPS {
        let outcome = group(seed, 3000);
        assert_eq!(outcome.failed, 0, "{name}: {outcome:?} with seed {seed}");
        assert_ne!(outcome.digest, 0);
    }
}

#[test]
fn the_suite_repeats_itself_and_depends_on_its_seed() {
    for &(name, group) in GROUPS {
        let (a, b, c): (Outcome, _, _) = (group(5, 40), group(5, 40), group(6, 40));
        assert_eq!(a, b, "{name}");
        assert_ne!(a.digest, c.digest, "{name}");
    }
}
