//! Decoders: layers and joins chained on the caller's memory, rows made on demand.

use crate::edge::{
    Answer, Refused, answer, apart, check_object, cleared, place, shared, slice, slice_mut, upconv_status,
};
use crate::layer::{Number, UPCONV_MAX_JOINED, operator, upconv_layer};
use crate::numbers::{tell, upconv_shape};
use core::ffi::{c_char, c_void};
use core::ptr;
use upconv::{BoundDecoder, Decoder, Error, Input, Node, RowSource, Shape};

/// The most nodes of a decoder.
pub const UPCONV_MAX_NODES: usize = 16;
/// The most inputs of a decoder.
pub const UPCONV_MAX_INPUTS: usize = 4;

/// What a node is.
pub type upconv_kind = u32;
/// A layer or a join, which reads earlier nodes.
pub const UPCONV_KIND_LAYER: upconv_kind = 0;
/// An input that is a whole tensor, in flash or in RAM.
pub const UPCONV_KIND_WHOLE: upconv_kind = 1;
/// An input whose rows come one after the other, from a function or pushed.
pub const UPCONV_KIND_ROWS: upconv_kind = 2;

/// A node of a decoder. Nodes are named by their place in the list; the last one is the output.
#[repr(C)]
pub struct upconv_node {
    /// UPCONV_KIND_LAYER, or the kind of input.
    pub kind: upconv_kind,
    /// The planned layer or join; NULL of an input.
    pub layer: *const upconv_layer,
    /// The earlier nodes that it reads: one of a layer, of a join as many as it has inputs.
    pub from: [usize; UPCONV_MAX_JOINED],
    /// The shape of an input; of a layer it is not looked at.
    pub shape: upconv_shape,
}

#[cfg(target_pointer_width = "32")]
/// 8-byte words of a decoder's plan.
pub const UPCONV_DECODER_WORDS: usize = 256;
#[cfg(target_pointer_width = "64")]
/// 8-byte words of a decoder's plan.
pub const UPCONV_DECODER_WORDS: usize = 480;

#[cfg(target_pointer_width = "32")]
/// 8-byte words of a bound decoder.
pub const UPCONV_BOUND_WORDS: usize = 56;
#[cfg(target_pointer_width = "64")]
/// 8-byte words of a bound decoder.
pub const UPCONV_BOUND_WORDS: usize = 112;

/// A planned decoder. The memory is the caller's; nodes and layers have to live as long as it does.
#[repr(C)]
pub struct upconv_decoder {
    opaque: [u64; UPCONV_DECODER_WORDS],
}

/// A decoder with its inputs and its memory. It must not be moved or copied, and all that it was bound to has to live as long as it does.
#[repr(C)]
pub struct upconv_bound {
    opaque: [u64; UPCONV_BOUND_WORDS],
}

type Plan<T> = Decoder<'static, T, UPCONV_MAX_NODES>;

#[repr(C)]
struct Planned<T: 'static> {
    mark: u32,
    plan: Plan<T>,
}

/// The plan of an object, if it was planned for this element type.
///
/// # Safety
/// As for [`shared`].
unsafe fn planned<T: Number>(decoder: *const upconv_decoder) -> Answer<&'static Plan<T>> {
    // SAFETY: the caller's promise.
    unsafe { check_object("the decoder", decoder, !T::MARK) }?;
    // SAFETY: only `plan` writes this mark, before a plan of this type.
    Ok(unsafe { &(*decoder.cast::<Planned<T>>()).plan })
}

unsafe fn plan<T: Number>(decoder: *mut upconv_decoder, nodes: *const upconv_node, count: usize) -> Answer {
    const {
        assert!(size_of::<Planned<T>>() <= size_of::<upconv_decoder>());
        assert!(align_of::<Planned<T>>() <= align_of::<upconv_decoder>());
    }
    // SAFETY: the caller's promise.
    let to = unsafe { cleared("the decoder", decoder) }?;
    // SAFETY: the same.
    let nodes = unsafe { slice::<upconv_node>("the nodes", nodes, count) }?;
    let mut list = [Node::rows(Shape::new(0, 0, 0)); UPCONV_MAX_NODES];
    for (to, node) in list.iter_mut().zip(nodes) {
        *to = match node.kind {
            // SAFETY: the same, of each node's layer.
            UPCONV_KIND_LAYER => unsafe { operator::<T>(node.layer) }?.node(&node.from),
            UPCONV_KIND_WHOLE => Node::whole(node.shape.get()),
            UPCONV_KIND_ROWS => Node::rows(node.shape.get()),
            got => return Err(Error::Range { what: "the kind of a node", got: got.into(), min: 0, max: 2 }.into()),
        };
    }
    let plan = Decoder::plan_first(count, list)?;
    // SAFETY: the size and the alignment suffice, as is asserted above.
    unsafe { to.as_mut_ptr().cast::<Planned<T>>().write(Planned { mark: !T::MARK, plan }) };
    Ok(())
}

