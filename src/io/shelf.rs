//! Snapshots in a directory: one file each, whole or not there.
//!
//! ```text
//! DIR/snapshots/GROUP/TOPIC/PARTITION/OFFSET.snapshot
//! ```
//!
//! A file is written under another name, brought to the disk, and then renamed. Its name is the offset
//! that it stands at, so that whoever comes late replaces nothing newer.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::pipeline::ports::{Broken, Shelf};

pub(super) const EXTENSION: &str = "snapshot";
const UNFINISHED: &str = "unfinished";

/// A directory of snapshots of one group's partitions of one topic.
#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// Below this directory, which need not be there yet.
    pub fn new(dir: &Path, group: &str, topic: &str) -> Directory {
        Directory { root: dir.join("snapshots").join(safe(group)).join(safe(topic)) }
    }

    fn of(&self, partition: i32) -> PathBuf {
        self.root.join(partition.to_string())
    }

    fn file(&self, partition: i32, offset: i64) -> PathBuf {
        // Of one width, so that they are listed in order.
        self.of(partition).join(format!("{offset:020}.{EXTENSION}"))
    }
}

/// The offset that a file is a snapshot at, if it is one.
pub(super) fn offset_of(path: &Path) -> Option<i64> {
    let kept = path.extension().is_some_and(|extension| extension == EXTENSION);
    path.file_stem().filter(|_| kept)?.to_str()?.parse().ok()
}

/// A name as that of a directory: whatever could mean something else is written as its code.
fn safe(name: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let inner = |c: char| c == '.' && name.len() > 2;
    name.chars()
        .map(|c| if harmless(c) || inner(c) { c.to_string() } else { format!("%{:x}", c as u32) })
        .collect()
}

fn broken(path: &Path) -> impl FnOnce(io::Error) -> Broken + '_ {
    move |error| Broken::ForNow(format!("{}: {error}", path.display()))
}

impl Shelf for Directory {
    fn offsets(&self, partition: i32) -> Result<Vec<i64>, Broken> {
        let dir = self.of(partition);
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(broken(&dir)(error)),
        };
        let mut offsets = Vec::new();
        for entry in entries {
            let path = entry.map_err(broken(&dir))?.path();
            offsets.extend(offset_of(&path));
        }
        Ok(offsets)
    }

    fn get(&self, partition: i32, offset: i64) -> Result<Vec<u8>, Broken> {
        let path = self.file(partition, offset);
        fs::read(&path).map_err(broken(&path))
    }

    fn kept_ms(&self, partition: i32, offset: i64) -> Result<Option<i64>, Broken> {
        let path = self.file(partition, offset);
        let kept = fs::metadata(&path).and_then(|file| file.modified()).map_err(broken(&path))?;
        let since = kept.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Ok(i64::try_from(since.as_millis()).ok())
    }

    fn put(&self, partition: i32, offset: i64, bytes: &[u8]) -> Result<(), Broken> {
        let dir = self.of(partition);
        fs::create_dir_all(&dir).map_err(broken(&dir))?;
        // A name of its own: two processes can be at the same partition for a moment.
        let unfinished = dir.join(format!("{offset:020}.{}.{UNFINISHED}", std::process::id()));
        let written = File::create(&unfinished).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        let path = self.file(partition, offset);
        let kept = written
            .and_then(|()| fs::rename(&unfinished, &path))
            .and_then(|()| File::open(&dir)?.sync_all());
        kept.map_err(|error| {
            // What is left of it is of no use; that it could not be removed either changes nothing.
            let _ = fs::remove_file(&unfinished);
            broken(&path)(error)
        })
    }

    fn remove(&self, partition: i32, offset: i64) -> Result<(), Broken> {
        let path = self.file(partition, offset);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(broken(&path)(error)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_found_and_what_is_half_written_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Directory::new(dir.path(), "a/../b", "..");
        assert_eq!(shelf.offsets(3), Ok(vec![]));
        shelf.put(3, 17, b"one").unwrap();
        shelf.put(3, 5, b"two").unwrap();
        fs::write(shelf.of(3).join("00000000000000000099.1.unfinished"), b"half").unwrap();
        let mut offsets = shelf.offsets(3).unwrap();
        offsets.sort_unstable();
        assert_eq!(offsets, [5, 17]);
        assert_eq!(shelf.get(3, 17), Ok(b"one".to_vec()));
        shelf.remove(3, 17).unwrap();
        shelf.remove(3, 17).unwrap();
        assert_eq!(shelf.offsets(3), Ok(vec![5]));
        assert!(shelf.root.starts_with(dir.path()) && shelf.root.ends_with("%2e%2e"));
    }
}
