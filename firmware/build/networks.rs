//! Turns `models/<task>/seed<n>/` into Rust: each decoder's layers as statics, planned and packed by the compiler for its target, and from these the
//! networks of either format, that of `nearest` a second time with the upsample folded away.
//!
//! Signals, whose pictures have one row, are laid along the height and planned without end.

use serde_json::Value;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The tasks.
const TASKS: [&str; 4] = ["bigpicture", "digits", "ecg", "nuclei"];

/// Writes `OUT_DIR/<task>.rs`: of a device's firmware only the first seed.
pub fn generate() {
    let models = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap()).join("../models").canonicalize().unwrap();
    println!("cargo::rerun-if-changed={}", models.display());
    let on_device = env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "none");
    for task in TASKS {
        let seed = |n: usize| models.join(task).join(format!("seed{n}"));
        let seeds = (0..).take_while(|n| seed(*n).exists() && !(on_device && *n > 0)).count();
        let mut out = String::new();
        let mut all = String::new();
        for n in 0..seeds {
            all += &Model::read(seed(n), n).generate(&mut out);
        }
        writeln!(out, "/// What was trained from each seed.\npub static SEEDS: [Seed; {seeds}] = [{all}];").unwrap();
        fs::write(Path::new(&env::var("OUT_DIR").unwrap()).join(format!("{task}.rs")), out).unwrap();
    }
}

/// What differs between the formats: the key in the model, a suffix, and the types of activations, weights and biases.
struct Format {
    key: &'static str,
    id: &'static str,
    value: &'static str,
    bias: &'static str,
    rounding: &'static str,
}

const INT8: Format = Format { key: "int8", id: "8", value: "i8", bias: "i32", rounding: "TfliteDouble" };
const INT16X8: Format = Format { key: "int16x8", id: "16", value: "i16", bias: "i64", rounding: "Tflite16x8" };

/// The files of a seed.
struct Model {
    folder: PathBuf,
    seed: usize,
    json: Value,
    scales: Vec<f32>,
    bias: Vec<f32>,
}

/// A tensor: its shape as it is planned, and its quantisation in the model.
struct Tensor<'a> {
    shape: [usize; 3],
    quant: &'a Value,
}

impl Model {
    fn read(folder: PathBuf, seed: usize) -> Self {
        let json = serde_json::from_slice(&fs::read(folder.join("model.json")).unwrap()).unwrap();
        let floats = |name: &str| -> Vec<f32> {
            let bytes = fs::read(folder.join(name)).unwrap();
            bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
        };
        let (scales, bias) = (floats("scales.f32"), floats("bias.f32"));
        Model { folder, seed, json, scales, bias }
    }

    /// Writes a module for each decoder; answers the seed as an expression.
    fn generate(&self, out: &mut String) -> String {
        let mut networks = String::new();
        for decoder in self.json["decoders"].as_array().unwrap() {
            let name = decoder["name"].as_str().unwrap();
            let module = format!("{name}_{}", self.seed);
            writeln!(
                out,
                "/// `{name}` of seed {}.\n#[allow(missing_docs)]\npub mod {module} {{\nuse super::*;",
                self.seed
            )
            .unwrap();
            writeln!(out, "const BYTES: &[u8] = include_bytes!({:?});", self.folder.join("weights.i8")).unwrap();
            let made = self.decoder(out, name, decoder["layers"].as_array().unwrap());
            out.push_str("}\n");
            made.iter().for_each(|network| networks += &format!("{module}::{network}, "));
        }
        let bytes = |name: &str| format!("include_bytes!({:?})", self.folder.join(name));
        let inputs = if self.folder.join("inputs.i8").exists() {
            format!("Inputs::Raw {{ int8: {}, int16: {} }}", bytes("inputs.i8"), bytes("inputs.i16"))
        } else {
            format!("Inputs::Pictures({})", bytes("../pictures.u8"))
        };
        let count = |key: &str| self.json[key].as_u64().filter(|n| *n > 0);
        let [h, w, c] = numbers::<3>(&self.json["input"]);
        let samples = count("samples").unwrap();
        format!(
            "Seed {{ networks: &[{networks}], inputs: {inputs}, samples: {samples}, len: {}, shown: {}, window: {} }}, ",
            h * w * c,
            count("torch_samples").unwrap_or(samples),
            h * c * count("window").map_or(w, |n| n as usize),
        )
    }

