//! Holds the kernels against their definitions.
//!
//! The chain of witnesses: the vectors of PyTorch, ONNX and LiteRT hold [`reference`](mod@reference) to 1e-5 and, where they are quantised, the
//! kernels to the bit; the kernels lie within [`budget`](mod@budget) of the reference; and the exact integer model of the
//! kernels' suite (`firmware::suite::exact`) and the kernels agree bit for bit.
//!
//! Cases ([`cases`]) become neutral calls ([`call`]) and are run ([`run`]); the format is described in `CASES.md`.

pub mod budget;
pub mod call;
pub mod cases;

pub mod operators;
pub mod reference;
pub mod report;
pub mod run;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
