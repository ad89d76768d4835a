//! Where C ends: pointers become references here or are refused, and refusals become a status and a sentence.

use core::ffi::{CStr, c_char};
use core::mem::MaybeUninit;
use core::slice;
use upconv::Error;

/// What a function answers: 0 when all is well. `upconv_status_name` has its name.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum upconv_status {
    /// Done.
    Ok = 0,
    /// There is no row: it was the last one, or an input has none for now. `upconv_complete` knows which.
    NoRow = 1,
    /// A pointer is NULL.
    Null = 2,
    /// A pointer is not aligned for what it points to.
    Alignment = 3,
    /// Memory that is read and memory that is written overlap.
    Overlap = 4,
    /// An object that was not planned or bound, is of the other element type, or was moved since it was bound.
    Object = 5,
    /// A size that has to be at least 1 is 0.
    Zero = 6,
    /// A value lies outside its range.
    Range = 7,
    /// A buffer has another length than it needs.
    Length = 8,
    /// A number does not divide another.
    NotDivisible = 9,
    /// The geometry leaves no output.
    NoOutput = 10,
    /// A sum could leave its 32 (or 48) bits.
    Overflow = 11,
    /// A scale that is not finite and above 0, or a ratio of scales of 2^30 and more.
    Scale = 12,
    /// A node of a decoder that does not fit the others.
    Node = 13,
    /// A decoder that needs more memory than there is.
    Memory = 14,
    /// A combination that upconv does not offer.
    Unsupported = 15,
    /// An input of a decoder ended, or has no more rows for now, before all output rows were computed.
    Rows = 16,
    /// An error that this version of the library has no number for; its sentence says what it is.
    Other = 17,
}

/// The name of a status, such as "UPCONV_STATUS_RANGE"; of any other number "not a status". It lives for ever.
#[unsafe(no_mangle)]
pub extern "C" fn upconv_status_name(status: i32) -> *const c_char {
    const NAMES: [&CStr; 18] = [
        c"UPCONV_STATUS_OK",
        c"UPCONV_STATUS_NO_ROW",
        c"UPCONV_STATUS_NULL",
        c"UPCONV_STATUS_ALIGNMENT",
        c"UPCONV_STATUS_OVERLAP",
        c"UPCONV_STATUS_OBJECT",
        c"UPCONV_STATUS_ZERO",
        c"UPCONV_STATUS_RANGE",
        c"UPCONV_STATUS_LENGTH",
        c"UPCONV_STATUS_NOT_DIVISIBLE",
        c"UPCONV_STATUS_NO_OUTPUT",
        c"UPCONV_STATUS_OVERFLOW",
        c"UPCONV_STATUS_SCALE",
        c"UPCONV_STATUS_NODE",
        c"UPCONV_STATUS_MEMORY",
        c"UPCONV_STATUS_UNSUPPORTED",
        c"UPCONV_STATUS_ROWS",
        c"UPCONV_STATUS_OTHER",
    ];
    const { assert!(upconv_status::Other as usize + 1 == NAMES.len()) };
    usize::try_from(status).ok().and_then(|i| NAMES.get(i)).unwrap_or(&c"not a status").as_ptr()
}

/// Bytes of a sentence that says what is wrong, its end included.
pub const UPCONV_MESSAGE: usize = 176;

/// Why something was refused.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refused {
    Null(&'static str),
    Alignment(&'static str),
    Overlap(&'static str),
    Object(&'static str, &'static str),
    Kernel(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Refused::Kernel(error)
    }
}

pub(crate) type Answer<T = ()> = Result<T, Refused>;

/// A result as C sees it; the sentence goes to `why`, which is NULL or has room for it.
pub(crate) fn answer(result: Answer, why: *mut c_char) -> upconv_status {
    let Err(refused) = result else { return upconv_status::Ok };
    say(refused, why)
}

#[cold]
#[inline(never)]
fn say(refused: Refused, why: *mut c_char) -> upconv_status {
    let (status, words) = match &refused {
        Refused::Null(what) => (upconv_status::Null, [what, " is NULL"]),
        Refused::Alignment(what) => (upconv_status::Alignment, [what, " is not aligned"]),
        Refused::Overlap(what) => (upconv_status::Overlap, [what, " overlap"]),
        Refused::Object(what, why) => (upconv_status::Object, [*what, *why]),
        Refused::Kernel(error) => (status_of(error), ["", ""]),
    };
    if !why.is_null() {
        // Nothing need have been written there.
        // SAFETY: the caller of every function that takes `why` hands over UPCONV_MESSAGE bytes, or NULL.
        let to = unsafe { slice::from_raw_parts_mut(why.cast::<MaybeUninit<u8>>(), UPCONV_MESSAGE) };
        match refused {
            Refused::Kernel(error) => write(to, &[error.message().as_str()]),
            _ => write(to, &words),
        }
    }
    status
}

/// As much of the words as fits, and a zero.
fn write(to: &mut [MaybeUninit<u8>], words: &[&str]) {
    let bytes = words.iter().flat_map(|word| word.bytes()).take(UPCONV_MESSAGE - 1).chain([0]);
    to.iter_mut().zip(bytes).for_each(|(to, byte)| _ = to.write(byte));
}

fn status_of(error: &Error) -> upconv_status {
    match error {
        Error::Zero { .. } => upconv_status::Zero,
        Error::Range { .. } => upconv_status::Range,
        Error::Length { .. } => upconv_status::Length,
        Error::NotDivisible { .. } => upconv_status::NotDivisible,
        Error::NoOutput { .. } => upconv_status::NoOutput,
        Error::Overflow { .. } => upconv_status::Overflow,
        Error::Scale { .. } => upconv_status::Scale,
        Error::Node { .. } => upconv_status::Node,
        Error::Memory { .. } => upconv_status::Memory,
        Error::Unsupported { .. } => upconv_status::Unsupported,
        Error::Rows { .. } => upconv_status::Rows,
        _ => upconv_status::Other,
    }
}

fn check<T>(what: &'static str, p: *const T) -> Answer {
    if p.is_null() {
        return Err(Refused::Null(what));
    }
    if !p.is_aligned() { Err(Refused::Alignment(what)) } else { Ok(()) }
}

/// What `p` points to.
///
/// # Safety
/// Where `p` is not NULL and aligned, a T lies there, for as long as `'a`, and nobody writes to it.
pub(crate) unsafe fn shared<'a, T>(what: &'static str, p: *const T) -> Answer<&'a T> {
    check(what, p)?;
    // SAFETY: not NULL and aligned; the rest is the caller's promise.
    Ok(unsafe { &*p })
}

