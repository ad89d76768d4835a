//! `cargo xtask bench`: what layers cost on every core, against what others need, what is allowed, and what it was before.

use crate::boards::{self, CORES, Core, Silicon};
use crate::plot::Panel;
use crate::terminal::markdown;
use crate::{cargo, emulator, flash, plot, profile, readme, reports, setup, silicon};
use anyhow::{Context, Result, anyhow, bail, ensure};
use benches::targets::{self, Target};
use benches::{Cliff, LAYERS, cliffs, peers};
use firmware::bench::{self, COMMAND_LINE, Cost, Spec};
use firmware::report::Report;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::{fs, iter, slice, thread};

/// What is asked for on the command line.
#[derive(clap::Args)]
pub struct Options {
    /// A core: m0, m3, m4, m7, m33, m55 or rv32; without any, all
    #[arg(long = "core", value_name = "CORE")]
    cores: Vec<String>,
    /// A layer in a line such as "conv_transpose 8x8x64 k2x2 s2x2 p0,0,0,0 op0,0 d1 g1 c32 i8"; without any, those of the README's table and the shapes around them
    #[arg(long = "layer", value_name = "SPEC", long_help = layer_help())]
    layers: Vec<String>,
    /// Also print in which functions the instructions of each --layer are; takes up to some minutes a layer, and 80 bytes an instruction in target/ meanwhile
    #[arg(long, requires = "layers", conflicts_with = "board")]
    profile: bool,
    /// Also write {layer, core, macs, outputs, insns, scratch_bytes, weight_bytes, …} of every layer and core to a file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also write the table and the plot into the README and docs/
    #[arg(long, conflicts_with_all = ["cores", "layers"])]
    write_docs: bool,
    /// Also write the counts to benches/budgets.json, and what is missed to benches/missed.txt; `cargo xtask test` holds them to both
    #[arg(long, conflicts_with_all = ["cores", "layers"])]
    write_budgets: bool,
    /// Count cycles on this board on the desk instead, whose UART comes in by --port
    #[arg(long, value_parser = boards::find_silicon, requires = "port", conflicts_with_all = ["cores", "json", "write_docs", "write_budgets"])]
    board: Option<&'static Silicon>,
    /// The serial port of --board (115,200 baud)
    #[arg(long, requires = "board")]
    port: Option<String>,
    /// The drive that a Pico is while BOOTSEL is held: copy the UF2 file to it
    #[arg(long, requires = "board")]
    drive: Option<PathBuf>,
}

fn layer_help() -> String {
    format!(
        "A layer to count; may be given many times. Without any: those of the README's table and the shapes around them.\n\n{}",
        bench::GRAMMAR
    )
}

/// What every layer costs on every core.
pub struct Measured {
    /// The cores.
    pub cores: Vec<&'static Core>,
    /// The lines.
    pub layers: Vec<String>,
    /// Cores x layers.
    costs: Vec<Vec<Cost>>,
}

