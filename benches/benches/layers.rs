//! `cargo bench`: each layer on this host as a whole tensor and row by row, beside the naive form and embedded-nn, which must all give the same bytes.
//! The report is `target/criterion/report/index.html`.

use benches::{LAYERS, plan};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use embedded_nn::convolution::{convolve_per_channel_s8, depthwise_conv_per_channel_s8, transpose_conv_s8};
use embedded_nn::types::{self as nn, Dims};
use firmware::bench::{Mode, Numbers, Operator, Spec};
use firmware::suite::{Random, exact};
use std::hint::black_box;
use std::time::Duration;
use upconv::{
    Activation, Bound, Convolution, Geometry, Layer, Multiplier, NearestMode, Numerics, Plan, Quant, Quantization,
    Resize, Rounding, Upsample, WeightOrder, Weights,
};

const X_ZERO: i32 = -5;
const Y_ZERO: i32 = 3;

fn convolutions(c: &mut Criterion) {
    for layer in LAYERS {
        let spec = Spec::parse(layer.spec).expect("a line that can be read");
        let (Operator::Convolution { transposed, geometry, .. }, Numbers::I8, false) =
            (spec.operator, spec.numbers, spec.rows)
        else {
            continue;
        };
        let Some(Ok(plan)) = plan(&spec) else { continue };
        let mut random = Random::new(1);
        let (input, output) = (plan.input(), plan.output());
        let (mut x, mut y) = (vec![0i8; input.len()], vec![0; output.len()]);
        let (mut weights, mut packed) = (vec![0i8; plan.weight_len()], vec![0; plan.weight_len()]);
        x.fill_with(|| random.element());
        weights.fill_with(|| random.element::<i8>().max(-127));
        let order = WeightOrder::Tflite;
        plan.pack_into(&weights, order, &mut packed).unwrap();
        let bias: Vec<i32> = (0..output.c).map(|_| random.below(8192) as i32 - 4096).collect();
        let multipliers: Vec<_> =
            (0..output.c).map(|i| Multiplier::from_real(4e-4 + 1e-6 * i as f64).unwrap()).collect();
        let quant = Quantization {
            x: Quant::new(1.0, X_ZERO),
            y: Quant::new(1.0, Y_ZERO),
            multipliers: &multipliers,
            activation: Activation::None,
            rounding: Rounding::TfliteDouble,
        };
        let ours: Convolution<i8> = Weights { packed: &packed[..], bias: &bias[..] }.layer(&plan, quant).unwrap();
        Bound::whole(&ours, &x, &mut y).unwrap().run();
        let expected = y.clone();

        let mut group = c.benchmark_group(format!("{} {}", layer.name, layer.spec));
        group.throughput(Throughput::Elements(plan.macs()));
        let mut row = vec![0; output.row_len()];
        group.bench_function("upconv, whole tensor", |b| {
            let mut bound = Bound::whole(&ours, &x, &mut y).unwrap();
            b.iter(|| black_box(&mut bound).run());
        });
        group.bench_function("upconv, row by row", |b| b.iter(|| by_rows(&ours, &x, &mut row)));

        let weights = &weights;
        let problem = exact::Problem { input, output, geometry, transposed, weights, order, bias: &bias, quant };
        exact::convolution(&problem, &x, &mut y);
        assert_eq!(y, expected, "the naive form of {}", layer.spec);
        group.bench_function(if transposed { "naive scatter" } else { "naive gather" }, |b| {
            b.iter(|| exact::convolution(&problem, black_box(&x), &mut y));
        });

        // It has no groups in a transposed convolution.
        if geometry.groups == 1 || !transposed {
            let theirs = EmbeddedNn::new(&plan, transposed, geometry, &multipliers);
            let weights = theirs.order(weights);
            theirs.run(&x, &weights, &bias, &mut y);
            assert_eq!(y, expected, "embedded-nn on {}", layer.spec);
            group.bench_function("embedded-nn", |b| b.iter(|| theirs.run(black_box(&x), &weights, &bias, &mut y)));
        }
        group.finish();
    }
}

/// Every row in its turn, as a display would take it.
fn by_rows(layer: &dyn Layer<i8>, x: &[i8], row: &mut [i8]) {
    let mut bound = Bound::rows(layer, black_box(x), row).unwrap();
    while let Some(row) = bound.next_row() {
        black_box(row);
    }
}

/// The same layer for embedded-nn.
struct EmbeddedNn {
    transposed: bool,
    depthwise: bool,
    parameters: nn::ConvParams,
    quantization: [Vec<i32>; 2],
    input: Dims,
    filter: Dims,
    output: Dims,
}

