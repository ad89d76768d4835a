//! Prints the README's table of operators from the committed vectors; `--write-docs` writes it there.

use anyhow::Result;
use clap::Parser;
use host_tests::operators;
use std::fs;
use std::path::Path;

/// Runs all committed vectors and prints what came of each operator.
#[derive(Parser)]
#[command(name = "operators")]
struct Arguments {
    /// Also put the table into the README
    #[arg(long)]
    write_docs: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let table = operators::table()?;
    println!("{table}");
    if arguments.write_docs {
        let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
        let (text, _) = operators::in_readme(&fs::read_to_string(&readme)?, &table)?;
        fs::write(&readme, text)?;
    }
    Ok(())
}
