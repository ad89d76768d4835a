//! Reads cases from disk (the format: `CASES.md`): a folder each, or many packed into a pair of files.

use anyhow::{Context, Error, Result, bail, ensure};
use npyz::{NpyFile, Order, npz::NpzArchive};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// One operator call with its expected outputs, as written down by whoever made it.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// The operator in the words of PyTorch, ONNX or TFLite.
    pub op: String,
    /// `kwargs` or `attrs`.
    pub arguments: Map<String, Value>,
    /// The version of ONNX's own domain; 0 elsewhere.
    pub opset: u64,
    /// The inputs by slot.
    pub inputs: Vec<Option<Array>>,
    /// Weights and bias of a quantised case.
    pub consts: Vec<Array>,
    /// The expected outputs.
    pub outputs: Vec<Array>,
}

/// A tensor as stored; an i64 of more than 53 bits loses its lowest ones.
#[derive(Clone, Debug)]
pub struct Array {
    /// What it is for.
    pub role: String,
    /// NumPy's name of its numbers.
    pub dtype: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// The values in C order.
    pub data: Vec<f64>,
    /// Its scale and zero point.
    pub quant: Option<Quantization>,
}

/// `real = scale * (raw - zero_point)`, for a tensor or for each slice of an axis.
#[derive(Clone, Debug, Deserialize)]
pub struct Quantization {
    /// One scale, or one for each slice.
    pub scale: Vec<f32>,
    /// As many zero points.
    pub zero_point: Vec<i32>,
}

#[derive(Deserialize)]
struct Params {
    name: Option<String>,
    op: String,
    kwargs: Option<Map<String, Value>>,
    attrs: Option<Map<String, Value>>,
    #[serde(default)]
    opset: HashMap<String, u64>,
    inputs: Vec<Option<Entry>>,
    #[serde(default)]
    consts: Vec<Entry>,
    outputs: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    slot: Option<usize>,
    role: Option<String>,
    name: Option<String>,
    file: Option<PathBuf>,
    offset: Option<usize>,
    dtype: String,
    shape: Vec<usize>,
    quant: Option<Quantization>,
}

impl Entry {
    fn len(&self) -> Result<usize> {
        self.shape.iter().try_fold(1usize, |n, s| n.checked_mul(*s)).context("its shape is too large")
    }

    fn array(self, data: Vec<f64>) -> Result<Array> {
        if let Some(q) = &self.quant {
            let (scales, zeros) = (q.scale.len(), q.zero_point.len());
            ensure!(scales == zeros && scales > 0, "quant has {scales} scales and {zeros} zero points");
        }
        let finite = data.iter().all(|v| v.is_finite());
        ensure!(finite, "a value is not a finite number");
        let role = self.role.or(self.name).unwrap_or_default();
        Ok(Array { role, dtype: self.dtype, shape: self.shape, data, quant: self.quant })
    }
}

/// The values of an `.npy` file in f64.
fn values<R: Read>(file: NpyFile<R>, dtype: &str) -> Result<Vec<f64>> {
    fn wide<R: Read, T: npyz::Deserialize>(file: NpyFile<R>, to_f64: impl Fn(T) -> f64) -> Result<Vec<f64>> {
        Ok(file.into_vec::<T>()?.into_iter().map(to_f64).collect())
    }
    ensure!(file.order() == Order::C, "the values are in Fortran order");
    match dtype {
        "float32" => wide(file, |v: f32| v.into()),
        "float64" => wide(file, |v: f64| v),
        "int8" => wide(file, |v: i8| v.into()),
        "uint8" => wide(file, |v: u8| v.into()),
        "int16" => wide(file, |v: i16| v.into()),
        "int32" => wide(file, |v: i32| v.into()),
        "int64" => wide(file, |v: i64| v as f64),
        _ => bail!("dtype {dtype} is none of float32, float64, int8, uint8, int16, int32, int64"),
    }
}

