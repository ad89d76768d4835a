//! `cargo xtask size`: the linked code of each operator on each core.

use crate::boards::{CORES, Core};
use crate::terminal::markdown;
use crate::{cargo, readme, setup};
use anyhow::{Context, Result};
use object::{Object, ObjectSection};
use std::fs;

/// The values of `--cfg operator`: those of `firmware/src/bin/size`.
const OPERATORS: [&str; 11] = [
    "conv_transpose",
    "conv",
    "conv i16x8",
    "fold",
    "columns",
    "sub_pixel",
    "nearest",
    "bilinear",
    "bicubic",
    "area",
    "depth_to_space",
];

/// For speed, and for size.
const LEVELS: [&str; 2] = ["3", "\"s\""];

/// Code that a program grows by, operator by operator, at either level of optimisation.
pub fn run(write_docs: bool) -> Result<()> {
    let table = table()?;
    println!("{table}");
    if write_docs {
        readme::write("cargo xtask size", &table)?;
    }
    Ok(())
}

fn table() -> Result<String> {
    let mut columns: Vec<(&Core, Vec<String>)> = Vec::new();
    for core in CORES {
        setup::board(&core.board)?;
        // Cores of one target and CPU have the same code.
        let of = |core: &Core| [core.board.target, core.board.cpu];
        let column = match columns.iter().find(|(c, _)| of(c) == of(core)) {
            Some((_, column)) => column.clone(),
            None => {
                let [fast, small] = [grown(core, LEVELS[0])?, grown(core, LEVELS[1])?];
                let kilobytes = |bytes: u64| bytes as f64 / 1024.0;
                let cell = |(fast, small)| format!("{:.1} / {:.1}", kilobytes(fast), kilobytes(small));
                fast.into_iter().zip(small).map(cell).collect()
            }
        };
        columns.push((core, column));
    }
    let mut rows = vec![vec!["code, KB".to_string()]];
    rows[0].extend(columns.iter().map(|(core, _)| core.board.core.to_string()));
    for (i, operator) in OPERATORS.iter().enumerate() {
        let mut row = vec![operator.to_string()];
        row.extend(columns.iter().map(|(_, column)| column[i].clone()));
        rows.push(row);
    }
    Ok(markdown(&rows))
}

/// Bytes that each operator adds to an empty program.
fn grown(core: &Core, level: &str) -> Result<Vec<u64>> {
    let empty = code(core, level, None)?;
    OPERATORS.iter().map(|operator| Ok(code(core, level, Some(operator))? - empty)).collect()
}

/// Bytes of the program's `.text` with an operator.
fn code(core: &Core, level: &str, operator: Option<&str>) -> Result<u64> {
    let mut build = cargo::cargo("rustc");
    build.args(["--quiet", "--package", "firmware", "--bin", "size", "--profile", core.board.profile]);
    build.args(["--config", &format!("profile.{}.opt-level={level}", core.board.profile)]);
    cargo::for_cpu(build.args(["--target", core.board.target]), core.board.cpu)?;
    if let Some(operator) = operator {
        build.args(["--", "--cfg", "operator", "--cfg", &format!("operator=\"{operator}\"")]);
    }
    cargo::run(&mut build)?;
    let elf = cargo::elf(&core.board, "size")?;
    let bytes = fs::read(&elf).with_context(|| format!("{} cannot be read", elf.display()))?;
    let file = object::File::parse(&*bytes)?;
    Ok(file.section_by_name(".text").map_or(0, |section| section.size()))
}
