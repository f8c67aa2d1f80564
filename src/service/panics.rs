//! What is said of a panic: where it happened, in the form of every other line of the log. Its message
//! is left out, because that of a slice out of bounds quotes what was being read, with whoever is
//! named in it.

use std::panic;

use tracing::error;

/// From now on panics are told so.
pub fn tell_places() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        error!(place, "the program has a defect, and panicked: please report this");
    }));
}