impl EmbeddedNn {
    fn new(plan: &Plan, transposed: bool, g: Geometry, multipliers: &[Multiplier]) -> Self {
        let (input, output) = (plan.input(), plan.output());
        let dims = |n: usize, [h, w]: [usize; 2], c: usize| Dims::new(n as i32, h as i32, w as i32, c as i32);
        let tile = |[h, w]: [usize; 2]| nn::Tile::new(w as i32, h as i32);
        let [top, bottom, left, right] =
            [g.padding.top, g.padding.bottom, g.padding.left, g.padding.right].map(|p| p as i32);
        EmbeddedNn {
            transposed,
            depthwise: g.groups > 1,
            parameters: nn::ConvParams {
                input_offset: -X_ZERO,
                output_offset: Y_ZERO,
                stride: tile(g.stride),
                padding: nn::Padding2D::new(top, bottom, left, right),
                dilation: tile(g.dilation),
                activation: nn::Activation::int8_unconstrained(),
            },
            quantization: [
                multipliers.iter().map(|m| m.q()).collect(),
                multipliers.iter().map(|m| m.shift().into()).collect(),
            ],
            input: dims(1, [input.h, input.w], input.c),
            filter: dims(output.c, g.kernel, input.c),
            output: dims(1, [output.h, output.w], output.c),
        }
    }

    /// Its depthwise kernel has the channels innermost.
    fn order(&self, weights: &[i8]) -> Vec<i8> {
        let taps = (self.filter.h * self.filter.w) as usize;
        let inner = |tap| weights.iter().skip(tap).step_by(taps);
        if self.depthwise { (0..taps).flat_map(inner).copied().collect() } else { weights.to_vec() }
    }

    fn run(&self, x: &[i8], weights: &[i8], bias: &[i32], y: &mut [i8]) {
        let [multiplier, shift] = &self.quantization;
        let quantization = nn::PerChannelQuantParams { multiplier, shift };
        if self.depthwise {
            let &nn::ConvParams { input_offset, output_offset, stride, padding, dilation, activation } =
                &self.parameters;
            let parameters =
                nn::DwConvParams { input_offset, output_offset, ch_mult: 1, stride, padding, dilation, activation };
            let (filter, bias) = (Dims::new(1, self.filter.h, self.filter.w, self.output.c), Some(bias));
            return depthwise_conv_per_channel_s8(
                &parameters,
                &quantization,
                &self.input,
                x,
                &filter,
                weights,
                bias,
                &self.output,
                y,
            )
            .unwrap();
        }
        let run = if self.transposed { transpose_conv_s8 } else { convolve_per_channel_s8 };
        let (parameters, bias) = (&self.parameters, Some(bias));
        run(parameters, &quantization, &self.input, x, &self.filter, weights, bias, &self.output, y).unwrap();
    }
}

/// A resize from its definition.
type Naive<'a> = dyn Fn(&[i8], &mut [i8]) + 'a;

fn upsampling(c: &mut Criterion) {
    for layer in LAYERS {
        let spec = Spec::parse(layer.spec).expect("a line that can be read");
        let Operator::Resize { mode, to: [h, w], coordinates, .. } = spec.operator else { continue };
        if spec.numbers != Numbers::I8 {
            continue;
        }
        let input = spec.input;
        let x: Vec<i8> = (0..input.len()).map(|i| (i * 31 % 251) as i8).collect();
        let axis = |input: usize, output: usize| {
            let [input, output] = [input, output].map(|n| n as i64);
            exact::Axis { input, output, scale: (output, input), coordinates }
        };
        let axes = [axis(input.h, h), axis(input.w, w)];
        let bilinear = Upsample::bilinear(input, Resize::to(h, w).coordinates(coordinates), Numerics::Exact).unwrap();
        let nearest = Upsample::nearest(input, h / input.h, w / input.w).unwrap();
        let (ours, naive): (&dyn Layer<i8>, &Naive) = match mode {
            Mode::Bilinear => (&bilinear, &|x, y| exact::bilinear(x, axes, Numerics::Exact, y)),
            Mode::Nearest => (&nearest, &|x, y| exact::nearest(x, axes, NearestMode::Floor, y)),
            _ => continue,
        };
        let (mut y, mut row) = (vec![0; ours.output().len()], vec![0; ours.output().row_len()]);
        let mut group = c.benchmark_group(format!("{} {}", layer.name, layer.spec));
        group.throughput(Throughput::Elements(y.len() as u64));
        group.bench_function("upconv, whole tensor", |b| {
            let mut bound = Bound::whole(ours, &x, &mut y).unwrap();
            b.iter(|| black_box(&mut bound).run());
        });
        group.bench_function("upconv, row by row", |b| b.iter(|| by_rows(ours, &x, &mut row)));
        let expected = y.clone();
        naive(&x, &mut y);
        assert_eq!(y, expected, "the naive form of {}", layer.spec);
        group.bench_function("naive gather", |b| b.iter(|| naive(black_box(&x), &mut y)));
        group.finish();
    }
}

fn short() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
}

criterion_group! {
    name = all;
    config = short();
    targets = convolutions, upsampling
}
criterion_main!(all);
