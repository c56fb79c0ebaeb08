//! The library's control variables, asked through `MPI_T`.
//!
//! Open MPI 4.1 crashes where `MPI_T` outlives `MPI_Finalize` or begins before `MPI_Init`, so all of it happens within one
//! call, which is made between the two and after everything else has been said.

use std::{
    collections::BTreeMap,
    ffi::{CStr, c_char, c_int},
    ptr,
};

use mpi::ffi;

use super::{INT_HANDLES, MpiError, error::check};

/// `MPI_T_BIND_NO_OBJECT`, which the bindings name after MPICH's own enumeration where the headers are MPICH's: the first
/// of Open MPI's, and MPICH's number.
const NO_OBJECT: c_int = if INT_HANDLES { 9700 } else { 0 };
/// Longest name and value that is read.
const TEXT: usize = 4096;

/// The variables among `wanted` that the library has, with their values as text.
pub(crate) fn control_variables(wanted: &[&str]) -> Result<BTreeMap<String, String>, MpiError> {
    let mut provided = 0;
    // SAFETY: MPI is initialised and not finalised while there is a `Mpi`; the result is an int of ours.
    check("MPI_T_init_thread", unsafe { ffi::MPI_T_init_thread(ffi::RSMPI_THREAD_SINGLE, &raw mut provided) })?;
    let found = read_all(wanted);
    // SAFETY: `MPI_T` was initialised above, and no handle is left.
    check("MPI_T_finalize", unsafe { ffi::MPI_T_finalize() })?;
    found
}

fn read_all(wanted: &[&str]) -> Result<BTreeMap<String, String>, MpiError> {
    let mut count = 0;
    // SAFETY: the result is an int of ours.
    check("MPI_T_cvar_get_num", unsafe { ffi::MPI_T_cvar_get_num(&raw mut count) })?;
    let known = (0..count).filter_map(Variable::look_up).filter(|variable| wanted.contains(&&*variable.name));
    Ok(known.filter_map(|variable| Some((variable.name.clone(), variable.read()?))).collect())
}

/// A control variable that belongs to no object and can therefore be read alone.
struct Variable {
    index: c_int,
    name: String,
    /// Bytes of one element; 1 is text.
    size: usize,
    words: ffi::MPI_T_enum,
}

impl Variable {
    /// Variable `index`, unless the library says no.
    fn look_up(index: c_int) -> Option<Variable> {
        let mut name: [c_char; TEXT] = [0; TEXT];
        let (mut length, mut verbosity, mut bind, mut scope, mut size) = (TEXT as c_int, 0, 0, 0, 0);
        // SAFETY: reads constants that the bindings initialise at load time.
        let (mut datatype, mut words): (_, ffi::MPI_T_enum) = (unsafe { ffi::RSMPI_DATATYPE_NULL }, ptr::null_mut());
        // SAFETY: `name` has room for `length` bytes, no description is wanted, and all other results are ours.
        let code = unsafe {
            ffi::MPI_T_cvar_get_info(
                index,
                name.as_mut_ptr(),
                &raw mut length,
                &raw mut verbosity,
                &raw mut datatype,
                &raw mut words,
                ptr::null_mut(),
                ptr::null_mut(),
                &raw mut bind,
                &raw mut scope,
            )
        };
        // SAFETY: a datatype that the library has just handed out, and an int of ours.
        let measured = code == 0 && unsafe { ffi::MPI_Type_size(datatype, &raw mut size) } == 0;
        let usable = measured && bind == NO_OBJECT;
        usable.then(|| Variable { index, name: text(&name), size: size.unsigned_abs() as usize, words })
    }

    fn read(&self) -> Option<String> {
        let (mut handle, mut count): (ffi::MPI_T_cvar_handle, c_int) = (ptr::null_mut(), 0);
        // SAFETY: the variable belongs to no object; both results are ours.
        let code =
            unsafe { ffi::MPI_T_cvar_handle_alloc(self.index, ptr::null_mut(), &raw mut handle, &raw mut count) };
        if code != 0 {
            return None;
        }
        // Words of eight bytes, so that whatever it is lies aligned; text may come with a terminator that is not counted.
        let mut value = [0_u64; TEXT / 8];
        let fits = self.size * (count.unsigned_abs() as usize) < TEXT;
        // SAFETY: `value` has room for all elements of the variable, by the line above.
        let read = fits && unsafe { ffi::MPI_T_cvar_read(handle, value.as_mut_ptr().cast()) } == 0;
        // SAFETY: allocated above, and not used again.
        unsafe { ffi::MPI_T_cvar_handle_free(&raw mut handle) };
        read.then(|| self.words_of(&value))?
    }

    fn words_of(&self, value: &[u64; TEXT / 8]) -> Option<String> {
        let bytes = value[0].to_ne_bytes();
        match self.size {
            1 => {
                let bytes: Vec<u8> = value.iter().flat_map(|word| word.to_ne_bytes()).collect();
                CStr::from_bytes_until_nul(&bytes).ok().map(|text| text.to_string_lossy().into_owned())
            }
            4 => {
                let number = i32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                Some(self.item(number).unwrap_or_else(|| number.to_string()))
            }
            8 => Some(value[0].to_string()),
            _ => None,
        }
    }

    /// The word for `number`, where the variable's values have words.
    fn item(&self, number: i32) -> Option<String> {
        if self.words.is_null() {
            return None;
        }
        let mut name: [c_char; TEXT] = [0; TEXT];
        let (mut items, mut length) = (0, TEXT as c_int);
        // SAFETY: the library handed the enumeration out with the variable; `name` has room for `length` bytes.
        let known = unsafe { ffi::MPI_T_enum_get_info(self.words, &raw mut items, name.as_mut_ptr(), &raw mut length) };
        (0..if known == 0 { items } else { 0 }).find_map(|at| {
            let (mut value, mut length) = (0, TEXT as c_int);
            // SAFETY: as above.
            let known =
                unsafe { ffi::MPI_T_enum_get_item(self.words, at, &raw mut value, name.as_mut_ptr(), &raw mut length) };
            (known == 0 && value == number).then(|| text(&name))
        })
    }
}

fn text(name: &[c_char; TEXT]) -> String {
    let bytes: Vec<u8> = name.iter().map(|c| c.to_ne_bytes()[0]).take_while(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
