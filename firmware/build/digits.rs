//! Turns `models/digits/model.json` into Rust: one static layer per entry, planned and packed at compile time.

use serde_json::Value;
use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

/// Writes `OUT_DIR/digits.rs`.
pub fn generate() {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap()).join("../models/digits");
    let model: Value = serde_json::from_slice(&fs::read(root.join("model.json")).unwrap()).unwrap();
    let file = |name: &str| root.join(name).canonicalize().unwrap();
    let weights = fs::read(file("weights.i8")).unwrap();
    let words = |name: &str| -> Vec<[u8; 4]> {
        fs::read(file(name)).unwrap().chunks_exact(4).map(|b| b.try_into().unwrap()).collect()
    };
    let (bias, scales) = (words("bias.i32"), words("scales.f32"));

    let mut out = String::from("use upconv::*;\n");
    let mut decoders = String::new();
    let mut most = 0;
    for decoder in model["decoders"].as_array().unwrap() {
        let name = decoder["name"].as_str().unwrap();
        let layers = decoder["layers"].as_array().unwrap();
        let (mut list, mut flash) = (String::new(), 0);
        for (i, layer) in layers.iter().enumerate() {
            let id = format!("{}_{i}", name.to_uppercase());
            let op = layer["op"].as_str().unwrap();
            let input = numbers(&layer["in"]);
            let shape = format!("Shape::new({}, {}, {})", input[0], input[1], input[2]);
            write!(list, "&{id}, ").unwrap();
            most = most.max(input.iter().product::<usize>() + numbers(&layer["out"]).iter().product::<usize>());
            match op {
                "upsample_nearest" => {
                    let f = numbers(&layer["factor"]);
                    writeln!(out, "static {id}: Nearest = must!(Upsample::nearest({shape}, {}, {}));", f[0], f[1])
                        .unwrap();
                    continue;
                }
                "upsample_bilinear" => {
                    let o = numbers(&layer["out"]);
                    let plan = format!(
                        "Upsample::bilinear({shape}, Resize::to({}, {}), Numerics::Tflite(Rounding::TfliteDouble))",
                        o[0], o[1]
                    );
                    writeln!(out, "static {id}: Bilinear = must!({plan});").unwrap();
                    continue;
                }
                _ => {}
            }
            let plan = match op {
                "conv" => "Conv",
                "conv_transpose" => "ConvTranspose",
                _ => panic!("model.json: unknown op {op}"),
            };
            let (kernel, stride) = (numbers(&layer["kernel"]), numbers(&layer["stride"]));
            let (padding, channels) = (numbers(&layer["padding"]), &layer["out_channels"]);
            let (w, b) = (range(&layer["weight"]), range(&layer["bias"]));
            let s = range(&layer["weight_scales"]);
            flash += w.len() + 4 * b.len() + 8 * s.len();
            // The weights of a dense layer's outputs are one row of its matrix each, whatever the shape they are read in.
            let weights: Vec<i8> = weights[w].iter().map(|b| *b as i8).collect();
            let bias: Vec<i32> = bias[b].iter().map(|b| i32::from_le_bytes(*b)).collect();
            let scales: Vec<f32> = scales[s].iter().map(|b| f32::from_le_bytes(*b)).collect();
            let (x, y) = (quant(&layer["x"]), quant(&layer["y"]));
            let activation = match &layer["activation"] {
                Value::String(a) if a == "relu" => "Activation::Relu".into(),
                Value::String(a) if a == "none" => "Activation::None".into(),
                a => format!(
                    "Activation::Clamp {{ min: {:?}, max: {:?} }}",
                    float(&a["clamp"][0]),
                    float(&a["clamp"][1])
                ),
            };
            write!(
                out,
                "const PLAN_{id}: Plan = must!({plan}::plan({shape}, {channels}, Geometry::new({}, {}).stride({}, {})
                    .padding(Padding {{ top: {p0}, left: {p1}, bottom: {p0}, right: {p1} }})));
                static WEIGHTS_{id}: [i8; {}] = must!(PLAN_{id}.pack(&{weights:?}, WeightOrder::Torch));
                static MULTIPLIERS_{id}: [Multiplier; {}] = must!(Multiplier::per_channel({:?}, &{scales:?}, {:?}));
                static {id}: Convolution<i8> = must!(Weights {{ packed: &WEIGHTS_{id}, bias: &{bias:?} as &[i32] }}.layer(
                    &PLAN_{id},
                    Quantization {{
                        x: Quant::new({:?}, {}), y: Quant::new({:?}, {}), multipliers: &MULTIPLIERS_{id},
                        activation: {activation}, rounding: Rounding::TfliteDouble,
                    }},
                ));\n",
                kernel[0],
                kernel[1],
                stride[0],
                stride[1],
                weights.len(),
                scales.len(),
                x.0,
                y.0,
                x.0,
                x.1,
                y.0,
                y.1,
                p0 = padding[0],
                p1 = padding[1],
            )
            .unwrap();
        }
        writeln!(decoders, "super::Decoder {{ name: {name:?}, layers: &[{list}], flash: {flash} }},").unwrap();
    }
    let (samples, latent) = (&model["samples"], &model["latent"]);
    let codes: Vec<i8> = fs::read(file("codes.i8")).unwrap().iter().map(|b| *b as i8).collect();
    write!(
        out,
        "/// The decoders of the model.\npub static DECODERS: [super::Decoder; {}] = [{decoders}];
        pub const SAMPLES: usize = {samples};\npub const LATENT: usize = {latent};\npub const ACTIVATIONS: usize = {most};
        pub static CODES: [i8; {}] = {codes:?};
        pub static IMAGES: &[u8] = include_bytes!({:?});\npub static LABELS: &[u8] = include_bytes!({:?});\n",
        model["decoders"].as_array().unwrap().len(),
        codes.len(),
        file("images.u8"),
        file("labels.u8"),
    )
    .unwrap();
    fs::write(Path::new(&env::var("OUT_DIR").unwrap()).join("digits.rs"), out).unwrap();
}

fn numbers(v: &Value) -> Vec<usize> {
    v.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect()
}

fn range(v: &Value) -> std::ops::Range<usize> {
    let (offset, len) = (v["offset"].as_u64().unwrap() as usize, v["len"].as_u64().unwrap() as usize);
    offset..offset + len
}

fn float(v: &Value) -> f32 {
    v.as_f64().unwrap() as f32
}

fn quant(v: &Value) -> (f32, i64) {
    (float(&v["scale"]), v["zero"].as_i64().unwrap())
}
