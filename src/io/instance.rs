//! The name of this instance, which is the same after a restart and no other process's.
//!
//! The state directory has a file for each process that ever ran on it at the same time as others;
//! a process takes the first whose lock is free, and holds the lock as long as it lives.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Write},
    path::Path,
};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// So many processes on one directory are more than anybody means to run.
const PLACES: usize = 256;

/// A name, and the lock that makes it this process's.
#[derive(Debug)]
pub struct Instance {
    /// The name.
    pub name: String,
    _lock: File,
}

/// Takes a place in this directory; `given` is its name, whatever the directory says.
///
/// # Errors
/// The directory cannot be made or written to; or all places are taken.
pub fn take(dir: &Path, given: Option<String>, seed: u64) -> io::Result<Instance> {
    fs::create_dir_all(dir)?;
    for place in 0..PLACES {
        let path = dir.join(format!("instance.{place}"));
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => continue,
            Err(TryLockError::Error(error)) => return Err(error),
        }
        if let Some(name) = given {
            return Ok(Instance { name, _lock: file });
        }
        let mut name = String::new();
        file.read_to_string(&mut name)?;
        let mut name = name.trim().to_owned();
        if name.is_empty() {
            let digits: u64 = ChaCha8Rng::seed_from_u64(seed ^ place as u64).random();
            name = format!("{digits:016x}");
            file.write_all(format!("{name}\n").as_bytes())?;
            file.sync_all()?;
        }
        return Ok(Instance { name, _lock: file });
    }
    Err(io::Error::other("all places of instances in the state directory are taken"))
}

#[cfg(test)]
mod tests {
    use super::take;

    #[test]
    fn a_place_is_one_process_s_and_has_its_name_for_good() {
        let dir = tempfile::tempdir().unwrap();
        let first = take(dir.path(), None, 1).unwrap();
        let second = take(dir.path(), None, 2).unwrap();
        assert_ne!(first.name, second.name);
        let name = first.name.clone();
        drop(first);
        assert_eq!(take(dir.path(), None, 3).unwrap().name, name);
    }
}
