//! Turns `models/<task>/seed<n>/` into Rust: each decoder's layers as statics, and from these the networks of either format, that of `nearest` a second
//! time with the upsample folded away.
//!
//! For a device the first seed is planned and packed by the compiler, in the order of the target's kernels, if the feature of the task's name asks for
//! it: `const` code takes some 30 us for each weight, and more for each row of a decoder that is played through. On a host all seeds are there, each
//! static made when it is first used.
//!
//! Signals, whose pictures have one row, are laid along the height and planned without end.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The tasks.
const TASKS: [&str; 4] = ["bigpicture", "digits", "ecg", "nuclei"];
/// Input rows of the pattern of a signal without end, on a device; on a host it is the whole window, so that what its figures are for is that. The
/// rings are the same.
const PATTERN: u64 = 25;

/// Writes `OUT_DIR/<task>.rs`.
pub fn generate() {
    let models = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap()).join("../models").canonicalize().unwrap();
    println!("cargo::rerun-if-changed={}", models.display());
    let on_device = env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "none");
    for task in TASKS {
        let wanted = !on_device || env::var_os(format!("CARGO_FEATURE_{}", task.to_uppercase())).is_some();
        let mut to = Target { on_device, out: String::new() };
        let seed = |n: usize| models.join(task).join(format!("seed{n}"));
        let seeds = (0..).take_while(|n| seed(*n).exists() && wanted && !(on_device && *n > 0)).count();
        let all: String = (0..seeds).map(|n| Model::read(seed(n), n, on_device).generate(&mut to)).collect();
        to.static_of("SEEDS", &format!("[Seed; {seeds}]"), &format!("[{all}]"));
        // The formats of the large pictures apart, so that the memory of one is not in the way of the other.
        match task {
            "bigpicture" => {
                to.program("run", seeds, Some(0));
                to.program("run_wide", seeds, Some(1));
            }
            _ => to.program("run", seeds, None),
        }
        if task != "ecg" {
            to.shown(task, &models.join(task), seeds);
        }
        fs::write(Path::new(&env::var("OUT_DIR").unwrap()).join(format!("{task}.rs")), to.out).unwrap();
    }
}

/// What the code is for, and the code.
struct Target {
    on_device: bool,
    out: String,
}

impl Target {
    fn line(&mut self, line: &str) {
        self.out += line;
        self.out.push('\n');
    }

    /// A static: for a device evaluated by the compiler, for a host when it is first used.
    fn static_of(&mut self, name: &str, kind: &str, value: &str) {
        self.line(&match self.on_device {
            true => format!("pub static {name}: {kind} = {value};"),
            false => format!("pub static {name}: LazyLock<{kind}> = LazyLock::new(|| {value});"),
        });
    }

    /// ... of what may be refused.
    fn planned(&mut self, name: &str, kind: &str, result: &str) {
        self.static_of(name, kind, &self.value(result));
    }

    fn value(&self, result: &str) -> String {
        if self.on_device { format!("must!({result})") } else { format!("{result}.unwrap()") }
    }

    /// ... and is an array that coerces to a slice.
    fn values(&mut self, name: &str, kind: &str, len: &str, result: &str) {
        match self.on_device {
            true => self.planned(name, &format!("[{kind}; {len}]"), result),
            false => self.planned(name, &format!("Vec<{kind}>"), &format!("{result}.map(Vec::from)")),
        }
    }

    fn borrow(&self, name: &str) -> String {
        if self.on_device { format!("&{name}") } else { format!("&*{name}") }
    }

    fn list(&self, items: &[String]) -> String {
        let items = items.join(", ");
        if self.on_device { format!("&[{items}]") } else { format!("vec![{items}].leak()") }
    }

