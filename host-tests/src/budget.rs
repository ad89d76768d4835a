//! How far a result may lie from the f64 reference, in one place: 0 output steps unless a line below says otherwise and why.

use crate::call::{Numbers, Op};
use crate::reference::Interpolation;

/// The reference and an expected output may differ by this part of the largest expected value: frameworks store f32 and some also
/// compute in it, where a sum of a few hundred products keeps about five digits.
pub const REFERENCE: f64 = 1e-5;

/// Room for what f64 itself rounds and for a 31-bit multiplier: 2⁻³² of a few hundred int8 steps.
const F64: f64 = 1e-6;

/// The distance allowed from a real value, in output steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// For every value.
    pub steps: f64,
    /// On top, per step of the value's own distance from 0.
    pub per_step: f64,
}

impl Budget {
    /// What is allowed where the real value is `steps` from 0.
    pub fn at(self, steps: f64) -> f64 {
        self.steps + self.per_step * steps.abs()
    }
}

/// The budget of an operator.
pub fn budget(op: &Op, numbers: Numbers) -> Budget {
    let (steps, per_step) = match (op, numbers) {
        // One rounding of an exact sum times a 31-bit multiplier.
        (Op::Conv { .. }, Numbers::I8) => (0.5 + F64, 0.0),
        // The same, but TFLite's int16x8 rounds the multiplier to 16 bits, at most 2^-15 of it: one step at full scale.
        (Op::Conv { .. }, Numbers::I16) => (0.5 + F64, 1.0 / 32768.0),
        // A copy of an input.
        (Op::Resize(_, by), _) if by.copies() => (0.0, 0.0),
        // One rounding of an exact fraction.
        (Op::Resize(_, Interpolation::Linear | Interpolation::Cubic { .. } | Interpolation::Area), _) => {
            (0.5 + F64, 0.0)
        }
        _ => (0.0, 0.0),
    };
    Budget { steps, per_step }
}
