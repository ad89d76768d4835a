//! The C interface called as C calls it: what it refuses, and that it computes what the crate computes.

use std::ffi::{CStr, c_char};
use std::mem::MaybeUninit;
use std::ptr;
use upconv_capi::*;

/// A function's status and sentence.
fn said(call: impl FnOnce(*mut c_char) -> upconv_status) -> (upconv_status, String) {
    let mut why = [0; UPCONV_MESSAGE];
    let status = call(why.as_mut_ptr());
    // SAFETY: the functions write a string that ends within the buffer, or nothing.
    (status, unsafe { CStr::from_ptr(why.as_ptr()) }.to_str().unwrap().into())
}

fn refused(status: upconv_status, sentence: &str, call: impl FnOnce(*mut c_char) -> upconv_status) {
    assert_eq!(said(call), (status, sentence.to_string()));
}

fn done(call: impl FnOnce(*mut c_char) -> upconv_status) {
    refused(upconv_status::Ok, "", call);
}

/// Room for an object, of nobody's bytes.
fn room<T>() -> Box<T> {
    let mut room = Box::<T>::new_uninit();
    // SAFETY: the objects are words, of any value.
    unsafe {
        room.as_mut_ptr().cast::<u8>().write_bytes(0xA5, size_of::<T>());
        room.assume_init()
    }
}

fn absent(what: &str) -> String {
    format!("{what} was not planned or bound, or for another element type")
}

const SHAPE: upconv_shape = upconv_shape { h: 2, w: 2, c: 1 };

fn nearest() -> Box<upconv_layer> {
    let mut layer = room();
    // SAFETY: there is room for a layer, and for a sentence.
    done(|why| unsafe { upconv_nearest_i8(&mut *layer, SHAPE, 2, 2, why) });
    layer
}

fn chain(layer: &upconv_layer) -> [upconv_node; 2] {
    let input = upconv_node { kind: UPCONV_KIND_ROWS, layer: ptr::null(), from: [0; 4], shape: SHAPE };
    [input, upconv_node { kind: UPCONV_KIND_LAYER, layer, from: [0; 4], shape: upconv_shape { h: 0, w: 0, c: 0 } }]
}

fn conv(multipliers: &[upconv_multiplier]) -> upconv_conv {
    upconv_conv {
        kind: UPCONV_CONV_TRANSPOSE,
        channels: 1,
        input: SHAPE,
        geometry: upconv_geometry {
            kernel: [2, 2],
            stride: [2, 2],
            dilation: [0; 2],
            pad_before: [0; 2],
            pad_after: [0; 2],
            output_padding: [0; 2],
            groups: 0,
        },
        x: upconv_quant { scale: 0.5, zero: 0 },
        y: upconv_quant { scale: 0.5, zero: 0 },
        multipliers: multipliers.as_ptr(),
        multiplier_count: multipliers.len(),
        activation: UPCONV_ACTIVATION_RELU,
        clamp: [0.0; 2],
        rounding: UPCONV_ROUNDING_TFLITE_DOUBLE,
        block: 0,
    }
}

#[test]
fn a_convolution_is_that_of_the_crate() {
    let (mut m, mut layer, mut packed, mut y) = ([upconv_multiplier { q: 0, shift: 0 }], room(), [0; 4], [0; 16]);
    // SAFETY: every buffer is there, as long as it is said to be.
    unsafe {
        done(|why| upconv_multipliers(0.5, &1.0, 0.5, m.as_mut_ptr(), 1, why));
        let conv = conv(&m);
        let (mut output, mut len, mut macs) = (SHAPE, 0, 0);
        done(|why| upconv_conv_sizes(&conv, &mut output, &mut len, &mut macs, why));
        assert_eq!((output.h, output.w, output.c, len, macs), (4, 4, 1, 4, 16));
        done(|why| upconv_pack(&conv, UPCONV_ORDER_TORCH, [1i8, 2, 3, 4].as_ptr(), packed.as_mut_ptr(), 4, why));
        done(|why| upconv_conv_i8(&mut *layer, &conv, packed.as_ptr(), 4, [0].as_ptr(), 1, why));
        done(|why| upconv_run_i8(&*layer, [1i8, 2, -3, 4].as_ptr(), 4, y.as_mut_ptr(), 16, why));
    }
    assert_eq!(y, [1, 2, 2, 4, 3, 4, 6, 8, 0, 0, 4, 8, 0, 0, 12, 16]);
}