    /// A program that runs one network, or all.
    fn program(&mut self, name: &str, seeds: usize, network: Option<usize>) {
        let networks = match network {
            Some(i) => format!("core::slice::from_ref(&SEEDS[0].networks[{i}])"),
            None => "SEEDS[0].networks".into(),
        };
        let memory = match self.on_device {
            true => format!("&mut [0; WORDS_{}]", name.to_uppercase()),
            false => format!("&mut vec![0; super::words({networks})]"),
        };
        if self.on_device && seeds > 0 {
            self.line(&format!("const WORDS_{}: usize = super::words({networks});", name.to_uppercase()));
        }
        let body = match network {
            _ if seeds == 0 => "_ = board;\npanic!(\"the firmware was built without this demo\")".into(),
            Some(i) => format!("super::pictures(board, &SEEDS[0], {i}, {memory})"),
            None => format!("super::run(board, &SEEDS[0], {memory})"),
        };
        self.line(&format!("pub fn {name}(board: &mut impl crate::Board) {{\n{body}\n}}"));
    }
}

/// The decoder whose pictures displays show, in int8.
const SHOWN: &str = "k4s2p1";

impl Target {
    /// The network for displays, and the programs that show its pictures.
    fn shown(&mut self, task: &str, folder: &Path, seeds: usize) {
        let has = |feature: &str| !self.on_device || env::var_os(format!("CARGO_FEATURE_{feature}")).is_some();
        let mut programs = vec![("show", "super::show", seeds > 0)];
        if task == "digits" {
            programs.push(("walk", "crate::live::walk", has("LIVE")));
        }
        for (name, ..) in programs.iter().filter(|program| !program.2) {
            self.line(&format!(
                "pub fn {name}(_: &mut impl crate::Board) {{ panic!(\"the firmware was built without this demo\") }}"
            ));
        }
        if seeds == 0 {
            return;
        }
        let model = Model::read(folder.join("seed0"), 0, self.on_device);
        let decoder = model.json["decoders"].as_array().unwrap().iter().find(|d| d["name"] == SHOWN).unwrap();
        let y = Tensor { shape: [0; 3], quant: &decoder["layers"].as_array().unwrap().last().unwrap()["y"] };
        let sigmoid = match task {
            "bigpicture" => "None".into(),
            _ => {
                let to = "Quant::new(1.0 / 256.0, -128)";
                format!("Some({})", self.value(&format!("Table8::sigmoid({}, {to})", quant(y, &INT8))))
            }
        };
        let at = format!("{SHOWN}_0::D_{}_8", SHOWN.to_uppercase());
        let [h, w, c] = numbers::<3>(&model.json["input"]);
        let value = format!(
            "Shown {{ rows: {}, inputs: {}, len: {}, ram: {at}.peak(), sigmoid: {sigmoid} }}",
            self.borrow(&at),
            model.inputs(),
            h * w * c
        );
        self.static_of("SHOWN", "Shown", &value);
        let memory = match self.on_device {
            true => format!("&mut [0; {at}.peak()]"),
            false => format!("&mut vec![0; {at}.peak()]"),
        };
        for (name, function, _) in programs.into_iter().filter(|program| program.2) {
            self.line(&format!(
                "pub fn {name}(board: &mut impl crate::Board) {{ {function}(board, &SHOWN, {memory}) }}"
            ));
        }
    }
}

/// What differs between the formats: the key in the model, a suffix, the types of activations and biases, and more.
struct Format {
    key: &'static str,
    id: &'static str,
    value: &'static str,
    bias: &'static str,
    bias_bytes: usize,
    rounding: &'static str,
    layers: &'static str,
}

const INT8: Format =
    Format { key: "int8", id: "8", value: "i8", bias: "i32", bias_bytes: 4, rounding: "TfliteDouble", layers: "Int8" };

const INT16X8: Format = Format {
    key: "int16x8",
    id: "16",
    value: "i16",
    bias: "i64",
    bias_bytes: 8,
    rounding: "Tflite16x8",
    layers: "Int16x8",
};

const FORMATS: [Format; 2] = [INT8, INT16X8];

/// Bytes of a multiplier.
const MULTIPLIER: usize = 8;

/// The files of a seed.
struct Model {
    folder: PathBuf,
    seed: usize,
    json: Value,
    scales: Vec<f32>,
    bias: Vec<f32>,
    /// Input rows of a signal as it is planned.
    pattern: usize,
}

