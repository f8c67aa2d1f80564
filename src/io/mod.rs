//! Where records come from and go to, and where state is kept. Knows no event.

pub mod background;
pub mod clock;
pub mod embedded;
pub mod files;
pub mod instance;
pub mod kafka;
pub mod memory;
pub mod outage;
pub mod shared;
pub mod shelf;