/// Plans an int8 decoder of `count` nodes, at most UPCONV_MAX_NODES: plays it through, row by row, so that it knows how many rows of each tensor are still
/// needed at any time. It takes some 14 KB of stack, once.
///
/// Errors: OBJECT for a layer that was not planned for int8; RANGE when a node reads one that does not come before it; NODE when what a node reads has
/// another length than it asks for, a join lacks inputs, nothing reads a node, or the last one is an input. The sentence names the node.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_decoder_i8(
    decoder: *mut upconv_decoder,
    nodes: *const upconv_node,
    count: usize,
    why: *mut c_char,
) -> upconv_status {
    // SAFETY: the caller hands over a decoder's room and `count` nodes.
    answer(unsafe { plan::<i8>(decoder, nodes, count) }, why)
}

/// `upconv_decoder_i8` for int16.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_decoder_i16(
    decoder: *mut upconv_decoder,
    nodes: *const upconv_node,
    count: usize,
    why: *mut c_char,
) -> upconv_status {
    // SAFETY: the caller hands over a decoder's room and `count` nodes.
    answer(unsafe { plan::<i16>(decoder, nodes, count) }, why)
}

/// The values of memory that an int8 or int16 decoder asks for, and its output's shape; either pointer may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_decoder_need(
    decoder: *const upconv_decoder,
    values: *mut usize,
    output: *mut upconv_shape,
    why: *mut c_char,
) -> upconv_status {
    // SAFETY: the caller hands over a decoder.
    let narrow = unsafe { planned::<i8>(decoder) }.map(|d| (d.need(), d.output()));
    // SAFETY: the same.
    let both = narrow.or_else(|_| unsafe { planned::<i16>(decoder) }.map(|d| (d.need(), d.output())));
    let result = both.and_then(|(need, shape)| {
        // SAFETY: ... and NULL or room for the answers.
        unsafe { tell(values, need) }?;
        // SAFETY: the same.
        unsafe { tell(output, upconv_shape::of(shape)) }
    });
    answer(result, why)
}

/// Writes the next row of an input, `len` values, and answers 1; or answers 0 while there is none.
/// It must not hand the bound decoder that it is called from to any function of this library, and must return (no longjmp).
pub type upconv_rows_i8 = Option<unsafe extern "C" fn(context: *mut c_void, row: *mut i8, len: usize) -> i32>;
/// `upconv_rows_i8` for int16.
pub type upconv_rows_i16 = Option<unsafe extern "C" fn(context: *mut c_void, row: *mut i16, len: usize) -> i32>;

/// An int8 input: `whole` for UPCONV_KIND_WHOLE; for UPCONV_KIND_ROWS `rows`, or neither when its values are pushed; never both.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct upconv_input_i8 {
    /// The whole tensor.
    pub whole: *const i8,
    /// Its values.
    pub len: usize,
    /// What writes its rows.
    pub rows: upconv_rows_i8,
    /// Handed to `rows`.
    pub context: *mut c_void,
}

/// An int16 input, as `upconv_input_i8`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct upconv_input_i16 {
    /// The whole tensor.
    pub whole: *const i16,
    /// Its values.
    pub len: usize,
    /// What writes its rows.
    pub rows: upconv_rows_i16,
    /// Handed to `rows`.
    pub context: *mut c_void,
}

/// A C function as a source of rows.
type Rows<T> = unsafe extern "C" fn(*mut c_void, *mut T, usize) -> i32;

struct Source<T> {
    rows: Option<Rows<T>>,
    context: *mut c_void,
}