#[test]
fn what_is_wrong_is_said() {
    let (m, mut layer, packed, mut y) = ([upconv_multiplier { q: 1 << 30, shift: 0 }], room(), [0i8; 4], [0i8; 16]);
    let mut wide = [0i16; 9];
    // SAFETY: what is handed over is there, or is refused before it is read.
    unsafe {
        refused(upconv_status::Null, "the layer is NULL", |why| upconv_nearest_i8(ptr::null_mut(), SHAPE, 2, 2, why));
        refused(upconv_status::Zero, "the height factor is 0; it must be at least 1", |why| {
            upconv_nearest_i8(&mut *layer, SHAPE, 0, 2, why)
        });
        let odd = (&raw mut *layer).cast::<u8>().wrapping_add(1).cast();
        refused(upconv_status::Alignment, "the layer is not aligned", |why| upconv_nearest_i8(odd, SHAPE, 2, 2, why));
        let sentence = absent("the layer");
        refused(upconv_status::Object, &sentence, |why| {
            upconv_run_i8(&*layer, packed.as_ptr(), 4, y.as_mut_ptr(), 16, why)
        });
        let planned = nearest();
        refused(upconv_status::Object, &sentence, |why| {
            upconv_run_i16(&*planned, wide.as_ptr(), 4, wide.as_mut_ptr().add(4), 5, why)
        });
        refused(upconv_status::Length, "the output: 15 elements, but it needs 16", |why| {
            upconv_run_i8(&*planned, packed.as_ptr(), 4, y.as_mut_ptr(), 15, why)
        });
        refused(upconv_status::Overlap, "the input and the output overlap", |why| {
            upconv_run_i8(&*planned, y.as_ptr().add(15), 1, y.as_mut_ptr(), 16, why)
        });
        refused(
            upconv_status::Length,
            &format!("the input: {} elements, but it needs {}", usize::MAX, isize::MAX),
            |why| upconv_run_i8(&*planned, ptr::dangling(), usize::MAX, ptr::null_mut(), 0, why),
        );
        let mut wrong = conv(&m);
        wrong.kind = 2;
        refused(upconv_status::Range, "the kind of convolution is 2; it must lie in 0 ..= 1", |why| {
            upconv_conv_i8(&mut *layer, &wrong, packed.as_ptr(), 4, ptr::null(), 0, why)
        });
        let mut wrong = conv(&m);
        wrong.block = 7;
        let here = upconv_block();
        refused(
            upconv_status::Range,
            &format!("the block that the weights are packed for is 7; it must lie in {here} ..= {here}"),
            |why| upconv_conv_i8(&mut *layer, &wrong, packed.as_ptr(), 4, ptr::null(), 0, why),
        );
        let small = [upconv_multiplier { q: 5, shift: 0 }];
        refused(upconv_status::Range, "a multiplier's factor is 5; it must lie in 1073741824 ..= 2147483647", |why| {
            upconv_conv_i8(&mut *layer, &conv(&small), packed.as_ptr(), 4, ptr::null(), 0, why)
        });
        refused(upconv_status::Length, "the packed weights: 3 elements, but it needs 4", |why| {
            upconv_conv_i8(&mut *layer, &conv(&m), packed.as_ptr(), 3, ptr::null(), 0, why)
        });
        // Without room for a sentence there is a status all the same.
        assert_eq!(upconv_nearest_i8(ptr::null_mut(), SHAPE, 2, 2, ptr::null_mut()), upconv_status::Null);
    }
}

unsafe extern "C" fn counted(context: *mut std::ffi::c_void, row: *mut i8, len: usize) -> i32 {
    // SAFETY: the context is the test's own counter, and the row has `len` values.
    let (next, row) = unsafe { (&mut *context.cast::<i8>(), std::slice::from_raw_parts_mut(row, len)) };
    row.fill(*next);
    *next += 1;
    i32::from(*next < 4)
}