/// A layer of a model, with the tensors that it reads first and writes.
struct Site<'a> {
    i: usize,
    layer: &'a Value,
    x: Tensor<'a>,
    y: Tensor<'a>,
}

/// A tensor: its shape as it is planned, and its quantisation in the model.
#[derive(Clone, Copy)]
struct Tensor<'a> {
    shape: [usize; 3],
    quant: &'a Value,
}

/// A node: the static that it is, and what it reads.
struct Node {
    name: String,
    from: Vec<usize>,
    /// The fold that chooses between this static and another one, where there is a choice.
    or: Option<[String; 2]>,
}

impl Node {
    /// The expression that is made of its static.
    fn choice(&self, make: impl Fn(&str) -> String) -> String {
        match &self.or {
            Some([fold, other]) => {
                format!("if {fold}.by_columns() {{ {} }} else {{ {} }}", make(other), make(&self.name))
            }
            None => make(&self.name),
        }
    }
}

impl Model {
    fn read(folder: PathBuf, seed: usize, on_device: bool) -> Self {
        let file = |name: &str| {
            let path = folder.join(name);
            fs::read(&path).unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()))
        };
        let json: Value = serde_json::from_slice(&file("model.json"))
            .unwrap_or_else(|error| panic!("{} is broken: {error}", folder.join("model.json").display()));
        let floats = |name: &str| -> Vec<f32> {
            file(name).chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
        };
        let (scales, bias) = (floats("scales.f32"), floats("bias.f32"));
        let pattern = if on_device { PATTERN } else { json["window"].as_u64().unwrap_or(PATTERN) } as usize;
        Model { folder, seed, json, scales, bias, pattern }
    }

    /// Writes a module for each decoder; answers the seed as an expression.
    fn generate(&self, to: &mut Target) -> String {
        let mut networks = Vec::new();
        for decoder in self.json["decoders"].as_array().unwrap() {
            let name = decoder["name"].as_str().unwrap();
            let module = format!("{name}_{}", self.seed);
            to.line(&format!("mod {module} {{\nuse super::*;"));
            to.line(&format!("const BYTES: &[u8] = include_bytes!({:?});", self.folder.join("weights.i8")));
            let made = self.decoder(to, name, decoder["layers"].as_array().unwrap());
            to.line("}");
            networks.extend(made.iter().map(|network| format!("{module}::{network}")));
        }
        let inputs = self.inputs();
        let count = |key: &str| self.json[key].as_u64().filter(|n| *n > 0);
        let [h, w, c] = numbers::<3>(&self.json["input"]);
        let samples = count("samples").unwrap();
        format!(
            "Seed {{ networks: {}, inputs: {inputs}, samples: {samples}, len: {}, shown: {}, window: {} }}, ",
            to.list(&networks),
            h * w * c,
            count("torch_samples").unwrap_or(samples),
            h * c * count("window").map_or(w, |n| n as usize),
        )
    }

    /// Its test inputs, as an expression.
    fn inputs(&self) -> String {
        let bytes = |name: &str| format!("include_bytes!({:?})", self.folder.join(name));
        if self.folder.join("inputs.i8").exists() {
            format!("Inputs::Raw {{ int8: {}, int16: {} }}", bytes("inputs.i8"), bytes("inputs.i16"))
        } else {
            format!("Inputs::Pictures({})", bytes("../pictures.u8"))
        }
    }

    fn is_signal(&self) -> bool {
        let [h, w, _] = numbers::<3>(&self.json["input"]);
        h == 1 && w > 1
    }

    /// Height and width as they are planned.
    fn pair(&self, v: &Value) -> [usize; 2] {
        let [y, x] = numbers(v);
        if self.is_signal() { [x, y] } else { [y, x] }
    }

    fn shape(&self, v: &Value) -> [usize; 3] {
        let ([h, w, c], [_, all, _]) = (numbers(v), numbers::<3>(&self.json["input"]));
        if self.is_signal() { [w * self.pattern / all, h, c] } else { [h, w, c] }
    }

    fn decoder(&self, to: &mut Target, name: &str, layers: &[Value]) -> Vec<String> {
        let mut tensors = vec![Tensor { shape: self.shape(&self.json["input"]), quant: &self.json["x"] }];
        tensors.extend(layers.iter().map(|l| Tensor { shape: self.shape(&l["out"]), quant: &l["y"] }));
        let mut flash = [0; 2];
        for (i, layer) in layers.iter().enumerate() {
            let (x, y) = (tensors[from(layer)[0]], tensors[i + 1]);
            let shape = shape(x);
            match op(layer) {
                "upsample_nearest" => {
                    let [h, w] = self.pair(&layer["factor"]);
                    to.planned(&format!("L{i}"), "Nearest", &format!("Upsample::nearest({shape}, {h}, {w})"));
                }
                "upsample_bilinear" => {
                    let [h, w, _] = y.shape;
                    let how = format!("Resize::to({h}, {w}), Numerics::Tflite(Rounding::TfliteDouble)");
                    to.planned(&format!("L{i}"), "Bilinear", &format!("Upsample::bilinear({shape}, {how})"));
                }
                "concat" => {
                    for f in FORMATS {
                        let input = |t: &usize| format!("({}, {})", self::shape(tensors[*t]), quant(tensors[*t], &f));
                        let inputs: Vec<_> = from(layer).iter().map(input).collect();
                        let (kind, y) = (format!("Concat<{}, {}>", f.value, inputs.len()), quant(y, &f));
                        let how = format!("[{}], {y}, Rounding::TfliteDouble", inputs.join(", "));
                        to.planned(&format!("L{i}_{}", f.id), &kind, &format!("Concat::plan(Along::Channels, {how})"));
                    }
                }
                op => {
                    let plan = match op {
                        "conv" => "Conv",
                        "conv_transpose" => "ConvTranspose",
                        _ => panic!("model.json: unknown op {op}"),
                    };
                    let (weights, geometry) = (range(&layer["weight"]), self.geometry(layer));
                    let (n, channels) = (weights.len(), y.shape[2]);
                    to.line(&format!("const P{i}: Plan = must!({plan}::plan({shape}, {channels}, {geometry}));"));
                    let source = format!("&signed::<{n}>(BYTES, {})", weights.start);
                    to.values(
                        &format!("W{i}"),
                        "i8",
                        &n.to_string(),
                        &format!("P{i}.pack({source}, WeightOrder::Torch)"),
                    );
                    let site = Site { i, layer, x, y };
                    for (flash, f) in flash.iter_mut().zip(FORMATS) {
                        self.scalars(to, &site, &f);
                        self.convolution(to, &site, &f, "", "i8");
                        *flash += n + channels * (MULTIPLIER + f.bias_bytes);
                    }
                }
            }
        }
        let mut networks = Vec::new();
        for (f, flash) in FORMATS.iter().zip(flash) {
            let node = |(i, layer)| Node { name: layer_name(i, layer, f), from: from(layer), or: None };
            let nodes: Vec<_> = layers.iter().enumerate().map(node).collect();
            networks.push(self.network(to, name, f, &nodes, tensors[0], flash));
        }
        if name == "nearest" {
            networks.extend(self.folded(to, layers, &tensors, flash));
        }
        networks
    }

    /// The networks of which each nearest upsample is part of the convolution after it.
    fn folded(&self, to: &mut Target, layers: &[Value], tensors: &[Tensor<'_>], mut flash: [usize; 2]) -> [String; 2] {
        let mut nodes = [const { Vec::<Node>::new() }; 2];
        // Of each tensor the node that makes it.
        let mut made_by = vec![0];
        for (i, layer) in layers.iter().enumerate() {
            let reads: Vec<usize> = from(layer).iter().map(|t| made_by[*t]).collect();
            if op(layer) == "upsample_nearest" {
                made_by.push(reads[0]);
                continue;
            }
            let before = from(layer)[0].checked_sub(1).map(|b| &layers[b]).filter(|b| op(b) == "upsample_nearest");
            let mut or = None;
            let names = match before {
                Some(up) => {
                    let site = Site { i, layer, x: tensors[from(up)[0]], y: tensors[i + 1] };
                    let ([h, w], [kh, kw]) = (self.pair(&up["factor"]), self.pair(&layer["kernel"]));
                    let weights = range(&layer["weight"]);
                    let n = weights.len() / (kh * kw) * (kh + h - 1) * (kw + w - 1);
                    let (shape, channels, geometry) = (shape(site.x), site.y.shape[2], self.geometry(layer));
                    let source = format!("&signed::<{}>(BYTES, {})", weights.len(), weights.start);
                    to.line(&format!(
                        "const F{i}: FoldNearest = must!(FoldNearest::plan({shape}, [{h}, {w}], {channels}, {geometry}));
                        const FP{i}: Plan = F{i}.transposed();"
                    ));
                    let sums = to.value(&format!("F{i}.weights::<_, {n}>({source}, WeightOrder::Torch)"));
                    let packed = format!("FP{i}.pack(&{sums}, WeightOrder::Torch)");
                    to.values(&format!("FW{i}"), "i16", &n.to_string(), &packed);
                    for (flash, f) in flash.iter_mut().zip(FORMATS) {
                        self.convolution(to, &site, &f, "F", "i16");
                        *flash += 2 * n - weights.len();
                    }
                    or = Some(self.columns(to, &site));
                    FORMATS.map(|f| format!("FL{i}_{}", f.id))
                }
                None => FORMATS.map(|f| layer_name(i, layer, &f)),
            };
            // Columns are int8's alone.
            for ((nodes, name), or) in nodes.iter_mut().zip(names).zip([or, None]) {
                nodes.push(Node { name, from: reads.clone(), or });
            }
            made_by.push(nodes[0].len());
        }
        [0, 1].map(|f| self.network(to, "folded", &FORMATS[f], &nodes[f], tensors[0], flash[f]))
    }

    /// The form of a fold whose outputs share columns: the fold, and the layer.
    fn columns(&self, to: &mut Target, &Site { i, layer, x, y }: &Site<'_>) -> [String; 2] {
        let (weights, kernel, channels) = (range(&layer["weight"]), self.pair(&layer["kernel"]), y.shape[2]);
        let (n, sums) = (weights.len(), kernel[1] * channels);
        let source = format!("&signed::<{n}>(BYTES, {})", weights.start);
        to.planned(
            &format!("CW{i}"),
            &format!("([i8; {n}], [i32; {sums}])"),
            &format!("F{i}.columns({source}, WeightOrder::Torch)"),
        );
        let site = Site { i, layer, x, y };
        let conv = to.value(&self.weights(&site, &INT8, &format!("CW{i}.0"), &format!("F{i}.convolution()")));
        let name = format!("CL{i}");
        to.planned(&name, "Columns<'static, i8>", &format!("Columns::new(&F{i}, {conv}, &CW{i}.1)"));
        [format!("F{i}"), name]
    }

    fn geometry(&self, layer: &Value) -> String {
        let pair = |key: &str| self.pair(&layer[key]);
        let ([kh, kw], [sh, sw], [ph, pw]) = (pair("kernel"), pair("stride"), pair("padding"));
        let padding = format!("Padding {{ top: {ph}, left: {pw}, bottom: {ph}, right: {pw} }}");
        format!("Geometry::new({kh}, {kw}).stride({sh}, {sw}).padding({padding})")
    }

    /// Biases and multipliers of a convolution.
    fn scalars(&self, to: &mut Target, site: &Site<'_>, f: &Format) {
        let channels = range(&site.layer["channels"]);
        let scales = &self.scales[channels.clone()];
        let (sx, sy) = (scale(site.x, f), scale(site.y, f));
        // The product of two f32 is exact in f64.
        let raw = |(s, b): (&f32, &f32)| (f64::from(*b) / (f64::from(sx) * f64::from(*s))).round_ties_even() as i64;
        let bias: Vec<i64> = scales.iter().zip(&self.bias[channels]).map(raw).collect();
        let (i, id, n) = (site.i, f.id, bias.len());
        to.line(&format!("static B{i}_{id}: [{}; {n}] = {bias:?};", f.bias));
        let value = format!("Multiplier::per_channel({sx:?}, &{scales:?}, {sy:?})");
        to.values(&format!("M{i}_{id}"), "Multiplier", &n.to_string(), &value);
    }

    /// The layer; the names of a folded one's statics begin with `F`.
    fn convolution(&self, to: &mut Target, site: &Site<'_>, f: &Format, folded: &str, weight: &str) {
        let i = site.i;
        let kind = format!("Convolution<'static, {}, {weight}, {}>", f.value, f.bias);
        let layer = self.weights(site, f, &format!("{folded}W{i}"), &format!("{folded}P{i}"));
        to.planned(&format!("{folded}L{i}_{}", f.id), &kind, &layer);
    }

    /// ... of such weights and plan.
    fn weights(&self, site: &Site<'_>, f: &Format, packed: &str, plan: &str) -> String {
        let Site { i, layer, x, y } = site;
        let activation = match &layer["activation"] {
            Value::String(a) if a == "relu" => "Activation::Relu".into(),
            Value::String(a) if a == "none" => "Activation::None".into(),
            a => format!("Activation::Clamp {{ min: {:?}, max: {:?} }}", float(&a["clamp"][0]), float(&a["clamp"][1])),
        };
        let Format { id, rounding, .. } = f;
        format!(
            "Weights {{ packed: &{packed}, bias: &B{i}_{id} }}.layer(&{plan}, Quantization {{
                x: {}, y: {}, multipliers: &M{i}_{id}, activation: {activation}, rounding: Rounding::{rounding}
            }})",
            quant(*x, f),
            quant(*y, f)
        )
    }

    /// A network of these nodes; node 0 is the input.
    fn network(
        &self,
        to: &mut Target,
        name: &str,
        f: &Format,
        nodes: &[Node],
        input: Tensor<'_>,
        flash: usize,
    ) -> String {
        let node = |node: &Node| {
            node.choice(|name| match &node.from[..] {
                [one] => format!("{name}.node({one})"),
                many => format!("{name}.node(&{many:?})"),
            })
        };
        let list: Vec<_> = nodes.iter().map(node).collect();
        let list = format!("[Node::rows({}), {}]", shape(input), list.join(", "));
        let plan = if self.is_signal() { "endless" } else { "plan" };
        let (id, kind) = (format!("{name}_{}", f.id), format!("Decoder<'static, {}, {}>", f.value, nodes.len() + 1));
        let decoder = format!("D_{}", id.to_uppercase());
        to.planned(&decoder, &kind, &format!("Decoder::{plan}({list})"));
        let whole = to.value(&format!("Decoder::layer_by_layer({list})"));
        let layers = nodes.iter().filter(|n| n.from.len() == 1);
        let layers = layers.map(|n| n.choice(|name| format!("{} as _", to.borrow(name))));
        let layers: Vec<_> = layers.collect();
        let (form, decoder_at, layers) = (f.layers, to.borrow(&decoder), to.list(&layers));
        let value = format!(
            "Network {{ name: {name:?}, flash: {flash}, ram: {decoder}.peak(), whole: {whole}.peak(), layers: Layers::{form}({decoder_at}, {layers}) }}"
        );
        to.line(&match to.on_device {
            true => format!("pub const {}: Network = {value};", id.to_uppercase()),
            false => format!("pub fn {id}() -> Network {{ {value} }}"),
        });
        if to.on_device { id.to_uppercase() } else { format!("{id}()") }
    }
}

/// The static that a layer is; upsampling is the same in both formats.
fn layer_name(i: usize, layer: &Value, f: &Format) -> String {
    if op(layer).starts_with("upsample") { format!("L{i}") } else { format!("L{i}_{}", f.id) }
}

fn shape(t: Tensor<'_>) -> String {
    let [h, w, c] = t.shape;
    format!("Shape::new({h}, {w}, {c})")
}

fn quant(t: Tensor<'_>, f: &Format) -> String {
    format!("Quant::new({:?}, {})", scale(t, f), t.quant[f.key]["zero"])
}

fn scale(t: Tensor<'_>, f: &Format) -> f32 {
    float(&t.quant[f.key]["scale"])
}

fn op(layer: &Value) -> &str {
    layer["op"].as_str().unwrap()
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
