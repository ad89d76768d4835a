//! The trained networks on the host: every byte of every test input is what the models' own integer implementation, in NumPy, computed.

use firmware::networks::{Layers, Network, Number, Rows, Seed};
use firmware::{bigpicture, digits, ecg, nuclei};
use serde_json::Value;
use std::fs;

/// An input's output as the bytes of a device, CRC-32.
fn crc<T: Number>(seed: &Seed, network: &Network, rows: &dyn Rows<T>, sample: usize, len: usize) -> String {
    let (mut memory, mut bytes) = (vec![T::default(); network.ram / size_of::<T>()], Vec::new());
    let mut x = seed.input(sample, len);
    rows.decode(&mut x, &mut memory, &mut |row| bytes.extend_from_slice(bytemuck::cast_slice(row))).unwrap();
    format!("{:08x}", crc32fast::hash(&bytes))
}

fn holds(task: &str, seeds: &[Seed]) {
    let mut checked = 0;
    for (n, seed) in seeds.iter().enumerate() {
        let path = format!("{}/../models/{task}/seed{n}/model.json", env!("CARGO_MANIFEST_DIR"));
        let model: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        for network in seed.networks {
            // Folded or not, the same bytes.
            let name = if network.name == "folded" { "nearest" } else { network.name };
            let decoder = model["decoders"].as_array().unwrap().iter().find(|d| d["name"] == name).unwrap();
            for (key, len) in [("crc32", seed.len), ("window_crc32", seed.window)] {
                let Some(expected) = decoder[key][network.format()].as_array() else { continue };
                for (sample, expected) in expected.iter().enumerate() {
                    let crc = match network.layers {
                        Layers::Int8(rows, _) => crc(seed, network, rows, sample, len),
                        Layers::Int16x8(rows, _) => crc(seed, network, rows, sample, len),
                    };
                    assert_eq!(
                        *expected,
                        crc,
                        "{task}, seed {n}, {} {}, input {sample}",
                        network.name,
                        network.format()
                    );
                    checked += 1;
                }
            }
        }
    }
    println!("{task}: {checked} outputs");
    assert!(checked >= seeds.len());
}

#[test]
fn bigpicture_is_numpys() {
    holds("bigpicture", &*bigpicture::SEEDS);
}

#[test]
fn digits_are_numpys() {
    holds("digits", &*digits::SEEDS);
}

#[test]
fn ecg_is_numpys() {
    holds("ecg", &*ecg::SEEDS);
}

#[test]
fn nuclei_are_numpys() {
    holds("nuclei", &*nuclei::SEEDS);
}

#[test]
fn memory_of_the_wrong_length_is_refused() {
    let network = &digits::SEEDS[0].networks[0];
    let Layers::Int8(rows, _) = network.layers else { panic!("the first network is int8") };
    for wrong in [0, network.ram - 1, network.ram + 1] {
        let refused = rows.decode(&mut digits::SEEDS[0].input(0, 16), &mut vec![0; wrong], &mut |_| panic!("a row"));
        assert!(matches!(refused, Err(upconv::Error::Length { .. })), "{wrong}: {refused:?}");
    }
}
