//! The committed vectors through the conformance runner, and the runner on cases that are wrong or broken.

use host_tests::cases::{self, Array, Case};
use host_tests::operators;
use host_tests::report;
use host_tests::run::{self, Outcome, Status};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn golden(suite: &str) -> Vec<Outcome> {
    let json = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(suite).with_extension("json");
    let sources = cases::packed(&json).unwrap();
    sources.into_iter().flat_map(|source| run::check(&source.name(), source.read())).collect()
}

/// Runs a suite, prints what came of it, and holds it to the number of results that have to pass in each format.
fn passes(suite: &str, least: &[(&str, usize)]) {
    let outcomes = golden(suite);
    println!("{}", report::summary(&outcomes));
    let mut unsupported: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for o in outcomes.iter().filter(|o| o.status == Status::Unsupported) {
        unsupported.entry((&o.name, &o.reason)).or_default().push(o.numbers);
    }
    println!("unsupported");
    for ((name, reason), numbers) in &unsupported {
        println!("  {name:52} {:10} {reason}", numbers.join(" "));
    }
    let failed: Vec<String> = outcomes.chunk_by(|a, b| a.name == b.name).map(report::line).collect();
    let failed: Vec<_> = failed.iter().filter(|l| l.contains(" wrong") || l.contains(" error")).collect();
    assert!(!outcomes.iter().any(Outcome::failed), "{failed:#?}");
    for (numbers, least) in least {
        let passed = |o: &&Outcome| o.numbers == *numbers && o.status <= Status::Within;
        let passed = outcomes.iter().filter(passed).count();
        assert!(passed >= *least, "{suite}: only {passed} of at least {least} pass in {numbers}");
    }
}

#[test]
fn pytorch_vectors() {
    passes("torch", &[("f64", 577), ("i8", 577), ("i16", 577)]);
}

#[test]
fn onnx_node_tests() {
    passes("onnx", &[("f64", 89), ("i8", 87), ("i16", 87)]);
}

#[test]
fn litert_vectors_bit_for_bit() {
    passes("litert", &[("i8", 243), ("i16", 225)]);
}

#[test]
fn the_readme_has_the_table_of_operators() {
    let readme = include_str!("../../README.md");
    let table = operators::table().unwrap();
    let (_, old) = operators::in_readme(readme, &table).unwrap();
    assert_eq!(old, table, "write it: cargo run --release -p host-tests --bin operators -- --write-docs");
}

/// An empty folder of that name.
fn scratch(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// Writes the case «nearest by 2», which is right as it stands, after `change` had a go at it.
fn write_case(dir: &Path, name: &str, change: impl Fn(&mut Value, &mut Vec<f32>)) -> PathBuf {
    let folder = dir.join(name);
    fs::create_dir_all(&folder).unwrap();
    let mut params = json!({
        "name": name, "op": "interpolate", "kwargs": {"scale_factor": 2.0, "mode": "nearest"},
        "inputs": [{"slot": 0, "name": "x", "file": "x.npy", "dtype": "float32", "shape": [1, 2, 1, 2]}],
        "outputs": [{"slot": 0, "name": "y", "file": "y.npy", "dtype": "float32", "shape": [1, 2, 2, 4]}],
    });
    let mut y = vec![0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 2.0, 2.0, 3.0, 3.0];
    change(&mut params, &mut y);
    fs::write(folder.join("params.json"), params.to_string()).unwrap();
    for (file, shape, values) in
        [("x.npy", [1, 2, 1, 2], (0..4).map(|v| v as f32).collect()), ("y.npy", [1, 2, 2, 4], y)]
    {
        use npyz::WriterBuilder;
        let file = fs::File::create(folder.join(file)).unwrap();
        let mut npy = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(file).begin_nd().unwrap();
        npy.extend(values).unwrap();
        npy.finish().unwrap();
    }
    folder
}

/// Runs the command: its output, and what it wrote as JSON.
fn conformance(dir: &Path) -> (Output, Vec<Value>) {
    let json = dir.with_extension("report");
    let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
    let output = command.arg(dir).arg("--json").arg(&json).output().unwrap();
    (output, serde_json::from_slice(&fs::read(&json).unwrap()).unwrap())
}

fn statuses(report: &[Value]) -> Vec<[&str; 3]> {
    report.iter().map(|o| ["name", "numbers", "status"].map(|key| o[key].as_str().unwrap())).collect()
}

#[test]
fn a_corrupted_output_is_wrong_and_exits_1() {
    let dir = scratch("corrupted");
    write_case(&dir, "right", |_, _| ());
    let (output, report) = conformance(&dir);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(statuses(&report)[0], ["right", "f64", "exact"]);

    write_case(&dir, "corrupted", |_, y| y[5] += 0.001);
    let (output, report) = conformance(&dir);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(statuses(&report)[0], ["corrupted", "f64", "wrong"]);
    assert_eq!(report.len(), 6); // each case in three formats, and the right one still is
    assert!(statuses(&report)[3..].iter().all(|[name, _, status]| (*name, *status) == ("right", "exact")));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("corrupted ") && text.contains("f64 wrong 3.3e-4"), "{text}");
}