/// Room for a T, whatever lies there.
///
/// # Safety
/// Where `p` is not NULL and aligned, there is room for a T, for as long as `'a`, and nobody else uses it.
pub(crate) unsafe fn place<'a, T>(what: &'static str, p: *mut T) -> Answer<&'a mut MaybeUninit<T>> {
    check(what, p)?;
    // SAFETY: not NULL and aligned; the rest is the caller's promise.
    Ok(unsafe { &mut *p.cast() })
}

/// Room for an object that begins with its mark; what lay there is no object from now on, so that a refusal leaves none.
///
/// # Safety
/// As for [`place`], of an object that begins with a word.
pub(crate) unsafe fn cleared<'a, T>(what: &'static str, p: *mut T) -> Answer<&'a mut MaybeUninit<T>> {
    const { assert!(size_of::<T>() >= size_of::<u32>() && align_of::<T>() >= align_of::<u32>()) };
    // SAFETY: the caller's promise.
    let to = unsafe { place(what, p) }?;
    // SAFETY: there is room for a word, aligned, as is asserted above.
    unsafe { to.as_mut_ptr().cast::<u32>().write(0) };
    Ok(to)
}

fn check_slice<T>(what: &'static str, p: *const T, len: usize) -> Answer {
    check(what, p)?;
    let max = isize::MAX as usize / size_of::<T>();
    if len > max {
        return Err(Error::Length { what, got: len, need: max }.into());
    }
    Ok(())
}

/// `len` values; none when NULL stands for an empty list.
///
/// # Safety
/// As for [`shared`], of `len` values.
pub(crate) unsafe fn slice<'a, T>(what: &'static str, p: *const T, len: usize) -> Answer<&'a [T]> {
    if len == 0 {
        return Ok(&[]);
    }
    check_slice(what, p, len)?;
    // SAFETY: not NULL, aligned and of a size that fits; the rest is the caller's promise.
    Ok(unsafe { slice::from_raw_parts(p, len) })
}

/// `len` values to write to.
///
/// # Safety
/// As for [`shared`], of `len` values, and nobody else uses them.
pub(crate) unsafe fn slice_mut<'a, T>(what: &'static str, p: *mut T, len: usize) -> Answer<&'a mut [T]> {
    if len == 0 {
        return Ok(&mut []);
    }
    check_slice(what, p, len)?;
    // SAFETY: not NULL, aligned and of a size that fits; the rest is the caller's promise.
    Ok(unsafe { slice::from_raw_parts_mut(p, len) })
}

/// Refuses two buffers that share a byte.
pub(crate) fn apart<A, B>(what: &'static str, a: (*const A, usize), b: (*const B, usize)) -> Answer {
    let end = |start: usize, len: usize, size: usize| start.saturating_add(len.saturating_mul(size));
    let (a, a_end) = (a.0.addr(), end(a.0.addr(), a.1, size_of::<A>()));
    let (b, b_end) = (b.0.addr(), end(b.0.addr(), b.1, size_of::<B>()));
    if a < b_end && b < a_end { Err(Refused::Overlap(what)) } else { Ok(()) }
}

/// Refuses what does not begin with `mark`.
///
/// # Safety
/// As for [`shared`], of an object that begins with a word.
pub(crate) unsafe fn check_object<T>(what: &'static str, object: *const T, mark: u32) -> Answer {
    check(what, object)?;
    // SAFETY: not NULL and aligned; the rest is the caller's promise.
    if unsafe { object.cast::<u32>().read() } == mark {
        return Ok(());
    }
    Err(Refused::Object(what, " was not planned or bound, or for another element type"))
}