impl<T> RowSource<T> for Source<T> {
    fn next_row(&mut self, row: &mut [T]) -> bool {
        // SAFETY: the caller of bind hands over a function that writes at most `len` values.
        self.rows.is_some_and(|rows| unsafe { rows(self.context, row.as_mut_ptr(), row.len()) } != 0)
    }
}

/// An input of either type.
struct Given<T> {
    whole: *const T,
    len: usize,
    source: Source<T>,
}

impl From<upconv_input_i8> for Given<i8> {
    fn from(i: upconv_input_i8) -> Self {
        Given { whole: i.whole, len: i.len, source: Source { rows: i.rows, context: i.context } }
    }
}

impl From<upconv_input_i16> for Given<i16> {
    fn from(i: upconv_input_i16) -> Self {
        Given { whole: i.whole, len: i.len, source: Source { rows: i.rows, context: i.context } }
    }
}

/// What lies in a bound decoder; `bound` borrows the two lists before it.
#[repr(C)]
struct Running<T: Number> {
    mark: u32,
    at: *const upconv_bound,
    /// Memory and row, from which pushed values lie apart.
    busy: [(*const T, usize); 2],
    sources: [Source<T>; UPCONV_MAX_INPUTS],
    inputs: [Input<'static, T>; UPCONV_MAX_INPUTS],
    bound: BoundDecoder<'static, 'static, T, UPCONV_MAX_NODES>,
}

/// Memory and row of a decoder.
struct Room<T> {
    memory: (*mut T, usize),
    row: (*mut T, usize),
}

unsafe fn bind<T: Number, I: Copy>(
    bound: *mut upconv_bound,
    decoder: *const upconv_decoder,
    inputs: (*const I, usize),
    Room { memory, row }: Room<T>,
) -> Answer
where
    Given<T>: From<I>,
{
    const {
        assert!(size_of::<Running<T>>() <= size_of::<upconv_bound>());
        assert!(align_of::<Running<T>>() <= align_of::<upconv_bound>());
    }
    // SAFETY: the caller's promise, for all of them.
    unsafe { cleared("the bound decoder", bound) }?;
    // SAFETY: the same.
    let plan = unsafe { planned::<T>(decoder) }?;
    // SAFETY: the same.
    let given = unsafe { slice("the inputs", inputs.0, inputs.1) }?;
    let (busy, out) = ((memory.0.cast_const(), memory.1), (row.0.cast_const(), row.1));
    apart("the memory and the row", busy, out)?;
    apart("the bound decoder and the memory", (bound.cast_const(), 1), busy)?;
    apart("the bound decoder and the row", (bound.cast_const(), 1), out)?;
    let to = bound.cast::<Running<T>>();
    if given.len() > UPCONV_MAX_INPUTS {
        let (what, got) = ("the inputs of the decoder", given.len() as i64);
        return Err(Error::Range { what, got, min: 0, max: UPCONV_MAX_INPUTS as i64 }.into());
    }
    // SAFETY: there is room for them, in order and alignment; raw, because nothing has been written yet.
    let (sources, list) = unsafe { (&raw mut (*to).sources, &raw mut (*to).inputs) };
    let mut pushed = 0;
    for (i, input) in given.iter().enumerate() {
        let Given { whole, len, source } = Given::from(*input);
        let (source_at, at) =
            (sources.cast::<Source<T>>().wrapping_add(i), list.cast::<Input<'static, T>>().wrapping_add(i));
        let input = if source.rows.is_some() {
            if !whole.is_null() {
                return Err(Error::Unsupported { what: "an input with both rows and a whole tensor" }.into());
            }
            // SAFETY: i is below UPCONV_MAX_INPUTS.
            unsafe { source_at.write(source) };
            // SAFETY: just written, and nobody else's until the caller binds again.
            Input::Rows(unsafe { &mut *source_at })
        } else if whole.is_null() {
            pushed += 1;
            Input::Pushed
        } else {
            apart("an input and the memory", (whole, len), busy)?;
            apart("an input and the row", (whole, len), out)?;
            // SAFETY: the caller's promise.
            Input::Whole(unsafe { slice("an input", whole, len) }?)
        };
        // SAFETY: i is below UPCONV_MAX_INPUTS.
        unsafe { at.write(input) };
    }
    if pushed > 1 {
        return Err(Error::Unsupported { what: "more than one pushed input" }.into());
    }
    // SAFETY: so many have been written, and they are nobody else's until the caller binds again.
    let list = unsafe { slice_mut("the inputs", list.cast::<Input<'static, T>>(), given.len()) }?;
    // SAFETY: the caller's promise; memory, row and inputs do not overlap.
    let memory = unsafe { slice_mut("the memory", memory.0, memory.1) }?;
    // SAFETY: the same.
    let row = unsafe { slice_mut("the row", row.0, row.1) }?;
    let running = plan.bind(list, memory, row)?;
    // SAFETY: there is room for it.
    unsafe { (&raw mut (*to).bound).write(running) };
    // SAFETY: the same.
    unsafe { (&raw mut (*to).busy).write([busy, out]) };
    // SAFETY: the same.
    unsafe { (&raw mut (*to).at).write(bound) };
    // SAFETY: the same.
    unsafe { (&raw mut (*to).mark).write(T::MARK.rotate_left(8)) };
    Ok(())
}

/// The decoder of a bound object, if it was bound for this element type and lies where it was bound.
///
/// # Safety
/// As for [`place`].
unsafe fn running<'a, T: Number>(
    bound: *mut upconv_bound,
) -> Answer<&'a mut BoundDecoder<'static, 'static, T, UPCONV_MAX_NODES>> {
    // SAFETY: the caller's promise.
    unsafe { check_object("the bound decoder", bound, T::MARK.rotate_left(8)) }?;
    let running = bound.cast::<Running<T>>();
    // SAFETY: only `bind` writes this mark, after all else.
    if !ptr::eq(unsafe { (*running).at }, bound) {
        return Err(Refused::Object("the bound decoder", " was moved"));
    }
    // SAFETY: the same; the lists before it are reached through it alone.
    Ok(unsafe { &mut (*running).bound })
}

/// Attaches to an int8 decoder its inputs, in the order of their nodes, memory of `upconv_decoder_need` values, and either one output row, which is handed
/// out again and again, or the whole output.
///
/// The object may be bound again, which starts anew; after a refusal it is not bound. Errors: LENGTH when a buffer has another length or the number of
/// inputs is wrong; OVERLAP when memory, row, whole inputs and the bound decoder do not lie apart; UNSUPPORTED for a whole tensor where the plan has
/// rows, the other way round, both at once, or two pushed inputs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_bind_i8(
    bound: *mut upconv_bound,
    decoder: *const upconv_decoder,
    inputs: *const upconv_input_i8,
    count: usize,
    memory: *mut i8,
    memory_len: usize,
    row: *mut i8,
    row_len: usize,
    why: *mut c_char,
) -> upconv_status {
    let room = Room { memory: (memory, memory_len), row: (row, row_len) };
    // SAFETY: the caller hands over all of them, as many as it says.
    answer(unsafe { bind(bound, decoder, (inputs, count), room) }, why)
}

/// `upconv_bind_i8` for int16.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_bind_i16(
    bound: *mut upconv_bound,
    decoder: *const upconv_decoder,
    inputs: *const upconv_input_i16,
    count: usize,
    memory: *mut i16,
    memory_len: usize,
    row: *mut i16,
    row_len: usize,
    why: *mut c_char,
) -> upconv_status {
    let room = Room { memory: (memory, memory_len), row: (row, row_len) };
    // SAFETY: the caller hands over all of them, as many as it says.
    answer(unsafe { bind(bound, decoder, (inputs, count), room) }, why)
}