/// A core, what a layer costs there per unit, and what the best peer needs.
type Compared = (&'static Core, f64, Option<f64>);

/// Counts, prints, and writes what is asked for. Nothing is written when anything fails.
pub fn run(options: &Options) -> Result<()> {
    if let (Some(board), Some(port)) = (options.board, &options.port) {
        return on_desk(board, port, options);
    }
    let cores = cores(&options.cores)?;
    let asked = !options.layers.is_empty();
    let layers = if asked { options.layers.clone() } else { all_layers() };
    let measured = measure(cores, layers)?;
    for core in &measured.cores {
        println!("{}", measured.table(core));
    }
    if !asked {
        println!("{}", measured.cliff_table());
        println!("{}", measured.streaming_table());
    }
    println!("{}", measured.summary_of_targets());
    if options.profile {
        for (core, line, cost) in measured.all() {
            println!("{}\n", profile::table(core, line, cost)?);
        }
    }
    if let Some(path) = &options.json {
        fs::write(path, measured.json()?).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    if options.write_docs {
        readme::write("cargo xtask bench", &measured.summary())?;
        plot::write(&readme::path("docs/bench.png"), &measured.panels())?;
        println!("Written: docs/bench.png and the table in README.md.");
    }
    if options.write_budgets {
        fs::write(readme::path(BUDGETS), measured.budgets())?;
        fs::write(readme::path(MISSED), measured.missed().join("\n") + "\n")?;
        println!("Written: {BUDGETS} and {MISSED}.");
    }
    Ok(())
}

/// Counts cycles on a board on the desk, which runs the named layers that fit its memory.
fn on_desk(board: &Silicon, port: &str, options: &Options) -> Result<()> {
    let named = || LAYERS.iter().map(|layer| layer.spec.to_string()).collect();
    let layers: Vec<_> = if options.layers.is_empty() { named() } else { options.layers.clone() };
    check(&layers)?;
    let elf = silicon::build_bench(board, &layers)?;
    let bytes = flash::load(board, &elf, Some(port), options.drive.as_deref())?.context("a port was named")?;
    println!("{}", desk_table(board, &layers, bytes)?);
    Ok(())
}

/// What a board on the desk reported; its outputs must be the host's.
fn desk_table(board: &Silicon, layers: &[String], mut bytes: Vec<u8>) -> Result<String> {
    let device = reports::decode(&mut bytes)?;
    let mut host = reports::on_host(bench::run, layers);
    let host = reports::decode(&mut host)?;
    ensure!(device.len() == layers.len() + 1, "{} reports came for {} layers", device.len(), layers.len());
    let heads = ["layer", "MACs", "outputs", "cycles", "per MAC or output", "scratch", "weights"];
    let mut rows = vec![heads.map(String::from).to_vec()];
    for ((line, device), host) in layers.iter().zip(&device).zip(&host) {
        let (device, host) = match (device, host) {
            (Report::Layer(device), Report::Layer(host)) => (device, host),
            (Report::Refused { why }, _) => {
                rows.push(vec![line.clone(), format!("refused: {why}")]);
                continue;
            }
            _ => bail!("a report that does not belong to the bench"),
        };
        ensure!(device.digest == host.digest, "the output of `{line}` on {} is not the host's", board.name);
        let count = |n: u64| HumanCount(n).to_string();
        let cost = [device.macs, device.outputs.into(), device.instructions].map(count);
        let bytes = [device.stack.into(), device.weights.into()].map(count);
        rows.push([slice::from_ref(line), &cost, &[short(per_unit(line, device))], &bytes].concat());
    }
    let most = rows[0].len();
    rows.iter_mut().for_each(|row| row.resize(most, String::new()));
    Ok(format!("{} ({})\n\n{}", board.title, board.core, markdown(&rows)))
}

/// Refuses lines that cannot be read.
fn check(layers: &[String]) -> Result<()> {
    layers
        .iter()
        .try_for_each(|line| Spec::parse(line).map(drop).map_err(|error| anyhow!("in the layer `{line}`, {error}")))
}

/// The cores of these names; all when there are none.
fn cores(names: &[String]) -> Result<Vec<&'static Core>> {
    let find = |name: &String| {
        let known = || CORES.iter().map(|core| core.name).collect::<Vec<_>>().join(", ");
        CORES
            .iter()
            .find(|core| core.name == name)
            .with_context(|| format!("there is no core `{name}`; known: {}", known()))
    };
    let mut found: Vec<&Core> = Vec::new();
    for core in names.iter().map(find) {
        let core = core?;
        if found.iter().all(|f| f.name != core.name) {
            found.push(core);
        }
    }
    Ok(if names.is_empty() { CORES.iter().collect() } else { found })
}

/// Every layer that has a budget, each once.
pub fn all_layers() -> Vec<String> {
    let mut all: Vec<String> = LAYERS.iter().map(|layer| layer.spec.into()).collect();
    let decoders = targets::DECODERS.iter().flat_map(|decoder| [decoder.to_string(), by_rows(decoder)]);
    for layer in cliffs().into_iter().flat_map(|cliff| [cliff.odd, cliff.even]).chain(decoders) {
        if !all.contains(&layer) {
            all.push(layer);
        }
    }
    all
}

/// The line that streams a decoder.
fn by_rows(decoder: &str) -> String {
    format!("{decoder} rows")
}

/// Runs layers on the host, then on the cores, whose outputs must be the host's: one build and one run for each core.
///
/// # Errors
/// The first line that cannot be read or planned, before anything is built.
pub fn measure(cores: Vec<&'static Core>, layers: Vec<String>) -> Result<Measured> {
    check(&layers)?;
    let length: usize = layers.iter().map(|line| line.len() + 3).sum();
    const ROOM: usize = COMMAND_LINE - 64;
    ensure!(length <= ROOM, "the layers make a command line of {length} bytes; at most {ROOM} fit");
    let mut host = reports::on_host(bench::run, &layers);
    let host = costs(&reports::decode(&mut host)?, &layers)?;

    for core in &cores {
        setup::board(&core.board)?;
        cargo::board(&core.board, &["bench"])?;
    }
    let bar = ProgressBar::new((cores.len() * (layers.len() + 1)) as u64);
    bar.set_style(ProgressStyle::with_template("bench {wide_bar} {pos}/{len} layers, {elapsed}")?);
    let device = |core: &Core| -> Result<Vec<Cost>> {
        let mut bytes = emulator::run(&core.board, "bench", &layers, &bar)?;
        let device = costs(&reports::decode(&mut bytes)?, &layers)?;
        for ((device, host), line) in device.iter().zip(&host).zip(&layers) {
            let same = device.digest == host.digest && device.macs == host.macs;
            ensure!(same, "the output of `{line}` on {} is not that of the host's portable kernel", core.name);
        }
        Ok(device)
    };
    let costs = thread::scope(|scope| {
        let runs: Vec<_> = cores.iter().map(|core| scope.spawn(|| device(core))).collect();
        let end = |run: thread::ScopedJoinHandle<'_, _>| {
            run.join().unwrap_or_else(|_| Err(anyhow!("the emulator's thread panicked")))
        };
        runs.into_iter().map(end).collect::<Result<Vec<_>>>()
    })?;
    bar.finish_and_clear();
    Ok(Measured { cores, layers, costs })
}

