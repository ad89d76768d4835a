//! The digits decoders on the host: near PyTorch's f32 outputs, and the same bytes as ever.

use firmware::digits::{self, DECODERS, SAMPLES, SIDE};

/// Every decoder's pictures, int8.
fn decode_all() -> Vec<Vec<i8>> {
    let decode = |d: &digits::Decoder| {
        let mut memory = vec![0; d.activations()];
        let mut pictures = Vec::new();
        for code in digits::codes().chunks(digits::codes().len() / SAMPLES) {
            d.decode(code, &mut memory, |y, row| {
                assert_eq!(pictures.len() % (SIDE * SIDE), y * SIDE);
                pictures.extend_from_slice(row);
            })
            .unwrap();
        }
        pictures
    };
    DECODERS.iter().map(decode).collect()
}

#[test]
fn int8_decoders_stay_near_pytorch_f32() {
    let torch: &[u8] = include_bytes!("../../models/digits/torch.f32");
    let torch: Vec<f32> = torch.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    for ((d, ours), f32s) in DECODERS.iter().zip(decode_all()).zip(torch.chunks(SAMPLES * SIDE * SIDE)) {
        let grey = |b: &i8| (f64::from(*b) + 128.0) / 255.0;
        let mse =
            ours.iter().zip(f32s).map(|(a, b)| (grey(a) - f64::from(*b)).powi(2)).sum::<f64>() / ours.len() as f64;
        let psnr = -10.0 * mse.log10();
        println!("{}: {psnr:.1} dB against PyTorch f32", d.name);
        assert!(psnr > 35.0, "{}: {psnr:.1} dB", d.name);
    }
}

#[test]
fn every_byte_is_the_same_as_ever() {
    // CRC-32 of all pictures of a decoder as grey bytes. All three are also what a second implementation of the
    // decoders in NumPy gave (scattered, TFLite's double rounding).
    let grey = |v: &Vec<i8>| v.iter().map(|b| (i32::from(*b) + 128) as u8).collect::<Vec<_>>();
    let digests: Vec<String> = decode_all().iter().map(|v| format!("{:08x}", crc32fast::hash(&grey(v)))).collect();
    assert_eq!(digests, ["0d91cd0e", "3e5e26dc", "9b7211bb"]);
}

#[test]
fn a_code_or_memory_of_the_wrong_length_is_refused() {
    let mut memory = vec![0; DECODERS[0].activations()];
    let error = DECODERS[0].decode(&[0; 15], &mut memory, |_, _| panic!("a row")).unwrap_err();
    assert_eq!(error.to_string(), "the input: 15 elements, but it needs 16");
    let short = memory.len() - 1;
    let error = DECODERS[0].decode(&[0; 16], &mut memory[..short], |_, _| panic!("a row")).unwrap_err();
    assert_eq!(error.to_string(), format!("the activations: {short} elements, but it needs {}", short + 1));
}
