//! A trained model as C data for `capi/examples/model.h`: packed weights, biases and multipliers in whole numbers, and the chain of layers of each
//! network, in the order in which the firmware has them.

use crate::models::Task;
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::fmt::{Display, Write};
use upconv::{Conv, ConvTranspose, FoldNearest, Geometry, Multiplier, Padding, Plan, Shape, WeightOrder};

/// An activation's format: its key in the model, and whether it has 16 bits.
const FORMATS: [(&str, bool); 2] = [("int8", false), ("int16x8", true)];

/// A model and the text that it becomes.
struct Model {
    json: Value,
    weights: Vec<i8>,
    scales: Vec<f32>,
    bias: Vec<f32>,
    block: usize,
    out: String,
}

/// A layer's tensors: shape and quantisation.
#[derive(Clone, Copy)]
struct Tensor<'a> {
    shape: Shape,
    quant: &'a Value,
}

/// The text for the first seed of a task.
pub fn write(task: Task, block: usize) -> Result<String> {
    ensure!([1, 2].contains(&block), "the block is {block}; it is 1 where there is assembly and 2 elsewhere");
    let file = |name: &str| task.file(&format!("seed0/{name}"));
    let floats = |name: &str| -> Result<Vec<f32>> {
        Ok(file(name)?.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    };
    let json: Value = serde_json::from_slice(&file("model.json")?).context("model.json is damaged")?;
    let mut model = Model {
        json: Value::Null,
        weights: file("weights.i8")?.iter().map(|b| *b as i8).collect(),
        scales: floats("scales.f32")?,
        bias: floats("bias.f32")?,
        block,
        out: format!(
            "/* Made by `cargo xtask c model` from models/{}/seed0; do not edit. */\n#include \"model.h\"\n",
            task.name()
        ),
    };
    ensure!(json["window"].is_null(), "{}: signals without end have no form in C", task.name());
    let mut networks = Vec::new();
    for decoder in json["decoders"].as_array().context("model.json has no decoders")? {
        networks.extend(model.decoder(&json, decoder)?);
    }
    model.json = json;
    writeln!(model.out, "const network networks[] = {{ {} }};", networks.join(", "))?;
    writeln!(model.out, "const size_t network_count = {};", networks.len())?;
    let narrow = file("inputs.i8")?;
    let wide = file("inputs.i16")?;
    model.array("const int8_t inputs_i8[]", narrow.iter().map(|b| *b as i8));
    model.array("const int16_t inputs_i16[]", wide.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])));
    writeln!(model.out, "const size_t input_count = {};", model.json["samples"].as_u64().context("no samples")?)?;
    Ok(model.out)
}

impl Model {
    fn array(&mut self, head: &str, values: impl Iterator<Item = impl Display>) {
        let values: Vec<_> = values.map(|v| v.to_string()).collect();
        let lines: Vec<_> = values.chunks(32).map(|line| line.join(",")).collect();
        self.out += &format!("{head} = {{\n{}\n}};\n", lines.join(",\n"));
    }

