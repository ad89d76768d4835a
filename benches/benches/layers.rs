//! `cargo bench`: each layer on the host, MACs a second; and the naive scatter form of two of them.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use firmware::suite::{Random, exact};
use std::hint::black_box;
use upconv::{
    Activation, Bound, Convolution, Geometry, Multiplier, Numerics, Quant, Quantization, Resize, Rounding, Shape,
    Upsample, WeightOrder, Weights,
};

fn convolutions(c: &mut Criterion) {
    let mut group = c.benchmark_group("convolution");
    let mut random = Random::new(1);
    for (name, plan) in benches::layers() {
        let mut x = vec![0; plan.input().len()];
        let mut y = vec![0; plan.output().len()];
        let (mut weights, mut packed) = (vec![0; plan.weight_len()], vec![0; plan.weight_len()]);
        x.fill_with(|| random.element());
        weights.fill_with(|| random.element::<i8>());
        plan.pack_into(&weights, WeightOrder::Torch, &mut packed).unwrap();
        let channels = plan.output().c;
        let bias = vec![0i32; channels];
        let multipliers = vec![Multiplier::from_real(0.001).unwrap(); channels];
        let quant = Quantization {
            x: Quant::new(1.0, -5),
            y: Quant::new(1.0, 3),
            multipliers: &multipliers,
            activation: Activation::Relu,
            rounding: Rounding::TfliteDouble,
        };
        let layer: Convolution<i8> = Weights { packed: &packed[..], bias: &bias[..] }.layer(&plan, quant).unwrap();
        group.throughput(Throughput::Elements(plan.macs()));
        group.bench_function(BenchmarkId::new("phases", name), |b| {
            let mut bound = Bound::whole(&layer, &x, &mut y).unwrap();
            b.iter(|| black_box(&mut bound).run());
        });
        let geometry = match &name[..2] {
            "T1" => Geometry::square(2).stride(2, 2),
            "T4" => Geometry::square(4).stride(2, 2).pad(1),
            _ => continue,
        };
        let (input, output, order) = (plan.input(), plan.output(), WeightOrder::Torch);
        let naive =
            exact::Problem { input, output, geometry, transposed: true, weights: &weights, order, bias: &bias, quant };
        group.bench_function(BenchmarkId::new("naive scatter", name), |b| {
            b.iter(|| exact::convolution(&naive, black_box(&x), &mut y));
        });
    }
}

fn upsampling(c: &mut Criterion) {
    let mut group = c.benchmark_group("upsample");
    let input = Shape::new(16, 16, 16);
    let x: Vec<i8> = (0..input.len()).map(|i| (i * 31 % 251) as i8).collect();
    let mut y = vec![0; 4 * x.len()];
    group.throughput(Throughput::Elements(y.len() as u64));
    let nearest = Upsample::nearest(input, 2, 2).unwrap();
    let bilinear = Upsample::bilinear(input, Resize::to(32, 32), Numerics::Exact).unwrap();
    group.bench_function("N nearest x2 16x16x16", |b| {
        let mut bound = Bound::whole(&nearest, &x, &mut y).unwrap();
        b.iter(|| black_box(&mut bound).run());
    });
    group.bench_function("R2 bilinear x2 16x16x16", |b| {
        let mut bound = Bound::whole(&bilinear, &x, &mut y).unwrap();
        b.iter(|| black_box(&mut bound).run());
    });
}

criterion_group!(all, convolutions, upsampling);
criterion_main!(all);
