//! `cargo xtask size`: the linked code of each operator on each core.

use crate::boards::{CORES, Core};
use crate::terminal::markdown;
use crate::{cargo, setup};
use anyhow::{Context, Result};
use indicatif::HumanCount;
use object::{Object, ObjectSection};
use std::fs;

/// The values of `--cfg operator`: those of `firmware/src/bin/size`.
const OPERATORS: [&str; 10] = [
    "conv_transpose",
    "conv",
    "conv i16x8",
    "fold",
    "sub_pixel",
    "nearest",
    "bilinear",
    "bicubic",
    "area",
    "depth_to_space",
];

/// Bytes of code that a program grows by, operator by operator.
pub fn run() -> Result<()> {
    println!("{}", table()?);
    Ok(())
}

fn table() -> Result<String> {
    let mut columns: Vec<(&Core, Vec<u64>)> = Vec::new();
    for core in CORES {
        setup::board(&core.board)?;
        // Cores of one target and CPU have the same code.
        let of = |core: &Core| [core.board.target, core.board.cpu];
        let sizes = match columns.iter().find(|(c, _)| of(c) == of(core)) {
            Some((_, sizes)) => sizes.clone(),
            None => {
                let empty = code(core, None)?;
                OPERATORS.iter().map(|o| Ok(code(core, Some(o))? - empty)).collect::<Result<_>>()?
            }
        };
        columns.push((core, sizes));
    }
    let mut rows = vec![vec!["code, bytes".to_string()]];
    rows[0].extend(columns.iter().map(|(core, _)| core.name.to_string()));
    for (i, operator) in OPERATORS.iter().enumerate() {
        let mut row = vec![operator.to_string()];
        row.extend(columns.iter().map(|(_, sizes)| HumanCount(sizes[i]).to_string()));
        rows.push(row);
    }
    Ok(markdown(&rows))
}

/// Bytes of the program's `.text` with an operator.
fn code(core: &Core, operator: Option<&str>) -> Result<u64> {
    let mut build = cargo::cargo("rustc");
    build.args(["--quiet", "--package", "firmware", "--bin", "size", "--profile", core.board.profile]);
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
