//! Carrying out nft text in the current network namespace: through libnftables in this process (a fraction of a
//! millisecond), or through the `nft` command where the library is missing.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io::Write;
use std::process::{Command, Stdio};
use std::ptr::NonNull;
use std::rc::Rc;

use crate::failure::{During, Failure, Result};

const LIBRARY: &CStr = c"libnftables.so.1";

type NewContext = unsafe extern "C" fn(u32) -> *mut c_void;
type FreeContext = unsafe extern "C" fn(*mut c_void);
type BufferError = unsafe extern "C" fn(*mut c_void) -> c_int;
type ErrorText = unsafe extern "C" fn(*mut c_void) -> *const c_char;
type RunText = unsafe extern "C" fn(*mut c_void, *const c_char) -> c_int;

/// The functions of libnftables that are used. They stay loaded for the life of the process.
struct Library {
    new: NewContext,
    free: FreeContext,
    buffer_output: BufferError,
    buffer_error: BufferError,
    error_text: ErrorText,
    run: RunText,
}

pub(crate) struct Nftables(Option<Rc<Library>>);

/// A conversation with the packet filter of one network namespace. Kept open: closing one makes the kernel wait.
pub(crate) struct Filter(Option<Context>);

struct Context {
    library: Rc<Library>,
    /// From `nft_ctx_new`, freed once.
    handle: NonNull<c_void>,
}

impl Nftables {
    pub fn load() -> Self {
        // SAFETY: loading a library runs its initialisers; this one has none that matter to us.
        let handle = unsafe { libc::dlopen(LIBRARY.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        let library = if handle.is_null() { None } else { Library::find(handle) };
        if library.is_none() {
            tracing::warn!("libnftables.so.1 is missing: packet filters go through the slower nft command");
        }
        Self(library.map(Rc::new))
    }

    /// Opens the packet filter of the namespace that this process is in now.
    pub fn open(&self) -> Result<Filter> {
        let Some(library) = &self.0 else {
            return Ok(Filter(None));
        };
        // SAFETY: the function takes flags, of which none is asked for.
        let handle = NonNull::new(unsafe { (library.new)(0) }).ok_or_else(|| Failure::new("libnftables gives no context"))?;
        // SAFETY: the context was just made. Without these two it would print to our own output.
        unsafe {
            (library.buffer_output)(handle.as_ptr());
            (library.buffer_error)(handle.as_ptr());
        }
        Ok(Filter(Some(Context { library: library.clone(), handle })))
    }
}

impl Filter {
    /// Runs `text` as one transaction: all of it or nothing. The process must be in the filter's namespace.
    pub fn run(&self, text: &str) -> Result<()> {
        match &self.0 {
            Some(context) => context.run(text),
            None => run_command(text),
        }
    }
}

impl Context {
    fn run(&self, text: &str) -> Result<()> {
        let text = CString::new(text).map_err(|_| Failure::new("the packet filter's text holds a zero byte"))?;
        // SAFETY: the context lives as long as this value, is used by one thread, and the error text is copied
        // before the context is used again.
        unsafe {
            if (self.library.run)(self.handle.as_ptr(), text.as_ptr()) == 0 {
                return Ok(());
            }
            Err(failure(CStr::from_ptr((self.library.error_text)(self.handle.as_ptr()))))
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: made by `nft_ctx_new`, and nobody has it after this.
        unsafe { (self.library.free)(self.handle.as_ptr()) };
    }
}

impl Library {
    fn find(handle: *mut c_void) -> Option<Self> {
        let symbol = |name: &CStr| {
            // SAFETY: the handle is open and the name ends in a zero byte.
            let found = unsafe { libc::dlsym(handle, name.as_ptr()) };
            (!found.is_null()).then_some(found)
        };
        // SAFETY: the types are those that nftables/libnftables.h declares for these names in version 1 of the library.
        unsafe {
            Some(Self {
                new: std::mem::transmute::<*mut c_void, NewContext>(symbol(c"nft_ctx_new")?),
                free: std::mem::transmute::<*mut c_void, FreeContext>(symbol(c"nft_ctx_free")?),
                buffer_output: std::mem::transmute::<*mut c_void, BufferError>(symbol(c"nft_ctx_buffer_output")?),
                buffer_error: std::mem::transmute::<*mut c_void, BufferError>(symbol(c"nft_ctx_buffer_error")?),
                error_text: std::mem::transmute::<*mut c_void, ErrorText>(symbol(c"nft_ctx_get_error_buffer")?),
                run: std::mem::transmute::<*mut c_void, RunText>(symbol(c"nft_run_cmd_from_buffer")?),
            })
        }
    }
}

fn failure(text: &CStr) -> Failure {
    let text = text.to_string_lossy();
    Failure::new(format!("the packet filter was refused: {}", text.lines().next().unwrap_or("no reason given")))
}

fn run_command(text: &str) -> Result<()> {
    let mut command = Command::new("nft");
    let command = command.args(["-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().during("starting nft (Debian's package nftables)")?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(text.as_bytes()).during("writing to nft")?;
    }
    let output = child.wait_with_output().during("waiting for nft")?;
    if output.status.success() {
        return Ok(());
    }
    let error = CString::new(output.stderr).unwrap_or_default();
    Err(failure(&error))
}
