//! Reads the PyTorch vectors of `golden/` and answers each with the f64 reference.

use crate::reference::{self as f64s, PadMode, Resize, Tensor, Window};
use npyz::npz::NpzArchive;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// One call of PyTorch: what went in and what came out. One-dimensional tensors have height 1.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// PyTorch's function.
    pub op: String,
    /// The call's arguments.
    pub kwargs: Value,
    /// The input.
    pub x: Tensor,
    /// The weight in PyTorch's order, or none.
    pub weight: Vec<f64>,
    /// Its shape.
    pub weight_shape: Vec<usize>,
    /// The bias, or none.
    pub bias: Vec<f64>,
    /// The indices of an unpooling, or none.
    pub indices: Vec<usize>,
    /// PyTorch's output.
    pub y: Tensor,
}

/// All cases of `golden/torch.json` and `golden/torch.npz`.
pub fn load() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let cases: Value = serde_json::from_slice(&fs::read(root.join("torch.json")).unwrap()).unwrap();
    let mut arrays = NpzArchive::open(root.join("torch.npz")).unwrap();
    let mut read = |name: String| -> (Vec<usize>, Vec<f64>) {
        let array = arrays.by_name(&name).unwrap().unwrap_or_else(|| panic!("torch.npz lacks {name}"));
        let shape = array.shape().iter().map(|n| *n as usize).collect();
        if array.dtype().descr().contains("i8") {
            (shape, array.into_vec::<i64>().unwrap().into_iter().map(|v| v as f64).collect())
        } else {
            (shape, array.into_vec::<f32>().unwrap().into_iter().map(f64::from).collect())
        }
    };
    let tensor = |(shape, data): (Vec<usize>, Vec<f64>)| match shape[..] {
        [1, c, w] => Tensor { shape: [c, 1, w], data },
        [1, c, h, w] => Tensor { shape: [c, h, w], data },
        _ => panic!("a tensor of shape {shape:?}"),
    };
    let load = |case: &Value| {
        let name = case["name"].as_str().unwrap().to_owned();
        let (weight_shape, weight) = if case["w"].is_null() { Default::default() } else { read(format!("{name}.w")) };
        let bias = if case["b"] == true { read(format!("{name}.b")).1 } else { vec![] };
        let indices = if case["i"].is_null() { vec![] } else { read(format!("{name}.i")).1 };
        Case {
            op: case["op"].as_str().unwrap().to_owned(),
            kwargs: case["kwargs"].clone(),
            x: tensor(read(format!("{name}.x"))),
            y: tensor(read(format!("{name}.y"))),
            indices: indices.into_iter().map(|v| v as usize).collect(),
            name,
            weight,
            weight_shape,
            bias,
        }
    };
    cases.as_array().unwrap().iter().map(load).collect()
}

impl Case {
    /// An argument with a value for each spatial axis; for one-dimensional calls `default` stands for the height.
    fn pair<T: Copy>(&self, name: &str, default: T, get: impl Fn(&Value) -> T) -> [T; 2] {
        match self.kwargs[name].as_array().map(Vec::as_slice) {
            Some([h, w]) => [get(h), get(w)],
            Some([w]) => [default, get(w)],
            _ => [default; 2],
        }
    }

    fn sizes(&self, name: &str, default: usize) -> [usize; 2] {
        self.pair(name, default, |v| v.as_u64().unwrap() as usize)
    }

    /// The geometry of a convolution.
    pub fn window(&self) -> Window {
        let kernel = match self.weight_shape[..] {
            [_, _, w] => [1, w],
            [_, _, h, w] => [h, w],
            _ => panic!("{}: a weight of shape {:?}", self.name, self.weight_shape),
        };
        let p = self.sizes("padding", 0);
        let both = |v: &Value| [v[0].as_u64().unwrap() as usize, v[1].as_u64().unwrap() as usize];
        let pads = if self.kwargs["pads"].is_null() { p.map(|p| [p, p]) } else { self.pair("pads", [0, 0], both) };
        Window {
            kernel,
            stride: self.sizes("stride", 1),
            pads,
            output_padding: self.sizes("output_padding", 0),
            dilation: self.sizes("dilation", 1),
            groups: self.kwargs["groups"].as_u64().unwrap() as usize,
        }
    }

    /// The resize along both axes.
    pub fn resize(&self) -> [Resize; 2] {
        let recompute = self.kwargs["recompute_scale_factor"] == true;
        let factor = self.pair("scale_factor", None, Value::as_f64);
        [0, 1].map(|a| Resize {
            input: self.x.shape[1 + a],
            output: self.y.shape[1 + a],
            align_corners: self.kwargs["align_corners"] == true,
            scale_factor: factor[a].filter(|_| !recompute),
        })
    }

    /// The f64 reference's answer to the call.
    pub fn reference(&self) -> Tensor {
        let x = &self.x;
        match (self.op.as_str(), self.kwargs["mode"].as_str()) {
            ("conv1d" | "conv2d", _) => f64s::conv(x, &self.weight, &self.bias, self.y.shape[0], &self.window()),
            ("conv_transpose1d" | "conv_transpose2d", _) => {
                f64s::conv_transpose(x, &self.weight, &self.bias, self.y.shape[0], &self.window())
            }
            ("interpolate", Some("nearest")) => f64s::nearest(x, self.resize()),
            ("interpolate", Some("nearest-exact")) => f64s::nearest_exact(x, self.resize()),
            ("interpolate", Some("linear" | "bilinear")) => f64s::bilinear(x, self.resize()),
            ("interpolate", Some("bicubic")) => f64s::bicubic(x, self.resize(), -0.75),
            ("interpolate", Some("area")) => f64s::area(x, self.resize()),
            ("pixel_shuffle", _) => f64s::pixel_shuffle(x, self.kwargs["factor"].as_u64().unwrap() as usize),
            ("pixel_unshuffle", _) => f64s::pixel_unshuffle(x, self.kwargs["factor"].as_u64().unwrap() as usize),
            ("max_unpool2d", _) => f64s::max_unpool(x, &self.indices, [self.y.shape[1], self.y.shape[2]]),
            ("pad", Some(mode)) => {
                // PyTorch lists the last axis first.
                let p: Vec<isize> =
                    self.kwargs["pad"].as_array().unwrap().iter().map(|v| v.as_i64().unwrap() as isize).collect();
                let vertical = if let [_, _, top, bottom] = p[..] { [top, bottom] } else { [0, 0] };
                let mode = match mode {
                    "constant" => PadMode::Constant(self.kwargs["value"].as_f64().unwrap()),
                    "reflect" => PadMode::Reflect,
                    _ => PadMode::Replicate,
                };
                f64s::pad(x, [vertical, [p[0], p[1]]], mode)
            }
            (op, mode) => panic!("{}: no reference for {op} {mode:?}", self.name),
        }
    }
}