    /// Both formats of a decoder, and the folded one of `nearest`: each network as an initialiser.
    fn decoder(&mut self, json: &Value, decoder: &Value) -> Result<Vec<String>> {
        let name = decoder["name"].as_str().context("a decoder has no name")?;
        let layers = decoder["layers"].as_array().context("a decoder has no layers")?;
        let chain =
            |(i, layer): (usize, &Value)| layer["from"].as_array().is_some_and(|from| from.len() == 1 && from[0] == i);
        ensure!(layers.iter().enumerate().all(chain), "{name} is no chain of layers");
        let mut tensors = vec![Tensor { shape: shape(&json["input"])?, quant: &json["x"] }];
        for layer in layers {
            tensors.push(Tensor { shape: shape(&layer["out"])?, quant: &layer["y"] });
        }
        let mut networks = Vec::new();
        for (key, wide) in FORMATS {
            let mut steps = Vec::new();
            for (i, layer) in layers.iter().enumerate() {
                let (x, y) = (tensors[i], tensors[i + 1]);
                let of = |kind: &str, to: [usize; 2]| {
                    let Shape { h, w, c } = x.shape;
                    format!("{{ .kind = {kind}, .input = {{{h}, {w}, {c}}}, .to = {{{}, {}}} }}", to[0], to[1])
                };
                steps.push(match op(layer)? {
                    "upsample_nearest" => of("STEP_NEAREST", pair(&layer["factor"])?),
                    "upsample_bilinear" => of("STEP_BILINEAR", [y.shape.h, y.shape.w]),
                    _ => self.convolution(&format!("{name}_{key}_{i}"), layer, [x, y], (key, wide), None)?,
                });
            }
            networks.push(self.network(name, key, wide, tensors[0].shape, &steps));
        }
        if name == "nearest" {
            let (mut steps, mut before) = (Vec::new(), None);
            for (i, layer) in layers.iter().enumerate() {
                if op(layer)? == "upsample_nearest" {
                    before = Some((tensors[i], pair(&layer["factor"])?));
                    continue;
                }
                let (x, factor) = before.take().map_or((tensors[i], None), |(x, factor)| (x, Some(factor)));
                steps.push(self.convolution(&format!("folded_{i}"), layer, [x, tensors[i + 1]], FORMATS[0], factor)?);
            }
            networks.push(self.network("folded", "int8", false, tensors[0].shape, &steps));
        }
        Ok(networks)
    }

    fn network(&mut self, name: &str, format: &str, wide: bool, Shape { h, w, c }: Shape, steps: &[String]) -> String {
        self.out += &format!("static const step {name}_{format}[] = {{\n{}\n}};\n", steps.join(",\n"));
        let wide = u8::from(wide);
        format!("{{\"{name}\", \"{format}\", {wide}, {{{h}, {w}, {c}}}, {}, {name}_{format}}}", steps.len())
    }