impl Case {
    fn new(params: Params, name: &str, mut read: impl FnMut(&Entry) -> Result<Vec<f64>>) -> Result<Case> {
        let mut load = |entry: Entry, what: &str, i: usize| {
            let data = read(&entry).with_context(|| format!("{what} {i}"))?;
            entry.array(data).with_context(|| format!("{what} {i}"))
        };
        let mut inputs = Vec::new();
        for (i, entry) in params.inputs.into_iter().enumerate() {
            let slot = entry.as_ref().and_then(|e| e.slot).unwrap_or(i);
            ensure!(slot < 64, "slot {slot} of an input is too large");
            inputs.resize(inputs.len().max(slot + 1), None);
            inputs[slot] = entry.map(|e| load(e, "input", i)).transpose()?;
        }
        let list = |entries: Vec<Entry>, what, load: &mut dyn FnMut(_, &_, _) -> _| {
            entries.into_iter().enumerate().map(|(i, e)| load(e, what, i)).collect::<Result<Vec<_>>>()
        };
        Ok(Case {
            name: params.name.unwrap_or_else(|| name.to_owned()),
            op: params.op,
            arguments: params.kwargs.or(params.attrs).unwrap_or_default(),
            opset: params.opset.get("ai.onnx").or_else(|| params.opset.get("")).copied().unwrap_or(0),
            inputs,
            consts: list(params.consts, "const", &mut load)?,
            outputs: list(params.outputs, "output", &mut load)?,
        })
    }

    /// Reads a folder with `params.json` and `.npy` files.
    pub fn read(folder: &Path) -> Result<Case> {
        let json = fs::read(folder.join("params.json")).context("params.json")?;
        let params = serde_json::from_slice(&json).context("params.json")?;
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        Case::new(params, &name, |entry| {
            let file = entry.file.as_ref().context("it has no file")?;
            let opened = File::open(folder.join(file)).map_err(Error::from);
            let read = |npy: File| {
                let npy = NpyFile::new(BufReader::new(npy))?;
                let shape: Vec<u64> = entry.shape.iter().map(|n| *n as u64).collect();
                ensure!(npy.shape() == shape, "its shape is {:?}, not {:?}", npy.shape(), entry.shape);
                values(npy, &entry.dtype)
            };
            opened.and_then(read).with_context(|| file.display().to_string())
        })
    }
}

/// Where cases come from.
pub enum Source {
    /// A folder with one case.
    Folder(PathBuf),
    /// A case of a packed pair, read or refused.
    Packed(String, Result<Case>),
}

impl Source {
    /// The name of the folder, or of the case.
    pub fn name(&self) -> String {
        match self {
            Source::Folder(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            Source::Packed(name, _) => name.clone(),
        }
    }

    /// The case.
    pub fn read(self) -> Result<Case> {
        match self {
            Source::Folder(path) => Case::read(&path),
            Source::Packed(_, case) => case,
        }
    }
}

/// The cases below a folder, in the order of their paths. A folder of folders without `params.json` is a group of cases.
pub fn folders(dir: &Path) -> Result<Vec<Source>> {
    let mut all = Vec::new();
    let listed = fs::read_dir(dir).with_context(|| format!("{} cannot be listed", dir.display()))?;
    let mut paths = listed.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.retain(|p| p.is_dir() && !p.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.')));
    paths.sort();
    for path in paths {
        let group = if path.join("params.json").exists() { vec![] } else { folders(&path)? };
        if group.is_empty() { all.push(Source::Folder(path)) } else { all.extend(group) }
    }
    Ok(all)
}

/// The cases of the pair `<stem>.json` and `<stem>.npz`.
pub fn packed(json: &Path) -> Result<Vec<Source>> {
    let text = fs::read(json).with_context(|| json.display().to_string())?;
    let cases: Vec<Value> = serde_json::from_slice(&text).with_context(|| json.display().to_string())?;
    let pools = json.with_extension("npz");
    let mut archive = NpzArchive::open(&pools).with_context(|| pools.display().to_string())?;
    let names: Vec<String> = archive.array_names().map(str::to_owned).collect();
    let mut arrays = HashMap::new();
    for name in names {
        let array = archive.by_name(&name)?.context("an array vanished")?;
        let read = values(array, &name).with_context(|| format!("{}: {name}", pools.display()))?;
        arrays.insert(name, read);
    }
    let read = |(i, case): (usize, Value)| {
        let name = case["name"].as_str().map_or(format!("case {i}"), str::to_owned);
        let read = serde_json::from_value(case).map_err(Error::from).and_then(|params| {
            Case::new(params, &name, |entry| {
                let pool = arrays.get(&entry.dtype).with_context(|| format!("there is no array {}", entry.dtype))?;
                let from = entry.offset.context("it has no offset")?;
                let values = pool.get(from..).and_then(|v| v.get(..entry.len().ok()?));
                Ok(values.context("it ends beyond its array")?.to_vec())
            })
        });
        Source::Packed(name, read)
    };
    Ok(cases.into_iter().enumerate().map(read).collect())
}
