//! Temporary.
use firmware::suite::GROUPS;
#[test]
fn dec() {
    for &(name, group) in GROUPS { if name.starts_with("decoders") {
        for seed in 0..10 { println!("{name} {:?}", group(seed, 500)); }
    } }
}