/// One cost for each layer, or the first refusal.
fn costs(reports: &[Report<'_>], layers: &[String]) -> Result<Vec<Cost>> {
    let cost = |(report, line): (&Report<'_>, &String)| match report {
        Report::Layer(cost) => Ok(*cost),
        Report::Refused { why } => bail!("the layer `{line}` is refused: {why}"),
        _ => bail!("a report that does not belong to the bench"),
    };
    ensure!(reports.len() == layers.len() + 1, "{} reports came for {} layers", reports.len(), layers.len());
    reports.iter().zip(layers).map(cost).collect()
}

/// The name of a layer, if it has one.
pub fn name(line: &str) -> Option<&'static str> {
    LAYERS
        .iter()
        .find(|layer| layer.spec == line || Spec::parse(layer.spec) == Spec::parse(line))
        .map(|layer| layer.name)
}

/// MACs, or output values where there are none: what «per unit» means. An interpolation's multiplications are nobody's MACs.
pub fn units(line: &str, cost: &Cost) -> u64 {
    let counts_macs = ["conv", "fold", "decoder"].iter().any(|operator| line.starts_with(operator));
    if counts_macs && cost.macs > 0 { cost.macs } else { u64::from(cost.outputs) }.max(1)
}

fn per_unit(line: &str, cost: &Cost) -> f64 {
    cost.instructions as f64 / units(line, cost) as f64
}

/// A number of three digits.
pub fn short(n: f64) -> String {
    if n < 10.0 {
        format!("{n:.2}")
    } else if n < 100.0 {
        format!("{n:.1}")
    } else {
        format!("{n:.0}")
    }
}

/// What a layer may cost, and what it does.
struct Verdict {
    what: &'static str,
    limit: f64,
    cost: f64,
}

impl Verdict {
    /// As it is printed, to two places.
    fn met(&self) -> bool {
        self.cost < self.limit + 0.005
    }

    /// A count may differ by an instruction from run to run, so here no list is held to it.
    fn close(&self) -> bool {
        (self.cost - self.limit - 0.005).abs() < 0.001
    }
}