#[test]
fn rows_come_from_a_function_or_are_pushed_in_pieces() {
    let layer = nearest();
    let nodes = chain(&layer);
    let (mut decoder, mut memory_of_bound, mut row) = (room(), room(), [0; 4]);
    // As C has it: a second `&mut` would take it away from what it holds.
    let bound: *mut upconv_bound = &raw mut *memory_of_bound;
    let (mut need, mut output) = (0, SHAPE);
    // SAFETY: every buffer is there, as long as it is said to be, and lives until the end.
    unsafe {
        done(|why| upconv_decoder_i8(&mut *decoder, nodes.as_ptr(), 2, why));
        done(|why| upconv_decoder_need(&*decoder, &mut need, &mut output, why));
        assert_eq!((need, output.h, output.w), (2, 4, 4));
        let mut memory = vec![0; need];
        let (memory_at, row_at) = (memory.as_ptr(), row.as_ptr());
        let mut next = 1i8;
        let mut input =
            upconv_input_i8 { whole: ptr::null(), len: 0, rows: Some(counted), context: (&raw mut next).cast() };
        let mut bind = |input: &upconv_input_i8, len| {
            said(|why| upconv_bind_i8(bound, &*decoder, input, 1, memory.as_mut_ptr(), len, row.as_mut_ptr(), 4, why))
        };
        let short = (upconv_status::Length, "the decoder's memory: 1 elements, but it needs 2".to_string());
        assert_eq!(bind(&input, 1), short);
        assert_eq!(bind(&input, 2), (upconv_status::Ok, String::new()));
        let mut y = ptr::null();
        for value in [1, 1, 2, 2] {
            done(|why| upconv_next_row_i8(bound, &mut y, why));
            assert_eq!(*y.cast::<[i8; 4]>(), [value; 4]);
        }
        refused(upconv_status::NoRow, "", |why| upconv_next_row_i8(bound, &mut y, why));
        assert!(y.is_null());
        done(|why| upconv_complete(bound, why));

        // What is bound is not among what it writes, and an input is of one kind.
        let inside = bound.cast::<i8>();
        for (sentence, memory, row) in [
            ("the bound decoder and the memory overlap", inside.wrapping_add(8), row_at.cast_mut()),
            ("the bound decoder and the row overlap", memory_at.cast_mut(), inside.wrapping_add(8)),
        ] {
            refused(upconv_status::Overlap, sentence, |why| {
                upconv_bind_i8(bound, &*decoder, &input, 1, memory, 2, row, 4, why)
            });
        }
        input.whole = &raw const next;
        assert_eq!(bind(&input, 2).0, upconv_status::Unsupported);
        input.whole = ptr::null();

        input.rows = None;
        let two = [input; 2];
        let mut bind = |input: &upconv_input_i8, len| {
            said(|why| upconv_bind_i8(bound, &*decoder, input, 1, memory.as_mut_ptr(), 2, row.as_mut_ptr(), len, why)).0
        };
        assert_eq!(bind(&input, 4), upconv_status::Ok);
        // A refusal leaves nothing bound, not even what was.
        assert_eq!(bind(&input, 3), upconv_status::Length);
        refused(upconv_status::Object, &absent("the bound decoder"), |why| upconv_next_row_i8(bound, &mut y, why));
        assert_eq!(bind(&input, 4), upconv_status::Ok);
        refused(upconv_status::Unsupported, "more than one pushed input is not supported", |why| {
            upconv_bind_i8(bound, &*decoder, &raw const two[0], 2, memory_at.cast_mut(), 2, row_at.cast_mut(), 4, why)
        });
        assert_eq!(bind(&input, 4), upconv_status::Ok);
        // Values must not be what the decoder writes.
        for (what, start) in [("memory", memory_at), ("row", row_at)] {
            let (mut at, mut left) = (start.wrapping_add(1), 1);
            refused(upconv_status::Overlap, &format!("the values and the {what} overlap"), |why| {
                upconv_push_i8(bound, &mut at, &mut left, &mut y, why)
            });
        }
        let (values, mut made) = ([1i8, 2, 3, 4], Vec::new());
        for piece in values.chunks(3) {
            let (mut at, mut left) = (piece.as_ptr(), piece.len());
            while said(|why| upconv_push_i8(bound, &mut at, &mut left, &mut y, why)).0 == upconv_status::Ok {
                made.extend(*y.cast::<[i8; 4]>());
            }
            assert_eq!((left, at), (0, piece.as_ptr().add(piece.len())));
        }
        assert_eq!(made, [1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4]);
        done(|why| upconv_complete(bound, why));
        done(|why| upconv_restart(bound, why));
        // Half of the values are half of a picture.
        let (mut at, mut left) = (values.as_ptr(), 3);
        for _ in 0..2 {
            done(|why| upconv_push_i8(bound, &mut at, &mut left, &mut y, why));
        }
        refused(upconv_status::NoRow, "", |why| upconv_push_i8(bound, &mut at, &mut left, &mut y, why));
        let sentence = "an input has no more rows: 2 of 4 output rows were computed";
        refused(upconv_status::Rows, sentence, |why| upconv_complete(bound, why));

        // Somewhere else it would point to where it was.
        let mut moved = MaybeUninit::<upconv_bound>::uninit();
        ptr::copy_nonoverlapping(bound, moved.as_mut_ptr(), 1);
        refused(upconv_status::Object, "the bound decoder was moved", |why| {
            upconv_next_row_i8(moved.as_mut_ptr(), &mut y, why)
        });
    }
}

