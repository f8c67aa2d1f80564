//! Snapshots in a directory: one file each, whole or not there.
//!
//! ```text
//! DIR/snapshots/GROUP/TOPIC/PARTITION/OFFSET.snapshot
//! DIR/snapshots/GROUP/TOPIC/rulesets/IDENTITY.toml
//! ```
//!
//! A file is written under another name, brought to the disk, and then renamed. Its name is the offset
//! that it stands at, so that whoever comes late replaces nothing newer. What a process left unfinished
//! that died over it is swept away once it is old.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use crate::pipeline::ports::{Broken, Shelf};

const EXTENSION: &str = "snapshot";
const UNFINISHED: &str = "unfinished";
/// The folder of rulesets beside those of the partitions.
pub(super) const RULESETS: &str = "rulesets";
/// Nobody still writes what has not changed for so long.
const ABANDONED: Duration = Duration::from_secs(15 * 60);

/// So much is brought to the disk at once: whatever else is written to it waits for no more than that.
const PIECE_BYTES: usize = 8 << 20;

/// Files that this process has begun to write.
static WRITTEN: AtomicU64 = AtomicU64::new(0);

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

    /// Removes what has been unfinished for long: it takes up room, and nobody will finish it.
    ///
    /// # Errors
    /// The directory cannot be read, or something cannot be removed from it.
    pub fn sweep(&self) -> io::Result<()> {
        self.sweep_older(ABANDONED)
    }

    fn sweep_older(&self, age: Duration) -> io::Result<()> {
        for folder in entries(&self.root)? {
            for path in entries(&folder)? {
                let unfinished = path.extension().is_some_and(|e| e == UNFINISHED);
                // Elsewhere than on the disk's own clock an age means nothing.
                let still = |path: &Path| Some(path.metadata().ok()?.modified().ok()?.elapsed());
                if unfinished && still(&path).is_some_and(|still| still.is_ok_and(|s| s >= age)) {
                    fs::remove_file(&path)?;
                }
            }
        }
        Ok(())
    }

    fn file(&self, partition: i32, offset: i64) -> PathBuf {
        self.of(partition).join(name_of(offset))
    }
}

/// The name of a snapshot; of one width, so that they are listed in order.
pub(super) fn name_of(offset: i64) -> String {
    format!("{offset:020}.{EXTENSION}")
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

/// What is in a folder, if it is one.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(Vec::new()),
            _ => Err(error),
        },
    }
}

/// The name of the file of a ruleset.
pub(super) fn ruleset_file(identity: &str) -> String {
    format!("{}.toml", safe(identity.trim_start_matches("sha256:")))
}

/// Writes a file whole, or not at all.
fn write(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), Broken> {
    fs::create_dir_all(dir).map_err(broken(dir))?;
    // A name of its own: two processes can be at the same partition for a moment, and two threads of
    // one at the same ruleset.
    let (process, number) = (std::process::id(), WRITTEN.fetch_add(1, Ordering::Relaxed));
    let unfinished = dir.join(format!("{name}.{process}-{number}.{UNFINISHED}"));
    let written = File::create(&unfinished).and_then(|mut file| {
        for piece in bytes.chunks(PIECE_BYTES) {
            file.write_all(piece)?;
            file.sync_data()?;
        }
        file.sync_all()
    });
    let path = dir.join(name);
    let kept = written
        .and_then(|()| fs::rename(&unfinished, &path))
        .and_then(|()| File::open(dir)?.sync_all());
    kept.map_err(|error| {
        // What is left of it is of no use; that it could not be removed either changes nothing.
        let _ = fs::remove_file(&unfinished);
        broken(&path)(error)
    })
}

impl Shelf for Directory {
    fn offsets(&self, partition: i32) -> Result<Vec<i64>, Broken> {
        let dir = self.of(partition);
        let paths = entries(&dir).map_err(broken(&dir))?;
        Ok(paths.iter().filter_map(|path| offset_of(path)).collect())
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
        write(&self.of(partition), &name_of(offset), bytes)
    }

    fn remove(&self, partition: i32, offset: i64) -> Result<(), Broken> {
        let path = self.file(partition, offset);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(broken(&path)(error)),
            _ => Ok(()),
        }
    }

    fn ruleset(&self, identity: &str) -> Result<Option<String>, Broken> {
        let path = self.root.join(RULESETS).join(ruleset_file(identity));
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(broken(&path)(error)),
        }
    }

    fn keep_ruleset(&self, identity: &str, configuration: &str) -> Result<(), Broken> {
        let dir = self.root.join(RULESETS);
        let name = ruleset_file(identity);
        match dir.join(&name).exists() {
            true => Ok(()),
            false => write(&dir, &name, configuration.as_bytes()),
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

    #[test]
    fn what_was_left_unfinished_is_swept_away_once_it_is_old() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Directory::new(dir.path(), "group", "topic");
        shelf.sweep().unwrap();
        shelf.put(3, 17, b"one").unwrap();
        let unfinished = shelf.of(3).join("00000000000000000099.snapshot.1.unfinished");
        fs::write(&unfinished, b"half").unwrap();
        shelf.sweep().unwrap();
        assert!(unfinished.exists(), "somebody may still write it");
        shelf.sweep_older(Duration::ZERO).unwrap();
        assert!(!unfinished.exists());
        assert_eq!(shelf.offsets(3), Ok(vec![17]));
    }

    #[test]
    fn rulesets_are_kept_once_and_found_by_their_identity() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Directory::new(dir.path(), "group", "topic");
        assert_eq!(shelf.ruleset("sha256:ab"), Ok(None));
        shelf.keep_ruleset("sha256:ab", "a = 1").unwrap();
        shelf.keep_ruleset("sha256:ab", "of no use").unwrap();
        assert_eq!(shelf.ruleset("sha256:ab"), Ok(Some("a = 1".to_owned())));
        assert_eq!(shelf.ruleset("sha256:cd"), Ok(None));
    }
}