/// The verdict on a folded layer, and on int16x8.
const PAIR: &str = "of the pair";
const INT8: &str = "of int8";
/// The verdict on what a layer takes beside its tensors, ours all of it stack.
const SCRATCH: &str = "bytes of scratch";
/// What is not a must.
const AIM: &str = "aim";

impl Measured {
    /// What a layer costs on a core, where both were measured.
    pub fn cost(&self, line: &str, core: &str) -> Option<&Cost> {
        let core = self.cores.iter().position(|c| c.name == core)?;
        let layer = self.layers.iter().position(|l| l == line)?;
        self.costs.get(core)?.get(layer)
    }

    /// Each core and layer, and what it costs.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &str, &Cost)> {
        iter::zip(&self.cores, &self.costs).flat_map(|(core, costs)| {
            iter::zip(&self.layers, costs).map(|(line, cost)| (core.name, line.as_str(), cost))
        })
    }

    /// Everything about a core.
    fn table(&self, core: &Core) -> String {
        let heads = [
            "layer",
            "MACs",
            "outputs",
            "insns",
            "per MAC or output",
            "scratch",
            "weights",
            "peers / ours, their scratch",
            "must, aim",
        ];
        let mut rows = vec![heads.map(String::from).to_vec()];
        let peers = peers::all();
        // The shapes around the layers are in the list of cliffs.
        let default = self.layers == all_layers();
        for line in &self.layers {
            let (Some(cost), name) = (self.cost(line, core.name), name(line)) else { continue };
            if default && name.is_none() {
                continue;
            }
            let count = |n: u64| HumanCount(n).to_string();
            let verdicts = |all: Vec<Verdict>| {
                let met = |v: &Verdict| if v.met() { "met" } else { "missed" };
                let one = |v: &Verdict| match v.what {
                    PAIR | INT8 | SCRATCH => format!("{} {}, {} {}", short(v.cost), v.what, short(v.limit), met(v)),
                    _ => format!("{} {}", short(v.limit), met(v)),
                };
                all.iter().map(one).collect::<Vec<_>>().join(", ")
            };
            let ours = per_unit(line, cost);
            let ratios: Vec<_> = peers
                .iter()
                .filter(|peer| Some(peer.layer) == name && peer.core == core.name)
                .map(|peer| {
                    let scratch = peer.scratch.map_or(String::new(), |n| format!(" ({} B)", HumanCount(n.into())));
                    format!("{} {}{scratch}", peer.name, short(peer.cost.per_unit(units(line, cost)) / ours))
                })
                .collect();
            let n = cost.instructions;
            rows.push(vec![
                name.map_or(String::new(), |name| format!("{name}: ")) + line,
                count(cost.macs),
                count(cost.outputs.into()),
                count(n),
                short(ours),
                count(cost.stack.into()),
                count(cost.weights.into()),
                ratios.join(", "),
                verdicts(self.verdicts(core.name, line, cost)),
            ]);
        }
        format!("{} ({})\n\n{}\n", core.name, core.board.core, markdown(&rows))
    }

    /// How a layer stands to its targets.
    fn verdicts(&self, core: &str, line: &str, cost: &Cost) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        let mut verdict = |what, limit, cost| verdicts.push(Verdict { what, limit, cost });
        if let Some(Target { must, aim }) = name(line).and_then(|name| targets::target(name, core)) {
            verdict("must", must, per_unit(line, cost));
            aim.into_iter().for_each(|aim| verdict(AIM, aim, per_unit(line, cost)));
        }
        if cost.unfolded > 0 {
            verdict(PAIR, targets::FOLD, cost.instructions as f64 / cost.unfolded as f64);
        }
        if core == "m4"
            && let Some(int8) = line.strip_suffix(" i16x8").and_then(|line| self.cost(line, core))
        {
            verdict(INT8, targets::I16X8, cost.instructions as f64 / int8.instructions as f64);
        }
        let of_cmsis_nn =
            |p: &peers::Peer| Some(p.layer) == name(line) && p.core == core && p.name.starts_with("CMSIS-NN");
        if let Some(scratch) = peers::all().iter().filter(|p| of_cmsis_nn(p)).filter_map(|p| p.scratch).min() {
            verdict(SCRATCH, scratch.into(), cost.stack.into());
        }
        verdicts
    }

    /// An odd shape's cost per MAC or output value on a core against its even neighbour's.
    fn cliff(&self, cliff: &Cliff, core: &str) -> Option<f64> {
        let per = |line: &str| self.cost(line, core).map(|cost| per_unit(line, cost));
        Some(per(&cliff.odd)? / per(&cliff.even)?)
    }

    /// Odd shapes against their even neighbours on every core.
    fn cliff_table(&self) -> String {
        let mut rows = vec![vec!["shape, against its neighbour".to_string(), String::new()]];
        rows[0].extend(self.cores.iter().map(|core| core.name.to_string()));
        for cliff in cliffs() {
            let cell = |core: &&Core| {
                let missed = |r: f64| if r < targets::CLIFF + 0.005 { "" } else { " missed" };
                self.cliff(&cliff, core.name).map_or(String::new(), |r| format!("{r:.2}{}", missed(r)))
            };
            let mut row = vec![cliff.odd.clone(), cliff.even.clone()];
            row.extend(self.cores.iter().map(cell));
            rows.push(row);
        }
        format!(
            "Instructions per MAC or output value, at most {} times the neighbour's\n\n{}\n",
            targets::CLIFF,
            markdown(&rows)
        )
    }

    /// What a decoder costs on a core row by row, and on whole tensors.
    fn streaming(&self, decoder: &str, core: &str) -> Option<[u64; 2]> {
        let instructions = |line: &str| Some(self.cost(line, core)?.instructions);
        Some([instructions(&by_rows(decoder))?, instructions(decoder)?])
    }

    /// Both of every decoder and core.
    fn streaming_table(&self) -> String {
        let mut rows = vec![vec!["decoder, row by row".to_string(), "at most".to_string()]];
        rows[0].extend(self.cores.iter().map(|core| core.name.to_string()));
        for decoder in targets::DECODERS {
            let cell = |core: &&Core| {
                let text = |[rows, whole]: [u64; 2]| {
                    let count = |n| HumanCount(n).to_string();
                    format!("{} / {} = {:.3}", count(rows), count(whole), rows as f64 / whole as f64)
                };
                self.streaming(decoder, core.name).map_or(String::new(), text)
            };
            let mut row = vec![decoder.to_string(), format!("{:.2}", targets::STREAMED)];
            row.extend(self.cores.iter().map(cell));
            rows.push(row);
        }
        format!(
            "Instructions of decoders row by row / of the same operators on whole tensors, one after the other\n\n{}\n",
            markdown(&rows)
        )
    }

    /// Every verdict and the line that a list of misses has for it.
    fn judged(&self) -> Vec<(Verdict, String)> {
        let of = |(core, line, cost): (&'static str, &str, &Cost)| {
            let text = |v: &Verdict| {
                let what = if matches!(v.what, PAIR | INT8 | SCRATCH) { format!(" {}", v.what) } else { String::new() };
                format!(
                    "{core} {}{}: {}{what}, {} {}",
                    name(line).unwrap_or(line),
                    if v.what == SCRATCH { " scratch" } else { "" },
                    short(v.cost),
                    if v.what == AIM { AIM } else { "at most" },
                    short(v.limit)
                )
            };
            self.verdicts(core, line, cost)
                .into_iter()
                .map(|v| {
                    let text = text(&v);
                    (v, text)
                })
                .collect::<Vec<_>>()
        };
        let mut all: Vec<_> = self.all().flat_map(of).collect();
        for (core, cliff) in
            self.cores.iter().flat_map(|core| cliffs().into_iter().map(move |cliff| (core.name, cliff)))
        {
            if let Some(cost) = self.cliff(&cliff, core) {
                let text = format!("{core} {}: {cost:.2} of {}, at most {:.1}", cliff.odd, cliff.even, targets::CLIFF);
                all.push((Verdict { what: "cliff", limit: targets::CLIFF, cost }, text));
            }
        }
        for (core, decoder) in self.cores.iter().flat_map(|core| targets::DECODERS.map(|decoder| (core.name, decoder)))
        {
            if let Some([rows, whole]) = self.streaming(decoder, core) {
                let (limit, cost) = (targets::STREAMED, rows as f64 / whole as f64);
                let text = format!("{core} {decoder} rows: {cost:.2} of whole tensors, at most {limit:.2}");
                all.push((Verdict { what: "streamed", limit, cost }, text));
            }
        }
        all
    }

    /// What may not be and is.
    fn missed(&self) -> Vec<String> {
        self.judged().into_iter().filter(|(v, _)| v.what != AIM && !v.met()).map(|(_, text)| text).collect()
    }

    /// What is met, what is missed, and what was only aimed at.
    fn summary_of_targets(&self) -> String {
        let judged = self.judged();
        let aims = |(v, _): &&(Verdict, String)| v.what == AIM;
        let not_reached: Vec<_> =
            judged.iter().filter(aims).filter(|(v, _)| !v.met()).map(|(_, text)| text.as_str()).collect();
        let missed = self.missed();
        let list = |of: &[&str]| of.iter().map(|text| format!("  {text}\n")).collect::<String>();
        let musts = judged.iter().filter(|(v, _)| v.what != AIM).count();
        format!(
            "Aims not reached: {} of {}\n{}Musts missed: {} of {musts}\n{}",
            not_reached.len(),
            judged.iter().filter(aims).count(),
            list(&not_reached),
            missed.len(),
            list(&missed.iter().map(String::as_str).collect::<Vec<_>>())
        )
    }

    /// The layers that peers have been counted on, the cores, and of both our cost and the best peer's.
    fn compared(&self) -> Vec<(&'static benches::Layer, Vec<Compared>)> {
        let peers = peers::all();
        let layers = LAYERS.iter().filter(|layer| peers.iter().any(|peer| peer.layer == layer.name));
        let cores = |layer: &benches::Layer| {
            let core = |core: &&'static Core| {
                let cost = self.cost(layer.spec, core.name)?;
                let same = peers.iter().filter(|peer| peer.layer == layer.name && peer.core == core.name);
                let best = same.map(|peer| peer.cost.per_unit(units(layer.spec, cost))).min_by(f64::total_cmp);
                Some((*core, per_unit(layer.spec, cost), best))
            };
            self.cores.iter().filter_map(core).collect()
        };
        layers.map(|layer| (layer, cores(layer))).collect()
    }

    /// The README's picture and table.
    fn summary(&self) -> String {
        let mut rows = vec![vec!["layer".to_string()]];
        rows[0].extend(self.cores.iter().map(|core| core.board.core.to_string()));
        for (layer, cores) in self.compared() {
            let mut row = vec![format!("{}: {}", layer.name, layer.spec)];
            row.extend(cores.iter().map(|(_, ours, best)| match best {
                Some(best) => format!("{} ({})", short(*ours), short(*best)),
                None => short(*ours),
            }));
            rows.push(row);
        }
        format!(
            "![Instructions per MAC or output value, ours and the peers', per layer and core](docs/bench.png)\n\n{}",
            markdown(&rows)
        )
    }

    fn panels(&self) -> Vec<Panel> {
        let compared = self.compared();
        let panel = |core: &&'static Core| Panel {
            title: core.board.core.into(),
            bars: compared
                .iter()
                .flat_map(|(layer, cores)| {
                    let of = cores.iter().filter(|(c, ..)| c.name == core.name);
                    of.map(|(_, ours, best)| (layer.name, *ours, *best))
                })
                .collect(),
        };
        self.cores.iter().map(panel).collect()
    }

    fn json(&self) -> Result<String> {
        #[derive(Serialize)]
        struct Entry<'a> {
            layer: &'a str,
            core: &'a str,
            macs: u64,
            outputs: u32,
            insns: u64,
            scratch_bytes: u32,
            weight_bytes: u32,
            #[serde(skip_serializing_if = "Option::is_none")]
            unfolded_insns: Option<u64>,
            digest: u32,
        }
        let entry = |(core, layer, cost): (_, _, &Cost)| Entry {
            layer,
            core,
            macs: cost.macs,
            outputs: cost.outputs,
            insns: cost.instructions,
            scratch_bytes: cost.stack,
            weight_bytes: cost.weights,
            unfolded_insns: (cost.unfolded > 0).then_some(cost.unfolded),
            digest: cost.digest,
        };
        let entries = self.all().map(|(c, l, cost)| entry((c, l, cost))).collect::<Vec<_>>();
        Ok(serde_json::to_string_pretty(&entries)? + "\n")
    }

    /// The file of budgets: a line for each layer.
    fn budgets(&self) -> String {
        let lines = self.layers.iter().map(|line| {
            let counts = self.cores.iter().filter_map(|core| {
                self.cost(line, core.name).map(|cost| format!("\"{}\": {}", core.name, cost.instructions))
            });
            format!("  \"{line}\": {{ {} }}", counts.collect::<Vec<_>>().join(", "))
        });
        format!("{{\n{}\n}}\n", lines.collect::<Vec<_>>().join(",\n"))
    }
}

