//! Host names in the program that needs no shared libraries (docs/decisions/0012-static-binary.md).
//!
//! glibc looks names up as `/etc/nsswitch.conf` says, and for what it does not have itself it loads a library of the machine, also
//! into a static program. That library wants the machine's glibc, which is another one than that inside, and what then
//! happens is anything up to a crash. So `/etc/hosts` and name servers are all that is asked.

use std::ffi::{CStr, c_char, c_int};

const DATABASE: &CStr = c"hosts";
const SERVICES: &CStr = c"files dns";

#[allow(unsafe_code, reason = "a function of glibc")]
unsafe extern "C" {
    /// Of glibc's `nss.h`: what is asked for a database from now on, whatever the file says. 0, or -1 and `errno`.
    fn __nss_configure_lookup(database: *const c_char, services: *const c_char) -> c_int;
}

/// Call it before the first name is looked up, and before there are threads.
pub(crate) fn ask_only_files_and_name_servers() {
    #[allow(unsafe_code, reason = "nothing safe leads there: std has no such call, and no crate that we use")]
    // SAFETY: both texts end with a zero and live for ever; the function copies what it keeps and changes only what glibc's own
    // locks protect.
    let refused = unsafe { __nss_configure_lookup(DATABASE.as_ptr(), SERVICES.as_ptr()) };
    // It refuses names it does not know. These two it has known since the first version.
    assert_eq!(refused, 0, "glibc does not look names up in files and by DNS");
}
