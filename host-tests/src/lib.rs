//! Every operator in f64, straight from its definition, and the golden vectors that hold these definitions to PyTorch.
//!
//! The chain of witnesses: PyTorch's vectors hold [`reference`] to 1e-5; the exact integer model of the kernels' suite
//! (`firmware::suite::exact`) and the kernels agree bit for bit; and the kernels lie within half an output step of [`reference`].

pub mod golden;
pub mod reference;