    /// A convolution, with the nearest upsample of some factor before it folded in; answers its step as an initialiser.
    fn convolution(
        &mut self,
        id: &str,
        layer: &Value,
        [x, y]: [Tensor<'_>; 2],
        (key, wide): (&str, bool),
        folded: Option<[usize; 2]>,
    ) -> Result<String> {
        let channels = y.shape.c;
        let ([kh, kw], [sh, sw], [ph, pw]) =
            (pair(&layer["kernel"])?, pair(&layer["stride"])?, pair(&layer["padding"])?);
        let padding = Padding { top: ph, left: pw, bottom: ph, right: pw };
        let geometry = Geometry::new(kh, kw).stride(sh, sw).padding(padding);
        let weights = self.weights[range(&layer["weight"])?].to_vec();
        let of = range(&layer["channels"])?;
        let (scales, bias) = (self.scales[of.clone()].to_vec(), self.bias[of].to_vec());
        let (sx, sy) = (scale(x.quant, key)?, scale(y.quant, key)?);
        // The product of two f32 is exact in f64.
        let raw = |(s, b): (&f32, &f32)| (f64::from(*b) / (f64::from(sx) * f64::from(*s))).round_ties_even() as i64;
        let (bits, bias_type) = if wide { (16, "int64_t") } else { (8, "int32_t") };
        let mut step = format!("STEP_CONV_I{bits}");
        let (kind, geometry) = match (op(layer)?, folded) {
            (_, Some(factor)) => {
                let fold = FoldNearest::plan(x.shape, factor, channels, geometry)?;
                let plan = fold.transposed();
                let mut sums = vec![0i16; plan.weight_len()];
                fold.weights_into(&weights, WeightOrder::Torch, &mut sums)?;
                self.packed(id, "int16_t", &plan, &sums)?;
                step += "_W16";
                // As FoldNearest makes it of them.
                let t = Geometry::new(kh + factor[0] - 1, kw + factor[1] - 1).stride(factor[0], factor[1]);
                let (ph, pw) = (kh - 1 - ph, kw - 1 - pw);
                let t = t.padding(Padding { top: ph, left: pw, bottom: ph, right: pw });
                let same = ConvTranspose::plan(x.shape, channels, t)?;
                ensure!(
                    same.output() == plan.output() && same.weight_len() == plan.weight_len(),
                    "{id} was folded otherwise"
                );
                ("UPCONV_CONV_TRANSPOSE", t)
            }
            ("conv", None) => {
                self.packed(id, "int8_t", &Conv::plan(x.shape, channels, geometry)?, &weights)?;
                ("UPCONV_CONV", geometry)
            }
            ("conv_transpose", None) => {
                self.packed(id, "int8_t", &ConvTranspose::plan(x.shape, channels, geometry)?, &weights)?;
                ("UPCONV_CONV_TRANSPOSE", geometry)
            }
            (op, None) => bail!("`{op}` has no form in C"),
        };
        self.array(&format!("static const {bias_type} {id}_b[]"), scales.iter().zip(&bias).map(raw));
        let mut multipliers = Vec::new();
        for sw in &scales {
            let m = Multiplier::from_scales(sx, *sw, sy)?;
            multipliers.push(format!("{{{}, {}}}", m.q(), m.shift()));
        }
        self.array(&format!("static const upconv_multiplier {id}_m[]"), multipliers.into_iter());
        let (activation, [min, max]) = match &layer["activation"] {
            Value::String(a) if a == "relu" => ("RELU", [0.0, 0.0]),
            Value::String(a) if a == "none" => ("NONE", [0.0, 0.0]),
            a => ("CLAMP", [float(&a["clamp"][0])?, float(&a["clamp"][1])?]),
        };
        let (Shape { h, w, c }, Geometry { kernel, stride, padding: p, .. }) = (x.shape, geometry);
        let (zx, zy) = (zero(x.quant, key)?, zero(y.quant, key)?);
        writeln!(
            self.out,
            "static const upconv_conv {id}_c = {{
    .kind = {kind}, .channels = {channels}, .input = {{{h}, {w}, {c}}},
    .geometry = {{ .kernel = {{{}, {}}}, .stride = {{{}, {}}}, .pad_before = {{{}, {}}}, .pad_after = {{{}, {}}} }},
    .x = {{{sx:e}f, {zx}}}, .y = {{{sy:e}f, {zy}}}, .multipliers = {id}_m, .multiplier_count = {channels},
    .activation = UPCONV_ACTIVATION_{activation}, .clamp = {{{min:e}f, {max:e}f}}, .block = {},
}};",
            kernel[0], kernel[1], stride[0], stride[1], p.top, p.left, p.bottom, p.right, self.block
        )?;
        Ok(format!(
            "{{ .kind = {step}, .conv = &{id}_c, .weights = {id}_w, .weight_len = sizeof {id}_w / sizeof *{id}_w, .bias = {id}_b }}"
        ))
    }

    fn packed<W: upconv::Element + Display>(&mut self, id: &str, kind: &str, plan: &Plan, weights: &[W]) -> Result<()> {
        let mut packed = weights.to_vec();
        plan.pack_blocks(self.block, weights, WeightOrder::Torch, &mut packed)?;
        self.array(&format!("static const {kind} {id}_w[]"), packed.into_iter());
        Ok(())
    }
}

fn op(layer: &Value) -> Result<&str> {
    layer["op"].as_str().context("a layer has no op")
}

fn numbers<const N: usize>(v: &Value) -> Result<[usize; N]> {
    let all: Option<Vec<_>> = v.as_array().and_then(|all| all.iter().map(|n| n.as_u64().map(|n| n as usize)).collect());
    all.and_then(|all| all.try_into().ok()).with_context(|| format!("`{v}` is not {N} numbers"))
}

fn pair(v: &Value) -> Result<[usize; 2]> {
    numbers(v)
}

fn shape(v: &Value) -> Result<Shape> {
    numbers(v).map(|[h, w, c]| Shape::new(h, w, c))
}

fn range(v: &Value) -> Result<std::ops::Range<usize>> {
    let number = |key: &str| v[key].as_u64().with_context(|| format!("`{v}` has no {key}"));
    let (offset, len) = (number("offset")? as usize, number("len")? as usize);
    Ok(offset..offset + len)
}

fn float(v: &Value) -> Result<f32> {
    v.as_f64().map(|v| v as f32).with_context(|| format!("`{v}` is not a number"))
}

fn scale(quant: &Value, key: &str) -> Result<f32> {
    float(&quant[key]["scale"])
}

fn zero(quant: &Value, key: &str) -> Result<i64> {
    quant[key]["zero"].as_i64().with_context(|| format!("`{quant}` has no zero point"))
}