unsafe fn push<T: Number>(
    bound: *mut upconv_bound,
    values: *mut *const T,
    len: *mut usize,
    row: *mut *const T,
) -> Answer<upconv_status> {
    // SAFETY: the caller's promise.
    let running = unsafe { running::<T>(bound) }?;
    // SAFETY: the same.
    let to = unsafe { place("the row's pointer", row) }?;
    let (mut pushed, mut start, mut given): (&[T], _, _) = (&[], ptr::null(), 0);
    if !values.is_null() {
        // SAFETY: the same.
        (start, given) = unsafe { (*shared("the values", values)?, *shared("their number", len)?) };
        // SAFETY: `running` has found what `bind` writes.
        let [memory, out] = unsafe { (*bound.cast::<Running<T>>()).busy };
        apart("the values and the memory", (start, given), memory)?;
        apart("the values and the row", (start, given), out)?;
        // SAFETY: the caller's promise; they overlap nothing that is written.
        pushed = unsafe { slice("the values", start, given) }?;
    }
    let made = running.push(&mut pushed);
    let (row, status) = match made {
        Some(row) => (row.as_ptr(), upconv_status::Ok),
        None => (ptr::null(), upconv_status::NoRow),
    };
    to.write(row);
    if !values.is_null() {
        // SAFETY: the same.
        unsafe { place("the values", values) }?.write(start.wrapping_add(given - pushed.len()));
        // SAFETY: the same.
        unsafe { place("their number", len) }?.write(pushed.len());
    }
    Ok(status)
}