#[test]
fn a_broken_folder_is_one_line_and_an_error() {
    let dir = scratch("broken");
    type Change = fn(&mut Value, &mut Vec<f32>);
    let changes: [(&str, Change, &str); 9] = [
        ("a", |p, _| p["op"] = Value::Null, "params.json: invalid type: null"),
        ("b", |p, _| p["inputs"][0]["file"] = json!("none.npy"), "input 0: none.npy: No such file"),
        ("c", |p, _| p["outputs"][0]["shape"] = json!([1, 2, 4, 2]), "its shape is [1, 2, 2, 4], not [1, 2, 4, 2]"),
        ("d", |p, _| p["inputs"][0]["dtype"] = json!("int8"), "input 0: x.npy: "),
        ("e", |p, _| p["inputs"][0]["dtype"] = json!("complex64"), "dtype complex64 is none of"),
        ("f", |_, y| y[0] = f32::NAN, "output 0: a value is not a finite number"),
        ("g", |p, _| p["kwargs"]["scale_factor"] = json!(0), "scale_factor is 0"),
        ("h", |p, _| p["inputs"] = json!([]), "input 0 is missing"),
        ("i", |p, _| p["outputs"] = json!([]), "it has no output"),
    ];
    for (name, change, _) in changes {
        write_case(&dir, name, change);
    }
    fs::write(dir.join("a").join("notes.txt"), "ignored").unwrap();
    let truncated = write_case(&dir, "j", |_, _| ()).join("x.npy");
    let bytes = fs::read(&truncated).unwrap();
    fs::write(&truncated, &bytes[..bytes.len() - 1]).unwrap();
    fs::write(write_case(&dir, "k", |_, _| ()).join("params.json"), "{").unwrap();
    fs::create_dir(dir.join("l")).unwrap();
    let (output, report) = conformance(&dir);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    let expected = changes.iter().map(|(name, _, why)| (*name, *why));
    let more = [("j", "input 0: x.npy: "), ("k", "params.json: EOF"), ("l", "params.json: No such file")];
    for (((name, why), line), o) in expected.chain(more).zip(text.lines()).zip(&report) {
        assert!(line.starts_with(name) && line.contains(" error (") && line.contains(why), "{name}: {line}");
        assert_eq!(statuses(std::slice::from_ref(o)), [[name, "", "error"]]);
    }
    assert_eq!(report.len(), 12);
}

#[test]
fn no_folder_and_an_empty_one_are_refused_in_a_sentence() {
    let run = |arguments: &[&Path]| {
        let output = Command::new(env!("CARGO_BIN_EXE_conformance")).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let empty = scratch("empty");
    assert_eq!(run(&[&empty]), format!("conformance: {} holds no case folder\n", empty.display()));
    assert!(run(&[]).starts_with("conformance: no folder given: cargo run "));
    let absent = empty.join("absent");
    assert!(run(&[&absent]).starts_with(&format!("conformance: {} cannot be listed: ", absent.display())));
}

#[test]
fn an_argument_that_is_not_offered_is_named() {
    let dir = scratch("unsupported");
    let folder = write_case(&dir, "smooth", |params, _| {
        params["kwargs"] = json!({"scale_factor": 2.0, "mode": "bilinear", "antialias": true});
    });
    let outcomes = run::check("smooth", Case::read(&folder));
    assert_eq!(outcomes.iter().map(|o| o.numbers).collect::<Vec<_>>(), ["f64", "i8", "i16"]);
    assert!(outcomes.iter().all(|o| o.status == Status::Unsupported && o.reason.starts_with("antialias: ")));
}

#[test]
fn sizes_that_are_not_the_floor_of_the_scale() {
    let array = |shape: [usize; 4], data: Vec<f64>| Array {
        role: String::new(),
        dtype: "float32".to_owned(),
        shape: shape.to_vec(),
        data,
        quant: None,
    };
    let case = |op: &str, arguments: Value, x: [usize; 2], y: [usize; 2], scale: [f64; 2], sizes: Option<Vec<f64>>| {
        // The plane x[i, j] = i + 10 j, so that an interpolated value is its position.
        let at = |o: usize, axis: usize| ((o as f64 + 0.5) / scale[axis] - 0.5).clamp(0.0, x[axis] as f64 - 1.0);
        let input = (0..x[0]).flat_map(|i| (0..x[1]).map(move |j| (i + 10 * j) as f64)).collect();
        let output = (0..y[0]).flat_map(|i| (0..y[1]).map(move |j| at(i, 0) + 10.0 * at(j, 1))).collect();
        let sizes = sizes.map(|s| array([s.len(), 1, 1, 1], s));
        Case {
            name: op.to_owned(),
            op: op.to_owned(),
            arguments: arguments.as_object().unwrap().clone(),
            opset: 0,
            inputs: vec![Some(array([1, 1, x[0], x[1]], input)), None, None, sizes],
            consts: vec![],
            outputs: vec![array([1, 1, y[0], y[1]], output)],
        }
    };
    // PyTorch: 0.29 * 100 is a little less than 29 in f64, and an output of the input's size is a copy.
    let torch = json!({"scale_factor": [0.29, 1.3], "mode": "bilinear"});
    let copy = json!({"scale_factor": [1.04, 1.3], "mode": "bilinear"});
    // ONNX: the smaller of 5/3 and 13/10 for both axes, 3.9 rows rounded up.
    let aspect = json!({"mode": "linear", "axes": [2, 3], "keep_aspect_ratio_policy": "not_larger"});
    for case in [
        case("interpolate", torch, [100, 10], [28, 13], [0.29, 1.3], None),
        case("interpolate", copy, [10, 10], [10, 13], [1.0, 1.3], None),
        case("Resize", aspect, [3, 10], [4, 13], [1.3, 1.3], Some(vec![5.0, 13.0])),
    ] {
        let outcomes = run::check("sized", Ok(case));
        assert!(outcomes.len() == 3 && outcomes.iter().all(|o| o.status <= Status::Within), "{outcomes:#?}");
    }
}