    /// Height and width as they are planned.
    fn pair<T: Copy>(&self, [y, x]: [T; 2]) -> [T; 2] {
        if self.is_signal() { [x, y] } else { [y, x] }
    }

    /// The pattern of a signal without end is as long as its window.
    fn shape(&self, v: &Value) -> [usize; 3] {
        let [h, w, c] = numbers(v);
        let [y, x] = self.pair([h, w]);
        let [_, all, _] = numbers(&self.json["input"]);
        let window = self.json["window"].as_u64().map_or(all, |n| n as usize);
        if self.is_signal() { [y * window / all, x, c] } else { [y, x, c] }
    }

    fn is_signal(&self) -> bool {
        let [h, w, _] = numbers::<3>(&self.json["input"]);
        h == 1 && w > 1
    }

    fn decoder(&self, out: &mut String, name: &str, layers: &[Value]) -> Vec<String> {
        let mut tensors = vec![Tensor { shape: self.shape(&self.json["input"]), quant: &self.json["x"] }];
        tensors.extend(layers.iter().map(|l| Tensor { shape: self.shape(&l["out"]), quant: &l["y"] }));
        let mut flash = [0; 2];
        for (i, layer) in layers.iter().enumerate() {
            let x = &tensors[from(layer)[0]];
            let (shape, y) = (planned(x.shape), &tensors[i + 1]);
            match layer["op"].as_str().unwrap() {
                "upsample_nearest" => {
                    let [h, w] = self.pair(numbers(&layer["factor"]));
                    writeln!(out, "static L{i}: Nearest = must!(Upsample::nearest({shape}, {h}, {w}));").unwrap();
                }
                "upsample_bilinear" => {
                    let [h, w, _] = y.shape;
                    writeln!(
                        out,
                        "static L{i}: Bilinear = must!(Upsample::bilinear({shape}, Resize::to({h}, {w}), Numerics::Tflite(Rounding::TfliteDouble)));"
                    )
                    .unwrap();
                }
                "concat" => {
                    for f in [INT8, INT16X8] {
                        let inputs: Vec<_> = from(layer)
                            .iter()
                            .map(|t| format!("({}, {})", planned(tensors[*t].shape), quant(tensors[*t].quant, &f)))
                            .collect();
                        writeln!(
                            out,
                            "static L{i}_{}: Concat<{}, {}> = must!(Concat::plan(Along::Channels, [{}], {}, Rounding::TfliteDouble));",
                            f.id, f.value, inputs.len(), inputs.join(", "), quant(y.quant, &f)
                        )
                        .unwrap();
                    }
                }
                op => {
                    let plan = match op {
                        "conv" => "Conv",
                        "conv_transpose" => "ConvTranspose",
                        _ => panic!("model.json: unknown op {op}"),
                    };
                    let (weights, geometry) = (range(&layer["weight"]), self.geometry(layer));
                    writeln!(
                        out,
                        "const P{i}: Plan = must!({plan}::plan({shape}, {}, {geometry}));
                        static W{i}: [i8; {}] = must!(P{i}.pack(&signed::<{1}>(BYTES, {}), WeightOrder::Torch));",
                        y.shape[2],
                        weights.len(),
                        weights.start
                    )
                    .unwrap();
                    for (n, f) in [INT8, INT16X8].iter().enumerate() {
                        self.numbers_of(out, i, layer, x, y, f);
                        let weight = "i8";
                        self.convolution(
                            out,
                            &format!("L{i}_{}", f.id),
                            &format!("P{i}"),
                            &format!("W{i}"),
                            weight,
                            i,
                            layer,
                            x,
                            y,
                            f,
                        );
                        flash[n] += weights.len() + y.shape[2] * (8 + if f.id == "8" { 4 } else { 8 });
                    }
                }
            }
        }
        let mut networks = Vec::new();
        for (f, flash) in [INT8, INT16X8].iter().zip(flash) {
            let nodes: Vec<_> = layers.iter().enumerate().map(|(i, l)| (static_of(i, l, f), from(l))).collect();
            networks.push(self.network(out, name, f.id, f, &nodes, &tensors, flash));
        }
        if name == "nearest" {
            networks.push(self.folded(out, layers, &tensors, flash[0]));
        }
        networks
    }