#[test]
fn a_graph_with_a_skip_adds_and_concatenates() {
    let q = upconv_quant { scale: 1.0, zero: 0 };
    let fine = upconv_shape { h: 4, w: 4, c: 1 };
    let (up, mut sum, mut both, mut decoder, mut bound) = (nearest(), room(), room(), room(), room());
    let bound: *mut upconv_bound = &raw mut *bound;
    let add = upconv_add { a: fine, b: fine, qa: q, qb: q, qy: q, activation: 0, clamp: [0.0; 2], rounding: 0 };
    let parts = [upconv_part { shape: fine, quant: q }; 2];
    let (x, skip, mut row) = ([1i8, 2, 3, 4], [10i8; 16], [0; 8]);
    let whole = |shape| upconv_node { kind: UPCONV_KIND_WHOLE, layer: ptr::null(), from: [0; 4], shape };
    let layer =
        |layer: &upconv_layer, a, b| upconv_node { kind: UPCONV_KIND_LAYER, layer, from: [a, b, 0, 0], shape: SHAPE };
    // SAFETY: every buffer is there, as long as it is said to be, and lives until the end.
    unsafe {
        done(|why| upconv_add_i8(&mut *sum, &add, why));
        done(|why| upconv_concat_i8(&mut *both, parts.as_ptr(), 2, q, 0, why));
        let nodes = [whole(SHAPE), whole(fine), layer(&up, 0, 0), layer(&sum, 2, 1), layer(&both, 3, 2)];
        done(|why| upconv_decoder_i8(&mut *decoder, nodes.as_ptr(), 5, why));
        let mut need = 0;
        done(|why| upconv_decoder_need(&*decoder, &mut need, ptr::null_mut(), why));
        let mut memory = vec![0; need];
        let input =
            |x: &[i8]| upconv_input_i8 { whole: x.as_ptr(), len: x.len(), rows: None, context: ptr::null_mut() };
        let inputs = [input(&x), input(&skip)];
        let at = memory.as_mut_ptr();
        done(|why| upconv_bind_i8(bound, &*decoder, inputs.as_ptr(), 2, at, need, row.as_mut_ptr(), 8, why));
        let mut y = ptr::null();
        done(|why| upconv_next_row_i8(bound, &mut y, why));
        assert_eq!(*y.cast::<[i8; 8]>(), [11, 1, 11, 1, 12, 2, 12, 2]);
        let alone = "nodes that read it";
        refused(upconv_status::Node, &format!("node 1: 0 {alone}, but it needs 1"), |why| {
            upconv_decoder_i8(&mut *decoder, [whole(SHAPE), whole(fine), layer(&up, 0, 0)].as_ptr(), 3, why)
        });
        refused(upconv_status::Range, "the number of nodes is 17; it must lie in 1 ..= 16", |why| {
            let many: Vec<_> = (0..17).map(|_| whole(SHAPE)).collect();
            upconv_decoder_i8(&mut *decoder, many.as_ptr(), 17, why)
        });
    }
}

