//! Which thread gives freed memory back to the system.

#[cfg(target_os = "linux")]
use std::{env, os::unix::process::CommandExt, process::Command};

/// How the allocator calls it: how much longer freed segments wait than freed pages.
#[cfg(target_os = "linux")]
const SEGMENTS_WAIT: &str = "MIMALLOC_ARENA_PURGE_MULT";

/// Begins the program anew, with an allocator in which whoever frees segments of memory gives them
/// back, then and there. Otherwise they wait for a tenth of a second, and then for whichever thread
/// comes by first: after a snapshot the scoring loop would give back what the snapshot took, for
/// milliseconds at a time.
///
/// The allocator reads this before `main`, so it cannot be set any later. Where it is set, or nothing
/// can be begun anew, all goes on as it is.
pub fn give_back_at_once() {
    #[cfg(target_os = "linux")]
    if env::var_os(SEGMENTS_WAIT).is_none()
        && let Ok(program) = env::current_exe()
    {
        let mut arguments = env::args_os();
        let mut anew = Command::new(program);
        if let Some(name) = arguments.next() {
            anew.arg0(name);
        }
        // Comes back only if it fails.
        let _ = anew.args(arguments).env(SEGMENTS_WAIT, "0").exec();
    }
}