/// Per cent that a layer may take more than its budget.
const SLACK: u64 = 2;

const BUDGETS: &str = "benches/budgets.json";

const MISSED: &str = "benches/missed.txt";

/// The cores and layers that take more than 2 % above their budget, with by how much; and those without a budget.
pub fn over_budget(measured: &Measured) -> Result<Vec<(&'static str, String)>> {
    let text = fs::read_to_string(readme::path(BUDGETS)).context("benches/budgets.json cannot be read")?;
    let budgets: BTreeMap<String, BTreeMap<String, u64>> =
        serde_json::from_str(&text).context("benches/budgets.json is damaged")?;
    let over = |(core, line, cost): (&'static str, &str, &Cost)| {
        let over = match budgets.get(line).and_then(|cores| cores.get(core)) {
            None => Some(format!("`{line}` has no budget")),
            Some(&budget) => too_much(line, budget, cost.instructions),
        };
        over.map(|over| (core, over))
    };
    Ok(measured.all().filter_map(over).collect())
}

/// What is missed and not listed, and what is listed and met.
pub fn missed_otherwise(measured: &Measured) -> Result<Vec<String>> {
    let text = fs::read_to_string(readme::path(MISSED)).context("benches/missed.txt cannot be read")?;
    let close: Vec<_> = measured.judged().into_iter().filter(|(v, _)| v.close()).map(|(_, text)| text).collect();
    Ok(differences(&text.lines().map(String::from).collect::<Vec<_>>(), &measured.missed(), &close))
}