#[test]
fn a_refused_plan_leaves_no_earlier_one() {
    let (mut layer, mut decoder, mut need) = (nearest(), room(), 0);
    let nodes = chain(&layer);
    let q = upconv_quant { scale: 1.0, zero: 0 };
    // SAFETY: every buffer is there, as long as it is said to be, or is refused before it is read.
    unsafe {
        done(|why| upconv_decoder_i8(&mut *decoder, nodes.as_ptr(), 2, why));
        let status = said(|why| upconv_decoder_i8(&mut *decoder, nodes.as_ptr(), 1, why)).0;
        assert_eq!(status, upconv_status::Node);
        refused(upconv_status::Object, &absent("the decoder"), |why| {
            upconv_decoder_need(&*decoder, &mut need, ptr::null_mut(), why)
        });
        let mut output = SHAPE;
        assert_eq!(said(|why| upconv_nearest_i8(&mut *layer, SHAPE, 0, 2, why)).0, upconv_status::Zero);
        refused(upconv_status::Object, &absent("the layer"), |why| upconv_output(&*layer, &mut output, why));
        let mut layer = nearest();
        let status = said(|why| upconv_concat_i8(&mut *layer, ptr::null(), 0, q, 0, why)).0;
        assert_eq!(status, upconv_status::Range);
        refused(upconv_status::Object, &absent("the layer"), |why| upconv_output(&*layer, &mut output, why));
    }
}

#[test]
fn functions_of_single_values() {
    let (x, y) = (upconv_quant { scale: 1.0 / 16.0, zero: 0 }, upconv_quant { scale: 1.0 / 256.0, zero: -128 });
    let (mut table, mut layer, mut wide, mut gate) = ([0; 256], room(), room(), room());
    let (mut out, mut out16) = ([0; 4], [0; 4]);
    // SAFETY: every buffer is there, as long as it is said to be, and lives until the end.
    unsafe {
        done(|why| upconv_table_i8(table.as_mut_ptr(), UPCONV_FUNCTION_SIGMOID, x, y, why));
        done(|why| upconv_lookup_i8(&mut *layer, SHAPE, table.as_ptr(), why));
        done(|why| upconv_run_i8(&*layer, [-128i8, 0, 16, 0].as_ptr(), 4, out.as_mut_ptr(), 4, why));
        assert_eq!(out, [-128, 0, 59, 0]);
        done(|why| upconv_gate_i16(&mut *wide, &mut *gate, SHAPE, UPCONV_FUNCTION_TANH, 1.0 / 4096.0, why));
        done(|why| upconv_run_i16(&*wide, [0i16, 4096, -32768, 0].as_ptr(), 4, out16.as_mut_ptr(), 4, why));
        assert_eq!(out16, [0, 24956, -32767, 0]);
    }
}

#[test]
fn the_version_is_the_packages() {
    let [major, minor, patch] = [10_000, 100, 1].map(|unit| upconv_version() / unit % 100);
    assert_eq!(format!("{major}.{minor}.{patch}"), env!("CARGO_PKG_VERSION"));
    assert_eq!(upconv_version(), UPCONV_VERSION);
}

#[test]
fn every_status_has_its_name() {
    let name = |status| {
        // SAFETY: the names are constants.
        unsafe { CStr::from_ptr(upconv_status_name(status)) }.to_str().unwrap()
    };
    assert_eq!(name(upconv_status::Ok as i32), "UPCONV_STATUS_OK");
    assert_eq!(name(upconv_status::NotDivisible as i32), "UPCONV_STATUS_NOT_DIVISIBLE");
    assert_eq!(name(upconv_status::Other as i32), "UPCONV_STATUS_OTHER");
    assert_eq!((name(18), name(-1)), ("not a status", "not a status"));
}