    /// The int8 network of which each nearest upsample is part of the convolution after it.
    fn folded(&self, out: &mut String, layers: &[Value], tensors: &[Tensor<'_>], mut flash: usize) -> String {
        let mut nodes: Vec<(String, Vec<usize>)> = Vec::new();
        // Of each tensor the node that makes it.
        let mut node = vec![0];
        for (i, layer) in layers.iter().enumerate() {
            let reads: Vec<usize> = from(layer).iter().map(|t| node[*t]).collect();
            if layer["op"] == "upsample_nearest" {
                node.push(reads[0]);
                continue;
            }
            let before = from(layer)[0].checked_sub(1).map(|b| &layers[b]);
            match before.filter(|b| b["op"] == "upsample_nearest") {
                Some(up) => {
                    let (x, y) = (&tensors[from(up)[0]], &tensors[i + 1]);
                    let [h, w] = self.pair(numbers(&up["factor"]));
                    let weights = range(&layer["weight"]);
                    writeln!(
                        out,
                        "const F{i}: FoldNearest = must!(FoldNearest::plan({}, [{h}, {w}], {}, {}));
                        const FP{i}: Plan = F{i}.transposed();
                        const SUMS{i}: [i16; FP{i}.weight_len()] = must!(F{i}.weights(&signed::<{}>(BYTES, {}), WeightOrder::Torch));
                        static FW{i}: [i16; FP{i}.weight_len()] = must!(FP{i}.pack(&SUMS{i}, WeightOrder::Torch));",
                        planned(x.shape), y.shape[2], self.geometry(layer), weights.len(), weights.start
                    )
                    .unwrap();
                    self.convolution(
                        out,
                        &format!("FL{i}"),
                        &format!("FP{i}"),
                        &format!("FW{i}"),
                        "i16",
                        i,
                        layer,
                        x,
                        y,
                        &INT8,
                    );
                    let [kh, kw] = self.pair(numbers::<2>(&layer["kernel"]));
                    flash += weights.len() / (kh * kw) * (kh + h - 1) * (kw + w - 1) * 2 - weights.len();
                    nodes.push((format!("FL{i}"), reads));
                }
                None => nodes.push((static_of(i, layer, &INT8), reads)),
            }
            node.push(nodes.len());
        }
        self.network(out, "folded", "FOLDED", &INT8, &nodes, tensors, flash)
    }

    fn geometry(&self, layer: &Value) -> String {
        let pair = |key: &str| self.pair(numbers::<2>(&layer[key]));
        let ([kh, kw], [sh, sw], [ph, pw]) = (pair("kernel"), pair("stride"), pair("padding"));
        format!(
            "Geometry::new({kh}, {kw}).stride({sh}, {sw}).padding(Padding {{ top: {ph}, left: {pw}, bottom: {ph}, right: {pw} }})"
        )
    }

    /// Biases and multipliers.
    fn numbers_of(&self, out: &mut String, i: usize, layer: &Value, x: &Tensor<'_>, y: &Tensor<'_>, f: &Format) {
        let channels = range(&layer["channels"]);
        let scales = &self.scales[channels.clone()];
        let (sx, sy) = (scale(x.quant, f), scale(y.quant, f));
        let steps = scales.iter().map(|s| f64::from(sx) * f64::from(*s));
        let bias: Vec<i64> =
            steps.zip(&self.bias[channels]).map(|(s, b)| (f64::from(*b) / s).round_ties_even() as i64).collect();
        let (id, n) = (f.id, bias.len());
        writeln!(
            out,
            "static B{i}_{id}: [{}; {n}] = {bias:?};
            static M{i}_{id}: [Multiplier; {n}] = must!(Multiplier::per_channel({sx:?}, &{scales:?}, {sy:?}));",
            f.bias
        )
        .unwrap();
    }

    #[allow(clippy::too_many_arguments)]
    fn convolution(
        &self,
        out: &mut String,
        id: &str,
        plan: &str,
        packed: &str,
        weight: &str,
        i: usize,
        layer: &Value,
        x: &Tensor<'_>,
        y: &Tensor<'_>,
        f: &Format,
    ) {
        let activation = match &layer["activation"] {
            Value::String(a) if a == "relu" => "Activation::Relu".into(),
            Value::String(a) if a == "none" => "Activation::None".into(),
            a => format!("Activation::Clamp {{ min: {:?}, max: {:?} }}", float(&a["clamp"][0]), float(&a["clamp"][1])),
        };
        let Format { id: suffix, value, bias, rounding, .. } = f;
        writeln!(
            out,
            "static {id}: Convolution<{value}, {weight}, {bias}> = must!(Weights {{ packed: &{packed}, bias: &B{i}_{suffix} }}.layer(&{plan}, Quantization {{
                x: {}, y: {}, multipliers: &M{i}_{suffix}, activation: {activation}, rounding: Rounding::{rounding},
            }}));",
            quant(x.quant, f), quant(y.quant, f)
        )
        .unwrap();
    }

    /// A network of these statics and what they read; node 0 is the input.
    #[allow(clippy::too_many_arguments)]
    fn network(
        &self,
        out: &mut String,
        name: &str,
        id: &str,
        f: &Format,
        nodes: &[(String, Vec<usize>)],
        tensors: &[Tensor<'_>],
        flash: usize,
    ) -> String {
        let (count, value) = (nodes.len() + 1, f.value);
        let node = |(layer, from): &(String, Vec<usize>)| match &from[..] {
            [one] => format!("{layer}.node({one})"),
            many => format!("{layer}.node(&{many:?})"),
        };
        let list: Vec<_> = nodes.iter().map(node).collect();
        let layers: Vec<_> = nodes.iter().filter(|(_, from)| from.len() == 1).map(|(l, _)| format!("&{l}")).collect();
        let plan = if self.is_signal() { "endless" } else { "plan" };
        writeln!(
            out,
            "const NODES_{id}: [Node<'static, {value}>; {count}] = [Node::rows({}), {}];
            pub static D_{id}: Decoder<{value}, {count}> = must!(Decoder::{plan}(NODES_{id}));
            const WHOLE_{id}: Decoder<{value}, {count}> = must!(Decoder::layer_by_layer(NODES_{id}));
            pub const N_{id}: Network = Network {{
                name: {name:?}, flash: {flash}, ram: D_{id}.peak(), whole: WHOLE_{id}.peak(),
                layers: Layers::{}(&D_{id}, &[{}]),
            }};",
            planned(tensors[0].shape),
            list.join(", "),
            if value == "i8" { "Int8" } else { "Int16x8" },
            layers.join(", ")
        )
        .unwrap();
        format!("N_{id}")
    }
}

/// The static that a layer is; upsampling is the same in both formats.
fn static_of(i: usize, layer: &Value, f: &Format) -> String {
    if layer["op"].as_str().unwrap().starts_with("upsample") { format!("L{i}") } else { format!("L{i}_{}", f.id) }
}

fn planned([h, w, c]: [usize; 3]) -> String {
    format!("Shape::new({h}, {w}, {c})")
}

fn quant(v: &Value, f: &Format) -> String {
    format!("Quant::new({:?}, {})", scale(v, f), v[f.key]["zero"])
}

fn scale(v: &Value, f: &Format) -> f32 {
    float(&v[f.key]["scale"])
}

fn from(layer: &Value) -> Vec<usize> {
    layer["from"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect()
}

fn numbers<const N: usize>(v: &Value) -> [usize; N] {
    let all: Vec<_> = v.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
    all.try_into().unwrap()
}

fn range(v: &Value) -> std::ops::Range<usize> {
    let (offset, len) = (v["offset"].as_u64().unwrap() as usize, v["len"].as_u64().unwrap() as usize);
    offset..offset + len
}

fn float(v: &Value) -> f32 {
    v.as_f64().unwrap() as f32
}