fn row_answer(result: Answer<upconv_status>, why: *mut c_char) -> upconv_status {
    match result {
        Ok(status) => status,
        Err(refused) => answer(Err(refused), why),
    }
}

/// Computes the next row of an int8 decoder; `*row` points to it until the next call. NO_ROW, and NULL, after the last one or when an input has
/// no more rows for now. Errors: OBJECT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_next_row_i8(
    bound: *mut upconv_bound,
    row: *mut *const i8,
    why: *mut c_char,
) -> upconv_status {
    // SAFETY: the caller hands over a bound decoder and room for a pointer.
    row_answer(unsafe { push(bound, ptr::null_mut(), ptr::null_mut(), row) }, why)
}

/// `upconv_next_row_i8` for int16.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_next_row_i16(
    bound: *mut upconv_bound,
    row: *mut *const i16,
    why: *mut c_char,
) -> upconv_status {
    // SAFETY: the caller hands over a bound decoder and room for a pointer.
    row_answer(unsafe { push(bound, ptr::null_mut(), ptr::null_mut(), row) }, why)
}

/// `upconv_next_row_i8` with values for the pushed input: takes as many as the row asks for off the front of `*values`, and `*len` is what is left. NO_ROW
/// when they do not suffice, all taken, or after the last row. However values are cut into pieces, the same rows come out. Errors: OBJECT; OVERLAP when
/// the values lie in the decoder's memory or its row.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_push_i8(
    bound: *mut upconv_bound,
    values: *mut *const i8,
    len: *mut usize,
    row: *mut *const i8,
    why: *mut c_char,
) -> upconv_status {
    // SAFETY: the caller hands over a bound decoder, `*len` values at `*values`, and room for a pointer.
    row_answer(unsafe { push(bound, values, len, row) }, why)
}

/// `upconv_push_i8` for int16.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_push_i16(
    bound: *mut upconv_bound,
    values: *mut *const i16,
    len: *mut usize,
    row: *mut *const i16,
    why: *mut c_char,
) -> upconv_status {
    // SAFETY: the caller hands over a bound decoder, `*len` values at `*values`, and room for a pointer.
    row_answer(unsafe { push(bound, values, len, row) }, why)
}

/// Whether the last row of an int8 or int16 decoder is out: after NO_ROW, the difference between the end and an input that has no more for now. Errors: ROWS,
/// whose sentence says how many rows of how many have been computed; OBJECT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_complete(bound: *mut upconv_bound, why: *mut c_char) -> upconv_status {
    // SAFETY: the caller hands over a bound decoder.
    let narrow = unsafe { running::<i8>(bound) }.map(|decoder| decoder.complete());
    // SAFETY: the same.
    let both = narrow.or_else(|_| unsafe { running::<i16>(bound) }.map(|decoder| decoder.complete()));
    answer(both.and_then(|complete| Ok(complete?)), why)
}

/// Starts an int8 or int16 decoder again with the first row.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_restart(bound: *mut upconv_bound, why: *mut c_char) -> upconv_status {
    // SAFETY: the caller hands over a bound decoder.
    let narrow = unsafe { running::<i8>(bound) }.map(BoundDecoder::restart);
    // SAFETY: the same.
    answer(narrow.or_else(|_| unsafe { running::<i16>(bound) }.map(BoundDecoder::restart)), why)
}
