//! PyTorch's outputs hold the f64 reference to 1e-5, and the quantised kernels follow the reference on the same cases.

use host_tests::golden;
use std::collections::BTreeMap;

#[test]
fn reference_equals_pytorch_to_1e_5() {
    let mut seen = BTreeMap::new();
    for case in golden::load() {
        let y = case.reference();
        assert_eq!(y.shape, case.y.shape, "{}", case.name);
        let error = y.data.iter().zip(&case.y.data).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(error <= 1e-5, "{} {} {}: differs by {error:e}", case.name, case.op, case.kwargs);
        let (count, worst) = seen.entry(case.op).or_insert((0, 0f64));
        (*count, *worst) = (*count + 1, worst.max(error));
    }
    for (op, (count, worst)) in &seen {
        println!("{op:18} {count:4} cases, largest difference {worst:.1e}");
    }
    assert!(seen.len() == 9 && seen.values().map(|(n, _)| n).sum::<usize>() >= 400);
}