/// Of lines `layer: figures`, the layers of one list only.
fn differences(listed: &[String], missed: &[String], close: &[String]) -> Vec<String> {
    let layer = |line: &String| line.split_once(": ").map_or(line.clone(), |(layer, _)| layer.to_string());
    let lacks = |list: &[String], line: &String| list.iter().all(|other| layer(other) != layer(line));
    let new =
        missed.iter().filter(|line| lacks(listed, line) && lacks(close, line)).map(|line| format!("{line} is missed"));
    let met = listed
        .iter()
        .filter(|line| lacks(missed, line) && lacks(close, line))
        .map(|line| format!("{line} is met by now"));
    new.chain(met).collect()
}

fn too_much(line: &str, budget: u64, now: u64) -> Option<String> {
    let more = 100.0 * (now as f64 / budget as f64 - 1.0);
    let text = || format!("`{line}` takes {now} instructions, {more:.1} % more than its budget of {budget}");
    (100 * now > (100 + SLACK) * budget).then(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_that_is_unknown_is_named() {
        let error = cores(&["m4".into(), "m9".into()]).err().unwrap().to_string();
        assert_eq!(error, "there is no core `m9`; known: m0, m3, m4, m7, m33, m55, rv32");
        let names: Vec<_> = cores(&["m7".into(), "m0".into(), "m7".into()]).unwrap().iter().map(|c| c.name).collect();
        assert_eq!(names, ["m7", "m0"]);
    }

    #[test]
    fn more_than_two_per_cent_is_too_much() {
        assert_eq!(too_much("x", 1000, 1020), None);
        assert_eq!(too_much("x", 1000, 900), None);
        assert_eq!(
            too_much("x", 1000, 1021).unwrap(),
            "`x` takes 1021 instructions, 2.1 % more than its budget of 1000"
        );
    }

    #[test]
    fn a_board_on_the_desk_shows_what_fits_it() {
        let layers = ["conv 8x8x4 k3 p1 c4", "conv 128x128x4 k3 p1 c32"].map(String::from);
        let board = boards::find_silicon("nrf52840-dk").unwrap();
        let table = desk_table(board, &layers, reports::on_host(bench::run, &layers)).unwrap();
        assert!(
            table.contains("conv 8x8x4 k3 p1 c4      |") && table.contains("refused: the bench's arena"),
            "{table}"
        );
        let other = ["conv 8x8x4 k3 p1 c4", "conv 8x8x4 k3 p1 c8"].map(String::from);
        let error = desk_table(board, &other, reports::on_host(bench::run, &[&other[..1], &other[..1]].concat()));
        assert!(error.err().unwrap().to_string().contains("is not the host's"));
    }

    #[test]
    fn pads_unpooling_tables_and_joins_are_the_same_by_rows() {
        let whole = [
            "pad 5x6x3 1,2,0,1",
            "pad 5x6x3 2 reflect i16",
            "unpool 4x5x3 k2 s1x2",
            "table 5x6x3",
            "table 5x6x3 i16",
            "add 5x6x3",
            "concat 5x6x3 c2 i16",
        ];
        let layers: Vec<String> = whole.iter().flat_map(|line| [line.to_string(), format!("{line} rows")]).collect();
        let mut bytes = reports::on_host(bench::run, &layers);
        let costs = costs(&reports::decode(&mut bytes).unwrap(), &layers).unwrap();
        assert!(costs.chunks(2).all(|pair| pair[0].digest == pair[1].digest && pair[0].outputs > 0));
        let outputs: Vec<_> = costs.chunks(2).map(|pair| pair[0].outputs).collect();
        assert_eq!(outputs, [6 * 9 * 3, 9 * 10 * 3, 5 * 10 * 3, 90, 90, 90, 5 * 6 * 5]);
    }

    #[test]
    fn a_miss_that_is_not_listed_is_told() {
        let lines = |lines: &[&str]| lines.iter().map(|line| line.to_string()).collect::<Vec<_>>();
        let listed = lines(&["m4 T5: 2.79, at most 2.20", "m0 C2: 5.85, at most 5.60"]);
        assert!(
            differences(&listed, &lines(&["m0 C2: 5.90, at most 5.60", "m4 T5: 2.80, at most 2.20"]), &[]).is_empty()
        );
        assert_eq!(
            differences(&listed, &lines(&["m0 C2: 5.85, at most 5.60", "m4 T1: 1.40, at most 1.35"]), &[]),
            ["m4 T1: 1.40, at most 1.35 is missed", "m4 T5: 2.79, at most 2.20 is met by now"]
        );
    }

    #[test]
    fn no_list_is_held_to_an_instruction() {
        let lines = |lines: &[&str]| lines.iter().map(|line| line.to_string()).collect::<Vec<_>>();
        let (one, other) = (lines(&["m4 T5: 2.21, at most 2.20"]), lines(&["m0 C2: 5.61, at most 5.60"]));
        assert!(differences(&one, &other, &[&one[..], &other[..]].concat()).is_empty());
        let verdict = |cost| Verdict { what: "must", limit: 2.0, cost };
        assert!(verdict(2.0042).met() && verdict(2.0042).close() && !verdict(2.0058).met() && verdict(2.0058).close());
        assert!(!verdict(2.0).close() && !verdict(2.01).close());
    }

    #[test]
    fn a_layer_that_cannot_be_planned_is_refused_before_anything_is_built() {
        let says = |line: &str| measure(CORES.iter().collect(), vec![line.into()]).err().unwrap().to_string();
        assert!(says("conv 8x8x3 k3 g2 c4").contains("input channels is 3; it must be a multiple of 2"));
        assert!(says("conv 8x8 k3 c4").starts_with("in the layer `conv 8x8 k3 c4`, `8x8` stands where"));
        assert!(says("upsample nearest 128x128x64 256x256").contains("arena"));
    }
}
