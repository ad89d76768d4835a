//! Memory of exactly the length that is asked for, so that the address sanitiser sees a read past it, between values that must stay.

use std::fmt::Debug;

const GUARD: usize = 16;

/// Runs `f` on `len` values of `paint` that stand between as many guards; answers the values and what `f` answered.
pub fn guarded<T: Copy + PartialEq + Debug, R>(len: usize, paint: T, f: impl FnOnce(&mut [T]) -> R) -> (Vec<T>, R) {
    let mut memory = vec![paint; len + 2 * GUARD];
    let result = f(&mut memory[GUARD..GUARD + len]);
    assert!(memory[..GUARD].iter().chain(&memory[GUARD + len..]).all(|v| *v == paint), "a guard was overwritten");
    (memory[GUARD..GUARD + len].to_vec(), result)
}
