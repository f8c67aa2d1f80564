//! Where records come from and where bytes go to.

pub mod files;
